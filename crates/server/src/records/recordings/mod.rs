//! Recordings: sealed as they are written, opened as they are heard.
//!
//! | module | holds |
//! |---|---|
//! | [`track`] | what the recorder writes to: a sealed file |
//! | [`player`] | a sealed recording as the WAV that it is, whole or in part |
//! | [`bucket`] | a bucket, where recordings are kept in one |
//! | [`moving`] | what is on its way there, and deletions there |
//! | [`aftermath`] | files whose writer died, and those in clear of earlier versions |
//!
//! Names are those of the call records: `alice/01JD….sealed`. Files in clear, of earlier versions, are told apart by their
//! first bytes.

pub mod aftermath;
pub mod bucket;
pub mod moving;
pub mod player;
pub mod track;

pub use bucket::{Bucket, BucketFault};
pub use moving::RecordingsState;
pub use player::Player;

use callie_domain::{CallId, UserId};
use callie_media::record::Recording;
use callie_store::vault::{DataKey, FormatFault, format};
use callie_store::{StoreError, VaultStore};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};
use tokio::io::AsyncReadExt as _;

/// All recordings of this server. Cheap to clone.
#[derive(Clone)]
pub struct Recordings {
    keys: Arc<dyn VaultStore>,
    /// Of all recordings, or of those that are not in the bucket yet.
    folder: Arc<Path>,
    bucket: Option<Bucket>,
    progress: Arc<moving::Progress>,
}

/// A recording that is there.
pub enum Found {
    /// A WAV file in clear, of an earlier version.
    Plain(PathBuf),
    Sealed(Player),
}

#[derive(Debug, thiserror::Error)]
pub enum RecordingFault {
    /// There is no such recording.
    #[error("there is no such recording")]
    Missing,
    #[error("its key is not in this server's database: it was destroyed, or belongs to another server")]
    NoKey,
    #[error("it cannot be opened: {0}")]
    Format(#[from] FormatFault),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bucket(#[from] BucketFault),
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

impl Recordings {
    pub fn new(keys: Arc<dyn VaultStore>, folder: impl Into<PathBuf>) -> Self {
        Self { keys, folder: folder.into().into(), bucket: None, progress: Arc::default() }
    }

    /// Recordings of calls that have ended are kept there.
    #[must_use]
    pub fn in_bucket(self, bucket: Bucket) -> Self {
        Self { bucket: Some(bucket), ..self }
    }

    /// Where they are written while their calls are up, and stay without a bucket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn has_bucket(&self) -> bool {
        self.bucket.is_some()
    }

    /// What the recording of a call is called in its record.
    pub fn name(user: &UserId, call: CallId) -> String {
        format!("{user}/{call}.sealed")
    }

    /// For the recorder; the file is made on its thread.
    pub fn begin(&self, name: &str, call: CallId, key: &DataKey) -> Option<Recording> {
        let (path, key) = (self.path(name)?, key.clone());
        Some(Recording::new(path.display().to_string(), move || Ok(Box::new(track::SealedTrack::create(&path, &key, call)?))))
    }

    pub async fn open(&self, call: CallId, name: &str) -> Result<Found, RecordingFault> {
        let path = self.path(name).ok_or(RecordingFault::Missing)?;
        let mut file = match (tokio::fs::File::open(&path).await, &self.bucket) {
            (Err(error), Some(bucket)) if error.kind() == io::ErrorKind::NotFound => {
                let key = self.keys.recording_key(call).await?.ok_or(RecordingFault::NoKey)?;
                return Ok(Found::Sealed(Player::of_object(bucket.clone(), name, &key, call).await?));
            }
            (opened, _) => opened.map_err(or_missing)?,
        };
        let mut beginning = [0; format::HEADER_LEN];
        match file.read_exact(&mut beginning).await {
            Ok(_) if format::is_sealed(&beginning) => {
                let key = self.keys.recording_key(call).await?.ok_or(RecordingFault::NoKey)?;
                Ok(Found::Sealed(Player::of_file(file, &beginning, &key, call).await?))
            }
            Ok(_) => Ok(Found::Plain(path)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Found::Plain(path)),
            Err(error) => Err(error.into()),
        }
    }

    /// Sees to it that recordings whose keys were destroyed are deleted in the bucket, too, in a while. Gives how many.
    pub async fn delete_in_bucket(&self, names: &[String]) -> Result<u64, StoreError> {
        if self.bucket.is_none() || names.is_empty() {
            return Ok(0);
        }
        self.keys.delete_later(names).await?;
        self.progress.bell.notify_one();
        Ok(names.len() as u64)
    }

    /// On the disk; `false` when there was no such file.
    pub async fn delete(&self, name: &str) -> io::Result<bool> {
        let Some(path) = self.path(name) else { return Ok(false) };
        match tokio::fs::remove_file(path).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The file's path, if its name stays below the folder.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        (is_plain && !name.is_empty()).then(|| self.folder.join(name))
    }
}

impl fmt::Debug for Recordings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recordings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

fn or_missing(error: io::Error) -> RecordingFault {
    if error.kind() == io::ErrorKind::NotFound { RecordingFault::Missing } else { error.into() }
}

#[cfg(test)]
pub(crate) mod tests;
