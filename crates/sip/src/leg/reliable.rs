//! Ringing that the caller wants to acknowledge (RFC 3262 §3): a provisional response of ours, repeated until its PRACK, given up
//! after 64·T1.

use super::session::Session;
use crate::stack::Incoming;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What becomes of ringing that has not been acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Send it again under this number.
    Repeat(u32),
    GiveUp {
        sent: u32,
    },
}

/// The ringing of one leg.
#[derive(Debug)]
pub(super) struct Ringing {
    invite_cseq: u32,
    state: Mutex<Option<Reliable>>,
    changed: Notify,
}

impl Ringing {
    pub fn new(invite_cseq: u32) -> Self {
        Self { invite_cseq, state: Mutex::default(), changed: Notify::new() }
    }

    /// Begins ringing; the number to send, or `None` when it rings already.
    pub fn begin(&self, t1: Duration) -> Option<u32> {
        let mut state = self.state();
        if state.is_some() {
            return None;
        }
        let ringing = Reliable::first(rand::random(), self.invite_cseq, t1, Instant::now());
        let rseq = ringing.rseq;
        *state = Some(ringing);
        self.changed.notify_one();
        Some(rseq)
    }

    /// It is repeated no more; a late PRACK still has its 200.
    pub fn stop(&self) {
        if let Some(ringing) = self.state().as_mut() {
            ringing.over = true;
        }
    }

    /// What is to be done next. May be dropped and called again.
    pub async fn due(&self) -> Due {
        loop {
            let deadline = self.state().as_ref().and_then(Reliable::deadline);
            let wait = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wait => {
                    if let Some(due) = self.state().as_mut().and_then(|ringing| ringing.due(Instant::now())) {
                        return due;
                    }
                }
                () = self.changed.notified() => {}
            }
        }
    }

    fn acknowledge(&self, rack: &str) -> bool {
        self.state().as_mut().is_some_and(|ringing| ringing.acknowledge(rack))
    }

    fn state(&self) -> MutexGuard<'_, Option<Reliable>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// A PRACK of the caller. An offer in it would have to follow a description of ours, and ringing has none.
    pub async fn acknowledged(&self, request: Incoming) {
        self.dialog().accepts(&request);
        let code = match self.ringing.acknowledge(request.header("RAck").unwrap_or_default()) {
            false => 481,
            true if !request.body().is_empty() => 488,
            true => 200,
        };
        request.answer(self.answer(code)).await;
    }
}

/// One reliable response under way. Pure: `now` is an argument.
#[derive(Debug)]
struct Reliable {
    rseq: u32,
    invite_cseq: u32,
    sent: u32,
    interval: Duration,
    next_at: Instant,
    give_up_at: Instant,
    over: bool,
}

impl Reliable {
    /// Sent just now. RSeq begins between 1 and 2^31 − 1 (§3).
    fn first(random: u32, invite_cseq: u32, t1: Duration, now: Instant) -> Self {
        let rseq = (random & 0x7FFF_FFFF).max(1);
        Self { rseq, invite_cseq, sent: 1, interval: t1, next_at: now + t1, give_up_at: now + t1 * 64, over: false }
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.over).then(|| self.next_at.min(self.give_up_at))
    }

    /// The deadline has come.
    fn due(&mut self, now: Instant) -> Option<Due> {
        if self.over {
            return None;
        }
        if now >= self.give_up_at {
            self.over = true;
            return Some(Due::GiveUp { sent: self.sent });
        }
        if now < self.next_at {
            return None;
        }
        // It doubles without a cap (§3).
        self.interval *= 2;
        self.next_at = now + self.interval;
        self.sent += 1;
        Some(Due::Repeat(self.rseq))
    }

    /// A PRACK with this `RAck`; `false` when it means something else.
    fn acknowledge(&mut self, rack: &str) -> bool {
        let mut parts = rack.split_whitespace();
        let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
        let is_ours = number() == Some(self.rseq) && number() == Some(self.invite_cseq);
        let is_ours = is_ours && parts.next().is_some_and(|method| method.eq_ignore_ascii_case("INVITE"));
        self.over |= is_ours;
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_repeated_at_doubling_intervals_until_the_prack_or_64_t1() {
        let (t1, start) = (Duration::from_millis(500), Instant::now());
        let mut ringing = Reliable::first(u32::MAX, 7, t1, start);
        assert_eq!(ringing.rseq, 0x7FFF_FFFF);
        let mut sent = Vec::new();
        let end = loop {
            let at = ringing.deadline().expect("not acknowledged");
            match ringing.due(at) {
                Some(Due::Repeat(_)) => sent.push((at - start).as_millis()),
                Some(Due::GiveUp { sent: 7 }) => break (at - start).as_secs(),
                other => panic!("{other:?} at its own deadline"),
            }
        };
        assert_eq!((sent, end), (vec![500, 1500, 3500, 7500, 15_500, 31_500], 32));
        assert_eq!(ringing.deadline(), None);
    }

    #[test]
    fn only_its_own_prack_counts() {
        let mut ringing = Reliable::first(0, 7, Duration::from_millis(500), Instant::now());
        for (rack, want) in [
            ("2 7 INVITE", false),
            ("1 8 INVITE", false),
            ("1 7 UPDATE", false),
            ("1 7", false),
            ("", false),
            ("1  7 invite", true),
        ] {
            assert_eq!(ringing.acknowledge(rack), want, "{rack}");
            assert_eq!(ringing.deadline().is_none(), want);
        }
    }
}
