//! What came that nobody can read. It is counted, told about now and then, and survived.

use crate::EngineEvent;

#[derive(Debug, Default)]
pub struct Oddities {
    /// Frames that are no messages.
    pub junk: u64,
    /// Messages with fields in a form that we do not know.
    pub unreadable: u64,
    /// Messages of a kind that we do not know; a service may add some any day, so nobody is told.
    pub unknown: u64,
    /// Pieces of audio that cannot be played.
    pub audio_faults: u64,
    slow_uplink: bool,
}

impl Oddities {
    pub fn junk(&mut self) -> Option<EngineEvent> {
        told(&mut self.junk, "the service sends frames that are no messages; they are passed over")
    }

    pub fn unreadable(&mut self) -> Option<EngineEvent> {
        told(&mut self.unreadable, "the service sends fields in a form we do not know; they are passed over")
    }

    pub fn unknown(&mut self) {
        self.unknown += 1;
        tracing::debug!(count = self.unknown, "the service sends messages of a kind we do not know");
    }

    pub fn audio_fault(&mut self, fault: &dyn std::fmt::Display) -> Option<EngineEvent> {
        told(&mut self.audio_faults, &fault.to_string())
    }

    pub fn slow_uplink(&mut self) -> Option<EngineEvent> {
        let news = !std::mem::replace(&mut self.slow_uplink, true);
        news.then(|| EngineEvent::Notice("the service takes the caller's audio too slowly: the oldest of it was dropped".into()))
    }
}

/// At the first, tenth, hundredth …
fn told(count: &mut u64, text: &str) -> Option<EngineEvent> {
    *count += 1;
    match *count {
        1 => Some(EngineEvent::Notice(text.to_owned())),
        count if 10_u64.pow(count.ilog10()) == count => Some(EngineEvent::Notice(format!("{text} ({count} so far)"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_told_at_powers_of_ten() {
        let mut oddities = Oddities::default();
        let told = (0..1_500).filter_map(|_| oddities.junk()).count();
        assert_eq!((told, oddities.junk), (4, 1_500));
        assert_eq!((0..5).filter_map(|_| oddities.slow_uplink()).count(), 1);
    }
}
