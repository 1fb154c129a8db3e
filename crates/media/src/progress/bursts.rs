//! Whole tones: where one begins and ends, its frequency averaged over it. A gap of 20 ms is bridged, for a lost packet and the
//! phase that a fax machine turns over in its tone are no end.

use super::spectrum::{Pair, Sound};

/// Blocks of 10 ms without the tone that end it.
const GONE: u32 = 3;
/// How far a block may be off the tone it belongs to: hertz, and parts of the frequency.
const OFF_HERTZ: f32 = 9.0;
const OFF_SHARE: f32 = 0.012;
/// What is shorter, in ms, is no tone.
const SHORTEST_MS: u32 = 45;
/// Energies of so many blocks are kept, to see where a tone really began.
const KEPT: usize = 4;

/// What sounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Voice {
    Hertz(f32),
    Pair(Pair),
}

/// A tone from its beginning to its end. Times are in ms since the listening began, exact to 5 ms or so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Burst {
    pub voice: Voice,
    pub from_ms: u32,
    pub to_ms: u32,
}

impl Burst {
    pub fn length_ms(&self) -> u32 {
        self.to_ms - self.from_ms
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    running: Option<Running>,
    /// A tone of another frequency that may be taking over.
    rival: Option<Running>,
    /// Of the last blocks, the newest first.
    energies: [f32; KEPT],
    blocks: u32,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    voice: Voice,
    from_ms: u32,
    to_ms: u32,
    /// Blocks that the frequency is averaged over.
    count: u32,
    missing: u32,
    /// Of a full block.
    energy: f32,
}

impl Bursts {
    /// Takes the next 10 ms; gives the tone that is known to be over.
    pub fn hear(&mut self, sound: Sound, energy: f32) -> Option<Burst> {
        self.energies.rotate_right(1);
        self.energies[0] = energy;
        self.blocks += 1;
        match sound {
            Sound::Tone { hertz } => self.tone(hertz, energy),
            Sound::Pair(pair) => self.pair(pair, energy),
            Sound::Quiet | Sound::Other => self.nothing(energy),
        }
    }

    /// The tone that sounds now and how long it has, if it is long enough to be one.
    pub fn now(&self) -> Option<Burst> {
        self.running.map(Running::burst).filter(|burst| burst.length_ms() >= SHORTEST_MS)
    }

    /// A tone sounds in the last block, however short it is so far.
    pub fn sounds(&self) -> bool {
        self.running.is_some_and(|running| running.missing == 0) || self.rival.is_some()
    }

    fn end_ms(&self) -> u32 {
        self.blocks * 10
    }

    fn tone(&mut self, hertz: f32, energy: f32) -> Option<Burst> {
        let to_ms = self.end_ms();
        if let Some(running) = self.running.as_mut().filter(|running| running.is_like(hertz)) {
            running.goes_on(hertz, to_ms, energy);
            self.rival = None;
            return None;
        }
        // One block is no tone, two that are alike are.
        let confirmed = self.rival.as_ref().is_some_and(|rival| rival.is_like(hertz) && rival.to_ms + 10 == to_ms);
        match self.rival.as_mut().filter(|_| confirmed) {
            Some(rival) => rival.goes_on(hertz, to_ms, energy),
            None => self.rival = Some(self.beginning(hertz, energy)),
        }
        match &self.running {
            None => {
                self.running = self.rival.take();
                None
            }
            Some(_) if confirmed => std::mem::replace(&mut self.running, self.rival.take()).and_then(Running::over),
            Some(_) => self.miss(),
        }
    }

    fn pair(&mut self, pair: Pair, energy: f32) -> Option<Burst> {
        let to_ms = self.end_ms();
        self.rival = None;
        if let Some(running) = self.running.as_mut().filter(|running| running.voice == Voice::Pair(pair)) {
            running.to_ms = to_ms;
            running.missing = 0;
            return None;
        }
        // By then the window is full of it. What sounded like one tone meanwhile was the pair.
        let from_ms = to_ms.saturating_sub(10 * pair.blocks() as u32);
        let begun = Running { voice: Voice::Pair(pair), from_ms, to_ms, count: 1, missing: 0, energy };
        let former = self.running.replace(begun)?;
        if former.from_ms + 20 >= from_ms {
            return None;
        }
        Running { to_ms: former.to_ms.min(from_ms), ..former }.over()
    }

    fn nothing(&mut self, energy: f32) -> Option<Burst> {
        if let Some(running) = self.running.as_mut().filter(|running| running.missing == 0) {
            // A part of this block is still it.
            running.to_ms += (10.0 * (energy / running.energy.max(1.0)).min(0.95)) as u32;
        }
        self.rival = None;
        self.miss()
    }

    fn miss(&mut self) -> Option<Burst> {
        let running = self.running.as_mut()?;
        running.missing += 1;
        (running.missing >= GONE).then(|| self.running.take().and_then(Running::over)).flatten()
    }

    /// A tone is made out in its second full block; what the blocks before held tells when it began.
    fn beginning(&self, hertz: f32, energy: f32) -> Running {
        let whole = |at: usize| self.energies.get(at).is_some_and(|before| *before > 0.9 * energy);
        let share = |at: usize| self.energies.get(at).map_or(0.0, |before| (before / energy.max(1.0)).min(1.0));
        let lead = if whole(1) { 10.0 + 10.0 * if whole(2) { 0.0 } else { share(2) } } else { 10.0 * share(1) };
        let to_ms = self.end_ms();
        let from_ms = (to_ms - 10).saturating_sub(lead as u32);
        Running { voice: Voice::Hertz(hertz), from_ms, to_ms, count: 1, missing: 0, energy }
    }
}

impl Running {
    fn is_like(&self, hertz: f32) -> bool {
        matches!(self.voice, Voice::Hertz(mean) if (mean - hertz).abs() <= OFF_HERTZ.max(mean * OFF_SHARE))
    }

    fn goes_on(&mut self, hertz: f32, to_ms: u32, energy: f32) {
        if let Voice::Hertz(mean) = &mut self.voice {
            self.count = (self.count + 1).min(100);
            *mean += (hertz - *mean) / self.count as f32;
        }
        self.to_ms = to_ms;
        self.missing = 0;
        self.energy = energy;
    }

    fn burst(self) -> Burst {
        Burst { voice: self.voice, from_ms: self.from_ms, to_ms: self.to_ms }
    }

    fn over(self) -> Option<Burst> {
        Some(self.burst()).filter(|burst| burst.length_ms() >= SHORTEST_MS)
    }
}
