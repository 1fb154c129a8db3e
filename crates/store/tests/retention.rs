//! What was said in calls, deleted: what goes, what stays, and of which calls.

use callie_domain::record::{CallEvent, CallFact, Cdr, Direction, EndReason, SipMessage, Speaker, Termination, Turn, Way};
use callie_domain::{CallId, Transport, UserId};
use callie_store::retention::{FORGOTTEN, RetentionStore, Which};
use callie_store::{CallFilter, Keyring, RecordStore, SqliteStore};
use jiff::Timestamp;
use std::sync::Arc;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn id(n: u32) -> CallId {
    CallId::new(at(i64::from(n) * 100), n.into())
}

fn alice() -> UserId {
    "alice".parse().expect("an id")
}

/// A call of 50 s with one word in it.
fn call(n: u32, from: &str) -> (Cdr, Vec<CallEvent>) {
    let begun = at(i64::from(n) * 100);
    let cdr = Cdr {
        from: from.into(),
        to: "sip:alice@example.com".into(),
        ended_at: Some(at(i64::from(n) * 100 + 50)),
        termination: Some(Termination::because(EndReason::RemoteHungUp, "a detail that may quote")),
        recording: Some(format!("alice/{n}.wav")),
        message: Some("call me back".into()),
        ..Cdr::begun(id(n), alice(), Direction::Inbound, begun)
    };
    let turn = Turn {
        index: 0,
        speaker: Speaker::Caller,
        started_ms: 100,
        ended_ms: 900,
        text: "boilermaker".into(),
        interrupted: false,
        latency: None,
    };
    let events = vec![
        CallEvent { at: begun, offset_ms: 0, fact: CallFact::Invited { from: from.into() } },
        CallEvent { at: begun, offset_ms: 100, fact: CallFact::Turn { turn } },
    ];
    (cdr, events)
}

struct World {
    folder: tempfile::TempDir,
    store: SqliteStore,
}

impl World {
    /// With calls 1 and 2 of bob, 3 of carol, and 4 of bob that is still up.
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::from_master_key(&format!("{}=", "A".repeat(43))).expect("a key");
        let store = SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened");
        for (n, from) in
            [(1, "sip:+4930123@carrier.example"), (2, "sip:+4930123@carrier.example"), (3, "+4930124@carrier.example")]
        {
            let (cdr, events) = call(n, from);
            store.finish(&cdr, &events).await.expect("kept");
        }
        let (cdr, events) = call(4, "sip:+4930123@carrier.example");
        let up = Cdr { ended_at: None, termination: None, ..cdr };
        store.begin(&up).await.expect("kept");
        store.append(up.id, &events).await.expect("kept");
        Self { folder, store }
    }

    async fn erase(&self, which: &Which) -> Vec<CallId> {
        let found = self.store.to_erase(&alice(), which, 100).await.expect("read");
        let calls: Vec<CallId> = found.iter().map(|erased| erased.call).collect();
        self.store.erase(&calls, !matches!(which, Which::EndedBefore(_))).await.expect("erased");
        assert!(self.store.to_erase(&alice(), which, 100).await.expect("read").is_empty(), "nothing is left of them");
        calls
    }

    async fn found_by_words(&self, text: &str) -> Vec<CallId> {
        let filter = CallFilter { text: Some(text.into()), ..CallFilter::default() };
        self.store.list(&filter).await.expect("read").calls.iter().map(|cdr| cdr.id).collect()
    }

    /// Every byte of the database's files.
    async fn bytes(self) -> Vec<u8> {
        self.store.close().await;
        let files = std::fs::read_dir(self.folder.path()).expect("readable").map(|entry| entry.expect("readable").path());
        files.flat_map(|path| std::fs::read(path).expect("readable")).collect()
    }
}

