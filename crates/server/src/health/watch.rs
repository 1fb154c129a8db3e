//! Takes the readings that must not wait for anybody who asks: of the disk, of files, of the media threads' beat; and hears how the
//! engines fare in calls.

use super::judge::{self, EngineNews};
use super::{Board, Verdict, certificate};
use crate::exchange::LiveEvent;
use crate::records::Recordings;
use callie_domain::record::CallFact;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(2);

/// Ticks of each media thread since the start.
pub type Pulse = Arc<dyn Fn() -> Vec<u64> + Send + Sync>;

/// Lines that run, and how many of them are down.
pub type LineCount = Arc<dyn Fn() -> (usize, usize) + Send + Sync>;

/// See the module.
pub struct HealthWatch {
    pub board: Board,
    /// Where records and recordings are kept.
    pub folders: Vec<PathBuf>,
    pub recordings: Recordings,
    /// `None` where the key came from a setting.
    pub keyring: Option<PathBuf>,
    /// Of the API and of SIP.
    pub certificates: Vec<PathBuf>,
    pub pulse: Pulse,
    pub lines: LineCount,
    /// Cancelled when SIP has ended.
    pub sip: CancellationToken,
}

impl HealthWatch {
    /// For as long as it is awaited, or until the feed ends.
    pub async fn run(self, mut feed: Receiver<Arc<LiveEvent>>) {
        let watch = Arc::new(self);
        let mut engines: BTreeMap<String, EngineNews> = BTreeMap::new();
        let mut beats = (Instant::now(), (watch.pulse)());
        let mut due = interval(EVERY);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = due.tick() => {
                    watch.feel(&mut beats);
                    watch.board.put("engines", judge::engines(&engines, Timestamp::now()), Timestamp::now());
                    // Files may lie on a disk that hangs.
                    let looks = watch.clone();
                    let looked = tokio::task::spawn_blocking(move || looks.look());
                    let _ = tokio::time::timeout(EVERY, looked).await;
                }
                event = feed.recv() => match event {
                    Ok(event) => hear(&mut engines, &event),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// The beat of the media threads since the last time, and whether SIP runs.
    fn feel(&self, (since, before): &mut (Instant, Vec<u64>)) {
        let (now, ticks) = (Instant::now(), (self.pulse)());
        let elapsed = now.duration_since(*since);
        if elapsed >= EVERY / 2 {
            let beats: Vec<u64> = ticks.iter().zip(before.iter()).map(|(now, before)| now.saturating_sub(*before)).collect();
            self.board.put("media", judge::media(&beats, elapsed), Timestamp::now());
            (*since, *before) = (now, ticks);
        }
        let sip = match self.sip.is_cancelled() {
            false => Verdict::PASSED,
            true => Verdict::failed(
                "SIP has ended: neither lines nor calls can be kept",
                "restart the server; the log says why it ended",
            ),
        };
        self.board.put("sip", sip, Timestamp::now());
        let (connected, down) = (self.lines)();
        self.board.put("lines", judge::lines(connected, down), Timestamp::now());
        let state = self.recordings.state();
        if self.recordings.has_bucket() || state.problem.is_some() {
            self.board.put("recordings", judge::recordings(state.pending_uploads, state.problem.is_some()), Timestamp::now());
        }
    }

    fn look(&self) {
        let now = Timestamp::now();
        if let Some(free) = self.folders.iter().filter_map(|folder| free_bytes(folder)).min() {
            self.board.put("disk", judge::disk(free), now);
            self.board.note(|figures| figures.disk_free = Some(free as f64));
        }
        if let Some(file) = &self.keyring {
            self.board.put("keyring", judge::keyring(std::fs::File::open(file).is_ok()), now);
        }
        let ends: Vec<_> = self.certificates.iter().map(|file| certificate::valid_until(file)).collect();
        if let Some(first) = ends.into_iter().min() {
            self.board.put("certificate", judge::certificate(first, now), now);
            self.board.note(|figures| figures.certificate_until = first.map(|until| until.as_second() as f64));
        }
    }
}

fn hear(engines: &mut BTreeMap<String, EngineNews>, event: &LiveEvent) {
    let LiveEvent::Call { event, .. } = event else { return };
    match &event.fact {
        CallFact::AgentReady { engine, .. } => engines.entry(engine.clone()).or_default().well_at = Some(event.at),
        CallFact::EngineFailed { engine, cause, .. } => {
            let news = engines.entry(engine.clone()).or_default();
            (news.failed_at, news.cause) = (Some(event.at), cause.clone());
        }
        _ => {}
    }
}

/// What we may write there.
fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
