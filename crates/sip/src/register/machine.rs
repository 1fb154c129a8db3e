//! The transitions.

use super::bindings::{Binding, Bindings};
use super::exchange::{Exchange, Next};
use super::{Input, Lost, Output, RegisterPolicy, Response, Role, StatusChange, Step, Went};
use crate::header::scan::printable;
use callie_domain::registration::RegistrationState;
use std::time::Duration;

/// Longest reason shown, characters.
const MAX_REASON: usize = 240;

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
    /// What registrars have of us, or may have.
    bindings: Bindings,
    /// Callers reach us until then, as far as we know.
    held_until: Duration,
    refresh_at: Duration,
    /// When a new address last made us register again at once.
    moved_at: Option<Duration>,
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
    /// Registered, and a replaced binding is being removed.
    Tidying {
        exchange: Exchange,
        of: Went,
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
            granted_s: None,
            down_since: None,
            alert: false,
        };
        Self {
            expires_s: policy.wanted_expires_s.max(1),
            policy,
            state: State::Off,
            status,
            failures: 0,
            refusals: 0,
            broken_flows: 0,
            bindings: Bindings::default(),
            held_until: Duration::ZERO,
            refresh_at: Duration::ZERO,
            moved_at: None,
        }
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
            Input::Lost(lost) => self.lost(lost, at, &mut outputs),
            Input::FlowClosed => self.flow_closed(at),
            Input::NetworkChanged => self.network_changed(at),
            Input::TimerFired if self.next_step_at().is_some_and(|next| next <= now) => self.timer(at, &mut outputs),
            Input::TimerFired => {}
        }
        self.status.expires_at = self.status.expires_at.filter(|expires| *expires > now);
        self.watch(now);
        if self.status != before {
            outputs.insert(0, Output::Status(self.status.clone()));
        }
        outputs
    }

    /// When [`Input::TimerFired`] is due; ask again after each `handle`. Always set while the line is not off.
    pub fn deadline(&self) -> Option<Duration> {
        let next = self.next_step_at()?;
        // Somebody has to notice that the binding has run out, and that it has been so for long.
        let watched = match (self.is_wanted(), self.status.down_since) {
            (false, _) => None,
            (true, None) => Some(self.held_until),
            (true, Some(since)) => Some(since + self.policy.alert_after).filter(|_| !self.status.alert),
        };
        Some(watched.map_or(next, |watched| next.min(watched)))
    }

    fn next_step_at(&self) -> Option<Duration> {
        match self.state {
            State::Off => None,
            State::Asking { lost_at, .. } | State::Tidying { lost_at, .. } => Some(lost_at),
            State::Resting { until } => Some(until),
            State::Leaving { overtake_at, give_up_at, .. } => Some(overtake_at.unwrap_or(give_up_at)),
        }
    }

    /// As people see it now.
    pub fn status(&self) -> &StatusChange {
        &self.status
    }

    fn is_wanted(&self) -> bool {
        !matches!(self.state, State::Off | State::Leaving { .. })
    }

    fn watch(&mut self, now: Duration) {
        let down = self.is_wanted() && self.held_until <= now;
        self.status.down_since = down.then_some(self.held_until);
        self.status.alert = down && now.saturating_sub(self.held_until) >= self.policy.alert_after;
    }

    fn start(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        match &mut self.state {
            State::Off => {
                self.held_until = at.now;
                self.show(RegistrationState::Registering, None, at);
                self.ask(Step::First, at, outputs);
            }
            State::Leaving { restart, .. } => *restart = true,
            State::Asking { .. } | State::Tidying { .. } | State::Resting { .. } => {}
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
            State::Resting { .. } | State::Tidying { .. } => {
                self.show(RegistrationState::Unregistering, None, at);
                self.leave(give_up_at, false, None, at, outputs);
            }
        }
    }

    fn credentials_changed(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        match &mut self.state {
            State::Asking { then, .. } | State::Tidying { then, .. } => *then = Then::RegisterNow,
            State::Resting { .. } => self.ask_with_new_credentials(at, outputs),
            State::Off | State::Leaving { .. } => {}
        }
    }

    fn ask_with_new_credentials(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        (self.failures, self.refusals) = (0, 0);
        if self.status.state != RegistrationState::Registered {
            self.show(RegistrationState::Registering, None, at);
        }
        self.ask(Step::First, at, outputs);
    }

    fn flow_closed(&mut self, at: Moment) {
        // Whoever calls now does not get through.
        self.held_until = self.held_until.min(at.now);
        if let State::Asking { then, .. } | State::Tidying { then, .. } = &mut self.state {
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
        let granted_at = self.bindings.current().and_then(|b| b.granted_at);
        granted_at.is_some_and(|granted_at| now.saturating_sub(granted_at) < self.policy.steady_flow)
    }

    fn network_changed(&mut self, at: Moment) {
        let soon = at.now + self.policy.spread_after(at.entropy);
        match &mut self.state {
            State::Asking { then, .. } | State::Tidying { then, .. } if *then < Then::RegisterSoon => {
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
            State::Asking { .. } | State::Tidying { .. } => self.lost(forgotten(), at, outputs),
            State::Resting { .. } => self.ask(Step::First, at, outputs),
            State::Leaving { overtake_at: Some(_), give_up_at, restart, .. } => {
                self.overtake(give_up_at, restart, at, outputs);
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
                    // The backup may not know us, and the preferred one is only away.
                    Next::Refused if response.went.role == Role::Backup => {
                        let pause = self.next_pause(response.retry_after_s, at);
                        self.failed(format!("the backup server answered {}", said(response)), pause, at, outputs);
                    }
                    Next::Refused => self.refused(response, at, outputs),
                    Next::Hopeless(why) => {
                        let pause = self.policy.retry_rarely(at.entropy);
                        self.failed(format!("the registrar {why}"), pause, at, outputs);
                    }
                    Next::Failed if response.another => self.elsewhere(at, outputs),
                    Next::Failed => {
                        let pause = self.next_pause(response.retry_after_s, at);
                        self.failed(said(response), pause, at, outputs);
                    }
                }
            }
            State::Tidying { exchange, .. } => match exchange.answered(response, longest) {
                Next::Again(request) => self.send(request, outputs),
                next => self.tidied(next == Next::Accepted, at, outputs),
            },
            State::Leaving { exchange, overtake_at: None, give_up_at, restart } => {
                let (give_up_at, restart) = (*give_up_at, *restart);
                self.status.last_code = Some(response.code);
                match exchange.answered(response, longest) {
                    Next::Again(request) => self.send(request, outputs),
                    Next::Accepted => self.leave(give_up_at, restart, None, at, outputs),
                    _ => self.leave(give_up_at, restart, Some(said(response)), at, outputs),
                }
            }
            State::Leaving { exchange, give_up_at, restart, .. } => {
                let (give_up_at, restart) = (*give_up_at, *restart);
                if (200..300).contains(&response.code) {
                    let until = at.now + Duration::from_secs(u64::from(response.granted_s.unwrap_or(exchange.expires_s)));
                    let (target, went) = (exchange.target.clone(), response.went.clone());
                    self.bindings.granted(Binding { went, target, until, granted_at: Some(at.now) });
                }
                self.leave(give_up_at, restart, None, at, outputs);
            }
        }
    }

    /// RFC 3261 §10.2.4: a 200 binds us only if it lists our Contact.
    fn accepted(&mut self, response: &Response, at: Moment, outputs: &mut Vec<Output>) {
        let State::Asking { exchange, then, .. } = &self.state else { return };
        let (target, then) = (exchange.target.clone(), *then);
        let granted_s = response.granted_s.unwrap_or(0).min(self.policy.longest_expires_s);
        if granted_s == 0 {
            self.may_be_bound(&response.went, at);
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
        self.bindings.granted(Binding { went: response.went.clone(), target, until, granted_at: Some(at.now) });
        self.held_until = until;
        self.refresh_at = at.now + self.policy.refresh_after(granted_s, at.entropy);
        self.show(RegistrationState::Registered, None, at);
        self.status.expires_at = Some(until);
        self.status.granted_s = Some(granted_s);
        match then {
            Then::Rest if response.moved && self.may_move(at.now) => self.ask(Step::First, at, outputs),
            Then::Rest => self.tidy(at, outputs),
            // Over a flow that is gone, or from an address that was ours.
            Then::RegisterSoon => {
                let pause = self.pause_after_broken_flow(at);
                self.rest(pause, at);
            }
            Then::RegisterNow => self.ask_with_new_credentials(at, outputs),
        }
    }

    /// A NAT that gives each request another address must not make us ask for ever.
    fn may_move(&mut self, now: Duration) -> bool {
        let due = self.moved_at.is_none_or(|moved_at| now.saturating_sub(moved_at) >= self.policy.steady_flow);
        self.moved_at = if due { Some(now) } else { self.moved_at };
        due
    }

    /// Removes what was replaced, one after the other, then rests (RFC 3261 §10.2.2: our own bindings only).
    fn tidy(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        let Some(old) = self.bindings.next_to_remove(at.now) else {
            return self.rest(self.refresh_at.saturating_sub(at.now), at);
        };
        let mut exchange = Exchange::removal(old.went.clone(), old.target);
        let request = exchange.send();
        let lost_at = at.now + self.policy.answer_limit;
        self.state = State::Tidying { exchange, of: old.went, lost_at, then: Then::Rest };
        self.send(request, outputs);
    }

    fn tidied(&mut self, removed: bool, at: Moment, outputs: &mut Vec<Output>) {
        let State::Tidying { of, then, .. } = &self.state else { return };
        let (of, then) = (of.clone(), *then);
        if removed {
            self.bindings.removed(&of);
        }
        match then {
            Then::RegisterNow => self.ask_with_new_credentials(at, outputs),
            Then::RegisterSoon => {
                let pause = self.policy.spread_after(at.entropy);
                self.rest(pause, at);
            }
            // Where both registrars are one, the removal took what we have just been granted: ask again to be sure.
            Then::Rest if removed && !self.bindings.at(of.role) => self.ask(Step::First, at, outputs),
            Then::Rest => self.tidy(at, outputs),
        }
    }

    /// The place before failed: the next one, in the same attempt.
    fn elsewhere(&mut self, at: Moment, outputs: &mut Vec<Output>) {
        let State::Asking { then, .. } = self.state else { return };
        self.ask(Step::Elsewhere, at, outputs);
        if let State::Asking { then: new, .. } = &mut self.state {
            *new = then;
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
    fn lost(&mut self, lost: Lost, at: Moment, outputs: &mut Vec<Output>) {
        if let (State::Asking { .. } | State::Leaving { overtake_at: Some(_), .. }, Some(went)) = (&self.state, &lost.went) {
            self.may_be_bound(went, at);
        }
        match self.state {
            State::Off | State::Resting { .. } => {}
            State::Asking { .. } if lost.another => self.elsewhere(at, outputs),
            State::Asking { .. } => {
                let pause = self.next_pause(None, at);
                self.failed(lost.why, pause, at, outputs);
            }
            State::Tidying { .. } => self.tidied(false, at, outputs),
            State::Leaving { overtake_at: Some(_), give_up_at, restart, .. } => {
                self.leave(give_up_at, restart, None, at, outputs);
            }
            State::Leaving { give_up_at, restart, .. } => {
                self.leave(give_up_at, restart, Some(printable(&lost.why, MAX_REASON)), at, outputs);
            }
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

    fn ask(&mut self, step: Step, at: Moment, outputs: &mut Vec<Output>) {
        let mut exchange = Exchange::new(self.expires_s, step);
        let request = exchange.send();
        self.state = State::Asking { exchange, lost_at: at.now + self.policy.answer_limit, then: Then::Rest };
        self.send(request, outputs);
    }

    /// Removes the bindings where they are (RFC 3261 §10.2.2), if there may be any, one after the other.
    fn leave(&mut self, give_up_at: Duration, restart: bool, why: Option<String>, at: Moment, outputs: &mut Vec<Output>) {
        let Some(binding) = self.bindings.take_last(at.now) else {
            self.state = State::Leaving { exchange: Exchange::new(0, Step::First), overtake_at: None, give_up_at, restart };
            return self.left(why, at, outputs);
        };
        let mut exchange = Exchange::removal(binding.went, binding.target);
        let request = exchange.send();
        self.state = State::Leaving { exchange, overtake_at: None, give_up_at, restart };
        self.send(request, outputs);
    }

    /// The outstanding REGISTER is not waited for any longer: what it may have bound is removed.
    fn overtake(&mut self, give_up_at: Duration, restart: bool, at: Moment, outputs: &mut Vec<Output>) {
        if self.bindings.current().is_some_and(|binding| binding.until > at.now) {
            return self.leave(give_up_at, restart, None, at, outputs);
        }
        let mut exchange = Exchange::new(0, Step::First);
        let request = exchange.send();
        self.state = State::Leaving { exchange, overtake_at: None, give_up_at, restart };
        self.send(request, outputs);
    }

    fn left(&mut self, why: Option<String>, at: Moment, outputs: &mut Vec<Output>) {
        let restart = matches!(self.state, State::Leaving { restart: true, .. });
        (self.failures, self.refusals, self.broken_flows) = (0, 0, 0);
        self.bindings = Bindings::default();
        self.expires_s = self.policy.wanted_expires_s.max(1);
        self.state = State::Off;
        self.show(RegistrationState::Off, why, at);
        (self.status.expires_at, self.status.granted_s) = (None, None);
        if restart { self.start(at, outputs) } else { outputs.push(Output::Done) }
    }

    fn may_be_bound(&mut self, went: &Went, at: Moment) {
        let (State::Asking { exchange, .. } | State::Leaving { exchange, .. }) = &self.state else { return };
        let until = at.now + Duration::from_secs(u64::from(exchange.expires_s));
        self.bindings.perhaps(Binding { went: went.clone(), target: exchange.target.clone(), until, granted_at: None });
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

/// The transaction has forgotten to say so.
fn forgotten() -> Lost {
    Lost { why: "no answer from the registrar".to_owned(), went: None, another: false }
}

/// "503 Service Unavailable".
fn said(response: &Response) -> String {
    printable(&format!("{} {}", response.code, response.phrase), MAX_REASON)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
