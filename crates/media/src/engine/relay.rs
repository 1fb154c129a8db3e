//! Two open calls joined: what either side says goes to the other's playout, past the calls' tasks and agents.
//!
//! ```text
//!   line A ─ decoded frame ─▶ ring ─▶ line B: playout ─▶ RTP
//!   line B ─ decoded frame ─▶ ring ─▶ line A: playout ─▶ RTP
//! ```
//!
//! The two lines may live on different threads, have different codecs and hear at different rates. A frame waits for the beat
//! of the other line: at most 20 ms, and never longer than [`MAX_BEHIND`], whatever the threads do. While a line is joined its
//! [`super::Ear`] hears nothing and its [`super::Voice`] says nothing; what was queued there waits. Recordings go on: each
//! has its own party left and the other right.

use super::{MediaControl, ear::frame_samples};
use crate::{
    playout::{LineRate, Playout, SpeechRate},
    session::PLAYOUT_CHUNKS,
};
use rtrb::{Consumer, Producer, RingBuffer};

/// Frames a ring holds; more than [`MAX_BEHIND`] are only there while a thread is late.
const RING_FRAMES: usize = 8;
/// Frames that may wait before the oldest is dropped: 40 ms.
pub const MAX_BEHIND: usize = 2;

/// Two calls that hear each other. Dropping it parts them: each one's ear and voice work again. It keeps both open until
/// [`MediaControl::close`].
#[derive(Debug)]
#[must_use = "dropping it parts the calls"]
pub struct Relay {
    sides: [MediaControl; 2],
}

impl Relay {
    /// Joins two calls within a beat (20 ms). A call is joined to one other at a time.
    pub fn join(a: &MediaControl, b: &MediaControl) -> Self {
        let (from_a, to_b) = RingBuffer::new(RING_FRAMES * frame_samples(a.ear_rate));
        let (from_b, to_a) = RingBuffer::new(RING_FRAMES * frame_samples(b.ear_rate));
        a.post_relay(Some(Box::new(RelayEnd::new(from_a, to_a, b.ear_rate, a.line_rate))));
        b.post_relay(Some(Box::new(RelayEnd::new(from_b, to_b, a.ear_rate, b.line_rate))));
        Self { sides: [a.clone(), b.clone()] }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.sides.iter().for_each(|side| side.post_relay(None));
    }
}

/// One line's end, on its media thread.
#[derive(Debug)]
pub(super) struct RelayEnd {
    to_other: Producer<i16>,
    from_other: Consumer<i16>,
    /// Samples of 20 ms of the other.
    frame_len: usize,
    /// In the session's place of the agent's while joined; then the agent's waits here.
    playout: Playout,
    /// Chunks to be filled.
    spare: Vec<Vec<i16>>,
    /// Frames of 20 ms that waited too long, here or at the other end.
    dropped: u64,
}

impl RelayEnd {
    fn new(to_other: Producer<i16>, from_other: Consumer<i16>, other_rate: SpeechRate, line: LineRate) -> Self {
        let frame_len = frame_samples(other_rate);
        let spare = (0..=MAX_BEHIND).map(|_| Vec::with_capacity(frame_len)).collect();
        Self {
            to_other,
            from_other,
            frame_len,
            playout: Playout::never_paused(other_rate, line, PLAYOUT_CHUNKS),
            spare,
            dropped: 0,
        }
    }

    /// Exchanges the agent's playout and ours: once to join, once to part.
    pub(super) fn swap(&mut self, playout: &mut Playout) {
        std::mem::swap(&mut self.playout, playout);
    }

    /// Before a beat: what the other has said goes to the playout, the oldest dropped where too much waits.
    pub(super) fn feed(&mut self, playout: &mut Playout) {
        while let Some(spent) = playout.reclaim() {
            self.spare.push(spent);
        }
        let mut behind = playout.queued().as_millis() as usize / 20;
        let mut waiting = self.from_other.slots() / self.frame_len;
        while waiting > 0 {
            let Ok(chunk) = self.from_other.read_chunk(self.frame_len) else { return };
            if behind + waiting > MAX_BEHIND {
                chunk.commit_all();
                self.dropped += 1;
            } else if let Some(mut frame) = self.spare.pop() {
                frame.clear();
                let (first, second) = chunk.as_slices();
                frame.extend_from_slice(first);
                frame.extend_from_slice(second);
                chunk.commit_all();
                behind += 1;
                if let Err(frame) = playout.push(frame) {
                    self.spare.push(frame);
                }
            } else {
                return;
            }
            waiting -= 1;
        }
    }

    /// After a beat: what our party has said goes to the other.
    pub(super) fn hand_over(&mut self, ear: &[i16]) {
        if self.to_other.push_entire_slice(ear).is_err() {
            self.dropped += 1;
        }
    }
}
