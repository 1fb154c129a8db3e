//! The resolver with a name server of our own, on loopback.

use super::*;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::UdpSocket;

fn resolver(hosts: HashMap<String, SocketAddr>, servers: Vec<SocketAddr>) -> Resolver {
    Resolver::new(hosts, servers, Families::V4)
}

fn host(text: &str) -> HostPort {
    text.parse().expect("a host")
}

#[tokio::test]
async fn fixed_names_and_literals_need_no_dns() {
    let hosts = HashMap::from([("SIP.zoho.com".to_owned(), SocketAddr::from(([127, 0, 0, 1], 5070)))]);
    let resolver = resolver(hosts, Vec::new());
    for (name, transport, want) in [
        ("sip.ZOHO.com:5060", Transport::Udp, "127.0.0.1:5070"),
        ("192.0.2.7", Transport::Udp, "192.0.2.7:5060"),
        ("192.0.2.7", Transport::Tls, "192.0.2.7:5061"),
        ("192.0.2.7:5080", Transport::Tcp, "192.0.2.7:5080"),
        ("[2001:db8::1]:5061", Transport::Udp, "[2001:db8::1]:5061"),
    ] {
        let found = resolver.resolve(&host(name), transport).await.expect(name);
        assert_eq!(found.places[0].address, want.parse::<SocketAddr>().expect("address"), "{name}");
    }
}

/// Knows `carrier.test` with NAPTR and SRV for UDP at port 5077; a live one answers, a dead one does not.
async fn name_server(live: Arc<AtomicBool>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
    let address = socket.local_addr().expect("bound");
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((len, source)) = socket.recv_from(&mut buffer).await {
            let Ok(query) = Message::from_vec(&buffer[..len]) else { continue };
            if live.load(Ordering::Relaxed) {
                socket.send_to(&answer(&query).to_vec().expect("a message"), source).await.ok();
            }
        }
    });
    address
}

fn answer(query: &Message) -> Message {
    let asked = query.queries[0].clone();
    let name = |text: &str| Name::from_ascii(text).expect("a name");
    let data = match (asked.query_type(), asked.name().to_ascii().to_ascii_lowercase().as_str()) {
        (RecordType::NAPTR, "carrier.test.") => Some(RData::NAPTR(NAPTR::new(
            1,
            1,
            b"S"[..].into(),
            b"SIP+D2U"[..].into(),
            b""[..].into(),
            name("_sip._udp.edge.test."),
        ))),
        (RecordType::SRV, "_sip._udp.edge.test.") => Some(RData::SRV(SRV::new(1, 1, 5077, name("edge.test.")))),
        (RecordType::A, "edge.test.") => Some(RData::A(A::new(192, 0, 2, 44))),
        _ => None,
    };
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.add_query(asked.clone());
    match data {
        // Nothing stays in the cache: each lookup asks again.
        Some(data) => {
            message.add_answer(Record::from_rdata(asked.name().clone(), 0, data));
        }
        None => message.metadata.response_code = ResponseCode::NXDomain,
    }
    message
}

#[tokio::test]
async fn a_silent_dns_leaves_what_was_known_and_says_so() {
    let live = Arc::new(AtomicBool::new(true));
    let server = name_server(live.clone()).await;
    let resolver = resolver(HashMap::new(), vec![server]);
    let carrier = host("carrier.test");
    let found = resolver.resolve(&carrier, Transport::Udp).await.expect("places");
    let want = Place { host: "edge.test".into(), address: "192.0.2.44:5077".parse().expect("address"), tier: 0 };
    assert_eq!((&*found.places, found.stale), (&[want.clone()][..], None));

    live.store(false, Ordering::Relaxed);
    let kept = resolver.resolve(&carrier, Transport::Udp).await.expect("places");
    assert_eq!(&*kept.places, &[want][..]);
    assert!(kept.stale.is_some());
    let unknown = resolver.resolve(&host("other.test"), Transport::Udp).await;
    assert!(matches!(unknown, Err(SipError::Resolve { .. })), "{unknown:?}");
    live.store(true, Ordering::Relaxed);
    let again = resolver.resolve(&carrier, Transport::Udp).await.expect("places");
    assert_eq!(again.stale, None);
}
