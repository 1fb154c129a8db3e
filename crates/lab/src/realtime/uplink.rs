//! What came up from the caller, with times.

use super::endpoint::{Endpoint, Voice};
use crate::analysis::{self, Match};
use callie_media::resample::Down16To8;
use std::time::{Duration, Instant};

/// Caller audio is kept at this rate, whatever rate was declared.
pub const UPLINK_RATE_HZ: usize = 16_000;
/// More onsets are not kept.
const MARKS: usize = 20_000;

/// What came up from the caller.
#[derive(Debug)]
pub struct Uplink {
    pub messages: u64,
    /// Samples at 16 kHz in all.
    pub samples: u64,
    pub first: Option<Instant>,
    pub last: Option<Instant>,
    /// The longest time between two audio messages.
    pub largest_gap: Duration,
    /// When the message came with which a voice began: 60 ms of it after silence.
    pub onsets: Vec<Instant>,
    /// The message's arrival, and where its samples begin in `audio`.
    pub arrivals: Vec<(Instant, usize)>,
    /// The audio at 16 kHz, up to the length that is kept.
    pub audio: Vec<i16>,
    keep_samples: usize,
}

impl Uplink {
    pub(crate) fn new(keep: Duration) -> Self {
        Self {
            messages: 0,
            samples: 0,
            first: None,
            last: None,
            largest_gap: Duration::ZERO,
            onsets: Vec::new(),
            arrivals: Vec::new(),
            audio: Vec::new(),
            keep_samples: (keep.as_secs_f64() * UPLINK_RATE_HZ as f64) as usize,
        }
    }

    pub(crate) fn hear(&mut self, samples: &[i16], now: Instant) {
        self.messages += 1;
        self.samples += samples.len() as u64;
        if let Some(last) = self.last {
            self.largest_gap = self.largest_gap.max(now - last);
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
        let room = self.keep_samples.saturating_sub(self.audio.len());
        if room > 0 {
            self.arrivals.push((now, self.audio.len()));
            self.audio.extend_from_slice(samples.get(..samples.len().min(room)).unwrap_or_default());
        }
    }

    pub(crate) fn voice_began(&mut self, now: Instant) {
        if self.onsets.len() < MARKS {
            self.onsets.push(now);
        }
    }

    /// How much audio came.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples * 1_000_000 / UPLINK_RATE_HZ as u64)
    }

    /// Time between the first message and the last.
    pub fn elapsed(&self) -> Duration {
        self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last - first)
    }

    /// The audio kept, as a telephone hears it: 8 kHz.
    pub fn narrow(&self) -> Vec<i16> {
        let wide: Vec<f32> = self.audio.iter().copied().map(f32::from).collect();
        let mut narrow = vec![0.0; wide.len() / 2];
        Down16To8::new().process(&wide, &mut narrow);
        narrow.into_iter().map(|sample| sample as i16).collect()
    }

    /// Where a line (8 kHz) fits best into what was heard; [`Match::at`] is in samples at 8 kHz.
    pub fn find(&self, line: &[i16]) -> Option<Match> {
        analysis::find(line, &self.narrow())
    }

    /// Was this line (8 kHz) said?
    pub fn contains(&self, line: &[i16]) -> bool {
        analysis::contains(line, &self.narrow())
    }

    /// When the message arrived in which this sample (16 kHz) was.
    pub fn arrival_of(&self, sample: usize) -> Option<Instant> {
        let after = self.arrivals.partition_point(|(_, from)| *from <= sample);
        self.arrivals.get(after.checked_sub(1)?).map(|(at, _)| *at)
    }

    /// The utterances in what was kept, as the fake's own ear cuts them.
    pub fn utterances(&self, silence: Duration) -> usize {
        let mut endpoint = Endpoint::new(silence);
        endpoint.hear(&self.audio).into_iter().filter(|voice| *voice == Voice::Began).count()
    }
}
