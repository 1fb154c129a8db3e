//! 100 calls of 31 minutes in virtual time, both sides talking all the while: the network loses, delays and doubles, the far
//! end's router gives it another port without a word, the call is held and moved, the line is dead for three seconds.

use super::*;
use std::thread;

const CALLS: u64 = 100;
const LENGTH_S: u32 = 31 * 60;
/// A side that has just talked for so long has more to say.
const BREATH_S: u32 = 10;
/// Of speech that is meant to be heard, a gap is never longer, faults apart.
const LONGEST_GAP: Duration = Duration::from_millis(60);
/// After a fault speech is heard again within this: a second of silence for a new source, the jitter buffer, and what is lost
/// of the packets that must follow one another.
const RECOVERY: Duration = Duration::from_millis(1_500);

/// What happens to a call, and for how many seconds nothing is expected to be heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The router of side 1 forgets its mapping and gives another.
    OtherPort,
    Hold,
    Resume,
    /// Side 0 says by SDP that it receives elsewhere.
    Moves,
    Dead,
    Alive,
}

const FATES: [(u32, Fate); 8] = [
    (300, Fate::OtherPort),
    (600, Fate::Hold),
    (660, Fate::Resume),
    (900, Fate::Moves),
    (1_200, Fate::Dead),
    (1_203, Fate::Alive),
    (1_500, Fate::OtherPort),
    (1_700, Fate::Moves),
];

struct HalfHour {
    pair: Pair,
    network: Network,
    held: bool,
    dead: bool,
    /// Nothing is asked of the ears until then.
    excused_until: Duration,
    gaps: [Duration; 2],
    longest: Duration,
    heard: [u32; 2],
    expected: u32,
}

impl HalfHour {
    fn new(call: u64) -> Self {
        let srtp = if call.is_multiple_of(2) { keys(1, 2) } else { [None, None] };
        let mut pair = Pair::muxed(srtp);
        pair.seed = call + 1;
        let network = Network {
            delay: Duration::from_millis(20 + call),
            jitter: Duration::from_millis(call % 20),
            lost: 5 + call % 20,
            doubled: call % 10,
        };
        pair.network = [network; 2];
        let excused_until = pair.now + RECOVERY;
        Self {
            pair,
            network,
            held: false,
            dead: false,
            excused_until,
            gaps: [Duration::ZERO; 2],
            longest: Duration::ZERO,
            heard: [0; 2],
            expected: 0,
        }
    }

    fn suffer(&mut self, fate: Fate) {
        let Self { pair, .. } = self;
        match fate {
            Fate::OtherPort => pair.addresses[1].set_port(pair.addresses[1].port() + 100),
            Fate::Moves => {
                pair.addresses[0].set_port(pair.addresses[0].port() + 100);
                let (now, elsewhere) = (pair.now, pair.addresses[0]);
                pair.sides[1].set_remote(elsewhere, now);
            }
            Fate::Hold | Fate::Resume => {
                self.held = fate == Fate::Hold;
                for side in &mut pair.sides {
                    side.hold(self.held, pair.now);
                }
            }
            Fate::Dead | Fate::Alive => {
                self.dead = fate == Fate::Dead;
                let lost = if self.dead { 1_000 } else { self.network.lost };
                pair.network = [Network { lost, ..self.network }; 2];
            }
        }
        self.excused_until = pair.now + RECOVERY;
    }

    fn second(&mut self) {
        for _ in 0..50 {
            self.pair.beat();
            if self.held || self.dead || self.pair.now < self.excused_until {
                self.gaps = [Duration::ZERO; 2];
                continue;
            }
            self.expected += 1;
            for side in 0..2 {
                let is_heard = self.pair.beats[side].ear().iter().any(|sample| sample.unsigned_abs() > 4_000);
                self.heard[side] += u32::from(is_heard);
                self.gaps[side] = if is_heard { Duration::ZERO } else { self.gaps[side] + BEAT };
                self.longest = self.longest.max(self.gaps[side]);
            }
        }
    }

    fn run(mut self, call: u64) {
        for second in 0..LENGTH_S {
            if second % BREATH_S == 0 {
                (0..2).for_each(|side| self.pair.speak(side, Duration::from_secs(u64::from(BREATH_S))));
            }
            for (_, fate) in FATES.iter().filter(|(at, _)| *at == second) {
                self.suffer(*fate);
            }
            self.second();
            assert!(self.longest <= LONGEST_GAP, "call {call}: nobody is heard for {:?} before second {second}", self.longest);
        }
        let lost = |told: &(usize, SessionEvent)| matches!(told.1, SessionEvent::RtpLost { .. } | SessionEvent::NoRtp { .. });
        assert!(!self.pair.told.iter().any(lost), "call {call}: {:?}", self.pair.told);
        for (side, heard) in self.heard.into_iter().enumerate() {
            assert!(heard > self.expected / 100 * 98, "call {call}: side {side} hears {heard} frames of {}", self.expected);
            let stats = self.pair.sides[side].stats();
            assert_eq!((stats.unauthentic, stats.junk), (0, 0), "call {call}: {stats:?}");
            assert_eq!(self.pair.sides[side].latched(), Some(self.pair.addresses[1 - side]), "call {call}");
        }
    }
}

#[test]
fn a_hundred_calls_of_half_an_hour_are_heard_to_the_end() {
    let workers = thread::available_parallelism().map_or(2, |n| n.get() as u64);
    thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || (worker..CALLS).step_by(workers as usize).for_each(|call| HalfHour::new(call).run(call)));
        }
    });
}
