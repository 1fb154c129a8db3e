//! What the model is told when a session takes the place of another, or of another engine. The texts of every call are in
//! [`crate::gemini::instruction`].

/// The caller's last words are in no session's memory.
pub const LOST_WORDS: &str = "(The telephone connection was disturbed and the caller's last words were lost. Ask them briefly, \
                              in one short sentence, to say it again. Do not greet them again.)";

/// The agent was cut off in its own words.
pub const GO_ON: &str = "(The telephone connection was disturbed while you spoke. Go on from where you were cut off, without \
                         greeting and without repeating what you have said.)";

/// The first words of an engine that takes over in mid-call.
pub fn take_over(words: &str) -> String {
    let words = words.trim();
    let begin = if words.is_empty() { "Go on with the call.".to_owned() } else { format!("Say exactly this now: {words}") };
    format!(
        "(You take over this call from a colleague; you know what was said so far. Do not greet the caller and do not introduce \
         yourself. {begin})"
    )
}
