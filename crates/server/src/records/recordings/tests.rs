//! Recordings of earlier runs: mended, and sealed where they lie in clear.

use super::track::SealedTrack;
use super::{Bucket, Found, RecordingFault, Recordings};
use crate::config::recordings::BucketKind;
use crate::records::erasure::Eraser;
use bytes::Bytes;
use callie_domain::record::{Cdr, Direction};
use callie_domain::{CallId, UserId};
use callie_media::record::Track as _;
use callie_store::retention::Which;
use callie_store::vault::{DataKey, NewRecording, Standing};
use callie_store::{Keyring, RecordStore, SqliteStore, VaultStore};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::memory::InMemory;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) struct World {
    pub folder: TempDir,
    pub store: Arc<SqliteStore>,
    pub recordings: Recordings,
}

pub(crate) fn call(n: u32) -> CallId {
    CallId::new(Timestamp::from_second(1_800_000_000 + i64::from(n)).expect("a time"), n.into())
}

pub(crate) fn alice() -> UserId {
    "alice".parse().expect("an id")
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = Keyring::from_master_key(&format!("{}=", "A".repeat(43))).expect("a key");
        let store = Arc::new(SqliteStore::open(&folder.path().join("callie.db"), Arc::new(keyring)).expect("opened"));
        let recordings = Recordings::new(store.clone(), folder.path().join("recordings"));
        Self { folder, store, recordings }
    }

    pub async fn keep(&self, n: u32, recording: Option<String>, ended: bool) {
        let at = Timestamp::from_second(1_800_000_000 + i64::from(n)).expect("a time");
        let cdr = Cdr { recording, ended_at: ended.then_some(at), ..Cdr::begun(call(n), alice(), Direction::Inbound, at) };
        if ended { self.store.finish(&cdr, &[]).await } else { self.store.begin(&cdr).await }.expect("kept");
    }

    /// A call with a sealed recording.
    pub async fn record(&self, n: u32, samples: &[u8], complete: bool) -> String {
        let (name, key) = (Recordings::name(&alice(), call(n)), DataKey::draw().expect("drawn"));
        self.keep(n, Some(name.clone()), complete).await;
        let new = NewRecording { call: call(n), user: alice(), key: key.clone() };
        self.store.put_recording_key(new).await.expect("kept");
        let mut track = SealedTrack::create(&self.path(&name), &key, call(n)).expect("created");
        track.append(samples).expect("written");
        if complete {
            track.complete().expect("written");
        }
        name
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("recordings").join(name)
    }

    pub async fn heard(&self, n: u32, name: &str) -> (Vec<u8>, Standing) {
        match self.recordings.open(call(n), name).await.expect("opened") {
            Found::Sealed(player) => {
                let standing = player.standing;
                (player.wav().await.expect("read"), standing)
            }
            Found::Plain(path) => panic!("{} lies in clear", path.display()),
        }
    }
}

fn wav(samples: &[u8]) -> Vec<u8> {
    [callie_media::record::header(samples.len() as u64).as_slice(), samples].concat()
}

#[tokio::test]
async fn what_a_dead_process_left_is_mended_whatever_it_was_about_to_write() {
    let world = World::new();
    let samples: Vec<u8> = (0..9_600).map(|n| (n % 249) as u8).collect();
    for (n, behind) in [&b""[..], b"x", &[7; 500]].into_iter().enumerate() {
        let n = n as u32;
        let name = world.record(n, &samples, false).await;
        let file = world.path(&name);
        let lies = [std::fs::read(&file).expect("there"), behind.to_vec()].concat();
        std::fs::write(&file, &lies).expect("written");
        assert_eq!(world.heard(n, &name).await, (wav(&samples), Standing::Open));
        for _ in 0..2 {
            world.recordings.mend(call(n), &name).await.expect("mended");
            assert_eq!(world.heard(n, &name).await, (wav(&samples), Standing::Mended));
        }
    }
    let name = world.record(9, &samples, true).await;
    world.recordings.mend(call(9), &name).await.expect("nothing to do");
    assert_eq!(world.heard(9, &name).await, (wav(&samples), Standing::Complete));
}

