//! The telephone account behind a user: what a registrar needs to know, and what must happen when it changes.

use crate::{Secret, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// How SIP messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Udp,
    Tcp,
    /// TLS over TCP (RFC 3261 §26.2.1), verified against the roots in [`TlsSettings`].
    Tls,
}

impl Transport {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// Connections: what is sent arrives or the connection breaks.
    pub fn is_stream(self) -> bool {
        self != Self::Udp
    }

    /// Where it listens when nobody says otherwise (RFC 3261 §19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

impl FromStr for Transport {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "udp" => Ok(Self::Udp),
            "tcp" => Ok(Self::Tcp),
            "tls" => Ok(Self::Tls),
            _ => Err(()),
        }
    }
}

/// A host name or address with an optional port: `sip.example.com`, `192.0.2.1:5070`, `[2001:db8::1]:5060`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Without brackets.
    pub host: String,
    pub port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a host name or address, optionally with a port, such as sip.example.com or 192.0.2.1:5070")]
pub struct BadHostPort;

impl FromStr for HostPort {
    type Err = BadHostPort;
    fn from_str(text: &str) -> Result<Self, BadHostPort> {
        let port_of = |p: &str| p.parse::<u16>().ok().filter(|p| *p != 0).ok_or(BadHostPort);
        if let Some(rest) = text.strip_prefix('[') {
            let (host, tail) = rest.split_once(']').ok_or(BadHostPort)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| BadHostPort)?;
            let port = match tail {
                "" => None,
                _ => Some(port_of(tail.strip_prefix(':').ok_or(BadHostPort)?)?),
            };
            return Ok(Self { host: host.to_owned(), port });
        }
        if text.parse::<std::net::Ipv6Addr>().is_ok() {
            return Ok(Self { host: text.to_owned(), port: None });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port_of(port)?)),
            None => (text, None),
        };
        let label_ok = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.len() <= 253 && host.split('.').all(label_ok) {
            Ok(Self { host: host.to_ascii_lowercase(), port })
        } else {
            Err(BadHostPort)
        }
    }
}

impl HostPort {
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// As written in a URI: IPv6 addresses in brackets.
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Whom a TLS peer must be certified by, and who we are to it. One account's trust is never used for another's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TlsSettings {
    /// PEM certificates trusted instead of the system's roots.
    pub ca_certificates: Option<String>,
    /// PEM chain that we show to servers that ask for one.
    pub client_certificate: Option<String>,
    /// PEM key of `client_certificate`.
    pub client_key: Option<Secret>,
    /// The name the server's certificate must bear; `None` is the host that was configured (RFC 5922 §4).
    pub server_name: Option<String>,
}

/// Who may send an INVITE to the account's Contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum AcceptFrom {
    /// The addresses that the account's registrar, proxy and backup resolve to.
    #[default]
    Provider,
    /// Whoever knows the Contact.
    Anyone,
}

impl AcceptFrom {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Anyone => "anyone",
        }
    }
}

impl FromStr for AcceptFrom {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "provider" => Ok(Self::Provider),
            "anyone" => Ok(Self::Anyone),
            _ => Err(()),
        }
    }
}

/// How a line is kept: times and addresses with which it differs from the server's defaults (`None`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineUpkeep {
    /// Seconds asked for in REGISTER.
    pub registration_expires_s: Option<u32>,
    /// Seconds between keepalives on the flow to the registrar; 0 sends none.
    pub keepalive_s: Option<u32>,
    /// Seconds of the session timer that we ask for (RFC 4028); 0 does not ask for one.
    pub session_expires_s: Option<u32>,
    /// Address that peers reach us under, over the server's own setting.
    pub external_address: Option<IpAddr>,
    /// STUN server (RFC 8489) asked for our public address.
    pub stun_server: Option<HostPort>,
}

