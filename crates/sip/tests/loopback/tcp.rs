//! Over TCP: one shared connection, its Contact, its loss.

use crate::peer::{Dialog, Message, SDP, World, account, event, over, soon};
use callie_domain::{Account, Transport};
use callie_sip::LegEvent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

struct Connection {
    stream: TcpStream,
    read: String,
}

impl Connection {
    async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = soon("a connection", listener.accept()).await.expect("accept");
        Self { stream, read: String::new() }
    }

    /// The next message.
    async fn next(&mut self) -> Message {
        let source = self.stream.peer_addr().expect("connected");
        soon("a message", async {
            loop {
                self.read = self.read.trim_start().to_owned();
                if let Some(end) = self.read.find("\r\n\r\n") {
                    let head = Message { text: self.read[..end].to_owned(), source };
                    let body: usize = head.must("Content-Length").parse().expect("a length");
                    if self.read.len() >= end + 4 + body {
                        let rest = self.read.split_off(end + 4 + body);
                        return Message { text: std::mem::replace(&mut self.read, rest), source };
                    }
                }
                let mut chunk = [0; 4096];
                let len = self.stream.read(&mut chunk).await.expect("read");
                assert_ne!(len, 0, "closed");
                self.read.push_str(&String::from_utf8_lossy(&chunk[..len]));
            }
        })
        .await
    }

    async fn expect(&mut self, start: &str) -> Message {
        loop {
            let message = self.next().await;
            if message.start().starts_with(start) {
                return message;
            }
        }
    }

    async fn send(&mut self, text: String) {
        self.stream.write_all(text.as_bytes()).await.expect("write");
    }

    async fn grant(&mut self, register: &Message) {
        let contact = format!("Contact: <{}>;expires=600", register.contact());
        self.send(register.response("200 OK", &[&contact], "")).await;
    }
}

#[tokio::test]
async fn calls_stay_on_the_connection_of_their_account() {
    let mut world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let tcp = Account { transport: Transport::Tcp, ..account(listener.local_addr().expect("bound")) };
    let handle = world.stack.open_account(tcp);
    let mut carrier = Connection::accept(&listener).await;
    let register = carrier.next().await;
    carrier.grant(&register).await;
    soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");

    let nowhere = "127.0.0.1:9".parse().expect("address");
    let mut dialog = Dialog::at(nowhere, &register.contact());
    let invite = dialog.request("INVITE", &[], SDP).replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    carrier.send(invite).await;
    let mut call = world.call().await;
    call.leg.control.answer(SDP.into()).await;
    let ok = carrier.expect("SIP/2.0 200").await;
    assert!(ok.contact().ends_with(";transport=tcp"), "{}", ok.contact());
    dialog.learn(&ok);
    carrier.send(dialog.request("ACK", &[], "").replace("SIP/2.0/UDP", "SIP/2.0/TCP")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    call.leg.control.hang_up().await;
    let bye = carrier.expect("BYE").await;
    carrier.send(bye.response("200 OK", &[], "")).await;
    over(&mut call.leg).await;

    let mut leg = world.stack.dial(&handle, &"200".parse().expect("dialable"), SDP.into());
    let invite = carrier.expect("INVITE").await;
    carrier.send(invite.response("200 OK", &["Contact: <sip:callee@127.0.0.1:9;transport=tcp>"], SDP)).await;
    carrier.expect("ACK").await;
    assert!(matches!(event(&mut leg).await, LegEvent::Answered { .. }));
    drop(leg);
    let bye = carrier.expect("BYE").await;
    assert!(bye.must("Via").starts_with("SIP/2.0/TCP"));
    carrier.send(bye.response("200 OK", &[], "")).await;
    world.is_empty(1).await;
    world.end().await;
}

#[tokio::test]
async fn accounts_share_a_connection_and_survive_its_loss() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let tcp = Account { transport: Transport::Tcp, ..account(listener.local_addr().expect("bound")) };
    let handles: Vec<_> = (0..3).map(|_| world.stack.open_account(tcp.clone())).collect();
    let mut first = Connection::accept(&listener).await;
    let mut contacts = Vec::new();
    for _ in &handles {
        let register = first.next().await;
        assert!(register.contact().ends_with(";transport=tcp"), "{}", register.contact());
        assert!(register.must("Via").starts_with("SIP/2.0/TCP"));
        first.grant(&register).await;
        contacts.push(register.contact());
    }
    contacts.sort();
    for handle in &handles {
        soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");
    }
    assert_eq!(world.stack.stats().connections, 1);
    drop(first);
    let mut second = Connection::accept(&listener).await;
    let mut again = Vec::new();
    for _ in &handles {
        let register = second.next().await;
        second.grant(&register).await;
        again.push(register.contact());
    }
    again.sort();
    assert_eq!(contacts, again, "every account comes back, under the same Contact");
    world.end().await;
}

#[tokio::test]
async fn requests_come_over_our_listener_too() {
    let world = World::new().await;
    let mut stream = TcpStream::connect(world.address()).await.expect("connect");
    let source = stream.local_addr().expect("connected");
    let request = format!(
        "OPTIONS sip:{} SIP/2.0\r\nVia: SIP/2.0/TCP {source};branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: t1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        world.address()
    );
    stream.write_all(request.as_bytes()).await.expect("write");
    let mut connection = Connection { stream, read: String::new() };
    assert!(connection.next().await.start().starts_with("SIP/2.0 200"));
    world.end().await;
}
