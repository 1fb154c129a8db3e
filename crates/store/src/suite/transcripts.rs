//! What was said: turns as they are read, and calls as they are found by words.

use super::Backend;
use super::calls::{at, begun, event};
use crate::{CallFilter, RecordStore};
use callie_domain::CallId;
use callie_domain::record::{CallEvent, CallFact, Cdr, Speaker, Turn, TurnLatency};

fn turn(index: u32, text: &str) -> Turn {
    let speaker = if index.is_multiple_of(2) { Speaker::Agent } else { Speaker::Caller };
    let started_ms = u64::from(index) * 1_000;
    let latency =
        Some(TurnLatency { total_ms: 700, ear_ms: 30, uplink_ms: 10, engine_ms: 640, playout_ms: 20 }).filter(|_| index == 2);
    Turn { index, speaker, started_ms, ended_ms: started_ms + 900, text: text.to_owned(), interrupted: index == 4, latency }
}

fn said(index: u32, text: &str) -> CallEvent {
    event(1, CallFact::Turn { turn: turn(index, text) })
}

/// A call in which these turns were said.
async fn talked(store: &dyn RecordStore, user: &str, second: i64, parties: [&str; 2], texts: &[&str]) -> CallId {
    let cdr = Cdr { from: parties[0].to_owned(), to: parties[1].to_owned(), ..begun(user, second) };
    store.begin(&cdr).await.expect("begun");
    let events: Vec<_> = texts.iter().zip(0..).map(|(text, index)| said(index, text)).collect();
    store.append(cdr.id, &events).await.expect("appended");
    cdr.id
}

async fn found(store: &dyn RecordStore, filter: CallFilter) -> Vec<CallId> {
    store.list(&filter).await.expect("listed").calls.into_iter().map(|cdr| cdr.id).collect()
}

fn words(text: &str) -> CallFilter {
    CallFilter { text: Some(text.to_owned()), ..CallFilter::default() }
}

pub async fn turns_are_read_in_order_with_their_latest_words(mut backend: impl Backend) {
    let store = backend.calls();
    let cdr = begun("alice", 0);
    store.begin(&cdr).await.expect("begun");
    assert_eq!(store.turns(cdr.id).await.expect("answered"), []);
    let hello = event(0, CallFact::Answered);
    store.append(cdr.id, &[hello, said(0, "Hello."), said(1, ""), said(2, "I see.")]).await.expect("appended");
    store.append(cdr.id, &[said(1, "My boil"), said(10, "Goodbye.")]).await.expect("appended");
    store.finish(&cdr, &[said(1, "My boiler leaks."), said(4, "And")]).await.expect("finished");
    drop(store);
    backend.restart().await;
    let store = backend.calls();
    let want = [turn(0, "Hello."), turn(1, "My boiler leaks."), turn(2, "I see."), turn(4, "And"), turn(10, "Goodbye.")];
    assert_eq!(store.turns(cdr.id).await.expect("answered"), want);
    assert_eq!(store.events(cdr.id).await.expect("answered").len(), 8, "the events stay as they came");
    assert_eq!(store.turns(CallId::new(at(0), 1)).await.expect("answered"), []);
}

