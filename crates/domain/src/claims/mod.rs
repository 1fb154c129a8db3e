//! What the agent said it did, against what its tools did.
//!
//! Sentences are recognised by tables, in English and German; in another language no claim is seen, and none is invented. Questions,
//! offers, conditions and denials are no claims. So a claim that is found is rather too few than too many.
//!
//! | module | holds |
//! |---|---|
//! | `sentences` | text into sentences, clauses and words |
//! | `english`, `german` | which words of a clause claim what |
//! | `ledger` | the claims of a call beside its tools |

mod english;
mod german;
mod ledger;
mod sentences;

pub use ledger::Claims;

use crate::record::ClaimKind;
use sentences::{Sentence, sentences};

/// A claim in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub kind: ClaimKind,
    /// It tells what is, not what the agent does: looking is enough to say it.
    pub is_state: bool,
    pub sentence: String,
}

/// The claims of a text, in order, each kind once for each sentence.
pub fn claims_in(text: &str) -> Vec<Said> {
    sentences(text).iter().flat_map(claims_of).collect()
}

fn claims_of(sentence: &Sentence) -> Vec<Said> {
    let mut found: Vec<Said> = Vec::new();
    if sentence.is_question {
        return found;
    }
    for clause in &sentence.clauses {
        for (kind, is_state) in english::claims(clause).into_iter().chain(german::claims(clause)) {
            if found.iter().all(|known| known.kind != kind) {
                found.push(Said { kind, is_state, sentence: sentence.text.clone() });
            }
        }
    }
    found
}

/// Words of which one must follow, or begin, or be absent.
type Words = &'static [&'static str];

/// A verb with what makes it a claim.
struct Verb {
    kind: ClaimKind,
    /// Forms, any of them.
    heads: Words,
    /// One of these follows soon; empty when the verb alone says it.
    with: Words,
    /// None of these follows directly.
    without: Words,
}

/// How far `with` may be from the verb, in words.
const REACH: usize = 6;