/// All that the SIP side needs of a user. Two equal accounts need the same registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: UserId,
    pub display_name: String,
    /// User part of the address of record.
    pub aor_user: String,
    /// Host part of the address of record: the domain of `sip_username` when it has one, else the server.
    pub aor_host: String,
    pub auth_username: String,
    pub password: Secret,
    /// The registrar. Without a port it is looked up by RFC 3263: NAPTR, SRV, addresses.
    pub server: HostPort,
    /// Registrar for when none of `server`'s targets answers.
    pub backup_server: Option<HostPort>,
    pub outbound_proxy: Option<HostPort>,
    pub transport: Transport,
    /// Write `sips:` URIs; asks for TLS on every hop (RFC 3261 §26.2.2). Only with [`Transport::Tls`].
    pub sips: bool,
    pub tls: TlsSettings,
    pub accept_from: AcceptFrom,
    pub upkeep: LineUpkeep,
    /// User part of From in outbound calls, where the provider wants another than the account's own.
    pub from_user: Option<String>,
    /// Number shown to the called party (`P-Asserted-Identity` / `P-Preferred-Identity`).
    pub caller_id: Option<String>,
    pub user_agent: String,
}

impl Account {
    /// Of the URIs that we write.
    pub fn scheme(&self) -> &'static str {
        if self.sips { "sips" } else { "sip" }
    }

    /// The address of record, `sip:user@host`.
    pub fn aor(&self) -> String {
        format!("{}:{}@{}", self.scheme(), self.aor_user, self.aor_host)
    }
}

/// What must happen to get from the running account to the desired one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing runs and nothing should.
    Idle,
    Start,
    Keep,
    /// Same binding, new details (password, User-Agent, display name): register again under the same Contact.
    Reregister,
    /// Another binding: remove the old one, then start anew.
    Restart,
    Stop,
}

/// The reconciler's only decision.
pub fn diff(desired: Option<&Account>, running: Option<&Account>) -> Change {
    match (desired, running) {
        (None, None) => Change::Idle,
        (Some(_), None) => Change::Start,
        (None, Some(_)) => Change::Stop,
        (Some(d), Some(r)) if d == r => Change::Keep,
        (Some(d), Some(r)) => {
            let binding = |a: &Account| {
                let way = (a.server.clone(), a.backup_server.clone(), a.outbound_proxy.clone(), a.transport, a.tls.clone());
                (a.aor(), a.sips, way, a.upkeep.clone())
            };
            if binding(d) == binding(r) { Change::Reregister } else { Change::Restart }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            user: "alice".parse().expect("valid"),
            display_name: "Alice".into(),
            aor_user: "alice".into(),
            aor_host: "example.com".into(),
            auth_username: "alice".into(),
            password: Secret::new("pw"),
            server: HostPort { host: "sip.example.com".into(), port: Some(5060) },
            backup_server: None,
            outbound_proxy: None,
            transport: Transport::Udp,
            sips: false,
            tls: TlsSettings::default(),
            accept_from: AcceptFrom::Provider,
            upkeep: LineUpkeep::default(),
            from_user: None,
            caller_id: None,
            user_agent: "UA".into(),
        }
    }

    #[test]
    fn diff_decides_by_what_changed() {
        let base = account();
        let password = Account { password: Secret::new("new"), ..base.clone() };
        let server = Account { server: HostPort { host: "b".into(), port: Some(5060) }, ..base.clone() };
        for (desired, running, want) in [
            (None, None, Change::Idle),
            (Some(&base), None, Change::Start),
            (None, Some(&base), Change::Stop),
            (Some(&base), Some(&base), Change::Keep),
            (Some(&password), Some(&base), Change::Reregister),
            (Some(&server), Some(&base), Change::Restart),
        ] {
            assert_eq!(diff(desired, running), want);
        }
    }

    #[test]
    fn hosts_parse() {
        for (text, shown) in [
            ("SIP.zoho.com", "sip.zoho.com"),
            ("127.0.0.1:5070", "127.0.0.1:5070"),
            ("[::1]:5060", "[::1]:5060"),
            ("::1", "[::1]"),
            ("a_b.example.", "a_b.example"),
        ] {
            assert_eq!(text.parse::<HostPort>().map(|h| h.to_string()), Ok(shown.to_owned()), "{text}");
        }
        for bad in ["", "a b", "a:", "a:0", "a:70000", "a;b", "-a", "a..b", "[::1", "a\r\nb", "é.com"] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad:?}");
        }
    }
}
