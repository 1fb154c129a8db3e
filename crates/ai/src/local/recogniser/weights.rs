//! The model's files in their folder. `scripts/models.sh` puts them there and checks their hashes; here only their sizes are
//! looked at, which tells a file that is missing, cut short or of another model.

use std::path::{Path, PathBuf};

/// The folder below the models folder.
const FOLDER: &str = "moonshine-tiny-en";

/// Name and size in bytes of each file.
const FILES: [(&str, u64); 3] =
    [("encoder_model.onnx", 7_937_661), ("decoder_model_merged.onnx", 20_243_286), ("tokens.txt", 242_918)];

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    #[error("there are no speech recognition weights in {0}: fetch them with scripts/models.sh")]
    Missing(PathBuf),
    #[error("there is no kokoro voice in {0}: fetch it with scripts/models.sh kokoro")]
    VoiceMissing(PathBuf),
    #[error("{file} is not the file it should be ({found} bytes, not {wanted}): fetch it again with scripts/models.sh")]
    WrongSize { file: PathBuf, found: u64, wanted: u64 },
    #[error("{file} cannot be read: {detail}")]
    Unreadable { file: PathBuf, detail: String },
}

/// Files that are there and of the right size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    folder: PathBuf,
}

impl Weights {
    /// Looks below `models`, the folder of all models.
    pub fn find(models: &Path) -> Result<Self, WeightsError> {
        let folder = models.join(FOLDER);
        for (name, wanted) in FILES {
            let file = folder.join(name);
            let found = std::fs::metadata(&file).map_err(|_| WeightsError::Missing(folder.clone()))?.len();
            if found != wanted {
                return Err(WeightsError::WrongSize { file, found, wanted });
            }
        }
        Ok(Self { folder })
    }

    pub fn encoder(&self) -> PathBuf {
        self.folder.join(FILES[0].0)
    }

    pub fn decoder(&self) -> PathBuf {
        self.folder.join(FILES[1].0)
    }

    pub fn tokens(&self) -> PathBuf {
        self.folder.join(FILES[2].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_and_a_short_file_are_told_apart() {
        let models = std::env::temp_dir().join(format!("callie-weights-{}", std::process::id()));
        let missing = Weights::find(&models).expect_err("nothing there");
        assert!(missing.to_string().contains("scripts/models.sh"), "{missing}");

        std::fs::create_dir_all(models.join(FOLDER)).expect("a folder");
        std::fs::write(models.join(FOLDER).join(FILES[0].0), b"cut short").expect("a file");
        let short = Weights::find(&models).expect_err("short");
        assert!(matches!(short, WeightsError::WrongSize { found: 9, .. }), "{short}");
        std::fs::remove_dir_all(&models).expect("removed");
    }
}
