//! Texts into typed values, each fault with its place and its remedy.

use super::keys::{KEYS, Key};
use super::recordings;
use super::sources::Given;
use super::{
    Config, ConfigFault, Limits, Log, LogFormat, Media, Secrets, Sip, SipTls, engines, first_version, http, outside, store,
    traces,
};
use callie_domain::{HostPort, Secret};
use callie_sip::Strangers;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};
use tracing_subscriber::EnvFilter;

/// Reads settings and collects what is wrong with them. A faulty setting reads as something harmless, which is never used:
/// [`Reader::finish`] hands out the faults.
pub struct Reader {
    given: HashMap<&'static str, Given>,
    faults: Vec<ConfigFault>,
    warnings: Vec<String>,
}

impl Reader {
    pub fn new(given: HashMap<&'static str, Given>, faults: Vec<ConfigFault>) -> Self {
        Self { given, faults, warnings: Vec::new() }
    }

    pub fn finish(self) -> (HashMap<&'static str, Given>, Vec<ConfigFault>, Vec<String>) {
        (self.given, self.faults, self.warnings)
    }

    /// `models_here`: there is a folder `models` beside the process.
    pub fn config(&mut self, models_here: bool) -> Config {
        let data_dir = self.path("CALLIE_DATA_DIR").unwrap_or_default();
        Config {
            engines: engines::read(self, &data_dir, models_here),
            data_dir,
            secrets: self.secrets(),
            store: store::read(self),
            http: http::read(self),
            sip: Sip {
                listen: self.socket("CALLIE_SIP_LISTEN"),
                tls: self.sip_tls(),
                external_address: self.external_address(),
                hosts: self.read("CALLIE_SIP_HOSTS", hosts).unwrap_or_default(),
                dns_servers: self.read("CALLIE_DNS_SERVERS", dns_servers).unwrap_or_default(),
                registrar_avoid: Duration::from_secs(self.number("CALLIE_REGISTRAR_AVOID", 1..=86_400).unwrap_or(1)),
                strangers: self.read("CALLIE_SIP_STRANGERS", strangers).unwrap_or_default(),
                line_alert_after: Duration::from_secs(self.number("CALLIE_LINE_ALERT_AFTER", 1..=86_400).unwrap_or(1)),
            },
            media: self.media(),
            limits: Limits {
                calls_per_user: self.number("CALLIE_MAX_CALLS_PER_USER", 1..=1_000).unwrap_or(1),
                silence_prompt: Duration::from_secs(self.number("CALLIE_SILENCE_PROMPT", 1..=3_600).unwrap_or(1)),
            },
            prices_file: self.path("CALLIE_PRICES_FILE"),
            private_targets: self.read("CALLIE_ALLOW_PRIVATE_TARGETS", outside::private_targets).unwrap_or_default(),
            log: Log { filter: self.log_filter(), format: self.read("CALLIE_LOG_FORMAT", log_format).unwrap_or(LogFormat::Text) },
            traces: traces::read(self),
            first_version: first_version::read(self),
        }
    }

    /// An address, a certificate and its key, or none of them.
    fn sip_tls(&mut self) -> Option<SipTls> {
        const NAMES: [&str; 3] = ["CALLIE_SIP_TLS_LISTEN", "CALLIE_SIP_TLS_CERTIFICATE", "CALLIE_SIP_TLS_KEY"];
        let [at, chain, secret] = NAMES;
        let (listen, certificate, key) = (self.read(at, socket), self.path(chain), self.path(secret));
        let given = NAMES.map(|name| self.is_given(name) && !self.given.get(name).is_some_and(|given| given.text.is_empty()));
        for (name, _) in NAMES.iter().zip(given).filter(|(_, given)| !given) {
            if given.contains(&true) {
                let others: Vec<_> = NAMES.into_iter().filter(|other| other != name).collect();
                self.fault(name, format!("is missing: it stands beside {}, or none of them does", others.join(" and ")));
            }
        }
        Some(SipTls { listen: listen?, certificate: certificate?, key: key? })
    }

    fn external_address(&mut self) -> Option<IpAddr> {
        let name = if self.is_given("CALLIE_EXTERNAL_ADDRESS") { "CALLIE_EXTERNAL_ADDRESS" } else { "PUBLIC_IP" };
        self.read(name, external_address)
    }

    fn log_filter(&mut self) -> String {
        let level = if self.is_given("CALLIE_LOG") { None } else { first_version::log_level(self) };
        let filter = level.and_then(|level| log_filter(level).ok());
        filter.or_else(|| self.read("CALLIE_LOG", log_filter)).unwrap_or_default()
    }

    fn secrets(&mut self) -> Secrets {
        let keyring_file = self.path("CALLIE_KEYRING_FILE");
        let master_key = self.read("CALLIE_MASTER_KEY", |text| Ok(Secret::new(text)));
        if keyring_file.is_some() && master_key.is_some() {
            self.fault("CALLIE_MASTER_KEY", "stands beside CALLIE_KEYRING_FILE; give one of them".to_owned());
        }
        Secrets { keyring_file, master_key, kms_endpoint: self.read("CALLIE_KMS_ENDPOINT", kms_endpoint) }
    }

    fn media(&mut self) -> Media {
        Media {
            rtp_ports: self.read("CALLIE_RTP_PORTS", port_range).unwrap_or(0..=0),
            rtp_timeout: Duration::from_secs(self.number("CALLIE_RTP_TIMEOUT", 1..=3_600).unwrap_or(1)),
            threads: self.number("CALLIE_MEDIA_THREADS", 1..=256).unwrap_or_else(half_the_cores),
            realtime: self.read("CALLIE_MEDIA_REALTIME", realtime).unwrap_or_default(),
            recordings: recordings::read(self),
        }
    }

