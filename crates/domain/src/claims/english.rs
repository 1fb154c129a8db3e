//! English claims: "I have booked it", "I'm putting you through", "your table is booked".

use super::{Verb, Words};
use crate::record::ClaimKind::{self, *};

const fn verb(kind: ClaimKind, heads: Words, with: Words) -> Verb {
    Verb { kind, heads, with, without: &[] }
}

const CALLER: Words = &["you", "your", "call"];
const THINGS: Words = &[
    "appointment",
    "reservation",
    "booking",
    "meeting",
    "order",
    "table",
    "slot",
    "visit",
    "room",
    "flight",
    "ticket",
    "it",
    "that",
    "you",
    "your",
    "this",
];
const SOURCES: Words = &[
    "calendar",
    "system",
    "schedule",
    "account",
    "order",
    "orders",
    "records",
    "record",
    "database",
    "availability",
    "booking",
    "bookings",
    "reservation",
    "reservations",
    "diary",
    "file",
    "files",
    "contacts",
    "status",
    "inventory",
    "stock",
];
const OTHERS: Words = &["him", "her", "them", "back", "the", "his", "their", "your", "my", "someone", "somebody"];

/// After "I have", "I", "I just": what is done.
const DONE: &[Verb] = &[
    verb(Transfer, &["transferred", "connected", "redirected"], CALLER),
    verb(Transfer, &["put"], &["through"]),
    verb(Message, &["passed", "pass"], &["on", "along"]),
    verb(Message, &["left", "taken", "took", "recorded", "delivered", "relayed"], &["message", "voicemail"]),
    verb(Note, &["noted", "jotted", "logged"], &[]),
    verb(Note, &["made"], &["note"]),
    verb(Note, &["written", "wrote", "taken", "took"], &["down"]),
    verb(Note, &["saved", "recorded"], &["that", "it", "this", "details", "number", "information", "name", "address"]),
    verb(Sent, &["sent", "emailed", "texted", "mailed", "messaged", "notified", "informed", "alerted"], &[]),
    verb(Sent, &["forwarded"], &["email", "mail", "details", "request", "information", "it", "that", "this"]),
    Verb { kind: Booked, heads: &["booked", "scheduled", "reserved", "ordered", "arranged"], with: &[], without: &["with"] },
    verb(Booked, &["made", "placed", "set", "confirmed", "created", "added"], THINGS_MADE),
    verb(Changed, &["rescheduled", "cancelled", "canceled", "updated", "deleted", "removed"], &[]),
    verb(Changed, &["moved", "changed", "postponed", "corrected"], THINGS),
    Verb {
        kind: Called,
        heads: &["called", "phoned", "rung", "rang", "telephoned"],
        with: OTHERS,
        without: &["to", "about", "you", "for", "it"],
    },
    verb(Paid, &["refunded", "charged", "paid", "reimbursed"], &[]),
    verb(Paid, &["issued", "processed"], &["refund", "payment", "charge"]),
    verb(LookedUp, &["checked", "searched", "looked", "verified", "reviewed"], SOURCES),
    verb(
        Keys,
        &["pressed", "dialled", "dialed", "entered"],
        &["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "key", "keys", "extension", "one", "two"],
    ),
];
const THINGS_MADE: Words = &["appointment", "reservation", "booking", "order", "meeting", "calendar"];

/// After "I am".
const DOING: &[Verb] = &[
    verb(Transfer, &["transferring", "connecting", "forwarding", "redirecting"], CALLER),
    verb(Transfer, &["putting"], &["through"]),
];

/// After "I will", "let me", "while I".
const ANNOUNCED: &[Verb] =
    &[verb(Transfer, &["transfer", "connect", "redirect"], CALLER), verb(Transfer, &["put"], &["through"])];

/// After "it is", "has been": what can be told as a state.
const STATE: &[Verb] = &[
    verb(Booked, &["booked", "scheduled", "reserved"], &[]),
    verb(Changed, &["rescheduled", "cancelled", "canceled"], &[]),
    verb(Paid, &["refunded"], &[]),
];

/// Stand between a subject and its verb and change nothing.
const FILLERS: Words = &[
    "just",
    "now",
    "already",
    "also",
    "then",
    "successfully",
    "gone",
    "went",
    "go",
    "ahead",
    "and",
    "quickly",
    "all",
    "so",
    "gladly",
    "even",
    "personally",
];
/// With one of these before it, nothing was done.
const NEGATIONS: Words = &["not", "never", "nothing", "no", "none", "unable", "cannot", "neither", "nobody", "failed"];
const CONDITIONS: Words =
    &["if", "once", "when", "whether", "unless", "until", "before", "after", "soon", "would", "could", "should", "might", "may"];

/// The claims of a clause; `true` for a state.
pub fn claims(words: &[String]) -> Vec<(ClaimKind, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match opening(words, at) {
            Some((verbs, verb_at)) if is_asserted(words, verb_at) => {
                take(verbs, words, verb_at, &mut found);
                // "… and sent you a text": the same subject still.
                for next in verb_at + 1..words.len() {
                    if words[next] == "and" {
                        take(verbs, words, skip(words, next), &mut found);
                    }
                }
                at = verb_at;
            }
            Some((_, verb_at)) => at = verb_at,
            None => {}
        }
        at += 1;
    }
    found
}

