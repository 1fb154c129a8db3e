//! Garbage, torture and mutation on the SIP and RTP ports: the process lives, answers, and its memory comes back.

use callie_e2e::certificates::Authority;
use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp::Scenario};
use callie_e2e::phone::Phone;
use callie_e2e::{Callie, eventually};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

const WITHIN: Duration = Duration::from_secs(30);
/// The calls beside a storm: one begins each second, and each lasts so long.
const CALLS: u32 = 16;
const CALL: Duration = Duration::from_secs(4);
/// Transactions and unacknowledged answers live for 64·T1 = 32 s (RFC 3261 §17); after that nothing may be left.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(50);

/// A small generator (xorshift64*): the same garbage in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// The messages of RFC 4475 and RFC 5118.
fn torture() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../crates/sip/tests/data/torture");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).expect("the torture messages are there").filter_map(|f| Some(f.ok()?.path())).collect();
    files.sort();
    let messages: Vec<Vec<u8>> = files.iter().filter_map(|file| std::fs::read(file).ok()).collect();
    assert!(messages.len() >= 61, "{} messages", messages.len());
    messages
}

/// A message with a few bytes flipped, cut out, doubled or replaced by what parsers trip over.
fn mutated(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    const TRIPS: [&[u8]; 9] =
        [b"\r\n", b"\r\n\r\n", b":", b"\0", b"4294967296", b"-1", b"%", b"\xff\xfe", b"Content-Length: 99999999\r\n"];
    let mut bytes = message.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 if !bytes.is_empty() => bytes[at] = dice.next() as u8,
            1 => bytes.truncate(at),
            2 => {
                let piece = bytes[at..].iter().copied().take(40).collect::<Vec<_>>();
                bytes.splice(at..at, piece);
            }
            _ => {
                let trip = TRIPS[dice.below(TRIPS.len())];
                bytes.splice(at..at, trip.iter().copied());
            }
        }
    }
    bytes.truncate(60_000);
    bytes
}

/// Where a storm goes, and how much of it there is.
#[derive(Clone)]
struct Storm {
    sip: SocketAddr,
    secure: SocketAddr,
    client: Arc<ClientConfig>,
    contact: String,
    mutations: usize,
    junk: usize,
    connections: usize,
}

impl Storm {
    /// Everything hostile once: over UDP, TCP and TLS.
    fn send(&self, dice: &mut Dice) {
        let phone = Phone::new(self.sip);
        let mut seeds = torture();
        for message in &seeds {
            phone.send(message);
        }
        // Well-formed messages to a real account mutate into the dangerous ones: bodies and dialogs are looked at.
        let attempt = phone.attempt(&self.contact, "seed");
        seeds.extend([phone.invite(&attempt).into_bytes(), phone.cancel(&attempt).into_bytes()]);
        for round in 0..self.mutations {
            let seed = if round % 2 == 0 { seeds.len() - 2 } else { dice.below(seeds.len()) };
            phone.send(&mutated(&seeds[seed].clone(), dice));
            breathe(round);
        }
        for round in 0..self.junk {
            let len = 1 + dice.below(64);
            let junk = dice.bytes(len);
            phone.send(&junk);
            breathe(round);
        }
        for round in 0..self.connections {
            let bytes = match round % 4 {
                0 => dice.bytes(2_000),
                _ => (0..8).flat_map(|_| mutated(&seeds[dice.below(seeds.len())].clone(), dice)).collect(),
            };
            let tcp = TcpStream::connect(if round % 2 == 0 { self.sip } else { self.secure }).expect("callie listens");
            pour(tcp, (round % 8 > 1 && round % 2 == 1).then_some(&self.client), &bytes);
        }
    }
}

