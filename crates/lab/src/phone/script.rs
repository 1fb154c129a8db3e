//! What a telephone does in a call, step by step; asked every 20 ms what is next.

use callie_media::{FRAME_SAMPLES, codec::G711};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Frames from one key to the next: 100 ms held, 60 ms not.
const KEY_FRAMES: u32 = 8;

/// One thing to do or to wait for. Steps that need a call wait for the answer; a called telephone answers by itself
/// when it comes to one.
#[derive(Clone, Debug)]
pub enum Step {
    /// Called: say 180 and wait.
    Ring(Duration),
    /// Called: say 183 with a description, with this codec if one is named, and go on; what is played then is early media.
    EarlyMedia(Option<G711>),
    /// Called: answer now.
    Answer,
    /// Called: 486.
    Busy,
    /// Called: refuse with this status (300…699).
    Decline(u16),
    /// Caller: wait for the 200.
    WaitAnswer,
    /// Wait until the other side has spoken since the last such step and then been silent this long.
    WaitSilence {
        after: Duration,
    },
    /// 8 kHz samples.
    Play(Arc<[i16]>),
    /// Keys, by RFC 4733.
    Dtmf(String),
    Pause(Duration),
    /// Send a re-INVITE with `sendonly`, and go on.
    Hold,
    /// Send a re-INVITE with `sendrecv`, and go on.
    Resume,
    /// Ask the other side to call this number or URI instead (REFER), and go on.
    Refer(String),
    HangUp,
    /// Wait for the other side's BYE.
    WaitHangUp,
    /// Caller: take the INVITE back this long after the step before, answered or not.
    Cancel {
        after: Duration,
    },
    /// Neither RTP nor SIP any more, and no BYE.
    Vanish,
    /// No more RTP, but SIP goes on.
    StopRtp,
}

/// Steps in order. When they are over, the telephone hangs up.
#[derive(Clone, Debug, Default)]
pub struct Script(Vec<Step>);

impl Script {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl<const N: usize> From<[Step; N]> for Script {
    fn from(steps: [Step; N]) -> Self {
        Self::new(steps)
    }
}

/// What the telephone knows when it asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sense {
    pub answered: bool,
    pub called: bool,
    pub has_spoken: bool,
    pub silent_for: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, for 20 ms; a box would allocate per frame")]
pub(super) enum Cue {
    /// Silence for the next 20 ms.
    Rest,
    Say([i16; FRAME_SAMPLES]),
    Key(char),
    Ring,
    EarlyMedia(Option<G711>),
    Answer,
    Refuse(u16),
    Hold,
    Resume,
    Refer(String),
    HangUp,
    Cancel,
    Vanish,
    StopRtp,
    /// What was heard so far has been waited for.
    ForgetSpoken,
}

#[derive(Debug)]
pub(super) struct Player {
    steps: VecDeque<Step>,
    step_began: Instant,
    /// Samples or keys of this step that are done.
    done: usize,
    frames_to_next_key: u32,
    /// Lines are played before the answer.
    early: bool,
    /// Beginning and end of each `Play`.
    pub played: Vec<(Instant, Instant)>,
}

impl Player {
    pub fn new(script: Script, now: Instant) -> Self {
        Self { steps: script.0.into(), step_began: now, done: 0, frames_to_next_key: 0, early: false, played: Vec::new() }
    }

    /// What to do for the next 20 ms.
    pub fn cue(&mut self, now: Instant, sense: Sense) -> Cue {
        let Some(step) = self.steps.front().cloned() else { return Cue::HangUp };
        let early = self.early && matches!(step, Step::Play(_));
        if !sense.answered && step.needs_call() && !early {
            return if sense.called { Cue::Answer } else { Cue::Rest };
        }
        let elapsed = now.duration_since(self.step_began);
        match step {
            Step::Ring(time) if self.done == 0 && !time.is_zero() => {
                self.done = 1;
                Cue::Ring
            }
            Step::Ring(time) | Step::Pause(time) => self.next_if(elapsed >= time, now, Cue::Rest),
            Step::EarlyMedia(codec) => {
                self.early = true;
                self.next_if(true, now, Cue::EarlyMedia(codec))
            }
            Step::Answer if sense.answered => self.next_if(true, now, Cue::Rest),
            Step::Answer => Cue::Answer,
            Step::Busy => self.next_if(true, now, Cue::Refuse(486)),
            Step::Decline(code) => self.next_if(true, now, Cue::Refuse(code)),
            Step::WaitAnswer => self.next_if(sense.answered, now, Cue::Rest),
            Step::WaitSilence { after } if sense.has_spoken && sense.silent_for >= after => {
                self.next_if(true, now, Cue::ForgetSpoken)
            }
            Step::WaitSilence { .. } | Step::WaitHangUp => Cue::Rest,
            Step::Play(samples) => self.play(&samples, now),
            Step::Dtmf(keys) => self.press(&keys, now),
            Step::Hold => self.next_if(true, now, Cue::Hold),
            Step::Resume => self.next_if(true, now, Cue::Resume),
            Step::Refer(to) => self.next_if(true, now, Cue::Refer(to)),
            Step::HangUp => Cue::HangUp,
            Step::Cancel { after } if elapsed >= after => self.next_if(true, now, Cue::Cancel),
            Step::Cancel { .. } => Cue::Rest,
            Step::Vanish => Cue::Vanish,
            Step::StopRtp => self.next_if(true, now, Cue::StopRtp),
        }
    }

