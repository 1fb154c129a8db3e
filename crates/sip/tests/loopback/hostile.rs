//! What strangers send, over UDP, TCP and TLS: the torture messages of RFC 4475 and RFC 5118, mutations of them, and junk. A call
//! that is up meanwhile is not disturbed.

use crate::authority::Authority;
use crate::connection::Socket;
use crate::peer::{Dialog, Message, Peer, SDP, World, event, over, soon};
use callie_sip::LegEvent;
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A small generator of our own: the same mutations in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap_or(0)
    }
}

fn torture() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/torture");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("folder").map(|f| f.expect("file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "sip"));
    files.sort();
    assert_eq!(files.len(), 61);
    files.into_iter().map(|file| std::fs::read(file).expect("readable")).collect()
}

/// A few bytes changed, dropped or put in; now and then the rest is cut off.
fn mutated(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = message.to_vec();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len());
        match dice.roll(24) {
            0..8 => bytes[at] = dice.byte(),
            8..12 => drop(bytes.remove(at)),
            12 => bytes.truncate(at.max(1)),
            _ => bytes.insert(at, *b"\r\n:;,<>\"%@= 0\x00\xff".get(dice.roll(15)).expect("in range")),
        }
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    }
    bytes
}

/// With a length that is right, so that a stream stays in step however malformed the rest is.
fn measured(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.trim_end(), ""));
    let is_length = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim();
        !name.eq_ignore_ascii_case("content-length") && !name.eq_ignore_ascii_case("l")
    };
    let head: Vec<&str> = head.trim_start().lines().filter(is_length).collect();
    format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.join("\r\n"), body.len()).into_bytes()
}

/// The stack answers, takes a call, and is back at rest.
async fn is_well(world: &mut World, peer: &Peer, contact: &str) {
    let mut dialog = Dialog::new(peer, contact);
    peer.send(world.address(), dialog.request("OPTIONS", &[], "")).await;
    let call_id = dialog.call_id.clone();
    peer.expect_where("SIP/2.0 200", |m| m.header("Call-ID") == Some(call_id.as_str())).await;
    world.is_empty(1).await;
}

/// Of mutations, over each of the three transports; 50,000 in all.
const MUTATIONS: [usize; 3] = [20_000, 20_000, 10_000];
/// Messages over one connection: as many malformed ones in a row as a stranger may send.
const OVER_ONE: usize = 8;

/// Hostile messages without an end, well-formed ones for the account at `contact` among their seeds.
struct Storm {
    seeds: Vec<Vec<u8>>,
    dice: Dice,
}

impl Storm {
    fn new(contact: &str, from: SocketAddr, transport: &str) -> Self {
        let mut seeds = torture();
        let retargeted: Vec<_> = seeds.iter().map(|message| retargeted(message, contact)).collect();
        seeds.extend(retargeted);
        let mut dialog = Dialog::at(from, contact);
        // Before the account's door they are looked at closely: every other message is one of these.
        for method in ["INVITE", "CANCEL", "ACK", "BYE", "UPDATE", "OPTIONS", "INFO", "REFER"] {
            let body = if method == "INVITE" { SDP } else { "" };
            let message = dialog.request(method, &[], body).replace("SIP/2.0/UDP", &format!("SIP/2.0/{transport}"));
            seeds.extend(std::iter::repeat_n(message.into_bytes(), 15));
        }
        Self { seeds, dice: Dice(0x9e37_79b9_7f4a_7c15) }
    }

    /// Every seed as it is.
    fn whole(&self) -> impl Iterator<Item = &[u8]> {
        self.seeds.iter().map(Vec::as_slice)
    }

    fn next(&mut self) -> Vec<u8> {
        let seed = self.dice.roll(self.seeds.len());
        mutated(&self.seeds[seed], &mut self.dice)
    }
}

/// A call that goes on while all this happens.
struct Call<'a> {
    peer: &'a Peer,
    dialog: Dialog,
    leg: callie_sip::Leg,
}

