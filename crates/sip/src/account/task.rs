//! The task of one account: a loop that feeds the machine and carries out what it says.

use super::attempt::{Attempted, Register};
use super::{AccountHandle, Held, Line};
use crate::digest::AuthAttempt;
use crate::header::SipTarget;
use crate::register::{Input, Output, RegisterPolicy, Registration};
use crate::stack::{Wire, random_token};
use crate::trace::Followed;
use callie_domain::registration::RegistrationStatus;
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
    cseq: u32,
    auth: AuthAttempt,
    contact: Option<String>,
    began: Instant,
    stopping: bool,
    /// Requests that an address of the registrar did not answer: the next one goes to another.
    failures: usize,
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
    let user = line.account().user.clone();
    let handle = AccountHandle { inner: Arc::new(Held { line: line.clone(), user, status: watched }) };
    let call_id = random_token(22);
    let followed = wire.recorder.follow_account(&call_id, line.trace.clone());
    let task = Task {
        wire,
        line,
        pace,
        machine: Registration::new(policy),
        status,
        call_id,
        from_tag: random_token(10),
        cseq: 0,
        auth: AuthAttempt::default(),
        contact: None,
        began: Instant::now(),
        stopping: false,
        failures: 0,
        attempt: None,
        _followed: followed,
    };
    (handle, task.run())
}

impl Task {
    async fn run(mut self) {
        let line = self.line.clone();
        let mut done = self.feed(Input::Start);
        while !done {
            let input = tokio::select! {
                biased;
                () = line.kill.cancelled() => break,
                () = line.stopping.cancelled(), if !self.stopping => { self.stopping = true; Input::Stop }
                () = line.changed.notified() => Input::CredentialsChanged,
                attempted = under_way(&mut self.attempt) => self.take(attempted),
                () = Box::pin(line.flow_closed()) => { line.set_flow(None); Input::FlowClosed }
                () = until(self.began, self.machine.deadline()) => Input::TimerFired,
            };
            done = self.feed(input);
        }
        self.publish_off();
    }

    /// Lets the machine decide and carries it out; `true` when the account has ended.
    fn feed(&mut self, input: Input) -> bool {
        let now = self.began.elapsed();
        let mut done = false;
        for output in self.machine.handle(input, now, rand::random()) {
            match output {
                Output::SendRegister { expires_s, new_attempt, target } => self.send(expires_s, new_attempt, target),
                Output::Status(change) => {
                    let status = change.to_status(now, jiff::Timestamp::now(), self.contact.clone());
                    let user = &self.line.account().user;
                    tracing::debug!(user.id = %user, state = ?status.state, reason = status.reason, "registration");
                    self.status.send_replace(status);
                }
                Output::Done => done = true,
            }
        }
        done
    }

    fn send(&mut self, expires_s: u32, new_attempt: bool, target: Option<SipTarget>) {
        if new_attempt {
            self.auth = AuthAttempt::default();
        }
        self.cseq = self.cseq.wrapping_add(1).max(1);
        let register = Register {
            wire: self.wire.clone(),
            line: self.line.clone(),
            pace: self.pace.clone(),
            call_id: self.call_id.clone(),
            from_tag: self.from_tag.clone(),
            cseq: self.cseq,
            expires_s,
            target,
            failures: self.failures,
        };
        self.attempt = Some(Box::pin(register.run(self.auth.clone())));
    }

    fn take(&mut self, attempted: Attempted) -> Input {
        self.attempt = None;
        self.auth = attempted.auth;
        if matches!(attempted.input, Input::Timeout | Input::TransportError(_)) {
            self.failures = self.failures.wrapping_add(1);
        }
        if let Some(flow) = attempted.flow {
            self.contact = Some(self.line.contact_uri(&self.wire, &flow));
            self.line.set_flow(Some(flow));
        }
        attempted.input
    }

    fn publish_off(&self) {
        let attempts = self.status.borrow().attempts;
        let since = Some(jiff::Timestamp::now());
        self.status.send_replace(RegistrationStatus { attempts, since, ..RegistrationStatus::OFF });
    }
}

async fn under_way(attempt: &mut Option<BoxFuture<'static, Attempted>>) -> Attempted {
    match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

async fn until(began: Instant, deadline: Option<Duration>) {
    match deadline.and_then(|deadline| began.checked_add(deadline)) {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
