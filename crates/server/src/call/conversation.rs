//! What is said in a call: the transcript as it grows, and the watch over silence. Fed by the call's task with marks of the
//! RTP socket and facts of the bridge.

use super::{
    dead_air::DeadAir,
    silence::{SilenceWatch, Step},
    transcript::{Mark, Transcript},
};
use crate::records::Journal;
use callie_ai::{Usage, Utterance, tools::ToolUse};
use callie_domain::record::{BargeInOutcome, CallFact, DeadAirStep, Speaker, TokenCounts};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Arguments and results of tools are kept up to so many characters.
const LONGEST_NOTE: usize = 2_000;

/// Nothing is heard, and something is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Of both sides.
    Silence(Step),
    /// The caller waits for an answer, and has for so long.
    DeadAir(DeadAirStep, Duration),
}

/// Owned by the call's task.
pub struct Conversation {
    begun: Instant,
    /// The media clock when the call began.
    media_epoch: Duration,
    transcript: Transcript,
    silence: SilenceWatch,
    dead_air: DeadAir,
    caller_speaks: bool,
    agent_speaks: bool,
    held: bool,
}

impl Conversation {
    /// `media_now`: the media clock at this moment. `patience`: silence of both sides before the line asks. `dead_air`: what a caller
    /// who has spoken waits for an answer before something is done.
    pub fn begin(media_now: Duration, patience: Duration, dead_air: Duration) -> Self {
        Self {
            begun: Instant::now(),
            media_epoch: media_now,
            transcript: Transcript::default(),
            silence: SilenceWatch::new(patience),
            dead_air: DeadAir::new(dead_air),
            caller_speaks: false,
            agent_speaks: false,
            held: false,
        }
    }