impl<'a> Call<'a> {
    async fn begin(world: &mut World, peer: &'a Peer, contact: &str) -> Self {
        let mut dialog = Dialog::new(peer, contact);
        peer.send(world.address(), dialog.request("INVITE", &[], SDP)).await;
        let mut leg = world.call().await.leg;
        leg.control.answer(SDP.into()).await;
        dialog.learn(&peer.expect("SIP/2.0 200").await);
        peer.send(world.address(), dialog.request("ACK", &[], "")).await;
        assert!(matches!(event(&mut leg).await, LegEvent::Acknowledged { .. }));
        Self { peer, dialog, leg }
    }

    /// It is answered in the dialog, and hears keys.
    async fn goes_on(&mut self, world: &World) {
        let info = self.dialog.request("INFO", &["Content-Type: application/dtmf-relay"], "Signal=5\r\nDuration=160\r\n");
        self.peer.send(world.address(), info).await;
        let (call_id, cseq) = (self.dialog.call_id.clone(), format!("{} INFO", self.dialog.cseq));
        let is_answer = |m: &Message| m.header("Call-ID") == Some(call_id.as_str()) && m.header("CSeq") == Some(cseq.as_str());
        self.peer.expect_where("SIP/2.0 200", is_answer).await;
        assert!(matches!(event(&mut self.leg).await, LegEvent::Dtmf('5')));
    }

    async fn end(mut self, world: &World) {
        let bye = self.dialog.request("BYE", &[], "");
        self.peer.send(world.address(), bye).await;
        self.peer.expect_where("SIP/2.0 200", |m| m.header("CSeq").is_some_and(|cseq| cseq.ends_with("BYE"))).await;
        assert!(matches!(event(&mut self.leg).await, LegEvent::HungUp { .. }));
        over(&mut self.leg).await;
    }
}

/// Nobody wants the calls that mutations make.
fn turn_away(world: &mut World) {
    while let Ok(call) = world.calls.try_recv() {
        drop(call);
    }
}

#[tokio::test]
async fn strange_messages_do_no_harm_over_udp() {
    let (mut world, peer, noise) = (World::new().await, Peer::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let contact = register.contact();
    let mut call = Call::begin(&mut world, &peer, &contact).await;
    let mut storm = Storm::new(&contact, noise.address, "UDP");
    for message in storm.whole() {
        noise.send(world.address(), message).await;
    }
    for sent in 0..MUTATIONS[0] {
        noise.send(world.address(), storm.next()).await;
        tokio::task::yield_now().await;
        turn_away(&mut world);
        if sent % 2_000 == 0 {
            call.goes_on(&world).await;
        }
    }
    call.end(&world).await;
    turn_away(&mut world);
    is_well(&mut world, &peer, &contact).await;
    world.end().await;
}

/// Connects again and again; each connection carries hostile messages until it is closed.
async fn over_connections<S, F>(world: &mut World, transport: &str, peer: &Peer, contact: &str, mutations: usize, connect: F)
where
    S: Socket,
    F: AsyncFn() -> S,
{
    let mut call = Call::begin(world, peer, contact).await;
    let mut storm = Storm::new(contact, peer.address, transport);
    let mut messages: Vec<Vec<u8>> = storm.whole().map(measured).collect();
    for n in 0..mutations {
        let message = storm.next();
        // Some break their connection: they are the last that it carries.
        messages.push(if n % OVER_ONE == OVER_ONE - 1 { message } else { measured(&message) });
    }
    let mut rest = messages.as_slice();
    while !rest.is_empty() {
        let (mut reader, mut writer) = tokio::io::split(connect().await);
        // What is answered is read, or the connection would be closed for that.
        let reading = async { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await };
        let writing = async {
            for message in rest.iter().take(OVER_ONE) {
                if writer.write_all(message).await.is_err() {
                    break;
                }
            }
            writer.shutdown().await
        };
        soon("the end of the connection", async { drop(tokio::join!(reading, writing)) }).await;
        rest = &rest[OVER_ONE.min(rest.len())..];
        turn_away(world);
        if rest.len() % (OVER_ONE * 64) < OVER_ONE {
            call.goes_on(world).await;
        }
    }
    call.end(world).await;
    turn_away(world);
    world.becomes(|stats| stats.connections == 0).await;
    let stats = world.stack.stats();
    let share = |of: u64| u64::try_from(mutations).unwrap_or(0) / of;
    assert!(stats.malformed_messages > share(8) && stats.broken_connections > share(25), "{stats:?}");
    is_well(world, peer, contact).await;
}

#[tokio::test]
async fn strange_messages_do_no_harm_over_tcp() {
    let (mut world, peer) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let address = world.address();
    let connect = async || TcpStream::connect(address).await.expect("connect");
    over_connections(&mut world, "TCP", &peer, &register.contact(), MUTATIONS[1], connect).await;
    world.end().await;
}

#[tokio::test]
async fn strange_messages_do_no_harm_over_tls() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let files = authority.issue("callie.test").write(folder.path());
    let mut world = World::with(|options| options.tls = Some(files)).await;
    let peer = Peer::new().await;
    let (_handle, register) = world.registered(&peer).await;
    let address = world.stack.tls_address().expect("it listens");
    let connector = TlsConnector::from(authority.client());
    let connect = async || {
        let tcp = TcpStream::connect(address).await.expect("connect");
        connector.connect("callie.test".try_into().expect("a name"), tcp).await.expect("a handshake")
    };
    over_connections(&mut world, "TLS", &peer, &register.contact(), MUTATIONS[2], connect).await;
    world.end().await;
}

