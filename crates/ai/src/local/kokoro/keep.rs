//! Sentences that were rendered once, on disk as WAV files: whatever is in a file is what is played. Bounded; the oldest goes.

use super::super::synthesiser::SAMPLE_RATE;
use callie_media::wav::Wav;
use std::{
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Files kept: some hundred users' greetings of a few sentences, of about 50 KB each.
const MOST_FILES: usize = 2_000;
/// What is longer is no sentence of ours: 2 minutes.
const MOST_SAMPLES: usize = 120 * SAMPLE_RATE as usize;

/// A folder of sentences, each under its key.
#[derive(Debug, Clone)]
pub struct Keep {
    folder: PathBuf,
}

impl Keep {
    /// The folder is made when there is something to keep.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The sentence with this key (mono, 8 kHz), if it is there and whole.
    pub fn get(&self, key: &[u8; 32]) -> Option<Vec<i16>> {
        let bytes = std::fs::read(self.file(key)).ok()?;
        let wav = Wav::parse(&bytes).ok()?;
        let whole = bytes.len() == HEADER + wav.data.len() && wav.data.len() == announced(&bytes);
        let is_ours = wav.sample_rate_hz == SAMPLE_RATE && wav.channels == 1 && wav.data.len() <= 2 * MOST_SAMPLES;
        (whole && is_ours).then(|| wav.channel(0).collect())
    }

    /// Keeps a sentence. A reader sees it whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn put(&self, key: &[u8; 32], samples: &[i16]) -> io::Result<()> {
        if samples.is_empty() || samples.len() > MOST_SAMPLES {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)?;
        self.make_room()?;
        let file = self.file(key);
        // Two threads may render the same sentence.
        let part = file.with_extension(format!("{:?}.part", std::thread::current().id()));
        std::fs::write(&part, wave(samples))?;
        std::fs::rename(&part, &file)
    }

    fn file(&self, key: &[u8; 32]) -> PathBuf {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name).with_extension("wav")
    }

    fn make_room(&self) -> io::Result<()> {
        let listed = std::fs::read_dir(&self.folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut files: Vec<PathBuf> = listed.filter(|path| is_kept(path)).collect();
        let over = (files.len() + 1).saturating_sub(MOST_FILES);
        if over > 0 {
            files.sort_by_cached_key(|path| age(path));
        }
        files.into_iter().take(over).try_for_each(std::fs::remove_file)
    }
}

/// Nothing else in the folder is touched.
fn is_kept(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wav")
}

fn age(path: &Path) -> SystemTime {
    std::fs::metadata(path).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Bytes before the samples.
const HEADER: usize = 44;

/// Bytes of samples that the header speaks of.
fn announced(bytes: &[u8]) -> usize {
    let size = bytes.get(HEADER - 4..HEADER).and_then(|size| size.try_into().ok()).map_or(0, u32::from_le_bytes);
    usize::try_from(size).unwrap_or(usize::MAX)
}

fn wave(samples: &[i16]) -> Vec<u8> {
    let size = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + samples.len() * 2);
    bytes.extend(b"RIFF");
    bytes.extend((size + HEADER as u32 - 8).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    bytes.extend([SAMPLE_RATE, SAMPLE_RATE * 2].map(u32::to_le_bytes).concat());
    bytes.extend([2_u16, 16].map(u16::to_le_bytes).concat());
    bytes.extend(b"data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep::new(folder.path().join("voice"));
        assert_eq!(keep.get(&[1; 32]), None);
        keep.put(&[1; 32], &[1, -2, i16::MAX]).expect("written");
        assert_eq!(keep.get(&[1; 32]), Some(vec![1, -2, i16::MAX]));
        assert_eq!(keep.get(&[2; 32]), None);
    }

    #[test]
    fn a_file_cut_short_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep::new(folder.path().to_owned());
        keep.put(&[1; 32], &[7; 100]).expect("written");
        let bytes = std::fs::read(keep.file(&[1; 32])).expect("there");
        for length in [0, 10, HEADER, bytes.len() - 2, bytes.len() - 1] {
            std::fs::write(keep.file(&[1; 32]), &bytes[..length]).expect("written");
            assert_eq!(keep.get(&[1; 32]), None, "{length}");
        }
    }

    #[test]
    fn the_oldest_makes_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let keep = Keep::new(folder.path().to_owned());
        std::fs::write(folder.path().join("notes.txt"), "not ours").expect("written");
        for n in 0..=MOST_FILES {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(n as u64).to_le_bytes());
            std::fs::write(keep.file(&key), wave(&[1])).expect("written");
            let file = std::fs::File::options().write(true).open(keep.file(&key)).expect("there");
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(n as u64)).expect("dated");
        }
        keep.put(&[9; 32], &[1]).expect("written");
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), MOST_FILES + 1);
        assert!(keep.get(&[0; 32]).is_none() && keep.get(&[9; 32]).is_some());
    }
}
