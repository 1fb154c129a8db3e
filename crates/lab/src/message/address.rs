//! URIs, name-addrs and Via values, as far as a small switch needs them (RFC 3261 §19.1, §20.10, §20.42).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// `;name=value` in the order written.
type Params = Vec<(String, Option<String>)>;

/// A `sip:` URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    pub scheme: String,
    pub user: Option<String>,
    /// Without brackets for IPv6.
    pub host: String,
    pub port: Option<u16>,
    params: Params,
}

impl Uri {
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once(':')?;
        if !["sip", "sips"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return None;
        }
        let rest = rest.split('?').next().unwrap_or(rest);
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.split(':').next().unwrap_or(user).to_owned()), rest),
            None => (None, rest),
        };
        let (host_port, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_host_port(host_port)?;
        Some(Self { scheme: scheme.to_ascii_lowercase(), user, host, port, params: parse_params(params) })
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.params, name)
    }

    pub fn is_tcp(&self) -> bool {
        self.param("transport").is_some_and(|transport| transport.eq_ignore_ascii_case("tcp"))
    }

    /// Where it points when its host is a literal address; port 5060 by default.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port.unwrap_or(5060)))
    }
}

/// `"Name" <uri>;params` or the bare `uri;params`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    pub display_name: String,
    /// The URI's text.
    pub uri: String,
    params: Params,
}

impl NameAddr {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // A quoted name may hold '<': look for the bracket behind the closing quote.
        let skip = text.strip_prefix('"').and_then(closing_quote).map_or(0, |quote| quote + 2);
        let (name, rest) = text.split_at_checked(skip)?;
        let Some((before, rest)) = rest.split_once('<') else {
            let (uri, params) = text.split_once(';').unwrap_or((text, ""));
            return Some(Self { display_name: String::new(), uri: uri.trim().to_owned(), params: parse_params(params) });
        };
        let (uri, params) = rest.split_once('>')?;
        let display_name = format!("{name}{before}").trim().trim_matches('"').to_owned();
        Some(Self { display_name, uri: uri.trim().to_owned(), params: parse_params(params.trim_start_matches([' ', ';'])) })
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.params, name)
    }

    /// User part of the URI, empty if there is none.
    pub fn user(&self) -> String {
        Uri::parse(&self.uri).and_then(|uri| uri.user).unwrap_or_default()
    }
}

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`…
    pub transport: String,
    pub host: String,
    pub port: Option<u16>,
    params: Params,
}

impl Via {
    pub fn parse(text: &str) -> Option<Self> {
        let (protocol, rest) = text.trim().split_once(char::is_whitespace)?;
        let transport = protocol.rsplit('/').next()?.to_ascii_uppercase();
        let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_host_port(sent_by.trim())?;
        Some(Self { transport, host, port, params: parse_params(params) })
    }

    pub fn branch(&self) -> &str {
        find(&self.params, "branch").unwrap_or_default()
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.params, name)
    }

    /// Notes where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
    pub fn set_source(&mut self, source: SocketAddr) {
        for (name, value) in &mut self.params {
            if name.eq_ignore_ascii_case("rport") {
                *value = Some(source.port().to_string());
            }
        }
        self.params.retain(|(name, _)| !name.eq_ignore_ascii_case("received"));
        self.params.push(("received".to_owned(), Some(source.ip().to_string())));
    }
}

impl fmt::Display for Via {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SIP/2.0/{} ", self.transport)?;
        if self.host.contains(':') {
            write!(out, "[{}]", self.host)?
        } else {
            out.write_str(&self.host)?
        }
        if let Some(port) = self.port {
            write!(out, ":{port}")?;
        }
        for (name, value) in &self.params {
            match value {
                Some(value) => write!(out, ";{name}={value}")?,
                None => write!(out, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// Where the quote opened just before `text` is closed.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn split_host_port(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        (host, after.strip_prefix(':'))
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = port.map(|port| port.trim().parse()).transpose().ok()?;
    if host.is_empty() { None } else { Some((host.trim().to_owned(), port)) }
}

fn parse_params(text: &str) -> Params {
    let one = |text: &str| match text.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
        None => (text.trim().to_owned(), None),
    };
    text.split(';').filter(|text| !text.trim().is_empty()).map(one).collect()
}

/// A parameter's value; a parameter without one is the empty text.
fn find<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_deref().unwrap_or_default())
}
