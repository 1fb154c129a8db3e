//! A chat model behind an OpenAI-compatible endpoint (Ollama, llama.cpp, vLLM …) as the mind of the offline engine.
//!
//! | module | holds |
//! |---|---|
//! | `client` | one request, its answer as it streams, its failures with their causes |
//! | [`letter`] | one answer as a whole: summaries of calls |
//! | `sse` | server-sent events out of bytes |
//! | `phrases` | streamed text to sentences fit to be spoken, and the mark that ends the call |
//! | `prompt` | what the model is told about its work |
//! | `talk` | the conversation: who said what, and the answer that is being given |

mod client;
pub mod letter;
mod phrases;
mod prompt;
mod sse;
mod talk;

pub use client::ChatClient;
pub(crate) use client::{Delta, Message};
pub use talk::{Talk, TalkEvent};

use callie_domain::Secret;

/// Where the model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatOptions {
    /// Up to and with the version: `http://localhost:11434/v1`.
    pub base_url: String,
    pub api_key: Option<Secret>,
    pub model: String,
}

#[cfg(test)]
pub(crate) mod tests;
