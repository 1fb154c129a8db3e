//! The caller's half of a session: packets in, one decoded, concealed and resampled frame per beat out.

use super::{
    Beat, SessionParams,
    comfort::ComfortNoise,
    line::Line,
    marks::{CallerMarks, Mark},
};
use crate::{
    FRAME_SAMPLES, NARROWBAND_HZ,
    activity::rms,
    codec::{Codec, opus},
    dtmf::ToneDetector,
    jitter::{JitterBuffer, JitterStats, Pop, Pushed},
    playout::{LineRate, SpeechRate},
    progress::{self, ProgressListener},
    resample::{Down16To8, Up8To16, Up8To24, Up16To24},
    rtp::{RtpHeader, RtpPacket},
};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Caller {
    codec: Codec,
    clock: Clock,
    ssrc: Option<u32>,
    jitter: JitterBuffer,
    line: Line,
    comfort: Option<ComfortNoise>,
    marks: CallerMarks,
    ear: Ear,
    /// For the recorder and the tones, where the line has 16 kHz.
    narrow: Option<Box<Down16To8>>,
    /// `None` where keys are known to come as events.
    tones: Option<ToneDetector>,
    /// While the call wants to know what the network and whoever answers let hear.
    progress: Option<Box<ProgressListener>>,
}

/// What a beat brought besides sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Heard {
    /// The frame is of a packet, neither made up nor silence.
    pub came: bool,
    pub mark: Option<Mark>,
    /// A key by its tones.
    pub key: Option<char>,
}

/// From the line's rate to the ear's.
#[derive(Debug)]
enum Ear {
    Same,
    Narrow,
    From8To16(Up8To16),
    From8To24(Up8To24),
    From16To24(Box<Up16To24>),
}

/// Where a frame comes from.
enum Source {
    Packet { arrived: Duration },
    MadeUp,
    Nobody,
}

impl Caller {
    pub(super) fn new(params: &SessionParams) -> Self {
        let codec = params.codec;
        let ear = match (codec.rate(), params.ear_rate) {
            (LineRate::Hz8000, SpeechRate::Hz8000) | (LineRate::Hz16000, SpeechRate::Hz16000) => Ear::Same,
            (LineRate::Hz16000, SpeechRate::Hz8000) => Ear::Narrow,
            (LineRate::Hz8000, SpeechRate::Hz16000) => Ear::From8To16(Up8To16::new()),
            (LineRate::Hz8000, SpeechRate::Hz24000) => Ear::From8To24(Up8To24::new()),
            (LineRate::Hz16000, SpeechRate::Hz24000) => Ear::From16To24(Box::default()),
        };
        Self {
            codec,
            clock: Clock::new(codec.clock_hz()),
            ssrc: None,
            jitter: if codec == Codec::Opus { JitterBuffer::of_packets() } else { JitterBuffer::of_codes() },
            line: Line::new(codec),
            comfort: None,
            marks: CallerMarks::default(),
            ear,
            narrow: (codec.rate() == LineRate::Hz16000).then(Box::default),
            tones: Some(ToneDetector::new()),
            progress: None,
        }
    }