#[tokio::test]
async fn words_go_when_their_time_is_over_and_the_record_stays() {
    let world = World::new().await;
    assert_eq!(world.erase(&Which::EndedBefore(at(250))).await, [id(1)]);
    let cdr = world.store.get(id(1)).await.expect("read").expect("it stays");
    assert_eq!(
        (cdr.from.as_str(), cdr.ended_at, cdr.recording, cdr.message),
        ("sip:+4930123@carrier.example", Some(at(150)), None, None)
    );
    assert_eq!(cdr.termination, Some(Termination::new(EndReason::RemoteHungUp)));
    assert!(world.store.events(id(1)).await.expect("read").is_empty());
    assert!(world.store.turns(id(1)).await.expect("read").is_empty());
    assert_eq!(world.found_by_words("boilermaker").await, [id(4), id(3), id(2)]);
    assert_eq!(world.found_by_words("4930123").await, [id(4), id(2), id(1)], "who called is still known");
}

#[tokio::test]
async fn a_party_is_forgotten_by_number_and_by_address() {
    for party in ["+4930123", "sip:+4930123@carrier.example"] {
        let world = World::new().await;
        // One of them has lost its words before.
        world.erase(&Which::EndedBefore(at(250))).await;
        assert_eq!(world.erase(&Which::WithParty(party.into())).await, [id(1), id(2)], "{party}");
        for n in [1, 2] {
            let cdr = world.store.get(id(n)).await.expect("read").expect("it stays");
            assert_eq!((cdr.from.as_str(), cdr.to.as_str()), (FORGOTTEN, FORGOTTEN));
        }
        assert_eq!(world.found_by_words("4930123").await, [id(4)], "a call that is up is not touched");
        assert_eq!(world.found_by_words("boilermaker").await, [id(4), id(3)]);
    }
    let world = World::new().await;
    for nobody in ["+493012", "%", "_", "30123"] {
        assert!(world.erase(&Which::WithParty(nobody.into())).await.is_empty(), "{nobody}");
    }
}

#[tokio::test]
async fn nothing_of_it_is_left_in_the_files() {
    let world = World::new().await;
    let cdr = Cdr { ended_at: Some(at(500)), ..world.store.get(id(4)).await.expect("read").expect("there") };
    world.store.finish(&cdr, &[]).await.expect("kept");
    let here = "127.0.0.1:5060".parse().expect("an address");
    let message = SipMessage {
        at: at(100),
        way: Way::Received,
        transport: Transport::Udp,
        local: here,
        remote: here,
        text: "INVITE sip:boilermaker SIP/2.0\r\n\r\n".into(),
        note: None,
        left_out_before: 0,
    };
    world.store.append_signalling(&[(id(1), vec![message])]).await.expect("kept");
    assert_eq!(world.erase(&Which::All).await.len(), 4);
    world.store.scrub().await.expect("scrubbed");
    let bytes = world.bytes().await;
    for text in ["boilermaker", "4930123", "4930124", "call me back", "may quote"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} is still there");
    }
}

#[tokio::test]
async fn what_would_go_is_counted_as_it_would_go() {
    let world = World::new().await;
    let bob = Which::WithParty("+4930123".into());
    for (which, calls, ends) in [
        (&Which::All, 3, Some((at(150), at(350)))),
        (&bob, 2, Some((at(150), at(250)))),
        (&Which::EndedBefore(at(250)), 1, Some((at(150), at(150)))),
        // Named without a scheme, as calls that come in are.
        (&Which::WithParty("+4930124".into()), 1, Some((at(350), at(350)))),
        (&Which::WithParty("+493012".into()), 0, None),
    ] {
        let outlook = world.store.outlook(&alice(), which).await.expect("read");
        let found = world.store.to_erase(&alice(), which, 100).await.expect("read");
        assert_eq!((outlook.calls, outlook.recordings), (calls, calls), "{which:?}");
        assert_eq!(found.len() as u64, calls, "{which:?}");
        assert_eq!(outlook.oldest.zip(outlook.newest), ends, "{which:?}");
    }
    world.erase(&bob).await;
    let outlook = world.store.outlook(&alice(), &Which::All).await.expect("read");
    assert_eq!((outlook.calls, outlook.oldest), (1, Some(at(350))), "what is gone is not counted again");
}
