//! DTMF digits as named events: RFC 4733. Flash and other events (16 and up) are not digits and pass unheard.

use std::collections::VecDeque;

/// Bytes of an event payload.
pub const EVENT_LEN: usize = 4;

/// The digits in the order of their event codes (RFC 4733 §3.2).
const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

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
    /// The first event of the payload; `None` when it is shorter than an event.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low] = payload.first_chunk::<EVENT_LEN>()?;
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration: u16::from_be_bytes([high, low]) })
    }

    pub fn write(&self) -> [u8; EVENT_LEN] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, (u8::from(self.end) << 7) | (self.volume & 0x3f), high, low]
    }
}

/// Tells each key press once, however many packets reported it.
///
/// All packets of a press share the timestamp of its beginning, so a new timestamp is a new press: neither the marker
/// nor an end packet is needed (they get lost, and some senders never set them).
#[derive(Debug, Clone)]
pub struct DtmfReceiver {
    /// Ticks per second of the timestamps.
    clock_hz: u32,
    /// Ticks per second of the durations, which many telephones give at 8 kHz whatever the timestamps are of.
    duration_hz: u32,
    last: Option<Press>,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    timestamp: u32,
    event: u8,
    duration: u16,
    ended: bool,
}

impl DtmfReceiver {
    pub fn new(clock_hz: u32, duration_hz: u32) -> Self {
        Self { clock_hz, duration_hz: duration_hz.max(1), last: None }
    }

    /// Takes a packet's timestamp and payload; gives the digit (`0–9 * # A–D`) when the packet is the first heard of it.
    pub fn receive(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let heard = TelephoneEvent::parse(payload)?;
        let digit = *DIGITS.get(usize::from(heard.event))?;
        let press = Press { timestamp, event: heard.event, duration: heard.duration, ended: heard.end };
        match &mut self.last {
            Some(last) if last.timestamp == timestamp => {
                last.duration = last.duration.max(heard.duration);
                last.ended |= heard.end;
                None
            }
            Some(last) if last.precedes_segment(&press, self.clock_hz, self.duration_hz) => {
                *last = press;
                None
            }
            Some(last) if last.is_after(timestamp, self.clock_hz) => None,
            last => {
                *last = Some(press);
                Some(digit)
            }
        }
    }
}

impl Press {
    /// A press longer than a segment's duration can tell goes on under a new timestamp (RFC 4733 §2.5.1.3).
    fn precedes_segment(&self, next: &Self, clock_hz: u32, duration_hz: u32) -> bool {
        let elapsed = u64::from(next.timestamp.wrapping_sub(self.timestamp)) * u64::from(duration_hz);
        let lasted = u64::from(self.duration) * u64::from(clock_hz);
        !self.ended && self.event == next.event && self.duration > 0 && elapsed == lasted
    }

