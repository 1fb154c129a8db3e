//! The telephone's ear: RTP packets in; what was heard, and how well it came, out.

use super::report::RtpReport;
use super::voice::key_of;
use crate::analysis;
use callie_media::FRAME_SAMPLES;
use callie_media::codec::G711;
use callie_media::rtp::header::RtpPacket;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// A timestamp this far off is a fault of the sender, not a pause: 30 s at 8 kHz.
const LONGEST_JUMP: i64 = 30 * 8000;
/// Samples are kept up to this: half an hour.
const LONGEST_RECORDING: usize = 30 * 60 * 8000;

#[derive(Debug)]
pub(super) struct Ear {
    opened: Instant,
    event_type: Option<u8>,
    heard: Vec<i16>,
    stream: Option<Stream>,
    /// Arrivals of packets with a voice in them.
    voiced: Vec<Instant>,
    spoken: bool,
    gaps_us: Vec<u32>,
    keys: String,
    last_key_at: Option<u32>,
    report: RtpReport,
}

/// One SSRC.
#[derive(Debug)]
struct Stream {
    ssrc: u32,
    /// Where timestamp `first_timestamp` lies in `heard`.
    begins_at: usize,
    first_timestamp: u32,
    first_sequence: i64,
    highest_sequence: i64,
    seen: HashSet<i64>,
    last: Last,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: Instant,
    timestamp: u32,
    samples: u32,
    speech: bool,
}

impl Ear {
    pub fn new(now: Instant) -> Self {
        Self {
            opened: now,
            event_type: None,
            heard: Vec::new(),
            stream: None,
            voiced: Vec::new(),
            spoken: false,
            gaps_us: Vec::new(),
            keys: String::new(),
            last_key_at: None,
            report: RtpReport::default(),
        }
    }

    pub fn set_event_type(&mut self, event_type: Option<u8>) {
        self.event_type = event_type;
    }

    /// The other side has spoken since this was last asked with `true`.
    pub fn has_spoken(&self) -> bool {
        self.spoken
    }

    pub fn forget_spoken(&mut self) {
        self.spoken = false;
    }

    /// How long nothing with a voice in it has come.
    pub fn silent_for(&self, now: Instant) -> Duration {
        now.duration_since(*self.voiced.last().unwrap_or(&self.opened))
    }

    /// All that was heard so far, at 8 kHz.
    pub fn heard(&self) -> &[i16] {
        &self.heard
    }

    pub fn hear(&mut self, datagram: &[u8], now: Instant) {
        let Ok(packet) = RtpPacket::parse(datagram) else {
            self.report.garbage += 1;
            return;
        };
        self.report.packets += 1;
        *self.report.payload_types.entry(packet.header.payload_type).or_default() += 1;
        self.report.markers += u64::from(packet.header.marker);
        self.report.first_after.get_or_insert(now.duration_since(self.opened));
        self.report.last_after = Some(now.duration_since(self.opened));
        let speech = G711::from_payload_type(packet.header.payload_type);
        if self.note_arrival(&packet, speech.is_some(), now) {
            match speech {
                Some(codec) => self.keep_speech(codec, &packet, now),
                None if Some(packet.header.payload_type) == self.event_type => self.note_key(&packet),
                None => self.report.garbage += 1,
            }
        }
    }

