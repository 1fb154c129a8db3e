//! What is kept of a call. The first messages go out to whoever writes them down as they come; of the later ones the last are held
//! until the call ends, and what was between them is counted.

use callie_domain::record::{SipMessage, Way};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Messages of a call that are kept as they come. An ordinary call has ten; one of an hour with session timers, thirty.
const FIRST: usize = 400;
/// Messages beyond them: the last ones, which tell how it ended.
const LAST: usize = 100;
/// Bytes of each part.
const FIRST_BYTES: usize = 512 * 1024;
const LAST_BYTES: usize = 128 * 1024;

/// The SIP messages of one call leg. Cheap to clone; the clones are one trace.
#[derive(Clone, Default)]
pub struct CallTrace(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    /// Not taken yet.
    fresh: Vec<SipMessage>,
    /// Messages and bytes kept as they came.
    first: usize,
    first_bytes: usize,
    last: VecDeque<SipMessage>,
    last_bytes: usize,
    left_out: u32,
    over: bool,
    /// CSeq of the INVITE that we answered last with a 2xx, and how often that went out.
    answered: String,
    answers: u32,
}

impl CallTrace {
    /// Of a leg without messages.
    pub(crate) fn ended() -> Self {
        let trace = Self::default();
        trace.end();
        trace
    }

    /// The messages that came since the last time, in order; after the call's end the held ones too.
    pub fn take(&self) -> Vec<SipMessage> {
        let mut kept = self.kept();
        let mut taken = std::mem::take(&mut kept.fresh);
        if kept.over {
            let left_out = std::mem::take(&mut kept.left_out);
            kept.last_bytes = 0;
            if let Some(first) = kept.last.front_mut() {
                first.left_out_before = left_out;
            }
            taken.extend(kept.last.drain(..));
        }
        taken
    }

    /// How often our last 2xx to an INVITE went out.
    pub(crate) fn answers_sent(&self) -> u32 {
        self.kept().answers
    }

    /// The leg is over; nothing more comes.
    pub fn is_over(&self) -> bool {
        self.kept().over
    }

    pub(super) fn add(&self, message: SipMessage) {
        self.kept().add(message);
    }

    pub(super) fn end(&self) {
        self.kept().over = true;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn count(&mut self, message: &SipMessage) {
        if message.way != Way::Sent || !message.text.starts_with("SIP/2.0 2") {
            return;
        }
        let Some(cseq) = message.field("CSeq").filter(|cseq| cseq.ends_with("INVITE")) else { return };
        if self.answered == cseq {
            self.answers = self.answers.saturating_add(1);
        } else {
            self.answered = cseq.to_owned();
            self.answers = 1;
        }
    }

    fn add(&mut self, message: SipMessage) {
        self.count(&message);
        let bytes = message.text.len();
        if self.first < FIRST && self.first_bytes + bytes <= FIRST_BYTES {
            self.first += 1;
            self.first_bytes += bytes;
            self.fresh.push(message);
            return;
        }
        // From the first that has no room on, all go to the last ones: the order holds.
        self.first = FIRST;
        self.last_bytes += bytes;
        self.last.push_back(message);
        while self.last.len() > LAST || self.last_bytes > LAST_BYTES {
            let Some(oldest) = self.last.pop_front() else { return };
            self.last_bytes -= oldest.text.len();
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::Transport;

    fn message(n: usize, bytes: usize) -> SipMessage {
        SipMessage {
            at: jiff::Timestamp::UNIX_EPOCH,
            way: Way::Sent,
            transport: Transport::Udp,
            local: ([127, 0, 0, 1], 5060).into(),
            remote: ([127, 0, 0, 1], 5070).into(),
            text: format!("{n:0bytes$}"),
            note: None,
            left_out_before: 0,
        }
    }

    #[test]
    fn the_middle_of_a_long_call_is_left_out_and_counted() {
        let trace = CallTrace::default();
        for n in 0..FIRST + LAST + 7 {
            trace.add(message(n, 4));
            if n == 10 {
                assert_eq!(trace.take().len(), 11, "what has come can be had at once");
            }
        }
        assert_eq!(trace.take().len(), FIRST - 11);
        assert!(trace.take().is_empty() && !trace.is_over());
        trace.end();
        let last = trace.take();
        assert_eq!(last.len(), LAST);
        assert_eq!(last.first().map(|m| m.left_out_before), Some(7));
        assert_eq!(last.last().map(|m| m.text.as_str()), Some("0506"));
        assert!(trace.take().is_empty() && trace.is_over());
    }

    #[test]
    fn large_messages_take_no_more_room() {
        let trace = CallTrace::default();
        for n in 0..FIRST {
            trace.add(message(n, 16_000));
        }
        trace.end();
        let kept: usize = trace.take().iter().map(|m| m.text.len()).sum();
        assert!(kept <= FIRST_BYTES + LAST_BYTES, "{kept}");
    }
}
