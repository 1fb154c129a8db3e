//! The task of one account: a loop that feeds the machine and carries out what it says.

use super::attempt::{Attempted, Register};
use super::{AccountHandle, Held, Line, whereabouts};
use crate::digest::AuthAttempt;
use crate::register::{Input, Numbers, Output, RegisterPolicy, Registration, Role, StatusChange, Step, Went};
use crate::stack::{Wire, random_token};
use crate::trace::Followed;
use callie_domain::registration::{RegistrarInUse, RegistrationStatus};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// The task's state.
struct Task {
    wire: Arc<Wire>,
    line: Arc<Line>,
    pace: Arc<Semaphore>,
    machine: Registration,
    status: watch::Sender<RegistrationStatus>,
    call_id: String,
    from_tag: String,
    numbers: Numbers,
    auth: AuthAttempt,
    contact: Option<String>,
    stale: Option<String>,
    began: Instant,
    stopping: bool,
    avoid_for: Duration,
    /// The REGISTER under way.
    attempt: Option<BoxFuture<'static, Attempted>>,
    /// The account's messages are kept.
    _followed: Followed,
}

/// Makes the handle and the task to spawn for it.
pub(crate) fn open(
    wire: Arc<Wire>,
    line: Arc<Line>,
    policy: RegisterPolicy,
    pace: Arc<Semaphore>,
) -> (AccountHandle, impl Future<Output = ()> + Send + 'static) {
    let (status, watched) = watch::channel(RegistrationStatus::OFF);
    let wanted_expires_s = line.account().upkeep.registration_expires_s.unwrap_or(policy.wanted_expires_s);
    let policy = RegisterPolicy { wanted_expires_s, ..policy };
    let user = line.account().user.clone();
    let handle = AccountHandle { inner: Arc::new(Held { line: line.clone(), user, status: watched }) };
    let call_id = random_token(22);
    let followed = wire.recorder.follow_account(&call_id, line.trace.clone());
    // In a box: a future holds what it is given as often as it is handed on.
    let task = Box::new(Task {
        wire,
        line,
        pace,
        avoid_for: policy.avoid_for,
        machine: Registration::new(policy),
        status,
        call_id,
        from_tag: random_token(10),
        numbers: Numbers::default(),
        auth: AuthAttempt::default(),
        contact: None,
        stale: None,
        began: Instant::now(),
        stopping: false,
        attempt: None,
        _followed: followed,
    });
    (handle, task.run())
}

impl Task {
    async fn run(mut self: Box<Self>) {
        let line = self.line.clone();
        tokio::select! {
            () = line.kill.cancelled() => return self.publish_off(),
            () = line.stopping.cancelled() => {}
            () = Box::pin(whereabouts::find(&self.wire, &line)) => {}
        }
        let is_watched = whereabouts::is_watched(&self.wire, &line);
        let mut moved = is_watched.then(|| self.watch_address());
        let mut done = self.feed(Input::Start);
        while !done {
            let input = tokio::select! {
                biased;
                () = line.kill.cancelled() => break,
                () = line.stopping.cancelled(), if !self.stopping => { self.stopping = true; Input::Stop }
                () = line.changed.notified() => Input::CredentialsChanged,
                attempted = under_way(&mut self.attempt) => self.take(attempted),
                () = under_way(&mut moved) => { moved = Some(self.watch_address()); Input::NetworkChanged }
                () = Box::pin(line.flow_closed()) => { line.set_flow(None); Input::FlowClosed }
                () = until(self.began, self.machine.deadline()) => Input::TimerFired,
            };
            done = self.feed(input);
        }
        self.publish_off();
    }

    fn watch_address(&self) -> BoxFuture<'static, ()> {
        Box::pin(whereabouts::changed(self.wire.clone(), self.line.clone()))
    }

    /// Lets the machine decide and carries it out; `true` when the account has ended.
    fn feed(&mut self, input: Input) -> bool {
        let now = self.began.elapsed();
        let mut done = false;
        for output in self.machine.handle(input, now, rand::random()) {
            match output {
                Output::SendRegister { expires_s, step, target, of } => {
                    let register = self.register(expires_s, step, of);
                    let register = Register { redirect: target, ..register };
                    self.attempt = Some(Box::pin(register.run(self.auth.clone())));
                }
                Output::Status(change) => self.publish(&change, now),
                Output::Done => done = true,
            }
        }
        done
    }

    fn register(&mut self, expires_s: u32, step: Step, of: Option<Went>) -> Register {
        if step != Step::Again {
            self.auth = AuthAttempt::default();
        }
        let in_use = self.line.targets().in_use().map(|target| target.role);
        let elsewhere = of.as_ref().is_some_and(|of| in_use.is_some_and(|role| role != of.role));
        Register {
            wire: self.wire.clone(),
            line: self.line.clone(),
            pace: self.pace.clone(),
            call_id: self.call_id.clone(),
            from_tag: self.from_tag.clone(),
            cseq: self.numbers.next(step, of.is_some(), elsewhere),
            expires_s,
            step,
            redirect: None,
            of,
            avoid_for: self.avoid_for,
            began: self.began,
        }
    }

    fn take(&mut self, attempted: Attempted) -> Input {
        self.attempt = None;
        self.auth = attempted.auth;
        self.stale = attempted.stale.or(self.stale.take().filter(|_| attempted.flow.is_none()));
        let is_bound = |input: &Input| matches!(input, Input::Response(response) if (200..300).contains(&response.code));
        if let Some(flow) = attempted.flow {
            if let Input::Response(response) = &attempted.input {
                self.contact = Some(response.went.contact.to_string());
            }
            if is_bound(&attempted.input) || self.line.registrar().is_none() {
                self.line.set_flow(Some(flow));
            }
        }
        attempted.input
    }

    /// What people see: the machine's view, and the way to the registrar.
    fn publish(&self, change: &StatusChange, now: Duration) {
        let targets = self.line.targets();
        let registrar = targets.in_use().map(|target| RegistrarInUse {
            host: target.host.to_string(),
            address: target.address,
            transport: target.transport,
            is_backup: target.role == Role::Backup,
        });
        let failover_reason = targets.fallen_back().map(str::to_owned);
        drop(targets);
        let status = RegistrationStatus {
            contact: self.contact.clone(),
            registrar,
            failover_reason,
            dns_failure: self.stale.clone(),
            public_address: self.line.public_address(&self.wire),
            ..change.to_status(now, jiff::Timestamp::now())
        };
        let user = &self.line.account().user;
        tracing::debug!(user.id = %user, state = ?status.state, reason = status.reason, "registration");
        self.status.send_replace(status);
    }

    fn publish_off(&self) {
        let attempts = self.status.borrow().attempts;
        let since = Some(jiff::Timestamp::now());
        self.status.send_replace(RegistrationStatus { attempts, since, ..RegistrationStatus::OFF });
    }
}

async fn under_way<T>(work: &mut Option<BoxFuture<'static, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn until(began: Instant, deadline: Option<Duration>) {
    match deadline.and_then(|deadline| began.checked_add(deadline)) {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
