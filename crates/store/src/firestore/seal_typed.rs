//! Seals passwords and keys that somebody typed into a document in clear. They are in use already when this begins: sealing changes the
//! document's form, not the user.
//!
//! A password that does not open never comes here. Nothing is sealed before the keys were found to be those of the other
//! servers. When somebody else writes first, the newer document comes here by itself.

use super::client::Documents;
use super::fault::Fault;
use super::keycheck;
use super::listen::Shared;
use super::value::RawDocument;
use super::view::Event;
use crate::seal::SealError;
use crate::{Keyring, doc};
use callie_domain::UserId;
use jiff::Timestamp;
use serde_json::Value;
use std::time::Duration;

/// The wait before what could not be sealed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// What became of one password.
enum Outcome {
    Sealed(RawDocument),
    /// It is another document by now, or gone.
    Overtaken,
    Later(String),
    Never(SealError),
}

/// Seals whatever comes, for ever.
pub(super) async fn run(shared: &Shared) {
    keys_are_right(shared).await;
    loop {
        let typed = shared.typed.take_all();
        let mut again = false;
        for (name, document) in typed {
            again |= !seal_one(shared, name, document).await;
        }
        tokio::select! {
            () = shared.typed.wait() => {}
            () = tokio::time::sleep(AGAIN), if again => {}
        }
    }
}

async fn keys_are_right(shared: &Shared) {
    // A fault is reported by whoever opens the store.
    while keycheck::check(&shared.documents, &shared.keyring).await.is_err() {
        tokio::time::sleep(AGAIN).await;
    }
}

/// `false` when it must be tried again.
async fn seal_one(shared: &Shared, name: String, document: RawDocument) -> bool {
    let Ok(id) = name.parse::<UserId>() else { return true };
    match seal(&shared.documents, &shared.keyring, &id, &document).await {
        Outcome::Sealed(sealed) => {
            tracing::warn!(target: "audit", { user.id = %id }, "a secret was typed in clear into the document; it is sealed now. \
                 Copies may exist in backups and exports: consider another one");
            shared.apply(Event::Wrote(sealed));
        }
        Outcome::Overtaken => {}
        Outcome::Never(fault) => tracing::error!(user.id = %id, %fault, "a secret typed in clear cannot be sealed"),
        Outcome::Later(cause) => {
            // An outage has its own line in the log.
            match shared.link.health() {
                Ok(()) => {
                    tracing::warn!(user.id = %id, cause, "a secret typed in clear could not be sealed yet; it is tried again")
                }
                Err(_) => tracing::debug!(user.id = %id, cause, "a secret typed in clear waits to be sealed"),
            }
            shared.typed.put_back(name, document);
            return false;
        }
    }
    true
}

async fn seal(documents: &Documents, keyring: &Keyring, id: &UserId, typed: &RawDocument) -> Outcome {
    let path = super::config::path(id);
    let stored = match documents.get(&path).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Outcome::Overtaken,
        Err(fault) => return failed(documents, &fault),
    };
    let now = RawDocument::from(stored.clone());
    if now.revision != typed.revision {
        return Outcome::Overtaken;
    }
    let mut body = now.body;
    match doc::seal_typed(id, &mut body, keyring, Timestamp::now()) {
        Ok(true) => {}
        Ok(false) => return Outcome::Overtaken,
        Err(fault) => return Outcome::Never(fault),
    }
    let Value::Object(body) = body else { return Outcome::Overtaken };
    match documents.update(&path, &stored, &body).await {
        Ok(sealed) => Outcome::Sealed(sealed),
        Err(Fault::Precondition | Fault::Missing) => Outcome::Overtaken,
        Err(fault) => failed(documents, &fault),
    }
}

fn failed(documents: &Documents, fault: &Fault) -> Outcome {
    Outcome::Later(fault.unavailable(documents.place()).to_string())
}
