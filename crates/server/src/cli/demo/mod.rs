//! `callie demo`: the world in a box. A carrier and the server start in a throw-away folder; alice and bob are created and
//! connected through the HTTP API; a caller rings alice and says what it is about; then alice calls bob. Each step is printed as
//! it happens. With `--firestore` the users live in the lab's Firestore, where bob's greeting is changed between the calls.
//!
//! | module | holds |
//! |---|---|
//! | `stage` | carrier, server and HTTP client, on free ports |
//! | `narrator` | events into lines for people |
//! | `verdict` | what the recordings hold |
//! | `stand_in` | the lab's Gemini Live and OpenAI Realtime, with a conversation to hold |
//! | `cloud` | the lab's Firestore, and somebody at its console |

mod cloud;
mod narrator;
mod stage;
mod stand_in;
mod verdict;

use super::terminal::say;
use anyhow::{Context, bail};
use callie_domain::CallId;
use callie_domain::record::Cdr;
use callie_lab::{
    analysis,
    phone::{Phone, PhoneOptions, Step},
    samples::Line,
};
use narrator::Narrator;
use stage::Stage;
use std::{sync::Arc, time::Duration};

/// After so much silence the caller takes her turn.
const PAUSE: Duration = Duration::from_millis(1_500);
/// The longest a call of the demo may take.
const CALL_DEADLINE: Duration = Duration::from_secs(90);

/// Who talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Talker {
    Local,
    Gemini,
    #[value(name = "openai")]
    OpenAi,
}

/// The offline engine's voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DemoVoice {
    Flite,
    Kokoro,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// It stays up afterwards, until Ctrl-C.
    pub keep: bool,
    /// The users live in a Firestore, not in the embedded database.
    pub firestore: bool,
    pub talker: Talker,
    pub voice: DemoVoice,
}

/// Runs the demo to its end.
pub async fn run(plan: Plan) -> anyhow::Result<()> {
    let Plan { keep, talker, .. } = plan;
    let stage = Stage::set(&plan).await?;
    say(&format!(
        "Callie Caller demo: no account, no key, no network.\n  carrier  sip:{}\n  server   http://{}   SIP on {}\n  folder   {}\n  users    {}\n  talks    {}\n\n",
        stage.carrier.address(),
        stage.app.http_address,
        stage.app.sip_address,
        stage.folder.display(),
        stage.users_words(),
        stage.talker_words(),
    ))?;
    let mut narrator = Narrator::start(stage.app.live());
    let result = play(&stage, &mut narrator, talker).await;
    if keep && result.is_ok() {
        stay(&stage).await?;
    }
    let folder = stage.folder.clone();
    stage.strike().await;
    result?;
    say(&format!(
        "\nAll done. Database, sealed recordings and copies to listen to stay in {} until you delete it.\n",
        folder.display()
    ))
}

async fn play(stage: &Stage, narrator: &mut Narrator, talker: Talker) -> anyhow::Result<()> {
    narrator.heading("1. Two users are created through the API and connected")?;
    stage.create_user("alice", "Alice Johnson", "Hi! This is Alice's AI assistant. How can I help you?").await?;
    stage.create_user("bob", "Bob Miller", "Hello, you have reached Bob's assistant.").await?;
    for user in ["alice", "bob"] {
        stage.connect(user).await?;
        narrator.until_registered(user).await?;
    }
    if let Some(cloud) = &stage.cloud {
        say(&format!("\nIn Firestore alice is this document:\n{}\n", cloud.shown("alice")?))?;
    }

    narrator.heading("2. Maria, a caller on the telephone network, rings alice")?;
    let inbound = maria_calls(stage, narrator).await.context("the inbound call failed")?;

    if let Some(cloud) = &stage.cloud {
        narrator.heading("   Somebody changes bob's greeting in Firebase's console")?;
        let greeting = "Hello from the console. You have reached Bob's assistant.";
        let seconds = stage.change_at_console(cloud, "bob", greeting).await?.as_secs_f64();
        narrator.line("bob", &format!("the greeting of the console is in force after {:.0} ms", seconds * 1_000.0))?;
    }

    let mut records = vec![inbound];
    if talker == Talker::Local {
        narrator.heading("3. Alice calls bob: POST /users/alice/call")?;
        let message = "Hello from Alice's AI assistant! The meeting is moved to ten o'clock.";
        let call = stage.dial("alice", "bob", message).await?;
        let outbound = narrator.until_ended(|cdr| cdr.id == call, CALL_DEADLINE).await.context("the outbound call failed")?;
        records.push(outbound);
        records.push(narrator.until_ended(|cdr| cdr.user_id.as_str() == "bob", CALL_DEADLINE).await?);
    } else {
        narrator.heading("3. (Alice calls bob is left out: the stand-in knows Maria's lines only.)")?;
    }

    narrator.heading("4. What is kept (stereo: left the other side, right Callie)")?;
    for cdr in &records {
        show_record(stage, cdr).await?;
    }
    Ok(())
}

