//! The keyring's file: JSON, readable by its owner alone. Made on the first run; changed by `callie keys` only, and then whole.
//!
//! ```json
//! {"primary": "k2026a", "keys": {
//!     "k2026a": {"raw": "<32 bytes in base64>"},
//!     "k2027a": {"kms": "projects/p/locations/europe-west3/keyRings/callie/cryptoKeys/seal", "wrapped": "<base64>"}}}
//! ```

use super::keyring::{KEY_LEN, Keyring, MasterKey, decode_key};
use super::wrap::KeyService;
use super::{envelope, publish};
use crate::StoreError;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The file as read: keys may still be wrapped.
pub struct KeyFile {
    path: PathBuf,
    content: Content,
    /// What the file held when it was read.
    read: Zeroizing<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    primary: String,
    keys: BTreeMap<String, KeyEntry>,
}

/// Either `raw`, or `kms` and `wrapped`.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrapped: Option<String>,
}

/// Where a key of the file is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In the file itself.
    InFile,
    /// In the file, wrapped by this key of a key service.
    Wrapped(String),
}

impl Keyring {
    /// Reads the file, or makes one with a fresh key on the first run; the key is named after the year of `now`, `k2026a`.
    ///
    /// [`StoreError::Setup`], with the remedy, when others may read the file or it is not a keyring, or when a key in it is
    /// wrapped: [`Self::open_file`] unwraps.
    pub fn load_or_create(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let file = KeyFile::load_or_create(path, now)?;
        let keys = file.content.keys.iter().map(|(kid, entry)| Ok((kid.clone(), file.raw_key(kid, entry)?)));
        let keys: Vec<_> = keys.collect::<Result<_, StoreError>>()?;
        Self::new(&file.content.primary, keys, &file.source())
    }

    /// As [`Self::load_or_create`], and has wrapped keys unwrapped, each once.
    pub async fn open_file(path: &Path, now: Timestamp, service: &dyn KeyService) -> Result<Self, StoreError> {
        KeyFile::load_or_create(path, now)?.open(service).await
    }
}

