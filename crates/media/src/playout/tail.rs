//! Edges of speech: the few milliseconds that keep a cut from being heard as a click.

/// 5 ms at 24 kHz.
pub(super) const MAX_FADE: usize = 120;

/// What is still to be played after the queue has been cut or ran dry, and the gain of what begins after a gap.
#[derive(Debug)]
pub(super) struct Tail {
    samples: [f32; MAX_FADE],
    /// Played so far of `len`.
    at: usize,
    len: usize,
    /// Length of a fade, in samples.
    fade: usize,
    /// Samples of the fade-in that have passed; `fade` when none is going on.
    risen: usize,
    /// The last sample of speech that passed.
    pub last: f32,
}

impl Tail {
    pub fn new(fade: usize) -> Self {
        let fade = fade.min(MAX_FADE);
        Self { samples: [0.0; MAX_FADE], at: 0, len: 0, fade, risen: fade, last: 0.0 }
    }

    pub fn is_empty(&self) -> bool {
        self.at >= self.len
    }

    /// Plays what is left into `out`; returns how much that was.
    pub fn drain(&mut self, out: &mut [f32]) -> usize {
        let rest = &self.samples[self.at..self.len];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        n
    }

    /// Speech on its way out: raised slowly after [`Self::fade_in`], and its end remembered.
    pub fn passed(&mut self, speech: &mut [f32]) {
        for sample in speech.iter_mut().take(self.fade - self.risen) {
            self.risen += 1;
            *sample *= self.risen as f32 / self.fade as f32;
        }
        self.last = speech.last().copied().unwrap_or(self.last);
    }

    /// The speech that comes next begins in the middle of a sound.
    pub fn fade_in(&mut self) {
        self.risen = 0;
    }

    /// Speech stopped at `level` with nothing behind it.
    pub fn ramp_down(&mut self, level: f32) {
        let fade = self.fade as f32;
        for (i, sample) in self.samples[..self.fade].iter_mut().enumerate() {
            *sample = level * (1.0 - (i + 1) as f32 / fade);
        }
        self.ready(self.fade);
    }

    /// Speech is cut; `next` (at most 5 ms) is what would have followed.
    pub fn fade_out(&mut self, next: &[f32]) {
        let n = next.len().min(self.fade);
        for (i, (sample, next)) in self.samples.iter_mut().zip(&next[..n]).enumerate() {
            *sample = next * (1.0 - (i + 1) as f32 / n as f32);
        }
        if n == 0 { self.ramp_down(self.last) } else { self.ready(n) }
    }

    fn ready(&mut self, len: usize) {
        (self.at, self.len) = (0, len);
        self.risen = self.fade;
        self.last = 0.0;
    }
}
