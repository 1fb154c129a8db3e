//! `callie keys`, from a key in a file to one that a key service wraps.

use super::{Desk, with_users};
use callie_domain::Secret;
use callie_lab::kms::Kms;
use callie_store::seal::{CloudKms, KeyFile};
use callie_store::{ConfigStore, Keyring};
use jiff::Timestamp;
use std::fs;

const CLOUD_KEY: &str = "projects/p/locations/europe-west3/keyRings/callie/cryptoKeys/seal";

/// The line of a key in the table of `callie keys status`, its words one space apart.
fn line_of(table: &str, kid: &str) -> String {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(kid)).unwrap_or_default();
    line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_key_is_rotated_without_losing_a_password() {
    let kms = Kms::start([CLOUD_KEY]).await.expect("served");
    let desk = Desk::new(&[("CALLIE_KMS_ENDPOINT", &kms.url())]);
    let store = desk.store();
    with_users(&store, (0..7).map(|n| format!("user{n}"))).await;
    store.close().await;
    let first = KeyFile::load(&desk.keyring()).expect("there").primary().to_owned();

    assert_eq!(line_of(&desk.does("keys status").await, &first), format!("{first} primary 7"));
    let said = desk.does(&format!("keys add cloud --kms {CLOUD_KEY}")).await;
    assert!(said.contains("callie keys primary cloud"), "{said}");
    desk.does("keys primary cloud").await;
    let table = desk.does("keys status").await;
    assert_eq!((line_of(&table, &first), line_of(&table, "cloud")), (format!("{first} opens 7"), "cloud primary 0".to_owned()));
    assert!(table.contains(&format!("wrapped by {CLOUD_KEY}")), "{table}");
    assert!(desk.refuses(&format!("keys drop {first}")).await.contains("callie keys sweep first"));
    assert!(desk.refuses("keys drop cloud").await.contains("primary"));

    assert!(desk.does("keys sweep --rate 1000").await.contains("7 sealed anew"));
    assert!(desk.does("keys sweep").await.contains("0 sealed anew"));
    desk.does(&format!("keys drop {first}")).await;
    assert_eq!(line_of(&desk.does("keys status").await, "cloud"), "cloud primary 7");
    assert!(!fs::read_to_string(desk.keyring()).expect("read").contains("\"raw\""), "no key lies in clear");

    let service = CloudKms { endpoint: Some(kms.url()), service_account: None };
    let keyring = Keyring::open_file(&desk.keyring(), Timestamp::now(), &service).await.expect("unwrapped");
    let store = desk.store_with(keyring);
    let kept = store.get(&"user3".parse().expect("valid")).await.expect("read").expect("there");
    assert_eq!(kept.user.sip.password, Secret::new("canary-of-user3"));
    store.close().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_the_remedy() {
    let desk = Desk::new(&[]);
    assert!(desk.refuses("keys add").await.contains("keyring.json"), "no key file is made by chance");
    with_users(&desk.store(), ["alice".to_owned()]).await;
    for (words, mention) in
        [("keys primary k1", "no key \"k1\""), ("keys drop k1", "no key \"k1\""), ("keys add a.b", "letters, digits")]
    {
        let complained = desk.refuses(words).await;
        assert!(complained.contains(mention), "{words}: {complained}");
    }
    fs::remove_file(desk.keyring()).expect("removed");
    KeyFile::load_or_create(&desk.keyring(), Timestamp::now()).expect("another of the same name");
    let complained = desk.refuses("keys status").await;
    assert!(complained.contains("restore the keys that belong to this database"), "{complained}");

    let with_master = Desk::new(&[("CALLIE_MASTER_KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")]);
    assert_eq!(line_of(&with_master.does("keys status").await, "env"), "env primary 0");
    assert!(with_master.refuses("keys add").await.contains("CALLIE_KEYRING_FILE"));
}
