//! Why TLS did not come about, told apart by what a person can do about it.

use super::client::Identity;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, OtherError};
use std::io;

/// What is wrong, and its remedy. Short enough for a line's status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    #[error("the certificate of {name} has expired{when}: the provider has to renew it")]
    Expired { name: String, when: String },
    #[error("the certificate of {name} is not valid yet{when}: check the clock of this machine")]
    NotValidYet { name: String, when: String },
    #[error("{name} is certified by an authority unknown to this machine: put the provider's own into sip.tls_ca")]
    UnknownIssuer { name: String },
    #[error("{name} is not certified by the authority in sip.tls_ca: ask the provider for the right one")]
    OtherIssuer { name: String },
    #[error("certified for {presented}, not for {name}: correct sip_server or set sip.tls_server_name")]
    WrongName { name: String, presented: String },
    #[error("the certificate of {name} was revoked: the provider has to replace it")]
    Revoked { name: String },
    #[error("the certificate of {name} is not acceptable ({reason}): the provider has to replace it")]
    BadCertificate { name: String, reason: String },
    #[error("the server wants a client certificate: set sip.tls_client_certificate and sip.tls_client_key")]
    ClientCertificateWanted,
    #[error("the server does not accept our client certificate ({alert}): ask the provider for a new one")]
    ClientCertificateRefused { alert: String },
    #[error("the server refused the handshake ({alert}); it may want a client certificate (sip.tls_client_certificate)")]
    Refused { alert: String },
    #[error("the server and we have nothing in common ({reason}): it has to allow TLS 1.2 or 1.3")]
    NothingInCommon { reason: String },
    #[error("what answers there does not speak TLS: check sip_port (5061 is usual) and transport")]
    NotTls,
    #[error("the server broke the handshake off: check sip_port and transport")]
    BrokenOff,
    #[error("{field} cannot be used ({reason})")]
    Settings { field: &'static str, reason: String },
    #[error("{0}")]
    Other(String),
}

/// What an error of a TLS connection means to somebody.
pub(in crate::stack) fn explain(error: &io::Error, identity: &Identity) -> String {
    TlsFault::of(error, identity).to_string()
}

impl TlsFault {
    pub(super) fn of(error: &io::Error, identity: &Identity) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(fault)) => of_certificate(fault, identity),
            Some(Error::AlertReceived(alert)) => of_alert(*alert, identity),
            Some(Error::InvalidMessage(_) | Error::InappropriateMessage { .. }) => Self::NotTls,
            Some(Error::PeerIncompatible(reason)) => Self::NothingInCommon { reason: format!("{reason:?}") },
            Some(Error::PeerMisbehaved(reason)) => Self::Other(format!("the server breaks the rules of TLS ({reason:?})")),
            Some(other) => Self::Other(other.to_string()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::BrokenOff,
            None if error.kind() == io::ErrorKind::ConnectionReset => Self::BrokenOff,
            None => Self::Other(error.to_string()),
        }
    }
}

fn of_certificate(fault: &CertificateError, identity: &Identity) -> TlsFault {
    let name = identity.server_name.clone();
    match fault {
        CertificateError::Expired => TlsFault::Expired { name, when: String::new() },
        CertificateError::ExpiredContext { not_after, .. } => TlsFault::Expired { name, when: on(*not_after) },
        CertificateError::NotValidYet => TlsFault::NotValidYet { name, when: String::new() },
        CertificateError::NotValidYetContext { not_before, .. } => TlsFault::NotValidYet { name, when: on(*not_before) },
        // A bad signature: an authority of the same name, with another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match identity.own_roots {
            true => TlsFault::OtherIssuer { name },
            false => TlsFault::UnknownIssuer { name },
        },
        CertificateError::NotValidForName => TlsFault::WrongName { name, presented: "another".into() },
        CertificateError::NotValidForNameContext { presented, .. } => TlsFault::WrongName { name, presented: listed(presented) },
        CertificateError::Revoked => TlsFault::Revoked { name },
        CertificateError::Other(OtherError(reason)) => TlsFault::BadCertificate { name, reason: printable(&reason.to_string()) },
        other => TlsFault::BadCertificate { name, reason: printable(&other.to_string()) },
    }
}

fn of_alert(alert: AlertDescription, identity: &Identity) -> TlsFault {
    use AlertDescription as Alert;
    let shown = identity.shows_certificate;
    match alert {
        Alert::CertificateRequired => TlsFault::ClientCertificateWanted,
        Alert::ProtocolVersion | Alert::InsufficientSecurity => TlsFault::NothingInCommon { reason: format!("{alert:?}") },
        Alert::BadCertificate | Alert::NoCertificate if !shown => TlsFault::ClientCertificateWanted,
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
            if shown =>
        {
            TlsFault::ClientCertificateRefused { alert: format!("{alert:?}") }
        }
        _ => TlsFault::Refused { alert: format!("{alert:?}") },
    }
}

fn on(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map(|at| format!(" ({})", at.strftime("%Y-%m-%d"))).unwrap_or_default()
}

/// The names of a stranger's certificate, few and printable. rustls shows them as `DnsName("a.example")`.
fn listed(presented: &[String]) -> String {
    const MOST: usize = 2;
    let bare = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest.trim_end_matches(')'));
        printable(inner.trim_matches('"'))
    };
    let names: Vec<String> = presented.iter().take(MOST).map(bare).collect();
    match names.len() {
        0 => "no name at all".into(),
        _ if presented.len() > MOST => format!("{} and others", names.join(", ")),
        _ => names.join(", "),
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(own_roots: bool, shows_certificate: bool) -> Identity {
        Identity { server_name: "sip.example.com".into(), trust: [0; 32], own_roots, shows_certificate }
    }

    fn told(error: Error, own_roots: bool, shows_certificate: bool) -> String {
        explain(&io::Error::new(io::ErrorKind::InvalidData, error), &identity(own_roots, shows_certificate))
    }

    #[test]
    fn each_fault_names_cause_and_remedy() {
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
        let wrong_name = CertificateError::NotValidForNameContext {
            expected: "sip.example.com".try_into().expect("a name"),
            presented: ["DnsName(\"a.test\")", "IpAddress(192.0.2.1)", "c", "d", "e"].map(str::to_owned).to_vec(),
        };
        let mut texts = Vec::new();
        for fault in [
            CertificateError::ExpiredContext { time: at, not_after: at },
            CertificateError::NotValidYetContext { time: at, not_before: at },
            CertificateError::UnknownIssuer,
            wrong_name,
            CertificateError::Revoked,
            CertificateError::BadEncoding,
        ] {
            texts.push(told(Error::InvalidCertificate(fault), false, false));
        }
        for fault in [CertificateError::UnknownIssuer, CertificateError::BadSignature] {
            texts.push(told(Error::InvalidCertificate(fault), true, false));
        }
        for alert in
            [AlertDescription::CertificateRequired, AlertDescription::HandshakeFailure, AlertDescription::ProtocolVersion]
        {
            texts.push(told(Error::AlertReceived(alert), false, false));
        }
        texts.push(told(Error::AlertReceived(AlertDescription::UnknownCA), false, true));
        texts.push(explain(&io::ErrorKind::UnexpectedEof.into(), &identity(false, false)));
        assert!(texts.iter().all(|text| text.len() < 125), "a status has no room for more: {texts:#?}");
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn a_strangers_certificate_cannot_fill_a_log() {
        let long = vec!["x\r\ny".repeat(1_000); 100];
        assert!(listed(&long).len() < 500 && !listed(&long).contains('\n'));
    }
}
