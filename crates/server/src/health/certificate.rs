//! Until when the certificates of a PEM file are valid: the one field of X.509 that we read (RFC 5280 §4.1).

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::Path;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version, which the first one does not have.
const VERSION: u8 = 0xa0;

/// The end of the one that ends first; `None` when there is none that can be read.
pub fn valid_until(file: &Path) -> Option<Timestamp> {
    let bytes = std::fs::read(file).ok()?;
    let chain = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>().ok()?;
    let ends = chain.iter().map(|certificate| not_after(certificate)).collect::<Option<Vec<_>>>()?;
    ends.into_iter().min()
}

/// `notAfter` of a certificate in DER.
fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(der)?;
    let (_, mut body, _) = element(certificate)?;
    if body.first() == Some(&VERSION) {
        body = element(body)?.2;
    }
    // serialNumber, signature, issuer
    for _ in 0..3 {
        body = element(body)?.2;
    }
    let (_, validity, _) = element(body).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// Tag, content, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..=127 => (short, rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(long & 0x7f).filter(|(bytes, _)| (1..=4).contains(&bytes.len()))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let (year, rest) = match tag {
        // Two digits mean 1950 to 2049 (RFC 5280 §4.1.2.5.1).
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2_000 + year } else { 1_900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let digits = rest.strip_suffix('Z').filter(|digits| digits.len() == 10)?;
    let number = |at: usize| digits.get(at..at + 2)?.parse::<i8>().ok();
    let day = jiff::civil::Date::new(year, number(0)?, number(2)?).ok()?;
    let time = jiff::civil::Time::new(number(4)?, number(6)?, number(8)?.min(59), 0).ok()?;
    day.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(year: i32) -> rcgen::CertificateParams {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(year, 3, 4);
        params
    }

    #[test]
    fn the_end_of_a_chain_is_that_of_its_shortest() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("chain.pem");
        assert_eq!(valid_until(&file), None);
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = |year| made(year).self_signed(&key).expect("signed").pem();
        for (chain, wanted) in [
            (pem(2031), Some("2031-03-04T00:00:00Z")),
            (pem(2061), Some("2061-03-04T00:00:00Z")),
            (pem(2061) + &pem(2029), Some("2029-03-04T00:00:00Z")),
            ("no certificate".to_owned(), None),
        ] {
            std::fs::write(&file, chain).expect("written");
            assert_eq!(valid_until(&file), wanted.map(|text| text.parse().expect("a time")));
        }
    }

    #[test]
    fn what_is_no_certificate_is_none_wherever_it_breaks_off() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = made(2031).self_signed(&key).expect("signed");
        let der = certificate.der();
        for length in 0..der.len() {
            assert_eq!(not_after(&der[..length]), None, "{length} bytes");
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(not_after(&[0x30; 64]), None);
    }
}
