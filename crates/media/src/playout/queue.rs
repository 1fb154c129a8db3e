//! Speech in the order it came: what is to be played, what was played in the last moments and may be played again, and emptied
//! chunks on their way back.

use std::collections::VecDeque;

/// Speech that was stopped begins again at the quietest 10 ms, as a rule the beginning of a word …
const BLOCKS_PER_SECOND: usize = 100;
/// … of the last 300.
const REACH_BLOCKS: usize = 30;

#[derive(Debug)]
pub(super) struct Queue {
    /// To be played, from sample `taken` of the first on.
    chunks: VecDeque<Vec<i16>>,
    taken: usize,
    /// Samples that have never been played.
    fresh: usize,
    /// Samples before those, to be played a second time.
    again: usize,
    /// Played, and kept while they can be played again; the oldest first.
    past: VecDeque<Vec<i16>>,
    past_samples: usize,
    spent: VecDeque<Vec<i16>>,
    max_chunks: usize,
    block: usize,
    /// Samples that can be played again.
    reach: usize,
}

impl Queue {
    /// Room for `max_chunks`; of speech with so many samples a second.
    pub fn new(max_chunks: usize, hz: usize) -> Self {
        let block = hz / BLOCKS_PER_SECOND;
        Self {
            // What is played again comes back from the past.
            chunks: VecDeque::with_capacity(2 * max_chunks),
            taken: 0,
            fresh: 0,
            again: 0,
            past: VecDeque::with_capacity(max_chunks + 1),
            past_samples: 0,
            spent: VecDeque::with_capacity(max_chunks),
            max_chunks,
            block,
            reach: REACH_BLOCKS * block,
        }
    }

    /// Nothing will be played again.
    pub fn keep_nothing(&mut self) {
        self.reach = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Samples that are still to be played for the first time.
    pub fn fresh(&self) -> usize {
        self.fresh
    }

    /// Gives the chunk back when there is no room.
    pub fn push(&mut self, chunk: Vec<i16>) -> Result<(), Vec<i16>> {
        if self.chunks.len() >= self.max_chunks {
            return Err(chunk);
        }
        self.fresh += chunk.len();
        self.chunks.push_back(chunk);
        Ok(())
    }

    /// Moves the next samples into `out`; tells how many there were, and how many of them for the first time.
    pub fn take(&mut self, out: &mut [f32]) -> (usize, usize) {
        let mut filled = 0;
        while let Some(chunk) = self.chunks.front() {
            filled += copy(&chunk[self.taken..], &mut out[filled..], &mut self.taken);
            if self.taken < chunk.len() {
                break;
            }
            self.taken = 0;
            if let Some(chunk) = self.chunks.pop_front() {
                self.keep(chunk);
            }
        }
        let again = filled.min(self.again);
        self.again -= again;
        self.fresh -= filled - again;
        (filled, filled - again)
    }

    /// The next samples, which stay.
    pub fn peek(&self, out: &mut [f32]) -> usize {
        let (mut filled, mut taken) = (0, self.taken);
        for chunk in &self.chunks {
            filled += copy(&chunk[taken..], &mut out[filled..], &mut 0);
            taken = 0;
        }
        filled
    }

    /// Goes back to the quietest moment that is near.
    pub fn rewind(&mut self) {
        let back = self.quietest();
        while self.taken < back {
            let Some(chunk) = self.past.pop_back() else { return };
            self.past_samples -= chunk.len();
            self.taken += chunk.len();
            self.chunks.push_front(chunk);
        }
        self.taken -= back;
        self.again += back;
    }

    /// What was played will not be played again.
    pub fn forget_past(&mut self) {
        while let Some(chunk) = self.past.pop_front() {
            self.spend(chunk);
        }
        self.past_samples = 0;
    }

    pub fn clear(&mut self) {
        self.forget_past();
        while let Some(chunk) = self.chunks.pop_front() {
            self.spend(chunk);
        }
        (self.taken, self.fresh, self.again) = (0, 0, 0);
    }

    /// An emptied chunk.
    pub fn reclaim(&mut self) -> Option<Vec<i16>> {
        self.spent.pop_front()
    }

    /// Keeps an emptied chunk for its owner, as far as there is room.
    pub fn spend(&mut self, mut chunk: Vec<i16>) {
        if self.spent.len() < self.max_chunks {
            chunk.clear();
            self.spent.push_back(chunk);
        }
    }

    /// A chunk that has been played, as long as it is within reach.
    fn keep(&mut self, chunk: Vec<i16>) {
        self.past_samples += chunk.len();
        self.past.push_back(chunk);
        while let Some(oldest) = self.past.front()
            && (self.past_samples - oldest.len() >= self.reach || self.past.len() > self.max_chunks)
        {
            self.past_samples -= oldest.len();
            if let Some(oldest) = self.past.pop_front() {
                self.spend(oldest);
            }
        }
    }

    /// How many samples before the next the quietest block begins; of equals the latest.
    fn quietest(&self) -> usize {
        let present = self.chunks.front().map_or(&[][..], |chunk| &chunk[..self.taken]);
        let mut backwards = present.iter().rev().chain(self.past.iter().rev().flat_map(|chunk| chunk.iter().rev()));
        let whole_blocks = (present.len() + self.past_samples) / self.block;
        let energy = |_| backwards.by_ref().take(self.block).map(|sample| i64::from(*sample).pow(2)).sum::<i64>();
        let energies = (0..whole_blocks.min(self.reach / self.block)).map(energy).enumerate();
        energies.min_by_key(|(_, energy)| *energy).map_or(0, |(block, _)| (block + 1) * self.block)
    }
}

/// As much as there is room for, which is added to `taken`.
fn copy(from: &[i16], to: &mut [f32], taken: &mut usize) -> usize {
    let n = from.len().min(to.len());
    for (to, from) in to.iter_mut().zip(&from[..n]) {
        *to = f32::from(*from);
    }
    *taken += n;
    n
}
