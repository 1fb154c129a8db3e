//! DTMF digits as named events: RFC 4733.

use std::collections::VecDeque;

/// Bytes of an event payload.
pub const EVENT_LEN: usize = 4;

/// The payload of one event packet (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// 0–15 are the DTMF digits.
    pub event: u8,
    pub end: bool,
    /// Power in −dBm0, 0–63.
    pub volume: u8,
    /// Timestamp units since the event began.
    pub duration: u16,
}

impl TelephoneEvent {
    /// `None` when the payload is shorter than an event.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let _ = payload;
        None
    }

    pub fn write(&self) -> [u8; EVENT_LEN] {
        [0; EVENT_LEN]
    }
}

/// Tells each key press once, however many packets reported it.
#[derive(Debug, Clone, Default)]
pub struct DtmfReceiver {}

impl DtmfReceiver {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet's timestamp and payload; gives the digit (`0–9 * # A–D`) when the packet is the first heard of it.
    pub fn receive(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let _ = (timestamp, payload);
        None
    }
}

/// What to put into the next RTP packet instead of speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    pub marker: bool,
    /// When the event began: the same in all of its packets.
    pub timestamp: u32,
    pub payload: [u8; EVENT_LEN],
}

/// Sends queued digits, one packet per tick of 20 ms.
#[derive(Debug, Clone, Default)]
pub struct DtmfSender {
    digits: VecDeque<u8>,
}

impl DtmfSender {
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a digit; `false` when it is none of `0–9 * # A–D` or too many wait already.
    pub fn push(&mut self, digit: char) -> bool {
        let _ = digit;
        false
    }

    /// The packet of this tick, `timestamp` being what a speech packet would carry now. `None`: send speech.
    pub fn tick(&mut self, timestamp: u32) -> Option<EventPacket> {
        let _ = timestamp;
        None
    }

    /// Nothing is being sent or waiting.
    pub fn is_idle(&self) -> bool {
        self.digits.is_empty()
    }
}
