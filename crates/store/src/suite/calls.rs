//! Records and events of calls.

use super::{Backend, user_id};
use crate::{CallFilter, RecordStore};
use callie_domain::CallId;
use callie_domain::Transport;
use callie_domain::record::{
    CallEvent, CallFact, CallResult, Cdr, Direction, EndReason, MediaSummary, SipMessage, Termination, Way,
};
use jiff::{SignedDuration, Timestamp};

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).expect("a time")
}

pub(super) fn event(second: i64, fact: CallFact) -> CallEvent {
    CallEvent { at: at(second), offset_ms: 0, fact }
}

/// A call of `user` that begins at `second`.
pub(super) fn begun(user: &str, second: i64) -> Cdr {
    Cdr {
        from: "+431234".to_owned(),
        to: "+435678".to_owned(),
        config_revision: 3,
        sip_call_id: Some("x@y".to_owned()),
        ..Cdr::begun(
            CallId::new(at(second), 7),
            user_id(user),
            if second % 2 == 0 { Direction::Inbound } else { Direction::Outbound },
            at(second),
        )
    }
}

fn ended(cdr: &Cdr, reason: EndReason) -> Cdr {
    let media = MediaSummary { codec: "PCMU".to_owned(), jitter_ms: 1.25, packets_received: 500, ..MediaSummary::default() };
    Cdr {
        answered_at: Some(cdr.started_at + SignedDuration::from_secs(1)),
        ended_at: Some(cdr.started_at + SignedDuration::from_secs(11)),
        termination: Some(Termination::because(reason, "as tested")),
        media: Some(media),
        ..cdr.clone()
    }
}

fn message(second: i64, text: &str) -> SipMessage {
    SipMessage {
        at: at(second),
        way: Way::Received,
        transport: Transport::Tcp,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([192, 0, 2, 2], 5070).into(),
        text: text.to_owned(),
        note: None,
        left_out_before: 0,
    }
}

pub async fn signalling_is_kept_in_order_of_time(mut backend: impl Backend) {
    let store = backend.calls();
    let (alice, bob, nobody) = (begun("alice", 0), begun("bob", 1), begun("carol", 2));
    for cdr in [&alice, &bob] {
        store.begin(cdr).await.expect("begun");
    }
    let [invite, trying, other] = [message(0, "INVITE a\r\n\r\n"), message(1, "100"), message(5, "other")];
    let bye = SipMessage { note: Some("late".to_owned()), left_out_before: 3, ..message(9, "BYE") };
    let first = [(alice.id, vec![invite.clone(), bye.clone()]), (bob.id, vec![other.clone()]), (nobody.id, vec![other.clone()])];
    store.append_signalling(&first).await.expect("appended");
    store.append_signalling(&[]).await.expect("nothing to do");
    // Of another leg of the same call.
    store.append_signalling(&[(alice.id, vec![trying.clone()])]).await.expect("appended");
    backend.restart().await;
    let store = backend.calls();
    assert_eq!(store.signalling(alice.id).await.expect("answered"), [invite, trying, bye]);
    assert_eq!(store.signalling(bob.id).await.expect("answered"), [other]);
    assert_eq!(store.signalling(nobody.id).await.expect("answered"), []);
}

pub async fn a_call_is_recorded_from_begin_to_end(mut backend: impl Backend) {
    let store = backend.calls();
    let cdr = begun("alice", 0);
    assert_eq!(store.get(cdr.id).await.expect("answered"), None);
    store.begin(&cdr).await.expect("begun");
    assert_eq!(store.get(cdr.id).await.expect("answered"), Some(cdr.clone()));
    let mut events = vec![event(0, CallFact::Invited { from: "a".to_owned() }), event(0, CallFact::Ringing { code: 180 })];
    store.append(cdr.id, &events[..1]).await.expect("appended");
    store.append(cdr.id, &[]).await.expect("nothing to do");
    store.append(cdr.id, &events[1..]).await.expect("appended");
    let last = [event(1, CallFact::Answered), event(11, CallFact::Dtmf { digit: '#' })];
    let done = ended(&cdr, EndReason::RemoteHungUp);
    store.finish(&done, &last).await.expect("finished");
    events.extend(last);
    store.begin(&cdr).await.expect("a late repetition");
    drop(store);
    backend.restart().await;
    assert_eq!(backend.calls().get(cdr.id).await.expect("answered"), Some(done), "a beginning does not undo an end");
    assert_eq!(backend.calls().events(cdr.id).await.expect("answered"), events, "in order");
}

pub async fn an_end_without_a_beginning_is_kept(backend: impl Backend) {
    let done = ended(&begun("alice", 0), EndReason::NoAnswer);
    backend.calls().finish(&done, &[event(1, CallFact::Answered)]).await.expect("finished");
    assert_eq!(backend.calls().get(done.id).await.expect("answered"), Some(done.clone()));
    assert_eq!(backend.calls().events(done.id).await.expect("answered").len(), 1);
}

