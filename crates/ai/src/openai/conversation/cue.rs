//! What the model is told when a session takes the place of another, whose items it was given. The texts of every call are in
//! [`crate::realtime::instruction`].

/// The caller's last words are in no session's memory.
pub const LOST_WORDS: &str = "(The telephone connection was disturbed and the caller's last words were lost. Ask them briefly, \
                              in one short sentence, to say it again. Do not greet them again.)";

/// The agent was cut off in its own words.
pub const GO_ON: &str = "(The telephone connection was disturbed while you spoke. Go on from where you were cut off, without \
                         greeting and without repeating what you have said.)";