#[tokio::test]
async fn recordings_of_earlier_versions_are_sealed_once_their_calls_have_ended() {
    let world = World::new();
    let samples = [5; 64_000];
    let plain = |n: u32| format!("alice/{}.wav", call(n));
    std::fs::create_dir_all(world.path("alice")).expect("made");
    for n in 1..=4 {
        std::fs::write(world.path(&plain(n)), wav(&samples)).expect("written");
    }
    world.keep(1, Some(plain(1)), true).await;
    world.keep(2, Some(plain(2)), false).await;
    // An interrupted run: the record was written, the file was not deleted yet.
    let done = world.record(3, &samples, true).await;
    // 4 has no record.
    assert_eq!(world.recordings.seal_old(&*world.store).await.expect("sealed"), 1);
    let left = |n: u32| Path::exists(&world.path(&plain(n)));
    assert_eq!([1, 2, 3, 4].map(left), [false, true, false, true]);
    let named = world.store.get(call(1)).await.expect("read").expect("there").recording.expect("named");
    assert_eq!(world.heard(1, &named).await, (wav(&samples), Standing::Complete));
    assert_eq!(world.heard(3, &done).await.1, Standing::Complete);
    assert_eq!(world.recordings.seal_old(&*world.store).await.expect("sealed"), 0, "once");
}

fn in_memory(world: &World, objects: &Arc<InMemory>) -> Recordings {
    world.recordings.clone().in_bucket(Bucket::of(objects.clone(), "here", "s3://calls/here", BucketKind::S3))
}

async fn objects(objects: &InMemory) -> Vec<String> {
    let mut names: Vec<String> = objects.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.expect("listed");
    names.sort_unstable();
    names
}

#[tokio::test]
async fn recordings_of_ended_calls_move_into_the_bucket_and_are_heard_from_there() {
    let world = World::new();
    let kept = Arc::new(InMemory::new());
    let recordings = in_memory(&world, &kept);
    // Over the size from which parts are uploaded.
    let samples: Vec<u8> = (0..9_000_000).map(|n| (n % 247) as u8).collect();
    let ended = world.record(1, &samples, true).await;
    let small = world.record(2, &samples[..50_000], true).await;
    let up = world.record(3, &samples[..50_000], false).await;
    recordings.move_all(&*world.store).await.expect("moved");
    assert_eq!(objects(&kept).await, [format!("here/{ended}"), format!("here/{small}")]);
    assert_eq!([&ended, &small, &up].map(|name| world.path(name).exists()), [false, false, true]);
    let state = recordings.state();
    assert_eq!((state.uploaded, state.pending_uploads, state.problem), (2, 0, None));
    for (n, name, samples) in [(1, &ended, &samples[..]), (2, &small, &samples[..50_000])] {
        let open = async || match recordings.open(call(n), name).await.expect("opened") {
            Found::Sealed(player) => player,
            Found::Plain(path) => panic!("{}", path.display()),
        };
        assert_eq!((open().await.standing, open().await.length()), (Standing::Complete, samples.len() as u64 + 44));
        assert!(open().await.wav().await.expect("read") == wav(samples));
        let part: Vec<Bytes> = open().await.play(40_000..45_000).await.expect("begun").try_collect().await.expect("read");
        assert!(part.concat() == wav(samples)[40_000..45_000]);
    }
}

#[tokio::test]
async fn what_is_erased_leaves_the_bucket_too() {
    let world = World::new();
    let kept = Arc::new(InMemory::new());
    let recordings = in_memory(&world, &kept);
    let first = world.record(1, &[1; 20_000], true).await;
    world.record(2, &[2; 20_000], true).await;
    recordings.move_all(&*world.store).await.expect("moved");
    let copy = kept.get(&format!("here/{first}").into()).await.expect("there").bytes().await.expect("read");

    let eraser = Eraser::new(world.store.clone(), recordings.clone());
    let tally = eraser.erase(&alice(), &Which::All).await.expect("erased");
    assert_eq!((tally.recordings, tally.pending, tally.unreadable), (0, 2, 2));
    assert_eq!(objects(&kept).await.len(), 2, "not yet");
    // A server without the bucket tells what it cannot do.
    world.recordings.move_all(&*world.store).await.expect("nothing to do");
    assert!(world.recordings.state().problem.is_some_and(|problem| problem.contains("CALLIE_RECORDINGS")));
    recordings.move_all(&*world.store).await.expect("deleted");
    assert!(objects(&kept).await.is_empty());
    assert_eq!(recordings.state().pending_deletions, 0);

    kept.put(&format!("here/{first}").into(), copy.into()).await.expect("put back");
    assert!(matches!(recordings.open(call(1), &first).await, Err(RecordingFault::NoKey)));
}
