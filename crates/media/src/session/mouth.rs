//! The agent's half of a session: speech, keys and tones in; packets of one continuous stream out.

use super::{Beat, PLAYOUT_CHUNKS, SessionParams, packer::Packer};
use crate::{
    FRAME_SAMPLES,
    activity::rms,
    dtmf::{DtmfWay, ToneSender},
    playout::{LineRate, Playout},
    resample::Down16To8,
    rtp::{DtmfSender, RtpHeader},
};

#[derive(Debug)]
pub(super) struct Mouth {
    rate: LineRate,
    pub playout: Playout,
    packer: Packer,
    /// For the recorder, where the line has 16 kHz.
    narrow: Option<Box<Down16To8>>,
    events: DtmfSender,
    event_payload_type: Option<u8>,
    tones: ToneSender,
    /// Header of the next packet, had it to be sent in this beat.
    pub next: RtpHeader,
}

impl Mouth {
    pub fn new(params: &SessionParams) -> Self {
        let rate = params.codec.rate();
        Self {
            rate,
            playout: Playout::new(params.voice_rate, rate, PLAYOUT_CHUNKS),
            packer: Packer::new(params.codec, params.ptime_ms, params.opus),
            narrow: (rate == LineRate::Hz16000).then(Box::default),
            events: DtmfSender::new(params.dtmf_clock_hz),
            event_payload_type: params.dtmf_payload_type,
            tones: ToneSender::new(),
            next: RtpHeader {
                marker: true,
                payload_type: params.payload_type,
                sequence: params.first_sequence,
                timestamp: params.first_timestamp,
                ssrc: params.ssrc,
            },
        }
    }

    /// Queues a key. `false` when the way is not open, it is no key, or too many wait.
    pub fn send_dtmf(&mut self, digit: char, way: DtmfWay) -> bool {
        match way {
            DtmfWay::Events => self.event_payload_type.is_some() && self.events.push(digit),
            DtmfWay::Tones => self.tones.push(digit),
        }
    }

    /// The far end reports that it loses so many of our packets: Opus then repeats itself, if asked to (`useinbandfec`).
    pub fn set_loss(&mut self, percent: u8) {
        self.packer.set_loss(percent);
    }

    /// What goes out in this beat, and onto the right channel; gives the level of what is said.
    pub fn beat(&mut self, muted: bool, beat: &mut Beat) -> Option<f32> {
        beat.clear_packets();
        let level = if muted {
            self.say_nothing(beat);
            None
        } else if self.say_key(beat) {
            None
        } else {
            Some(self.say(beat))
        };
        self.next.timestamp = self.next.timestamp.wrapping_add(self.packer.ticks(self.rate.frame_samples()));
        level
    }

    /// Beats that could not be held.
    pub fn skip(&mut self, beats: u32) {
        self.packer.clear();
        let ticks = beats.wrapping_mul(self.packer.ticks(self.rate.frame_samples()));
        self.next.timestamp = self.next.timestamp.wrapping_add(ticks);
        self.next.marker = true;
    }

    /// A packet of a telephone event, if one is due. A press waits until no packet is half full.
    fn say_key(&mut self, beat: &mut Beat) -> bool {
        if !self.packer.is_empty() && !self.events.is_pressing() {
            return false;
        }
        let event = self.events.tick(self.next.timestamp).zip(self.event_payload_type);
        let Some((event, payload_type)) = event else { return false };
        beat.silence_right();
        let header = RtpHeader { marker: event.marker, payload_type, timestamp: event.timestamp, ..self.next };
        beat.add_packet(&header, |payload| {
            payload.iter_mut().zip(event.payload).for_each(|(to, from)| *to = from);
            event.payload.len()
        });
        self.next.sequence = self.next.sequence.wrapping_add(1);
        self.next.marker = false;
        true
    }

    fn say(&mut self, beat: &mut Beat) -> f32 {
        let mut frame = [0.0; 2 * FRAME_SAMPLES];
        let frame = &mut frame[..self.rate.frame_samples()];
        // The agent's speech waits while keys are sent, gaps included, so no word is lost or torn.
        if self.events.is_idle() && !self.tones.fill(frame) {
            self.playout.pull(frame);
        }
        self.packer.pack(frame, &mut self.next, beat);
        self.record(frame, beat);
        rms(frame)
    }

    fn record(&mut self, frame: &[f32], beat: &mut Beat) {
        let mut narrow = [0.0; FRAME_SAMPLES];
        match (&mut self.narrow, frame.first_chunk()) {
            (Some(down), _) => {
                down.process(frame, &mut narrow);
                beat.put_right(&narrow);
            }
            (None, Some(frame)) => beat.put_right(frame),
            (None, None) => {}
        }
    }

    fn say_nothing(&mut self, beat: &mut Beat) {
        self.playout.pull(&mut [0.0; 2 * FRAME_SAMPLES][..self.rate.frame_samples()]);
        self.packer.clear();
        beat.silence_right();
        self.next.marker = true;
    }
}
