//! Conversations with the lab's Gemini Live, which is in this process: how much of its voice arrives, and how long a voice takes
//! from the caller to its socket and from its socket to the caller.

use crate::process::Far;
use callie_lab::{
    analysis,
    gemini::{FakeGemini, FakeGeminiOptions, Script, Sent, SessionLog, Speech, UPLINK_RATE_HZ},
    phone::{PhoneReport, Step},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// What the fake is ahead of real time when it speaks without end.
const LEAD_MS: u32 = 300;
/// A turn of the AI, and a mark of the caller in the silence after it, once in each of these.
const BEAT: Duration = Duration::from_secs(3);
const TURN: Duration = Duration::from_millis(1_000);
const MARK_AFTER: Duration = Duration::from_millis(1_800);
const MARK: Duration = Duration::from_millis(200);
/// Beats at the beginning that are not counted: everything is still warming up.
const WARM_UP: Duration = Duration::from_secs(4);
/// Nothing takes longer than this and is still the answer to that.
const LONGEST: Duration = Duration::from_millis(1_500);
const MARK_LOUDER_THAN: u16 = 1_500;

/// What the fake is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Speaks without end: cost, pacing, memory.
    Continuous,
    /// Speaks every now and then, and the caller in between: latency.
    Turns,
}

/// A fake that keeps the caller's audio only where it is looked at.
pub async fn fake(pattern: Pattern, longest: Duration) -> FakeGemini {
    let (script, keep_audio) = match pattern {
        Pattern::Continuous => (Script::Continuous { lead_ms: LEAD_MS }, Duration::ZERO),
        Pattern::Turns => (Script::Turns { every: BEAT, speech: Speech::tone("", 440.0, TURN) }, longest),
    };
    let options = FakeGeminiOptions { script, keep_audio, ..FakeGeminiOptions::default() };
    FakeGemini::start(options).await.expect("a free port")
}

pub fn far(fake: &FakeGemini) -> Far {
    let FakeGeminiOptions { api_key, models, .. } = FakeGeminiOptions::default();
    Far { base_url: fake.base_url(), api_key, model: models.into_iter().next().expect("it knows one") }
}

/// A caller who makes a mark in the silence after each turn.
pub fn marks(longest: Duration) -> Vec<Step> {
    let mark: Arc<[i16]> = analysis::tone(1_000.0, (MARK.as_secs_f64() * 8_000.0) as usize, 12_000.0).into();
    let mut steps = vec![Step::WaitAnswer, Step::Pause(MARK_AFTER)];
    for _ in 0..longest.as_secs() / BEAT.as_secs() + 1 {
        steps.extend([Step::Play(mark.clone()), Step::Pause(BEAT - MARK)]);
    }
    steps.push(Step::WaitHangUp);
    steps
}

/// What is said to the engine of this user, so that its session is found among the others.
pub fn instructions(user: &str) -> String {
    format!("You talk for ({user}).")
}

/// Share of the frames since the first word in which the AI, which never pauses, is heard.
pub fn delivered(report: &PhoneReport) -> f64 {
    let heard = report.heard();
    let begins = analysis::segments(heard, 0).first().map_or(heard.len(), |first| first.start);
    let since = heard.get(begins..).unwrap_or_default();
    analysis::voiced_seconds(since) * 8_000.0 / since.len().max(1) as f64
}

/// Latencies of one call.
#[derive(Default)]
pub struct Latencies {
    /// From the packet with a mark's first sample to the message with it.
    pub up: Vec<Duration>,
    /// From the first audio message of a turn to the first audible packet.
    pub down: Vec<Duration>,
}

/// `dialled`: when the telephone was switched on.
pub fn latencies(fake: &FakeGemini, user: &str, dialled: Instant, report: &PhoneReport) -> Latencies {
    let own = instructions(user);
    let sessions = fake.sessions();
    let Some(session) = sessions.iter().find(|s| s.look(|log| log.setup.to_string().contains(&own))) else {
        return Latencies::default();
    };
    session.look(|log| Latencies { up: up(log, dialled, report), down: down(log, dialled, report) })
}

fn up(log: &SessionLog, dialled: Instant, report: &PhoneReport) -> Vec<Duration> {
    let answered = dialled + report.answered_after.unwrap_or_default();
    let arrived: Vec<Instant> = onsets(&log.uplink.audio).into_iter().filter_map(|at| log.uplink.arrival_of(at)).collect();
    let played = report.played.iter().map(|(begun, _)| answered + *begun).filter(|at| *at > answered + WARM_UP);
    played.filter_map(|at| after(&arrived, at)).collect()
}

/// The first samples of marks, each after at least 200 ms of quiet.
fn onsets(audio: &[i16]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut loud_at: Option<usize> = None;
    for (at, _) in audio.iter().enumerate().filter(|(_, sample)| sample.unsigned_abs() > MARK_LOUDER_THAN) {
        if loud_at.is_none_or(|last| at - last > UPLINK_RATE_HZ / 5) {
            found.push(at);
        }
        loud_at = Some(at);
    }
    found
}

fn down(log: &SessionLog, dialled: Instant, report: &PhoneReport) -> Vec<Duration> {
    let answered = dialled + report.answered_after.unwrap_or_default();
    let first = dialled + report.rtp.first_after.unwrap_or_default();
    let heard: Vec<Instant> = analysis::segments(report.heard(), 200)
        .iter()
        .map(|segment| first + Duration::from_micros(segment.start as u64 * 125))
        .collect();
    let audio = log.sent.iter().filter(|(_, sent)| matches!(sent, Sent::Audio { .. })).map(|(at, _)| *at);
    let mut last: Option<Instant> = None;
    let begun = audio.filter(|at| last.replace(*at).is_none_or(|last| *at - last > TURN));
    begun.filter(|at| *at > answered + WARM_UP).filter_map(|at| after(&heard, at)).collect()
}

fn after(later: &[Instant], at: Instant) -> Option<Duration> {
    let first = later.iter().find(|then| **then >= at)?;
    Some(*first - at).filter(|took| *took < LONGEST)
}
