//! Passwords at rest: sealed with a key that lies beside the database, never in it.
//!
//! | module | holds |
//! |---|---|
//! | [`envelope`] | the stored form of one secret: what it looks like, how it is told from clear text |
//! | [`keyring`] | [`Keyring`]: the master keys, sealing and opening |
//! | [`key_file`] | the keyring's file: readable by its owner alone |
//! | [`wrap`] | the seam to a key service that wraps master keys |
//! | [`kms`] | Google Cloud KMS as that service |
//! | `publish` | files that appear whole or not at all |
//!
//! What sealing gives: a stolen database or backup holds no password, and a sealed password works for its user and its
//! field alone. What it does not give: whoever may write documents may put another password, or an older sealed one.

pub mod envelope;
pub mod key_file;
pub mod keyring;
pub mod kms;
mod publish;
#[cfg(test)]
mod tests;
pub mod wrap;

pub use envelope::{AtRest, classify};
pub use key_file::KeyFile;
pub use keyring::Keyring;
pub use kms::CloudKms;
pub use wrap::KeyService;

/// Why a secret could not be sealed or opened. None of the texts holds any of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Sealed with a key that is not in the keyring.
    #[error("the key {0} is not in the keyring")]
    UnknownKey(String),
    #[error("the sealed value is damaged or of a newer format")]
    Malformed,
    /// The key is there but does not fit: another key of the same name, a changed value, or one moved from another user or field.
    #[error("the sealed value does not belong to this user, field and key")]
    NotAuthentic,
    #[error("the secret is longer than {} bytes", envelope::MAX_SECRET_BYTES)]
    TooLong,
    #[error("the system gave no random bytes")]
    NoRandomness,
}
