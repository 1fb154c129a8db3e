//! The recorder's end of a sealed recording. No sample reaches the disk in clear: what does not fill a chunk waits in memory,
//! a tenth of a second of it.

use callie_domain::CallId;
use callie_media::record::Track;
use callie_store::vault::{DataKey, FormatFault, Sealer};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A sealed recording being written.
pub struct SealedTrack {
    file: File,
    sealer: Sealer,
    /// What is written at once; kept for its room.
    sealed: Vec<u8>,
}

impl SealedTrack {
    /// Makes the file, readable by its owner alone, and the folders above it.
    pub fn create(path: &Path, key: &DataKey, call: CallId) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut sealed = Vec::new();
        let sealer = Sealer::begin(key, call, &mut sealed).map_err(other)?;
        let mut track = Self { file, sealer, sealed };
        track.write()?;
        Ok(track)
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.sealed)?;
        self.sealed.clear();
        Ok(())
    }
}

impl Track for SealedTrack {
    fn append(&mut self, pairs: &[u8]) -> io::Result<()> {
        self.sealer.seal(pairs, &mut self.sealed).map_err(other)?;
        self.write()
    }

    fn complete(&mut self) -> io::Result<()> {
        self.sealer.end(&mut self.sealed).map_err(other)?;
        self.write()
    }
}

fn other(fault: FormatFault) -> io::Error {
    io::Error::other(fault)
}
