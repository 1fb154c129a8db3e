//! The DNS, asked by hickory: its cache holds answers for as long as they say.

use super::locate::{Answer, Names, Naptr, Srv};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Until a name server counts as silent; asked twice.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// That a record is missing is believed for so long at most: somebody may be about to add it.
const ABSENT_FOR: Duration = Duration::from_secs(300);
const CACHED_ANSWERS: u64 = 8192;

/// Which addresses our socket can send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Families {
    V4,
    V6,
    Both,
}

impl Families {
    /// Of a socket bound to `listen`. One bound to `[::]` takes both.
    pub fn of(listen: SocketAddr) -> Self {
        match listen.ip() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(ip) if ip.is_unspecified() => Self::Both,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

pub(super) struct Dns {
    resolver: TokioResolver,
    families: Families,
}

impl Dns {
    /// Asks `servers`, or with none those of the system.
    pub fn new(servers: &[SocketAddr], families: Families) -> Result<Self, NetError> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio()?
        } else {
            TokioResolver::builder_with_config(config(servers), TokioRuntimeProvider::default())
        };
        tune(builder.options_mut());
        Ok(Self { resolver: builder.build()?, families })
    }

    async fn ask<T>(&self, name: String, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Answer<T> {
        match self.resolver.lookup(name.clone(), kind).await {
            Ok(lookup) => Ok(lookup.answers().iter().filter_map(|record| read(&record.data)).collect()),
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
            Err(error) => Err(format!("no {kind} of {name}: {error}")),
        }
    }
}

fn config(servers: &[SocketAddr]) -> ResolverConfig {
    let connection = |mut connection: ConnectionConfig, port| {
        connection.port = port;
        connection
    };
    let server = |address: &SocketAddr| {
        let both = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
        let connections = both.into_iter().map(|c| connection(c, address.port())).collect();
        NameServerConfig::new(address.ip(), true, connections)
    };
    ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect())
}

fn tune(options: &mut ResolverOpts) {
    options.timeout = ANSWER_WITHIN;
    options.attempts = 1;
    options.cache_size = CACHED_ANSWERS;
    options.negative_max_ttl = Some(ABSENT_FOR);
}

/// Only addresses are looked for in the search domains of the system.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

impl Names for Dns {
    async fn naptr(&self, name: &str) -> Answer<Naptr> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let read = |data: &RData| match data {
            RData::NAPTR(naptr) => Some(Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: text(&naptr.flags),
                service: text(&naptr.services),
                replacement: naptr.replacement.to_ascii(),
            }),
            _ => None,
        };
        self.ask(absolute(name), RecordType::NAPTR, read).await
    }

    async fn srv(&self, name: &str) -> Answer<Srv> {
        let read = |data: &RData| match data {
            RData::SRV(srv) => {
                Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: srv.target.to_ascii() })
            }
            _ => None,
        };
        self.ask(absolute(name), RecordType::SRV, read).await
    }

    /// IPv4 first: where both are offered, the older one is the one that is known to work.
    async fn addresses(&self, name: &str) -> Answer<IpAddr> {
        let v4 = self.ask(name.to_owned(), RecordType::A, |data| match data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            _ => None,
        });
        let v6 = self.ask(name.to_owned(), RecordType::AAAA, |data| match data {
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        });
        match self.families {
            Families::V4 => v4.await,
            Families::V6 => v6.await,
            Families::Both => match tokio::join!(v4, v6) {
                (Ok(mut v4), Ok(v6)) => {
                    v4.extend(v6);
                    Ok(v4)
                }
                (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => Ok(some),
                (Err(why), _) | (_, Err(why)) => Err(why),
            },
        }
    }
}
