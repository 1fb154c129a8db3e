//! From a host to places by RFC 3263: NAPTR, then SRV, then addresses. The procedure alone; [`Names`] asks the DNS.
//!
//! The account's transport is the user's choice, so NAPTR chooses among the services of that transport only (§4.1). A port
//! means that there is nothing to choose (§4.2). What a host does not have is left out; what was not answered is told in
//! [`Located::doubt`], for whoever knows better from an earlier time.

use super::Place;
use callie_domain::Transport;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Services and servers that are followed for one host.
const MOST_SERVICES: usize = 4;
const MOST_SERVERS: usize = 16;

/// One NAPTR record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: String,
    pub service: String,
    pub replacement: String,
}

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    pub target: String,
}

/// What a name has: nothing is an answer, an error is none.
pub(super) type Answer<T> = Result<Vec<T>, String>;

pub(super) trait Names {
    fn naptr(&self, name: &str) -> impl Future<Output = Answer<Naptr>> + Send;
    fn srv(&self, name: &str) -> impl Future<Output = Answer<Srv>> + Send;
    fn addresses(&self, name: &str) -> impl Future<Output = Answer<IpAddr>> + Send;
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Located {
    /// Best first.
    pub places: Vec<Place>,
    /// A question that was not answered: there may be more, or better ones.
    pub doubt: Option<String>,
}

/// `random` draws the bits for the order of servers with weights.
pub(super) async fn locate(
    names: &impl Names,
    host: &str,
    port: Option<u16>,
    transport: Transport,
    mut random: impl FnMut() -> u64,
) -> Located {
    let mut found = Located::default();
    if let Some(port) = port {
        found.add_addresses(names, host, port, 0).await;
        return found;
    }
    let mut tier = 0;
    let mut has_service = false;
    for service in services(names, host, transport, &mut found.doubt).await {
        let servers = found.hear(names.srv(&service).await);
        has_service |= !servers.is_empty();
        for group in by_priority(servers) {
            for server in by_weight(group, &mut random) {
                // "." means that the service is decidedly not offered (RFC 2782).
                if server.target != "." && found.places.len() < MOST_SERVERS {
                    found.add_addresses(names, server.target.trim_end_matches('.'), server.port, tier).await;
                }
            }
            tier += 1;
        }
    }
    if !has_service {
        found.add_addresses(names, host, transport.default_port(), tier).await;
    }
    found
}

/// The SRV names to ask for, best first (§4.1).
async fn services(names: &impl Names, host: &str, transport: Transport, doubt: &mut Option<String>) -> Vec<String> {
    let (service, conventional) = match transport {
        Transport::Udp => ("SIP+D2U", "_sip._udp"),
        Transport::Tcp => ("SIP+D2T", "_sip._tcp"),
        Transport::Tls => ("SIPS+D2T", "_sips._tcp"),
    };
    let mut offered = names.naptr(host).await.unwrap_or_else(|why| {
        doubt.get_or_insert(why);
        Vec::new()
    });
    offered.retain(|naptr| naptr.flags.eq_ignore_ascii_case("s") && naptr.service.eq_ignore_ascii_case(service));
    offered.sort_by_key(|naptr| (naptr.order, naptr.preference));
    let mut wanted: Vec<String> = offered.into_iter().map(|naptr| naptr.replacement).collect();
    wanted.truncate(MOST_SERVICES);
    if wanted.is_empty() {
        wanted.push(format!("{conventional}.{}.", host.trim_end_matches('.')));
    }
    wanted
}

impl Located {
    fn hear<T>(&mut self, answer: Answer<T>) -> Vec<T> {
        answer.unwrap_or_else(|why| {
            self.doubt.get_or_insert(why);
            Vec::new()
        })
    }

