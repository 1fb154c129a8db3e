//! What waits for a socket to take it. It outlives the socket: what the caller says while a session is replaced waits here.

use bytes::Bytes;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Messages that are no audio and may wait for the socket: texts and tool results, a handful in a call. A service that
/// asks for more while it takes none is not waited for.
const TEXT_BOUND: usize = 256;

/// Audio is bounded by age (see [`Outbox::new`]): what is older would make the model answer the past, so the oldest goes first.
#[derive(Debug)]
pub struct Outbox {
    queue: VecDeque<Item>,
    audio: usize,
    audio_bound: usize,
    texts: usize,
    delay: Duration,
}

#[derive(Debug)]
enum Item {
    /// With the time when its oldest sound was given.
    Audio(Bytes, Instant),
    Text(String),
}

impl Outbox {
    /// `audio_bound`: messages of audio that may wait; as many as two seconds hold.
    pub fn new(audio_bound: usize) -> Self {
        Self { queue: VecDeque::new(), audio: 0, audio_bound: audio_bound.max(1), texts: 0, delay: Duration::ZERO }
    }

    /// `began`: when its oldest sound was given. False when the oldest audio had to go for it.
    pub fn push_audio(&mut self, message: Bytes, began: Instant) -> bool {
        let fits = self.audio < self.audio_bound;
        if !fits && let Some(oldest) = self.queue.iter().position(|item| matches!(item, Item::Audio(..))) {
            self.queue.remove(oldest);
            self.audio -= 1;
        }
        self.audio += 1;
        self.queue.push_back(Item::Audio(message, began));
        fits
    }

    /// False when there are too many already.
    pub fn push_text(&mut self, message: String) -> bool {
        if self.texts == TEXT_BOUND {
            return false;
        }
        self.texts += 1;
        self.queue.push_back(Item::Text(message));
        true
    }

    /// For the next session: what was to be told to the last one is forgotten, and what the next is told goes before the
    /// audio.
    pub fn begin_anew(&mut self, told: impl IntoIterator<Item = String>) {
        self.queue.retain(|item| matches!(item, Item::Audio(..)));
        let told: Vec<_> = told.into_iter().collect();
        self.texts = told.len();
        told.into_iter().rev().for_each(|message| self.queue.push_front(Item::Text(message)));
    }

    /// For a session that is told everything anew.
    pub fn clear(&mut self) {
        self.queue.clear();
        (self.audio, self.texts) = (0, 0);
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How long the oldest sound of the audio that was taken last had waited.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    pub fn pop(&mut self, now: Instant) -> Option<Message> {
        Some(Message::Text(match self.queue.pop_front()? {
            Item::Audio(message, began) => {
                self.audio -= 1;
                self.delay = now.saturating_duration_since(began);
                Utf8Bytes::try_from(message).unwrap_or_default()
            }
            Item::Text(message) => {
                self.texts -= 1;
                message.into()
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(outbox: &mut Outbox) -> Vec<String> {
        let now = Instant::now();
        std::iter::from_fn(|| outbox.pop(now)).map(|message| message.to_string()).collect()
    }

    #[test]
    fn the_oldest_audio_goes_and_texts_stay() {
        let mut outbox = Outbox::new(2);
        assert!(outbox.push_text("hello".into()));
        assert!(outbox.push_audio("1".into(), Instant::now()));
        assert!(outbox.push_audio("2".into(), Instant::now()));
        assert!(outbox.push_text("tool".into()));
        assert!(!outbox.push_audio("3".into(), Instant::now()));
        assert_eq!(sent(&mut outbox), ["hello", "2", "tool", "3"]);
        assert!(outbox.push_audio("4".into(), Instant::now()), "room again");
    }

    #[test]
    fn texts_are_bounded() {
        let mut outbox = Outbox::new(2);
        assert!((0..TEXT_BOUND).all(|_| outbox.push_text(String::new())));
        assert!(!outbox.push_text(String::new()));
    }

    #[test]
    fn the_next_session_is_told_first_and_then_hears() {
        let mut outbox = Outbox::new(2);
        outbox.push_text("for the last".into());
        outbox.push_audio("1".into(), Instant::now());
        outbox.begin_anew(["so far".to_owned(), "and so on".to_owned()]);
        outbox.push_audio("2".into(), Instant::now());
        assert!(!outbox.push_audio("3".into(), Instant::now()), "still bounded");
        assert_eq!(sent(&mut outbox), ["so far", "and so on", "2", "3"]);
    }

    #[test]
    fn what_waits_is_as_old_as_its_oldest_sound() {
        let (mut outbox, start) = (Outbox::new(2), Instant::now());
        let ms = |count| start + Duration::from_millis(count);
        outbox.push_audio("1".into(), start);
        outbox.push_text("tool".into());
        outbox.push_audio("2".into(), ms(40));
        outbox.pop(ms(20));
        assert_eq!(outbox.delay(), Duration::from_millis(20));
        outbox.pop(ms(300));
        assert_eq!(outbox.delay(), Duration::from_millis(20), "a text is no speech");
        outbox.pop(ms(300));
        assert_eq!(outbox.delay(), Duration::from_millis(260), "the socket took nothing for so long");
    }
}