#[tokio::test]
async fn handshakes_that_are_none_leave_nothing() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let files = authority.issue("callie.test").write(folder.path());
    let mut world = World::with(|options| options.tls = Some(files)).await;
    let peer = Peer::new().await;
    let (_handle, register) = world.registered(&peer).await;
    let address = world.stack.tls_address().expect("it listens");
    let mut dice = Dice(11);
    for round in 0..500 {
        let mut tcp = TcpStream::connect(address).await.expect("connect");
        let mut junk: Vec<u8> = (0..1 + dice.roll(600)).map(|_| dice.byte()).collect();
        if round % 2 == 0 && junk.len() > 5 {
            // The head of a TLS record, so that somebody looks further.
            junk[..5].copy_from_slice(&[22, 3, 1, 1, 0]);
        }
        tcp.write_all(&junk).await.ok();
    }
    world.becomes(|stats| stats.connections == 0).await;
    is_well(&mut world, &peer, &register.contact()).await;
    world.end().await;
}

/// The same message to one of our own Contacts, so that it gets past the door.
fn retargeted(message: &[u8], contact: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(message);
    let Some((start, rest)) = text.split_once("\r\n") else { return message.to_vec() };
    let mut words = start.split(' ');
    match (words.next(), words.next_back()) {
        (Some(method), Some("SIP/2.0")) => format!("{method} {contact} SIP/2.0\r\n{rest}").into_bytes(),
        _ => message.to_vec(),
    }
}

#[tokio::test]
async fn a_broken_connection_is_closed_and_forgotten() {
    let (mut world, peer) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let head = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n";
    for broken in ["Content-Length: 18446744073709551615", "Content-Length: x", "Content-Length: -1", "\0"] {
        let mut stream = TcpStream::connect(world.address()).await.expect("connect");
        stream.write_all(format!("{head}{broken}\r\n\r\n").as_bytes()).await.expect("write");
        stream.write_all(&[b'x'; 70_000]).await.ok();
        let mut rest = Vec::new();
        soon("the end of the connection", stream.read_to_end(&mut rest)).await.ok();
    }
    world.becomes(|s| s.connections == 0).await;
    is_well(&mut world, &peer, &register.contact()).await;
    world.end().await;
}

#[tokio::test]
async fn junk_is_counted_and_dropped() {
    const DATAGRAMS: u64 = 100_000;
    let (mut world, peer, noise) = (World::new().await, Peer::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let mut dice = Dice(7);
    let mut junk: Vec<u8> = (0..1_400).map(|_| dice.byte()).collect();
    for _ in 0..DATAGRAMS {
        let at = dice.roll(junk.len());
        junk[at] = dice.byte();
        noise.send(world.address(), &junk[..at.max(1)]).await;
    }
    is_well(&mut world, &peer, &register.contact()).await;
    let stats = world.stack.stats();
    assert!(stats.garbage > DATAGRAMS / 10, "{stats:?}: most of the junk should have been read, and all of it dropped");
    assert!(stats.datagrams - stats.garbage < 50, "{stats:?}");
    world.end().await;
}
