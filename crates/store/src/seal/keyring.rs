//! The master keys in memory, and what is done with them. Where they come from is [`super::key_file`]'s matter.

use super::SealError;
use super::envelope::{self, AtRest, Sealed, associated_data, classify, pad, unpad};
use crate::StoreError;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use callie_domain::{Secret, UserId};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

const SALT: &[u8] = b"callie/user-secret/v1";
const CHECK_SALT: &[u8] = b"callie/key-check/v1";
pub const KEY_LEN: usize = 32;
pub(super) type MasterKey = Zeroizing<[u8; KEY_LEN]>;

/// The name of a key that came from the environment: the same each year, since nobody renames it.
pub const ENVIRONMENT_KID: &str = "env";

/// The master keys: `primary` seals, all of them open.
pub struct Keyring {
    primary: String,
    keys: BTreeMap<String, MasterKey>,
    /// For error texts: "the key file …".
    source: String,
}

impl Keyring {
    /// `source` says in error texts where the keys came from. [`StoreError::Setup`] when a name is bad or `primary` is missing.
    pub fn new(
        primary: &str,
        keys: impl IntoIterator<Item = (String, Zeroizing<[u8; KEY_LEN]>)>,
        source: &str,
    ) -> Result<Self, StoreError> {
        let keys: BTreeMap<_, _> = keys.into_iter().collect();
        if let Some(bad) = keys.keys().find(|kid| !envelope::is_kid(kid)) {
            return Err(StoreError::Setup(format!("{source}: the key name {bad:?} must be 1 to 32 letters, digits, '_' or '-'")));
        }
        if !keys.contains_key(primary) {
            return Err(StoreError::Setup(format!(
                "{source}: the primary key {primary:?} is not among its keys: name one that is"
            )));
        }
        Ok(Self { primary: primary.to_owned(), keys, source: source.to_owned() })
    }

    /// From the text of `CALLIE_MASTER_KEY`: 32 bytes in base64. Its key is named [`ENVIRONMENT_KID`].
    pub fn from_master_key(text: &str) -> Result<Self, StoreError> {
        let source = "CALLIE_MASTER_KEY";
        let key = decode_key(text).ok_or_else(|| {
            StoreError::Setup(format!("{source} must be 32 bytes in base64: make one with: openssl rand -base64 32"))
        })?;
        Self::new(ENVIRONMENT_KID, [(ENVIRONMENT_KID.to_owned(), key)], source)
    }

    pub fn primary(&self) -> &str {
        &self.primary
    }

    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Where the keys came from, for error texts.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// A value that tells two keys of the same name apart and says nothing about the key itself.
    pub fn check_value(&self, kid: &str) -> Option<String> {
        let derived = derive(self.keys.get(kid)?, CHECK_SALT, &[kid.as_bytes()]);
        derived.get(..16).map(|half| URL_SAFE_NO_PAD.encode(half))
    }

    /// Seals `secret` for one field of one user with the primary key. `path` is the field's, such as `sip.sip_password`.
    pub fn seal(&self, user: &UserId, path: &str, secret: &Secret) -> Result<String, SealError> {
        let mut nonce = [0u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        self.seal_with_nonce(nonce, user, path, secret)
    }

    pub(super) fn seal_with_nonce(
        &self,
        nonce: [u8; NONCE_LEN],
        user: &UserId,
        path: &str,
        secret: &Secret,
    ) -> Result<String, SealError> {
        let mut body = pad(secret.expose())?;
        let aad = Aad::from(associated_data(&self.primary, user.as_str(), path));
        self.user_key(&self.primary, user)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut *body)
            .map_err(|_| SealError::TooLong)?;
        Ok(Sealed::write(&self.primary, &nonce, &body))
    }

    /// Opens what [`Self::seal`] gave for the same user and field.
    pub fn open(&self, user: &UserId, path: &str, stored: &str) -> Result<Secret, SealError> {
        let mut sealed = Sealed::parse(stored)?;
        let aad = Aad::from(associated_data(sealed.kid, user.as_str(), path));
        let clear = self
            .user_key(sealed.kid, user)?
            .open_in_place(Nonce::assume_unique_for_key(sealed.nonce), aad, &mut sealed.body)
            .map_err(|_| SealError::NotAuthentic)?;
        unpad(clear).map(Secret::new)
    }

    /// Whether the stored text is sealed with the primary key.
    pub fn is_current(&self, stored: &str) -> bool {
        classify(stored) == AtRest::Sealed { kid: Some(&self.primary) }
    }

    /// Each user has a key of its own, so that one that leaked opens one user.
    fn user_key(&self, kid: &str, user: &UserId) -> Result<LessSafeKey, SealError> {
        let master = self.keys.get(kid).ok_or_else(|| SealError::UnknownKey(kid.to_owned()))?;
        let key = derive(master, SALT, &[b"aes-256-gcm-siv", user.as_str().as_bytes()]);
        let key = UnboundKey::new(&AES_256_GCM_SIV, &*key).expect("the key has the algorithm's length");
        Ok(LessSafeKey::new(key))
    }
}

/// Names only: never a key.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("primary", &self.primary).field("kids", &self.keys.keys()).finish_non_exhaustive()
    }
}

/// 32 bytes from base64, with or without white space around it.
pub(super) fn decode_key(text: &str) -> Option<MasterKey> {
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
    <[u8; KEY_LEN]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

struct DerivedLength;

impl hkdf::KeyType for DerivedLength {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

/// HKDF-SHA256 (RFC 5869).
fn derive(master: &MasterKey, salt: &[u8], info: &[&[u8]]) -> MasterKey {
    let mut derived = Zeroizing::new([0u8; KEY_LEN]);
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&**master);
    let okm = prk.expand(info, DerivedLength).expect("32 bytes are far below HKDF's limit");
    okm.fill(&mut *derived).expect("the buffer has the length asked for");
    derived
}
