//! The jitter buffer: packets as the network delivers them in, one frame of 20 ms per beat out.
//!
//! Codes are kept by timestamp, so packets of 10, 30 or 60 ms come out in frames of 20 as well. Timestamps are in samples at
//! 8 kHz, whatever the codec. What must be decoded whole (Opus) is kept in packets, to be asked for by [`JitterBuffer::packet`].
//! The delay adapts:
//! * a frame that comes while its gap is still being concealed takes its place after all, and one that comes later yet
//!   makes the buffer wait one frame: the delay grows at once, up to 200 ms;
//! * when for seconds every packet has come more than a frame too early, a frame near silence may be skipped: the delay
//!   shrinks slowly and inaudibly, down to 20 ms. What is near silence is told by who decodes.
//!
//! ```text
//! Idle ──packet──▶ Waiting ──its time──▶ Playing ──nothing queued for 100 ms──▶ Idle
//! ```

mod floor;
mod packets;
mod sequence;
mod store;
#[cfg(test)]
mod tests;
mod transit;

use crate::{FRAME_SAMPLES, NARROWBAND_HZ};
use floor::NoiseFloor;
pub use packets::Packet;
use packets::Packets;
use sequence::{Order, SequenceWindow};
use std::time::Duration;
use store::Store;
use transit::Transits;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    Queued,
    /// Its time of playout has passed, or its sequence number is too far from the stream's to believe it.
    Late,
    Duplicate,
    /// More was queued than the buffer may hold: the oldest frames gave way to this one. A packet that holds more than
    /// the buffer is dropped itself.
    Overflow,
    /// The sender began anew: what was queued is gone, and this packet is the first of the new stream.
    Restarted,
}

/// What to play in this frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Pop<'a> {
    Frame {
        /// [`FRAME_SAMPLES`] codes; of packets that must be decoded whole there are none.
        codes: &'a [u8],
        /// Its timestamp.
        at: u32,
        /// When the packet arrived that brought the middle of the frame: that of all of it if packets are of 20 ms.
        arrived: Duration,
    },
    /// Speech is going on and its next frame is missing. `next`: what came after it, if it is gone for good and packets are kept
    /// whole.
    Conceal { next: Option<Packet<'a>> },
    /// Nobody talks: before the first packet, or after a long silence.
    Empty,
}

/// Counters since the buffer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JitterStats {
    /// Duplicates and packets without speech do not count.
    pub received: u64,
    /// By gaps in the sequence numbers.
    pub lost: u64,
    pub late: u64,
    pub duplicates: u64,
    /// Frames of 20 ms for which [`Pop::Conceal`] was given.
    pub concealed: u64,
    /// Frames of 20 ms dropped to shorten the delay.
    pub dropped: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// Speech queued at the last pop.
    pub depth: Duration,
}

const FRAME_LEN: i32 = FRAME_SAMPLES as i32;
/// The delay with which a stream begins while nothing is known of its jitter: 40 ms.
const START_DELAY: i32 = 2 * FRAME_LEN;
const MIN_DELAY: i32 = FRAME_LEN;
const MAX_DELAY: i32 = 10 * FRAME_LEN;
/// What may be queued at most: the longest delay and a long packet.
const MAX_QUEUED: i32 = MAX_DELAY + 3 * FRAME_LEN;
/// A packet of more than 200 ms is not speech.
const MAX_PACKET: usize = MAX_DELAY as usize;
/// Margin by which packets come in time at least, lest a tick that is late makes them late: 8 ms.
const GUARD: i32 = 64;
/// Speech is taken for over when nothing has been queued for this long: 100 ms.
const MAX_DRY: i32 = 5 * FRAME_LEN;
/// A timestamp this far from the expected one begins another stream: 1 s.
const JUMP: i32 = NARROWBAND_HZ as i32;
/// Frames are dropped at most this often.
const DROP_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    /// A stream has begun; its first frame is due at `play_at`.
    Waiting {
        play_at: Duration,
    },
    Playing,
}

/// What a packet brings.
#[derive(Debug, Clone, Copy)]
struct Sound<'a> {
    payload: &'a [u8],
    /// Samples at 8 kHz.
    units: usize,
}

