//! What one direction of RTP or RTCP is encrypted and authenticated with: the session keys that the master key gives
//! (RFC 3711 §4.3), made ready once so that a packet costs no key schedule.

use super::SrtpKey;
use aes::{
    Aes128,
    cipher::{InnerIvInit, KeyInit as _, StreamCipherCore},
};
use ctr::{CtrCore, flavors::Ctr32BE};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use zeroize::{Zeroize, Zeroizing};

const CIPHER_KEY_LEN: usize = 16;
const SALT_LEN: usize = 14;
const MAC_KEY_LEN: usize = 20;
/// Octets of a whole tag of HMAC-SHA1, of which packets carry the first.
const MAC_LEN: usize = 20;

/// Labels of the keys (RFC 3711 §4.3.1 and §4.3.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels {
    cipher: u8,
    mac: u8,
    salt: u8,
}

pub(super) const RTP: Labels = Labels { cipher: 0, mac: 1, salt: 2 };
pub(super) const RTCP: Labels = Labels { cipher: 3, mac: 4, salt: 5 };

/// See the module.
pub(super) struct SessionKeys {
    cipher: Aes128,
    /// Has taken in the key, and nothing else.
    mac: Hmac<Sha1>,
    salt: [u8; SALT_LEN],
}

impl SessionKeys {
    pub fn derive(master: &SrtpKey, labels: Labels) -> Self {
        let (key, salt) = master.octets().split_at(CIPHER_KEY_LEN);
        let mut master_salt = Zeroizing::new([0; SALT_LEN]);
        master_salt.copy_from_slice(salt);
        let prf = cipher(key);
        let mut cipher_key = Zeroizing::new([0; CIPHER_KEY_LEN]);
        let mut mac_key = Zeroizing::new([0; MAC_KEY_LEN]);
        let mut salt = [0; SALT_LEN];
        pseudo_random(&prf, &master_salt, labels.cipher, cipher_key.as_mut());
        pseudo_random(&prf, &master_salt, labels.mac, mac_key.as_mut());
        pseudo_random(&prf, &master_salt, labels.salt, &mut salt);
        let mut block = sha1_block(&mac_key);
        let mac = <Hmac<Sha1> as hmac::KeyInit>::new(&block.into());
        block.zeroize();
        Self { cipher: cipher(cipher_key.as_ref()), mac, salt }
    }

    /// Encrypts or decrypts in place: the keystream of AES in counter mode (RFC 3711 §4.1.1).
    pub fn apply_keystream(&self, ssrc: u32, index: u64, octets: &mut [u8]) {
        let mut start = [0; 16];
        let nonce = (u128::from(ssrc) << 64) | (u128::from(index & INDEX_MASK) << 16);
        start[..SALT_LEN].copy_from_slice(&self.salt);
        apply(&self.cipher, u128::from_be_bytes(start) ^ nonce, octets);
    }

    /// The tag over what is authenticated, given in two parts (RFC 3711 §4.2).
    pub fn tag(&self, packet: &[u8], suffix: &[u8]) -> [u8; MAC_LEN] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(suffix);
        mac.finalize().into_bytes().into()
    }
}

impl Drop for SessionKeys {
    fn drop(&mut self) {
        self.salt.zeroize();
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys(redacted)")
    }
}

/// Packet indices have 48 bits.
const INDEX_MASK: u64 = (1 << 48) - 1;

/// The first octets of the keystream under the master key, from a block that names what they are for (RFC 3711 §4.3.3). Keys are
/// derived once: the key derivation rate is zero.
fn pseudo_random(prf: &Aes128, master_salt: &[u8; SALT_LEN], label: u8, out: &mut [u8]) {
    let mut start = [0; 16];
    start[..SALT_LEN].copy_from_slice(master_salt);
    out.fill(0);
    apply(prf, u128::from_be_bytes(start) ^ (u128::from(label) << 64), out);
}

/// Adds the keystream that begins with the block `start`. No packet has the 65,536 blocks after which the counter would run
/// into the nonce.
fn apply(cipher: &Aes128, start: u128, octets: &mut [u8]) {
    let stream = CtrCore::<&Aes128, Ctr32BE>::inner_iv_init(cipher, &start.to_be_bytes().into());
    let applied = stream.try_apply_keystream_partial(octets.into());
    debug_assert!(applied.is_ok(), "the keystream is longer than any packet");
}

fn cipher(key: &[u8]) -> Aes128 {
    let mut fixed = Zeroizing::new([0; CIPHER_KEY_LEN]);
    fixed.copy_from_slice(key);
    Aes128::new(&(*fixed).into())
}

/// HMAC takes a key of a whole block of the hash, filled up with zeros (RFC 2104 §2).
fn sha1_block(key: &[u8; MAC_KEY_LEN]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..MAC_KEY_LEN].copy_from_slice(key);
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::srtp::vectors::unhex;

    fn master() -> SrtpKey {
        let octets = unhex("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        SrtpKey::new(octets.try_into().expect("thirty octets"))
    }

    /// RFC 3711 appendix B.2.
    #[test]
    fn the_keystream_is_that_of_the_rfc() {
        let mut stream = [0; 16 * 3];
        let key = unhex("2B7E151628AED2A6ABF7158809CF4F3C");
        apply(&cipher(&key), 0xF0F1_F2F3_F4F5_F6F7_F8F9_FAFB_FCFD_0000, &mut stream);
        let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(stream.to_vec(), unhex(expected));
        let mut stream = vec![0; 16 * 0xff02];
        apply(&cipher(&key), 0xF0F1_F2F3_F4F5_F6F7_F8F9_FAFB_FCFD_0000, &mut stream);
        let expected = "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44";
        assert_eq!(stream[16 * 0xfeff..], unhex(expected));
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn the_session_keys_are_those_of_the_rfc() {
        let (key, salt) = master().octets().split_at(16).to_owned_pair();
        let derive = |label, length| {
            let mut out = vec![0xaa; length];
            pseudo_random(&cipher(&key), &salt, label, &mut out);
            out
        };
        assert_eq!(derive(0, 16), unhex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derive(2, 14), unhex("30CBBC08863D8C85D49DB34A9AE1"));
        let mac = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2DC68";
        assert_eq!(derive(1, 94), unhex(mac)[..94]);
    }

    trait ToOwnedPair {
        fn to_owned_pair(self) -> (Vec<u8>, [u8; SALT_LEN]);
    }

    impl ToOwnedPair for (&[u8], &[u8]) {
        fn to_owned_pair(self) -> (Vec<u8>, [u8; SALT_LEN]) {
            (self.0.to_vec(), self.1.try_into().expect("fourteen octets"))
        }
    }
}
