//! What can go wrong in a store, in variants that a caller can act on.

use crate::seal::SealError;
use crate::{DocFault, doc};
use callie_domain::{Faults, UserId};

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("user {0} exists already")]
    AlreadyExists(UserId),
    #[error("user {0} does not exist")]
    NotFound(UserId),
    /// Somebody else wrote in between: read again and repeat.
    #[error("user {0} was changed by somebody else in the meantime")]
    Conflict(UserId),
    /// The document is there but cannot be read; the fault says why.
    #[error("the document of user {user} cannot be read: {fault}")]
    Faulty { user: UserId, fault: String },
    /// The user does not live in the store alone; the reason says where else, and names the remedy.
    #[error("user {user} cannot be deleted: {reason}")]
    Kept { user: UserId, reason: String },
    /// The backend cannot be reached or refuses to work for now.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Key file, database file or schema are not as they must be; the text names the remedy.
    #[error("{0}")]
    Setup(String),
}

impl StoreError {
    pub(crate) fn faulty(id: &UserId, fault: DocFault) -> Self {
        Self::Faulty { user: id.clone(), fault: fault.to_string() }
    }

    /// The user's secrets could not be sealed for writing.
    pub(crate) fn not_sealed(id: &UserId, fault: &SealError) -> Self {
        match fault {
            SealError::NoRandomness => Self::Unavailable(fault.to_string()),
            // Fresh passwords have no other fault, and keys none at all; the others are those of what is stored.
            SealError::TooLong => Self::faulty(id, DocFault::Fields(Faults::one(doc::PASSWORD.path, fault.to_string()))),
            _ => Self::faulty(id, DocFault::SecretUndecryptable(fault.to_string())),
        }
    }
}
