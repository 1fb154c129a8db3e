//! Sealed recordings: what opens, what does not, and what is left once a key is destroyed.

use callie_domain::record::{Cdr, Direction};
use callie_domain::{CallId, UserId};
use callie_store::retention::{RetentionStore, Which};
use callie_store::vault::format::{CHUNK, HEADER_LEN, TAG_LEN};
use callie_store::vault::{Cut, DataKey, Destroyed, NewRecording, Opener, Sealer, Standing};
use callie_store::{Keyring, RecordStore, SqliteStore, VaultStore};
use jiff::Timestamp;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const CHUNK_BYTES: usize = CHUNK as usize;
const SEALED: usize = CHUNK_BYTES + TAG_LEN;
/// Where the header has it.
const CHUNK_SIZE: std::ops::Range<usize> = 8..12;

fn call(n: u32) -> CallId {
    CallId::new(Timestamp::from_second(1_800_000_000 + i64::from(n)).expect("a time"), n.into())
}

fn user(name: &str) -> UserId {
    name.parse().expect("an id")
}

fn clear(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 % 251) as u8).collect()
}

/// As the recorder does it: in pieces of 200 ms.
fn sealed(key: &DataKey, of: CallId, clear: &[u8], ended: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut sealer = Sealer::begin(key, of, &mut file).expect("begun");
    clear.chunks(6_400).for_each(|piece| sealer.seal(piece, &mut file).expect("sealed"));
    if ended {
        sealer.end(&mut file).expect("ended");
    }
    file
}

/// What a player makes of a file: what opens from its beginning, and how it ends. `Err`: the first chunk that does not open.
fn opened(key: &DataKey, of: CallId, file: &[u8]) -> Result<(Vec<u8>, Standing), u64> {
    let opener = Opener::new(file, key, of).map_err(|_| 0u64)?;
    let Cut { full, .. } = opener.cut(file.len() as u64);
    let mut heard = Vec::new();
    for number in 0..full {
        let at = opener.place(number) as usize;
        let mut chunk = file[at..at + SEALED].to_vec();
        heard.extend_from_slice(opener.open(number, &mut chunk).map_err(|_| number)?);
    }
    let standing = match opener.open_end(full, &file[opener.place(full) as usize..]) {
        Some((standing, rest)) => {
            heard.extend(rest);
            standing
        }
        None => Standing::Open,
    };
    Ok((heard, standing))
}

#[test]
fn what_was_sealed_opens_whatever_its_length() {
    let key = DataKey::draw().expect("drawn");
    for len in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 6_400, 100_001] {
        let file = sealed(&key, call(1), &clear(len), true);
        assert_eq!(file.len(), HEADER_LEN + len + (len / CHUNK_BYTES + 1) * TAG_LEN);
        assert_eq!(opened(&key, call(1), &file), Ok((clear(len), Standing::Complete)), "{len}");
    }
}

#[test]
fn what_a_killed_process_left_opens_to_its_last_whole_chunk_and_is_mended_once() {
    let key = DataKey::draw().expect("drawn");
    let whole = sealed(&key, call(1), &clear(10 * CHUNK_BYTES), false);
    for lost in [0, 1, TAG_LEN, SEALED - 1, SEALED, SEALED + 1] {
        let mut file = whole[..whole.len() - lost].to_vec();
        let left = clear(10 * CHUNK_BYTES - lost.div_ceil(SEALED) * CHUNK_BYTES);
        assert_eq!(opened(&key, call(1), &file), Ok((left.clone(), Standing::Open)), "{lost}");
        let opener = Opener::new(&file, &key, call(1)).expect("ours");
        let Cut { full, .. } = opener.cut(file.len() as u64);
        file.truncate(opener.place(full) as usize);
        file.extend(opener.mend(full).expect("mended"));
        assert_eq!(opened(&key, call(1), &file), Ok((left, Standing::Mended)), "{lost}");
    }
}

