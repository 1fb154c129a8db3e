//! A recording in clear: a WAV header of 44 bytes that is patched as the data grows.

use super::track::Track;
use crate::NARROWBAND_HZ;
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::Path,
};

pub const HEADER_BYTES: u64 = 44;
const CHANNELS: u16 = 2;
/// Bytes of one pair of samples.
const PAIR_BYTES: u16 = 2 * CHANNELS;
const RIFF_SIZE_AT: u64 = 4;
const DATA_SIZE_AT: u64 = 40;

/// A recording being written.
#[derive(Debug)]
pub(super) struct StereoWav {
    file: File,
    data_bytes: u64,
}

impl StereoWav {
    /// Makes the file, readable by its owner alone, and the folders above it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&header(0))?;
        Ok(Self { file, data_bytes: 0 })
    }
}

impl Track for StereoWav {
    /// Appends pairs of little-endian samples, then corrects the header: in this order a reader never sees sizes beyond the
    /// file's end.
    fn append(&mut self, pairs: &[u8]) -> io::Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        self.file.write_all(pairs)?;
        self.data_bytes += pairs.len() as u64;
        patch(&self.file, self.data_bytes)
    }
}

/// What [`repair`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repaired {
    /// The header did not fit the file's length.
    pub changed: bool,
    /// Pairs of samples at 8 kHz.
    pub pairs: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    #[error("not a recording of ours")]
    Foreign,
    #[error("cannot repair the recording")]
    Io(#[from] io::Error),
}

/// Makes the header of a recording fit its length: for files whose writer was killed between writing and patching.
///
/// # Errors
/// [`RepairError::Foreign`] when the file has another format; it is not touched.
pub fn repair(path: &Path) -> Result<Repaired, RepairError> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut found = [0; HEADER_BYTES as usize];
    if length < HEADER_BYTES {
        return Err(RepairError::Foreign);
    }
    file.read_exact(&mut found)?;
    let data_bytes = (length - HEADER_BYTES) / u64::from(PAIR_BYTES) * u64::from(PAIR_BYTES);
    let wanted = header(data_bytes);
    if without_sizes(&found) != without_sizes(&wanted) {
        return Err(RepairError::Foreign);
    }
    let changed = found != wanted || length != HEADER_BYTES + data_bytes;
    if changed {
        file.set_len(HEADER_BYTES + data_bytes)?;
        patch(&file, data_bytes)?;
    }
    Ok(Repaired { changed, pairs: data_bytes / u64::from(PAIR_BYTES) })
}

fn patch(file: &File, data_bytes: u64) -> io::Result<()> {
    file.write_all_at(&size_field(data_bytes), DATA_SIZE_AT)?;
    file.write_all_at(&size_field(data_bytes + HEADER_BYTES - 8), RIFF_SIZE_AT)
}

/// RIFF counts in 32 bits: beyond 37 hours the file grows on and its header stands still.
fn size_field(bytes: u64) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

fn without_sizes(header: &[u8; HEADER_BYTES as usize]) -> [u8; HEADER_BYTES as usize] {
    let mut bare = *header;
    bare[RIFF_SIZE_AT as usize..][..4].fill(0);
    bare[DATA_SIZE_AT as usize..][..4].fill(0);
    bare
}

/// The header of a recording of so many bytes of samples.
#[must_use]
pub fn header(data_bytes: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &size_field(data_bytes + HEADER_BYTES - 8),
        b"WAVE",
        b"fmt ",
        &16_u32.to_le_bytes(),
        &1_u16.to_le_bytes(), // PCM
        &CHANNELS.to_le_bytes(),
        &NARROWBAND_HZ.to_le_bytes(),
        &(NARROWBAND_HZ * u32::from(PAIR_BYTES)).to_le_bytes(),
        &PAIR_BYTES.to_le_bytes(),
        &16_u16.to_le_bytes(),
        b"data",
        &size_field(data_bytes),
    ];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav::Wav;
    use std::{fs, os::unix::fs::PermissionsExt};

    const PAIRS: [u8; 12] = [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0];

    fn left_and_right(path: &Path) -> (Vec<i16>, Vec<i16>) {
        let bytes = fs::read(path).expect("readable");
        let wav = Wav::parse(&bytes).expect("a wav file");
        assert_eq!((wav.channels, wav.sample_rate_hz), (2, 8_000));
        (wav.channel(0).collect(), wav.channel(1).collect())
    }

    #[test]
    fn is_readable_after_each_append_and_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("2026/11/call.wav");
        let mut wav = StereoWav::create(&path).expect("created");
        for appended in 1..=2 {
            wav.append(&PAIRS).expect("appended");
            let (left, right) = left_and_right(&path);
            assert_eq!(left, [1, 3, 5].repeat(appended));
            assert_eq!(right, [2, 4, 6].repeat(appended));
        }
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert!(StereoWav::create(&path).is_err(), "evidence is never overwritten");
    }

    #[test]
    fn repairs_what_a_killed_writer_left() {
        let folder = tempfile::tempdir().expect("a folder");
        // Bytes that reached the file after the last patch of its header, and the pairs that are whole.
        for (orphaned, pairs) in [(&[][..], 3), (&[7, 0, 8, 0][..], 4), (&[7, 0, 8][..], 3)] {
            let path = folder.path().join(format!("{}.wav", orphaned.len()));
            let mut wav = StereoWav::create(&path).expect("created");
            wav.append(&PAIRS).expect("appended");
            wav.file.write_all(orphaned).expect("written");
            assert_eq!(repair(&path).expect("ours"), Repaired { changed: !orphaned.is_empty(), pairs });
            assert_eq!(left_and_right(&path).0.len() as u64, pairs);
            assert_eq!(repair(&path).expect("ours"), Repaired { changed: false, pairs });
        }
    }

    #[test]
    fn leaves_foreign_files_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("foreign");
        for content in [&b"RIFF"[..], &[0; 100]] {
            fs::write(&path, content).expect("written");
            assert!(matches!(repair(&path), Err(RepairError::Foreign)));
            assert_eq!(fs::read(&path).expect("readable"), content);
        }
    }
}
