//! The recognition as a pure machine. Times count from the answer.
//!
//! ```text
//! silence ─ talk ≤ 2.5 s, then 0.8 s of silence ──────▶ human
//!    │        └─ 3.5 s of talk without such a pause ──▶ unsure, and later:
//!    │              7 s of talk, a beep, a machine's words ─▶ machine (at most 45 s after the answer; talk only before the
//!    │              other side has answered the agent)
//!    ├─ fax tones ────────────────────────────────────▶ fax
//!    └─ 5 s ──────────────────────────────────────────▶ unsure
//! ```
//!
//! Whoever is unsure is treated as a human: it is worse to hang up on one than to talk to a machine. So what speaks for a machine
//! has to be strong: a beep after talk, words that only machines say, or talk of a length that nobody has who waits for an answer.
//! Once two exchanges have been had with the agent it is a conversation, and nothing makes a machine of it.

use super::phrases::{Kind, Phrases};
use crate::record::AnsweredBy;
use std::time::Duration;

/// The longest talk before a pause that is taken for a hello.
pub const HELLO: Duration = Duration::from_millis(2_500);
/// Silence after talk that invites an answer.
pub const INVITING_PAUSE: Duration = Duration::from_millis(800);
/// Talk without such a pause by which it is decided.
pub const DECISION: Duration = Duration::from_millis(3_500);
/// Talk without such a pause that is no human's: nobody who picks up a telephone talks for so long.
pub const MONOLOGUE: Duration = Duration::from_secs(7);
/// Nobody talks: then it is decided.
pub const NOBODY: Duration = Duration::from_secs(5);
/// After that nothing is recognised any more.
pub const WINDOW: Duration = Duration::from_secs(45);

/// Talk before a beep; less is no greeting.
const BEFORE_BEEP: Duration = Duration::from_millis(400);
/// Between a greeting and its beep.
const GREETING_TO_BEEP: Duration = Duration::from_millis(3_500);
/// A beep is told so long after its end.
const BEEP_KNOWN: Duration = Duration::from_millis(100);
/// What comes so soon after the agent's voice may be its echo.
const ECHO: Duration = Duration::from_millis(300);
/// Talk before words that merely suggest a machine count.
const BEFORE_HINTS: Duration = Duration::from_millis(2_500);
/// Of such words.
const HINTS: u32 = 2;
/// Exchanges that make it a conversation.
const CONVERSATION: u32 = 2;
/// An answer comes within this of the agent's last word.
const ANSWER: Duration = Duration::from_secs(5);

/// Tones that say who has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sound {
    /// It rings on: nobody has answered yet, whatever the signalling says.
    Ringback,
    Beep {
        hertz: u16,
        length: Duration,
    },
    FaxCalling,
    FaxAnswering,
}

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// The other side began or ceased to talk; told later than it is.
    Talk {
        on: bool,
        at: Duration,
    },
    /// The agent is heard, or no longer.
    Agent {
        on: bool,
    },
    Sound(Sound),
    /// Of the other side, in pieces.
    Words(&'a str),
}

/// What the recognition has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub by: AnsweredBy,
    /// What speaks for it, for people.
    pub evidence: String,
}

/// Talk without an inviting pause.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    /// While the agent was not heard.
    clear: Duration,
    /// The last time there was talk.
    ended: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct Recognition {
    verdict: Option<AnsweredBy>,
    now: Duration,
    /// The other side talks.
    talks: bool,
    stretch: Option<Stretch>,
    /// All talk while the agent was not heard.
    clear: Duration,
    last_talk: Option<Duration>,
    agent_talks: bool,
    agent_ended: Option<Duration>,
    agent_was_heard: bool,
    exchanges: u32,
    /// From when nobody's silence counts.
    silent_since: Duration,
    phrases: Phrases,
    over: bool,
}

impl Default for Recognition {
    fn default() -> Self {
        Self {
            verdict: None,
            now: Duration::ZERO,
            talks: false,
            stretch: None,
            clear: Duration::ZERO,
            last_talk: None,
            agent_talks: false,
            agent_ended: None,
            agent_was_heard: false,
            exchanges: 0,
            silent_since: Duration::ZERO,
            phrases: Phrases::default(),
            over: false,
        }
    }
}

impl Recognition {
    /// Nothing more will be recognised.
    pub fn is_over(&self) -> bool {
        self.over
    }

