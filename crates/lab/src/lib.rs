//! The world in a box: a carrier on loopback and scripted telephones that call through it.
//!
//! What it is: the far side of every test, of `callie demo` and of the load bench.
//! What it is not: any part of the product. It speaks SIP with its own few hundred lines, so that a
//! fault of the product cannot hide behind the same fault here.
//!
//! ```text
//!   phone::Phone ──SIP──▶ carrier::Carrier ──SIP──▶ the product (or another phone)
//!        └──────────────── RTP (over a line) ─────────────┘
//!           gemini::FakeGemini, openai::FakeOpenAi ◀─WebSocket─ the product    (what they share: realtime)
//!                             firestore::Firestore ◀────gRPC─── the product
//!             receiver::Receiver, mcp::McpServer, text_model::TextModel ◀────HTTP─── the product
//!                          collector::Collector ◀────HTTP─── the product (OTLP)
//!                     provider::IdentityProvider ◀────HTTP─── the product, a browser
//! ```

pub mod analysis;
pub mod carrier;
mod certificate;
pub mod collector;
pub mod digest;
pub mod firestore;
pub mod gemini;
pub mod kms;
pub mod line;
pub mod mcp;
pub mod message;
pub mod openai;
pub mod phone;
pub mod provider;
mod realtime;
pub mod receiver;
pub mod samples;
pub mod text_model;
mod waiting;
pub mod wire;

pub use waiting::TooLate;
