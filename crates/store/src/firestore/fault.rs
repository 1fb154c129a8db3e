//! What Firestore answers instead of a result, sorted by what a caller can do about it.

use crate::StoreError;
use gcloud_sdk::tonic::{Code, Status};
use std::error::Error;
use std::fmt;

/// The database, for texts and paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub project: String,
    pub database: String,
    /// The URL that answers.
    pub server: String,
}

impl Place {
    /// `projects/…/databases/…`
    pub fn path(&self) -> String {
        format!("projects/{}/databases/{}", self.project, self.database)
    }

    /// The path under which all documents lie.
    pub fn documents(&self) -> String {
        format!("{}/documents", self.path())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Firestore database {} of project {}", self.database, self.project)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No answer, or one that says that there is none for now. What was asked for may have happened all the same.
    Unreachable(String),
    /// Others wrote at the same moment; nothing happened.
    Contended,
    /// There is too much to do, or a quota is used up; nothing happened.
    Busy(String),
    /// The document is not as the precondition says.
    Precondition,
    Exists,
    Missing,
    /// Refused for as long as nobody changes something; the text names the remedy.
    Refused(String),
}

impl Fault {
    pub fn of(status: &Status, place: &Place) -> Self {
        let text = status.message();
        let says = |part: &str| text.to_ascii_lowercase().contains(part);
        match status.code() {
            Code::Aborted => Self::Contended,
            Code::ResourceExhausted => Self::Busy(text_of(status)),
            Code::AlreadyExists => Self::Exists,
            Code::FailedPrecondition if says("datastore mode") => Self::Refused(format!(
                "{place} is in Datastore mode ({text}): make a database in Native mode and name it in CALLIE_FIRESTORE_DATABASE"
            )),
            Code::FailedPrecondition => Self::Precondition,
            Code::NotFound if says("the database ") || says("the project ") => Self::Refused(format!(
                "{place} does not exist ({text}): create it in Google's console (Firestore, Create database, Native mode), \
                 or name the right ones in FIREBASE_PROJECT_ID and CALLIE_FIRESTORE_DATABASE"
            )),
            Code::NotFound => Self::Missing,
            Code::PermissionDenied if says("has not been used") || says("is disabled") => Self::Refused(format!(
                "the Firestore API is not enabled in project {} ({text}): enable it in Google's console, or name the right \
                 project in FIREBASE_PROJECT_ID",
                place.project
            )),
            Code::PermissionDenied => Self::Refused(format!(
                "no permission for {place} ({text}): give the service account the role Cloud Datastore User in that project, \
                 or name the right project in FIREBASE_PROJECT_ID"
            )),
            Code::Unauthenticated => Self::Refused(format!(
                "the credentials for {place} are not accepted ({text}): make a new key for the service account, \
                 and check this machine's clock"
            )),
            Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => {
                Self::Refused(format!("{place} does not accept the request ({text})"))
            }
            _ => Self::Unreachable(text_of(status)),
        }
    }

    /// Whether it may pass by itself within moments.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Contended | Self::Busy(_))
    }

    /// What a caller of the store is told when nothing more particular is to be said.
    pub fn unavailable(&self, place: &Place) -> StoreError {
        StoreError::Unavailable(match self {
            Self::Unreachable(text) => format!("{place} at {} does not answer ({text})", place.server),
            Self::Busy(text) => format!("{place} has too much to do ({text}): try again"),
            Self::Refused(text) => text.clone(),
            Self::Contended => format!("{place} is written to by others at the same moment: try again"),
            Self::Precondition | Self::Exists | Self::Missing => format!("{place} answered what cannot be: {self:?}"),
        })
    }
}

fn text_of(status: &Status) -> String {
    let text = if status.message().is_empty() { status.code().description() } else { status.message() };
    match status.source() {
        Some(source) => format!("{text}: {}", with_causes(source)),
        None => text.to_owned(),
    }
}

/// The error and what caused it, each said once.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
