//! What every backend must do, as plain async functions over the three traits. A backend plugs in with one line,
//!
//! ```ignore
//! callie_store::store_conformance!(make_store); // async fn make_store() -> impl Backend
//! ```
//!
//! which makes one test of each case; within a test, `store_conformance!(@every calls make_store)` runs one after the other. A failed expectation panics: this is for tests only.
//!
//! | module | holds |
//! |---|---|
//! | [`users`] | documents: written, read, revised, deleted |
//! | [`live`] | the live view |
//! | [`secrets`] | what lies at rest |
//! | [`documents`] | documents as they lie there, carried and sealed anew |
//! | [`calls`] | records and events |
//! | [`transcripts`] | turns, and finding calls by words |

pub mod calls;
pub mod documents;
pub mod live;
pub mod secrets;
pub mod transcripts;
pub mod users;

use crate::{ConfigStore, DocumentStore, Entry, Keyring, RecordStore, StoredUser, UserView};
use async_trait::async_trait;
use callie_domain::user::input::UserInput;
use callie_domain::{MacAddress, User, UserId};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A backend under test, on storage of its own.
#[async_trait]
pub trait Backend: Send + Sync {
    fn users(&self) -> Arc<dyn ConfigStore>;
    fn documents(&self) -> Arc<dyn DocumentStore>;
    fn calls(&self) -> Arc<dyn RecordStore>;

    /// The keys that the store seals with.
    fn keyring(&self) -> Arc<Keyring>;

    /// Writes a document behind the store's back, as the shell, a console or another process does.
    async fn raw_put(&self, name: &str, doc: &Value);

    /// As [`Self::raw_put`], many at once.
    async fn raw_put_all(&self, documents: Vec<(String, Value)>);

    /// The document as it lies there.
    async fn raw_get(&self, name: &str) -> Option<Value>;

    /// Deletes a document behind the store's back.
    async fn raw_delete(&self, name: &str);

    /// Stops and starts again on the same storage and keys.
    async fn restart(&mut self);

    /// Every byte that the backend has written, in whatever file.
    async fn at_rest(&self) -> Vec<u8>;
}

/// Another process's write is seen within a second; a loaded machine gets more.
const PATIENCE: Duration = Duration::from_secs(20);

fn user_id(name: &str) -> UserId {
    name.parse().expect("a valid user id")
}

fn a_user(name: &str) -> User {
    let body = json!({"user_id": name, "display_name": "Alice Johnson", "sip_username": format!("{}@company.com", name.replace('@', ".")),
        "sip_password": "secure_password", "greeting": "Hi!", "sip": {"connect": true, "caller_id": "+431234"}});
    let input = UserInput::from_json(&body).expect("a valid body");
    input.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("a valid user")
}

fn greeting(user: &StoredUser) -> &str {
    &user.user.calls.default_greeting
}

/// Waits until the live view shows what is asked for.
async fn until(
    view: &mut watch::Receiver<Arc<UserView>>,
    what: &str,
    shows: impl FnMut(&Arc<UserView>) -> bool,
) -> Arc<UserView> {
    let shown = tokio::time::timeout(PATIENCE, view.wait_for(shows)).await;
    shown.unwrap_or_else(|_| panic!("the view never showed: {what}")).expect("the store is open").clone()
}

fn usable<'a>(view: &'a UserView, name: &str) -> Option<&'a StoredUser> {
    view.users.get(&user_id(name)).and_then(Entry::usable)
}

fn is_faulty(view: &UserView, name: &str) -> bool {
    matches!(view.users.get(&user_id(name)), Some(Entry::Faulty { .. }))
}

/// Makes a test of every case of the suite on the backend that `$make` gives: `async fn() -> impl Backend`.
#[macro_export]
macro_rules! store_conformance {
    ($make:ident) => {
        $crate::store_conformance!(@every tests $make);
    };
    (@every $form:ident $make:ident) => {
        $crate::store_conformance!(@$form $make, users:
            a_user_is_created_once,
            what_is_read_is_what_was_written,
            a_write_needs_the_revision_it_read,
            of_writers_at_the_same_time_one_wins,
            a_revision_is_never_used_twice,
            unknown_fields_are_kept,
            a_deleted_user_is_gone,
            a_deletion_may_ask_for_the_revision_it_read,
            ten_thousand_users_are_loaded,
            the_store_is_healthy,
        );
        $crate::store_conformance!(@$form $make, live:
            the_view_is_complete_from_the_first_value_on,
            the_view_follows_our_own_writes_at_once,
            the_view_follows_other_processes,
            the_view_shows_the_latest_of_many_changes,
            a_faulty_document_keeps_its_last_good_configuration,
            a_faulty_document_has_no_last_good_configuration_after_a_restart,
            a_faulty_document_harms_no_other,
        );
        $crate::store_conformance!(@$form $make, secrets:
            a_password_is_never_at_rest_in_clear,
            a_typed_password_is_used_then_sealed,
            an_unchanged_password_keeps_its_sealed_form,
            a_moved_password_is_refused_and_kept,
        );
        $crate::store_conformance!(@$form $make, documents:
            documents_are_listed_page_by_page,
            a_document_is_adopted_once,
            an_adopted_user_is_in_the_view,
            what_is_sealed_with_the_primary_key_stays,
            a_password_in_clear_is_sealed_in_a_faulty_document_too,
            what_does_not_open_stays_as_it_is,
        );
        $crate::store_conformance!(@$form $make, calls:
            signalling_is_kept_in_order_of_time,
            a_call_is_recorded_from_begin_to_end,
            an_end_without_a_beginning_is_kept,
            events_need_a_record,
            calls_are_listed_newest_first_page_by_page,
            calls_are_filtered,
            orphans_are_closed_as_lost,
        );
        $crate::store_conformance!(@$form $make, transcripts:
            turns_are_read_in_order_with_their_latest_words,
            calls_are_found_by_what_was_said,
            what_is_found_comes_with_the_turns_it_was_said_in,
            words_that_were_taken_back_are_not_found,
            nothing_in_a_search_is_syntax,
        );
    };
    (@calls $make:ident, $area:ident: $($case:ident,)*) => {
        $($crate::suite::$area::$case($make().await).await;)*
    };
    (@tests $make:ident, $area:ident: $($case:ident,)*) => {
        mod $area {
            $(
                #[tokio::test]
                async fn $case() {
                    $crate::suite::$area::$case(super::$make().await).await;
                }
            )*
        }
    };
}