fn take(verbs: &[Verb], words: &[String], at: usize, found: &mut Vec<(ClaimKind, bool)>) {
    let is_state = std::ptr::eq(verbs, STATE);
    found.extend(verbs.iter().filter(|verb| verb.is_at(words, at)).map(|verb| (verb.kind, is_state)));
}

/// The verbs that claim something after the words at `at`, and where the verb would be.
fn opening(words: &[String], at: usize) -> Option<(&'static [Verb], usize)> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let is_agent = matches!(word(at), "i" | "we");
    // "i just have", "i have just".
    let next = skip(words, at + 1);
    Some(match (word(at), word(next)) {
        (_, "have") if is_agent => (DONE, skip(words, next + 1)),
        (_, "am" | "are") if is_agent => (DOING, skip(words, next + 1)),
        (_, "will" | "shall") if is_agent => (ANNOUNCED, skip(words, next + 1)),
        ("let", "me" | "us") => (ANNOUNCED, skip(words, next + 1)),
        ("while", "i" | "we") => (ANNOUNCED, skip(words, next + 1)),
        _ if is_agent => (DONE, next),
        ("has" | "have", "been") => (STATE, skip(words, next + 1)),
        // Of a question or a denial there is no claim; "i am booked" is nobody's.
        ("is" | "are", _) if at > 0 && !matches!(word(at - 1), "i" | "we") => (STATE, next),
        // "Transferring you now."
        _ if DOING.iter().any(|verb| verb.is_at(words, at))
            && words[..at].iter().all(|word| FILLERS.contains(&word.as_str())) =>
        {
            (DOING, at)
        }
        _ => return None,
    })
}

fn skip(words: &[String], mut at: usize) -> usize {
    while words.get(at).is_some_and(|word| FILLERS.contains(&word.as_str())) {
        at += 1;
    }
    at
}

fn is_asserted(words: &[String], verb_at: usize) -> bool {
    let before = words.get(..verb_at).unwrap_or(words);
    let all = words.get(verb_at..).unwrap_or_default();
    let none = |list: Words, of: &[String]| of.iter().all(|word| !list.contains(&word.as_str()));
    // Inverted: "have I booked", and what comes after "if you like".
    let is_inverted =
        matches!(before.first().map(String::as_str), Some("have" | "has" | "shall" | "should" | "do" | "did" | "am"));
    none(NEGATIONS, before) && none(CONDITIONS, before) && none(&["if", "unless", "nothing"], all) && !is_inverted
}
