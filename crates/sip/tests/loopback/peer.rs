//! A scripted peer, a stack to test, and the patience of both.

use callie_domain::{AcceptFrom, Account, HostPort, LineUpkeep, Secret, TlsSettings, Transport};
use callie_sip::{AccountHandle, InboundCall, Leg, LegEvent, RegisterPolicy, SipOptions, SipStack, StackStats};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Everything that is awaited in these tests comes within this time, or the test fails.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Short enough for tests, long enough that a busy machine causes few repetitions. 64·T1 is 1.6 s.
pub const T1: Duration = Duration::from_millis(25);
pub const PASSWORD: &str = "s3cret";
pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// Awaits with a deadline.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// A SIP message as text.
#[derive(Debug, Clone)]
pub struct Message {
    pub text: String,
    pub source: SocketAddr,
}

impl Message {
    pub fn start(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    pub fn must(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in\n{}", self.text))
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// The URI between the angle brackets of Contact.
    pub fn contact(&self) -> String {
        self.must("Contact").split(['<', '>']).nth(1).expect("a Contact in brackets").to_owned()
    }

    /// A response to this request. `extra` are whole lines without line ends.
    pub fn response(&self, status: &str, extra: &[&str], body: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in self.headers("Via") {
            let seen = format!(";rport={}", self.source.port());
            text += &format!("Via: {}\r\n", via.replace(";rport", &seen));
        }
        let to = self.must("To");
        let tag = if to.contains(";tag=") || status.starts_with("100") { "" } else { ";tag=peer" };
        text += &format!("From: {}\r\nTo: {to}{tag}\r\n", self.must("From"));
        text += &format!("Call-ID: {}\r\nCSeq: {}\r\n", self.must("Call-ID"), self.must("CSeq"));
        for line in extra {
            text += &format!("{line}\r\n");
        }
        if !body.is_empty() {
            text += "Content-Type: application/sdp\r\n";
        }
        text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }
}

/// One UDP socket that speaks SIP by script.
pub struct Peer {
    socket: UdpSocket,
    pub address: SocketAddr,
}

impl Peer {
    pub async fn new() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub async fn at(address: &str) -> Self {
        let socket = UdpSocket::bind(address).await.expect("bind");
        let address = socket.local_addr().expect("bound");
        Self { socket, address }
    }

    pub async fn send(&self, to: SocketAddr, text: impl AsRef<[u8]>) {
        self.socket.send_to(text.as_ref(), to).await.expect("send");
    }

    pub async fn next(&self) -> Message {
        let mut buffer = vec![0; 65_536];
        loop {
            let (len, source) = soon("a datagram", self.socket.recv_from(&mut buffer)).await.expect("receive");
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if !text.trim().is_empty() {
                return Message { text, source };
            }
        }
    }

    /// Nothing has come.
    pub fn hears_nothing(&self) {
        let mut buffer = vec![0; 65_536];
        if let Ok(len) = self.socket.try_recv(&mut buffer) {
            panic!("heard: {}", String::from_utf8_lossy(&buffer[..len]));
        }
    }

    /// The next message that begins so; others are passed over (repetitions, provisional responses).
    pub async fn expect(&self, start: &str) -> Message {
        self.expect_where(start, |_| true).await
    }

    pub async fn expect_where(&self, start: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        soon(start, async {
            loop {
                let message = self.next().await;
                if message.start().starts_with(start) && wanted(&message) {
                    return message;
                }
            }
        })
        .await
    }

    pub async fn reply(&self, to: &Message, status: &str, extra: &[&str], body: &str) {
        self.send(to.source, to.response(status, extra, body)).await;
    }

    /// Answers one registration: a challenge, then 200.
    pub async fn register(&self) -> Message {
        let first = self.expect("REGISTER").await;
        let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=MD5";
        self.reply(&first, "401 Unauthorized", &[challenge], "").await;
        let second = self.expect_where("REGISTER", |m| m.header("Authorization").is_some()).await;
        self.grant(&second, 600).await;
        second
    }

    pub async fn grant(&self, register: &Message, expires: u32) {
        let contact = format!("Contact: <{}>;expires={expires}", register.contact());
        self.reply(register, "200 OK", &[&contact], "").await;
    }
}

/// A stack under test.
pub struct World {
    pub stack: SipStack,
    pub calls: mpsc::Receiver<InboundCall>,
    pub tracker: TaskTracker,
    pub cancel: CancellationToken,
}

pub fn policy() -> RegisterPolicy {
    RegisterPolicy {
        shortest_refresh: Duration::from_millis(100),
        backoff: vec![Duration::from_millis(200)],
        spread: Duration::from_millis(100),
        ..RegisterPolicy::default()
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut SipOptions)) -> Self {
        let listen = "127.0.0.1:0".parse().expect("address");
        let mut options = SipOptions { t1: T1, register: policy(), ..SipOptions::new(listen) };
        change(&mut options);
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let (stack, calls) = SipStack::start(options, &tracker, cancel.clone()).await.expect("start");
        Self { stack, calls, tracker, cancel }
    }

    /// 64·T1.
    pub fn patience(&self) -> Duration {
        T1 * 64
    }

    pub fn address(&self) -> SocketAddr {
        self.stack.local_address()
    }

    /// An account at `peer`, registered.
    pub async fn registered(&self, peer: &Peer) -> (AccountHandle, Message) {
        let handle = self.stack.open_account(account(peer.address));
        let register = peer.register().await;
        let mut status = handle.status();
        soon("registration", status.wait_for(|s| s.is_registered())).await.expect("running");
        (handle, register)
    }

    pub async fn call(&mut self) -> InboundCall {
        soon("a call", self.calls.recv()).await.expect("running")
    }

    /// Waits until no call and no transaction is left.
    pub async fn at_rest(&self, accounts: usize) {
        self.becomes(|s| (s.accounts, s.dialogs, s.running_transactions) == (accounts, 0, 0)).await;
    }

    /// The same, and 64·T1 later the stack has forgotten what it kept for repeated requests.
    pub async fn is_empty(&self, accounts: usize) {
        self.at_rest(accounts).await;
        self.becomes(|s| (s.running_transactions, s.finished_transactions, s.waiting_ack) == (0, 0, 0)).await;
    }

    pub async fn becomes(&self, wanted: impl Fn(&StackStats) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !wanted(&self.stack.stats()) {
            assert!(tokio::time::Instant::now() < deadline, "not in time: {:?}", self.stack.stats());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops everything; all tasks end.
    pub async fn end(self) {
        self.cancel.cancel();
        self.tracker.close();
        soon("the end of all tasks", self.tracker.wait()).await;
    }
}

pub fn account(server: SocketAddr) -> Account {
    Account {
        user: "alice".parse().expect("valid"),
        display_name: "Alice \"A\" Smith".into(),
        aor_user: "1000".into(),
        aor_host: "carrier.test".into(),
        auth_username: "alice-auth".into(),
        password: Secret::new(PASSWORD),
        server: HostPort { host: server.ip().to_string(), port: Some(server.port()) },
        backup_server: None,
        outbound_proxy: None,
        transport: Transport::Udp,
        sips: false,
        tls: TlsSettings::default(),
        accept_from: AcceptFrom::Provider,
        upkeep: LineUpkeep::default(),
        from_user: None,
        caller_id: None,
        user_agent: "Yealink SIP-T46S 66.85.0.5 ~00:15:65:aa:bb:cc".into(),
    }
}

pub async fn event(leg: &mut Leg) -> LegEvent {
    soon("an event", leg.events.recv()).await.expect("the leg goes on")
}

/// No further event comes: the leg is over.
pub async fn over(leg: &mut Leg) {
    if let Some(event) = soon("the end of the leg", leg.events.recv()).await {
        panic!("one event too many: {event:?}");
    }
}

/// A caller's dialog by hand.
pub struct Dialog {
    pub call_id: String,
    pub uri: String,
    pub cseq: u32,
    pub to: String,
    from_address: SocketAddr,
}

static NAMES: AtomicU32 = AtomicU32::new(1);

impl Dialog {
    pub fn new(peer: &Peer, uri: &str) -> Self {
        Self::at(peer.address, uri)
    }

    pub fn at(from_address: SocketAddr, uri: &str) -> Self {
        let call_id = format!("call-{}@peer", NAMES.fetch_add(1, Ordering::Relaxed));
        Self { call_id, uri: uri.into(), cseq: 1, to: "<sip:1000@carrier.test>".into(), from_address }
    }

    /// A request; ACK and CANCEL keep the number, others count up before.
    pub fn request(&mut self, method: &str, extra: &[&str], body: &str) -> String {
        if !matches!(method, "ACK" | "CANCEL" | "INVITE") || (method == "INVITE" && self.to.contains("tag=")) {
            self.cseq += 1;
        }
        self.same(method, extra, body)
    }

    /// With the present number and branch.
    pub fn same(&self, method: &str, extra: &[&str], body: &str) -> String {
        let branch = match method {
            "CANCEL" | "INVITE" => format!("{}-{}", self.call_id, self.cseq),
            _ => format!("{}-{}-{method}", self.call_id, self.cseq),
        };
        let mut text = format!("{method} {} SIP/2.0\r\n", self.uri);
        text += &format!("Via: SIP/2.0/UDP {};branch=z9hG4bK{branch};rport\r\n", self.from_address);
        text += "Max-Forwards: 70\r\nFrom: \"Carol\" <sip:+49301234@carrier.test>;tag=c1\r\n";
        text += &format!("To: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n", self.to, self.call_id, self.cseq);
        text += &format!("Contact: <sip:carol@{}>\r\n", self.from_address);
        for line in extra {
            text += &format!("{line}\r\n");
        }
        if !body.is_empty() && !extra.iter().any(|line| line.starts_with("Content-Type")) {
            text += "Content-Type: application/sdp\r\n";
        }
        text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Takes the To tag and the Contact of a response.
    pub fn learn(&mut self, response: &Message) {
        self.to = response.must("To").to_owned();
        if response.header("Contact").is_some() {
            self.uri = response.contact();
        }
    }
}