#[test]
fn chunks_open_in_their_place_alone() {
    let key = DataKey::draw().expect("drawn");
    let file = sealed(&key, call(1), &clear(5 * CHUNK_BYTES + 7), true);
    let chunk = |n: usize| HEADER_LEN + n * SEALED..HEADER_LEN + (n + 1) * SEALED;

    let mut swapped = file.clone();
    swapped[chunk(1)].copy_from_slice(&file[chunk(2)]);
    swapped[chunk(2)].copy_from_slice(&file[chunk(1)]);
    assert_eq!(opened(&key, call(1), &swapped), Err(1), "two in each other's place");

    let mut without = file.clone();
    without.drain(chunk(3));
    assert_eq!(opened(&key, call(1), &without), Err(3), "one is missing");

    let mut twice = file.clone();
    twice.splice(chunk(1).end..chunk(1).end, file[chunk(1)].to_vec());
    assert_eq!(opened(&key, call(1), &twice), Err(2), "one comes twice");

    let other = sealed(&key, call(1), &clear(5 * CHUNK_BYTES + 7), true);
    let mut mixed = file.clone();
    mixed[chunk(4)].copy_from_slice(&other[chunk(4)]);
    assert_eq!(opened(&key, call(1), &mixed), Err(4), "of another recording under the same key");

    assert_eq!(opened(&key, call(2), &file), Err(0), "another call");
    assert_eq!(opened(&DataKey::draw().expect("drawn"), call(1), &file), Err(0), "another key");
    let (heard, standing) = opened(&key, call(1), &file[..chunk(4).end]).expect("chunks that are whole");
    assert_eq!((heard.len(), standing), (5 * CHUNK_BYTES, Standing::Open), "cut at a chunk's end, which is told");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_is_noticed(len in 0..12_000usize, at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let key = DataKey::draw().expect("drawn");
        let mut file = sealed(&key, call(1), &clear(len), true);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        if let Ok((heard, standing)) = opened(&key, call(1), &file) {
            // Of the end nothing is heard, and that it is missing is told.
            prop_assert_eq!(standing, Standing::Open);
            // Where the header says that chunks are longer than the file, there is none to be heard.
            let whole = if CHUNK_SIZE.contains(&at) { 0 } else { len / CHUNK_BYTES };
            prop_assert_eq!(heard, clear(whole * CHUNK_BYTES));
        }
    }

    #[test]
    fn a_shorter_file_is_never_complete(len in 0..12_000usize, keep in any::<prop::sample::Index>()) {
        let key = DataKey::draw().expect("drawn");
        let file = sealed(&key, call(1), &clear(len), true);
        let file = &file[..keep.index(file.len())];
        if let Ok((heard, standing)) = opened(&key, call(1), file) {
            prop_assert_eq!(standing, Standing::Open);
            prop_assert_eq!(&heard, &clear(heard.len()), "what is heard is the beginning");
        }
    }

    #[test]
    fn strangers_bytes_are_no_recording(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = DataKey::draw().expect("drawn");
        let mut like_ours = sealed(&key, call(1), &[], false);
        like_ours.truncate(12);
        for file in [bytes.clone(), [like_ours, bytes].concat()] {
            if let Ok(opener) = Opener::new(&file, &key, call(1)) {
                let Cut { full, .. } = opener.cut(file.len() as u64);
                let rest = file.get(opener.place(full) as usize..).unwrap_or_default();
                prop_assert!(opener.open_end(full, rest).is_none());
            }
        }
    }
}

fn keyring(primary: &str, kids: &[(&str, u8)]) -> Arc<Keyring> {
    let keys = kids.iter().map(|(kid, byte)| ((*kid).to_owned(), [*byte; 32].into()));
    Arc::new(Keyring::new(primary, keys, "a test").expect("keys"))
}

fn store(folder: &Path, keyring: Arc<Keyring>) -> SqliteStore {
    SqliteStore::open(&folder.join("callie.db"), keyring).expect("opened")
}

/// A call with a recording; gives the recording as it lies on disk.
async fn record(store: &SqliteStore, of: &UserId, n: u32, ended: bool) -> Vec<u8> {
    let begun = Cdr { recording: Some(format!("{of}/{n}.sealed")), ..cdr(of, n) };
    store.begin(&begun).await.expect("kept");
    let key = DataKey::draw().expect("drawn");
    let recording = NewRecording { call: call(n), user: of.clone(), key: key.clone() };
    store.put_recording_key(recording).await.expect("kept");
    if ended {
        store.finish(&Cdr { ended_at: Some(begun.started_at), ..begun }, &[]).await.expect("kept");
    }
    sealed(&key, call(n), &clear(9_999), true)
}

fn cdr(of: &UserId, n: u32) -> Cdr {
    let party = if n.is_multiple_of(2) { "sip:even@example.com" } else { "sip:odd@example.com" };
    let at = Timestamp::from_second(1_800_000_000 + i64::from(n)).expect("a time");
    Cdr { from: party.into(), ..Cdr::begun(call(n), of.clone(), Direction::Inbound, at) }
}

async fn is_readable(store: &SqliteStore, n: u32, file: &[u8]) -> bool {
    match store.recording_key(call(n)).await.expect("asked") {
        Some(key) => opened(&key, call(n), file) == Ok((clear(9_999), Standing::Complete)),
        None => false,
    }
}

/// The wrapped keys as they lie in the database, and users' sealed keys.
fn wrapped(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let conn = rusqlite::Connection::open(folder.join("callie.db")).expect("opened");
    let sql = "SELECT call_id, wrapped FROM recording_keys UNION ALL SELECT user_id, CAST(sealed AS BLOB) FROM tenant_keys";
    let mut query = conn.prepare(sql).expect("a query");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.collect::<Result<_, _>>().expect("read")
}