    /// `timestamp` is of an earlier press, at most 10 s ago: a packet that the network delayed.
    fn is_after(&self, timestamp: u32, clock_hz: u32) -> bool {
        (1..=10 * clock_hz).contains(&self.timestamp.wrapping_sub(timestamp))
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

/// A key is held for 120 ms: above the 40 ms that receivers need (ITU-T Q.24) and what people take for a press.
const HELD_TICKS: u16 = 6;
/// The end is sent three times, for the network may lose one (RFC 4733 §2.5.1.4).
const END_PACKETS: u16 = 3;
/// Silence between digits, 100 ms with the repeated ends before it.
const GAP_TICKS: u16 = 3;
/// −10 dBm0, a common telephone's level.
const VOLUME: u8 = 10;
/// More digits than any menu or card number asks for.
const MAX_WAITING: usize = 64;

/// Sends queued digits, one packet per tick of 20 ms.
#[derive(Debug, Clone)]
pub struct DtmfSender {
    /// Units of duration in a tick of 20 ms.
    tick: u16,
    waiting: VecDeque<u8>,
    state: Sending,
}

#[derive(Debug, Clone, Copy)]
enum Sending {
    Idle,
    Press { event: u8, timestamp: u32, ticks: u16 },
    Gap { ticks: u16 },
}

impl DtmfSender {
    /// `duration_hz`: the clock of the durations. 120 ms fit up to 546 kHz.
    pub fn new(duration_hz: u32) -> Self {
        let tick = (duration_hz / 50).min(u32::from(u16::MAX / HELD_TICKS)) as u16;
        Self { tick, waiting: VecDeque::with_capacity(MAX_WAITING), state: Sending::Idle }
    }

    /// Queues a digit; `false` when it is none of `0–9 * # A–D` or too many wait already.
    pub fn push(&mut self, digit: char) -> bool {
        let code = DIGITS.iter().position(|&d| d == digit.to_ascii_uppercase());
        match code {
            Some(code) if self.waiting.len() < MAX_WAITING => {
                self.waiting.push_back(code as u8);
                true
            }
            _ => false,
        }
    }

    /// The packet of this tick, `timestamp` being what a speech packet would carry now. `None`: send speech.
    pub fn tick(&mut self, timestamp: u32) -> Option<EventPacket> {
        if let Sending::Gap { ticks } = self.state {
            self.state = if ticks > 1 { Sending::Gap { ticks: ticks - 1 } } else { Sending::Idle };
            return None;
        }
        let (event, timestamp, ticks) = match self.state {
            Sending::Press { event, timestamp, ticks } => (event, timestamp, ticks + 1),
            _ => (self.waiting.pop_front()?, timestamp, 1),
        };
        let last = HELD_TICKS + END_PACKETS - 1;
        self.state = if ticks < last { Sending::Press { event, timestamp, ticks } } else { Sending::Gap { ticks: GAP_TICKS } };
        let duration = self.tick * ticks.min(HELD_TICKS);
        let event = TelephoneEvent { event, end: ticks >= HELD_TICKS, volume: VOLUME, duration };
        Some(EventPacket { marker: ticks == 1, timestamp, payload: event.write() })
    }

    /// A press is under way, or the gap behind it.
    pub fn is_pressing(&self) -> bool {
        !matches!(self.state, Sending::Idle)
    }

    /// Nothing is being sent or waiting.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && matches!(self.state, Sending::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payload(event: u8, end: bool, duration: u16) -> [u8; EVENT_LEN] {
        TelephoneEvent { event, end, volume: 10, duration }.write()
    }

    /// `(timestamp, event, end, duration)` of each packet in the order of arrival, and the digits that must be told.
    fn check(packets: &[(u32, u8, bool, u16)], want: &str) {
        let mut receiver = DtmfReceiver::new(8_000, 8_000);
        let told: String =
            packets.iter().filter_map(|&(t, event, end, duration)| receiver.receive(t, &payload(event, end, duration))).collect();
        assert_eq!(told, want, "{packets:?}");
    }

    #[test]
    fn each_press_is_told_once() {
        let press = |t, e| [(t, e, false, 160), (t, e, false, 320), (t, e, true, 480), (t, e, true, 480), (t, e, true, 480)];
        check(&press(1000, 5), "5");
        // The same key twice; then the same key with all ends lost; then with all but an end lost.
        check(&[press(1000, 5), press(3000, 5)].concat(), "55");
        check(&[(1000, 5, false, 160), (3000, 5, false, 160), (5000, 5, true, 480), (5000, 5, true, 480)], "555");
        // All keys, over the wrap of the timestamp.
        let all: Vec<_> = (0..16).flat_map(|e| press(0u32.wrapping_sub(8000).wrapping_add(u32::from(e) * 1000), e)).collect();
        check(&all, "0123456789*#ABCD");
        // A late copy of an earlier press is not a new one.
        check(&[(1000, 1, true, 480), (3000, 2, false, 160), (1000, 1, true, 480), (3000, 2, true, 480)], "12");
        // A key held beyond what a duration can tell.
        check(&[(1000, 9, false, 65_535), (66_535, 9, false, 160), (66_535, 9, true, 320)], "9");
        // Not digits: flash, a tone.
        check(&[(1000, 16, true, 160), (2000, 255, true, 160)], "");
    }

    #[test]
    fn short_payloads_are_nothing() {
        let mut receiver = DtmfReceiver::new(8_000, 8_000);
        assert_eq!(receiver.receive(0, &[5, 0, 0]), None);
        assert_eq!(receiver.receive(0, &[]), None);
    }

    /// The packets of `ticks` ticks with their tick's number.
    fn sent(sender: &mut DtmfSender, ticks: u32) -> Vec<(u32, EventPacket)> {
        (0..ticks).filter_map(|i| sender.tick(i * 160).map(|p| (i, p))).collect()
    }

    #[test]
    fn a_digit_is_a_growing_event_with_three_ends() {
        let mut sender = DtmfSender::new(8_000);
        assert!(sender.is_idle());
        assert!(sender.push('#'));
        let packets = sent(&mut sender, 20);
        let shown: Vec<_> = packets
            .iter()
            .map(|(_, p)| {
                let event = TelephoneEvent::parse(&p.payload).expect("four bytes");
                (p.marker, p.timestamp, event.event, event.end, event.duration)
            })
            .collect();
        let held = [160, 320, 480, 640, 800].map(|d| (d == 160, 0, 11, false, d));
        assert_eq!(shown, [&held[..], &[(false, 0, 11, true, 960); 3]].concat());
        assert!(sender.is_idle());
    }

    #[test]
    fn events_beside_opus_keep_the_clock_that_was_agreed_on() {
        for duration_hz in [8_000, 48_000] {
            let mut sender = DtmfSender::new(duration_hz);
            sender.push('7');
            sender.push('7');
            let mut receiver = DtmfReceiver::new(48_000, duration_hz);
            let mut longest = 0;
            let mut told = String::new();
            for packet in (0..40).filter_map(|tick| sender.tick(960 * tick)) {
                longest = TelephoneEvent::parse(&packet.payload).map_or(longest, |event| longest.max(event.duration));
                told.extend(receiver.receive(packet.timestamp, &packet.payload));
            }
            assert_eq!((told.as_str(), u32::from(longest)), ("77", duration_hz / 1_000 * 120));
            // A key that is held on and on: the next segment begins where the first one's duration ends.
            let held = |timestamp, duration| (timestamp, payload(9, false, duration));
            let segment = 48_000 * 60_000 / duration_hz;
            let packets = [held(0, 60_000), held(segment, 160), held(segment, 320)];
            let mut receiver = DtmfReceiver::new(48_000, duration_hz);
            let told: String = packets.iter().filter_map(|(t, payload)| receiver.receive(*t, payload)).collect();
            assert_eq!(told, "9", "{duration_hz}");
        }
    }

    #[test]
    fn digits_are_parted_by_a_gap_and_arrive() {
        let mut sender = DtmfSender::new(8_000);
        assert!("12*d2".chars().all(|d| sender.push(d)));
        assert!(!sender.push('x') && !sender.push('é'));
        let packets = sent(&mut sender, 100);
        let mut receiver = DtmfReceiver::new(8_000, 8_000);
        let told: String = packets.iter().filter_map(|(_, p)| receiver.receive(p.timestamp, &p.payload)).collect();
        assert_eq!(told, "12*D2");
        let starts: Vec<u32> = packets.iter().filter(|(_, p)| p.marker).map(|(i, _)| *i).collect();
        assert_eq!(starts, [0, 11, 22, 33, 44]);
        assert!(sender.is_idle());
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut sender = DtmfSender::new(8_000);
        assert_eq!((0..1000).filter(|_| sender.push('1')).count(), MAX_WAITING);
    }

    proptest! {
        #[test]
        fn junk_never_panics(packets in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..8)), 0..50)) {
            let mut receiver = DtmfReceiver::new(8_000, 8_000);
            for (timestamp, payload) in packets {
                receiver.receive(timestamp, &payload);
            }
        }

        /// Whatever is lost, no digit is told twice or invented, so long as one packet of a press arrives.
        #[test]
        fn losses_never_repeat_a_digit(lost in proptest::collection::vec(any::<bool>(), 8 * 4)) {
            let mut sender = DtmfSender::new(8_000);
            "7707".chars().for_each(|d| { sender.push(d); });
            let packets = sent(&mut sender, 60);
            let mut receiver = DtmfReceiver::new(8_000, 8_000);
            let heard: String = packets.iter().zip(&lost).filter(|(_, lost)| !**lost)
                .filter_map(|((_, p), _)| receiver.receive(p.timestamp, &p.payload)).collect();
            let want: String = "7707".chars().zip(lost.chunks(8)).filter(|(_, lost)| lost.iter().any(|l| !l)).map(|(d, _)| d).collect();
            prop_assert_eq!(heard, want);
        }
    }
}