/// See the module. One per stream; `now` is any clock that only goes forward.
#[derive(Debug, Clone)]
pub struct JitterBuffer {
    state: State,
    store: Store,
    packets: Option<Box<Packets>>,
    /// Timestamp of the next frame to play.
    cursor: u32,
    /// Timestamp behind the newest code.
    end: u32,
    /// From here to the cursor all has been concealed and nothing played: a packet may still claim its place.
    concealed_from: u32,
    /// A packet came too late: wait one frame.
    wait_one: bool,
    next_drop: Duration,
    sequence: SequenceWindow,
    transits: Transits,
    floor: NoiseFloor,
    /// The delay is longer than needed by the frame that was given last, or more.
    spare: bool,
    /// The sender said that it pauses.
    paused: bool,
    frame: [u8; FRAME_SAMPLES],
    stats: JitterStats,
}

impl JitterBuffer {
    /// For codecs of a byte for each sample at 8 kHz, which can be cut anywhere.
    pub fn of_codes() -> Self {
        Self::new(None)
    }

    /// For codecs whose packets must be decoded whole.
    pub fn of_packets() -> Self {
        Self::new(Some(Packets::new()))
    }

    fn new(packets: Option<Box<Packets>>) -> Self {
        Self {
            state: State::Idle,
            store: Store::new(),
            packets,
            cursor: 0,
            end: 0,
            concealed_from: 0,
            wait_one: false,
            next_drop: Duration::ZERO,
            sequence: SequenceWindow::default(),
            transits: Transits::default(),
            floor: NoiseFloor::default(),
            spare: false,
            paused: false,
            frame: [0; FRAME_SAMPLES],
            stats: JitterStats::default(),
        }
    }

    /// Takes a packet of codes that arrived at `now`.
    pub fn push(&mut self, sequence: u16, timestamp: u32, codes: &[u8], now: Duration) -> Pushed {
        self.take(sequence, timestamp, Sound { payload: codes, units: codes.len() }, now)
    }

    /// Takes a packet that must be decoded whole, of `units` samples at 8 kHz.
    pub fn push_packet(&mut self, sequence: u16, timestamp: u32, units: u16, payload: &[u8], now: Duration) -> Pushed {
        self.take(sequence, timestamp, Sound { payload, units: units.into() }, now)
    }

    fn take(&mut self, sequence: u16, timestamp: u32, sound: Sound<'_>, now: Duration) -> Pushed {
        let order = self.sequence.note(sequence);
        match order {
            Order::Duplicate => {
                self.stats.duplicates += 1;
                return Pushed::Duplicate;
            }
            Order::Stray => return self.late(),
            Order::Restart => self.forget(),
            Order::First | Order::Newer | Order::Older => {}
        }
        self.stats.received += 1;
        if sound.units == 0 || sound.units > MAX_PACKET {
            return if sound.units == 0 { Pushed::Queued } else { Pushed::Overflow };
        }
        self.paused = false;
        let jumped = order != Order::First && order != Order::Older && self.jumps(timestamp, now);
        if jumped {
            self.forget();
        } else if order == Order::Older && distance(self.end, timestamp).abs() > JUMP {
            return self.late();
        }
        let late_by = self.transits.note(timestamp, now);
        let placed = self.place(order, timestamp, sound, now, late_by);
        if jumped || order == Order::Restart { Pushed::Restarted } else { placed }
    }

    /// Notes a packet of the same stream that carries no speech (telephone event, comfort noise), lest it counts as lost.
    pub fn observe(&mut self, sequence: u16) {
        self.sequence.note(sequence);
    }

    /// The sender pauses: what is missing behind what is queued is not concealed. The next packet ends the pause.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Whether the sender's timestamps have been set anew. In a pause they go on with the time.
    fn jumps(&self, timestamp: u32, now: Duration) -> bool {
        match self.state {
            State::Idle => self.transits.jumps(timestamp, now, JUMP),
            State::Waiting { .. } | State::Playing => distance(self.end, timestamp).abs() > JUMP,
        }
    }

