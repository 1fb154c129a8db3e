//! Figures of many calls: spans of time that they are grouped by, and how long lines were registered in each.
//!
//! Calls are added up by the quarter of an hour in which they began, so that an hour, a day and a week of any zone are made of whole
//! quarters.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Unit, Zoned, ZonedRound};

pub const QUARTER_MS: i64 = 15 * 60 * 1_000;
/// Groups of one question: a year of days, six weeks of hours.
pub const MOST_GROUPS: usize = 1_100;

/// What calls are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Hour,
    Day,
    /// From Monday.
    Week,
    /// Everything is one.
    All,
}

/// From, and until before.
pub type Span = (Timestamp, Timestamp);

/// The whole quarters that this span is in.
pub fn whole_quarters((from, until): Span) -> Span {
    let floor = |ms: i64| ms.div_euclid(QUARTER_MS) * QUARTER_MS;
    let at = |ms: i64, or: Timestamp| Timestamp::from_millisecond(ms).unwrap_or(or);
    (at(floor(from.as_millisecond()), from), at(floor(until.as_millisecond().saturating_add(QUARTER_MS - 1)), until))
}

/// The groups of a span, in order; the first and the last may be parts. `None` when there are too many.
pub fn groups((from, until): Span, group: Group, zone: &TimeZone) -> Option<Vec<Span>> {
    let mut groups = Vec::new();
    let mut begin = from;
    while begin < until {
        let end = next(begin, group, zone).filter(|next| *next > begin).unwrap_or(until).min(until);
        if groups.len() == MOST_GROUPS {
            return None;
        }
        groups.push((begin, end));
        begin = end;
    }
    Some(groups)
}

/// Where the group of this time ends.
fn next(at: Timestamp, group: Group, zone: &TimeZone) -> Option<Timestamp> {
    let local: Zoned = at.to_zoned(zone.clone());
    let next = match group {
        Group::All => return None,
        // By the clock on the wall: of zones that are half an hour off, too.
        Group::Hour => {
            let hour = local.round(ZonedRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Trunc)).ok()?;
            hour.checked_add(1.hour()).ok()?
        }
        Group::Day => local.tomorrow().ok()?.start_of_day().ok()?,
        Group::Week => {
            let days = 7 - i64::from(local.weekday().to_monday_zero_offset());
            local.checked_add(days.days()).ok()?.start_of_day().ok()?
        }
    };
    Some(next.timestamp())
}

/// A time in which a line was watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineSpan {
    pub from_ms: i64,
    pub until_ms: i64,
    pub is_registered: bool,
}

/// How long lines were watched, and registered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uptime {
    pub watched_ms: i64,
    pub registered_ms: i64,
}

impl Uptime {
    /// Registered, of what was watched: 0 to 1.
    pub fn share(self) -> Option<f64> {
        (self.watched_ms > 0).then(|| self.registered_ms as f64 / self.watched_ms as f64)
    }

    fn add(&mut self, ms: i64, is_registered: bool) {
        self.watched_ms += ms;
        self.registered_ms += if is_registered { ms } else { 0 };
    }
}

