//! What follows from single events.

use super::{Event, Keep, LiveView};
use crate::firestore::value::RawDocument;
use crate::{DocFault, Entry, Keyring, Revision, StoredUser, UserView};
use callie_domain::{Secret, UserId};
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

pub(super) fn keyring() -> Arc<Keyring> {
    let key = ("k2026a".to_owned(), Zeroizing::new([7; 32]));
    Arc::new(Keyring::new("k2026a", [key], "the test").expect("valid"))
}

pub(super) fn name_id(name: &str) -> UserId {
    name.parse().expect("a valid user id")
}

/// Greeting 0 makes a document that cannot be used.
pub(super) fn body(greeting: u8) -> Value {
    let port = if greeting == 0 { json!("many") } else { json!(5060) };
    json!({"sip": {"sip_username": "a", "sip_password": "in clear", "sip_port": port},
        "calls": {"default_greeting": greeting.to_string()}})
}

fn raw(name: &str, revision: Revision, greeting: u8) -> RawDocument {
    RawDocument { name: name.to_owned(), revision, body: body(greeting) }
}

fn synced(documents: &[RawDocument]) -> LiveView {
    let mut view = LiveView::new(keyring());
    resync(&mut view, Event::Added { resumed: false }, documents);
    view
}

fn resync(view: &mut LiveView, first: Event, documents: &[RawDocument]) -> Option<Arc<UserView>> {
    assert!(view.handle(first).view.is_none(), "nothing shows before the set is whole");
    for document in documents {
        assert!(view.handle(Event::Changed(document.clone())).view.is_none());
    }
    view.handle(Event::Current).view
}

fn greeting(view: &LiveView, name: &str) -> Option<String> {
    let view = view.view.clone();
    view.users.get(&name_id(name)).and_then(Entry::usable).map(|stored| stored.user.calls.default_greeting.clone())
}

fn stored(view: &LiveView, name: &str) -> StoredUser {
    view.view.users.get(&name_id(name)).and_then(Entry::usable).cloned().expect("usable")
}

#[test]
fn what_a_new_set_lacks_is_gone() {
    let mut view = synced(&[raw("alice", 10, 1), raw("bob", 11, 1)]);
    let shown = resync(&mut view, Event::Reset, &[raw("bob", 11, 1)]).expect("it differs");
    assert_eq!(shown.users.len(), 1);
    assert_eq!(greeting(&view, "alice"), None);
}

#[test]
fn a_new_set_without_a_difference_shows_nothing() {
    let documents = [raw("alice", 10, 1), raw("bob", 11, 1)];
    let mut view = synced(&documents);
    assert!(resync(&mut view, Event::Reset, &documents).is_none());
    assert!(resync(&mut view, Event::Added { resumed: true }, &[]).is_none());
}

#[test]
fn changes_show_together_when_they_are_consistent() {
    let mut view = synced(&[raw("alice", 10, 1), raw("bob", 11, 1)]);
    assert!(view.handle(Event::Changed(raw("alice", 20, 2))).view.is_none());
    assert!(view.handle(Event::Gone { name: "bob".to_owned(), at: 21 }).view.is_none());
    let shown = view.handle(Event::Consistent { at: 21 }).view.expect("shown");
    assert_eq!((shown.users.len(), greeting(&view, "alice").as_deref()), (1, Some("2")));
}

#[test]
fn an_older_document_never_replaces_a_newer_one() {
    let mut view = synced(&[raw("alice", 10, 1)]);
    assert!(view.handle(Event::Wrote(raw("alice", 30, 3))).view.is_some());
    view.handle(Event::Changed(raw("alice", 20, 2)));
    assert!(view.handle(Event::Consistent { at: 20 }).view.is_none());
    view.handle(Event::Gone { name: "alice".to_owned(), at: 25 });
    assert!(view.handle(Event::Consistent { at: 25 }).view.is_none());
    assert_eq!(greeting(&view, "alice").as_deref(), Some("3"));
}