pub async fn events_need_a_record(backend: impl Backend) {
    let nobody = CallId::new(at(0), 1);
    assert!(backend.calls().append(nobody, &[event(0, CallFact::Answered)]).await.is_err());
    assert_eq!(backend.calls().events(nobody).await.expect("answered"), []);
}

/// Alice calls at 0, 2, 4, …, bob at 1, 3, 5, …; each third call was busy, each fourth is still up.
async fn some_calls(store: &dyn RecordStore, count: i64) -> Vec<Cdr> {
    let mut calls = Vec::new();
    for second in 0..count {
        let cdr = begun(if second % 2 == 0 { "alice" } else { "bob" }, second);
        store.begin(&cdr).await.expect("begun");
        let reason = if second % 3 == 0 { EndReason::CalleeBusy } else { EndReason::RemoteHungUp };
        let cdr = if second % 4 == 0 { cdr } else { ended(&cdr, reason) };
        store.finish(&cdr, &[]).await.expect("written");
        calls.push(cdr);
    }
    calls.reverse();
    calls
}

pub async fn calls_are_listed_newest_first_page_by_page(backend: impl Backend) {
    let store = backend.calls();
    let all = some_calls(&*store, 53).await;
    let page = store.list(&CallFilter::default()).await.expect("listed");
    assert_eq!((page.calls.len(), page.next), (50, Some(all[49].id)), "fifty unless told");

    let mut filter = CallFilter { limit: 20, ..CallFilter::default() };
    let mut listed = Vec::new();
    loop {
        let page = store.list(&filter).await.expect("listed");
        listed.extend(page.calls);
        filter.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(listed, all);
    let exact = store.list(&CallFilter { limit: 53, ..CallFilter::default() }).await.expect("listed");
    assert_eq!(exact.next, None, "the last page says so, also when it is full");
}

pub async fn calls_are_filtered(backend: impl Backend) {
    let store = backend.calls();
    let all = some_calls(&*store, 24).await;
    let none = CallFilter::default;
    type Wanted = fn(&Cdr) -> bool;
    let cases: [(CallFilter, Wanted); 6] = [
        (CallFilter { user_id: Some(user_id("alice")), ..none() }, |c| c.user_id == user_id("alice")),
        (CallFilter { direction: Some(Direction::Outbound), ..none() }, |c| c.direction == Direction::Outbound),
        (CallFilter { result: Some(CallResult::Busy), ..none() }, |c| {
            c.termination.as_ref().is_some_and(|t| t.result == CallResult::Busy)
        }),
        (CallFilter { from: Some(at(5)), until: Some(at(9)), ..none() }, |c| c.started_at >= at(5) && c.started_at < at(9)),
        (CallFilter { user_id: Some(user_id("bob")), from: Some(at(5)), before: Some(CallId::new(at(15), 7)), ..none() }, |c| {
            c.user_id == user_id("bob") && c.started_at >= at(5) && c.started_at < at(15)
        }),
        (CallFilter { user_id: Some(user_id("nobody")), ..none() }, |_| false),
    ];
    for (filter, wanted) in cases {
        let want: Vec<_> = all.iter().filter(|cdr| wanted(cdr)).cloned().collect();
        let page = store.list(&filter).await.expect("listed");
        assert_eq!(page.calls, want, "{filter:?}");
    }
}

pub async fn orphans_are_closed_as_lost(mut backend: impl Backend) {
    let store = backend.calls();
    let done = ended(&begun("alice", 0), EndReason::RemoteHungUp);
    store.finish(&done, &[]).await.expect("finished");
    let (ringing, talking) = (begun("alice", 2), begun("bob", 3));
    store.begin(&ringing).await.expect("begun");
    store.begin(&talking).await.expect("begun");
    let spoken = [event(5, CallFact::Answered), event(9, CallFact::Hold { on: true })];
    store.append(talking.id, &spoken).await.expect("appended");
    drop(store);
    backend.restart().await;

    let store = backend.calls();
    let closed = store.close_orphans(at(1_000)).await.expect("closed");
    assert_eq!(closed.iter().map(|c| c.id).collect::<Vec<_>>(), [ringing.id, talking.id]);
    for cdr in &closed {
        let end = cdr.termination.as_ref().expect("an end");
        assert_eq!((end.result, end.reason), (CallResult::Lost, EndReason::ProcessLost));
        assert_eq!(store.get(cdr.id).await.expect("answered").as_ref(), Some(cdr));
        let last = store.events(cdr.id).await.expect("answered").pop().expect("an event");
        assert_eq!((last.at, last.fact), (at(1_000), CallFact::Ended { termination: end.clone() }));
    }
    assert_eq!((closed[0].answered_at, closed[0].ended_at), (None, Some(at(2))));
    assert_eq!((closed[1].answered_at, closed[1].ended_at), (Some(at(5)), Some(at(9))), "its last sign of life");
    assert_eq!(store.get(done.id).await.expect("answered"), Some(done));
    assert_eq!(store.close_orphans(at(2_000)).await.expect("closed"), []);
}
