//! The course of an examination.

use super::{call, facts::Facts, line, self_call};
use crate::{
    accounts::LineDirectory,
    call::Registry,
    exchange::{ExaminationError, ExaminationRequest},
};
use callie_domain::examination::Report;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::{Account, UserId};
use callie_sip::{AccountHandle, SipStack};
use callie_store::{RecordStore, StoredUser, UserView};
use jiff::Timestamp;
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A REGISTER is given up after 32 s (64·T1).
const REGISTERED_WITHIN: Duration = Duration::from_secs(35);
/// Reports that are remembered, the latest of each user.
const REPORTS: usize = 1_024;

/// Cheap to clone.
#[derive(Clone)]
pub struct Doctor(Arc<Practice>);

struct Practice {
    stack: Arc<SipStack>,
    view: watch::Receiver<Arc<UserView>>,
    directory: LineDirectory,
    registry: Registry,
    records: Arc<dyn RecordStore>,
    under_way: Mutex<HashSet<UserId>>,
    reports: Mutex<HashMap<UserId, Arc<Report>>>,
}

/// A user is examined once at a time.
struct UnderWay(Doctor, UserId);

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.0.0.under_way).remove(&self.1);
    }
}

impl Doctor {
    pub fn new(
        stack: Arc<SipStack>,
        view: watch::Receiver<Arc<UserView>>,
        directory: LineDirectory,
        registry: Registry,
        records: Arc<dyn RecordStore>,
    ) -> Self {
        let (under_way, reports) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Practice { stack, view, directory, registry, records, under_way, reports }))
    }

    /// The latest report of this user since the server started.
    pub fn last_report(&self, user: &UserId) -> Option<Arc<Report>> {
        lock(&self.0.reports).get(user).cloned()
    }

    /// Takes about 10 s on a line that works, and at most some 90 s.
    pub async fn examine(&self, request: ExaminationRequest) -> Result<Arc<Report>, ExaminationError> {
        let user = request.user.clone();
        let stored = self.stored(&user).ok_or_else(|| ExaminationError::NoSuchUser(user.clone()))?;
        if !lock(&self.0.under_way).insert(user.clone()) {
            return Err(ExaminationError::UnderWay(user));
        }
        let _under_way = UnderWay(self.clone(), user.clone());
        let (examined_at, begun) = (Timestamp::now(), Instant::now());
        let (facts, calls) = self.look(&stored, &request).await;
        let mut findings = line::findings(&facts);
        findings.extend(call::findings(&facts));
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = Arc::new(Report::new(user.clone(), examined_at, took_ms, findings, calls));
        tracing::info!(user.id = %user, outcome = ?report.outcome, took_ms, "examined a line");
        let mut reports = lock(&self.0.reports);
        if reports.len() < REPORTS || reports.contains_key(&user) {
            reports.insert(user, report.clone());
        }
        Ok(report)
    }

    async fn look(&self, stored: &StoredUser, request: &ExaminationRequest) -> (Facts, Vec<callie_domain::CallId>) {
        let account = stored.user.account();
        let stack = &self.0.stack;
        let looked_up = stack.look_up(&account).await.map_err(|e| e.to_string());
        let asked = match &looked_up {
            Ok(_) => stack.ask(&account).await.map_err(|e| e.to_string()),
            Err(why) => Err(why.clone()),
        };
        let running = self.0.directory.line(&stored.user.id).filter(|_| stored.user.wants_line());
        let connected = running.is_some();
        // A line that nobody asked for is opened for the examination, and closed after it.
        let handle = running.unwrap_or_else(|| stack.open_account(account.clone()));
        let registration = settled(&handle).await;
        let messages = handle.trace();
        let local = self.local(&account, asked.as_ref().ok().map(|answer| answer.address));
        let (call, calls) = match (connected, registration.is_registered()) {
            (true, true) => self_call::make(&self.0.registry, &*self.0.records, &handle, stored, request.number.clone()).await,
            (true, false) => (Err("the line is not registered".to_owned()), Vec::new()),
            (false, _) => {
                (Err(format!("the line is not connected: POST /users/{}/sip/connect first", stored.user.id)), Vec::new())
            }
        };
        if !connected {
            handle.stop().await;
        }
        (Facts { account, looked_up, asked, connected, registration, messages, local, call }, calls)
    }

    fn local(&self, _account: &Account, peer: Option<SocketAddr>) -> SocketAddr {
        let listening = self.0.stack.local_address();
        SocketAddr::new(self.0.stack.interface_toward(peer.map(|peer| peer.ip())), listening.port())
    }

    fn stored(&self, user: &UserId) -> Option<StoredUser> {
        self.0.view.borrow().users.get(user)?.usable().cloned()
    }
}

/// The registration once it has come to something.
async fn settled(handle: &AccountHandle) -> RegistrationStatus {
    let mut status = handle.status();
    let has_result = |status: &RegistrationStatus| {
        !matches!(status.state, RegistrationState::Off | RegistrationState::Registering | RegistrationState::Unregistering)
    };
    let _ = tokio::time::timeout(REGISTERED_WITHIN, status.wait_for(has_result)).await;
    handle.status().borrow().clone()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
