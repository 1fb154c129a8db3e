//! SRTP (RFC 3711) with the two suites that telephones have, AES_CM_128_HMAC_SHA1_80 and _32.

mod key;

pub use key::{SrtpKey, SrtpParams, SrtpSuite};