    /// A packet of speech that arrived at `now`. A new SSRC is a new stream with its own sequence numbers and timestamps
    /// (RFC 3550 §8).
    pub(super) fn push(&mut self, packet: &RtpPacket<'_>, now: Duration) {
        let RtpHeader { ssrc, sequence, timestamp, .. } = packet.header;
        if self.ssrc.replace(ssrc).is_some_and(|former| former != ssrc) {
            self.jitter.restart();
            self.line.restart();
        }
        let at = self.clock.units(timestamp);
        let pushed = match self.codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => self.jitter.push(sequence, at, packet.payload, now),
            Codec::Opus => match opus::duration(packet.payload) {
                Some(units) => self.jitter.push_packet(sequence, at, units, packet.payload, now),
                None => return self.jitter.observe(sequence),
            },
        };
        if pushed == Pushed::Restarted {
            self.line.restart();
        }
        if let Some(comfort) = &mut self.comfort {
            comfort.ends = true;
        }
    }

    /// A packet without speech. Gateways that send keys under an SSRC of their own number them on their own.
    pub(super) fn observe(&mut self, header: &RtpHeader) {
        if *self.ssrc.get_or_insert(header.ssrc) == header.ssrc {
            self.jitter.observe(header.sequence);
        }
    }

    /// The caller has fallen silent, and says how that sounds.
    pub(super) fn rest(&mut self, packet: &RtpPacket<'_>) {
        self.observe(&packet.header);
        if let Some(noise) = ComfortNoise::parse(packet.payload) {
            self.comfort = Some(noise);
            self.jitter.pause();
        }
    }

    /// Keys come as events: those heard in the speech would be the same.
    pub(super) fn trust_events(&mut self) {
        self.tones = None;
    }

    pub(super) fn listen(&mut self, listener: Option<Box<ProgressListener>>) {
        self.progress = listener;
    }

    /// What the listener has heard; ask after each beat until there is nothing.
    pub(super) fn progress(&mut self) -> Option<progress::Heard> {
        self.progress.as_mut()?.poll()
    }

    /// The frame to be heard at `now`, into the ear and the left channel of `beat`. `echo`: what came just before was our own, and
    /// marks nobody.
    pub(super) fn hear(&mut self, now: Duration, echo: bool, beat: &mut Beat) -> Heard {
        let mut frame = [0.0; 2 * FRAME_SAMPLES];
        let frame = &mut frame[..self.codec.rate().frame_samples()];
        let (mut source, mut level) = self.take(now, frame);
        if matches!(source, Source::Packet { .. }) && self.jitter.skips(level, now) {
            (source, level) = self.take(now, frame);
        }
        beat.ear_at = now;
        let came = matches!(source, Source::Packet { .. });
        let mark = match source {
            Source::Packet { arrived } => {
                self.line.hear(frame);
                beat.ear_at = arrived;
                if echo { self.marks.echo(now) } else { self.marks.hear(level, arrived, now) }
            }
            Source::MadeUp => self.marks.pass(now),
            Source::Nobody => {
                self.line.hear(frame);
                self.marks.pass(now)
            }
        };
        Heard { came, mark, key: self.give(frame, level, beat) }
    }

    /// The next frame, and its level if it is of a packet.
    fn take(&mut self, now: Duration, frame: &mut [f32]) -> (Source, f32) {
        match self.jitter.pop(now) {
            Pop::Frame { codes, at, arrived } => {
                match &mut self.line {
                    Line::G711 { law, .. } => law.decode(codes, frame),
                    Line::G722(line) => line.decode(codes, frame),
                    Line::Opus(line) => line.decode(at, &self.jitter, frame),
                }
                self.comfort = self.comfort.filter(|noise| !noise.ends);
                (Source::Packet { arrived }, rms(frame))
            }
            Pop::Conceal { next } => {
                self.line.conceal(next, frame);
                (Source::MadeUp, rms(frame))
            }
            Pop::Empty => {
                match &mut self.comfort {
                    Some(noise) => noise.fill(frame),
                    None => frame.fill(0.0),
                }
                (Source::Nobody, 0.0)
            }
        }
    }

    /// Into the ear and the left channel; gives a key that is heard.
    fn give(&mut self, frame: &[f32], level: f32, beat: &mut Beat) -> Option<char> {
        let mut brought_down = [0.0; FRAME_SAMPLES];
        let narrow = match (&mut self.narrow, frame.first_chunk()) {
            (None, Some(frame)) => frame,
            (down, _) => {
                if let Some(down) = down {
                    down.process(frame, &mut brought_down);
                }
                &brought_down
            }
        };
        beat.put_left(narrow);
        self.ear.hear(frame, narrow, beat);
        if let Some(progress) = &mut self.progress {
            progress.hear(narrow, level);
        }
        self.tones.as_mut()?.hear(narrow, level)
    }

    pub(super) fn stats(&self) -> JitterStats {
        self.jitter.stats()
    }
}

impl Ear {
    fn hear(&mut self, frame: &[f32], narrow: &[f32; FRAME_SAMPLES], beat: &mut Beat) {
        let mut samples = [0.0; 3 * FRAME_SAMPLES];
        let count = match self {
            Self::Same => return beat.put_ear(frame),
            Self::Narrow => return beat.put_ear(narrow),
            Self::From8To16(up) => up.process(frame, &mut samples[..2 * FRAME_SAMPLES]),
            Self::From8To24(up) => up.process(frame, &mut samples),
            Self::From16To24(up) => up.process(frame, &mut samples),
        };
        beat.put_ear(samples.get(..count).unwrap_or_default());
    }
}

/// Timestamps of the codec's clock at 8 kHz, over the wrap of either.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// Ticks in a sample at 8 kHz.
    ticks: u32,
    last: u32,
    /// Begins far from both ends.
    extended: u64,
}

impl Clock {
    fn new(hz: u32) -> Self {
        Self { ticks: hz / NARROWBAND_HZ, last: 0, extended: 1 << 62 }
    }

    fn units(&mut self, timestamp: u32) -> u32 {
        if self.ticks == 1 {
            return timestamp;
        }
        let step = timestamp.wrapping_sub(self.last) as i32;
        self.last = timestamp;
        self.extended = self.extended.wrapping_add_signed(step.into());
        (self.extended / u64::from(self.ticks)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_48_khz_go_on_at_8_over_the_wrap() {
        let mut clock = Clock::new(48_000);
        let first = u32::MAX - 2_000;
        let mut last = clock.units(first);
        for i in 1..100_u32 {
            let units = clock.units(first.wrapping_add(960 * i));
            assert_eq!(units.wrapping_sub(last), 160, "{i}");
            last = units;
        }
        // One that was overtaken.
        assert_eq!(last.wrapping_sub(clock.units(first.wrapping_add(960 * 96))), 480);
        assert_eq!(Clock::new(8_000).units(77), 77);
    }
}