impl KeyFile {
    pub fn load_or_create(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        match File::open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                create(path, now)?;
                tracing::info!(path = %path.display(), "made a new key file: keep a copy of it apart from the database's");
                Self::load(path)
            }
            _ => Self::load(path),
        }
    }

    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let mut file = File::open(path).map_err(|e| unusable(path, "cannot be opened", &e))?;
        let meta = file.metadata().map_err(|e| unusable(path, "cannot be read", &e))?;
        let shown = path.display();
        if meta.mode() & 0o077 != 0 {
            let mode = meta.mode() & 0o777;
            return Err(StoreError::Setup(format!(
                "the key file {shown} can be read by others (mode {mode:04o}): run: chmod 600 {shown}"
            )));
        }
        let text = read(&mut file).map_err(|e| unusable(path, "cannot be read", &e))?;
        // serde's text could quote a value; where it stands is enough.
        let content = serde_json::from_slice(&text).map_err(|e| {
            StoreError::Setup(format!(
                "the key file {shown} is not a keyring (line {}, column {}): restore it from your copy",
                e.line(),
                e.column()
            ))
        })?;
        Ok(Self { path: path.to_owned(), content, read: text })
    }

    /// The keys, unwrapped.
    pub async fn open(&self, service: &dyn KeyService) -> Result<Keyring, StoreError> {
        let mut keys = Vec::with_capacity(self.content.keys.len());
        for (kid, entry) in &self.content.keys {
            let key = match (&entry.raw, &entry.kms, &entry.wrapped) {
                (None, Some(name), Some(wrapped)) => self.unwrap_key(kid, name, wrapped, service).await?,
                _ => self.raw_key(kid, entry)?,
            };
            keys.push((kid.clone(), key));
        }
        Keyring::new(&self.content.primary, keys, &self.source())
    }

    pub fn primary(&self) -> &str {
        &self.content.primary
    }

    /// All keys by name.
    pub fn keys(&self) -> impl Iterator<Item = (&str, Kept)> {
        self.content.keys.iter().map(|(kid, entry)| (kid.as_str(), entry.kms.clone().map_or(Kept::InFile, Kept::Wrapped)))
    }

    /// The first name of `now`'s year that is free: `k2026a`, `k2026b`, …
    pub fn next_kid(&self, now: Timestamp) -> Option<String> {
        ('a'..='z').map(|letter| kid_of(now, letter)).find(|kid| !self.content.keys.contains_key(kid))
    }

    /// Adds a fresh key that opens and does not yet seal. With `wrap_by` the file holds it wrapped only, after it was
    /// unwrapped once for proof.
    pub async fn add(&mut self, kid: &str, wrap_by: Option<&str>, service: &dyn KeyService) -> Result<(), StoreError> {
        if !envelope::is_kid(kid) {
            return Err(StoreError::Setup(format!("the key name {kid:?} must be 1 to 32 letters, digits, '_' or '-'")));
        }
        if self.content.keys.contains_key(kid) {
            return Err(StoreError::Setup(format!("{} has a key {kid} already: choose another name", self.source())));
        }
        let key = fresh_key().map_err(|e| unusable(&self.path, "gets no new key", &e))?;
        let entry = match wrap_by {
            None => KeyEntry { raw: Some(STANDARD.encode(*key)), kms: None, wrapped: None },
            Some(name) => {
                let wrapped = STANDARD.encode(service.wrap(name, &*key).await?);
                if *self.unwrap_key(kid, name, &wrapped, service).await? != *key {
                    return Err(StoreError::Setup(format!(
                        "{name} does not give back the key that it wrapped: choose another one"
                    )));
                }
                KeyEntry { raw: None, kms: Some(name.to_owned()), wrapped: Some(wrapped) }
            }
        };
        self.content.keys.insert(kid.to_owned(), entry);
        Ok(())
    }

    /// Names the key that seals from now on.
    pub fn set_primary(&mut self, kid: &str) -> Result<(), StoreError> {
        self.must_have(kid)?;
        kid.clone_into(&mut self.content.primary);
        Ok(())
    }

    /// Takes a key out. Whether anything is still sealed with it is the caller's to know.
    pub fn drop_key(&mut self, kid: &str) -> Result<(), StoreError> {
        self.must_have(kid)?;
        if self.content.primary == kid {
            return Err(StoreError::Setup(format!("the key {kid} is the primary one: make another one primary first")));
        }
        self.content.keys.remove(kid);
        Ok(())
    }

    /// Replaces the file at once and whole, unless another command has changed it since it was read: a key that one added
    /// would be lost.
    pub fn save(&self) -> Result<(), StoreError> {
        let now = File::open(&self.path).and_then(|mut file| read(&mut file));
        if *now.map_err(|e| unusable(&self.path, "cannot be read", &e))? != *self.read {
            return Err(StoreError::Setup(format!(
                "{} was changed by another command in the meantime; nothing was written: run this one again",
                self.source()
            )));
        }
        let text = text_of(&self.path, &self.content)?;
        publish::replace(&self.path, text.as_bytes()).map_err(|e| unusable(&self.path, "cannot be written", &e))
    }

    fn must_have(&self, kid: &str) -> Result<(), StoreError> {
        if self.content.keys.contains_key(kid) {
            return Ok(());
        }
        let names: Vec<_> = self.content.keys.keys().map(String::as_str).collect();
        Err(StoreError::Setup(format!("{} has no key {kid:?}; it has {}", self.source(), names.join(", "))))
    }

    fn raw_key(&self, kid: &str, entry: &KeyEntry) -> Result<MasterKey, StoreError> {
        let fault = |problem: &str| Err(StoreError::Setup(format!("{}: the key {kid:?} {problem}", self.source())));
        match (&entry.raw, &entry.kms, &entry.wrapped) {
            (Some(raw), None, None) if let Some(key) = decode_key(raw) => Ok(key),
            (None, Some(name), Some(_)) => fault(&format!("is wrapped by {name}, which nobody was told to ask")),
            _ => fault("must have a field raw of 32 bytes in base64, or the two fields kms and wrapped"),
        }
    }

    async fn unwrap_key(&self, kid: &str, name: &str, wrapped: &str, service: &dyn KeyService) -> Result<MasterKey, StoreError> {
        let fault = |problem: &str| StoreError::Setup(format!("{}: the key {kid:?} {problem}", self.source()));
        let wrapped = STANDARD.decode(wrapped).map_err(|_| fault("must have a field wrapped in base64"))?;
        let key = service.unwrap(name, &wrapped).await?;
        let key = <[u8; KEY_LEN]>::try_from(key.as_slice()).map_err(|_| fault("does not unwrap to 32 bytes"))?;
        Ok(Zeroizing::new(key))
    }

    fn source(&self) -> String {
        format!("the key file {}", self.path.display())
    }
}

fn read(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(4_096));
    file.read_to_end(&mut text)?;
    Ok(text)
}

fn text_of(path: &Path, content: &Content) -> Result<Zeroizing<String>, StoreError> {
    let text = serde_json::to_string_pretty(content);
    text.map(|text| Zeroizing::new(text + "\n")).map_err(|e| StoreError::Setup(format!("the key file {}: {e}", path.display())))
}

fn kid_of(now: Timestamp, letter: char) -> String {
    format!("k{}{letter}", now.to_zoned(TimeZone::UTC).year())
}

fn fresh_key() -> io::Result<MasterKey> {
    let mut key: MasterKey = Zeroizing::new([0u8; KEY_LEN]);
    SystemRandom::new().fill(&mut *key).map_err(|_| io::Error::other("no random bytes"))?;
    Ok(key)
}

fn create(path: &Path, now: Timestamp) -> Result<(), StoreError> {
    let made = |e: io::Error| unusable(path, "cannot be created", &e);
    let entry = KeyEntry { raw: Some(STANDARD.encode(*fresh_key().map_err(made)?)), kms: None, wrapped: None };
    let kid = kid_of(now, 'a');
    let content = Content { primary: kid.clone(), keys: BTreeMap::from([(kid, entry)]) };
    publish::create(path, text_of(path, &content)?.as_bytes()).map_err(made)
}

fn unusable(path: &Path, what: &str, error: &io::Error) -> StoreError {
    StoreError::Setup(format!(
        "the key file {} {what} ({error}): check that its folder exists and that file and folder belong to this user",
        path.display()
    ))
}
