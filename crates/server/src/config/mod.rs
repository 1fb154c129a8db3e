//! The process's configuration: read once, every value resolved and typed, every fault found in one pass.
//!
//! `callie.toml`, then `.env`, then the environment; the later one wins. A setting has one name, `CALLIE_HTTP_LISTEN`, which in
//! the file is written `http_listen`. Users' configuration is data and lives in the store, not here.
//!
//! | module | holds |
//! |---|---|
//! | [`engines`] | the settings of the conversation engines |
//! | [`first_version`] | the first version's names, and what they mean here |
//! | [`http`] | the HTTP API: its address, and who is let in |
//! | [`store`] | where the users' documents live |
//! | [`traces`] | where traces of calls go |
//! | [`outside`] | where users' requests may go |
//! | [`keys`] | the names, defaults and meanings of all settings |
//! | `dotenv` | `.env` files, read as the first version read them |
//! | [`sources`] | what the file, `.env` and the environment say |
//! | [`recordings`] | where recordings are kept |
//! | [`parse`] | texts into typed values |
//! | [`show`] | the resolved configuration for people, secrets masked |

mod dotenv;
pub mod engines;
pub mod first_version;
pub mod http;
pub mod keys;
pub mod outside;
pub mod parse;
pub mod recordings;
pub mod show;
pub mod sources;
pub mod store;
pub mod traces;

#[cfg(test)]
mod tests;

use callie_domain::Secret;
use callie_sip::Strangers;
pub use engines::{Chat, DefaultEngine, Engines, Gemini, GeminiAccess, LocalVoice, OpenAi};
pub use first_version::{FirstVersion, PRIMARY};
pub use http::{Http, HttpTls, Oidc};
pub use outside::PrivateTargets;
pub use recordings::RecordingsPlace;
use sources::{Given, Sources};
use std::{collections::HashMap, net::IpAddr, net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};
pub use store::{Firestore, FirestoreCredentials, StoreChoice};
pub use traces::{Sampler, TraceSettings};

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database, recordings and, unless named otherwise, the key file.
    pub data_dir: PathBuf,
    pub secrets: Secrets,
    pub store: StoreChoice,
    pub http: Http,
    pub sip: Sip,
    pub media: Media,
    pub engines: Engines,
    pub limits: Limits,
    /// Instead of the prices that are built in.
    pub prices_file: Option<PathBuf>,
    /// Where webhooks and tools of users may go besides public addresses.
    pub private_targets: PrivateTargets,
    pub log: Log,
    /// Nowhere without it.
    pub traces: Option<TraceSettings>,
    pub first_version: FirstVersion,
}

/// Where the key comes from that seals passwords in the store.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub keyring_file: Option<PathBuf>,
    /// Instead of a key file.
    pub master_key: Option<Secret>,
    /// Who unwraps wrapped keys, when it is not Google's own address.
    pub kms_endpoint: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Sip {
    /// UDP and TCP.
    pub listen: SocketAddr,
    /// For peers that connect to us.
    pub tls: Option<SipTls>,
    /// The address that others reach us under, when it is not the interface's.
    pub external_address: Option<IpAddr>,
    /// Names that are not asked of the DNS.
    pub hosts: HashMap<String, SocketAddr>,
    /// Name servers; with none, those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// A registrar that failed is avoided for so long, where there are others.
    pub registrar_avoid: Duration,
    /// What those hear who know no line of ours.
    pub strangers: Strangers,
    /// A line without a binding for so long is an alert.
    pub line_alert_after: Duration,
}

/// Where SIP over TLS is listened for, and the files of the certificate shown there.
#[derive(Debug, Clone)]
pub struct SipTls {
    pub listen: SocketAddr,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone)]
pub struct Media {
    pub rtp_ports: RangeInclusive<u16>,
    /// A call without RTP for so long is over.
    pub rtp_timeout: Duration,
    pub threads: usize,
    /// Ask the system for real-time priority of the media threads, and go on without where it refuses.
    pub realtime: bool,
    pub recordings: RecordingsPlace,
}

#[derive(Debug, Clone)]
pub struct Limits {
    /// Concurrent calls.
    pub calls_per_user: usize,
    /// Without a word from either side for so long, the agent asks whether the caller is still there.
    pub silence_prompt: Duration,
}

#[derive(Debug, Clone)]
pub struct Log {
    /// Directives of the filter, resolved from a plain level.
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// The key file: as configured, or beside the database.
    pub fn keyring_file(&self) -> PathBuf {
        self.secrets.keyring_file.clone().unwrap_or_else(|| self.data_dir.join("keyring.json"))
    }
}

/// A configuration with the story of how it came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// What was said, and where, for each setting that was not left at its default.
    pub given: HashMap<&'static str, Given>,
    /// Things to tell the operator that do not keep the server from starting.
    pub warnings: Vec<String>,
}

/// Something wrong with one setting, or with a source as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigFault {
    /// Where it was said: `CALLIE_HTTP_LISTEN in the environment`.
    pub place: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration cannot be used:\n{}", .0.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigFaults(pub Vec<ConfigFault>);

/// Reads `file` (or `callie.toml` here, if there is one), `.env` here, and the environment.
pub fn load(file: Option<&std::path::Path>) -> Result<Loaded, ConfigFaults> {
    resolve(Sources::read(file))
}

/// The decision alone.
pub fn resolve(sources: Sources) -> Result<Loaded, ConfigFaults> {
    let models_here = sources.models_here;
    let said = sources.collect();
    let mut reader = parse::Reader::new(said.given, said.faults);
    let config = reader.config(models_here);
    let (given, faults, warnings) = reader.finish();
    let warnings = said.warnings.into_iter().chain(warnings).collect();
    if faults.is_empty() { Ok(Loaded { config, given, warnings }) } else { Err(ConfigFaults(faults)) }
}