    /// The call is held: what is heard is music, and silence is nobody's.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
        self.dead_air.forget();
        self.silence.speech(false);
        self.count_silence();
    }

    /// Silence counts from now on, unless somebody speaks or the call is held.
    fn count_silence(&mut self) {
        if !self.held && !self.caller_speaks && !self.agent_speaks {
            self.silence.quiet(self.begun.elapsed());
        }
    }

    /// The line is open: from now on silence counts. Who is called speaks first.
    pub fn open(&mut self, agent_speaks_first: bool) {
        self.silence.quiet(self.begun.elapsed());
        if agent_speaks_first {
            self.dead_air.greeting_is_due(self.begun.elapsed());
        }
    }

    /// What was said so far.
    pub fn so_far(&self) -> Vec<Utterance> {
        self.transcript.so_far()
    }

    /// The agent and the caller are together again.
    pub fn resume(&mut self) {
        (self.caller_speaks, self.agent_speaks) = (false, false);
        self.dead_air.forget();
        self.count_silence();
    }

    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Speech of one side began or ended at `at` on the media clock.
    pub fn speech(&mut self, speaker: Speaker, on: bool, at: Duration, journal: &mut Journal) {
        // The end of what began before the hold is taken; what begins in it is not.
        if speaker == Speaker::Caller && (self.held && on || !on && !self.caller_speaks) {
            return;
        }
        let mark = if on { Mark::SpeechOn(speaker) } else { Mark::SpeechOff(speaker) };
        let at = at.saturating_sub(self.media_epoch);
        self.watch_dead_air(speaker, on, at, journal);
        let at_ms = millis(at);
        self.mark(mark, at_ms, journal);
        let fact = if on { CallFact::SpeechStarted { speaker } } else { CallFact::SpeechEnded { speaker, text: None } };
        journal.note(fact);
        match speaker {
            Speaker::Caller => self.caller_speaks = on,
            Speaker::Agent => self.agent_speaks = on,
        }
        if on {
            self.silence.speech(speaker == Speaker::Caller);
        } else {
            self.count_silence();
        }
    }

    fn watch_dead_air(&mut self, speaker: Speaker, on: bool, at: Duration, journal: &mut Journal) {
        match (speaker, on) {
            (Speaker::Caller, true) => self.dead_air.caller_begins(at),
            (Speaker::Caller, false) => self.dead_air.caller_ends(at),
            (Speaker::Agent, true) => {
                if let Some(silent_for) = self.dead_air.agent_begins(at) {
                    journal.note(CallFact::DeadAirEnded { silent_ms: millis(silent_for) });
                }
            }
            (Speaker::Agent, false) => self.dead_air.agent_ends(at),
        }
    }

    /// A tool is at work.
    pub fn tool_used(&mut self) {
        self.dead_air.postpone(self.begun.elapsed());
    }

    pub fn words(&mut self, speaker: Speaker, text: String, journal: &mut Journal) {
        let mark = match speaker {
            Speaker::Caller => Mark::Heard(text),
            Speaker::Agent => Mark::Said(text),
        };
        self.mark(mark, self.now_ms(), journal);
    }

    pub fn audio(&mut self, length: Duration, ear_delay: Duration, uplink_delay: Duration, journal: &mut Journal) {
        let at_ms = self.now_ms();
        self.mark(Mark::EarDelay { ms: clamp(ear_delay) }, at_ms, journal);
        self.mark(Mark::UplinkDelay { ms: clamp(uplink_delay) }, at_ms, journal);
        self.mark(Mark::Audio { ms: clamp(length) }, at_ms, journal);
    }

    pub fn turn_complete(&mut self, journal: &mut Journal) {
        self.mark(Mark::TurnComplete, self.now_ms(), journal);
    }

    pub fn interrupted(&mut self, journal: &mut Journal) {
        self.dead_air.agent_is_cut_off();
        self.mark(Mark::Interrupted, self.now_ms(), journal);
    }

    /// The caller spoke over the agent, which fell silent at `at` on the media clock.
    pub fn barge_in(&mut self, at: Duration, outcome: BargeInOutcome, journal: &mut Journal) {
        let at_ms = millis(at.saturating_sub(self.media_epoch));
        journal.note(CallFact::BargeIn { at_ms, outcome });
        match outcome {
            BargeInOutcome::Interrupted => {
                self.dead_air.agent_is_cut_off();
                self.mark(Mark::Interrupted, at_ms, journal);
            }
            BargeInOutcome::Resumed => self.mark(Mark::Resumed { since_ms: at_ms }, self.now_ms(), journal),
        }
    }

    /// Waits until something is to be done about silence or dead air; for ever while somebody speaks. Cancel safe.
    pub async fn quiet(&mut self) -> Quiet {
        loop {
            let due = [self.silence.deadline(), self.dead_air.deadline()].into_iter().flatten().min();
            match due {
                Some(due) => sleep_until(self.begun + due).await,
                None => std::future::pending().await,
            }
            let now = self.begun.elapsed();
            if let Some((step, silent_for)) = self.dead_air.step(now) {
                return Quiet::DeadAir(step, silent_for);
            }
            if let Some(step) = self.silence.step(now) {
                return Quiet::Silence(step);
            }
        }
    }

    /// Tells every turn that has not been told as it stands now.
    pub fn close(self, journal: &mut Journal) {
        let now_ms = self.now_ms();
        for turn in self.transcript.close(now_ms) {
            journal.note(CallFact::Turn { turn });
        }
    }

    fn mark(&mut self, mark: Mark, at_ms: u64, journal: &mut Journal) {
        for turn in self.transcript.take(mark, at_ms) {
            journal.note(CallFact::Turn { turn });
        }
    }

    fn now_ms(&self) -> u64 {
        millis(self.begun.elapsed())
    }
}

/// The record of a used tool.
pub fn tool_used(tool: ToolUse) -> CallFact {
    let shortened = |text: &str| text.chars().take(LONGEST_NOTE).collect();
    CallFact::ToolUsed {
        arguments: shortened(&tool.arguments),
        result: shortened(&tool.result),
        name: tool.name,
        outcome: Some(tool.end),
        took_ms: Some(millis(tool.took)),
        requests: tool.requests,
    }
}

pub fn engine_usage(usage: Usage) -> CallFact {
    let tokens = TokenCounts {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        total_tokens: usage.total_tokens,
        audio_input_tokens: usage.audio_input_tokens,
        audio_output_tokens: usage.audio_output_tokens,
        text_input_tokens: usage.text_input_tokens,
        text_output_tokens: usage.text_output_tokens,
        cached_input_tokens: usage.cached_input_tokens,
    };
    CallFact::EngineUsage { tokens }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn clamp(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
