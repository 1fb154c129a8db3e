//! What was written, in memory: the first version kept it so, and it is of no use after a restart.

use callie_domain::record::Speaker;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Correspondences that are kept; the oldest goes first.
const MOST_LETTERS: usize = 100;
/// Lines of one; the oldest go first.
const MOST_LINES: usize = 100;
/// After so long without a line the next one begins a new correspondence.
const GOES_ON: SignedDuration = SignedDuration::from_mins(30);

/// How it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sms,
    Chat,
}

/// What was written to and fro with one other side.
#[derive(Debug, Clone, PartialEq)]
pub struct Correspondence {
    pub kind: Kind,
    pub phone_number: String,
    pub started_at: Timestamp,
    pub last_at: Timestamp,
    pub lines: VecDeque<(Speaker, String)>,
}

/// Cheap to clone. The lock is held for a look only, never across an await.
#[derive(Debug, Clone, Default)]
pub struct Letters(Arc<Mutex<VecDeque<Correspondence>>>);

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Chat => "chat",
        }
    }
}

impl Correspondence {
    /// `chat-1794315900-+1234567890`
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.kind.name(), self.started_at.as_second(), self.phone_number)
    }

    fn note(&mut self, speaker: Speaker, text: &str, now: Timestamp) {
        self.last_at = now;
        self.lines.push_back((speaker, text.to_owned()));
        while self.lines.len() > MOST_LINES {
            self.lines.pop_front();
        }
    }
}

impl Letters {
    /// Notes what the other side has written; gives the correspondence so far.
    pub fn received(&self, kind: Kind, phone_number: &str, text: &str, now: Timestamp) -> Correspondence {
        let mut all = self.all();
        let is_same = |c: &Correspondence| c.kind == kind && c.phone_number == phone_number;
        let at = all.iter().rposition(|c| is_same(c) && now.duration_since(c.last_at) < GOES_ON);
        let mut current = at.and_then(|at| all.remove(at)).unwrap_or_else(|| Correspondence {
            kind,
            phone_number: phone_number.to_owned(),
            started_at: now,
            last_at: now,
            lines: VecDeque::new(),
        });
        current.note(Speaker::Caller, text, now);
        all.push_back(current.clone());
        while all.len() > MOST_LETTERS {
            all.pop_front();
        }
        current
    }

    /// Notes the answer, unless the correspondence is forgotten.
    pub fn answered(&self, id: &str, text: &str, now: Timestamp) {
        if let Some(current) = self.all().iter_mut().rev().find(|c| c.id() == id) {
            current.note(Speaker::Agent, text, now);
        }
    }

    /// All that are kept.
    pub fn kept(&self) -> Vec<Correspondence> {
        self.all().iter().cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, VecDeque<Correspondence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    #[test]
    fn a_correspondence_goes_on_for_half_an_hour() {
        let letters = Letters::default();
        let first = letters.received(Kind::Chat, "+1", "hello", at(0));
        letters.answered(&first.id(), "hi", at(1));
        assert_eq!(letters.received(Kind::Chat, "+1", "again", at(1_800)).lines.len(), 3);
        assert_eq!(letters.received(Kind::Sms, "+1", "by sms", at(1_800)).lines.len(), 1);
        assert_eq!(letters.received(Kind::Chat, "+2", "another", at(1_800)).lines.len(), 1);
        assert_eq!(letters.received(Kind::Chat, "+1", "late", at(3_600)).lines.len(), 1);
        assert_eq!(first.id(), "chat-0-+1");
        assert_eq!(letters.kept().len(), 4);
        letters.answered("chat-9-+9", "to nobody", at(2));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let letters = Letters::default();
        for i in 0..500 {
            letters.received(Kind::Sms, &format!("+{}", i % 250), "text", at(i));
        }
        for i in 0..500 {
            letters.received(Kind::Chat, "+1", "text", at(i));
        }
        let kept = letters.kept();
        assert_eq!(kept.len(), MOST_LETTERS);
        assert!(kept.iter().all(|c| c.lines.len() <= MOST_LINES));
    }
}
