//! The secrets of a document: which fields they are, and what is done to their form while the user stays the same.

use crate::seal::{AtRest, Keyring, SealError, classify};
use callie_domain::user::tools::http::origin;
use callie_domain::{Secret, UserId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Where fields of a kind stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In the map of that name.
    Map(&'static str),
    /// In each entry of the list that these names lead to.
    List(&'static [&'static str]),
}

/// A field that is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretField {
    pub home: Home,
    pub field: &'static str,
    /// The sealed value is bound to it. Entries of a list have one: they may change places.
    pub path: &'static str,
    /// And to the server that this field beside it names: it is sent there.
    bound_to: Option<&'static str>,
    /// Where the time of its sealing stands.
    sealed_at: Option<&'static str>,
}

pub const PASSWORD: SecretField = SecretField {
    home: Home::Map("sip"),
    field: "sip_password",
    path: "sip.sip_password",
    bound_to: None,
    sealed_at: Some("password_encrypted_at"),
};

pub const TLS_CLIENT_KEY: SecretField =
    SecretField { home: Home::Map("sip"), field: "tls_client_key", path: "sip.tls_client_key", bound_to: None, sealed_at: None };

pub const WEBHOOK_SECRET: SecretField =
    SecretField { home: Home::List(&["webhooks"]), field: "secret", path: "webhooks.secret", bound_to: None, sealed_at: None };

pub const TOOL_HEADERS: SecretField = SecretField {
    home: Home::List(&["ai", "tools", "http"]),
    field: "headers",
    path: "ai.tools.http.headers",
    bound_to: Some("url"),
    sealed_at: None,
};

pub const MCP_HEADERS: SecretField =
    SecretField { home: Home::List(&["ai", "tools", "mcp"]), path: "ai.tools.mcp.headers", ..TOOL_HEADERS };

pub const SECRETS: [SecretField; 5] = [PASSWORD, TLS_CLIENT_KEY, WEBHOOK_SECRET, TOOL_HEADERS, MCP_HEADERS];

impl SecretField {
    /// The maps in which the field may stand.
    pub fn homes(self, doc: &Value) -> Vec<&Map<String, Value>> {
        match self.home {
            Home::Map(name) => doc.get(name).and_then(Value::as_object).into_iter().collect(),
            Home::List(names) => {
                let list = names.iter().try_fold(doc, |value, name| value.get(*name)).and_then(Value::as_array);
                list.into_iter().flatten().filter_map(Value::as_object).collect()
            }
        }
    }

    /// The same, to be changed.
    pub fn homes_mut(self, doc: &mut Value) -> Vec<&mut Map<String, Value>> {
        match self.home {
            Home::Map(name) => doc.get_mut(name).and_then(Value::as_object_mut).into_iter().collect(),
            Home::List(names) => {
                let list = names.iter().try_fold(doc, |value, name| value.get_mut(*name)).and_then(Value::as_array_mut);
                list.into_iter().flatten().filter_map(Value::as_object_mut).collect()
            }
        }
    }

    pub(super) fn stored(self, home: &Map<String, Value>) -> Option<&str> {
        home.get(self.field)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// What a value that stands there is sealed for.
    pub(super) fn path_in(self, home: &Map<String, Value>) -> String {
        let bound_to = self.bound_to.and_then(|field| home.get(field)?.as_str()).and_then(origin);
        match bound_to {
            Some(origin) => format!("{}@{origin}", self.path),
            None => self.path.to_owned(),
        }
    }

    fn typed(self, home: &Map<String, Value>) -> Option<&str> {
        self.stored(home).filter(|text| classify(text) == AtRest::Plain)
    }

    pub(super) fn seal(
        self,
        home: &mut Map<String, Value>,
        id: &UserId,
        secret: &Secret,
        keyring: &Keyring,
        now: Timestamp,
    ) -> Result<(), SealError> {
        let sealed = keyring.seal(id, &self.path_in(home), secret)?;
        home.insert(self.field.to_owned(), json!(sealed));
        if let Some(field) = self.sealed_at {
            home.insert(field.to_owned(), json!(now.to_string()));
        }
        Ok(())
    }

    /// Takes the secret out, with the time of its sealing.
    fn take(self, home: &mut Map<String, Value>) -> Option<String> {
        if let Some(field) = self.sealed_at {
            home.remove(field);
        }
        home.remove(self.field)?.as_str().map(str::to_owned)
    }
}

/// What stands in the fields of secrets, sealed or in clear.
pub fn secrets(doc: &Value) -> impl Iterator<Item = &str> {
    SECRETS.iter().flat_map(|secret| secret.homes(doc).into_iter().filter_map(|home| secret.stored(home)))
}

/// Whether somebody typed one in clear.
pub fn holds_typed_secret(doc: &Value) -> bool {
    secrets(doc).any(|text| classify(text) == AtRest::Plain)
}

/// Seals what stands in the document in clear, and changes nothing else. `false` when there is nothing.
pub fn seal_typed(id: &UserId, doc: &mut Value, keyring: &Keyring, now: Timestamp) -> Result<bool, SealError> {
    let mut sealed_any = false;
    for secret in SECRETS {
        for home in secret.homes_mut(doc) {
            let Some(typed) = secret.typed(home).map(Secret::new) else { continue };
            secret.seal(home, id, &typed, keyring, now)?;
            sealed_any = true;
        }
    }
    Ok(sealed_any)
}

/// Whether `sealed` is what [`seal_typed`] made of `typed`.
pub fn is_sealed_from(id: &UserId, sealed: &Value, typed: &Value, keyring: &Keyring) -> bool {
    let (mut sealed, mut typed) = (sealed.clone(), typed.clone());
    let mut was_typed = false;
    for secret in SECRETS {
        let (stored, clear) = (secret.homes_mut(&mut sealed), secret.homes_mut(&mut typed));
        if stored.len() != clear.len() {
            return false;
        }
        for (stored, clear) in stored.into_iter().zip(clear) {
            if secret.typed(clear).is_none() {
                continue;
            }
            let path = secret.path_in(stored);
            let (Some(stored), Some(clear)) = (secret.take(stored), secret.take(clear)) else { return false };
            if keyring.open(id, &path, &stored).ok() != Some(Secret::new(clear)) {
                return false;
            }
            was_typed = true;
        }
    }
    was_typed && sealed == typed
}

/// Seals the secrets with the primary key, whether they stand there in clear or under another key, and changes nothing
/// else. `false` when that is so already, or there are none. On an error the document is not to be used.
pub fn reseal(id: &UserId, doc: &mut Value, keyring: &Keyring, now: Timestamp) -> Result<bool, SealError> {
    let mut sealed_any = false;
    for secret in SECRETS {
        for home in secret.homes_mut(doc) {
            let Some(stored) = secret.stored(home) else { continue };
            let clear = match classify(stored) {
                AtRest::Plain => Secret::new(stored),
                AtRest::Sealed { .. } => keyring.open(id, &secret.path_in(home), stored)?,
            };
            if !keyring.is_current(stored) {
                secret.seal(home, id, &clear, keyring, now)?;
                sealed_any = true;
            }
        }
    }
    Ok(sealed_any)
}
