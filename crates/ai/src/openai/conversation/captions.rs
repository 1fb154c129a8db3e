//! The words of one stretch of the agent's speech, and where they lie in its audio. The service sends both in their own time,
//! words mostly first; what was not heard must not count as said.

/// Until all of it is here: so long a character takes to be spoken, milliseconds. About 15 are spoken in a second.
const CHARACTER_MS: u64 = 65;
/// Longest text kept of one stretch, bytes. A minute of speech has 1,000.
const TEXT_BYTES: usize = 16_000;

#[derive(Debug, Default)]
pub struct Captions {
    text: String,
    /// So much of it was handed out, bytes.
    told: usize,
    audio_ms: u64,
    /// No more audio comes.
    complete: bool,
    /// The caller cut it short; what still comes belongs to nothing that is heard.
    cut: bool,
}

impl Captions {
    /// More words, in pieces of any size.
    pub fn words(&mut self, piece: &str) {
        if !self.cut && self.text.len() < TEXT_BYTES {
            self.text.push_str(piece);
        }
    }

    /// All words, from services that send no pieces.
    pub fn whole(&mut self, text: &str) {
        if self.text.is_empty() {
            self.words(text);
        }
    }

    /// All of the audio so far has this length.
    pub fn audio(&mut self, audio_ms: u64) {
        self.audio_ms = audio_ms;
    }

    /// No more audio comes.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Whole words that the audio so far says, and that were not handed out yet.
    pub fn next_words(&mut self) -> Option<String> {
        if self.audio_ms == 0 || self.cut {
            return None;
        }
        let until = if self.complete { self.text.len() } else { self.reached(self.audio_ms) };
        let words = self.text.get(self.told..until).filter(|words| !words.is_empty())?.to_owned();
        self.told = until;
        Some(words)
    }

    /// What of it was heard, when so much of the audio was played.
    pub fn heard(&self, played_ms: u64) -> &str {
        let whole = self.cut || self.complete && played_ms >= self.audio_ms;
        let until = if whole { self.text.len() } else { self.reached(played_ms) };
        self.text.get(..until).unwrap_or_default()
    }

    /// The rest was never heard.
    pub fn cut(&mut self, played_ms: u64) {
        if !self.cut {
            let heard = self.heard(played_ms).len();
            self.text.truncate(heard);
            self.told = self.told.min(heard);
            self.cut = true;
        }
    }

    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The end of the last whole word that is over after so much audio, bytes.
    fn reached(&self, audio_ms: u64) -> usize {
        let length = self.text.chars().count() as u64;
        let spoken = match length {
            _ if !self.complete => audio_ms / CHARACTER_MS,
            0 => 0,
            _ => audio_ms * length / self.audio_ms.max(1),
        };
        let spoken = usize::try_from(spoken).unwrap_or(usize::MAX);
        let mut ends = self.text.char_indices().enumerate().filter(|(_, (_, c))| c.is_whitespace());
        let last = ends.by_ref().take_while(|(index, _)| *index <= spoken).last().map_or(0, |(_, (byte, _))| byte);
        // The last word has no space behind it: it is whole when nothing can be added to it.
        if self.complete && spoken as u64 >= length { self.text.len() } else { last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 characters: 1.3 s until it is complete.
    const TEXT: &str = "One two three four. ";

    fn captions(pieces: &[&str]) -> Captions {
        let mut captions = Captions::default();
        pieces.iter().for_each(|piece| captions.words(piece));
        captions
    }

    #[test]
    fn words_come_out_when_their_audio_is_there_and_never_in_parts() {
        let mut captions = captions(&["One tw", "o thr", "ee four."]);
        assert_eq!(captions.next_words(), None, "nothing can be heard yet");
        for (audio_ms, words) in [(100, None), (200, Some("One")), (300, None), (500, Some(" two")), (900, Some(" three"))] {
            captions.audio(audio_ms);
            assert_eq!(captions.next_words().as_deref(), words, "{audio_ms}");
        }
        captions.complete();
        assert_eq!(captions.next_words().as_deref(), Some(" four."));
        assert_eq!(captions.next_words(), None);
    }

    #[test]
    fn words_that_come_after_their_audio_come_out_at_once() {
        let mut captions = Captions::default();
        captions.audio(2_000);
        captions.complete();
        assert_eq!(captions.next_words(), None);
        captions.whole("One two.");
        captions.whole("One two, again.");
        assert_eq!(captions.next_words().as_deref(), Some("One two."));
    }

    #[test]
    fn what_was_heard_is_told_by_time() {
        let mut captions = captions(&[TEXT]);
        captions.audio(4_000);
        captions.complete();
        for (played_ms, heard) in
            [(0, ""), (500, ""), (700, "One"), (2_000, "One two"), (3_900, "One two three four."), (4_000, TEXT)]
        {
            assert_eq!(captions.heard(played_ms), heard, "{played_ms}");
        }
    }

    #[test]
    fn what_is_cut_stays_cut() {
        let mut captions = captions(&[TEXT]);
        captions.audio(4_000);
        assert_eq!(captions.next_words().as_deref(), Some("One two three four."));
        captions.cut(600);
        captions.words("five six");
        captions.complete();
        assert_eq!((captions.next_words(), captions.heard(4_000)), (None, "One two"));
        captions.cut(0);
        assert_eq!(captions.heard(4_000), "One two", "the first cut counts");
    }

    #[test]
    fn endless_words_do_not_grow() {
        let mut captions = Captions::default();
        (0..10_000).for_each(|_| captions.words("more and more "));
        assert!(captions.text.len() < TEXT_BYTES + 20);
    }
}
