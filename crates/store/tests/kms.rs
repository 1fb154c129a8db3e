//! Master keys wrapped by Google Cloud KMS, against the lab's.

use callie_lab::kms::Kms;
use callie_store::seal::{CloudKms, KeyFile};
use callie_store::{Keyring, StoreError};
use gcloud_sdk::tonic::Code;
use jiff::Timestamp;
use std::path::Path;

const NAME: &str = "projects/p/locations/europe-west3/keyRings/callie/cryptoKeys/seal";
const OTHER: &str = "projects/p/locations/europe-west3/keyRings/callie/cryptoKeys/other";

/// Refused with the service's reason and what to do.
fn check(opened: Result<Keyring, StoreError>, mention: [&str; 2]) {
    match opened {
        Err(StoreError::Setup(text)) => assert!(mention.iter().all(|words| text.contains(words)), "{text}"),
        other => panic!("must be refused: {other:?}"),
    }
}

async fn open(path: &Path, kms: &Kms) -> Result<Keyring, StoreError> {
    let service = CloudKms { endpoint: Some(kms.url()), service_account: None };
    Keyring::open_file(path, Timestamp::UNIX_EPOCH, &service).await
}

#[tokio::test]
async fn a_wrapped_key_is_unwrapped_once_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keyring.json");
    let kms = Kms::start([NAME, OTHER]).await.expect("served");
    let service = CloudKms { endpoint: Some(kms.url()), service_account: None };
    let mut file = KeyFile::load_or_create(&path, Timestamp::UNIX_EPOCH).expect("made");
    file.add("cloud", Some(NAME), &service).await.expect("added");
    file.set_primary("cloud").expect("there");
    file.drop_key("k1970a").expect("dropped");
    file.save().expect("written");
    let asked = kms.decrypted();
    let first = open(&path, &kms).await.expect("opened");
    assert_eq!(kms.decrypted(), asked + 1);
    let again = open(&path, &kms).await.expect("opened");
    assert!(first.check_value("cloud").is_some());
    assert_eq!(first.check_value("cloud"), again.check_value("cloud"));

    let text = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, text.replace(NAME, OTHER)).expect("written");
    check(open(&path, &kms).await, ["InvalidArgument", "restore the file"]);
    std::fs::write(&path, text.replace(NAME, "projects/p/gone")).expect("written");
    check(open(&path, &kms).await, ["NotFound", "check its name"]);
    std::fs::write(&path, &text).expect("written");
    kms.refuse(Some((Code::PermissionDenied, "Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied")));
    check(open(&path, &kms).await, ["useToDecrypt", "CryptoKey Encrypter/Decrypter"]);
    kms.refuse(None);
    let url = kms.url();
    drop(kms);
    let gone = CloudKms { endpoint: Some(url), service_account: None };
    check(Keyring::open_file(&path, Timestamp::UNIX_EPOCH, &gone).await, ["key service", "check"]);
}
