//! Sealing, opening, and the key file.

use super::*;
use crate::StoreError;
use callie_domain::{Secret, UserId};
use jiff::Timestamp;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

const FIELD: &str = "sip.sip_password";

fn user(name: &str) -> UserId {
    name.parse().expect("a valid id")
}

fn ring(primary: &str, keys: &[(&str, u8)]) -> Keyring {
    let keys = keys.iter().map(|(kid, byte)| ((*kid).to_owned(), Zeroizing::new([*byte; 32])));
    Keyring::new(primary, keys, "test").expect("a valid keyring")
}

fn sealed(ring: &Keyring, secret: &str) -> String {
    ring.seal(&user("alice"), FIELD, &Secret::new(secret)).expect("seals")
}

fn summer() -> Timestamp {
    "2026-07-01T00:00:00Z".parse().expect("a time")
}

#[test]
fn what_was_sealed_opens() {
    let ring = ring("k2026a", &[("k2026a", 7)]);
    for secret in ["", "p", "secure_password", "pässwörd ☎", &"x".repeat(256)] {
        let stored = sealed(&ring, secret);
        assert!(!stored.contains("password") && ring.is_current(&stored), "{stored}");
        assert_eq!(ring.open(&user("alice"), FIELD, &stored), Ok(Secret::new(secret)));
    }
}

/// Pins the format: this text must open for ever.
#[test]
fn the_format_does_not_change() {
    let ring = ring("k2026a", &[("k2026a", 7)]);
    let stored = ring.seal_with_nonce([1; 12], &user("alice"), FIELD, &Secret::new("secure_password")).expect("seals");
    assert_eq!(stored, "callie-enc:v1:k2026a:AQEBAQEBAQEBAQEBsKMVw3KV37itxrlzCgAun-Ms-pi5_X4LB-Mq097AqG2B9wBD2BLzaFVEKIjWM5Ls");
}

#[test]
fn a_sealed_value_works_in_its_place_only() {
    let one = ring("k2026a", &[("k2026a", 7), ("k2026b", 9)]);
    let stored = sealed(&one, "secure_password");
    let other_kid = stored.replace("k2026a", "k2026b");
    let unknown_kid = stored.replace("k2026a", "k1999x");
    let same_name_other_key = ring("k2026a", &[("k2026a", 8)]);
    for (ring, who, field, text, want) in [
        (&one, "bob", FIELD, &stored, SealError::NotAuthentic),
        (&one, "alice", "sip.other", &stored, SealError::NotAuthentic),
        (&one, "alice", FIELD, &other_kid, SealError::NotAuthentic),
        (&same_name_other_key, "alice", FIELD, &stored, SealError::NotAuthentic),
        (&one, "alice", FIELD, &unknown_kid, SealError::UnknownKey("k1999x".into())),
    ] {
        assert_eq!(ring.open(&user(who), field, text), Err(want), "{who} {field} {text}");
    }
}

#[test]
fn a_damaged_value_never_opens() {
    let ring = ring("k2026a", &[("k2026a", 7)]);
    let stored = sealed(&ring, "secure_password");
    for end in 0..stored.len() {
        assert!(ring.open(&user("alice"), FIELD, &stored[..end]).is_err(), "cut at {end}");
    }
    let payload_at = stored.rfind(':').expect("has parts") + 1;
    for at in payload_at..stored.len() {
        for replacement in ['A', 'z', '-', '=', ' '] {
            let mut mutated: Vec<char> = stored.chars().collect();
            if mutated[at] != replacement {
                mutated[at] = replacement;
                let mutated: String = mutated.into_iter().collect();
                assert!(ring.open(&user("alice"), FIELD, &mutated).is_err(), "{replacement:?} at {at}");
            }
        }
    }
    assert!(ring.open(&user("alice"), FIELD, &format!("{stored}AAAA")).is_err(), "longer");
}

#[test]
fn the_length_is_hidden_and_no_two_are_alike() {
    let ring = ring("k2026a", &[("k2026a", 7)]);
    let length = |n: usize| sealed(&ring, &"x".repeat(n)).len();
    assert!((0..=30).all(|n| length(n) == length(0)));
    assert!((31..=62).all(|n| length(n) == length(31)));
    assert!(length(31) > length(30));
    assert_ne!(sealed(&ring, "same"), sealed(&ring, "same"));
    assert_eq!(ring.seal(&user("alice"), FIELD, &Secret::new("x".repeat(5_000))), Err(SealError::TooLong));
}

