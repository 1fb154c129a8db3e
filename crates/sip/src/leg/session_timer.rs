//! Whether the peer is still there, as a machine: session timers (RFC 4028) in both roles, and a question now and then (OPTIONS)
//! where the peer knows none. Pure: time is an argument, headers go in and out as values.
//!
//! ```text
//!   2xx with Session-Expires ─▶ Running ── we refresh: at half ─▶ Refresh ── 2xx ─▶ Running
//!                                       ── the peer does: expiry − min(32 s, a third) ─▶ Expired
//!   2xx without              ─▶ Asking ── every 3 min ─▶ Ping ── any answer but 408, 481 ─▶ Asking
//!                                                             ── silence twice ─▶ Vanished
//! ```

use super::turn::Side;
use crate::header::{delta_seconds, scan::param};
use crate::stack::Field;
use std::time::Duration;

/// Seconds that we ask for when the account says nothing.
const ASKED_S: u32 = 1800;
/// The shortest interval that a peer may ask for (RFC 4028 §5: 90 s, and no lower by choice).
const LEAST_S: u32 = 90;
/// What we honour when somebody imposes less: below it refreshes would be all there is.
const HONOURED_S: u32 = 4;
/// Soon after silence, once more: one lost question ends no call.
const PING_AGAIN: Duration = Duration::from_secs(10);
const PINGS_LOST: u8 = 2;

/// A session interval and who refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub interval_s: u32,
    pub refresher: Side,
}

impl Terms {
    fn interval(self) -> Duration {
        Duration::from_secs(self.interval_s.max(HONOURED_S).into())
    }

    /// Nobody has refreshed by then: BYE (RFC 4028 §10).
    fn life(self) -> Duration {
        let interval = self.interval();
        interval - (interval / 3).min(Duration::from_secs(32))
    }
}

/// What a request of the peer says about session timers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub session_expires: Option<&'a str>,
    pub min_se: Option<&'a str>,
    /// `timer` is in its `Supported` or `Require`.
    pub supports_timer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// A 2xx has set the session up, or refreshed it.
    Agreed(Option<Terms>),
    /// A refresh was refused in a way that does not end the call.
    RefreshFailed,
    /// A question was answered, or not.
    Pinged { answered: bool },
    /// The deadline has come.
    Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Refresh,
    Ping,
    /// The session was not refreshed for this many seconds.
    Expired {
        interval_s: u32,
        refresher: Side,
    },
    /// No answer to our questions.
    Vanished,
}

#[derive(Debug, Clone)]
enum State {
    /// Not up yet, or over.
    Idle,
    Running {
        terms: Terms,
        /// When to send the next refresh; `None` while one is out, and when the peer refreshes.
        refresh_at: Option<Duration>,
        expires_at: Duration,
    },
    Asking {
        /// `None` while a question is out.
        ping_at: Option<Duration>,
        lost: u8,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct SessionTimer {
    /// Seconds that we ask for; `None` asks for nothing.
    asked_s: Option<u32>,
    /// What a peer's 422 or `Min-SE` has taught us.
    least_s: u32,
    /// Without a session timer the peer is asked this often.
    ping_every: Duration,
    state: State,
}

impl SessionTimer {
    /// `wanted_s` is the account's: `None` is the default, 0 asks for nothing.
    pub fn new(wanted_s: Option<u32>, ping_every: Duration) -> Self {
        let asked_s = Some(wanted_s.unwrap_or(ASKED_S)).filter(|s| *s > 0).map(|s| s.max(LEAST_S));
        Self { asked_s, least_s: LEAST_S, ping_every, state: State::Idle }
    }

    pub fn handle(&mut self, input: Input, now: Duration) -> Option<Output> {
        match input {
            Input::Agreed(terms) => {
                self.state = match (terms.or_else(|| self.kept()), &self.state) {
                    (Some(terms), _) => running(terms, now),
                    (None, State::Asking { ping_at: None, lost }) => State::Asking { ping_at: None, lost: *lost },
                    (None, _) => State::Asking { ping_at: Some(now + self.ping_every), lost: 0 },
                };
                None
            }
            Input::RefreshFailed => {
                if let State::Running { refresh_at: refresh_at @ None, expires_at, terms } = &mut self.state
                    && terms.refresher == Side::Ours
                {
                    // Half of what is left, each time: the peer may have been busy.
                    *refresh_at = Some(now + expires_at.saturating_sub(now) / 2);
                }
                None
            }
            Input::Pinged { answered } => self.pinged(answered, now),
            Input::Due => self.due(now),
        }
    }

    pub fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::Idle => None,
            State::Running { refresh_at, expires_at, .. } => Some(refresh_at.map_or(expires_at, |at| at.min(expires_at))),
            State::Asking { ping_at, .. } => ping_at,
        }
    }

    /// A 2xx to our refresh without `Session-Expires`: the peer counts no more, but to go on refreshing costs it nothing, and
    /// tells us whether it is there.
    fn kept(&self) -> Option<Terms> {
        match self.state {
            State::Running { terms, .. } if terms.refresher == Side::Ours => Some(terms),
            _ => None,
        }
    }

    fn pinged(&mut self, answered: bool, now: Duration) -> Option<Output> {
        let every = self.ping_every;
        let State::Asking { ping_at: ping_at @ None, lost } = &mut self.state else { return None };
        if answered {
            (*ping_at, *lost) = (Some(now + every), 0);
            return None;
        }
        *lost = lost.saturating_add(1);
        if *lost < PINGS_LOST {
            *ping_at = Some(now + PING_AGAIN.min(every));
            return None;
        }
        self.state = State::Idle;
        Some(Output::Vanished)
    }

