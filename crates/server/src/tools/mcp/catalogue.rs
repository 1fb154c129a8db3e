//! What the servers of all users have said that they can do. It is asked for ahead, when a document appears or changes, so that a
//! call finds it here.

use super::listed::{Listed, MOST_TOOLS, usable};
use super::session::{McpFault, Session};
use super::tool::{Line, McpTool};
use crate::outside::GuardedClient;
use crate::telemetry::TraceParent;
use callie_ai::tools::Tool;
use callie_domain::user::McpServer;
use callie_domain::{User, UserId};
use callie_store::UserView;
use futures::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// So long a call waits at its beginning for servers that nobody has heard of yet.
pub const WAIT: Duration = Duration::from_millis(400);
/// A look takes so long at most.
const LOOK: Duration = Duration::from_secs(8);
/// What was found is looked at again when somebody calls after so long; where nothing was found, after so long.
const FRESH: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_secs(30);
/// Looks at one time.
const AT_ONCE: usize = 16;

/// Cheap to clone.
#[derive(Clone)]
pub struct Catalogue(Arc<Shared>);

struct Shared {
    client: GuardedClient,
    servers: Mutex<HashMap<(UserId, String), Kept>>,
    turns: Semaphore,
    looks: TaskTracker,
    stop: CancellationToken,
}

struct Kept {
    settings: McpServer,
    known: watch::Sender<Known>,
}

/// Of one server.
#[derive(Debug, Clone, Default)]
struct Known {
    /// What it said when it last said something.
    listed: Option<Arc<[Listed]>>,
    complaints: Vec<String>,
    looked_at: Option<Instant>,
    is_looking: bool,
}

impl Known {
    fn is_due(&self, now: Instant) -> bool {
        let pause = if self.complaints.is_empty() { FRESH } else { AGAIN };
        !self.is_looking && self.looked_at.is_none_or(|at| now.saturating_duration_since(at) >= pause)
    }
}

/// The tools of a call that come from servers, and why there are not more.
#[derive(Debug, Default)]
pub struct Gathered {
    pub tools: Vec<Arc<dyn Tool>>,
    pub complaints: Vec<String>,
}

/// Takes [`WAIT`] at most, and no time when everything is known.
pub type Gathering = BoxFuture<'static, Gathered>;

impl Catalogue {
    /// `looks` gets a task for each look, until `stop`.
    pub fn new(client: GuardedClient, looks: TaskTracker, stop: CancellationToken) -> Self {
        Self(Arc::new(Shared { client, servers: Mutex::default(), turns: Semaphore::new(AT_ONCE), looks, stop }))
    }

    /// Looks ahead for all users, for as long as the view goes on.
    pub async fn follow(self, mut view: watch::Receiver<Arc<UserView>>) {
        loop {
            let seen = view.borrow_and_update().clone();
            self.prepare(&seen);
            if view.changed().await.is_err() {
                return;
            }
        }
    }

    fn prepare(&self, view: &UserView) {
        let mut wanted = HashSet::new();
        for stored in view.users.values().filter_map(|entry| entry.usable()) {
            for server in &stored.user.tools.mcp {
                wanted.insert((stored.user.id.clone(), server.name.clone()));
                self.known(&stored.user.id, server);
            }
        }
        self.servers().retain(|key, _| wanted.contains(key));
    }

    /// What the servers of this user bring to a call that begins now; `None` when there are none.
    /// `trace`: of the call.
    pub fn gather(&self, user: &User, trace: Option<TraceParent>) -> Option<Gathering> {
        if user.tools.mcp.is_empty() {
            return None;
        }
        let servers: Vec<_> = user.tools.mcp.iter().map(|server| (server.clone(), self.known(&user.id, server))).collect();
        let (client, until) = (self.0.client.clone(), Instant::now() + WAIT);
        Some(Box::pin(async move {
            let mut gathered = Gathered::default();
            for (server, mut known) in servers {
                let is_known = |known: &Known| known.looked_at.is_some();
                let _ = timeout_at(until, known.wait_for(is_known)).await;
                let known = known.borrow().clone();
                if known.looked_at.is_none() {
                    gathered.complaints.push(format!("the server {} has not said yet which tools it has", server.name));
                }
                gathered.complaints.extend(known.complaints);
                let line = Line::new(client.clone(), server, trace);
                let tools = known.listed.iter().flat_map(|listed| listed.iter()).cloned();
                let tools = tools.filter_map(|listed| McpTool::new(line.clone(), listed));
                gathered.tools.extend(tools.map(|tool| Arc::new(tool) as Arc<dyn Tool>));
            }
            gathered
        }))
    }

    /// What is known of a server; a look begins where one is due.
    fn known(&self, user: &UserId, server: &McpServer) -> watch::Receiver<Known> {
        let mut servers = self.servers();
        let fresh = || Kept { settings: server.clone(), known: watch::Sender::default() };
        let kept = servers.entry((user.clone(), server.name.clone())).or_insert_with(fresh);
        if kept.settings != *server {
            *kept = fresh();
        }
        let is_due = kept.known.borrow().is_due(Instant::now());
        if is_due && !self.0.stop.is_cancelled() {
            kept.known.send_modify(|known| known.is_looking = true);
            let look = self.clone().look(user.clone(), server.clone(), kept.known.clone());
            let stop = self.0.stop.clone();
            self.0.looks.spawn(async move { stop.run_until_cancelled(look).await });
        }
        kept.known.subscribe()
    }

    async fn look(self, user: UserId, server: McpServer, known: watch::Sender<Known>) {
        // The semaphore is never closed.
        let _turn = self.0.turns.acquire().await;
        let found = match timeout(LOOK, listed_by(&self.0.client, &server)).await {
            Ok(Ok(listed)) => Ok(usable(&server, listed)),
            Ok(Err(fault)) => Err(format!("the server {} gives no tools: {fault}", server.name)),
            Err(_) => Err(format!("the server {} gives no tools: no answer within {} s", server.name, LOOK.as_secs())),
        };
        known.send_modify(|known| {
            (known.looked_at, known.is_looking) = (Some(Instant::now()), false);
            match found {
                Ok((listed, complaints)) => (known.listed, known.complaints) = (Some(listed.into()), complaints),
                Err(complaint) => {
                    if known.complaints.first() != Some(&complaint) {
                        tracing::warn!(user.id = %user, server = server.name, "{complaint}");
                    }
                    known.complaints = vec![complaint];
                }
            }
        });
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<(UserId, String), Kept>> {
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn listed_by(client: &GuardedClient, server: &McpServer) -> Result<Vec<Listed>, McpFault> {
    let session = Session::open(client, server, None).await?;
    session.list(MOST_TOOLS.max(server.allow.as_ref().map_or(0, |_| MOST_LISTED))).await
}

/// Read of a server that has tools which are not wanted.
const MOST_LISTED: usize = 256;

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Catalogue")
    }
}
