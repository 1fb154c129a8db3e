//! The keyring's file: JSON, readable by its owner alone, made on the first run and never overwritten.
//!
//! ```json
//! {"primary": "k2026a", "keys": {"k2026a": {"raw": "<32 bytes in base64>"}}}
//! ```

use super::keyring::{KEY_LEN, Keyring, MasterKey, decode_key};
use crate::StoreError;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

#[derive(Deserialize)]
struct KeyFile {
    primary: String,
    keys: BTreeMap<String, KeyEntry>,
}

#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct KeyEntry {
    raw: Option<String>,
}

impl Keyring {
    /// Reads the file, or makes one with a fresh key on the first run; the key is named after the year of `now`, `k2026a`.
    ///
    /// [`StoreError::Setup`], with the remedy, when others may read the file or it is not a keyring.
    pub fn load_or_create(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        match File::open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                create(path, now).map_err(|e| unusable(path, "cannot be created", &e))?;
                tracing::info!(path = %path.display(), "made a new key file: keep a copy of it apart from the database's");
                Self::load(path)
            }
            _ => Self::load(path),
        }
    }

    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let source = format!("the key file {}", path.display());
        let mut file = File::open(path).map_err(|e| unusable(path, "cannot be opened", &e))?;
        let meta = file.metadata().map_err(|e| unusable(path, "cannot be read", &e))?;
        if meta.mode() & 0o077 != 0 {
            let mode = meta.mode() & 0o777;
            return Err(StoreError::Setup(format!(
                "{source} can be read by others (mode {mode:04o}): run: chmod 600 {}",
                path.display()
            )));
        }
        let mut text = Zeroizing::new(Vec::with_capacity(4_096));
        file.read_to_end(&mut text).map_err(|e| unusable(path, "cannot be read", &e))?;
        // serde's text could quote a value; where it stands is enough.
        let parsed: KeyFile = serde_json::from_slice(&text).map_err(|e| {
            StoreError::Setup(format!(
                "{source} is not a keyring (line {}, column {}): restore it from your copy",
                e.line(),
                e.column()
            ))
        })?;
        let keys = parsed.keys.iter().map(|(kid, entry)| Ok((kid.clone(), raw_key(kid, entry, &source)?)));
        let keys: Vec<(String, MasterKey)> = keys.collect::<Result<_, StoreError>>()?;
        Self::new(&parsed.primary, keys, &source)
    }
}

fn raw_key(kid: &str, entry: &KeyEntry, source: &str) -> Result<MasterKey, StoreError> {
    entry
        .raw
        .as_deref()
        .and_then(decode_key)
        .ok_or_else(|| StoreError::Setup(format!("{source}: the key {kid:?} must have a field raw of 32 bytes in base64")))
}

/// A whole file appears under the name or none: written beside it, synced, then linked, which fails when somebody was quicker.
fn create(path: &Path, now: Timestamp) -> io::Result<()> {
    let mut key: MasterKey = Zeroizing::new([0u8; KEY_LEN]);
    SystemRandom::new().fill(&mut *key).map_err(|_| io::Error::other("no random bytes"))?;
    let kid = format!("k{}a", now.to_zoned(TimeZone::UTC).year());
    let raw = Zeroizing::new(STANDARD.encode(*key));
    let text = Zeroizing::new(format!("{{\"primary\":\"{kid}\",\"keys\":{{\"{kid}\":{{\"raw\":\"{}\"}}}}}}\n", *raw));

    let temporary = beside(path);
    let published = write_new(&temporary, text.as_bytes()).and_then(|()| match fs::hard_link(&temporary, path) {
        // Another process made it in the meantime: its key counts.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        // A file system without hard links.
        Err(_) if !path.exists() => fs::rename(&temporary, path),
        other => other,
    });
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != ErrorKind::NotFound => published.and(Err(e)),
        _ => published,
    }?;
    File::open(folder_of(path))?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name in the same folder that no other process uses at the same time.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let nanos = Timestamp::now().subsec_nanosecond();
    path.with_file_name(format!(".{name}.{}.{nanos}.tmp", std::process::id()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unusable(path: &Path, what: &str, error: &io::Error) -> StoreError {
    StoreError::Setup(format!(
        "the key file {} {what} ({error}): check that its folder exists and that file and folder belong to this user",
        path.display()
    ))
}
