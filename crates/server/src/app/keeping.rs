//! Recordings: where they are kept, what the last run left, and what becomes of them.

use super::ground::Ground;
use crate::config::{Config, RecordingsPlace};
use crate::records::Recordings;
use crate::records::erasure::Eraser;
use crate::records::recordings::{Bucket, BucketFault, RecordingFault};
use callie_store::{RecordStore, SqliteStore};
use jiff::Timestamp;
use std::sync::Arc;

/// Opens the place; calls that the last run left open are closed, and their recordings mended.
pub(super) async fn open(config: &Config, records: &Arc<SqliteStore>) -> anyhow::Result<Recordings> {
    let recordings = kept_in(config, records).await?;
    close_orphans(records, &recordings).await?;
    Ok(recordings)
}

/// Moves, seals and forgets them for as long as the server runs. What erases is the API's, too.
pub(super) fn follow(ground: &Ground<'_>) -> Eraser {
    let Ground { users, records, recordings, feed, tasks, .. } = ground;
    tasks.beside(seal_old(recordings.clone(), records.clone()));
    let (moving, of, ended) = (recordings.clone(), records.clone(), feed.subscribe());
    tasks.beside(async move { moving.keep_moving(of, ended).await });
    let eraser = Eraser::new(records.clone(), recordings.clone());
    tasks.beside(eraser.clone().follow(users.watch()));
    eraser
}

/// Where the configuration says. A bucket that does not answer is waited for; one that refuses us is not.
async fn kept_in(config: &Config, keys: &Arc<SqliteStore>) -> anyhow::Result<Recordings> {
    let folder = match &config.media.recordings {
        RecordingsPlace::Folder(folder) => folder.clone(),
        _ => config.data_dir.join("recordings"),
    };
    let recordings = Recordings::new(keys.clone(), folder);
    let RecordingsPlace::Bucket(settings) = &config.media.recordings else { return Ok(recordings) };
    let bucket = Bucket::new(settings)?;
    match bucket.probe().await {
        Ok(()) => {}
        Err(fault @ BucketFault::Refused(_)) => return Err(fault.into()),
        Err(fault @ BucketFault::Away(_)) => {
            tracing::warn!(%fault, "recordings stay on the disk until their bucket answers: {fault}");
        }
    }
    Ok(recordings.in_bucket(bucket))
}

async fn close_orphans(store: &SqliteStore, recordings: &Recordings) -> anyhow::Result<()> {
    for cdr in RecordStore::close_orphans(store, Timestamp::now()).await? {
        tracing::warn!(call.id = %cdr.id, user.id = %cdr.user_id, "a call was lost when the server died; its record is closed");
        let Some(name) = cdr.recording else { continue };
        match recordings.mend(cdr.id, &name).await {
            Ok(()) | Err(RecordingFault::Missing) => {}
            Err(error) => tracing::warn!(%error, file = name, "the recording of a lost call could not be mended"),
        }
    }
    Ok(())
}

/// Recordings in clear, of earlier versions.
async fn seal_old(recordings: Recordings, records: Arc<SqliteStore>) {
    match recordings.seal_old(&*records).await {
        Ok(0) => {}
        Ok(sealed) => tracing::info!(sealed, "sealed recordings that an earlier version left in clear"),
        Err(error) => tracing::warn!(%error, "recordings of an earlier version stay in clear until the next start"),
    }
}
