//! The receptionist in conversation, line by line.

use super::*;

/// Plays a dialogue: the caller's lines, and words that each answer must contain (`""` for no answer at all).
fn check(outbound: bool, greeting: &str, dialogue: &[(&str, &str)]) -> (Receptionist, Vec<Output>) {
    let mut receptionist = Receptionist::new(greeting.into(), outbound);
    let mut last = receptionist.handle(Input::Start);
    assert!(said(&last).contains(greeting.trim()));
    for (line, want) in dialogue {
        last = receptionist.handle(Input::Heard { text: (*line).into(), sure: true });
        let answer = said(&last);
        assert!(answer.contains(want) && want.is_empty() == answer.is_empty(), "{line:?}: {answer:?} has no {want:?}");
    }
    (receptionist, last)
}

fn said(outputs: &[Output]) -> String {
    let text = outputs.iter().filter_map(|output| match output {
        Output::Say(text) => Some(text.as_str()),
        _ => None,
    });
    text.collect::<Vec<_>>().join(" ")
}

fn message(outputs: &[Output]) -> Option<(Option<&str>, Option<&str>, bool)> {
    outputs.iter().find_map(|output| match output {
        Output::Took(m) => Some((m.name.as_deref(), m.reason.as_deref(), m.recorded)),
        _ => None,
    })
}

const GREETING: &str = "Hello! This is Alice's AI assistant. How can I help you today?";
const INVOICE: &str = "I am calling about the invoice from last Tuesday. It has the wrong address on it.";

#[test]
fn a_message_is_taken_read_back_and_passed_on() {
    let (_, last) = check(
        false,
        GREETING,
        &[
            ("Hi, this is Maria Lopez.", "Thank you, Maria Lopez. What are you calling about?"),
            (
                INVOICE,
                "Thank you, Maria Lopez. You are calling about the invoice from last Tuesday. It has the wrong address on it. Is that right?",
            ),
            ("Yes, that is right. Thank you, goodbye.", "Thank you. I will pass it on. Goodbye."),
        ],
    );
    assert_eq!(message(&last), Some((Some("Maria Lopez"), Some(INVOICE), false)));
    assert_eq!(last.last(), Some(&Output::Goodbye));
}

#[test]
fn all_at_once_and_additions() {
    let (mut receptionist, _) = check(
        false,
        GREETING,
        &[
            (
                "Hello, my name is Tom Baker, and I would like to book a table for four people tonight.",
                "Thank you, Tom Baker. You would like to book a table for four people tonight. Is that right?",
            ),
            ("Around seven thirty, please.", "I have noted: Around seven thirty, please. Is everything right now?"),
            ("No weight can you make it eight o'clock instead.", "make it eight o'clock instead"),
        ],
    );
    let last = receptionist.handle(Input::Prompt(Prompt::SilenceGoodbye));
    let (name, reason, _) = message(&last).expect("taken");
    assert_eq!(name, Some("Tom Baker"));
    for words in ["table for four people tonight", "seven thirty", "eight o'clock instead"] {
        assert!(reason.is_some_and(|reason| reason.contains(words)), "{reason:?}");
    }
    assert!(receptionist.is_over());
}

#[test]
fn reason_first_then_the_name() {
    let (_, last) = check(
        false,
        GREETING,
        &[
            ("Good afternoon. The heating in my apartment has stopped working.", "May I have your name"),
            (
                "Jane Smith.",
                "Thank you, Jane Smith. I have noted: The heating in your apartment has stopped working. Is that right?",
            ),
            ("Yeah.", "Goodbye"),
        ],
    );
    assert_eq!(message(&last).map(|m| m.0), Some(Some("Jane Smith")));
}

#[test]
fn a_no_starts_over_once() {
    check(
        false,
        GREETING,
        &[
            ("My name is Tom Baker. I would like a table.", "Is that right?"),
            ("No.", "Let us try again"),
            ("This is Tim Barker. I would like a cable.", "Thank you, Tim Barker. You would like a cable."),
            ("No, that's wrong.", "recording"),
        ],
    );
    let (_, last) = check(
        false,
        GREETING,
        &[
            ("My name is Tom Baker. I would like a table.", "Is that right?"),
            ("No, my name is Tim Barker.", "Is everything right now?"),
            ("Yes.", "pass it on"),
        ],
    );
    assert_eq!(message(&last), Some((Some("Tim Barker"), Some("I would like a table."), false)));
}

#[test]
fn a_human_is_not_there() {
    let (_, last) = check(
        false,
        GREETING,
        &[
            (
                "I would like to speak to a human, please.",
                "nobody is available right now, but I can take a message. May I ask who is calling?",
            ),
            ("Can I talk to a real person?", "really nobody"),
            ("It's Maria.", "Thank you, Maria."),
            ("Just tell Alice to call me back.", "call you back"),
            ("That's correct.", "Goodbye"),
        ],
    );
    assert_eq!(message(&last).map(|m| m.1), Some(Some("Just tell Alice to call me back.")));
}