    pub fn verdict(&self) -> Option<AnsweredBy> {
        self.verdict
    }

    /// The other side was heard to talk, by itself.
    pub fn has_talked(&self) -> bool {
        self.clear >= BEFORE_BEEP
    }

    /// What was heard at `now`; a verdict when there is a new one.
    pub fn hear(&mut self, input: Input<'_>, now: Duration) -> Option<Verdict> {
        let due = self.pass(now);
        if self.over {
            return due;
        }
        let heard = match input {
            Input::Talk { on, at } => {
                self.talk(on, at.min(now));
                None
            }
            Input::Agent { on } => {
                self.agent(on);
                None
            }
            Input::Sound(sound) => self.sound(sound),
            Input::Words(text) => self.words(text),
        };
        heard.or(due)
    }

    /// When [`Self::pass`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        if self.over {
            return None;
        }
        let clears = |until: Duration, stretch: &Stretch| self.now + until.saturating_sub(stretch.clear);
        let counts = self.talks && !self.agent_is_heard();
        let mut next = WINDOW;
        if let Some(stretch) = &self.stretch {
            if !self.talks {
                next = next.min(stretch.ended + INVITING_PAUSE);
            } else if counts && (self.verdict.is_none() || self.may_be_read_out()) {
                let until = if self.verdict.is_none() { DECISION } else { MONOLOGUE };
                next = next.min(clears(until, stretch));
            }
        } else if self.verdict.is_none() {
            next = next.min(self.silent_since + NOBODY);
        }
        // The echo of the agent's last word dies away.
        let echo = self.agent_ended.filter(|_| self.talks && !self.agent_talks).map(|ended| ended + ECHO);
        Some(echo.filter(|echo| *echo > self.now).map_or(next, |echo| next.min(echo)).max(self.now))
    }

    /// Time has passed; a verdict when one is due.
    pub fn pass(&mut self, now: Duration) -> Option<Verdict> {
        if self.over {
            return None;
        }
        self.count(now);
        if now >= WINDOW {
            self.over = true;
            return self.undecided("nothing that tells a human from a machine");
        }
        match self.stretch {
            Some(stretch) if self.talks && self.may_be_read_out() && stretch.clear >= MONOLOGUE => {
                let evidence = format!("talks for {} s without waiting for an answer", stretch.clear.as_secs());
                self.decide(AnsweredBy::Machine, evidence)
            }
            Some(stretch) if self.talks && stretch.clear >= DECISION => {
                self.undecided("talks for longer than people who say hello, and for less than machines")
            }
            Some(stretch) if !self.talks && now >= stretch.ended + INVITING_PAUSE => {
                self.stretch = None;
                self.paused(stretch)
            }
            None if now >= self.silent_since + NOBODY => self.undecided("nobody talks"),
            _ => None,
        }
    }

    /// Who has answered the agent may well talk for long.
    fn may_be_read_out(&self) -> bool {
        self.exchanges == 0
    }

    fn paused(&mut self, stretch: Stretch) -> Option<Verdict> {
        self.silent_since = stretch.ended;
        if stretch.clear.is_zero() || self.verdict.is_some() {
            return None;
        }
        if stretch.clear > HELLO {
            return self.undecided("a long greeting, then silence");
        }
        let evidence = format!("a hello of {:.1} s, then silence", stretch.clear.as_secs_f32());
        self.decide(AnsweredBy::Human, evidence)
    }

    /// Adds the talk since the last time.
    fn count(&mut self, now: Duration) {
        let since = now.saturating_sub(self.now);
        if self.talks {
            let echo_until = self.agent_ended.map_or(Duration::ZERO, |ended| ended + ECHO);
            let clear = if self.agent_talks { Duration::ZERO } else { now.saturating_sub(echo_until.max(self.now)).min(since) };
            let stretch = self.stretch.get_or_insert_default();
            stretch.clear += clear;
            stretch.ended = now;
            self.clear += clear;
            self.last_talk = Some(now);
        }
        self.now = self.now.max(now);
    }

    fn talk(&mut self, on: bool, at: Duration) {
        if on == self.talks {
            return;
        }
        let told_late = self.now.saturating_sub(at);
        self.talks = on;
        let clear = if self.agent_is_heard() { Duration::ZERO } else { told_late };
        if on {
            self.answered_the_agent(at);
            let stretch = self.stretch.get_or_insert_default();
            stretch.clear += clear;
            stretch.ended = self.now;
            self.clear += clear;
            self.last_talk = Some(self.now);
        } else if let Some(stretch) = &mut self.stretch {
            // The pause by which the end is known was counted as talk.
            stretch.clear = stretch.clear.saturating_sub(clear);
            stretch.ended = at;
            self.clear = self.clear.saturating_sub(clear);
            self.last_talk = Some(at);
        }
    }

    /// The agent spoke, and the other side answers once it is silent: twice, and it is a conversation.
    fn answered_the_agent(&mut self, at: Duration) {
        let after = self.agent_ended.filter(|ended| !self.agent_talks && at > *ended && at - *ended <= ANSWER);
        let alternates = after.is_some() && self.last_talk.is_none_or(|talk| Some(talk) <= after);
        if alternates {
            self.agent_ended = None;
            self.exchanges += 1;
            self.over = self.exchanges >= CONVERSATION && matches!(self.verdict, Some(AnsweredBy::Human | AnsweredBy::Unsure));
        }
    }

    fn agent(&mut self, on: bool) {
        self.agent_talks = on;
        self.agent_was_heard |= on;
        if !on {
            self.agent_ended = Some(self.now);
        }
    }

    fn agent_is_heard(&self) -> bool {
        self.agent_talks || self.agent_ended.is_some_and(|ended| self.now < ended + ECHO)
    }

    fn sound(&mut self, sound: Sound) -> Option<Verdict> {
        match sound {
            Sound::Ringback => {
                self.silent_since = self.now;
                None
            }
            Sound::FaxAnswering => self.decide(AnsweredBy::Fax, "fax answering tone (2100 Hz)"),
            Sound::FaxCalling if !self.has_talked() => self.decide(AnsweredBy::Fax, "fax calling tone (1100 Hz)"),
            // After talk it is as good a beep as any.
            Sound::FaxCalling => self.beep(1_100, Duration::from_millis(500)),
            Sound::Beep { hertz, length } => self.beep(hertz, length),
        }
    }

    fn beep(&mut self, hertz: u16, length: Duration) -> Option<Verdict> {
        let from = self.now.saturating_sub(length + BEEP_KNOWN);
        let follows = self.last_talk.is_some_and(|talk| talk + GREETING_TO_BEEP >= from);
        // Our own tones come back where the telephone is on loudspeaker.
        let may_be_ours = self.agent_talks || self.agent_ended.is_some_and(|ended| ended + ECHO >= from);
        let greets = self.stretch.is_some_and(|stretch| stretch.clear >= DECISION) || self.verdict == Some(AnsweredBy::Unsure);
        if !self.has_talked() || !follows || may_be_ours && !greets {
            return None;
        }
        self.decide(AnsweredBy::Machine, format!("a beep of {hertz} Hz and {} ms after talk", length.as_millis()))
    }

    fn words(&mut self, text: &str) -> Option<Verdict> {
        let found = self.phrases.hear(text)?;
        match found.kind {
            Kind::Machine => self.decide(AnsweredBy::Machine, format!("says “{}”", found.phrase)),
            Kind::Human => {
                let undecided = self.verdict.is_none();
                undecided.then(|| self.decide(AnsweredBy::Human, format!("says “{}”", found.phrase))).flatten()
            }
            Kind::Hint if self.phrases.hints() >= HINTS && !self.phrases.human() => {
                let greets = !self.agent_was_heard && self.exchanges == 0 && self.clear >= BEFORE_HINTS;
                greets.then(|| self.decide(AnsweredBy::Machine, format!("says “{}” and the like", found.phrase))).flatten()
            }
            Kind::Hint => None,
        }
    }

    fn undecided(&mut self, evidence: &str) -> Option<Verdict> {
        if self.verdict.is_some() { None } else { self.decide(AnsweredBy::Unsure, evidence) }
    }

    fn decide(&mut self, by: AnsweredBy, evidence: impl Into<String>) -> Option<Verdict> {
        let news = self.verdict != Some(by);
        self.verdict = Some(by);
        self.over |= matches!(by, AnsweredBy::Machine | AnsweredBy::Fax);
        news.then(|| Verdict { by, evidence: evidence.into() })
    }
}

#[cfg(test)]
mod tests;
