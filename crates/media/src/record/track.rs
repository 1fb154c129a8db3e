//! What a recording is written to: decided by whoever opens it, driven by the recorder's thread.

use super::file::StereoWav;
use std::{fmt, io, path::PathBuf};

/// Takes a recording's samples: pairs of little-endian PCM16 at 8 kHz, left and right.
pub trait Track: Send {
    /// Called about five times a second. After an error nothing more is given to the track.
    ///
    /// # Errors
    /// The samples cannot be written.
    fn append(&mut self, pairs: &[u8]) -> io::Result<()>;

    /// The recording ends here; without it the process has died.
    ///
    /// # Errors
    /// The end cannot be written.
    fn complete(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Begin = Box<dyn FnOnce() -> io::Result<Box<dyn Track>> + Send>;

/// A recording that is to begin.
pub struct Recording {
    /// For the text of a failure.
    pub(super) name: String,
    pub(super) begin: Begin,
}

impl Recording {
    /// `begin` is called on the recorder's thread.
    pub fn new(name: impl Into<String>, begin: impl FnOnce() -> io::Result<Box<dyn Track>> + Send + 'static) -> Self {
        Self { name: name.into(), begin: Box::new(begin) }
    }

    /// A WAV file in clear; it must not exist yet.
    #[must_use]
    pub fn plain(path: PathBuf) -> Self {
        Self::new(path.display().to_string(), move || Ok(Box::new(StereoWav::create(&path)?)))
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recording").field(&self.name).finish()
    }
}