fn bytes(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.flat_map(|path| std::fs::read(path).expect("readable")).collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_recording_opens_with_the_key_that_was_kept_and_another_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let ring = keyring("k", &[("k", 7)]);
    let store_now = store(folder.path(), ring.clone());
    let file = record(&store_now, &user("alice"), 1, true).await;
    assert!(is_readable(&store_now, 1, &file).await);
    let key_id = store_now.tenant_key_id(&user("alice")).await.expect("asked");
    record(&store_now, &user("alice"), 2, true).await;
    assert_eq!(store_now.tenant_key_id(&user("alice")).await.expect("asked"), key_id, "one key for all of a user's");
    store_now.close().await;
    let later = store(folder.path(), ring);
    assert!(is_readable(&later, 1, &file).await);
    assert!(later.recording_key(call(9)).await.expect("asked").is_none());
}

#[tokio::test]
async fn a_call_without_a_recording_keeps_no_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path(), keyring("k", &[("k", 7)]));
    record(&store, &user("alice"), 1, false).await;
    assert!(store.recording_key(call(1)).await.expect("asked").is_some());
    store.finish(&cdr(&user("alice"), 1), &[]).await.expect("kept");
    assert!(store.recording_key(call(1)).await.expect("asked").is_none());
}

#[tokio::test]
async fn a_caller_who_is_erased_leaves_no_key_behind_and_others_keep_theirs() {
    const CALLS: u32 = 400;
    let folder = tempfile::tempdir().expect("a folder");
    let alice = user("alice");
    let store = store(folder.path(), keyring("k", &[("k", 7)]));
    let mut files = Vec::new();
    for n in 0..CALLS {
        files.push(record(&store, &alice, n, true).await);
    }
    let before = wrapped(folder.path());
    let which = Which::WithParty("sip:odd@example.com".into());
    loop {
        let some = store.to_erase(&alice, &which, 50).await.expect("read");
        if some.is_empty() {
            break;
        }
        let calls: Vec<_> = some.iter().map(|erased| erased.call).collect();
        assert_eq!(store.erase(&calls, true).await.expect("erased"), calls.len() as u64, "keys destroyed");
    }
    store.scrub().await.expect("scrubbed");
    for n in 0..CALLS {
        assert_eq!(is_readable(&store, n, &files[n as usize]).await, n.is_multiple_of(2), "{n}");
    }
    store.close().await;
    let bytes = bytes(folder.path());
    for (name, key) in before {
        let gone = name.parse::<CallId>().is_ok_and(|id| (0..CALLS).any(|n| n % 2 == 1 && call(n) == id));
        assert_eq!(holds(&bytes, &key), !gone, "{name}");
    }
}

#[tokio::test]
async fn a_user_who_is_erased_leaves_no_key_behind_and_calls_that_are_up_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (alice, bob) = (user("alice"), user("bob"));
    let store = store(folder.path(), keyring("k", &[("k", 7)]));
    let mut files = Vec::new();
    for n in 0..60 {
        files.push(record(&store, if n % 3 == 0 { &bob } else { &alice }, n, n != 59).await);
    }
    let (before, key_id) = (wrapped(folder.path()), store.tenant_key_id(&alice).await.expect("asked").expect("there"));
    let destroyed = store.destroy_tenant_key(&alice).await.expect("destroyed");
    assert_eq!(destroyed, Some(Destroyed { key_id: key_id.clone(), recordings: 39 }));
    store.scrub().await.expect("scrubbed");
    assert_ne!(store.tenant_key_id(&alice).await.expect("asked"), Some(key_id), "the call that is up has a new one");
    for n in 0..60 {
        assert_eq!(is_readable(&store, n, &files[n as usize]).await, n % 3 == 0 || n == 59, "{n}");
    }
    assert_eq!(store.destroy_tenant_key(&user("nobody")).await.expect("asked"), None);
    store.close().await;
    let bytes = bytes(folder.path());
    for (name, key) in before {
        let of_bob = name == "bob" || (0..60).any(|n| n % 3 == 0 && call(n).to_string() == name);
        assert_eq!(holds(&bytes, &key), of_bob, "{name}");
    }
}

#[tokio::test]
async fn rotation_seals_users_keys_anew_and_a_missing_key_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = store(folder.path(), keyring("old", &[("old", 7)]));
    let file = record(&before, &user("alice"), 1, true).await;
    before.close().await;

    let refused = SqliteStore::open(&folder.path().join("callie.db"), keyring("new", &[("new", 8)]));
    assert!(refused.err().expect("refused").to_string().contains("the key old"), "without the key that seals");
    let during = store(folder.path(), keyring("new", &[("old", 7), ("new", 8)]));
    assert_eq!(during.tenant_keys_by_kid().await.expect("counted"), [("old".to_owned(), 1)].into());
    assert_eq!(during.reseal_tenant_keys().await.expect("sealed"), (1, vec![]));
    assert_eq!(during.reseal_tenant_keys().await.expect("sealed"), (0, vec![]), "nothing is left to do");
    assert_eq!(during.tenant_keys_by_kid().await.expect("counted"), [("new".to_owned(), 1)].into());
    assert!(is_readable(&during, 1, &file).await);
    during.close().await;

    let after = store(folder.path(), keyring("new", &[("new", 8)]));
    assert!(is_readable(&after, 1, &file).await, "the old key may go");
}