    /// Sequence, timestamp and spacing. `false` for a duplicate.
    fn note_arrival(&mut self, packet: &RtpPacket<'_>, speech: bool, now: Instant) -> bool {
        let header = packet.header;
        let samples = if speech { u32::try_from(packet.payload.len()).unwrap_or_default() } else { 0 };
        let last = Last { at: now, timestamp: header.timestamp, samples, speech };
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == header.ssrc) else {
            self.begin_stream(packet, last);
            return true;
        };
        let step = i64::from(header.sequence.wrapping_sub(stream.highest_sequence as u16) as i16);
        let sequence = stream.highest_sequence + step;
        if !stream.seen.insert(sequence) {
            self.report.duplicates += 1;
            return false;
        }
        if step < 0 {
            self.report.reordered += 1;
            stream.first_sequence = stream.first_sequence.min(sequence);
            return true;
        }
        if step == 1 && speech && stream.last.speech {
            if header.timestamp == stream.last.timestamp.wrapping_add(stream.last.samples) {
                self.gaps_us.push(u32::try_from(now.duration_since(stream.last.at).as_micros()).unwrap_or(u32::MAX));
            } else {
                self.report.timestamp_jumps += 1;
            }
        }
        stream.highest_sequence = sequence;
        stream.last = last;
        true
    }

    fn begin_stream(&mut self, packet: &RtpPacket<'_>, last: Last) {
        if let Some(old) = self.stream.take() {
            self.report.ssrc_changes += 1;
            self.report.lost += old.lost();
        }
        let first = self.report.first_after.unwrap_or_default();
        let by_clock = (last.at.duration_since(self.opened).saturating_sub(first).as_millis() * 8) as usize;
        let sequence = i64::from(packet.header.sequence);
        self.stream = Some(Stream {
            ssrc: packet.header.ssrc,
            begins_at: self.heard.len().max(by_clock.min(LONGEST_RECORDING)),
            first_timestamp: packet.header.timestamp,
            first_sequence: sequence,
            highest_sequence: sequence,
            seen: HashSet::from([sequence]),
            last,
        });
    }

    fn keep_speech(&mut self, codec: G711, packet: &RtpPacket<'_>, now: Instant) {
        let mut samples = vec![0; packet.payload.len()];
        codec.decode_i16(packet.payload, &mut samples);
        if analysis::is_voiced(&samples) {
            self.note_voice(now);
            self.spoken = true;
        }
        let Some(stream) = &self.stream else { return };
        let offset = i64::from(packet.header.timestamp.wrapping_sub(stream.first_timestamp) as i32);
        let wanted = stream.begins_at as i64 + offset;
        let end = self.heard.len() as i64;
        let at = if (0..=end + LONGEST_JUMP).contains(&wanted) { wanted as usize } else { self.heard.len() };
        let needed = at + samples.len();
        if needed > LONGEST_RECORDING {
            return;
        }
        if self.heard.len() < needed {
            self.heard.resize(needed, 0);
        }
        if let Some(place) = self.heard.get_mut(at..needed) {
            place.copy_from_slice(&samples);
        }
    }

    /// Of a recording that is full, only the newest is kept.
    fn note_voice(&mut self, now: Instant) {
        if self.voiced.len() >= LONGEST_RECORDING / FRAME_SAMPLES {
            self.voiced.pop();
        }
        self.voiced.push(now);
    }

    pub fn take_voiced(&mut self) -> Vec<Instant> {
        std::mem::take(&mut self.voiced)
    }

    /// A key counts once, at the end of its event (RFC 4733 §2.3.5).
    fn note_key(&mut self, packet: &RtpPacket<'_>) {
        let &[event, flags, ..] = packet.payload else { return };
        if flags & 0x80 != 0 && self.last_key_at != Some(packet.header.timestamp) {
            self.last_key_at = Some(packet.header.timestamp);
            self.keys.extend(key_of(event));
        }
    }

    /// All that was heard at 8 kHz, the keys pressed, and the figures.
    pub fn finish(mut self) -> (Vec<i16>, String, RtpReport) {
        if let Some(stream) = &self.stream {
            self.report.lost += stream.lost();
        }
        self.report.set_gaps(self.gaps_us);
        (self.heard, self.keys, self.report)
    }
}

impl Stream {
    fn lost(&self) -> u64 {
        let expected = self.highest_sequence - self.first_sequence + 1;
        u64::try_from(expected).unwrap_or_default().saturating_sub(self.seen.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::voice::Mouth;

    /// Packets 0.. of a steady 400 Hz tone, each 20 ms after the one before.
    fn packets(count: usize) -> Vec<Vec<u8>> {
        let mut mouth = Mouth::new(G711::Pcmu, Some(101));
        let tone = analysis::tone(400.0, count * FRAME_SAMPLES, 8000.0);
        let (frames, _) = tone.as_chunks::<FRAME_SAMPLES>();
        frames.iter().flat_map(|frame| mouth.speak(frame)).collect()
    }

    fn check(order: &[usize], packets_wanted: u64, lost: u64, reordered: u64, duplicates: u64) {
        let (packets, start) = (packets(10), Instant::now());
        let mut ear = Ear::new(start);
        for (tick, which) in order.iter().enumerate() {
            ear.hear(&packets[*which], start + Duration::from_millis(20) * tick as u32);
        }
        let (heard, _, report) = ear.finish();
        assert_eq!(
            (report.packets, report.lost, report.reordered, report.duplicates),
            (packets_wanted, lost, reordered, duplicates)
        );
        assert_eq!(heard.len(), 1600, "{order:?}");
    }

    #[test]
    fn loss_order_and_repeats_are_counted() {
        check(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10, 0, 0, 0);
        check(&[0, 1, 2, 5, 6, 7, 8, 9], 8, 2, 0, 0);
        check(&[0, 1, 3, 2, 4, 5, 5, 6, 7, 8, 9], 11, 0, 1, 1);
    }

    #[test]
    fn keys_are_heard_once_each_and_speech_is_noticed() {
        let start = Instant::now();
        let (mut mouth, mut ear) = (Mouth::new(G711::Pcma, Some(101)), Ear::new(start));
        ear.set_event_type(Some(101));
        for key in "12#".chars() {
            mouth.press(key);
            for _ in 0..8 {
                mouth.speak(&[0; FRAME_SAMPLES]).iter().for_each(|packet| ear.hear(packet, start));
            }
        }
        assert!(!ear.has_spoken());
        mouth.speak(&[9000; FRAME_SAMPLES]).iter().for_each(|packet| ear.hear(packet, start));
        assert!(ear.has_spoken());
        ear.hear(b"junk", start);
        let (_, keys, report) = ear.finish();
        assert_eq!((keys.as_str(), report.lost, report.timestamp_jumps, report.garbage), ("12#", 0, 0, 1));
    }
}