#[test]
fn sealed_and_clear_text_are_told_apart() {
    for (text, want) in [
        ("secure_password", AtRest::Plain),
        ("", AtRest::Plain),
        ("callie", AtRest::Plain),
        ("callie-enc:v1:k2026a:AAAA", AtRest::Sealed { kid: Some("k2026a") }),
        ("callie-enc:v1:k 1:AAAA", AtRest::Sealed { kid: None }),
        ("callie-enc:v2:k2026a:AAAA", AtRest::Sealed { kid: None }),
        (" callie-enc:v1:k2026a:AAAA", AtRest::Sealed { kid: None }),
        ("callie-enc:", AtRest::Sealed { kid: None }),
    ] {
        assert_eq!(classify(text), want, "{text}");
    }
}

#[test]
fn the_primary_key_seals_and_old_keys_open() {
    let before = ring("k2026a", &[("k2026a", 7)]);
    let stored = sealed(&before, "pw");
    let after = ring("k2026b", &[("k2026a", 7), ("k2026b", 9)]);
    assert!(!after.is_current(&stored));
    assert_eq!(after.open(&user("alice"), FIELD, &stored), Ok(Secret::new("pw")));
    assert!(after.is_current(&sealed(&after, "pw")));
}

#[test]
fn check_values_tell_keys_apart() {
    let value = |byte| ring("k2026a", &[("k2026a", byte)]).check_value("k2026a");
    assert!(value(1).is_some());
    assert_eq!(value(1), value(1));
    assert_ne!(value(1), value(2));
    assert_eq!(ring("k2026a", &[("k2026a", 1)]).check_value("k2026b"), None);
}

#[test]
fn keys_do_not_print() {
    let ring = ring("k2026a", &[("k2026a", 7)]);
    assert_eq!(format!("{ring:?}"), "Keyring { primary: \"k2026a\", kids: [\"k2026a\"], .. }");
}

#[test]
fn the_first_run_makes_a_key_file_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    let first = Keyring::load_or_create(&path, summer()).expect("made");
    assert_eq!(first.primary(), "k2026a");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let later = Keyring::load_or_create(&path, "2031-01-01T00:00:00Z".parse().expect("a time")).expect("read");
    assert_eq!(later.check_value("k2026a"), first.check_value("k2026a"));
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing is left beside it");
}

#[test]
fn first_runs_at_the_same_time_agree_on_one_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    let values: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| Keyring::load_or_create(&path, summer()).expect("usable"))).collect();
        runs.into_iter().map(|run| run.join().expect("no panic").check_value("k2026a")).collect()
    });
    assert!(values.iter().all(|v| v.is_some() && *v == values[0]), "{values:?}");
}

fn refusal(path: &Path) -> String {
    match Keyring::load_or_create(path, summer()) {
        Err(StoreError::Setup(text)) => text,
        other => panic!("must be refused: {other:?}"),
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    Keyring::load_or_create(&path, summer()).expect("made");
    for mode in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        let text = refusal(&path);
        assert!(text.contains(&format!("chmod 600 {}", path.display())), "{text}");
    }
}