/// Of each group, which follow one another without a gap. Takes a look at each span's ends, and at each group once.
pub fn uptimes(groups: &[Span], spans: &[LineSpan]) -> Vec<Uptime> {
    let edges: Vec<i64> = groups.iter().map(|(from, _)| from.as_millisecond()).collect();
    let Some(end) = groups.last().map(|(_, until)| until.as_millisecond()) else { return Vec::new() };
    let mut uptimes = vec![Uptime::default(); groups.len()];
    // How many spans cover a group whole: changes from one group to the next.
    let mut whole = vec![[0i64; 2]; groups.len() + 1];
    for span in spans {
        let (from, until) = (span.from_ms.max(edges[0]), span.until_ms.min(end));
        if from >= until {
            continue;
        }
        let first = edges.partition_point(|edge| *edge <= from) - 1;
        let last = edges.partition_point(|edge| *edge < until) - 1;
        let edge = |at: usize| edges.get(at).copied().unwrap_or(end);
        if first == last {
            uptimes[first].add(until - from, span.is_registered);
            continue;
        }
        uptimes[first].add(edge(first + 1) - from, span.is_registered);
        uptimes[last].add(until - edge(last), span.is_registered);
        whole[first + 1][usize::from(span.is_registered)] += 1;
        whole[last][usize::from(span.is_registered)] -= 1;
    }
    let mut covering = [0i64; 2];
    for (at, uptime) in uptimes.iter_mut().enumerate() {
        (covering[0], covering[1]) = (covering[0] + whole[at][0], covering[1] + whole[at][1]);
        let length = edges.get(at + 1).copied().unwrap_or(end) - edges[at];
        uptime.watched_ms += (covering[0] + covering[1]) * length;
        uptime.registered_ms += covering[1] * length;
    }
    uptimes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("a zone")
    }

    #[test]
    fn groups_begin_where_the_zone_says() {
        for (from, until, group, name, want) in [
            ("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z", Group::Hour, "UTC", vec!["01:00"]),
            ("2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z", Group::Hour, "Asia/Kolkata", vec!["00:30", "01:30"]),
            ("2026-01-01T10:00:00Z", "2026-01-03T10:00:00Z", Group::Day, "Europe/Vienna", vec!["01T23:00", "02T23:00"]),
            // The clock goes forward: a day of 23 hours.
            ("2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z", Group::Day, "Europe/Vienna", vec!["29T22:00"]),
            // And back: 2 o'clock comes twice.
            ("2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", Group::Hour, "Europe/Vienna", vec!["01:00", "02:00"]),
            // A Thursday.
            ("2026-01-01T12:00:00Z", "2026-01-13T00:00:00Z", Group::Week, "UTC", vec!["05T00:00", "12T00:00"]),
            ("2026-01-01T12:00:00Z", "2026-09-13T00:00:00Z", Group::All, "UTC", vec![]),
        ] {
            let groups = groups((at(from), at(until)), group, &zone(name)).expect("not too many");
            assert_eq!((groups[0].0, groups[groups.len() - 1].1), (at(from), at(until)));
            assert!(groups.windows(2).all(|pair| pair[0].1 == pair[1].0), "without a gap");
            let inner: Vec<String> = groups[1..].iter().map(|(from, _)| from.to_string()).collect();
            assert!(
                inner.len() == want.len() && inner.iter().zip(&want).all(|(got, want)| got.contains(want)),
                "{name}: {inner:?}"
            );
        }
        assert_eq!(groups((at("2020-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")), Group::Hour, &zone("UTC")), None);
        assert_eq!(groups((at("2026-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")), Group::Day, &zone("UTC")), Some(vec![]));
    }

    #[test]
    fn a_span_is_taken_to_whole_quarters() {
        let span = whole_quarters((at("2026-01-01T00:14:59Z"), at("2026-01-01T00:15:01Z")));
        assert_eq!(span, (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:30:00Z")));
        assert_eq!(whole_quarters(span), span);
    }

    proptest! {
        #[test]
        fn uptimes_are_what_counting_each_overlap_gives(
            lengths in prop::collection::vec(1i64..50, 1..12),
            spans in prop::collection::vec((-20i64..400, 0i64..300, any::<bool>()), 0..30),
        ) {
            let time = |ms| Timestamp::from_millisecond(ms).expect("a time");
            let mut begin = 0;
            let groups: Vec<Span> = lengths.iter().map(|length| {
                let group = (time(begin), time(begin + length));
                begin += length;
                group
            }).collect();
            let spans: Vec<LineSpan> = spans.into_iter()
                .map(|(from_ms, length, is_registered)| LineSpan { from_ms, until_ms: from_ms + length, is_registered }).collect();
            let want: Vec<Uptime> = groups.iter().map(|(from, until)| {
                let mut uptime = Uptime::default();
                for span in &spans {
                    let overlap = span.until_ms.min(until.as_millisecond()) - span.from_ms.max(from.as_millisecond());
                    uptime.add(overlap.max(0), span.is_registered);
                }
                uptime
            }).collect();
            prop_assert_eq!(uptimes(&groups, &spans), want);
        }
    }
}