#[test]
fn what_we_deleted_is_not_brought_back_by_a_late_event() {
    let mut view = synced(&[raw("alice", 10, 1)]);
    assert!(view.handle(Event::Deleted { name: "alice".to_owned(), at: 10 }).view.is_some());
    view.handle(Event::Changed(raw("alice", 10, 1)));
    assert!(view.handle(Event::Consistent { at: 10 }).view.is_none());
    let late_set = resync(&mut view, Event::Reset, &[raw("alice", 10, 1)]);
    assert!(late_set.is_none());
    view.handle(Event::Changed(raw("alice", 40, 4)));
    view.handle(Event::Consistent { at: 40 });
    assert_eq!(greeting(&view, "alice").as_deref(), Some("4"), "made again, it is back");
}

#[test]
fn a_write_of_ours_survives_a_set_from_before_it() {
    let mut view = synced(&[raw("alice", 10, 1)]);
    view.handle(Event::Wrote(raw("bob", 30, 3)));
    view.handle(Event::Reset);
    view.handle(Event::Changed(raw("alice", 20, 2)));
    let out = view.handle(Event::Current);
    assert_eq!(out.verify, [("bob".to_owned(), 30)], "whether it is there is for the server to say");
    assert_eq!(greeting(&view, "bob").as_deref(), Some("3"));
    let gone = view.handle(Event::Missing { name: "bob".to_owned(), at: 30, asked: out.asked });
    assert!(gone.view.is_some_and(|shown| shown.users.len() == 1));
}

#[test]
fn an_answer_that_was_overtaken_counts_for_nothing() {
    let mut view = synced(&[raw("alice", 10, 1)]);
    view.handle(Event::Deleted { name: "alice".to_owned(), at: 10 });
    let out = {
        view.handle(Event::Reset);
        view.handle(Event::Changed(raw("alice", 10, 1)));
        view.handle(Event::Current)
    };
    assert_eq!(out.verify, [("alice".to_owned(), 0)]);
    view.handle(Event::Deleted { name: "alice".to_owned(), at: 12 });
    view.handle(Event::Found { document: raw("alice", 10, 1), asked: out.asked });
    assert_eq!(greeting(&view, "alice"), None);
}

#[test]
fn an_answer_older_than_the_servers_word_is_asked_for_again() {
    let mut view = synced(&[raw("alice", 10, 1)]);
    view.handle(Event::Consistent { at: 50 });
    let out = view.handle(Event::Found { document: raw("bob", 40, 1), asked: 1 });
    assert_eq!(out.verify, [("bob".to_owned(), 40)], "bob may be gone since: the server's set of 50 had none");
    view.handle(Event::Missing { name: "bob".to_owned(), at: 40, asked: out.asked });
    assert_eq!(greeting(&view, "bob"), None);
}

#[test]
fn a_faulty_document_is_one_users_matter() {
    let mut view = synced(&[raw("alice", 10, 1), raw("bob", 10, 1), raw("not a user", 10, 1)]);
    for (revision, body) in [(20, body(0)), (21, json!(null)), (22, json!({"sip": []})), (23, json!([[[]]]))] {
        view.handle(Event::Changed(RawDocument { name: "alice".to_owned(), revision, body }));
        let out = view.handle(Event::Consistent { at: revision });
        let shown = out.view.expect("the fault shows");
        let Some(Entry::Faulty { last_good: Some(good), .. }) = shown.users.get(&name_id("alice")) else {
            panic!("must be faulty with its last good configuration: {shown:?}");
        };
        assert_eq!(good.revision, 10);
        assert!(out.keep.is_empty() && out.typed.is_empty(), "what is kept stays the last good one");
        assert_eq!(greeting(&view, "bob").as_deref(), Some("1"));
    }
}

