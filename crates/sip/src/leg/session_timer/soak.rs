//! 100 calls of 31 minutes on a clock that jumps: pairs of machines over a line that loses refreshes, refuses some because of
//! glare, and sometimes goes dead for good.

use super::*;

const CALLS: u64 = 100;
const LENGTH: Duration = Duration::from_secs(31 * 60);
/// 64·T1: a request without a response has failed by then.
const PATIENCE: Duration = Duration::from_secs(32);
const STEP: Duration = Duration::from_millis(500);

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// One call: both sides' machines, and what is under way between them.
struct Pair {
    ends: [SessionTimer; 2],
    /// A refresh or question of each side: when its outcome comes, and which.
    under_way: [Option<(Duration, Outcome)>; 2],
    vanished: [bool; 2],
    /// Each side's end of the call, and when.
    over: [Option<Duration>; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Accepted,
    /// 491 and its like.
    Refused,
    /// The peer is gone.
    Silence,
}

impl Pair {
    /// Side 0 has called side 1, both with these wishes.
    fn agreed(wishes: [Option<u32>; 2], at: Duration) -> Self {
        let mut ends = wishes.map(|wish| SessionTimer::new(wish, Duration::from_secs(180)));
        let fields = ends[0].request_fields();
        let value = |name: &str, fields: &[Field]| fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
        let asked = value("Session-Expires", &fields);
        let request = Asked { session_expires: asked.as_deref(), min_se: None, supports_timer: true };
        let (terms, fields) = ends[1].answer(request).expect("no 422");
        ends[0].handle(Input::Agreed(SessionTimer::settled(value("Session-Expires", &fields).as_deref())), at);
        ends[1].handle(Input::Agreed(terms), at);
        Self { ends, under_way: [None; 2], vanished: [false; 2], over: [None; 2] }
    }

    fn step(&mut self, now: Duration, dice: &mut Dice) {
        for side in 0..2 {
            if self.vanished[side] || self.over[side].is_some() {
                continue;
            }
            if let Some((at, outcome)) = self.under_way[side]
                && now >= at
            {
                self.under_way[side] = None;
                self.outcome(side, outcome, now);
            }
            let is_due = self.ends[side].deadline().is_some_and(|at| now >= at);
            match is_due.then(|| self.ends[side].handle(Input::Due, now)).flatten() {
                None => {}
                Some(Output::Refresh | Output::Ping) => self.send(side, now, dice),
                Some(Output::Expired { .. } | Output::Vanished) => self.over[side] = Some(now),
            }
        }
    }

    /// Every eighth copy is lost; the transaction repeats it, so that what is lost comes late.
    fn send(&mut self, side: usize, now: Duration, dice: &mut Dice) {
        let mut delay = Duration::from_millis(20);
        let mut repeat = Duration::from_millis(500);
        while dice.roll(8) == 0 && delay < PATIENCE / 2 {
            delay += repeat;
            repeat = (repeat * 2).min(Duration::from_secs(4));
        }
        let outcome = if self.vanished[1 - side] || self.over[1 - side].is_some() {
            (now + PATIENCE, Outcome::Silence)
        } else if dice.roll(20) == 0 {
            (now + delay, Outcome::Refused)
        } else {
            (now + delay, Outcome::Accepted)
        };
        self.under_way[side] = Some(outcome);
    }

    fn outcome(&mut self, side: usize, outcome: Outcome, now: Duration) {
        let is_timed = matches!(self.ends[side].state, State::Running { .. });
        match (outcome, is_timed) {
            (Outcome::Accepted, true) => {
                let fields = self.ends[side].request_fields();
                let asked = fields.first().map(|(_, value)| value.clone());
                let request = Asked { session_expires: asked.as_deref(), min_se: None, supports_timer: true };
                let (terms, fields) = self.ends[1 - side].answer(request).expect("no 422");
                self.ends[1 - side].handle(Input::Agreed(terms), now);
                let said = fields.first().map(|(_, value)| value.as_str());
                self.ends[side].handle(Input::Agreed(SessionTimer::settled(said)), now);
            }
            (Outcome::Refused, true) => {
                self.ends[side].handle(Input::RefreshFailed, now);
            }
            // RFC 3261 §12.2.1.2: the leg ends at once.
            (Outcome::Silence, true) => self.over[side] = Some(now),
            (outcome, false) => {
                let answered = outcome != Outcome::Silence;
                if self.ends[side].handle(Input::Pinged { answered }, now) == Some(Output::Vanished) {
                    self.over[side] = Some(now);
                }
            }
        }
    }
}

/// The longest that a side goes on alone: the rest of the interval, or three minutes, two questions and a pause.
fn bound(wishes: [Option<u32>; 2]) -> Duration {
    match wishes {
        [Some(0), Some(0)] => Duration::from_secs(180 + 10) + 2 * PATIENCE,
        _ => {
            let asked = wishes.map(|wish| wish.unwrap_or(1800)).into_iter().filter(|s| *s > 0).min().unwrap_or(1800);
            Terms { interval_s: asked, refresher: Side::Theirs }.life()
        }
    }
}

const WISHES: [[Option<u32>; 2]; 5] =
    [[None, None], [Some(90), None], [None, Some(120)], [Some(0), Some(300)], [Some(0), Some(0)]];

#[test]
fn no_call_of_half_an_hour_is_dropped_early() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for call in 0..CALLS {
        let wishes = WISHES[usize::try_from(call).expect("few") % WISHES.len()];
        let began = Duration::from_millis(call * 137);
        let mut pair = Pair::agreed(wishes, began);
        let mut now = began;
        while now < began + LENGTH {
            now += STEP;
            pair.step(now, &mut dice);
            assert_eq!(pair.over, [None; 2], "call {call} {wishes:?} after {:?}", now - began);
        }
    }
}

#[test]
fn a_peer_that_vanishes_is_found_within_the_bound() {
    let mut dice = Dice(0xD1B5_4A32_D192_ED03);
    for call in 0..CALLS {
        let wishes = WISHES[usize::try_from(call).expect("few") % WISHES.len()];
        let mut pair = Pair::agreed(wishes, Duration::ZERO);
        let gone_at = Duration::from_secs(1 + dice.roll(1800));
        let gone = usize::from(dice.roll(2) == 0);
        let mut now = Duration::ZERO;
        while pair.over[1 - gone].is_none() {
            now += STEP;
            pair.vanished[gone] = now >= gone_at;
            pair.step(now, &mut dice);
            assert!(now < gone_at + bound(wishes) + STEP, "call {call} {wishes:?}: not found {:?} after", now - gone_at);
        }
        assert!(now >= gone_at, "call {call} {wishes:?}: ended before");
    }
}
