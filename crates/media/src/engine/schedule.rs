//! When a media thread runs which slot. Pure: the thread sleeps, this says until when.
//!
//! Ticks are absolute, so no error adds up. A late thread catches up tick by tick, but gives each slot at least 10 ms between
//! two beats: a call's packets never leave back to back. What cannot be caught up is skipped.

use crate::FRAME;
use std::time::Duration;

/// Calls of a thread are spread over so many phases of the 20 ms.
pub(super) const SLOTS: usize = 4;
pub(super) const TICK: Duration = Duration::from_millis(5);
/// A tick that starts so late is counted.
const LATE: Duration = Duration::from_millis(2);
/// Two beats of a slot are never closer.
const MIN_SPACING: Duration = Duration::from_millis(10);
/// Who is later than this (a suspended machine) does not catch up.
const GIVE_UP: Duration = Duration::from_millis(200);

/// What to do in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) slot: usize,
    /// How far behind its moment the tick started.
    pub(super) lateness: Duration,
    pub(super) late: bool,
    /// Beats that all slots miss.
    pub(super) skipped_beats: u32,
}

#[derive(Debug)]
pub(super) struct Schedule {
    /// The moment of the next tick, and its slot.
    due: Duration,
    slot: usize,
    ran: [Option<Duration>; SLOTS],
}

impl Schedule {
    pub(super) fn new(now: Duration) -> Self {
        Self { due: now + TICK, slot: 0, ran: [None; SLOTS] }
    }

    /// When to begin the next tick.
    pub(super) fn wake_at(&self) -> Duration {
        let rested = self.ran[self.slot].map_or(Duration::ZERO, |ran| ran + MIN_SPACING);
        self.due.max(rested)
    }

    /// Begins the next tick.
    pub(super) fn begin(&mut self, now: Duration) -> Tick {
        let lateness = now.saturating_sub(self.due);
        let mut skipped_beats = 0;
        if lateness > GIVE_UP {
            skipped_beats = u32::try_from(lateness.as_nanos() / FRAME.as_nanos()).unwrap_or(u32::MAX);
            self.due += FRAME * skipped_beats;
        }
        let slot = self.slot;
        self.ran[slot] = Some(now);
        self.slot = (slot + 1) % SLOTS;
        self.due += TICK;
        Tick { slot, lateness, late: lateness > LATE, skipped_beats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Runs for `for_ms` with one stall and gives the milliseconds at which slot 0 ran, and the beats skipped.
    fn beats_of_slot_0(stall_at_ms: u32, stall_ms: u32, for_ms: u32) -> (Vec<u128>, u32) {
        let mut schedule = Schedule::new(Duration::ZERO);
        let (mut now, mut beats, mut skipped, mut stalled) = (Duration::ZERO, Vec::new(), 0, false);
        while now < MS * for_ms {
            now = now.max(schedule.wake_at());
            if !stalled && now >= MS * stall_at_ms {
                now += MS * stall_ms;
                stalled = true;
            }
            let tick = schedule.begin(now);
            skipped += tick.skipped_beats;
            if tick.slot == 0 {
                beats.push(now.as_millis());
            }
        }
        (beats, skipped)
    }

    #[test]
    fn every_slot_has_its_turn_every_20_ms() {
        let mut schedule = Schedule::new(Duration::ZERO);
        for i in 0..12 {
            let at = schedule.wake_at();
            assert_eq!(at, TICK * (i + 1));
            assert_eq!(schedule.begin(at).slot, i as usize % SLOTS);
        }
    }

    #[test]
    fn a_stall_is_caught_up_without_packets_back_to_back() {
        // Due at 45 ms, possible at 115 ms: four beats are missing, and leave 10 ms apart until the old rhythm is reached.
        let (beats, skipped) = beats_of_slot_0(45, 70, 230);
        assert_eq!(beats, [5, 25, 115, 125, 135, 145, 155, 165, 175, 185, 205, 225]);
        assert_eq!(skipped, 0);
    }

    #[test]
    fn a_suspended_machine_skips_and_keeps_its_phase() {
        let (beats, skipped) = beats_of_slot_0(45, 3_003, 3_150);
        assert_eq!(skipped, 150);
        assert_eq!(beats, [5, 25, 3_048, 3_065, 3_085, 3_105, 3_125, 3_145]);
    }

    #[test]
    fn lateness_is_told() {
        let mut schedule = Schedule::new(Duration::ZERO);
        assert!(!schedule.begin(TICK + MS).late);
        assert!(schedule.begin(TICK * 2 + MS * 3).late);
    }
}
