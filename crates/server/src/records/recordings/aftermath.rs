//! What earlier runs left: recordings whose writer died are given an end, and those in clear, of earlier versions, are sealed.

use super::{RecordingFault, Recordings};
use callie_domain::{CallId, UserId};
use callie_media::record::{HEADER_BYTES, RepairError, Track as _, repair};
use callie_store::vault::{DataKey, NewRecording, Opener, format};
use callie_store::{RecordStore, StoreError};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// What is sealed at once.
const PIECE: usize = 256 * 1024;

impl Recordings {
    /// Gives a recording whose writer died an end: what is whole of it is heard from now on as of any other.
    pub async fn mend(&self, call: CallId, name: &str) -> Result<(), RecordingFault> {
        let path = self.path(name).ok_or(RecordingFault::Missing)?;
        let key = self.keys.recording_key(call).await?;
        blocking(move || mend(&path, key.as_ref(), call)).await
    }

    /// Seals the WAV files of earlier versions, one after the other; gives how many. A file is deleted once the sealed one is on the
    /// disk and the record names it.
    pub async fn seal_old(&self, records: &dyn RecordStore) -> Result<usize, RecordingFault> {
        let folder = self.folder.clone();
        let mut sealed = 0;
        for name in blocking(move || Ok(files(&folder, ".wav")?)).await? {
            let Some(call) = Path::new(&name).file_stem().and_then(|stem| stem.to_str()?.parse::<CallId>().ok()) else {
                continue;
            };
            let Some(cdr) = records.get(call).await?.filter(|cdr| cdr.ended_at.is_some()) else { continue };
            let new_name = Self::name(&cdr.user_id, call);
            if cdr.recording.as_deref() == Some(&name) {
                self.seal_one(call, &name, &new_name, cdr.user_id).await?;
                if self.keys.rename_recording(call, &new_name).await? {
                    sealed += 1;
                } else {
                    // Erased meanwhile.
                    self.delete(&new_name).await?;
                }
            } else if cdr.recording.as_deref() != Some(&new_name) {
                continue;
            }
            self.delete(&name).await?;
        }
        Ok(sealed)
    }

    async fn seal_one(&self, call: CallId, name: &str, new_name: &str, user: UserId) -> Result<(), RecordingFault> {
        let (Some(from), Some(to)) = (self.path(name), self.path(new_name)) else { return Err(RecordingFault::Missing) };
        // What an interrupted run left of it.
        self.delete(new_name).await?;
        let key = DataKey::draw().map_err(|fault| StoreError::Unavailable(fault.to_string()))?;
        self.keys.put_recording_key(NewRecording { call, user, key: key.clone() }).await?;
        blocking(move || seal_file(&from, &to, &key, call)).await
    }
}

fn mend(path: &Path, key: Option<&DataKey>, call: CallId) -> Result<(), RecordingFault> {
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(super::or_missing)?;
    let mut beginning = Vec::with_capacity(format::HEADER_LEN);
    (&file).take(format::HEADER_LEN as u64).read_to_end(&mut beginning)?;
    if !format::is_sealed(&beginning) {
        return match repair(path) {
            Ok(_) => Ok(()),
            Err(RepairError::Io(error)) => Err(error.into()),
            Err(RepairError::Foreign) => Err(format::FormatFault::Foreign.into()),
        };
    }
    let opener = Opener::new(&beginning, key.ok_or(RecordingFault::NoKey)?, call)?;
    let cut = opener.cut(file.metadata()?.len());
    let place = opener.place(cut.full);
    file.seek(SeekFrom::Start(place))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    if opener.open_end(cut.full, &rest).is_some() {
        return Ok(());
    }
    file.set_len(place)?;
    file.seek(SeekFrom::Start(place))?;
    file.write_all(&opener.mend(cut.full)?)?;
    Ok(file.sync_all()?)
}

fn seal_file(from: &Path, to: &Path, key: &DataKey, call: CallId) -> Result<(), RecordingFault> {
    // One that was never mended ends where its header says.
    repair(from).map_err(|fault| match fault {
        RepairError::Io(error) => RecordingFault::Io(error),
        RepairError::Foreign => format::FormatFault::Foreign.into(),
    })?;
    let mut wav = File::open(from)?;
    wav.seek(SeekFrom::Start(HEADER_BYTES))?;
    let mut track = super::track::SealedTrack::create(to, key, call)?;
    let mut piece = vec![0; PIECE];
    loop {
        match wav.read(&mut piece)? {
            0 => break,
            read => track.append(piece.get(..read).unwrap_or_default())?,
        }
    }
    track.complete()?;
    Ok(File::open(to)?.sync_all()?)
}

/// The names of all files with this ending: `alice/01JD….wav`.
pub(super) fn files(folder: &Path, ending: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    let Ok(users) = folder.read_dir() else { return Ok(names) };
    for user in users {
        let user = user?;
        if !user.file_type()?.is_dir() {
            continue;
        }
        for file in user.path().read_dir()? {
            let file = file?.path();
            let name = file.strip_prefix(folder).ok().and_then(Path::to_str);
            names.extend(name.filter(|name| name.ends_with(ending)).map(str::to_owned));
        }
    }
    Ok(names)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordingFault> + Send + 'static,
) -> Result<T, RecordingFault> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
