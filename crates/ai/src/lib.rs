//! Conversation engines behind one seam.
//!
//! | module | holds |
//! |---|---|
//! | [`chat`] | a chat model as the mind of the offline engine |
//! | [`engine`] | the seam: what an engine is given, what it says, what it can do |
//! | [`error`] | why an engine cannot talk: cause, evidence, remedy |
//! | [`gemini`] | Gemini Live: speech to speech over a WebSocket |
//! | [`local`] | the offline engine: greets, takes a message, needs no key and no network |
//! | `offer` | lists of what users may choose |
//! | [`openai`] | OpenAI Realtime and the services that speak its protocol |
//! | [`realtime`] | what speech-to-speech services have in common |
//! | [`tools`] | what an agent can do besides talking |

pub mod chat;
pub mod engine;
pub mod error;
pub mod gemini;
pub mod local;
mod offer;
pub mod openai;
pub mod realtime;
pub mod tools;

pub use chat::ChatOptions;
pub use engine::{Brief, Capabilities, Engine, EngineEvent, EngineSession, Prompt, Usage, Utterance};
pub use error::{EngineCause, EngineError};
pub use gemini::{GeminiEngine, GeminiOptions};
pub use local::{LocalEngine, LocalOptions, VoiceChoice};
pub use openai::{OpenAiEngine, OpenAiOptions};
