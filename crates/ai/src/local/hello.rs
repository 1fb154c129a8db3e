//! When we called: the other side is let finish its hello before we speak. A pure machine on frames of 20 ms.

/// Silence from the start after which we speak without having heard a hello: 1.5 s.
const NO_HELLO: u32 = 75;
/// Silence that ends the other side's hello: 700 ms.
const END_OF_HELLO: u32 = 35;
/// A hello longer than 20 s is talked over (an endless announcement).
const LONGEST_HELLO: u32 = 1_000;

/// What was heard since the call was answered, in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hello {
    spoken: bool,
    silent_frames: u32,
    frames: u32,
}

impl Hello {
    /// Takes one frame; true when it is our turn.
    pub fn is_over(&mut self, speech: bool) -> bool {
        self.spoken |= speech;
        self.silent_frames = if speech { 0 } else { self.silent_frames + 1 };
        self.frames += 1;
        let pause = if self.spoken { END_OF_HELLO } else { NO_HELLO };
        self.silent_frames >= pause || self.frames >= LONGEST_HELLO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_turn_comes_after_the_hello() {
        let frames_until = |speech: fn(u32) -> bool| {
            let mut hello = Hello::default();
            (0..2_000).find(|&frame| hello.is_over(speech(frame)))
        };
        assert_eq!(frames_until(|_| false), Some(NO_HELLO - 1));
        assert_eq!(frames_until(|frame| (20..60).contains(&frame)), Some(60 + END_OF_HELLO - 1));
        assert_eq!(frames_until(|_| true), Some(LONGEST_HELLO - 1));
    }
}