    fn next_if(&mut self, over: bool, now: Instant, cue: Cue) -> Cue {
        if over {
            self.steps.pop_front();
            self.step_began = now;
            self.done = 0;
        }
        cue
    }

    fn play(&mut self, samples: &[i16], now: Instant) -> Cue {
        if self.done == 0 {
            self.played.push((now, now));
        }
        if let Some((_, end)) = self.played.last_mut() {
            *end = now;
        }
        let rest = samples.get(self.done..).unwrap_or_default();
        let mut frame = [0; FRAME_SAMPLES];
        frame.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.done += FRAME_SAMPLES;
        self.next_if(self.done >= samples.len(), now, Cue::Say(frame))
    }

    fn press(&mut self, keys: &str, now: Instant) -> Cue {
        if self.frames_to_next_key > 0 {
            self.frames_to_next_key -= 1;
            return Cue::Rest;
        }
        match keys.chars().nth(self.done) {
            Some(key) => {
                self.done += 1;
                self.frames_to_next_key = KEY_FRAMES - 1;
                Cue::Key(key)
            }
            None => self.next_if(true, now, Cue::Rest),
        }
    }
}

impl Step {
    fn needs_call(&self) -> bool {
        !matches!(
            self,
            Self::Ring(_)
                | Self::EarlyMedia(_)
                | Self::Pause(_)
                | Self::Answer
                | Self::Busy
                | Self::Decline(_)
                | Self::Cancel { .. }
                | Self::Vanish
                | Self::WaitAnswer
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_script_is_played_in_order() {
        let start = Instant::now();
        let script = Script::from([
            Step::WaitAnswer,
            Step::WaitSilence { after: 100 * MS },
            Step::Play(vec![7; 161].into()),
            Step::Dtmf("1".into()),
            Step::HangUp,
        ]);
        let mut player = Player::new(script, start);
        let mut cue = |ms: u32, answered, has_spoken, silent_ms: u32| {
            player.cue(start + ms * MS, Sense { answered, called: false, has_spoken, silent_for: silent_ms * MS })
        };
        assert_eq!(cue(0, false, false, 0), Cue::Rest);
        assert_eq!(cue(20, true, false, 0), Cue::Rest);
        assert_eq!(cue(40, true, false, 500), Cue::Rest, "silence before any word is not what is waited for");
        assert_eq!(cue(60, true, true, 50), Cue::Rest);
        assert_eq!(cue(80, true, true, 100), Cue::ForgetSpoken);
        assert_eq!(cue(100, true, true, 120), Cue::Say([7; FRAME_SAMPLES]));
        let mut last = [0; FRAME_SAMPLES];
        last[0] = 7;
        assert_eq!(cue(120, true, true, 140), Cue::Say(last));
        assert_eq!(cue(140, true, true, 160), Cue::Key('1'));
        for tick in 0..8 {
            assert_eq!(cue(160 + 20 * tick, true, true, 0), Cue::Rest);
        }
        assert_eq!(cue(400, true, true, 0), Cue::HangUp);
    }

    #[test]
    fn a_called_telephone_rings_and_then_answers_by_itself() {
        let start = Instant::now();
        let mut player = Player::new(Script::from([Step::Ring(100 * MS), Step::WaitHangUp]), start);
        let mut cue =
            |ms: u32| player.cue(start + ms * MS, Sense { answered: false, called: true, has_spoken: false, silent_for: MS });
        assert_eq!([cue(0), cue(20), cue(100), cue(120)], [Cue::Ring, Cue::Rest, Cue::Rest, Cue::Answer]);
    }
}