pub async fn calls_are_found_by_what_was_said(backend: impl Backend) {
    let store = backend.calls();
    let boiler = ["Guten Tag, Café Größe!", "My boiler is LEAKING.", "Since when?", "Since Monday: it's urgent."];
    let first = talked(&*store, "alice", 0, ["sip:bob@example.com", "+435678"], &boiler).await;
    let second =
        talked(&*store, "bob", 1, ["+431234567", "carol"], &["Hello.", "The boil-over is nothing urgent", "北京 calling"]).await;
    for (text, want) in [
        ("boiler", vec![first]),
        ("urgent", vec![second, first]),
        ("LEAKING boiler", vec![first]),
        ("cafe grosse", vec![]),
        ("cafe größe", vec![first]),
        ("CAFÉ GRÖSSE", vec![]),
        ("tag GROßE", vec![first]),
        ("monday guten", vec![first]),
        ("hello monday", vec![]),
        ("boil", vec![second]),
        ("boil*", vec![second, first]),
        ("boil-over", vec![second]),
        ("over-boil", vec![]),
        ("  leaking\t\n ", vec![first]),
        ("+431234567", vec![second]),
        ("431234* hello", vec![second]),
        ("bob@example.com", vec![first]),
        ("example.com leaking", vec![first]),
        ("北京", vec![second]),
        ("nothing - urgent !", vec![second]),
        ("nobody", vec![]),
    ] {
        assert_eq!(found(&*store, words(text)).await, want, "{text:?}");
    }
    assert_eq!(found(&*store, CallFilter { user_id: Some(super::user_id("alice")), ..words("urgent") }).await, [first]);
    assert_eq!(found(&*store, CallFilter { before: Some(second), ..words("urgent") }).await, [first]);
    let page = store.list(&CallFilter { limit: 1, ..words("urgent") }).await.expect("listed");
    assert_eq!((page.calls.len(), page.next), (1, Some(second)));
}

pub async fn what_is_found_comes_with_the_turns_it_was_said_in(backend: impl Backend) {
    let store = backend.calls();
    let texts = ["one a", "two", "one b", "three one", "one c"];
    let first = talked(&*store, "alice", 0, ["x", "one"], &texts).await;
    let second = talked(&*store, "alice", 1, ["one", "x"], &["nothing"]).await;
    let page = store.list(&words("one")).await.expect("listed");
    assert_eq!(page.calls.iter().map(|cdr| cdr.id).collect::<Vec<_>>(), [second, first]);
    let of = |call| page.matches.get(&call).map(|turns| turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>());
    assert_eq!(of(first), Some(vec!["one a", "one b", "three one"]), "the first three");
    assert_eq!(of(second), None, "it is in the parties alone");
    let page = store.list(&words("tw* three")).await.expect("listed");
    let matches: Vec<_> = page.matches.values().flatten().map(|turn| turn.text.as_str()).collect();
    assert_eq!(matches, ["two", "three one"], "each turn with any of the words");
    assert!(store.list(&CallFilter::default()).await.expect("listed").matches.is_empty());
}

pub async fn words_that_were_taken_back_are_not_found(backend: impl Backend) {
    let store = backend.calls();
    let call = talked(&*store, "alice", 0, ["x", "y"], &["Hello.", "wreck a nice beach"]).await;
    assert_eq!(found(&*store, words("beach")).await, [call]);
    store.append(call, &[said(1, "recognise speech")]).await.expect("appended");
    assert_eq!(found(&*store, words("beach")).await, []);
    assert_eq!(found(&*store, words("speech hello")).await, [call]);
}

pub async fn nothing_in_a_search_is_syntax(backend: impl Backend) {
    let store = backend.calls();
    let call = talked(&*store, "alice", 0, ["x", "y"], &[r#"He said "stop" AND (then) NOT near"#]).await;
    for text in [r#""stop""#, "stop AND then", "(then)", "not NEAR", "stop\0then", r#"\"stop\" then'"#, "stop) OR (x"] {
        let want = if text.contains("OR") { vec![] } else { vec![call] };
        assert_eq!(found(&*store, words(text)).await, want, "{text:?}");
    }
    let syntax = [
        "",
        " ",
        "*",
        "\"",
        "\"\"",
        "'",
        "NEAR(a b)",
        "text:stop",
        "- +",
        "^",
        "{a b}: c",
        "\0",
        "a\u{300}\u{301}\"",
        "AND",
        "%_",
        "☎",
    ];
    for text in syntax {
        assert_eq!(found(&*store, words(text)).await.len(), usize::from(text == "AND"), "{text:?}");
    }
}
