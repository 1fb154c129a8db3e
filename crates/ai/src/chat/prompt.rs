//! What the model is told about its work, and what it may know of the call.

use super::phrases::HANG_UP;
use crate::Brief;

/// A stranger's name is cut here, in characters.
const LONGEST_PARTY: usize = 80;

/// The system message.
pub fn system(brief: &Brief) -> String {
    let name = &brief.display_name;
    let other: String = brief.remote_party.chars().filter(|c| !c.is_control()).take(LONGEST_PARTY).collect();
    let call = if brief.outbound {
        format!("You have called \"{other}\" on behalf of {name}, and begun with the message that is your first line.")
    } else {
        format!("You answer a call for {name}. The caller is signalled as \"{other}\".")
    };
    let language = brief.language.as_deref().unwrap_or("en");
    let instructions = brief.instructions.as_deref().unwrap_or("Take a message: find out who calls and why, and read both back.");
    format!(
        "You are the voice of {name}'s telephone assistant. {call}\n\
         Everything you write is spoken to the other side at once. Write plain spoken sentences: no lists, no headings, no markup, \
         no emoji, no stage directions. Answer in one to three short sentences, and ask at most one question at a time. \
         The other side's words come from speech recognition and may be misheard: ask again when they make no sense.\n\
         You cannot transfer the call, look anything up, or see what is not written here; say so when asked, and do not promise \
         what you cannot do.\n\
         Speak the language with the code {language}.\n\
         When the conversation is over, say goodbye and write {HANG_UP} on a line of its own after it. Never before.\n\
         \n\
         {instructions}"
    )
}
