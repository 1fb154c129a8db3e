//! The transitions.

use super::exchange::{Exchange, Next};
use super::{Input, Output, RegisterPolicy, Response, StatusChange};
use crate::header::{SipTarget, scan::printable};
use callie_domain::registration::RegistrationState;
use std::time::Duration;

/// Longest reason shown, characters.
const MAX_REASON: usize = 160;

/// One account's registration.
#[derive(Debug)]
pub struct Registration {
    policy: RegisterPolicy,
    state: State,
    status: StatusChange,
    /// Asked for next time: the policy's wish, or what a 423 demanded.
    expires_s: u32,
    /// Failures in a row, refusals in a row, flows in a row that broke soon after a registration.
    failures: u32,
    refusals: u32,
    broken_flows: u32,
    /// A binding that the registrar has or may have.
    binding: Option<Binding>,
}

#[derive(Debug)]
enum State {
    Off,
    /// A REGISTER is outstanding.
    Asking {
        exchange: Exchange,
        lost_at: Duration,
        then: Then,
    },
    /// Registered, or failed: nothing to do until then.
    Resting {
        until: Duration,
    },
    /// On the way out.
    Leaving {
        /// The REGISTER outstanding.
        exchange: Exchange,
        /// It is still one that asks for a binding (RFC 3261 §10.2: one at a time); not waited for longer than this.
        overtake_at: Option<Duration>,
        give_up_at: Duration,
        /// Wanted again in the meantime.
        restart: bool,
    },
}

/// What came in while a REGISTER was outstanding, and has to wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Then {
    Rest,
    /// Flow closed or address changed.
    RegisterSoon,
    /// Credentials changed.
    RegisterNow,
}

#[derive(Debug)]
struct Binding {
    target: Option<SipTarget>,
    until: Duration,
    /// When it was last granted; `None` when a request was lost and nobody knows.
    granted_at: Option<Duration>,
}

/// The arguments that every transition may need.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: Duration,
    entropy: u64,
}

impl Registration {
    pub fn new(policy: RegisterPolicy) -> Self {
        let status = StatusChange {
            state: RegistrationState::Off,
            since: Duration::ZERO,
            reason: None,
            last_code: None,
            next_attempt_at: None,
            expires_at: None,
            attempts: 0,
        };
        let expires_s = policy.wanted_expires_s.max(1);
        Self { policy, state: State::Off, status, expires_s, failures: 0, refusals: 0, broken_flows: 0, binding: None }
    }

    /// `now` is time since any fixed moment; `entropy` is fresh random bits for the jitter.
    pub fn handle(&mut self, input: Input, now: Duration, entropy: u64) -> Vec<Output> {
        let before = self.status.clone();
        let at = Moment { now, entropy };
        let mut outputs = Vec::new();
        match input {
            Input::Start => self.start(at, &mut outputs),
            Input::Stop => self.stop(at, &mut outputs),
            Input::CredentialsChanged => self.credentials_changed(at, &mut outputs),
            Input::Response(response) if response.code >= 200 => self.response(&response, at, &mut outputs),
            Input::Response(_provisional) => {}
            Input::Timeout => self.lost("no answer from the registrar".to_owned(), at, &mut outputs),
            Input::TransportError(text) => self.lost(text, at, &mut outputs),
            Input::FlowClosed => self.flow_closed(at),
            Input::NetworkChanged => self.network_changed(at),
            Input::TimerFired if self.deadline().is_some_and(|deadline| deadline <= now) => self.timer(at, &mut outputs),
            Input::TimerFired => {}
        }
        self.status.expires_at = self.status.expires_at.filter(|expires| *expires > now);
        if self.status != before {
            outputs.insert(0, Output::Status(self.status.clone()));
        }
        outputs
    }

