//! Where the users' documents live: the embedded database, or Firestore with the way to prove who we are.

use super::parse::Reader;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// The embedded database in the data folder.
    Sqlite,
    Firestore(Firestore),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firestore {
    pub credentials: FirestoreCredentials,
    /// `None`: the one that the credentials name.
    pub project: Option<String>,
    /// `(default)` unless named.
    pub database: String,
}

/// Which of the ways is taken, in the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirestoreCredentials {
    /// An emulator asks for none.
    Emulator {
        address: String,
    },
    ServiceAccount {
        file: PathBuf,
    },
    /// Application Default Credentials: the file of `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's login, the metadata server.
    ApplicationDefault {
        file: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Auto,
    Sqlite,
    Firestore,
}

impl StoreChoice {
    /// As in `CALLIE_STORE`, and as `/admin/status` names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Firestore(_) => "firestore",
        }
    }
}

pub(super) fn read(reader: &mut Reader) -> StoreChoice {
    let wanted = reader.read("CALLIE_STORE", wanted).unwrap_or(Wanted::Auto);
    let firestore = Firestore {
        project: reader.read("FIREBASE_PROJECT_ID", name),
        database: reader.read("CALLIE_FIRESTORE_DATABASE", database).unwrap_or_default(),
        credentials: FirestoreCredentials::ApplicationDefault { file: None },
    };
    let emulator = reader.read("FIRESTORE_EMULATOR_HOST", emulator);
    let file = reader.path("FIREBASE_SERVICE_ACCOUNT_PATH");
    let default_file = reader.path("GOOGLE_APPLICATION_CREDENTIALS");
    let credentials = match (emulator, file, default_file) {
        (Some(address), _, _) => Some(FirestoreCredentials::Emulator { address }),
        (None, Some(file), _) => Some(FirestoreCredentials::ServiceAccount { file }),
        (None, None, Some(file)) => Some(FirestoreCredentials::ApplicationDefault { file: Some(file) }),
        (None, None, None) => None,
    };
    match (wanted, credentials) {
        (Wanted::Sqlite, _) | (Wanted::Auto, None) => StoreChoice::Sqlite,
        (_, Some(credentials)) => StoreChoice::Firestore(Firestore { credentials, ..firestore }),
        (Wanted::Firestore, None) => StoreChoice::Firestore(firestore),
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    match text {
        "auto" => Ok(Wanted::Auto),
        "sqlite" => Ok(Wanted::Sqlite),
        "firestore" => Ok(Wanted::Firestore),
        _ => Err(format!("must be auto, sqlite or firestore, is {text:?}")),
    }
}

/// The names go into resource paths.
fn name(text: &str) -> Result<String, String> {
    let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    if fits { Ok(text.to_owned()) } else { Err(format!("must be a project's id such as my-project-1234, is {text:?}")) }
}

fn database(text: &str) -> Result<String, String> {
    if text == "(default)" {
        return Ok(text.to_owned());
    }
    name(text).map_err(|_| format!("must be (default) or a database's id, is {text:?}"))
}

fn emulator(text: &str) -> Result<String, String> {
    let bare = text.trim_start_matches("http://").trim_end_matches('/');
    let is_address = bare.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    let problem = || format!("must be the emulator's address such as 127.0.0.1:8087, is {text:?}");
    (is_address && !bare.contains(['/', '@'])).then(|| bare.to_owned()).ok_or_else(problem)
}