#[test]
fn what_is_not_a_keyring_is_refused_without_quoting_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    for (content, mention) in [
        ("", "not a keyring"),
        (r#"{"primary":"CANARY"}"#, "not a keyring"),
        (r#"{"primary":"k1","keys":{"k1":{"raw":"CANARY"}}}"#, "32 bytes"),
        (r#"{"primary":"k1","keys":{"k1":{"kms":"CANARY"}}}"#, "field raw"),
        (r#"{"primary":"k1","keys":{"k1":"CANARY"}}"#, "not a keyring"),
        (r#"{"primary":"k2","keys":{"k1":{"raw":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}}}"#, "primary key"),
        (r#"{"primary":"k 1","keys":{"k 1":{"raw":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}}}"#, "key name"),
    ] {
        fs::write(&path, content).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
        let text = refusal(&path);
        assert!(text.contains(mention) && text.contains("keyring.json") && !text.contains("CANARY"), "{content}: {text}");
    }
    assert!(refusal(&folder.path().join("missing/keyring.json")).contains("folder exists"));
}

#[test]
fn a_master_key_may_come_as_text() {
    let ring = Keyring::from_master_key(" BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").expect("a key");
    let stored = sealed(&ring, "pw");
    assert_eq!(classify(&stored), AtRest::Sealed { kid: Some("env") });
    for bad in ["", "CANARY", "BwcHBw=="] {
        let text = Keyring::from_master_key(bad).expect_err("refused").to_string();
        assert!(text.contains("CALLIE_MASTER_KEY") && !text.contains("CANARY"), "{text}");
    }
}

/// A key service with one key: it adds 1 to each byte, and knows what it wrapped by a mark before it.
struct Caesar;

const CAESAR_KEY: &str = "projects/p/locations/l/keyRings/r/cryptoKeys/k";

#[async_trait::async_trait]
impl KeyService for Caesar {
    async fn wrap(&self, name: &str, key: &[u8]) -> Result<Vec<u8>, StoreError> {
        assert_eq!(name, CAESAR_KEY);
        Ok([b"wrapped:".as_slice(), &key.iter().map(|b| b.wrapping_add(1)).collect::<Vec<_>>()].concat())
    }
    async fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let body = wrapped.strip_prefix(b"wrapped:").filter(|_| name == CAESAR_KEY);
        let body = body.ok_or_else(|| StoreError::Setup(format!("the key service refuses {name}")))?;
        Ok(Zeroizing::new(body.iter().map(|b| b.wrapping_sub(1)).collect()))
    }
}

fn key_file(folder: &tempfile::TempDir) -> KeyFile {
    KeyFile::load_or_create(&folder.path().join("keyring.json"), summer()).expect("made")
}

#[tokio::test]
async fn keys_are_added_made_primary_and_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    let mut file = key_file(&folder);
    let stored = sealed(&file.open(&Caesar).await.expect("opened"), "pw");
    let next = file.next_kid(summer()).expect("a free name");
    assert_eq!(next, "k2026b");
    file.add(&next, None, &Caesar).await.expect("added");
    assert!(file.drop_key("k2026a").is_err(), "the primary key stays");
    file.set_primary(&next).expect("there");
    file.save().expect("written");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1, "nothing is left beside it");

    let mut file = KeyFile::load(&path).expect("read");
    let ring = file.open(&Caesar).await.expect("opened");
    assert_eq!(ring.primary(), "k2026b");
    assert_eq!(ring.open(&user("alice"), FIELD, &stored), Ok(Secret::new("pw")), "the old key opens");
    file.drop_key("k2026a").expect("dropped");
    let left: Vec<_> = file.keys().collect();
    assert_eq!(left, [("k2026b", key_file::Kept::InFile)]);
    for refused in [
        file.set_primary("k2026a"),
        file.drop_key("k2026a"),
        file.add("k2026b", None, &Caesar).await,
        file.add("k b", None, &Caesar).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Setup(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_key_that_another_command_added_is_not_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut one, mut other) = (key_file(&folder), key_file(&folder));
    one.add("one", None, &Caesar).await.expect("added");
    other.add("other", None, &Caesar).await.expect("added");
    one.save().expect("written");
    let refused = other.save().expect_err("refused").to_string();
    assert!(refused.contains("run this one again"), "{refused}");
    assert_eq!(key_file(&folder).keys().map(|(kid, _)| kid.to_owned()).collect::<Vec<_>>(), ["k2026a", "one"]);
}

#[tokio::test]
async fn a_wrapped_key_stands_in_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    let mut file = key_file(&folder);
    file.add("cloud", Some(CAESAR_KEY), &Caesar).await.expect("added");
    file.set_primary("cloud").expect("there");
    file.save().expect("written");
    let text = fs::read_to_string(&path).expect("read");
    assert!(text.contains(CAESAR_KEY) && text.contains("\"wrapped\""), "{text}");

    let ring = Keyring::open_file(&path, summer(), &Caesar).await.expect("unwrapped");
    let stored = sealed(&ring, "pw");
    let again = Keyring::open_file(&path, summer(), &Caesar).await.expect("unwrapped");
    assert_eq!(again.open(&user("alice"), FIELD, &stored), Ok(Secret::new("pw")));
    assert!(refusal(&path).contains(CAESAR_KEY), "without a service it is refused");
}

#[tokio::test]
async fn a_wrapped_key_that_does_not_unwrap_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    let entry = |kms: &str, wrapped: &str| format!(r#"{{"primary":"c","keys":{{"c":{{"kms":"{kms}","wrapped":"{wrapped}"}}}}}}"#);
    for (content, mention) in [
        (entry("projects/other", "d3JhcHBlZDo="), "refuses projects/other"),
        (entry(CAESAR_KEY, "d3JhcHBlZDoCAgI="), "32 bytes"),
        (entry(CAESAR_KEY, "***"), "base64"),
        (r#"{"primary":"c","keys":{"c":{"kms":"x","wrapped":"x","raw":"x"}}}"#.to_owned(), "field raw"),
    ] {
        fs::write(&path, &content).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("set");
        let refused = Keyring::open_file(&path, summer(), &Caesar).await.expect_err("refused").to_string();
        assert!(refused.contains(mention), "{content}: {refused}");
    }
}
