//! What an engine lets a user choose: models, voices, languages. For forms; a service may know more than stands here, and a
//! check of the engine tells.

/// What there is to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// For people: "Gemini Live".
    pub title: String,
    /// Models that are known to hold a call.
    pub models: Vec<String>,
    /// The model of users who name none.
    pub model: Option<String>,
    pub voices: Vec<String>,
    /// The voice of users who name none, where it is not the service's to choose.
    pub voice: Option<String>,
    /// Language tags (BCP 47). Empty: it speaks what its instructions ask for.
    pub languages: Vec<String>,
    /// Understands the caller.
    pub listens: bool,
    pub takes_hints: bool,
    pub takes_temperature: bool,
}