    /// The value given, or the default; `None` when there is neither, or when it is faulty.
    pub(super) fn read<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let default = Key::of(name).map_or("", |key| key.default);
        let text = self.given.get(name).map_or(default, |given| given.text.as_str());
        if text.is_empty() {
            return None;
        }
        match parse(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.fault(name, problem);
                None
            }
        }
    }

    /// Whether anybody said something about it, faulty or not.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Something to tell the operator that keeps nobody from starting.
    pub(super) fn warn(&mut self, name: &str, text: &str) {
        let place = self.given.get(name).map(|given| format!(" in {}", given.place)).unwrap_or_default();
        self.warnings.push(format!("{name}{place} {text}"));
    }

    pub(super) fn fault(&mut self, name: &str, problem: String) {
        let fault = match (self.given.get(name), Key::of(name)) {
            (Some(given), Some(key)) => given.place.fault(&given.place.name_of(key), problem),
            _ => ConfigFault { place: name.to_owned(), problem },
        };
        self.faults.push(fault);
    }

    pub(super) fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.read(name, |text| Ok(PathBuf::from(text)))
    }

    pub(super) fn socket(&mut self, name: &'static str) -> SocketAddr {
        self.read(name, socket).unwrap_or(NOWHERE)
    }

    pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display>(
        &mut self,
        name: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        self.read(name, |text| {
            let number = text.parse().ok().filter(|n| range.contains(n));
            number.ok_or_else(|| format!("must be a whole number from {} to {}, is {text:?}", range.start(), range.end()))
        })
    }
}

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn socket(text: &str) -> Result<SocketAddr, String> {
    // A name would have to be resolved, and could resolve differently tomorrow; this one cannot.
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| format!("must be an address with a port such as 127.0.0.1:8080 or [::1]:8080, is {text:?}"))
}

/// Master keys come back from it in clear: without TLS from this machine only.
fn kms_endpoint(text: &str) -> Result<String, String> {
    let authority = |scheme| text.strip_prefix(scheme)?.trim_end_matches('/').parse::<HostPort>().ok();
    let is_here = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let fits = authority("https://").is_some() || authority("http://").is_some_and(|to| is_here(&to.host));
    let problem =
        || format!("must be an address such as https://cloudkms.googleapis.com, http only on this machine, is {text:?}");
    fits.then(|| text.to_owned()).ok_or_else(problem)
}

fn external_address(text: &str) -> Result<IpAddr, String> {
    let problem = || format!("must be the IP address that others reach this server under, such as 203.0.113.5, is {text:?}");
    text.parse::<IpAddr>().ok().filter(|ip| !ip.is_unspecified()).ok_or_else(problem)
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let bounds = text.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    let range = bounds.filter(|(low, high)| (1_024..*high).contains(low));
    let (low, high) = range.ok_or_else(|| format!("must be two ports from 1024 such as 10000-20000, is {text:?}"))?;
    Ok(low..=high)
}

/// Addresses with or without a port, separated by commas.
fn dns_servers(text: &str) -> Result<Vec<SocketAddr>, String> {
    const PORT: u16 = 53;
    let server = |item: &str| {
        let alone = item.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        alone.or_else(|_| item.parse()).map_err(|_| {
            format!("must be addresses, separated by commas, such as 192.0.2.53 or [2001:db8::53]:5353; has {item:?}")
        })
    };
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(server).collect()
}

/// `name=address:port`, separated by commas.
fn hosts(text: &str) -> Result<HashMap<String, SocketAddr>, String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(host).collect()
}

fn host(item: &str) -> Result<(String, SocketAddr), String> {
    let problem = || format!("must be name=address:port, separated by commas, such as sip.zoho.com=127.0.0.1:5070; has {item:?}");
    let (name, address) = item.split_once('=').ok_or_else(problem)?;
    let name = name.trim().parse::<HostPort>().ok().filter(|n| n.port.is_none()).ok_or_else(problem)?;
    let address = address.trim().parse().map_err(|_| problem())?;
    Ok((name.host, address))
}

fn realtime(text: &str) -> Result<bool, String> {
    match text {
        "auto" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("must be auto or off, is {text:?}")),
    }
}

/// A plain level means ours: others' crates stay at info, the SIP stack, which logs every message, at warn, and Firestore's client,
/// which logs every attempt of an outage that we tell of once, is silent. Anything else is taken as directives.
fn log_filter(text: &str) -> Result<String, String> {
    match text.to_ascii_lowercase().as_str() {
        level @ ("trace" | "debug" | "info") => {
            Ok(format!("info,rsipstack=warn,gcloud_sdk=off,firestore=off,rmcp=off,callie={level}"))
        }
        level @ ("warn" | "error") => Ok(format!("{level},gcloud_sdk=off,firestore=off,rmcp=off")),
        "off" => Ok("off".to_owned()),
        _ => match EnvFilter::try_new(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(e) => Err(format!("must be a level or directives such as info,callie_sip=debug: {e}")),
        },
    }
}

fn strangers(text: &str) -> Result<Strangers, String> {
    match text {
        "ignore" => Ok(Strangers::Ignore),
        "refuse" => Ok(Strangers::Refuse),
        _ => Err(format!("must be ignore or refuse; is {text:?}")),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("must be text or json, is {text:?}")),
    }
}

/// Audio shares the machine with SIP, the engines and HTTP.
fn half_the_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

// Every key of the table is read above, in engines.rs or in store.rs; the table's tests see to it that a default parses.
const _: () = assert!(KEYS.len() == 75, "a new key must be read");
