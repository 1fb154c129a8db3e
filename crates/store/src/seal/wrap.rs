//! The seam to a key service: it wraps and unwraps master keys, so that the key file alone opens nothing.
//!
//! It is asked when the process starts, once for each wrapped key, and never for a password: ten thousand users cost one
//! request, and an outage of the service afterwards costs nothing.

use crate::StoreError;
use async_trait::async_trait;
use zeroize::Zeroizing;

/// Google Cloud KMS, or one like it.
#[async_trait]
pub trait KeyService: Send + Sync {
    /// Encrypts `key` with the service's key of that name. [`StoreError::Setup`] names the remedy.
    async fn wrap(&self, name: &str, key: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Decrypts what [`Self::wrap`] gave.
    async fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError>;
}
