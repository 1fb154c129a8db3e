//! The check that this server's keys are those of the others: `cluster/keycheck` holds a value of each key that says nothing
//! about the key itself.
//!
//! Without it a server with another key would find every user faulty, and seal new passwords with a key that no other has.

use super::client::Documents;
use super::fault::{Fault, Place};
use super::value::RawDocument;
use crate::{Keyring, StoreError};
use serde_json::{Map, Value};

const PATH: &str = "cluster/keycheck";

/// Other servers may note their keys at the same moment.
const ATTEMPTS: u32 = 5;

/// Why the keys were not found to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unproved {
    /// They are wrong; the text names the remedy.
    Wrong(String),
    /// They could not be compared.
    Unanswered(Fault),
}

impl Unproved {
    pub fn into_error(self, place: &Place) -> StoreError {
        match self {
            Self::Wrong(text) => StoreError::Setup(text),
            Self::Unanswered(fault) => fault.unavailable(place),
        }
    }
}

/// Refuses keys that are not those noted there, and notes ours.
pub(super) async fn check(documents: &Documents, keyring: &Keyring) -> Result<(), Unproved> {
    let mut fault = Fault::Contended;
    for _ in 0..ATTEMPTS {
        let stored = documents.get(PATH).await.map_err(Unproved::Unanswered)?;
        let body = stored.clone().map(|document| RawDocument::from(document).body);
        let noted = body.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        compare(&noted, keyring, documents.place()).map_err(Unproved::Wrong)?;
        let wanted = with_ours(&noted, keyring);
        let written = match &stored {
            Some(stored) => documents.update(PATH, stored, &wanted).await,
            None => documents.create(PATH, &wanted).await,
        };
        fault = match written {
            Ok(_) => return Ok(()),
            Err(fault @ (Fault::Exists | Fault::Precondition | Fault::Missing | Fault::Contended)) => fault,
            Err(fault) => return Err(Unproved::Unanswered(fault)),
        };
    }
    Err(Unproved::Unanswered(fault))
}

fn compare(noted: &Map<String, Value>, keyring: &Keyring, place: &Place) -> Result<(), String> {
    let ours = || keyring.kids().filter(|kid| noted.contains_key(*kid));
    if let Some(kid) = ours().find(|kid| noted.get(*kid).and_then(Value::as_str) != keyring.check_value(kid).as_deref()) {
        return Err(format!(
            "the key {kid} of {} is another one than the key of that name that the servers on {place} use: \
             give this server the keys that belong to that database",
            keyring.source()
        ));
    }
    if !noted.is_empty() && ours().next().is_none() {
        let names: Vec<_> = noted.keys().map(String::as_str).collect();
        return Err(format!(
            "{} has none of the keys that the servers on {place} use ({}): give this server the keys that belong to that database",
            keyring.source(),
            names.join(", ")
        ));
    }
    Ok(())
}

fn with_ours(noted: &Map<String, Value>, keyring: &Keyring) -> Map<String, Value> {
    let mut all = noted.clone();
    for kid in keyring.kids() {
        if let Some(value) = keyring.check_value(kid) {
            all.insert(kid.to_owned(), Value::String(value));
        }
    }
    all
}