async fn maria_calls(stage: &Stage, narrator: &mut Narrator) -> anyhow::Result<Cdr> {
    let steps = [
        Step::WaitAnswer,
        Step::WaitSilence { after: PAUSE },
        Step::Play(in_one_breath(&[Line::Maria1, Line::Maria2])),
        Step::WaitSilence { after: PAUSE },
        Step::Play(Line::Maria3.samples()),
        Step::WaitHangUp,
    ];
    let options =
        PhoneOptions { display_name: Some("Maria Lopez".into()), ..PhoneOptions::new(stage.carrier.address(), "maria") };
    let phone = Phone::call(&options, "alice", steps).await.context("the caller's telephone does not start")?;
    let cdr = narrator.until_ended(|cdr| cdr.user_id.as_str() == "alice", CALL_DEADLINE).await?;
    let report = phone.finished().await.context("the caller's telephone ended without a report")?;
    let milliseconds = |d: Duration| d.as_secs_f32() * 1_000.0;
    narrator.line(
        "maria",
        &format!(
            "heard {} packets, {} lost, spacing p50 {:.1} ms, p99 {:.1} ms",
            report.rtp.packets,
            report.rtp.lost,
            milliseconds(report.rtp.gap_p50),
            milliseconds(report.rtp.gap_p99),
        ),
    )?;
    Ok(cdr)
}

/// Lines without the silence around them, a fifth of a second apart.
fn in_one_breath(lines: &[Line]) -> Arc<[i16]> {
    let mut speech = Vec::new();
    for line in lines {
        let samples = line.samples();
        let voiced = analysis::segments(&samples, 300);
        let (from, to) = (voiced.first().map_or(0, |s| s.start), voiced.last().map_or(samples.len(), |s| s.end));
        speech.extend_from_slice(samples.get(from..to).unwrap_or_default());
        speech.extend(std::iter::repeat_n(0, analysis::SAMPLE_RATE_HZ / 5));
    }
    speech.into()
}

async fn show_record(stage: &Stage, cdr: &Cdr) -> anyhow::Result<()> {
    let path = stage.copy(cdr).await?;
    let voices = verdict::voices(&path)?;
    if voices.left_s < 1.0 || voices.right_s < 1.0 {
        bail!("a voice is missing in {}: left {:.1} s, right {:.1} s", path.display(), voices.left_s, voices.right_s);
    }
    let end = cdr.termination.as_ref().context("a call of the demo has no end")?;
    say(&format!(
        "  {} {:?} {} → {}: {} ({:.1} s)\n    {}  voices: left {:.1} s, right {:.1} s\n",
        cdr.user_id,
        cdr.direction,
        cdr.from,
        cdr.to,
        end.reason.text(),
        cdr.talk_ms().unwrap_or(0) as f32 / 1_000.0,
        path.display(),
        voices.left_s,
        voices.right_s,
    ))
}

/// `--keep`: how to use what is running, then wait for Ctrl-C.
async fn stay(stage: &Stage) -> anyhow::Result<()> {
    let carrier = stage.carrier.address();
    say(&format!(
        "\nStill running until Ctrl-C. Ring alice with a softphone: account softphone, password softphone, server {carrier} (UDP or TCP),\n  then dial alice or bob. Or with curl:\n  curl http://{0}/admin/status\n  curl -X POST http://{0}/users/alice/call -d '{{\"number\": \"softphone\", \"message\": \"Hello!\"}}'\n  curl http://{0}/calls\n  curl -N http://{0}/events\n",
        stage.app.http_address
    ))?;
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")
}

/// The id in an answer to a call request.
fn call_id(answer: &serde_json::Value) -> anyhow::Result<CallId> {
    let id = answer.get("call_id").and_then(|id| id.as_str()).context("the answer has no call_id")?;
    Ok(id.parse()?)
}
