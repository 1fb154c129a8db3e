//! What readings mean. Pure: numbers and times in, a verdict out.

use super::Verdict;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A media thread ticks so often.
const TICK: Duration = Duration::from_millis(5);
const MIB: u64 = 1 << 20;
/// Of the disk of the data folder: below the first it warns, below the second no record can be relied on.
const LITTLE_DISK: u64 = 1_024 * MIB;
const NO_DISK: u64 = 64 * MIB;
const SOON: SignedDuration = SignedDuration::from_hours(24 * 14);
/// A failure of an engine worries for so long, unless it has been well since.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// Ticks of each media thread within `elapsed`.
pub fn media(ticks: &[u64], elapsed: Duration) -> Verdict {
    let due = u64::try_from(elapsed.as_millis() / TICK.as_millis()).unwrap_or(0);
    let still = ticks.iter().filter(|ticks| **ticks == 0).count();
    let slowest = ticks.iter().min().copied().unwrap_or(0);
    let remedy = "restart the server, and report this: audio of its calls stands still";
    let is_late = slowest * 10 < due * 8;
    match (still, is_late) {
        (0, false) => Verdict::PASSED,
        (0, true) => Verdict::warning(
            format!("the media threads are late: {slowest} of {due} beats"),
            "fewer calls on this machine, more cores, or real-time priority (LimitRTPRIO)",
        ),
        _ => Verdict::failed(format!("{still} of {} media threads stand still", ticks.len()), remedy),
    }
}

/// Bytes that are free where database and recordings are.
pub fn disk(free: u64) -> Verdict {
    let reason = || format!("{} MiB are free where records and recordings are kept", free / MIB);
    let remedy = "make room on the disk of CALLIE_DATA_DIR, or set calls.retention_days of users";
    match free {
        0..NO_DISK => Verdict::failed(reason(), remedy),
        NO_DISK..LITTLE_DISK => Verdict::warning(reason(), remedy),
        _ => Verdict::passed(reason()),
    }
}

/// Recordings on their way into the bucket, and whether it takes them.
pub fn recordings(waiting: u64, is_away: bool) -> Verdict {
    match is_away {
        false => Verdict::passed(format!("recordings that wait for their bucket: {waiting}")),
        true => Verdict::warning(
            format!("the bucket takes no recordings; on the disk wait: {waiting}"),
            "recordings.problem of GET /admin/status has the reason; keep an eye on the disk meanwhile",
        ),
    }
}

/// Whether the keys can be read anew.
pub fn keyring(is_readable: bool) -> Verdict {
    match is_readable {
        true => Verdict::PASSED,
        false => Verdict::warning(
            "the key file cannot be read: the server has its keys in memory, the next start would fail",
            "put the file back where CALLIE_KEYRING_FILE says, readable for the server's user",
        ),
    }
}

/// The one that ends first of those that are shown. `None`: it cannot be read.
pub fn certificate(until: Option<Timestamp>, now: Timestamp) -> Verdict {
    let remedy = "renew the certificate; its files are read again by themselves";
    let Some(until) = until else {
        return Verdict::warning("a certificate cannot be read: the one of before goes on", "look at the certificate's files");
    };
    let left = until.duration_since(now);
    match left {
        left if left <= SignedDuration::ZERO => Verdict::warning(format!("a certificate has been invalid since {until}"), remedy),
        left if left < SOON => Verdict::warning(format!("a certificate is valid until {until} only"), remedy),
        _ => Verdict::passed(format!("valid until {until}")),
    }
}

/// What an engine has shown of itself in calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineNews {
    pub well_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    pub cause: String,
}

