//! The model and its voices in their folder. `scripts/models.sh kokoro` puts them there and checks their hashes; here only
//! their sizes are looked at.

use super::super::recogniser::WeightsError;
use std::path::{Path, PathBuf};

/// The voice of users who name none.
pub const DEFAULT_VOICE: &str = "af_heart";

/// The folder below the models folder.
const FOLDER: &str = "kokoro-82m";
/// Bytes of `model.onnx`, half precision.
const MODEL_BYTES: u64 = 163_234_740;
/// Bytes of a voice: a style for each count of symbols up to 510.
const VOICE_BYTES: u64 = 510 * 256 * 4;

/// Files that are there and of the right size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KokoroWeights {
    folder: PathBuf,
    /// Sorted.
    voices: Vec<String>,
}

impl KokoroWeights {
    /// Looks below `models`, the folder of all models.
    ///
    /// # Errors
    /// When the model or its default voice is missing or of another size.
    pub fn find(models: &Path) -> Result<Self, WeightsError> {
        let folder = models.join(FOLDER);
        let missing = || WeightsError::VoiceMissing(folder.clone());
        check(&folder.join("model.onnx"), MODEL_BYTES, missing)?;
        check(&voice_file(&folder, DEFAULT_VOICE), VOICE_BYTES, missing)?;
        let listed = std::fs::read_dir(folder.join("voices")).map_err(|_| missing())?;
        let mut voices: Vec<String> = listed.filter_map(|entry| voice_name(&entry.ok()?)).collect();
        voices.sort_unstable();
        Ok(Self { folder, voices })
    }

    pub fn model(&self) -> PathBuf {
        self.folder.join("model.onnx")
    }

    /// Names such as `af_heart`.
    pub fn voices(&self) -> &[String] {
        &self.voices
    }

    pub fn voice(&self, name: &str) -> PathBuf {
        voice_file(&self.folder, name)
    }
}

fn voice_file(folder: &Path, name: &str) -> PathBuf {
    folder.join("voices").join(format!("{name}.bin"))
}

fn check(file: &Path, wanted: u64, missing: impl Fn() -> WeightsError) -> Result<(), WeightsError> {
    let found = std::fs::metadata(file).map_err(|_| missing())?.len();
    if found == wanted { Ok(()) } else { Err(WeightsError::WrongSize { file: file.to_owned(), found, wanted }) }
}

fn voice_name(entry: &std::fs::DirEntry) -> Option<String> {
    let whole = entry.metadata().is_ok_and(|data| data.len() == VOICE_BYTES);
    let name = entry.file_name().into_string().ok()?.strip_suffix(".bin")?.to_owned();
    whole.then_some(name)
}
