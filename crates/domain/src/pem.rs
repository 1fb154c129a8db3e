//! Texts of certificates and keys (PEM, RFC 7468): their shape, not what they say. What stands between the blocks is dropped, and
//! a text that lost its line breaks in a form of one line has them again.

use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Columns of a line of base64 (RFC 7468 §2).
const COLUMNS: usize = 64;
/// An ASN.1 SEQUENCE (0x30), with which every certificate and key begins, in base64.
const SEQUENCE: char = 'M';

/// Why a text is no PEM of the kind asked for. It holds none of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPem {
    #[error("must be PEM: lines between -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----")]
    NoCertificate,
    #[error("must be PEM: lines between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----")]
    NoKey,
    #[error("is encrypted with a passphrase; send it without one (openssl pkey -in key.pem -out clear.pem)")]
    EncryptedKey,
    #[error("has a block with no end, or with other characters than those of base64")]
    Damaged,
    #[error("must hold one private key, not several")]
    SeveralKeys,
}

/// The certificates in `text`, one or more.
pub fn certificates(text: &str) -> Result<String, BadPem> {
    let mut written = String::new();
    for block in blocks(text) {
        let (label, body) = block?;
        if label == "CERTIFICATE" {
            write_block(&mut written, label, &body);
        }
    }
    if written.is_empty() { Err(BadPem::NoCertificate) } else { Ok(written) }
}

/// The private key in `text`.
pub fn private_key(text: &str) -> Result<String, BadPem> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(BadPem::EncryptedKey);
    }
    let mut key = None;
    for block in blocks(text) {
        let (label, body) = block?;
        if !matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY") {
            continue;
        }
        let mut written = String::with_capacity(text.len() + 64);
        write_block(&mut written, label, &body);
        if key.replace(written).is_some() {
            return Err(BadPem::SeveralKeys);
        }
    }
    key.ok_or(BadPem::NoKey)
}

/// Label and base64 of each block.
fn blocks(text: &str) -> impl Iterator<Item = Result<(&str, Zeroizing<String>), BadPem>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, begun) = rest.split_once("-----BEGIN ")?;
        // Whatever is wrong with this block, nothing is looked for behind it.
        rest = "";
        let Some((label, body)) = begun.split_once("-----") else { return Some(Err(BadPem::Damaged)) };
        let Some((body, behind)) = body.split_once(&format!("-----END {label}-----")) else { return Some(Err(BadPem::Damaged)) };
        rest = behind;
        let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let whole = is_base64(&body) && (body.starts_with(SEQUENCE) || label.ends_with("PARAMETERS"));
        Some(if whole { Ok((label, body)) } else { Err(BadPem::Damaged) })
    })
}

fn is_base64(body: &str) -> bool {
    let data = body.trim_end_matches('=');
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    body.len().is_multiple_of(4) && body.len() - data.len() <= 2 && data.bytes().all(is_digit)
}

fn write_block(out: &mut String, label: &str, body: &str) {
    let _ = writeln!(out, "-----BEGIN {label}-----");
    let mut rest = body;
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(COLUMNS));
        let _ = writeln!(out, "{line}");
        rest = more;
    }
    let _ = writeln!(out, "-----END {label}-----");
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIB\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqG\n-----END PRIVATE KEY-----\n";

    #[test]
    fn certificates_have_one_form() {
        let two = format!("{CERTIFICATE}{CERTIFICATE}");
        for (text, want) in [
            (CERTIFICATE.to_owned(), CERTIFICATE),
            (CERTIFICATE.replace('\n', "\r\n"), CERTIFICATE),
            (CERTIFICATE.replace('\n', " "), CERTIFICATE),
            (format!("subject=CN = x\n{CERTIFICATE}\nissuer=y\n{CERTIFICATE}"), &*two),
            (format!("{KEY}{CERTIFICATE}"), CERTIFICATE),
        ] {
            assert_eq!(certificates(&text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn lines_have_64_columns() {
        let long = format!("-----BEGIN CERTIFICATE-----{}-----END CERTIFICATE-----", "MIIB".repeat(20));
        let written = certificates(&long).expect("it is one");
        let lengths: Vec<usize> = written.lines().map(str::len).collect();
        assert_eq!(lengths, [27, 64, 16, 25]);
        assert_eq!(certificates(&written), Ok(written));
    }

    #[test]
    fn keys_are_found_among_other_blocks() {
        let ec = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nMHcC\n\
                  -----END EC PRIVATE KEY-----\n";
        let written = private_key(ec).expect("a key");
        assert_eq!(written, "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n");
        assert_eq!(private_key(&format!("{CERTIFICATE}{KEY}")).as_deref(), Ok(KEY));
    }

    #[test]
    fn what_is_none_is_told_why() {
        let encrypted = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        for (text, want) in [
            ("", BadPem::NoKey),
            ("secret", BadPem::NoKey),
            (CERTIFICATE, BadPem::NoKey),
            (&*encrypted, BadPem::EncryptedKey),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nMIGH\n-----END RSA PRIVATE KEY-----",
                BadPem::EncryptedKey,
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIGH", BadPem::Damaged),
            ("-----BEGIN PRIVATE KEY", BadPem::Damaged),
            ("-----BEGIN PRIVATE KEY-----\nMI%H\n-----END PRIVATE KEY-----", BadPem::Damaged),
            ("-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----", BadPem::Damaged),
            ("-----BEGIN PRIVATE KEY-----\nAIGH\n-----END PRIVATE KEY-----", BadPem::Damaged),
            (&*format!("{KEY}{KEY}"), BadPem::SeveralKeys),
        ] {
            assert_eq!(private_key(text), Err(want), "{text}");
        }
        assert_eq!(certificates(KEY), Err(BadPem::NoCertificate));
        assert_eq!(certificates("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"), Err(BadPem::Damaged));
    }
}
