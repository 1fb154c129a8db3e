//! Packets that cannot be cut: of a codec that must be decoded whole (Opus), kept by timestamp until they are due.

/// Room for packets: 260 ms at 500 kbit/s, more than two seconds at what calls use.
const ROOM: usize = 16_384;
/// Packets that are kept at most: the longest delay in packets of 2.5 ms.
const SLOTS: usize = 104;

/// See the module. The oldest make room for the newest.
#[derive(Debug, Clone)]
pub(super) struct Packets {
    bytes: [u8; ROOM],
    /// Where the next packet goes.
    end: usize,
    slots: [Slot; SLOTS],
    next_slot: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    timestamp: u32,
    /// Of its sound, in samples at 8 kHz; none: the slot is empty.
    units: u16,
    at: u16,
    len: u16,
}

/// A packet and where its sound belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub timestamp: u32,
    /// Samples at 8 kHz.
    pub units: u16,
    pub payload: &'a [u8],
}

impl Packets {
    pub fn new() -> Box<Self> {
        Box::new(Self { bytes: [0; ROOM], end: 0, slots: [Slot::default(); SLOTS], next_slot: 0 })
    }

    pub fn clear(&mut self) {
        self.slots = [Slot::default(); SLOTS];
    }

    /// One that is longer than a datagram is not kept.
    pub fn insert(&mut self, timestamp: u32, units: u16, payload: &[u8]) {
        if payload.len() > ROOM / 8 {
            return;
        }
        let at = if self.end + payload.len() > ROOM { 0 } else { self.end };
        let end = at + payload.len();
        for slot in &mut self.slots {
            let begins = usize::from(slot.at);
            if begins < end && at < begins + usize::from(slot.len) {
                *slot = Slot::default();
            }
        }
        self.bytes[at..end].copy_from_slice(payload);
        self.end = end;
        self.slots[self.next_slot] = Slot { timestamp, units, at: at as u16, len: payload.len() as u16 };
        self.next_slot = (self.next_slot + 1) % SLOTS;
    }

    /// The packet with the sound of this moment.
    pub fn at(&self, timestamp: u32) -> Option<Packet<'_>> {
        let slot = self.slots.iter().find(|slot| timestamp.wrapping_sub(slot.timestamp) < u32::from(slot.units))?;
        let payload = self.bytes.get(usize::from(slot.at)..usize::from(slot.at) + usize::from(slot.len))?;
        Some(Packet { timestamp: slot.timestamp, units: slot.units, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_found_by_each_moment_of_its_sound() {
        let mut packets = Packets::new();
        packets.insert(u32::MAX - 79, 160, b"first");
        packets.insert(80, 480, b"second");
        for (timestamp, want) in [
            (u32::MAX - 80, None),
            (u32::MAX - 79, Some("first")),
            (79, Some("first")),
            (80, Some("second")),
            (559, Some("second")),
            (560, None),
        ] {
            let found = packets.at(timestamp).map(|packet| packet.payload);
            assert_eq!(found, want.map(str::as_bytes), "{timestamp}");
        }
    }

    #[test]
    fn the_newest_are_kept_whole_whatever_their_length() {
        let mut packets = Packets::new();
        for i in 0..500_u32 {
            let len = [3, 1_275, 60, 700][i as usize % 4];
            packets.insert(160 * i, 160, &vec![i as u8; len]);
            for back in 0..13.min(i) {
                let packet = packets.at(160 * (i - back)).expect("kept");
                assert!(packet.payload.iter().all(|byte| *byte == (i - back) as u8), "{i} {back}");
            }
        }
        packets.insert(0, 160, &[0; 4_000]);
        assert_eq!(packets.at(0), None);
    }
}
