//! Where codes lie until they are played: a ring indexed by timestamp, and a bit for each code that has come.
//! For each 8 ms it is known when the packet that brought them arrived.

use std::time::Duration;

/// 512 ms. Divides 2³², so a timestamp's place stays the same over its wrap.
const CAPACITY: usize = 4096;
const WORDS: usize = CAPACITY / 64;

#[derive(Debug, Clone)]
pub(super) struct Store {
    codes: [u8; CAPACITY],
    present: [u64; WORDS],
    /// Arrival of the packet that wrote last to each word of `present`, in microseconds.
    arrived_us: [u64; WORDS],
}

impl Store {
    pub fn new() -> Self {
        Self { codes: [0; CAPACITY], present: [0; WORDS], arrived_us: [0; WORDS] }
    }

    pub fn clear(&mut self) {
        self.present = [0; WORDS];
    }

    /// Whatever exceeds the capacity is not kept.
    pub fn write(&mut self, timestamp: u32, codes: &[u8], arrived: Duration) {
        let codes = &codes[..codes.len().min(CAPACITY)];
        let at = place(timestamp);
        let (head, tail) = codes.split_at(codes.len().min(CAPACITY - at));
        self.codes[at..at + head.len()].copy_from_slice(head);
        self.codes[..tail.len()].copy_from_slice(tail);
        self.mark(timestamp, codes.len(), arrived);
    }

    /// Notes that `len` codes have come, whose bytes are kept elsewhere.
    pub fn mark(&mut self, timestamp: u32, len: usize, arrived: Duration) {
        let arrived_us = arrived.as_micros() as u64;
        for (word, mask) in words(timestamp, len) {
            self.present[word] |= mask;
            self.arrived_us[word] = arrived_us;
        }
    }

    /// When the packet arrived that brought the code at `timestamp`, or one at most 8 ms from it.
    pub fn arrived(&self, timestamp: u32) -> Duration {
        Duration::from_micros(self.arrived_us[place(timestamp) / 64])
    }

    /// Copies what lies at `timestamp`, present or not.
    pub fn read<const N: usize>(&self, timestamp: u32, out: &mut [u8; N]) {
        let at = place(timestamp);
        let (head, tail) = out.split_at_mut(N.min(CAPACITY - at));
        head.copy_from_slice(&self.codes[at..at + head.len()]);
        tail.copy_from_slice(&self.codes[..tail.len()]);
    }

    /// Whether all of `len` codes have come.
    pub fn has(&self, timestamp: u32, len: usize) -> bool {
        words(timestamp, len).all(|(word, mask)| self.present[word] & mask == mask)
    }

    /// Forgets `len` codes; none when it is negative.
    pub fn erase(&mut self, timestamp: u32, len: i32) {
        for (word, mask) in words(timestamp, usize::try_from(len).unwrap_or(0)) {
            self.present[word] &= !mask;
        }
    }
}

fn place(timestamp: u32) -> usize {
    timestamp as usize % CAPACITY
}

/// The words of the presence map that `len` codes touch, each with the bits of those codes.
fn words(timestamp: u32, len: usize) -> impl Iterator<Item = (usize, u64)> {
    let mut at = place(timestamp);
    let mut left = len.min(CAPACITY);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let bit = at % 64;
        let n = left.min(64 - bit);
        let word = at / 64;
        at = (at + n) % CAPACITY;
        left -= n;
        Some((word, (u64::MAX >> (64 - n)) << bit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_like_a_map(at in any::<u32>(), steps in proptest::collection::vec((0u8..3, 0u32..3000, 0usize..500), 1..40)) {
            let mut store = Store::new();
            let mut map = std::collections::BTreeMap::new();
            for (round, (kind, offset, len)) in steps.into_iter().enumerate() {
                let timestamp = at.wrapping_add(offset);
                let range = offset..offset + len as u32;
                match kind {
                    0 => {
                        store.write(timestamp, &vec![round as u8; len], Duration::ZERO);
                        map.extend(range.map(|i| (i, round as u8)));
                    }
                    1 => {
                        store.erase(timestamp, len as i32);
                        map.retain(|i, _| !range.contains(i));
                    }
                    _ => prop_assert_eq!(store.has(timestamp, len), range.clone().all(|i| map.contains_key(&i))),
                }
                let mut out = [0; 100];
                store.read(timestamp, &mut out);
                for (i, code) in (offset..).zip(out) {
                    let present = store.has(at.wrapping_add(i), 1);
                    prop_assert_eq!(present.then_some(&code), map.get(&i));
                }
            }
        }
    }
}
