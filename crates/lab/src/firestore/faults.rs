//! What goes wrong on purpose, and when.

use super::state::State;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

/// Why every call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// PERMISSION_DENIED.
    PermissionDenied,
    /// UNAUTHENTICATED: the token is not accepted.
    Unauthenticated,
    /// NOT_FOUND: the project has no such database.
    NoDatabase,
    /// RESOURCE_EXHAUSTED: a quota is used up.
    QuotaExceeded,
    /// UNAVAILABLE, by a server that can be reached all the same.
    Unavailable,
}

impl Refusal {
    /// `database` is `projects/P/databases/D`.
    pub(super) fn status(self, database: &str) -> Status {
        match self {
            Self::PermissionDenied => Status::permission_denied("Missing or insufficient permissions."),
            Self::Unauthenticated => Status::unauthenticated(
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
            ),
            Self::NoDatabase => no_database(database),
            Self::QuotaExceeded => Status::resource_exhausted("Quota exceeded."),
            Self::Unavailable => unavailable(),
        }
    }
}

pub(super) fn unavailable() -> Status {
    Status::unavailable("The service is temporarily unavailable. Please retry with exponential backoff.")
}

fn no_database(database: &str) -> Status {
    let mut segments = database.split('/');
    let (project, id) = (segments.nth(1).unwrap_or("unknown"), segments.nth(1).unwrap_or("(default)"));
    Status::not_found(format!(
        "The database {id} does not exist for project {project} Please visit https://console.cloud.google.com/datastore/setup?project={project} to add a Cloud Datastore or Cloud Firestore database. "
    ))
}

/// How a Listen stream tells of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenStyle {
    /// As production does: the documents that changed, and those that went.
    #[default]
    Deltas,
    /// As Google's emulator does: RESET, the whole result again, CURRENT, NO_CHANGE. What went is not named.
    Resets,
}

/// What the data are when the server comes up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// As they were; resume tokens go on working.
    Kept,
    /// Empty; no resume token is known.
    Lost,
}

/// Faults that are in force.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Plan {
    pub latency: Duration,
    pub aborts: u32,
    pub lost_answers: u32,
    pub refusal: Option<Refusal>,
    pub style: ListenStyle,
    pub withholding: bool,
}

/// An order to the socket's owner; it answers when it is done.
#[derive(Debug)]
pub(super) enum Order {
    Down(oneshot::Sender<io::Result<()>>),
    Up(oneshot::Sender<io::Result<()>>),
}

/// Makes faults happen. Clones act on the same server.
#[derive(Clone, Debug)]
pub struct Faults {
    pub(super) state: Arc<State>,
    pub(super) orders: mpsc::Sender<Order>,
}

impl Faults {
    /// Ends all Listen streams that are open, by UNAVAILABLE. Their clients may come again and resume.
    pub fn drop_listeners(&self) {
        self.state.rouse(|wake| wake.drops += 1);
    }

    /// Sends RESET and everything again to every target of every Listen stream.
    pub fn reset_listeners(&self) {
        self.state.rouse(|wake| wake.resets += 1);
    }

    /// From now on every resume token is unknown: who comes with one is answered by RESET and everything again.
    pub fn forget_resume_tokens(&self) {
        self.state.database().documents.forget_tokens();
    }

    pub fn set_listen_style(&self, style: ListenStyle) {
        self.state.plan().style = style;
    }

    /// From now on Listen streams hear of no change; they do not notice.
    pub fn withhold_changes(&self) {
        self.state.plan().withholding = true;
    }

    /// Listen streams hear of changes again. Of those withheld they hear only how many documents there should be (an existence
    /// filter): a client has to find out that it missed something, and ask for everything again.
    pub fn tell_changes(&self) {
        self.state.plan().withholding = false;
        self.state.rouse(|wake| wake.filters += 1);
    }

    /// Every call, the opening of a stream too, waits this long before anything is done.
    pub fn set_latency(&self, latency: Duration) {
        self.state.plan().latency = latency;
    }

    /// The next writing calls are ABORTED, nothing written.
    pub fn abort_commits(&self, count: u32) {
        self.state.plan().aborts = count;
    }

    /// The next writing calls are done, and answered by UNAVAILABLE: the client cannot know.
    pub fn lose_answers(&self, count: u32) {
        self.state.plan().lost_answers = count;
    }

    /// Every call is refused from now on, and open Listen streams end the same way.
    pub fn refuse(&self, refusal: Refusal) {
        self.state.plan().refusal = Some(refusal);
        self.state.rouse(|_| ());
    }

    /// Ends [`Faults::refuse`].
    pub fn accept(&self) {
        self.state.plan().refusal = None;
    }

    /// The server is gone: every connection breaks, new ones are refused. Done when it is so.
    pub async fn down(&self) -> io::Result<()> {
        self.order(Order::Down).await
    }

    /// The server is there again, on the same port.
    pub async fn up(&self, data: Data) -> io::Result<()> {
        if data == Data::Lost {
            self.state.lose_data();
        }
        self.order(Order::Up).await
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<io::Result<()>>) -> Order) -> io::Result<()> {
        let stopped = || io::Error::new(io::ErrorKind::NotConnected, "the Firestore of the lab has been stopped");
        let (done, wait) = oneshot::channel();
        self.orders.send(order(done)).await.map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_database_is_named() {
        let status = Refusal::NoDatabase.status("projects/acme/databases/(default)");
        assert_eq!(status.code(), tonic::Code::NotFound);
        assert!(status.message().starts_with("The database (default) does not exist for project acme "), "{status}");
        assert!(Refusal::NoDatabase.status("").message().contains("project unknown"));
    }
}
