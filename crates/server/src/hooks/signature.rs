//! The proof that a message is ours and is not an old one: `Callie-Signature: t=1760000000,v1=<hex>`, where the hex is the
//! HMAC-SHA256 of `t`, a dot and the body, under the receiver's secret.

use callie_domain::Secret;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::fmt::Write;

pub const HEADER: &str = "callie-signature";

pub fn of(secret: &Secret, at: Timestamp, body: &str) -> String {
    let seconds = at.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{seconds}.{body}").as_bytes());
    let mut header = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        // Writing to a String cannot fail.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_other_tools() {
        // printf '1760000000.{"id":"x"}' | openssl dgst -sha256 -hmac whsec_0123456789
        let at = Timestamp::from_second(1_760_000_000).expect("a time");
        let signature = of(&Secret::new("whsec_0123456789"), at, r#"{"id":"x"}"#);
        assert_eq!(signature, "t=1760000000,v1=a766f5098255782d40c33be3f28045335b7dd0561f38c3f7bf242f36c734ae2e");
    }
}
