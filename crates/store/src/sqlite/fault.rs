//! SQLite's errors turned into the store's, with the file's name and the remedy.

use crate::StoreError;
use rusqlite::{Error, ErrorCode};
use std::path::Path;

/// What a piece of work on a connection fails with, before the file's name is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Sql(#[from] Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault {
    pub fn at(self, database: &Path) -> StoreError {
        match self {
            Self::Store(fault) => fault,
            Self::Sql(error) => of_sql(&error, database),
        }
    }
}

fn of_sql(error: &Error, database: &Path) -> StoreError {
    let file = database.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Setup(format!(
            "the database {file} is damaged or not a database ({error}): restore it from a backup, or move it away to begin anew"
        )),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => StoreError::Setup(format!(
            "the database {file} cannot be opened for writing ({error}): check that its folder exists and that file and folder belong to this user"
        )),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Unavailable(format!(
            "the database {file} is locked by another program ({error}): end its transaction, then try again"
        )),
        Some(ErrorCode::DiskFull) => {
            StoreError::Unavailable(format!("the disk of the database {file} is full ({error}): free some space"))
        }
        _ => StoreError::Unavailable(format!("the database {file} failed: {error}")),
    }
}
