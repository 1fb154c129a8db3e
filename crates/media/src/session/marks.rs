//! When the caller and the agent spoke, as seen at the RTP socket: the marks that transcripts and latencies are made from.
//!
//! A mark names a packet by its time on the wire, so it is as exact as a packet is long: a voice that begins within a packet
//! of 20 ms is marked with that packet. A mark is told later than it is: a beginning when it is known to be no click, an end
//! when the pause has lasted.

use crate::activity::{Activity, ActivityDetector, MIN_RMS};
use std::time::Duration;

/// The caller's pause that ends an utterance.
pub const CALLER_PAUSE: Duration = Duration::from_millis(400);
/// The pause that ends what the agent says, as heard on the wire.
pub const AGENT_PAUSE: Duration = Duration::from_millis(200);

/// Speech began or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub on: bool,
    pub at: Duration,
}

/// A moment of speech: on the wire, and the beat in which it passed.
#[derive(Debug, Clone, Copy)]
struct Moment {
    wire: Duration,
    beat: Duration,
}

/// The caller's side: frames as they leave the jitter buffer, with the arrival of their packets.
#[derive(Debug, Default)]
pub(super) struct CallerMarks {
    detector: ActivityDetector,
    speaking: bool,
    /// The first of the loud frames that may turn out to be speech.
    onset: Option<Duration>,
    last: Option<Moment>,
}

impl CallerMarks {
    /// A frame that came, by its level.
    pub fn hear(&mut self, rms: f32, arrived: Duration, now: Duration) -> Option<Mark> {
        let activity = self.detector.observe(rms);
        if activity == Activity::Quiet {
            self.onset = None;
            return self.pass(now);
        }
        self.last = Some(Moment { wire: arrived, beat: now });
        let onset = *self.onset.get_or_insert(arrived);
        let begins = activity == Activity::Speech && !self.speaking;
        self.speaking |= begins;
        begins.then_some(Mark { on: true, at: onset })
    }

    /// A frame of our own echo: silence of the caller's, without a noise to go by.
    pub fn echo(&mut self, now: Duration) -> Option<Mark> {
        self.detector.pass();
        self.onset = None;
        self.pass(now)
    }

    /// A frame that is missing or made up: it proves nothing, but time passes.
    pub fn pass(&mut self, now: Duration) -> Option<Mark> {
        let last = self.last.filter(|last| self.speaking && now.saturating_sub(last.beat) >= CALLER_PAUSE)?;
        self.speaking = false;
        Some(Mark { on: false, at: last.wire })
    }
}

/// The agent's side: packets as they leave.
#[derive(Debug, Default)]
pub(super) struct AgentMarks {
    /// The last audible packet, while the agent counts as speaking.
    last: Option<Duration>,
}

impl AgentMarks {
    /// The level of what this beat says; `None` when it holds no speech, or nothing is sent.
    pub fn send(&mut self, rms: Option<f32>, now: Duration) -> Option<Mark> {
        if rms.is_some_and(|rms| rms > MIN_RMS) {
            return self.last.replace(now).is_none().then_some(Mark { on: true, at: now });
        }
        let at = self.last.filter(|last| now.saturating_sub(*last) >= AGENT_PAUSE)?;
        self.last = None;
        Some(Mark { on: false, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(20);

    /// Runs a caller whose packets arrive 50 ms before they are played: `l`oud, `.` quiet, `x` missing, `e`cho. Tells the marks as
    /// the numbers of the beats they name, and in which beat they were told.
    fn caller(line: &str) -> Vec<(bool, u128, usize)> {
        let mut marks = CallerMarks::default();
        let early = Duration::from_millis(50);
        let mut told = Vec::new();
        for (beat, kind) in line.chars().enumerate() {
            let now = Duration::from_secs(1) + BEAT * beat as u32;
            let mark = match kind {
                'l' => marks.hear(3_000.0, now - early, now),
                '.' => marks.hear(10.0, now - early, now),
                'e' => marks.echo(now),
                _ => marks.pass(now),
            };
            told.extend(mark.map(|mark| (mark.on, (mark.at + early - Duration::from_secs(1)).as_millis() / 20, beat)));
        }
        told
    }

    #[test]
    fn the_callers_utterance_is_marked_by_its_first_and_last_loud_packet() {
        let pause = ".".repeat(20);
        for (line, want) in [
            (format!("...llllll{pause}"), vec![(true, 3, 5), (false, 8, 28)]),
            (format!("...llx{pause}"), vec![]),
            (format!("l{}l{}llll{pause}", "e".repeat(10), "e".repeat(10)), vec![(true, 22, 24), (false, 25, 45)]),
            (format!(".lll{}", "e".repeat(20)), vec![(true, 1, 3), (false, 3, 23)]),
            (format!("...llxl{pause}"), vec![(true, 3, 6), (false, 6, 26)]),
            (format!(".lll.{}l{pause}", "x".repeat(10)), vec![(true, 1, 3), (false, 15, 35)]),
            (format!(".lll{}", "x".repeat(20)), vec![(true, 1, 3), (false, 3, 23)]),
            (format!(".lll{}ll{}", ".".repeat(19), pause), vec![(true, 1, 3), (false, 24, 44)]),
            (format!(".lll{pause}.l.ll.lll{pause}"), vec![(true, 1, 3), (false, 3, 23), (true, 30, 32), (false, 32, 52)]),
        ] {
            assert_eq!(caller(&line), want, "{line}");
        }
    }

    #[test]
    fn the_agents_speech_is_marked_by_its_first_and_last_audible_packet() {
        let mut marks = AgentMarks::default();
        let mut told = Vec::new();
        for (beat, kind) in "..l.lll.........llll..........----l-----------".chars().enumerate() {
            let rms = match kind {
                'l' => Some(3_000.0),
                '.' => Some(10.0),
                _ => None,
            };
            let mark = marks.send(rms, BEAT * beat as u32);
            told.extend(mark.map(|mark| (mark.on, mark.at.as_millis() / 20, beat)));
        }
        assert_eq!(told, [(true, 2, 2), (false, 19, 29), (true, 34, 34), (false, 34, 44)]);
    }
}
