//! Items that come in any order.

use super::*;

fn second(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn say(items: &mut Items, id: &str, previous: &str, words: &str) {
    items.agent_speaks(id, previous);
    let speech = items.speech(id).expect("there");
    speech.captions.words(words);
    speech.captions.audio(1_000);
    speech.captions.complete();
    speech.handed_out = 1_000;
}

fn so_far(items: &Items) -> Vec<Item> {
    items.so_far(|samples| samples)
}

fn caller(text: &str) -> Item {
    Item::Caller(text.into())
}

fn agent(text: &str) -> Item {
    Item::Agent(text.into())
}

#[test]
fn where_an_item_stands_is_told_by_the_one_before_it() {
    let now = Instant::now();
    let mut items = Items::after(&[Utterance { by_agent: true, text: "Hello.".into() }]);
    items.caller_spoke("u1", "", now);
    say(&mut items, "a1", "u1", "One.");
    items.caller_spoke("u2", "a1", now);
    // Its answer comes first, and its words last.
    say(&mut items, "a3", "u3", "Three.");
    items.caller_spoke("u3", "u2", now);
    items.caller_words_are_whole("u3", "three?", now);
    items.caller_words_are_whole("u1", "one?", now);
    items.caller_words_are_whole("u2", "two?", now);
    let expected = ["Hello.", "one?", "One.", "two?", "three?", "Three."];
    let texts: Vec<String> = so_far(&items)
        .into_iter()
        .map(|item| match item {
            Item::Caller(text) | Item::Agent(text) => text,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, expected);
}

#[test]
fn the_callers_words_are_told_in_the_order_of_speaking() {
    let now = Instant::now();
    let mut items = Items::default();
    items.caller_spoke("u1", "", now);
    items.caller_spoke("u2", "u1", now + second(2));
    items.caller_words("u2", "sec", now + second(3));
    items.caller_words_are_whole("u2", "second", now + second(3));
    assert_eq!(items.next_words(now + second(3)), None, "the first is waited for");
    assert_eq!(items.deadline(), Some(now + WORDS));
    items.caller_words("u1", "fir", now + second(4));
    items.caller_words("u1", "st", now + second(4));
    items.caller_words_are_whole("u1", "", now + second(5));
    assert_eq!(items.next_words(now + second(5)).as_deref(), Some("first"));
    assert_eq!(items.next_words(now + second(5)).as_deref(), Some("second"));
    assert_eq!((items.next_words(now + second(5)), items.deadline()), (None, None));
}

#[test]
fn words_that_do_not_come_are_not_waited_for_for_ever() {
    let now = Instant::now();
    let mut items = Items::default();
    items.caller_spoke("u1", "", now);
    items.caller_words_are_whole("u2", "second", now);
    assert_eq!(items.next_words(now + second(7)), None);
    assert_eq!(items.next_words(now + WORDS).as_deref(), Some("second"));
    items.caller_words_are_whole("u1", "first", now + second(20));
    assert_eq!(items.next_words(now + second(20)).as_deref(), Some("first"), "late is better than never");
}

#[test]
fn what_the_caller_did_not_hear_is_not_told() {
    let mut items = Items::default();
    say(&mut items, "a1", "", "One two three four.");
    items.speech("a1").expect("there").captions.cut(500);
    say(&mut items, "a2", "a1", "never played");
    items.speech("a2").expect("there").captions.cut(0);
    assert_eq!(so_far(&items), [agent("One two …")]);
}

#[test]
fn answers_are_told_with_their_calls_or_not_at_all() {
    let mut items = Items::default();
    let call = |id: &str| Item::Call { call_id: id.into(), name: "current_time".into(), arguments: "{}".into() };
    let output = |id: &str| Item::Output { call_id: id.into(), output: "{}".into() };
    items.told(output("c0"));
    items.told(call("c1"));
    items.told(output("c1"));
    items.told(call("c2"));
    assert_eq!(so_far(&items), [call("c1"), output("c1"), call("c2")], "the last one is at work");
}

#[test]
fn a_new_session_is_told_the_newest_and_not_too_much() {
    let now = Instant::now();
    let mut items = Items::default();
    for turn in 0..500 {
        items.caller_words_are_whole(&format!("u{turn}"), &format!("{turn} {}", "ä".repeat(300)), now);
    }
    let told = so_far(&items);
    assert!(items.entries.len() <= ENTRIES && told.iter().map(length).sum::<usize>() <= TOLD_BYTES);
    assert!(matches!(told.last(), Some(Item::Caller(text)) if text.starts_with("499 ")));
}

#[test]
fn after_a_change_of_sessions_ids_are_new_and_words_no_longer_awaited() {
    let now = Instant::now();
    let mut items = Items::default();
    items.caller_spoke("item_1", "", now);
    items.caller_words("item_1", "half a sent", now);
    assert!(!items.last_words_are_lost());
    items.session_changed();
    assert_eq!(items.next_words(now).as_deref(), Some("half a sent"));
    items.caller_words_are_whole("item_1", "another one", now);
    assert_eq!(so_far(&items), [caller("half a sent"), caller("another one")]);
}

#[test]
fn lost_words_are_noticed() {
    let now = Instant::now();
    let mut items = Items::default();
    assert!(!items.last_words_are_lost());
    items.caller_spoke("u1", "", now);
    items.told(Item::Cue("(The caller pressed 5.)".into()));
    assert!(items.last_words_are_lost());
    say(&mut items, "a1", "u1", "Yes.");
    assert!(!items.last_words_are_lost());
}
