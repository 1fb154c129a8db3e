//! One call: the agent greets with all it has to say, then the caller says all of it.

use anyhow::{Context, ensure};
use callie_domain::record::{Cdr, MediaSummary};
use callie_lab::{
    gemini::{FakeGemini, Sent, SessionLog, Uplink},
    line::LineFaults,
    phone::{Ending, Phone, PhoneOptions, PhoneReport, Script, Step},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Longer than any pause of the speech, so that nobody is interrupted.
const TURN_TAKEN: Duration = Duration::from_millis(2_500);
/// Longer than any packet is under way, or a jitter buffer holds it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The way of a call's RTP.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub name: &'static str,
    pub faults: LineFaults,
}

/// What came out of a call.
pub struct Heard {
    pub way: Way,
    /// 16 kHz, as it came to Gemini Live.
    pub by_agent: Vec<i16>,
    pub agent_remark: String,
    /// 8 kHz, as it came to the telephone: what is missing is silence.
    pub by_caller: Vec<i16>,
    pub caller_remark: String,
}

/// The longest that a call with so much speech lasts.
pub fn longest(speech: Duration) -> Duration {
    2 * speech + TURN_TAKEN + LAST_WORDS + Duration::from_secs(10)
}

/// What the user's engine is told, so that its session is found among the others.
pub fn instructions(user: &str) -> String {
    format!("You talk for ({user}).")
}

/// Calls `user`; the telephone's report.
pub async fn call(way: Way, carrier: SocketAddr, user: &str, speech: Arc<[i16]>) -> anyhow::Result<PhoneReport> {
    let longest = longest(Duration::from_millis(speech.len() as u64 / 8));
    let options = PhoneOptions { longest, ..PhoneOptions::new(carrier, &format!("to-{user}")) }.with_line(way.faults);
    let steps =
        [Step::WaitAnswer, Step::WaitSilence { after: TURN_TAKEN }, Step::Play(speech), Step::Pause(LAST_WORDS), Step::HangUp];
    let report = Phone::call(&options, user, Script::from(steps)).await?.finished().await.context("no report of the call")?;
    ensure!(report.ending == Ending::HungUp, "{}: the call ended by {:?}: {:#?}", way.name, report.ending, report.trace);
    Ok(report)
}

/// What both sides heard, once the call is over and recorded.
pub fn heard(way: Way, user: &str, report: PhoneReport, fake: &FakeGemini, record: &Cdr) -> anyhow::Result<Heard> {
    let own = instructions(user);
    let session = fake.sessions().into_iter().find(|session| session.look(|log| log.setup.to_string().contains(&own)));
    let session = session.with_context(|| format!("no session of {user}"))?;
    let media = record.media.clone().context("a record without figures of its audio")?;
    session.look(|log| {
        ensure!(log.count_sent(|sent| *sent == Sent::Interrupted) == 0, "{}: somebody was interrupted", way.name);
        Ok(Heard {
            way,
            by_agent: log.uplink.audio.clone(),
            agent_remark: agent_remark(&media, log),
            caller_remark: caller_remark(&report),
            by_caller: report.heard,
        })
    })
}

fn agent_remark(media: &MediaSummary, log: &SessionLog) -> String {
    let MediaSummary { packets_lost, packets_late, frames_concealed, .. } = media;
    let Uplink { largest_gap, .. } = log.uplink;
    format!("{packets_lost} lost, {packets_late} late, {frames_concealed} concealed, pause ≤ {} ms", largest_gap.as_millis())
}

fn caller_remark(report: &PhoneReport) -> String {
    format!("{} lost", report.rtp.lost)
}
