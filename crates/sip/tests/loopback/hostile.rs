//! What strangers send: the torture messages of RFC 4475 and RFC 5118, mutations of them, and junk.

use crate::peer::{Dialog, Peer, SDP, World, soon};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

fn mutated(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = message.to_vec();
    for _ in 0..=dice.roll(8) {
        let at = dice.roll(bytes.len());
        match dice.roll(4) {
            0 => bytes[at] = dice.byte(),
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, *b"\r\n:;,<>\"%@= 0\x00\xff".get(dice.roll(15)).expect("in range")),
            _ => bytes.truncate(at.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    }
    bytes
}

/// The stack answers, takes a call, and is back at rest.
async fn is_well(world: &mut World, peer: &Peer, contact: &str) {
    let mut dialog = Dialog::new(peer, contact);
    peer.send(world.address(), dialog.request("OPTIONS", &[], "")).await;
    let call_id = dialog.call_id.clone();
    peer.expect_where("SIP/2.0 200", |m| m.header("Call-ID") == Some(call_id.as_str())).await;
    world.is_empty(1).await;
}

#[tokio::test]
async fn strange_messages_do_no_harm() {
    let (mut world, peer, noise) = (World::new().await, Peer::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let contact = register.contact();
    let mut dialog = Dialog::new(&peer, &contact);
    let good = dialog.request("INVITE", &[], SDP).into_bytes();
    let mut seeds = torture();
    for message in &seeds {
        noise.send(world.address(), message).await;
        noise.send(world.address(), retargeted(message, &contact)).await;
    }
    seeds.push(good);
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..1_000 {
        let seed = dice.roll(seeds.len());
        let message = mutated(&seeds[seed], &mut dice);
        noise.send(world.address(), message).await;
        tokio::task::yield_now().await;
    }
    while let Ok(call) = world.calls.try_recv() {
        drop(call);
    }
    is_well(&mut world, &peer, &contact).await;
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
