//! The stored form of one secret.
//!
//! ```text
//! callie-enc:v1:<kid>:<base64url, no padding, of: nonce[12] ‖ ciphertext ‖ tag[16]>
//! ciphertext = AES-256-GCM-SIV( length: u16 big-endian ‖ UTF-8 ‖ zeros up to a multiple of 32 )
//! ```
//!
//! The version fixes the algorithm; there is nothing to negotiate. The zeros hide the secret's length.

use super::SealError;
use aws_lc_rs::aead::NONCE_LEN;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Everything that begins so is sealed, whatever version follows: it is never taken for a password in clear.
const FAMILY: &str = "callie-enc:";
pub(super) const VERSION: &str = "callie-enc:v1";
pub const MAX_SECRET_BYTES: usize = 4_096;
const BLOCK: usize = 32;
const TAG_LEN: usize = 16;

/// How a stored text holds its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtRest<'a> {
    /// In clear: somebody typed it into the document.
    Plain,
    /// `kid` names the key; `None` when the form is not one that we know.
    Sealed { kid: Option<&'a str> },
}

/// Tells clear text from sealed.
pub fn classify(stored: &str) -> AtRest<'_> {
    match parts(stored) {
        Some((kid, _)) => AtRest::Sealed { kid: Some(kid) },
        None if stored.trim_start().starts_with(FAMILY) => AtRest::Sealed { kid: None },
        None => AtRest::Plain,
    }
}

/// Key names: 1–32 of `A–Z a–z 0–9 _ -`.
pub fn is_kid(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Key name and payload of a stored text of the form that we know.
fn parts(stored: &str) -> Option<(&str, &str)> {
    let (kid, payload) = stored.strip_prefix(VERSION)?.strip_prefix(':')?.split_once(':')?;
    is_kid(kid).then_some((kid, payload))
}

/// A stored text taken apart: the name of its key, its nonce, and ciphertext with tag.
pub(super) struct Sealed<'a> {
    pub kid: &'a str,
    pub nonce: [u8; NONCE_LEN],
    pub body: Zeroizing<Vec<u8>>,
}

impl<'a> Sealed<'a> {
    pub fn parse(stored: &'a str) -> Result<Self, SealError> {
        let (kid, payload) = parts(stored).ok_or(SealError::Malformed)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| SealError::Malformed)?;
        let (nonce, body) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Malformed)?;
        if body.len() < BLOCK + TAG_LEN || !(body.len() - TAG_LEN).is_multiple_of(BLOCK) {
            return Err(SealError::Malformed);
        }
        Ok(Self { kid, nonce: *nonce, body: Zeroizing::new(body.to_vec()) })
    }

    pub fn write(kid: &str, nonce: &[u8; NONCE_LEN], body: &[u8]) -> String {
        format!("{VERSION}:{kid}:{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), body].concat()))
    }
}

/// Length, text and zeros; with room for the tag, so that sealing in place moves nothing.
pub(super) fn pad(clear: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if clear.len() > MAX_SECRET_BYTES {
        return Err(SealError::TooLong);
    }
    let length = u16::try_from(clear.len()).map_err(|_| SealError::TooLong)?;
    let padded = (2 + clear.len()).next_multiple_of(BLOCK);
    let mut block = Zeroizing::new(Vec::with_capacity(padded + TAG_LEN));
    block.extend_from_slice(&length.to_be_bytes());
    block.extend_from_slice(clear.as_bytes());
    block.resize(padded, 0);
    Ok(block)
}

/// The text in a padded block.
pub(super) fn unpad(block: &[u8]) -> Result<&str, SealError> {
    let (length, rest) = block.split_first_chunk::<2>().ok_or(SealError::Malformed)?;
    let text = rest.get(..usize::from(u16::from_be_bytes(*length))).ok_or(SealError::Malformed)?;
    std::str::from_utf8(text).map_err(|_| SealError::Malformed)
}

/// What a sealed value is bound to. Each part is preceded by its length, so that no two lists give the same bytes.
pub(super) fn associated_data(kid: &str, user: &str, path: &str) -> Vec<u8> {
    let mut aad = Vec::with_capacity(128);
    for part in [VERSION, kid, "user_configs", user, path] {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        aad.extend_from_slice(&length.to_be_bytes());
        aad.extend_from_slice(part.as_bytes());
    }
    aad
}
