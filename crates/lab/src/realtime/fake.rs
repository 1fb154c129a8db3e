//! A fake that runs: a listener on loopback and a task for each connection.

use super::reception::accept;
use super::{Desk, Service};
use crate::waiting::{self, TooLate};
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Dropping it ends its tasks; [`Fake::stop`] also waits for them.
#[derive(Debug)]
pub struct Fake<S: Service> {
    address: SocketAddr,
    desk: Desk<S>,
    tracker: TaskTracker,
    _running: DropGuard,
}

impl<S: Service> Fake<S> {
    /// Binds and begins to serve.
    pub async fn start(options: S::Options) -> io::Result<Self> {
        let (tracker, token) = (TaskTracker::new(), CancellationToken::new());
        let listener = TcpListener::bind(S::listen(&options)).await?;
        let address = listener.local_addr()?;
        let desk = Desk::new(options);
        let accepting = accept(listener, Arc::clone(desk.office()), tracker.clone(), token.clone());
        tracker.spawn(token.clone().run_until_cancelled_owned(accepting));
        Ok(Self { address, desk, tracker, _running: token.drop_guard() })
    }

    /// Ends every task and socket.
    pub async fn stop(self) {
        let Self { tracker, _running, .. } = self;
        drop(_running);
        tracker.close();
        tracker.wait().await;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until `condition` holds; it is asked every 5 ms.
    pub async fn wait_until(&self, what: &str, deadline: Duration, condition: impl Fn(&Self) -> bool) -> Result<(), TooLate> {
        waiting::until(what, deadline, || condition(self)).await
    }

    /// Waits until the condition holds for the newest session.
    pub async fn wait_latest(&self, what: &str, deadline: Duration, condition: impl Fn(&S::Log) -> bool) -> Result<(), TooLate> {
        self.wait_until(what, deadline, |fake| fake.latest().is_some_and(|session| session.look(&condition))).await
    }
}

impl<S: Service> Deref for Fake<S> {
    type Target = Desk<S>;

    fn deref(&self) -> &Desk<S> {
        &self.desk
    }
}