    async fn add_addresses(&mut self, names: &impl Names, host: &str, port: u16, tier: u16) {
        let addresses = self.hear(names.addresses(host).await);
        let host: Arc<str> = host.into();
        let place = |ip| Place { host: host.clone(), address: SocketAddr::new(ip, port), tier };
        self.places.extend(addresses.into_iter().map(place));
    }
}

fn by_priority(mut servers: Vec<Srv>) -> Vec<Vec<Srv>> {
    servers.sort_by_key(|server| server.priority);
    servers.chunk_by(|a, b| a.priority == b.priority).map(<[Srv]>::to_vec).collect()
}

/// RFC 2782: drawn one after the other, each with the chance that its weight gives it.
fn by_weight(mut servers: Vec<Srv>, random: &mut impl FnMut() -> u64) -> Vec<Srv> {
    let mut drawn = Vec::with_capacity(servers.len());
    // Those of weight 0 first, so that they have a small chance.
    servers.sort_by_key(|server| server.weight);
    while !servers.is_empty() {
        let sum: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
        let mut point = random() % (sum + 1);
        let at = servers.iter().position(|server| {
            let weight = u64::from(server.weight);
            let here = point <= weight;
            point = point.saturating_sub(weight);
            here
        });
        drawn.push(servers.remove(at.unwrap_or(0)));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A zone by hand: `silent` names are not answered.
    #[derive(Default)]
    struct Zone {
        naptr: HashMap<&'static str, Vec<Naptr>>,
        srv: HashMap<&'static str, Vec<Srv>>,
        addresses: HashMap<&'static str, Vec<&'static str>>,
        silent: Vec<&'static str>,
    }

    impl Zone {
        fn answer<T: Clone>(&self, of: &HashMap<&'static str, Vec<T>>, name: &str) -> Answer<T> {
            match self.silent.contains(&name) {
                true => Err(format!("{name} is silent")),
                false => Ok(of.get(name).cloned().unwrap_or_default()),
            }
        }
    }

    impl Names for Zone {
        async fn naptr(&self, name: &str) -> Answer<Naptr> {
            self.answer(&self.naptr, name)
        }
        async fn srv(&self, name: &str) -> Answer<Srv> {
            self.answer(&self.srv, name)
        }
        async fn addresses(&self, name: &str) -> Answer<IpAddr> {
            let found = self.answer(&self.addresses, name)?;
            Ok(found.into_iter().map(|text| text.parse().expect("address")).collect())
        }
    }

    fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
        Naptr { order, preference, flags: "S".into(), service: service.into(), replacement: replacement.into() }
    }

    fn srv(priority: u16, weight: u16, target: &str, port: u16) -> Srv {
        Srv { priority, weight, port, target: target.into() }
    }

    fn carrier() -> Zone {
        Zone {
            naptr: HashMap::from([(
                "carrier.test",
                vec![
                    naptr(20, 1, "SIP+D2U", "_sip._udp.second.test."),
                    naptr(10, 5, "SIPS+D2T", "_sips._tcp.carrier.test."),
                    naptr(10, 9, "sip+d2u", "_sip._udp.first.test."),
                ],
            )]),
            srv: HashMap::from([
                ("_sip._udp.first.test.", vec![srv(20, 0, "b.test.", 5070), srv(10, 1, "a.test.", 5060)]),
                ("_sip._udp.second.test.", vec![srv(1, 1, "c.test.", 5080)]),
                ("_sips._tcp.carrier.test.", vec![srv(1, 1, "a.test.", 5061)]),
                ("_sip._udp.plain.test.", vec![srv(1, 1, "b.test.", 5062)]),
                ("_sip._udp.closed.test.", vec![srv(0, 0, ".", 0)]),
            ]),
            addresses: HashMap::from([
                ("a.test", vec!["192.0.2.1", "2001:db8::1"]),
                ("b.test", vec!["192.0.2.2"]),
                ("c.test", vec!["192.0.2.3"]),
                ("carrier.test", vec!["192.0.2.9"]),
                ("plain.test", vec!["192.0.2.8"]),
                ("closed.test", vec!["192.0.2.7"]),
            ]),
            silent: Vec::new(),
        }
    }

    async fn located(zone: &Zone, host: &str, port: Option<u16>, transport: Transport) -> (Vec<String>, bool) {
        let found = locate(zone, host, port, transport, || 0).await;
        let shown = found.places.iter().map(|place| format!("{} {} {}", place.tier, place.host, place.address)).collect();
        (shown, found.doubt.is_some())
    }

    #[tokio::test]
    async fn naptr_then_srv_then_addresses_decide() {
        use Transport::{Tcp, Tls, Udp};
        let zone = carrier();
        for (host, port, transport, want) in [
            (
                "carrier.test",
                None,
                Udp,
                vec![
                    "0 a.test 192.0.2.1:5060",
                    "0 a.test [2001:db8::1]:5060",
                    "1 b.test 192.0.2.2:5070",
                    "2 c.test 192.0.2.3:5080",
                ],
            ),
            ("carrier.test", None, Tls, vec!["0 a.test 192.0.2.1:5061", "0 a.test [2001:db8::1]:5061"]),
            // No service of this transport: the host itself.
            ("carrier.test", None, Tcp, vec!["0 carrier.test 192.0.2.9:5060"]),
            // A port leaves nothing to look up but the address.
            ("carrier.test", Some(5070), Udp, vec!["0 carrier.test 192.0.2.9:5070"]),
            ("plain.test", None, Udp, vec!["0 b.test 192.0.2.2:5062"]),
            ("plain.test", None, Tls, vec!["0 plain.test 192.0.2.8:5061"]),
            ("closed.test", None, Udp, vec![]),
            ("nobody.test", None, Udp, vec![]),
        ] {
            let want: Vec<String> = want.into_iter().map(str::to_owned).collect();
            assert_eq!(located(&zone, host, port, transport).await, (want, false), "{host} {port:?} {transport:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_answered_is_doubt_and_no_absence() {
        for (silent, host, places) in [
            ("carrier.test", "carrier.test", 0),
            ("_sip._udp.first.test.", "carrier.test", 1),
            ("b.test", "carrier.test", 3),
            ("_sip._udp.plain.test.", "plain.test", 1),
        ] {
            let zone = Zone { silent: vec![silent], ..carrier() };
            let (found, doubt) = located(&zone, host, None, Transport::Udp).await;
            assert_eq!((found.len(), doubt), (places, true), "{silent}: {found:?}");
        }
    }

    #[test]
    fn servers_are_drawn_by_their_weight() {
        let servers = vec![srv(1, 0, "zero", 1), srv(1, 10, "ten", 1), srv(1, 90, "ninety", 1)];
        let mut state = 1_u64;
        let mut first = HashMap::new();
        for _ in 0..10_000 {
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state >> 33
            };
            let drawn = by_weight(servers.clone(), &mut random);
            assert_eq!(drawn.len(), 3);
            *first.entry(drawn[0].target.clone()).or_insert(0) += 1;
        }
        assert!((50..200).contains(&first["zero"]), "{first:?}");
        assert!((800..1200).contains(&first["ten"]), "{first:?}");
        assert!((8600..9150).contains(&first["ninety"]), "{first:?}");
    }
}