#[test]
fn what_is_not_understood_is_recorded() {
    let (mut receptionist, last) = check(false, GREETING, &[("", "say it again"), ("...", "once more"), ("", "after the tone")]);
    assert_eq!(last.last(), Some(&Output::Tone));
    assert_eq!(receptionist.patience("", 3_000), MOST_PATIENCE);
    let last = receptionist.handle(Input::Heard { text: String::new(), sure: true });
    assert_eq!(message(&last), Some((None, None, true)));
    assert!(said(&last).contains("recorded"));
}

#[test]
fn goodbyes_end_politely() {
    for (line, taken) in [("Goodbye.", false), ("Sorry, wrong number. Bye!", true), ("That's all, thanks.", false)] {
        let mut receptionist = Receptionist::new(GREETING.into(), false);
        receptionist.handle(Input::Start);
        let last = receptionist.handle(Input::Heard { text: line.into(), sure: true });
        assert_eq!(message(&last).is_some(), taken, "{line}");
        assert_eq!(last.last(), Some(&Output::Goodbye), "{line}");
    }
}

#[test]
fn coughs_and_hums_get_no_reply() {
    let mut receptionist = Receptionist::new(GREETING.into(), false);
    receptionist.handle(Input::Start);
    for (text, sure) in [("Hmm.", true), ("Hammer.", false), ("", false), ("Uh, um.", true)] {
        assert_eq!(receptionist.handle(Input::Heard { text: text.into(), sure }), [], "{text:?}");
    }
    // A short name is taken when it is said twice.
    receptionist.handle(Input::Heard { text: "Hello.".into(), sure: true });
    assert_eq!(receptionist.handle(Input::Heard { text: "Tom.".into(), sure: false }), []);
    assert!(said(&receptionist.handle(Input::Heard { text: "Tom.".into(), sure: false })).contains("Thank you, Tom."));
}

#[test]
fn when_we_called_a_reply_is_taken() {
    let message_text = "Hello, your order is ready.";
    for (lines, reply) in [
        (&[("No, thank you.", "Thank you. Goodbye.")][..], None),
        (&[("Yes.", "go ahead"), ("I will come at five.", "pass it on")], Some("I will come at five.")),
        (&[("Great, I will be there tomorrow.", "pass it on")], Some("Great, I will be there tomorrow.")),
        (&[("Hello?", "leave a reply?"), ("Bye.", "Goodbye")], None),
    ] {
        let (receptionist, last) = check(true, message_text, lines);
        assert!(receptionist.is_over());
        assert_eq!(message(&last).and_then(|m| m.1), reply);
    }
}

#[test]
fn every_call_comes_to_an_end() {
    for line in ["What?", "No.", "Blue.", "The moon is made of cheese.", "Can you hear me?", "I want a human.", "Yes."] {
        for outbound in [false, true] {
            let mut receptionist = Receptionist::new("Hi.".into(), outbound);
            receptionist.handle(Input::Start);
            for _ in 0..=MOST_TURNS {
                receptionist.handle(Input::Heard { text: line.into(), sure: true });
            }
            assert!(receptionist.is_over(), "{line:?} outbound {outbound}");
        }
    }
}

#[test]
fn patience_depends_on_how_the_words_end() {
    let receptionist = Receptionist::new(GREETING.into(), false);
    for (text, voiced_ms, want) in [
        ("I am calling about the invoice.", 2_000, PATIENCE),
        ("My name is", 900, MORE_PATIENCE),
        ("I am calling about the.", 1_500, MORE_PATIENCE),
        ("Yes.", 300, PATIENCE),
        ("Tom.", 300, MORE_PATIENCE),
    ] {
        assert_eq!(receptionist.patience(text, voiced_ms), want, "{text:?}");
    }
}

#[test]
fn questions_and_long_stories_are_read_back_so_that_one_can_bear_it() {
    for (reason, want) in [
        ("What are your opening hours?", "Your question is: What are your opening hours?"),
        ("Please send me the invoice again", "I have noted: Please send you the invoice again."),
        ("You sent me the wrong one.", "I have noted: You sent me the wrong one."),
    ] {
        assert_eq!(read_back(reason), want);
    }
    let long = read_back(&"The cat is on the roof again. ".repeat(20));
    assert!(long.split(' ').count() < 50 && long.ends_with("told me."), "{long}");
}

#[test]
fn strange_words_are_survived() {
    for text in ["🐱🐱🐱", "ﬃ ﬁ", "İ İ I'M İ", "’’’", "i'm", "this is", "goodbyeİ", "ÀÁÂ my name is Ã", &"x".repeat(10_000)]
    {
        for outbound in [false, true] {
            let mut receptionist = Receptionist::new(text.into(), outbound);
            receptionist.handle(Input::Start);
            for _ in 0..20 {
                receptionist.patience(text, 0);
                receptionist.handle(Input::Heard { text: text.into(), sure: true });
            }
        }
    }
}
