//! The secrets of a document: which fields they are, and what is done to their form while the user stays the same.

use crate::seal::{AtRest, Keyring, SealError, classify};
use callie_domain::{Secret, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A field of the map `sip` that is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretField {
    pub field: &'static str,
    /// The sealed value is bound to it.
    pub path: &'static str,
    /// Where the time of its sealing stands.
    sealed_at: Option<&'static str>,
}

pub const PASSWORD: SecretField =
    SecretField { field: "sip_password", path: "sip.sip_password", sealed_at: Some("password_encrypted_at") };

pub const TLS_CLIENT_KEY: SecretField = SecretField { field: "tls_client_key", path: "sip.tls_client_key", sealed_at: None };

pub const SECRETS: [SecretField; 2] = [PASSWORD, TLS_CLIENT_KEY];

impl SecretField {
    pub(super) fn stored(self, sip: &Map<String, Value>) -> Option<&str> {
        sip.get(self.field)?.as_str().filter(|text| !text.trim().is_empty())
    }

    pub(super) fn seal(
        self,
        sip: &mut Map<String, Value>,
        id: &UserId,
        secret: &Secret,
        keyring: &Keyring,
        now: Timestamp,
    ) -> Result<(), SealError> {
        sip.insert(self.field.to_owned(), json!(keyring.seal(id, self.path, secret)?));
        if let Some(field) = self.sealed_at {
            sip.insert(field.to_owned(), json!(now.to_string()));
        }
        Ok(())
    }

    /// Takes the secret out, with the time of its sealing.
    fn take(self, sip: &mut Map<String, Value>) -> Option<String> {
        if let Some(field) = self.sealed_at {
            sip.remove(field);
        }
        sip.remove(self.field)?.as_str().map(str::to_owned)
    }
}

/// What stands in the fields of secrets, sealed or in clear.
pub fn secrets(doc: &Value) -> impl Iterator<Item = &str> {
    let sip = doc.get("sip").and_then(Value::as_object);
    sip.into_iter().flat_map(|sip| SECRETS.iter().filter_map(|secret| secret.stored(sip)))
}

/// Whether somebody typed one in clear.
pub fn holds_typed_secret(doc: &Value) -> bool {
    secrets(doc).any(|text| classify(text) == AtRest::Plain)
}

/// Seals what stands in the document in clear, and changes nothing else. `false` when there is nothing.
pub fn seal_typed(id: &UserId, doc: &mut Value, keyring: &Keyring, now: Timestamp) -> Result<bool, SealError> {
    let Some(sip) = doc.get_mut("sip").and_then(Value::as_object_mut) else { return Ok(false) };
    let mut sealed_any = false;
    for secret in SECRETS {
        let Some(typed) = secret.stored(sip).filter(|text| classify(text) == AtRest::Plain).map(Secret::new) else { continue };
        secret.seal(sip, id, &typed, keyring, now)?;
        sealed_any = true;
    }
    Ok(sealed_any)
}

/// Whether `sealed` is what [`seal_typed`] made of `typed`.
pub fn is_sealed_from(id: &UserId, sealed: &Value, typed: &Value, keyring: &Keyring) -> bool {
    let (mut sealed, mut typed) = (sealed.clone(), typed.clone());
    let (Some(stored), Some(clear)) = (sip_of(&mut sealed), sip_of(&mut typed)) else { return false };
    let mut was_typed = false;
    for secret in SECRETS {
        if secret.stored(clear).is_none_or(|text| classify(text) != AtRest::Plain) {
            continue;
        }
        let (Some(stored), Some(clear)) = (secret.take(stored), secret.take(clear)) else { return false };
        if keyring.open(id, secret.path, &stored).ok() != Some(Secret::new(clear)) {
            return false;
        }
        was_typed = true;
    }
    was_typed && sealed == typed
}

fn sip_of(doc: &mut Value) -> Option<&mut Map<String, Value>> {
    doc.get_mut("sip")?.as_object_mut()
}

/// Seals the secrets with the primary key, whether they stand there in clear or under another key, and changes nothing
/// else. `false` when that is so already, or there are none. On an error the document is not to be used.
pub fn reseal(id: &UserId, doc: &mut Value, keyring: &Keyring, now: Timestamp) -> Result<bool, SealError> {
    let Some(sip) = sip_of(doc) else { return Ok(false) };
    let mut sealed_any = false;
    for secret in SECRETS {
        let Some(stored) = secret.stored(sip) else { continue };
        let clear = match classify(stored) {
            AtRest::Plain => Secret::new(stored),
            AtRest::Sealed { .. } => keyring.open(id, secret.path, stored)?,
        };
        if !keyring.is_current(stored) {
            secret.seal(sip, id, &clear, keyring, now)?;
            sealed_any = true;
        }
    }
    Ok(sealed_any)
}