/// `engines` by name.
pub fn engines<'a>(engines: impl IntoIterator<Item = (&'a String, &'a EngineNews)>, now: Timestamp) -> Verdict {
    let failing = engines.into_iter().filter_map(|(name, news)| {
        let at = news.failed_at.filter(|at| news.well_at.is_none_or(|well| well < *at))?;
        let well = news.well_at.map_or("not since the start".to_owned(), |at| format!("last at {at}"));
        (now.duration_since(at) < FRESH).then(|| format!("{name} failed at {at} ({}); well {well}", news.cause))
    });
    let failing: Vec<String> = failing.collect();
    match failing.is_empty() {
        true => Verdict::PASSED,
        false => Verdict::warning(
            failing.join("; "),
            "engine_failures of the calls have the remedy; POST /users/{id}/ai/check tries the engine; others take over meanwhile",
        ),
    }
}

/// Lines that run, and those of them that are registered or are about to be.
pub fn lines(connected: usize, down: usize) -> Verdict {
    let reason = format!("{} of {connected} lines are not down", connected.saturating_sub(down));
    match connected > 0 && down * 2 > connected {
        false => Verdict::passed(reason),
        true => Verdict::warning(
            reason,
            "when lines of several providers are down it is this server's network or DNS; callie doctor looks at one line",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status::{self, Failed, Passed, Warning};
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn check(what: &str, verdict: &Verdict, wanted: Status) {
        assert_eq!(verdict.status, wanted, "{what}: {verdict:?}");
        assert_eq!(verdict.remedy.is_some(), wanted != Passed, "{what}: what is amiss has a remedy");
    }

    #[test]
    fn media_threads_keep_their_beat() {
        for (ticks, wanted) in [
            (vec![400, 400], Passed),
            (vec![330, 400], Passed),
            (vec![310, 400], Warning),
            (vec![400, 0], Failed),
            (vec![0, 0], Failed),
        ] {
            check(&format!("{ticks:?}"), &media(&ticks, Duration::from_secs(2)), wanted);
        }
    }

    #[test]
    fn a_disk_warns_before_it_is_full() {
        for (free, wanted) in
            [(MIB * 5_000, Passed), (LITTLE_DISK, Passed), (LITTLE_DISK - 1, Warning), (NO_DISK, Warning), (NO_DISK - 1, Failed)]
        {
            check(&free.to_string(), &disk(free), wanted);
        }
    }

    #[test]
    fn a_certificate_warns_two_weeks_before_its_end() {
        let now = at(1_800_000_000);
        let day = 86_400;
        for (days, wanted) in [(15, Passed), (13, Warning), (0, Warning), (-1, Warning)] {
            check(&format!("{days} days"), &certificate(Some(at(1_800_000_000 + days * day)), now), wanted);
        }
        check("unreadable", &certificate(None, now), Warning);
        check("no keys", &keyring(false), Warning);
        check("keys", &keyring(true), Passed);
    }

    #[test]
    fn a_bucket_that_is_away_is_told_however_little_waits() {
        check("behind", &recordings(100, false), Passed);
        check("away", &recordings(0, true), Warning);
    }

    #[test]
    fn an_engine_worries_until_it_is_well_again_or_nobody_asks_it_any_more() {
        let news = |well: Option<i64>, failed: Option<i64>| EngineNews {
            well_at: well.map(at),
            failed_at: failed.map(at),
            cause: "x".into(),
        };
        for (well, failed, now, wanted) in [
            (None, None, 10, Passed),
            (Some(5), None, 10, Passed),
            (None, Some(5), 10, Warning),
            (Some(4), Some(5), 10, Warning),
            (Some(6), Some(5), 10, Passed),
            (None, Some(5), 5 + 900, Passed),
        ] {
            let all = [("gemini".to_owned(), news(well, failed))];
            check(&format!("{all:?}"), &engines(all.iter().map(|(name, news)| (name, news)), at(now)), wanted);
        }
    }

    #[test]
    fn a_few_lines_that_are_down_are_their_users_matter() {
        for (connected, down, wanted) in [(0, 0, Passed), (1, 1, Warning), (2, 1, Passed), (10, 5, Passed), (10, 6, Warning)] {
            check(&format!("{down} of {connected}"), &lines(connected, down), wanted);
        }
    }
}