    /// Puts a packet that belongs to the stream where it is due.
    fn place(&mut self, order: Order, timestamp: u32, sound: Sound<'_>, now: Duration, late_by: i32) -> Pushed {
        match self.state {
            State::Idle if order == Order::Older => return self.late(),
            State::Idle => self.begin(timestamp, now, late_by),
            State::Waiting { .. } => self.begin_earlier(timestamp),
            State::Playing if distance(self.cursor, timestamp) < 0 => self.claim(timestamp),
            State::Playing => {}
        }
        let passed = (-distance(self.cursor, timestamp)).max(0);
        if passed as usize >= sound.units {
            self.wait_one = self.delay(now) < MAX_DELAY;
            return self.late();
        }
        let end = timestamp.wrapping_add(sound.units as u32);
        let overflow = distance(self.cursor, end) > MAX_QUEUED;
        if overflow {
            self.make_room(end);
        }
        self.keep(timestamp, passed as usize, sound, now);
        if distance(self.end, end) > 0 {
            self.end = end;
        }
        if overflow { Pushed::Overflow } else { Pushed::Queued }
    }

    /// Keeps what of a packet has not passed yet.
    fn keep(&mut self, timestamp: u32, passed: usize, sound: Sound<'_>, now: Duration) {
        let from = timestamp.wrapping_add(passed as u32);
        match &mut self.packets {
            Some(packets) => {
                packets.insert(timestamp, sound.units as u16, sound.payload);
                self.store.mark(from, sound.units - passed, now);
            }
            None => self.store.write(from, sound.payload.get(passed..).unwrap_or_default(), now),
        }
    }

