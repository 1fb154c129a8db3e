//! What an engine that takes over in mid-call begins with, in the language of the call.

/// By the language of a tag, for an engine that goes on with the conversation.
const PHRASES: [(&str, &str); 8] = [
    ("en", "Sorry, I lost you for a moment. Please go on."),
    ("de", "Entschuldigung, ich war kurz weg. Bitte fahren Sie fort."),
    ("fr", "Pardon, je vous ai perdu un instant. Continuez, je vous prie."),
    ("es", "Perdone, le he perdido un momento. Continúe, por favor."),
    ("it", "Mi scusi, l'ho persa per un momento. Prego, continui."),
    ("nl", "Sorry, ik was u even kwijt. Gaat u verder."),
    ("pt", "Desculpe, perdi-o por um momento. Continue, por favor."),
    ("pl", "Przepraszam, na chwilę straciliśmy połączenie. Proszę mówić dalej."),
];

/// The offline engine speaks English, and takes a message.
const OFFLINE: &str = "I am sorry, I have lost my connection. I can take a message for you.";
/// It hands the caller over instead.
const OFFLINE_TRANSFER: &str = "I am sorry, I have lost my connection. I will put you through.";

/// `engine` takes over; `language` is a tag such as `de-AT`; `transfers`: only to hand the caller over.
pub fn phrase(engine: &str, language: Option<&str>, transfers: bool) -> &'static str {
    if engine == callie_ai::LocalEngine::NAME {
        return if transfers { OFFLINE_TRANSFER } else { OFFLINE };
    }
    let wanted = language.and_then(|tag| tag.split('-').next()).unwrap_or_default();
    let known = PHRASES.iter().find(|(language, _)| language.eq_ignore_ascii_case(wanted));
    known.unwrap_or(&PHRASES[0]).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrase_is_in_the_language_of_the_call() {
        for (engine, language, transfers, want) in [
            ("gemini", Some("de-AT"), false, "Entschuldigung"),
            ("openai", Some("PT"), true, "Desculpe"),
            ("openai", Some("tlh"), false, "Sorry"),
            ("gemini", None, false, "Sorry"),
            ("local", Some("de"), false, "I am sorry, I have lost my connection. I can"),
            ("local", None, true, "I am sorry, I have lost my connection. I will"),
        ] {
            let phrase = phrase(engine, language, transfers);
            assert!(phrase.starts_with(want), "{engine} {language:?}: {phrase}");
        }
    }
}
