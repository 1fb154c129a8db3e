//! A web server that is told things: the far end of webhooks and tools, with the manners that such ends have. It dies, hangs,
//! refuses, is slow, sends elsewhere, and remembers what it got.
//!
//! One request a connection, HTTP/1.1 of a few lines of our own.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// What is taken of a request at most.
const LARGEST: usize = 4 << 20;

/// How the receiver takes what comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Takes the request and never answers.
    Hang,
    /// Answers 200, a byte of it each time that so long has passed.
    Drip(Duration),
    /// Takes the request and closes without an answer.
    Die,
}

impl Manner {
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: String::new() }
    }

    pub fn with_header(status: u16, name: &str, value: &str) -> Self {
        Self::Answer { status, headers: vec![(name.to_owned(), value.to_owned())], body: String::new() }
    }
}

/// A request that came, in whatever manner it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Method and path: `POST /hook`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The body, `null` when it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Debug)]
struct State {
    manners: Mutex<Manners>,
    received: watch::Sender<Vec<Received>>,
}

#[derive(Debug)]
struct Manners {
    /// Of the next requests, one after the other.
    next: std::collections::VecDeque<Manner>,
    then: Manner,
}

/// A running receiver. Dropping it ends its tasks and closes its port.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    _running: DropGuard,
}

impl Receiver {
    /// On a free port of loopback. It answers 200.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(([127, 0, 0, 1], 0).into()).await
    }

    /// There, where one may have died before.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(64)?;
        let address = listener.local_addr()?;
        let manners = Mutex::new(Manners { next: std::collections::VecDeque::new(), then: Manner::status(200) });
        let state = Arc::new(State { manners, received: watch::Sender::default() });
        let token = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(token.clone().run_until_cancelled_owned(accept(listener, state.clone(), tasks.clone(), token.clone())));
        Ok(Self { address, state, _running: token.drop_guard() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on.
    pub fn behave(&self, manner: Manner) {
        let mut manners = self.manners();
        manners.next.clear();
        manners.then = manner;
    }

    /// The next requests one after the other; those behind them as before.
    pub fn behave_next(&self, next: impl IntoIterator<Item = Manner>) {
        self.manners().next.extend(next);
    }

    /// All that has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.received.borrow().clone()
    }

    /// Waits until so many have come; gives what there is when the time is over.
    pub async fn wait_for(&self, count: usize, patience: Duration) -> Vec<Received> {
        self.wait_until(|received| received.len() >= count, patience).await
    }

    /// Waits until they are as wanted; gives what there is when the time is over.
    pub async fn wait_until(&self, mut wanted: impl FnMut(&[Received]) -> bool, patience: Duration) -> Vec<Received> {
        let mut received = self.state.received.subscribe();
        let _ = tokio::time::timeout(patience, received.wait_for(|received| wanted(received))).await;
        self.received()
    }

    fn manners(&self) -> std::sync::MutexGuard<'_, Manners> {
        self.state.manners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, tasks: TaskTracker, token: CancellationToken) {
    while let Ok((stream, _)) = listener.accept().await {
        let talk = talk(stream, state.clone());
        tasks.spawn(token.clone().run_until_cancelled_owned(talk));
    }
}

async fn talk(mut stream: TcpStream, state: Arc<State>) {
    let Ok(received) = read(&mut stream).await else { return };
    let manner = {
        let mut manners = state.manners.lock().unwrap_or_else(PoisonError::into_inner);
        manners.next.pop_front().unwrap_or_else(|| manners.then.clone())
    };
    state.received.send_modify(|all| all.push(received));
    // A client that does not wait is the client's matter.
    let _ = answer(&mut stream, manner).await;
}

async fn answer(stream: &mut TcpStream, manner: Manner) -> io::Result<()> {
    match manner {
        Manner::Die => Ok(()),
        Manner::Hang => std::future::pending().await,
        Manner::Drip(pause) => {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(pause).await;
            }
            Ok(())
        }
        Manner::Answer { status, headers, body } => {
            let mut text = format!("HTTP/1.1 {status} As told\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{text}\r\n{body}").as_bytes()).await?;
            stream.shutdown().await
        }
    }
}

pub(crate) async fn read(stream: &mut TcpStream) -> io::Result<Received> {
    let broken = || io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > LARGEST || stream.read_buf(&mut bytes).await? == 0 {
            return Err(broken());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().rsplit_once(' ').map_or("", |(line, _)| line).to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, length)| length.parse().ok());
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length.unwrap_or(0usize) {
        if body.len() > LARGEST || stream.read_buf(&mut body).await? == 0 {
            return Err(broken());
        }
    }
    Ok(Received { line, headers, body })
}