#[test]
fn a_typed_password_is_used_and_handed_on_and_its_sealing_changes_nothing() {
    let mut view = synced(&[]);
    view.handle(Event::Changed(raw("alice", 10, 1)));
    let out = view.handle(Event::Consistent { at: 10 });
    assert_eq!(out.typed, [raw("alice", 10, 1)]);
    let before = stored(&view, "alice");
    assert_eq!(before.user.sip.password, Secret::new("in clear"));

    let mut sealed = raw("alice", 20, 1);
    let now = jiff::Timestamp::UNIX_EPOCH;
    crate::doc::seal_typed(&name_id("alice"), &mut sealed.body, &keyring(), now).expect("sealed");
    assert!(view.handle(Event::Wrote(sealed.clone())).typed.is_empty());
    let after = stored(&view, "alice");
    assert!(Arc::ptr_eq(&before.user, &after.user), "the user is the same");
    assert_eq!(after.revision, 20);
    view.handle(Event::Changed(sealed));
    assert!(view.handle(Event::Consistent { at: 20 }).view.is_none(), "the echo is silent");
}

#[test]
fn an_undecryptable_password_is_neither_used_nor_sealed_nor_kept() {
    let mut view = synced(&[]);
    let mut document = raw("alice", 10, 1);
    document.body["sip"]["sip_password"] = json!("callie-enc:v1:gone:AAAA");
    view.handle(Event::Changed(document));
    let out = view.handle(Event::Consistent { at: 10 });
    assert!(out.typed.is_empty() && out.keep.is_empty());
    let entry = view.view.users.get(&name_id("alice")).cloned();
    assert!(matches!(entry, Some(Entry::Faulty { fault: DocFault::SecretUndecryptable(_), last_good: None })), "{entry:?}");
}

#[test]
fn kept_documents_converge_without_a_change() {
    let mut view = LiveView::new(keyring());
    assert!(view.adopt(vec![raw("alice", 10, 1), raw("bob", 10, 1)]).is_some());
    assert!(!view.is_synced());
    let before = stored(&view, "alice");
    let shown = resync(&mut view, Event::Added { resumed: false }, &[raw("alice", 10, 1), raw("carol", 12, 1)]).expect("differs");
    assert_eq!(shown.users.len(), 2);
    assert!(Arc::ptr_eq(&before.user, &stored(&view, "alice").user));
    assert_eq!(before, stored(&view, "alice"));
}

#[test]
fn the_first_whole_set_ends_what_was_kept_of_others() {
    let mut view = LiveView::new(keyring());
    view.handle(Event::Added { resumed: true });
    view.handle(Event::Changed(raw("alice", 10, 1)));
    let out = view.handle(Event::Current);
    assert!(out.keep.contains(&Keep::Only(["alice".to_owned()].into())), "and a view that was never whole cannot be resumed");
}

#[test]
fn a_wrong_count_asks_for_the_whole_set() {
    let mut view = synced(&[raw("alice", 10, 1), raw("not a user", 10, 1)]);
    assert!(!view.handle(Event::Filter { count: 2 }).resync);
    view.handle(Event::Changed(raw("bob", 20, 1)));
    view.handle(Event::Gone { name: "alice".to_owned(), at: 21 });
    assert!(!view.handle(Event::Filter { count: 2 }).resync, "what is on its way counts");
    assert!(view.handle(Event::Filter { count: 3 }).resync);
}

#[test]
fn a_listing_shows_what_was_missed() {
    let view = synced(&[raw("alice", 10, 1), raw("bob", 10, 1)]);
    let listing = |rows: &[(&str, u64)]| rows.iter().map(|(name, revision)| ((*name).to_owned(), *revision)).collect();
    assert_eq!(view.differences(&listing(&[("alice", 10), ("bob", 10)])), Vec::<String>::new());
    assert_eq!(view.differences(&listing(&[("alice", 11), ("bob", 10)])), ["alice"]);
    assert_eq!(view.differences(&listing(&[("alice", 9), ("bob", 10)])), Vec::<String>::new(), "the listing is older");
    assert_eq!(view.differences(&listing(&[("alice", 10)])), ["bob"]);
    assert_eq!(view.differences(&listing(&[("alice", 10), ("bob", 10), ("carol", 1)])), ["carol"]);
}
