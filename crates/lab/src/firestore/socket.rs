//! The listening socket and its connections. Between "down" and "up" the port is held by a socket that does not listen: nobody
//! else gets it, and who connects is refused.

use super::calls;
use super::faults::Order;
use super::state::State;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const BACKLOG: u32 = 1024;

/// The only owner of the port.
pub(super) struct Socket {
    state: Arc<State>,
    address: SocketAddr,
    token: CancellationToken,
    port: Port,
}

enum Port {
    Up(TcpListener, Connections),
    Down(TcpSocket),
    /// Only while it goes from one to the other, or if that failed.
    Lost,
}

/// The connections since the server came up; they end together.
#[derive(Clone)]
struct Connections {
    tracker: TaskTracker,
    token: CancellationToken,
}

impl Connections {
    fn new(parent: &CancellationToken) -> Self {
        Self { tracker: TaskTracker::new(), token: parent.child_token() }
    }

    async fn end(&self) {
        self.token.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Where hyper puts the tasks of a connection's streams.
impl<F> hyper::rt::Executor<F> for Connections
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.tracker.spawn(self.token.clone().run_until_cancelled_owned(task));
    }
}

impl Socket {
    pub fn bind(address: SocketAddr, state: Arc<State>, token: CancellationToken) -> io::Result<Self> {
        let listener = hold(address)?.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let port = Port::Up(listener, Connections::new(&token));
        Ok(Self { state, address, token, port })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections and takes orders until the token is cancelled.
    pub async fn serve(mut self, mut orders: mpsc::Receiver<Order>) {
        loop {
            tokio::select! {
                () = self.token.cancelled() => break,
                stream = accept(&self.port) => self.connect(stream),
                Some(order) = orders.recv() => match order {
                    // Who gave the order may have gone: then nobody needs the answer.
                    Order::Down(done) => { let _gone = done.send(self.down().await); }
                    Order::Up(done) => { let _gone = done.send(self.up()); }
                },
            }
        }
        if let Port::Up(_, connections) = &self.port {
            connections.end().await;
        }
    }

    fn connect(&self, stream: io::Result<TcpStream>) {
        let Port::Up(_, connections) = &self.port else { return };
        match stream {
            Ok(stream) => hyper::rt::Executor::execute(connections, talk(stream, Arc::clone(&self.state), connections.clone())),
            Err(error) => tracing::debug!(%error, "a connection was not accepted"),
        }
    }

    async fn down(&mut self) -> io::Result<()> {
        if let Port::Up(listener, connections) = std::mem::replace(&mut self.port, Port::Lost) {
            drop(listener);
            self.port = Port::Down(hold(self.address)?);
            connections.end().await;
        }
        Ok(())
    }

    fn up(&mut self) -> io::Result<()> {
        self.port = match std::mem::replace(&mut self.port, Port::Lost) {
            Port::Down(socket) => Port::Up(socket.listen(BACKLOG)?, Connections::new(&self.token)),
            Port::Lost => Port::Up(hold(self.address)?.listen(BACKLOG)?, Connections::new(&self.token)),
            up @ Port::Up(..) => up,
        };
        Ok(())
    }
}

fn hold(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of before may still be in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(port: &Port) -> io::Result<TcpStream> {
    match port {
        Port::Up(listener, _) => listener.accept().await.map(|(stream, _)| stream),
        Port::Down(_) | Port::Lost => std::future::pending().await,
    }
}

async fn talk(stream: TcpStream, state: Arc<State>, connections: Connections) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection goes on with Nagle's algorithm");
    }
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(calls::answer(state, request).await) }
    });
    if let Err(error) = http2::Builder::new(connections).serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended");
    }
}