    /// When [`Input::TimerFired`] is due; ask again after each `handle`. Always set while the line is not off.
    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Off => None,
            State::Asking { lost_at, .. } => Some(lost_at),
            State::Resting { until } => Some(until),
            State::Leaving { overtake_at, give_up_at, .. } => Some(overtake_at.unwrap_or(give_up_at)),
        }
    }

    /// As people see it now.
    pub fn status(&self) -> &StatusChange {
        &self.status
    }

    fn start(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        match &mut self.state {
            State::Off => {
                self.show(RegistrationState::Registering, None, at);
                self.ask(at, outputs);
            }
            State::Leaving { restart, .. } => *restart = true,
            State::Asking { .. } | State::Resting { .. } => {}
        }
    }

    fn stop(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        let give_up_at = at.now + self.policy.leave_limit;
        match &mut self.state {
            State::Off => outputs.push(Output::Done),
            State::Leaving { restart, .. } => *restart = false,
            State::Asking { exchange, .. } => {
                let exchange = exchange.clone();
                let overtake_at = Some(at.now + self.policy.leave_limit / 2);
                self.state = State::Leaving { exchange, overtake_at, give_up_at, restart: false };
                self.show(RegistrationState::Unregistering, None, at);
            }
            State::Resting { .. } => {
                self.show(RegistrationState::Unregistering, None, at);
                self.leave(give_up_at, false, at, outputs);
            }
        }
    }

    fn credentials_changed(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        match &mut self.state {
            State::Asking { then, .. } => *then = Then::RegisterNow,
            State::Resting { .. } => self.ask_with_new_credentials(at, outputs),
            State::Off | State::Leaving { .. } => {}
        }
    }

    fn ask_with_new_credentials(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        (self.failures, self.refusals) = (0, 0);
        if self.status.state != RegistrationState::Registered {
            self.show(RegistrationState::Registering, None, at);
        }
        self.ask(at, outputs);
    }

    fn flow_closed(&mut self, at: Moment) {
        if let State::Asking { then, .. } = &mut self.state {
            *then = if *then < Then::RegisterSoon { Then::RegisterSoon } else { *then };
            return;
        }
        if self.status.state != RegistrationState::Registered || !matches!(self.state, State::Resting { .. }) {
            return;
        }
        let pause = match self.granted_recently(at.now) {
            true => self.pause_after_broken_flow(at),
            false => {
                self.broken_flows = 0;
                self.policy.spread_after(at.entropy)
            }
        };
        self.show(RegistrationState::Retrying, Some("the connection to the registrar was closed".to_owned()), at);
        self.rest(pause, at);
    }

    /// A registrar that closes right after each registration must not be met by a storm of them.
    fn pause_after_broken_flow(&mut self, at: Moment) -> Duration {
        self.broken_flows = self.broken_flows.saturating_add(1);
        self.policy.retry_after(self.broken_flows, None, at.entropy)
    }

    fn granted_recently(&self, now: Duration) -> bool {
        let granted_at = self.binding.as_ref().and_then(|b| b.granted_at);
        granted_at.is_some_and(|granted_at| now.saturating_sub(granted_at) < self.policy.steady_flow)
    }

    fn network_changed(&mut self, at: Moment) {
        let soon = at.now + self.policy.spread_after(at.entropy);
        match &mut self.state {
            State::Asking { then, .. } if *then < Then::RegisterSoon => {
                *then = Then::RegisterSoon;
                self.failures = 0;
            }
            State::Resting { until } if self.status.state != RegistrationState::WrongPassword && *until > soon => {
                self.rest(soon - at.now, at);
            }
            _ => {}
        }
    }

    fn timer(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        match self.state {
            State::Off => {}
            State::Asking { .. } => self.lost("no answer from the registrar".to_owned(), at, outputs),
            State::Resting { .. } => self.ask(at, outputs),
            State::Leaving { overtake_at: Some(_), give_up_at, restart, .. } => {
                self.may_be_bound(at);
                self.leave(give_up_at, restart, at, outputs);
            }
            State::Leaving { .. } => self.left(Some("the registrar did not confirm".to_owned()), at, outputs),
        }
    }

    fn response(&mut self, response: &Response, at: Moment, outputs: &mut Vec<Output>) {
        let longest = self.policy.longest_expires_s;
        match &mut self.state {
            State::Off | State::Resting { .. } => {}
            State::Asking { exchange, lost_at, .. } => {
                self.status.last_code = Some(response.code);
                match exchange.answered(response, longest) {
                    Next::Again(request) => {
                        self.expires_s = exchange.expires_s;
                        *lost_at = at.now + self.policy.answer_limit;
                        self.send(request, outputs);
                    }
                    Next::Accepted => self.accepted(response, at, outputs),
                    Next::Refused => self.refused(response, at, outputs),
                    Next::Hopeless(why) => {
                        let pause = self.policy.retry_rarely(at.entropy);
                        self.failed(format!("the registrar {why}"), pause, at, outputs);
                    }
                    Next::Failed => {
                        let pause = self.next_pause(response.retry_after_s, at);
                        self.failed(said(response), pause, at, outputs);
                    }
                }
            }
            State::Leaving { exchange, overtake_at: None, .. } => {
                self.status.last_code = Some(response.code);
                match exchange.answered(response, longest) {
                    Next::Again(request) => self.send(request, outputs),
                    Next::Accepted => self.left(None, at, outputs),
                    _ => self.left(Some(said(response)), at, outputs),
                }
            }
            State::Leaving { exchange, give_up_at, restart, .. } => {
                let (give_up_at, restart) = (*give_up_at, *restart);
                if (200..300).contains(&response.code) {
                    let until = at.now + Duration::from_secs(u64::from(response.granted_s.unwrap_or(exchange.expires_s)));
                    self.binding = Some(Binding { target: exchange.target.clone(), until, granted_at: Some(at.now) });
                }
                self.leave(give_up_at, restart, at, outputs);
            }
        }
    }

    /// RFC 3261 §10.2.4: a 200 binds us only if it lists our Contact.
    fn accepted(&mut self, response: &Response, at: Moment, outputs: &mut Vec<Output>) {
        let State::Asking { exchange, then, .. } = &self.state else { return };
        let (target, then) = (exchange.target.clone(), *then);
        let granted_s = response.granted_s.unwrap_or(0).min(self.policy.longest_expires_s);
        if granted_s == 0 {
            self.may_be_bound(at);
            let pause = self.next_pause(response.retry_after_s, at);
            self.failed("the registrar accepted, but does not list our contact".to_owned(), pause, at, outputs);
            return;
        }
        (self.failures, self.refusals) = (0, 0);
        // A refresh: the flow has held.
        if self.status.state == RegistrationState::Registered && then == Then::Rest {
            self.broken_flows = 0;
        }
        let until = at.now + Duration::from_secs(u64::from(granted_s));
        self.binding = Some(Binding { target, until, granted_at: Some(at.now) });
        self.show(RegistrationState::Registered, None, at);
        self.status.expires_at = Some(until);
        match then {
            Then::Rest => self.rest(self.policy.refresh_after(granted_s, at.entropy), at),
            // Over a flow that is gone, or from an address that was ours.
            Then::RegisterSoon => {
                let pause = self.pause_after_broken_flow(at);
                self.rest(pause, at);
            }
            Then::RegisterNow => self.ask_with_new_credentials(at, outputs),
        }
    }

    fn refused(&mut self, response: &Response, at: Moment, outputs: &mut Vec<Output>) {
        let State::Asking { then, .. } = self.state else { return };
        self.refusals = self.refusals.saturating_add(1);
        self.show(RegistrationState::WrongPassword, Some(said(response)), at);
        let pause = self.policy.wrong_password_after(self.refusals, at.entropy);
        self.settle(then, pause, at, outputs);
    }

    /// No final response: the registrar may have bound us all the same.
    fn lost(&mut self, why: String, at: Moment, outputs: &mut Vec<Output>) {
        match self.state {
            State::Off | State::Resting { .. } => {}
            State::Asking { .. } => {
                self.may_be_bound(at);
                let pause = self.next_pause(None, at);
                self.failed(why, pause, at, outputs);
            }
            State::Leaving { overtake_at: Some(_), give_up_at, restart, .. } => {
                self.may_be_bound(at);
                self.leave(give_up_at, restart, at, outputs);
            }
            State::Leaving { .. } => self.left(Some(printable(&why, MAX_REASON)), at, outputs),
        }
    }

    fn failed(&mut self, why: String, pause: Duration, at: Moment, outputs: &mut Vec<Output>) {
        let State::Asking { then, .. } = self.state else { return };
        self.show(RegistrationState::Retrying, Some(printable(&why, MAX_REASON)), at);
        self.settle(then, pause, at, outputs);
    }

    /// The attempt is over without success: rest, unless there are new credentials to try.
    fn settle(&mut self, then: Then, pause: Duration, at: Moment, outputs: &mut Vec<Output>) {
        match then {
            Then::RegisterNow => self.ask_with_new_credentials(at, outputs),
            Then::RegisterSoon | Then::Rest => self.rest(pause, at),
        }
    }

    fn next_pause(&mut self, asked_s: Option<u32>, at: Moment) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.policy.retry_after(self.failures, asked_s, at.entropy)
    }

    fn rest(&mut self, pause: Duration, at: Moment) {
        let until = at.now + pause;
        self.state = State::Resting { until };
        self.status.next_attempt_at = Some(until);
    }

    fn ask(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        let mut exchange = Exchange::new(self.expires_s, None);
        let request = exchange.send();
        self.state = State::Asking { exchange, lost_at: at.now + self.policy.answer_limit, then: Then::Rest };
        self.send(request, outputs);
    }

    /// Removes the binding where it is (RFC 3261 §10.2.2), if there may be one.
    fn leave(&mut self, give_up_at: Duration, restart: bool, at: Moment, outputs: &mut Vec<Output>) {
        let Some(binding) = self.binding.as_ref().filter(|b| b.until > at.now) else {
            self.state = State::Leaving { exchange: Exchange::new(0, None), overtake_at: None, give_up_at, restart };
            return self.left(None, at, outputs);
        };
        let mut exchange = Exchange::new(0, binding.target.clone());
        let request = exchange.send();
        self.state = State::Leaving { exchange, overtake_at: None, give_up_at, restart };
        self.send(request, outputs);
    }

    fn left(&mut self, why: Option<String>, at: Moment, outputs: &mut Vec<Output>) {
        let restart = matches!(self.state, State::Leaving { restart: true, .. });
        (self.failures, self.refusals, self.broken_flows, self.binding) = (0, 0, 0, None);
        self.expires_s = self.policy.wanted_expires_s.max(1);
        self.state = State::Off;
        self.show(RegistrationState::Off, why, at);
        self.status.expires_at = None;
        if restart { self.start(at, outputs) } else { outputs.push(Output::Done) }
    }

    fn may_be_bound(&mut self, at: Moment) {
        let (State::Asking { exchange, .. } | State::Leaving { exchange, .. }) = &self.state else { return };
        let until = at.now + Duration::from_secs(u64::from(exchange.expires_s));
        match &mut self.binding {
            Some(binding) => binding.until = binding.until.max(until),
            None => self.binding = Some(Binding { target: exchange.target.clone(), until, granted_at: None }),
        }
    }

    fn send(&mut self, request: Output, outputs: &mut Vec<Output>) {
        self.status.attempts = self.status.attempts.saturating_add(1);
        self.status.next_attempt_at = None;
        outputs.push(request);
    }

    fn show(&mut self, state: RegistrationState, reason: Option<String>, at: Moment) {
        if self.status.state != state {
            self.status.since = at.now;
        }
        self.status.state = state;
        self.status.reason = reason;
        self.status.next_attempt_at = None;
    }
}

/// "503 Service Unavailable".
fn said(response: &Response) -> String {
    printable(&format!("{} {}", response.code, response.phrase), MAX_REASON)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