    fn due(&mut self, now: Duration) -> Option<Output> {
        match &mut self.state {
            State::Running { terms, expires_at, .. } if now >= *expires_at => {
                let expired = Output::Expired { interval_s: terms.interval_s, refresher: terms.refresher };
                self.state = State::Idle;
                Some(expired)
            }
            State::Running { refresh_at, .. } if refresh_at.is_some_and(|at| now >= at) => {
                *refresh_at = None;
                Some(Output::Refresh)
            }
            State::Asking { ping_at, .. } if ping_at.is_some_and(|at| now >= at) => {
                *ping_at = None;
                Some(Output::Ping)
            }
            _ => None,
        }
    }

    /// Fields of a request of ours that sets up or refreshes the session (RFC 4028 §7.1, §7.4). We ask to be the one who
    /// refreshes: what we send passes every NAT, and its failure tells us at once that the peer is gone.
    pub fn request_fields(&self) -> Vec<Field> {
        let (interval_s, refresher) = match (&self.state, self.asked_s) {
            (State::Running { terms, .. }, _) => (terms.interval_s, terms.refresher),
            (_, Some(asked_s)) => (asked_s, Side::Ours),
            (_, None) => return Vec::new(),
        };
        let role = if refresher == Side::Ours { "uac" } else { "uas" };
        let mut fields = vec![("Session-Expires", format!("{};refresher={role}", interval_s.max(self.least_s)))];
        if self.least_s > LEAST_S {
            fields.push(("Min-SE", self.least_s.to_string()));
        }
        fields
    }

    /// What a 2xx to our request has settled (§7.2). Without a refresher we refresh: that is never wrong.
    pub fn settled(session_expires: Option<&str>) -> Option<Terms> {
        let (interval_s, role) = session_expires.and_then(parse)?;
        let refresher = if role == Some(Role::Uas) { Side::Theirs } else { Side::Ours };
        Some(Terms { interval_s, refresher })
    }

    /// A 422 to our request (§7.3): `false` when it asks for nothing that would help.
    pub fn raise(&mut self, min_se: Option<&str>) -> bool {
        let Some(least_s) = min_se.and_then(seconds).filter(|s| *s > self.least_s) else { return false };
        self.least_s = least_s;
        true
    }

    /// Our side of a request of the peer (§9): the terms and the fields of the 2xx, or the `Min-SE` of a 422.
    pub fn answer(&self, asked: Asked<'_>) -> Result<(Option<Terms>, Vec<Field>), u32> {
        let Some(terms) = self.terms(asked)? else { return Ok((None, Vec::new())) };
        let role = if terms.refresher == Side::Theirs { "uac" } else { "uas" };
        let mut fields = vec![("Session-Expires", format!("{};refresher={role}", terms.interval_s))];
        if terms.refresher == Side::Theirs {
            // It has to refresh, so it has to know how (§9, table 2).
            fields.push(("Require", "timer".to_owned()));
        }
        Ok((Some(terms), fields))
    }

    fn terms(&self, asked: Asked<'_>) -> Result<Option<Terms>, u32> {
        let current = match self.state {
            State::Running { terms, .. } => Some(terms),
            _ => None,
        };
        let min_se_s = asked.min_se.and_then(seconds).unwrap_or(0).max(LEAST_S);
        let by_role = |role: Option<Role>| match (role, asked.supports_timer) {
            (Some(Role::Uac), true) => Side::Theirs,
            (None, true) => current.map_or(Side::Ours, |terms| terms.refresher),
            _ => Side::Ours,
        };
        let Some((wanted_s, role)) = asked.session_expires.and_then(parse) else {
            let interval_s = match (current, self.asked_s) {
                (Some(terms), _) => terms.interval_s,
                (None, Some(asked_s)) if asked.supports_timer => asked_s.max(min_se_s),
                (None, _) => return Ok(None),
            };
            return Ok(Some(Terms { interval_s, refresher: by_role(None) }));
        };
        if wanted_s < LEAST_S {
            // A proxy may have written it for a peer that would not understand a 422.
            return if asked.supports_timer {
                Err(LEAST_S)
            } else {
                Ok(Some(Terms { interval_s: wanted_s, refresher: by_role(role) }))
            };
        }
        // It may be lowered, not below its own Min-SE: a day is no way to find out who has gone.
        let interval_s = self.asked_s.map_or(wanted_s, |asked_s| wanted_s.min(asked_s.max(min_se_s)));
        Ok(Some(Terms { interval_s, refresher: by_role(role) }))
    }
}

fn running(terms: Terms, now: Duration) -> State {
    let refresh_at = (terms.refresher == Side::Ours).then(|| now + terms.interval() / 2);
    State::Running { terms, refresh_at, expires_at: now + terms.life() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Uac,
    Uas,
}

/// `Session-Expires: 1800;refresher=uac`. Zero is no session timer.
fn parse(value: &str) -> Option<(u32, Option<Role>)> {
    let (interval, params) = value.split_once(';').unwrap_or((value, ""));
    let interval_s = delta_seconds(interval).filter(|s| *s > 0)?;
    let role = param(params, "refresher").and_then(|role| match role.to_ascii_lowercase().as_str() {
        "uac" => Some(Role::Uac),
        "uas" => Some(Role::Uas),
        _ => None,
    });
    Some((interval_s, role))
}

/// `Min-SE: 90`, with parameters that nobody uses.
fn seconds(value: &str) -> Option<u32> {
    delta_seconds(value.split(';').next().unwrap_or_default())
}

#[cfg(test)]
mod soak;
#[cfg(test)]
mod tests;
