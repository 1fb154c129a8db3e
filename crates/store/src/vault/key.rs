//! The keys between the keyring and a recording.
//!
//! ```text
//! wrapped = nonce[12] ‖ AES-256-GCM-SIV(user's key, data key[32], with the user's key's id and the call's id) ‖ tag[16]
//! ```

use crate::seal::{Keyring, SealError};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use callie_domain::{CallId, Secret, UserId};
use std::fmt;
use zeroize::Zeroizing;

pub const KEY_LEN: usize = 32;
const TAG_LEN: usize = 16;
const PURPOSE: &str = "callie/recording-key/v1";

/// The key of one recording.
#[derive(Clone)]
pub struct DataKey(pub(super) Zeroizing<[u8; KEY_LEN]>);

impl DataKey {
    pub fn draw() -> Result<Self, SealError> {
        Ok(Self(draw()?))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// The key of one user.
pub(crate) struct TenantKey {
    pub id: String,
    key: Zeroizing<[u8; KEY_LEN]>,
}

impl TenantKey {
    pub fn draw() -> Result<Self, SealError> {
        let name: Zeroizing<[u8; 8]> = draw()?;
        let id = name.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { id, key: draw()? })
    }

    /// As it is stored.
    pub fn seal(&self, keyring: &Keyring, user: &UserId) -> Result<String, SealError> {
        let text = Zeroizing::new(STANDARD.encode(*self.key));
        keyring.seal(user, &field(&self.id), &Secret::new(text.as_str()))
    }

    pub fn open(keyring: &Keyring, user: &UserId, id: &str, stored: &str) -> Result<Self, SealError> {
        let secret = keyring.open(user, &field(id), stored)?;
        let bytes = Zeroizing::new(STANDARD.decode(secret.expose()).map_err(|_| SealError::Malformed)?);
        let key = <[u8; KEY_LEN]>::try_from(bytes.as_slice()).map_err(|_| SealError::Malformed)?;
        Ok(Self { id: id.to_owned(), key: Zeroizing::new(key) })
    }

    pub fn wrap(&self, call: CallId, data: &DataKey) -> Result<Vec<u8>, SealError> {
        let nonce: Zeroizing<[u8; NONCE_LEN]> = draw()?;
        let mut body = Zeroizing::new(Vec::with_capacity(KEY_LEN + TAG_LEN));
        body.extend_from_slice(&*data.0);
        self.cipher()
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), self.bound_to(call), &mut *body)
            .map_err(|_| SealError::TooLong)?;
        Ok([nonce.as_slice(), &body].concat())
    }

    pub fn unwrap(&self, call: CallId, wrapped: &[u8]) -> Result<DataKey, SealError> {
        let (nonce, body) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Malformed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let clear = self
            .cipher()
            .open_in_place(Nonce::assume_unique_for_key(*nonce), self.bound_to(call), &mut body)
            .map_err(|_| SealError::NotAuthentic)?;
        let key = <[u8; KEY_LEN]>::try_from(&*clear).map_err(|_| SealError::Malformed)?;
        Ok(DataKey(Zeroizing::new(key)))
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &*self.key).expect("the key has the algorithm's length"))
    }

    /// Ids have no line feed in them, so that no two pairs give the same bytes.
    fn bound_to(&self, call: CallId) -> Aad<Vec<u8>> {
        Aad::from(format!("{PURPOSE}\n{}\n{call}", self.id).into_bytes())
    }
}

fn field(id: &str) -> String {
    format!("tenant_key.{id}")
}

pub(super) fn draw<const N: usize>() -> Result<Zeroizing<[u8; N]>, SealError>
where
    [u8; N]: zeroize::Zeroize,
{
    let mut bytes = Zeroizing::new([0; N]);
    SystemRandom::new().fill(&mut *bytes).map_err(|_| SealError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(n: u128) -> CallId {
        CallId::new("2026-11-29T08:00:00Z".parse().expect("a time"), n)
    }

    #[test]
    fn a_wrapped_key_opens_for_its_user_and_call_alone() {
        let keyring = Keyring::from_master_key("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=").expect("a key");
        let [alice, bob]: [UserId; 2] = ["alice", "bob"].map(|name| name.parse().expect("an id"));
        let tenant = TenantKey::draw().expect("drawn");
        let stored = tenant.seal(&keyring, &alice).expect("sealed");
        let data = DataKey::draw().expect("drawn");
        let wrapped = tenant.wrap(call(1), &data).expect("wrapped");
        let again = TenantKey::open(&keyring, &alice, &tenant.id, &stored).expect("opened");
        assert_eq!(*again.unwrap(call(1), &wrapped).expect("unwrapped").0, *data.0);

        assert!(TenantKey::open(&keyring, &bob, &tenant.id, &stored).is_err(), "another user");
        assert!(TenantKey::open(&keyring, &alice, "0011223344556677", &stored).is_err(), "another id");
        assert_eq!(again.unwrap(call(2), &wrapped).err(), Some(SealError::NotAuthentic), "another call");
        assert_eq!(
            TenantKey::draw().expect("drawn").unwrap(call(1), &wrapped).err(),
            Some(SealError::NotAuthentic),
            "another key"
        );
        for at in 0..wrapped.len() {
            let mut bent = wrapped.clone();
            bent[at] ^= 1;
            assert!(again.unwrap(call(1), &bent).is_err(), "bent at {at}");
            assert!(again.unwrap(call(1), &wrapped[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn keys_do_not_print() {
        assert_eq!(format!("{:?}", DataKey::draw().expect("drawn")), "DataKey(..)");
    }
}