    /// The packet with the sound of this moment, where packets are kept whole.
    pub fn packet(&self, timestamp: u32) -> Option<Packet<'_>> {
        self.packets.as_ref()?.at(timestamp)
    }

    fn late(&mut self) -> Pushed {
        self.stats.late += 1;
        Pushed::Late
    }

    /// Speech begins, or begins again after a pause: it waits for the delay that the jitter asks for, less the time by
    /// which this packet itself is later than others.
    fn begin(&mut self, timestamp: u32, now: Duration, late_by: i32) {
        self.store.clear();
        self.rewind(timestamp);
        self.end = timestamp;
        self.wait_one = false;
        let wait = (self.target() - late_by).max(0);
        self.state = State::Waiting { play_at: now + duration(wait) };
    }

    /// The packet that began the stream had overtaken this one.
    fn begin_earlier(&mut self, timestamp: u32) {
        if distance(self.cursor, timestamp) < 0 && distance(timestamp, self.end) <= MAX_QUEUED {
            self.rewind(timestamp);
        }
    }

    fn rewind(&mut self, timestamp: u32) {
        self.cursor = timestamp;
        self.concealed_from = timestamp;
    }

    /// Goes back to a packet, or to a beginning of its frame that came before it, if nothing has been played since.
    fn claim(&mut self, timestamp: u32) {
        let open = distance(self.concealed_from, self.cursor);
        let wanted = distance(self.concealed_from, timestamp);
        if !(0..=open).contains(&wanted) {
            return;
        }
        let start = (0..wanted).step_by(FRAME_SAMPLES).find(|&at| self.store.has(self.concealed_from.wrapping_add(at as u32), 1));
        self.rewind(self.concealed_from.wrapping_add(start.unwrap_or(wanted) as u32));
    }

    /// Leaves only as much queued before `end` as the target delay.
    fn make_room(&mut self, end: u32) {
        let kept = self.target().max(2 * FRAME_LEN);
        let cursor = end.wrapping_sub(kept as u32);
        let skipped = distance(self.cursor, cursor);
        self.store.erase(self.concealed_from, distance(self.concealed_from, cursor));
        self.stats.dropped += u64::from(skipped.unsigned_abs()) / FRAME_SAMPLES as u64;
        self.rewind(cursor);
        if distance(self.cursor, self.end) < 0 {
            self.end = cursor;
        }
    }

    /// The delay with which speech begins.
    fn target(&self) -> i32 {
        let wanted = self.transits.spread().map_or(START_DELAY, |spread| spread + GUARD);
        (wanted + FRAME_LEN - 1).clamp(MIN_DELAY, MAX_DELAY) / FRAME_LEN * FRAME_LEN
    }

    /// How long after the fastest packets' arrival the frame at the cursor would be played at `now`.
    fn delay(&self, now: Duration) -> i32 {
        self.transits.later_than_fastest(self.cursor, now)
    }

    /// The frame to play at `now`; call it every 20 ms.
    pub fn pop(&mut self, now: Duration) -> Pop<'_> {
        match self.state {
            State::Idle => return Pop::Empty,
            State::Waiting { play_at } if now + crate::FRAME / 4 < play_at => return Pop::Empty,
            State::Waiting { .. } => self.state = State::Playing,
            State::Playing => {}
        }
        let queued = distance(self.cursor, self.end);
        self.stats.depth = duration(queued.max(0));
        self.spare = false;
        if std::mem::take(&mut self.wait_one) {
            self.stats.concealed += 1;
            return Pop::Conceal { next: None };
        }
        if self.store.has(self.cursor, FRAME_SAMPLES) {
            self.spare = self.is_spare(now);
            return self.play();
        }
        if queued <= if self.paused { 0 } else { -MAX_DRY } {
            self.state = State::Idle;
            return Pop::Empty;
        }
        self.pass_over(now);
        self.stats.concealed += 1;
        let next = self.packet(self.cursor).filter(|packet| packet.timestamp == self.cursor);
        Pop::Conceal { next }
    }

    /// Whether the frame that was just given, of this level, may be left out for the one behind it. That shortens the delay when
    /// it is longer than needed and nobody will hear it. Call it for each frame: it also learns what silence is here.
    pub fn skips(&mut self, rms: f32, now: Duration) -> bool {
        let skips = self.floor.is_near(rms) && self.spare;
        if skips {
            self.next_drop = now + DROP_INTERVAL;
            self.stats.dropped += 1;
        }
        skips
    }

    /// Moves past a missing frame, which may still be claimed unless the delay is at its longest already.
    fn pass_over(&mut self, now: Duration) {
        self.cursor = self.cursor.wrapping_add(FRAME_SAMPLES as u32);
        let open = distance(self.concealed_from, self.cursor);
        if open > MAX_DRY || self.delay(now) + FRAME_LEN > MAX_DELAY {
            self.store.erase(self.concealed_from, open);
            self.concealed_from = self.cursor;
        }
    }

    /// Whether the delay is longer than needed, and the frame behind the one at the cursor is there to be played instead.
    fn is_spare(&self, now: Duration) -> bool {
        let next = self.cursor.wrapping_add(FRAME_SAMPLES as u32);
        now >= self.next_drop
            && self.transits.later_than_slowest(self.cursor, now) - GUARD >= FRAME_LEN
            && self.delay(now) - FRAME_LEN >= MIN_DELAY
            && self.store.has(next, FRAME_SAMPLES)
    }

    fn play(&mut self) -> Pop<'_> {
        let at = self.cursor;
        let arrived = self.store.arrived(at.wrapping_add(FRAME_SAMPLES as u32 / 2));
        let codes: &[u8] = if self.packets.is_none() {
            self.store.read(at, &mut self.frame);
            &self.frame
        } else {
            &[]
        };
        self.cursor = at.wrapping_add(FRAME_SAMPLES as u32);
        self.store.erase(self.concealed_from, distance(self.concealed_from, self.cursor));
        self.concealed_from = self.cursor;
        Pop::Frame { codes, at, arrived }
    }

    /// Another source (SSRC) speaks from here on. The counters stay.
    pub fn restart(&mut self) {
        self.sequence.restart();
        self.forget();
    }

    fn forget(&mut self) {
        self.state = State::Idle;
        self.store.clear();
        if let Some(packets) = &mut self.packets {
            packets.clear();
        }
        self.transits.restart();
        self.wait_one = false;
    }

    pub fn stats(&self) -> JitterStats {
        JitterStats { lost: self.sequence.lost(), jitter: self.transits.jitter(), ..self.stats }
    }
}

/// From one timestamp to another, over the wrap.
fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

fn duration(samples: i32) -> Duration {
    Duration::from_micros(u64::from(samples.unsigned_abs()) * 125)
}
