//! German claims: "ich habe es notiert", "ich stelle Sie durch", "Ihr Termin ist gebucht".

use super::Words;
use crate::record::ClaimKind::{self, *};

/// Participles, of which each says by itself what was done.
const DONE: &[(ClaimKind, Words)] = &[
    (Transfer, &["verbunden", "durchgestellt", "weiterverbunden"]),
    (Message, &["weitergegeben", "ausgerichtet", "hinterlassen", "weitergeleitet", "aufgenommen"]),
    (Note, &["notiert", "aufgeschrieben", "vermerkt", "festgehalten", "mitgeschrieben", "eingetragen"]),
    (Sent, &["geschickt", "gesendet", "versendet", "verschickt", "zugeschickt", "gemailt", "zugesandt", "benachrichtigt"]),
    (Booked, &["gebucht", "reserviert", "vereinbart", "bestellt"]),
    (Changed, &["storniert", "abgesagt", "verschoben", "geändert", "aktualisiert", "gelöscht", "umgebucht"]),
    (Called, &["angerufen", "zurückgerufen"]),
    (Paid, &["erstattet", "überwiesen", "bezahlt", "abgebucht"]),
    (LookedUp, &["nachgesehen", "nachgeschaut", "nachgeschlagen"]),
];
/// Of these, what is told as a state.
const STATES: &[ClaimKind] = &[Booked, Changed, Paid];
/// What is being done: the verb, and a word that makes it this.
const DOING: &[(Words, Words)] = &[
    (&["verbinde", "verbinden"], &["sie", "dich", "ihnen", "euch"]),
    (&["stelle", "stellen"], &["durch"]),
    (&["leite", "leiten"], &["weiter"]),
];
const NEGATIONS: Words =
    &["nicht", "nichts", "nie", "niemals", "noch", "kein", "keine", "keinen", "keiner", "niemand", "niemanden"];
const CONDITIONS: Words =
    &["wenn", "falls", "sobald", "ob", "bevor", "nachdem", "würde", "könnte", "sollte", "hätte", "kann", "werde"];

/// The claims of a clause; `true` for a state.
pub fn claims(words: &[String]) -> Vec<(ClaimKind, bool)> {
    let has = |list: Words| words.iter().any(|word| list.contains(&word.as_str()));
    if has(NEGATIONS) || has(CONDITIONS) {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(at) = place(words, &["ich", "wir"], &["habe", "hab", "haben"]) {
        found.extend(participles(&words[at..]).map(|kind| (kind, false)));
    }
    if let Some(at) =
        words.iter().position(|word| matches!(word.as_str(), "ist" | "sind" | "wurde" | "wurden")).filter(|at| *at > 0)
    {
        found.extend(participles(&words[at..]).filter(|kind| STATES.contains(kind)).map(|kind| (kind, true)));
    }
    for (verbs, with) in DOING {
        let at = place(words, &["ich", "wir"], verbs);
        if at.is_some_and(|at| words[at..].iter().any(|word| with.contains(&word.as_str()))) {
            found.push((Transfer, false));
        }
    }
    found
}

fn participles(words: &[String]) -> impl Iterator<Item = ClaimKind> {
    let is_there = |list: &Words| words.iter().any(|word| list.contains(&word.as_str()));
    DONE.iter().filter(move |(_, list)| is_there(list)).map(|(kind, _)| *kind)
}

/// Where subject and verb stand side by side, in whichever order.
fn place(words: &[String], subjects: Words, verbs: Words) -> Option<usize> {
    let is = |list: Words, word: &String| list.contains(&word.as_str());
    words
        .windows(2)
        .position(|pair| is(subjects, &pair[0]) && is(verbs, &pair[1]) || is(verbs, &pair[0]) && is(subjects, &pair[1]))
}