/// Slower than the socket's buffer fills: what the kernel drops proves nothing, and a call's own messages go through it too.
#[expect(clippy::disallowed_methods, reason = "the storm has a thread of its own that may block")]
fn breathe(round: usize) {
    if round.is_multiple_of(50) {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends what it takes, and reads until it is closed or says nothing more.
fn pour(mut tcp: TcpStream, client: Option<&Arc<ClientConfig>>, bytes: &[u8]) {
    tcp.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout above zero");
    let Some(client) = client else {
        let _ = tcp.write_all(bytes);
        let _ = tcp.read(&mut [0; 4096]);
        return;
    };
    let name = "127.0.0.1".try_into().expect("an address");
    let connection = ClientConnection::new(client.clone(), name).expect("a client");
    tcp.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout above zero");
    let mut tls = StreamOwned::new(connection, tcp);
    let _ = tls.write_all(bytes).and_then(|()| tls.flush());
    let _ = tls.sock.set_read_timeout(Some(Duration::from_millis(20)));
    let _ = tls.read(&mut [0; 4096]);
}

fn trusting(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions of rustls");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn torture_mutation_and_junk_leave_memory_at_base_and_a_call_undisturbed() {
    if !present(&["kamailio", "sipp", "openssl"]) {
        return;
    }
    let authority = Authority::new("authority of the tests");
    let shown = authority.issue("callie", "IP:127.0.0.1");
    let mut setup = Callie::setup();
    let secure = SocketAddr::from((Ipv4Addr::LOCALHOST, setup.ports().one()));
    // Room for bob's calls beside those that mutations make for alice.
    let rtp = setup.ports().range(60);
    let mut callie = setup
        .env("CALLIE_RTP_PORTS", format!("{}-{}", rtp.start(), rtp.end()))
        .env("CALLIE_SIP_TLS_LISTEN", secure.to_string())
        .env("CALLIE_SIP_TLS_CERTIFICATE", shown.chain.display().to_string())
        .env("CALLIE_SIP_TLS_KEY", shown.key.display().to_string())
        .start()
        .await
        .expect("callie starts");
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 600).await;
    // What strikes alice's line seems to come from her provider; bob has the same one, and is called meanwhile.
    for user in ["alice", "bob"] {
        callie.create_user(user, kamailio.address(), json!({})).await;
        callie.register(user).await;
    }
    let contact = kamailio.await_binding("alice", WITHIN).await.contact;
    let mut dice = Dice(20_261_122);
    let client = trusting(&authority);
    let storm = Storm { sip: callie.sip(), secure, client, contact, mutations: 10_000, junk: 100_000, connections: 800 };

    // The first storm brings allocator, tables and buffers to their size; the second must not need more.
    let (mut resident, mut files, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 {
        let caller = Scenario::caller("call_and_echo", "bob", kamailio.address()).pause(CALL).calls(CALLS, 1);
        let mut sipp = caller.start(callie.ports());
        eventually("the call is up", WITHIN, || async {
            let calls = callie.get("/calls/active").await.1["calls"].as_array()?.clone();
            (!calls.is_empty()).then_some(())
        })
        .await;
        let storm = storm.clone();
        dice = tokio::task::spawn_blocking(move || {
            storm.send(&mut dice);
            dice
        })
        .await
        .expect("the storm is sent");
        sipp.finish(Duration::from_secs(u64::from(CALLS)) + CALL + WITHIN);
        callie.await_idle(FORGOTTEN_WITHIN).await;
        tokio::time::sleep(Duration::from_secs(36)).await;
        resident.push(callie.process().resident_kb());
        files.push(callie.process().open_files());
        threads.push(callie.process().threads());
    }
    assert!(callie.process().exit_status().is_none(), "{}", callie.log());
    assert!(!callie.log().contains("panicked"), "{}", callie.log());
    assert!(resident[1] <= resident[0] + 4_096, "memory grew: {resident:?} KB");
    assert!(files[1].len() <= files[0].len(), "sockets are left open: {files:?}");
    assert!(threads[1] <= threads[0] + 1, "threads are left: {threads:?}");

    // The calls beside the storms: audio both ways without a hole, and ended by the caller.
    let calls = callie.get("/calls?user_id=bob&limit=200").await.1["calls"].as_array().cloned().unwrap_or_default();
    assert_eq!(calls.len(), 2 * usize::try_from(CALLS).expect("few"), "{calls:?}");
    for call in calls {
        assert_eq!(call["termination"]["reason"], "remote_hung_up", "{call}");
        let packets = |name: &str| call["media"][name].as_u64().unwrap_or(0);
        let wanted = CALL.as_secs() * 50;
        assert!(packets("packets_sent") > wanted * 95 / 100, "{call}");
        assert!(packets("packets_received") > wanted * 95 / 100, "{call}");
    }
    // And it still is a telephone.
    for user in ["alice", "bob"] {
        callie.await_registration(user, true, WITHIN).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_the_rtp_port_does_not_disturb_the_call() {
    if !present(&["kamailio", "sipp"]) {
        return;
    }
    let mut callie = Callie::start().await;
    let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 60).await;
    callie.create_user("alice", kamailio.address(), json!({})).await;
    callie.register("alice").await;
    let caller = Scenario::caller("call_and_speak", "alice", kamailio.address()).pause(Duration::from_secs(5));
    let mut sipp = caller.start(callie.ports());
    let port = eventually("the caller's RTP has come", WITHIN, || async {
        let id = callie.get("/calls/active").await.1["calls"][0]["id"].as_str()?.to_owned();
        let detail = callie.get(&format!("/calls/{id}")).await.1;
        let events = detail["events"].as_array()?.clone();
        events.iter().any(|e| e["event"] == "rtp_latched").then_some(())?;
        events.iter().find(|e| e["event"] == "media_opened")?["local_port"].as_u64()
    })
    .await;

    let mut dice = Dice(7);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    for round in 0..2_000u16 {
        let len = dice.below(400);
        let mut junk = dice.bytes(len);
        // Half of it looks like RTP of the right codec, from an address that is not the caller's.
        if round % 2 == 0 && junk.len() > 12 {
            junk[0] = 0x80;
            junk[1] = 0;
        }
        let _ = stranger.send_to(&junk, (Ipv4Addr::LOCALHOST, u16::try_from(port).expect("a port")));
        // Slower than the socket's buffer fills: what the kernel drops proves nothing.
        if round % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    sipp.finish(WITHIN);
    let call = callie.ended_call("alice", WITHIN).await;
    assert_eq!(call["termination"]["reason"], "remote_hung_up", "{call}");
    assert!(call["media"]["packets_rejected"].as_u64().is_some_and(|n| n > 500), "{call}");
    let wav = callie.recording(&call).await;
    let tone = callie_e2e::voice::tone_share(&wav.channels[0], wav.rate, callie_e2e::peers::sipp::TONE_HZ);
    assert!(tone > 0.9, "the caller is still heard: {tone}");
    let silent_seconds = wav.seconds() - callie_e2e::voice::loud_seconds(&wav.channels[0], wav.rate, 1_000.0);
    assert!(silent_seconds < 1.0, "the caller's tone has holes of {silent_seconds} s");
}