impl Verb {
    fn is_at(&self, words: &[String], at: usize) -> bool {
        let Some(head) = words.get(at) else { return false };
        let rest = words.get(at + 1..).unwrap_or_default();
        let is_one = |list: Words, word: &String| list.contains(&word.as_str());
        is_one(self.heads, head)
            && !rest.first().is_some_and(|next| is_one(self.without, next))
            && (self.with.is_empty() || rest.iter().take(REACH).any(|word| is_one(self.with, word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClaimKind::*;

    fn kinds(text: &str) -> Vec<ClaimKind> {
        claims_in(text).into_iter().map(|said| said.kind).collect()
    }

    #[test]
    fn what_the_agent_says_it_does_or_did_is_a_claim() {
        for (text, want) in [
            ("I'm transferring you to sales now.", vec![Transfer]),
            ("One moment, I’m connecting you.", vec![Transfer]),
            ("Transferring you now.", vec![Transfer]),
            ("Okay, transferring your call to Maria.", vec![Transfer]),
            ("I am now putting you through to the front desk.", vec![Transfer]),
            ("I'll transfer you now.", vec![Transfer]),
            ("Please hold while I connect you to an operator.", vec![Transfer]),
            ("Let me put you through.", vec![Transfer]),
            ("I've sent you a confirmation by e-mail.", vec![Sent]),
            ("I have just emailed the invoice to you.", vec![Sent]),
            ("I've notified the technician.", vec![Sent]),
            ("I've booked you in for Monday at nine.", vec![Booked]),
            ("I went ahead and booked the table.", vec![Booked]),
            ("I have gone ahead and scheduled that for you!", vec![Booked]),
            ("Your appointment has been booked.", vec![Booked]),
            ("You're booked for Tuesday.", vec![Booked]),
            ("Great news: we've reserved a table for two.", vec![Booked]),
            ("I've booked it and sent you a text.", vec![Booked, Sent]),
            ("I've booked it, and I sent you a text.", vec![Booked, Sent]),
            ("I have cancelled your reservation.", vec![Changed]),
            ("I've updated your address in the system.", vec![Changed]),
            ("I've noted your number.", vec![Note]),
            ("I made a note of that.", vec![Note]),
            ("I've written that down.", vec![Note]),
            ("I have left a message for Alice.", vec![Message]),
            ("I've passed your message on to her.", vec![Message]),
            ("I called him back a minute ago.", vec![Called]),
            ("I've called the plumber.", vec![Called]),
            ("We've refunded the amount.", vec![Paid]),
            ("I've checked the calendar and Monday is free.", vec![LookedUp]),
            ("I pressed 1 for you.", vec![Keys]),
            ("I couldn't book it, but I've noted your number.", vec![Note]),
            ("Ich verbinde Sie jetzt mit dem Verkauf.", vec![Transfer]),
            ("Einen Moment, ich stelle Sie durch.", vec![Transfer]),
            ("Ich habe Ihnen eine Bestätigung geschickt.", vec![Sent]),
            ("Das habe ich mir notiert.", vec![Note]),
            ("Wir haben den Termin für Sie gebucht.", vec![Booked]),
            ("Ihr Termin ist gebucht.", vec![Booked]),
            ("Ihre Buchung wurde storniert.", vec![Changed]),
            ("Ich habe Ihre Nachricht weitergegeben.", vec![Message]),
            ("Ich habe ihn zurückgerufen.", vec![Called]),
            ("Ich habe im Kalender nachgesehen.", vec![LookedUp]),
        ] {
            assert_eq!(kinds(text), want, "{text}");
        }
    }

    #[test]
    fn questions_offers_conditions_and_denials_are_none() {
        for text in [
            "",
            "?!",
            "Hello, how can I help you?",
            "Shall I transfer you to sales?",
            "Would you like me to book that for you?",
            "I can transfer you to sales if you like.",
            "I could send you a confirmation.",
            "Do you want me to leave a message?",
            "Have I booked the right day?",
            "Has it been sent?",
            "I'm transferring you to sales, is that right?",
            "I haven't booked anything yet.",
            "I have not sent it.",
            "I've never sent you anything.",
            "I did not transfer you.",
            "I was unable to book the table.",
            "I'm not transferring you.",
            "Unfortunately I have nothing booked for Monday.",
            "Your appointment has not been booked.",
            "Your appointment is not yet booked.",
            "Once I've booked it, you will get a text.",
            "If I've noted that correctly, it is on Monday.",
            "As soon as I have sent it, I tell you.",
            "I will send you a confirmation.",
            "I'll transfer you if you want.",
            "I would have booked it.",
            "I should have sent it.",
            "You said you have sent it.",
            "You have booked a table for two.",
            "She has left a message.",
            "He sent it yesterday.",
            "I have the mail that Tom sent.",
            "I called to ask about your order.",
            "I'm calling you about your order.",
            "I checked with you already.",
            "Noted.",
            "I'm connecting the dots.",
            "The booked room is on the first floor.",
            "Let me check that for you.",
            "Soll ich Sie verbinden?",
            "Ich kann Sie gerne verbinden.",
            "Ich habe nichts gebucht.",
            "Ich habe den Termin noch nicht gebucht.",
            "Wenn ich es notiert habe, melde ich mich.",
            "Sobald ich Sie verbinde, hören Sie Musik.",
            "Sie haben eine Nachricht hinterlassen.",
            "Haben Sie den Termin gebucht?",
            "Ihr Termin ist noch nicht gebucht.",
            "Ich würde Sie verbinden.",
        ] {
            assert_eq!(kinds(text), [], "{text}");
        }
    }

    #[test]
    fn what_is_told_as_a_state_is_told_apart() {
        for (text, want) in
            [("Your table is booked.", true), ("I've booked your table.", false), ("Ihr Tisch ist reserviert.", true)]
        {
            assert_eq!(claims_in(text).first().map(|said| said.is_state), Some(want), "{text}");
        }
    }

    #[test]
    fn any_text_is_read_without_a_fault() {
        for text in ["i", "i have", "I've", "ich habe", "habe ich", "…", "a'b'c", "have been", "is", "\u{0}\u{fffd}", "I am"] {
            let _ = claims_in(text);
            let _ = claims_in(&text.repeat(1_000));
        }
    }
}
