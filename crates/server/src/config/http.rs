//! The HTTP API: its address, its certificate, and who is let in.

use super::first_version;
use super::parse::Reader;
use callie_domain::Secret;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use url::Url;

#[derive(Debug, Clone)]
pub struct Http {
    pub listen: SocketAddr,
    /// Without one it speaks plain HTTP.
    pub tls: Option<HttpTls>,
    /// Scheme and host, without a slash at the end.
    pub public_url: Option<Url>,
    pub trusted_proxies: Vec<IpNet>,
    /// Everybody needs a key, also on a loopback address.
    pub closed: bool,
    /// Requests of one key or person.
    pub requests_per_second: NonZeroU32,
    pub oidc: Option<Oidc>,
    /// What our own commands show to the running server.
    pub api_key: Option<Secret>,
}

#[derive(Debug, Clone)]
pub struct HttpTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// An identity provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    pub issuer: String,
    /// With it people sign in there with a browser.
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    pub audience: String,
    pub keys_url: Option<String>,
    pub role_claim: String,
    pub user_claim: String,
    pub admins: Vec<String>,
}

impl Http {
    /// Where our own commands reach the running server.
    pub fn own_address(&self) -> String {
        match (&self.public_url, &self.tls) {
            // The certificate names it.
            (Some(url), Some(_)) => url.as_str().trim_end_matches('/').to_owned(),
            (None, Some(_)) => format!("https://{}", self.listen),
            (_, None) => format!("http://{}", self.listen),
        }
    }

    /// What browsers see is encrypted.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some() || self.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
    }
}

pub fn read(reader: &mut Reader) -> Http {
    let listen = listen(reader);
    let tls = tls(reader);
    let public_url = reader.read("CALLIE_PUBLIC_URL", public_url);
    if !listen.ip().is_loopback() && tls.is_none() && public_url.as_ref().is_none_or(|url| url.scheme() != "https") {
        let text = "makes the API reachable from other machines without TLS, so that keys and conversations can be read on the way: \
                    set CALLIE_HTTP_TLS_CERTIFICATE and CALLIE_HTTP_TLS_KEY, or put a proxy with TLS before it and its address in CALLIE_PUBLIC_URL";
        reader.warn("CALLIE_HTTP_LISTEN", text);
    }
    Http {
        listen,
        tls,
        trusted_proxies: reader.read("CALLIE_TRUSTED_PROXIES", nets).unwrap_or_default(),
        closed: reader.read("CALLIE_AUTHENTICATION", authentication).unwrap_or(true),
        requests_per_second: reader
            .number("CALLIE_RATE_LIMIT", 1..=1_000_000)
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN),
        api_key: reader.read("CALLIE_API_KEY", |text| Ok(Secret::new(text))),
        oidc: oidc(reader, public_url.is_some()),
        public_url,
    }
}

fn listen(reader: &mut Reader) -> SocketAddr {
    let listen = reader.socket("CALLIE_HTTP_LISTEN");
    if reader.is_given("CALLIE_HTTP_LISTEN") { listen } else { first_version::http_listen(reader, listen) }
}

fn tls(reader: &mut Reader) -> Option<HttpTls> {
    const NAMES: [&str; 2] = ["CALLIE_HTTP_TLS_CERTIFICATE", "CALLIE_HTTP_TLS_KEY"];
    match NAMES.map(|name| reader.path(name)) {
        [Some(certificate), Some(key)] => Some(HttpTls { certificate, key }),
        [None, None] => None,
        [certificate, _] => {
            let (missing, given) = if certificate.is_none() { (NAMES[0], NAMES[1]) } else { (NAMES[1], NAMES[0]) };
            reader.fault(missing, format!("is missing: it stands beside {given}, or neither of them does"));
            None
        }
    }
}

fn oidc(reader: &mut Reader, has_public_url: bool) -> Option<Oidc> {
    let issuer = reader.read("CALLIE_OIDC_ISSUER", issuer);
    let text = |reader: &mut Reader, name| reader.read(name, |text| Ok(text.to_owned()));
    let client_id = text(reader, "CALLIE_OIDC_CLIENT_ID");
    let client_secret = reader.read("CALLIE_OIDC_CLIENT_SECRET", |text| Ok(Secret::new(text)));
    let audience = text(reader, "CALLIE_OIDC_AUDIENCE");
    let keys_url = reader.read("CALLIE_OIDC_KEYS_URL", issuer_like);
    let (role_claim, user_claim) = reader.read("CALLIE_OIDC_CLAIMS", claims).unwrap_or_default();
    let admins = reader.read("CALLIE_OIDC_ADMINS", |text| Ok(listed(text))).unwrap_or_default();
    let Some(issuer) = issuer else {
        if client_id.is_some() && !reader.is_given("CALLIE_OIDC_ISSUER") {
            reader.fault("CALLIE_OIDC_ISSUER", "is missing: CALLIE_OIDC_CLIENT_ID stands beside it".to_owned());
        }
        return None;
    };
    if client_id.is_some() && !has_public_url {
        let problem = "is missing: the identity provider sends browsers back to it, and CALLIE_OIDC_CLIENT_ID asks for that";
        reader.fault("CALLIE_PUBLIC_URL", problem.to_owned());
    }
    let Some(audience) = audience.or_else(|| client_id.clone()) else {
        let problem = "is missing: without it, or CALLIE_OIDC_CLIENT_ID, tokens for anybody would be taken";
        reader.fault("CALLIE_OIDC_AUDIENCE", problem.to_owned());
        return None;
    };
    Some(Oidc { issuer, client_id, client_secret, audience, keys_url, role_claim, user_claim, admins })
}

fn public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    let plain =
        url.filter(|url| url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.fragment().is_none());
    plain.ok_or_else(|| format!("must be scheme and host such as https://calls.example.org, is {text:?}"))
}

/// Kept as it is written: it is compared with what tokens say, byte by byte.
fn issuer(text: &str) -> Result<String, String> {
    issuer_like(text)
}

/// Without TLS, anybody on the way could put keys of their own in place of the provider's: http on this machine only.
fn issuer_like(text: &str) -> Result<String, String> {
    let problem =
        || format!("must be an https address such as https://accounts.google.com, http only on this machine, is {text:?}");
    let url = Url::parse(text).map_err(|_| problem())?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let fits = url.scheme() == "https" || (url.scheme() == "http" && is_here);
    if fits { Ok(text.to_owned()) } else { Err(problem()) }
}

fn authentication(text: &str) -> Result<bool, String> {
    match text {
        "auto" => Ok(false),
        "required" => Ok(true),
        _ => Err(format!("must be auto or required, is {text:?}")),
    }
}

fn claims(text: &str) -> Result<(String, String), String> {
    let names = text.split_once(',').map(|(role, user)| (role.trim().to_owned(), user.trim().to_owned()));
    let names = names.filter(|(role, user)| !role.is_empty() && !user.is_empty() && !user.contains(','));
    names.ok_or_else(|| format!("must be the claim of the role, a comma, the claim of the user, is {text:?}"))
}

fn nets(text: &str) -> Result<Vec<IpNet>, String> {
    let net = |item: &String| {
        let net = item.parse::<IpNet>().or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
        net.map_err(|_| format!("must be addresses or nets, separated by commas, such as 192.0.2.1 or 10.0.0.0/8; has {item:?}"))
    };
    listed(text).iter().map(net).collect()
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}
