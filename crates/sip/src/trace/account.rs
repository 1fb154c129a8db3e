//! What is kept of an account: the last exchange with its registrar while all is well, and everything since trouble began when it
//! is not.
//!
//! Ten thousand accounts that are well must not cost what one that fails may: after a clean success only the accepted REGISTER and
//! its answer stay. Trouble (a refusal, a repetition, a stranger at the door) stays beside them until newer trouble needs its room.

use callie_domain::record::{SipMessage, Way};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Messages and bytes of one account.
const MESSAGES: usize = 200;
const BYTES: usize = 256 * 1024;
/// A clean registration: REGISTER, challenge, REGISTER, 200.
const CLEAN: usize = 4;
/// The accepted REGISTER and its 200.
const WELL: usize = 2;

/// Bytes that all accounts may keep together beyond the last exchange of each. When a provider is down for ten thousand, each
/// keeps less.
pub(super) const POOL_BYTES: usize = 32 * 1024 * 1024;

/// The last SIP messages of one account.
#[derive(Default)]
pub(crate) struct AccountTrace {
    kept: Mutex<Kept>,
    pool: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Kept {
    messages: Vec<SipMessage>,
    bytes: usize,
    /// Where the present exchange began.
    exchange: usize,
    /// Where the last clean exchange is, if nothing has happened since.
    clean: Option<usize>,
}

impl AccountTrace {
    pub(super) fn new(pool: Arc<AtomicUsize>) -> Self {
        Self { kept: Mutex::default(), pool }
    }

    /// Oldest first.
    pub fn messages(&self) -> Vec<SipMessage> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).messages.clone()
    }

    /// A message that is no part of a registration: it stays as trouble does.
    pub fn note(&self, message: SipMessage) {
        self.with(|kept| {
            let at = kept.exchange.min(kept.messages.len());
            kept.bytes += message.text.len();
            kept.messages.insert(at, message);
            kept.exchange = at + 1;
            kept.clean = None;
        });
    }

    pub(super) fn add(&self, message: SipMessage) {
        self.with(|kept| kept.add(message));
    }

    fn with(&self, change: impl FnOnce(&mut Kept)) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.bytes;
        change(&mut kept);
        // Others' share may be a little behind or ahead: it is a bound, not an account.
        let others = self.pool.load(Ordering::Relaxed).saturating_sub(before);
        while kept.is_too_large(others) {
            kept.drop_oldest();
        }
        kept.messages.shrink_to_fit();
        let now = kept.bytes;
        self.pool.fetch_add(now, Ordering::Relaxed);
        self.pool.fetch_sub(before, Ordering::Relaxed);
    }
}

impl Drop for AccountTrace {
    fn drop(&mut self) {
        let bytes = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner).bytes;
        self.pool.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Kept {
    fn add(&mut self, message: SipMessage) {
        let is_success = message.way == Way::Received && message.text.starts_with("SIP/2.0 2");
        self.bytes += message.text.len();
        self.messages.push(message);
        if is_success {
            self.settle();
        }
    }

    /// A clean exchange leaves its last two messages, and takes the clean one before it away.
    fn settle(&mut self) {
        let exchange = self.messages.split_off(self.exchange.min(self.messages.len()));
        let is_clean = exchange.len() <= CLEAN && exchange.iter().all(is_expected);
        let surplus = if is_clean { exchange.len().saturating_sub(WELL) } else { 0 };
        if let Some(clean) = self.clean.take().filter(|_| is_clean) {
            self.messages.truncate(clean);
        }
        self.clean = is_clean.then_some(self.messages.len());
        self.messages.extend(exchange.into_iter().skip(surplus));
        self.exchange = self.messages.len();
        self.bytes = self.messages.iter().map(|message| message.text.len()).sum();
    }

    fn is_too_large(&self, others: usize) -> bool {
        let beyond = self.messages.len() > WELL;
        beyond && (self.messages.len() > MESSAGES || self.bytes > BYTES || others + self.bytes > POOL_BYTES)
    }

    fn drop_oldest(&mut self) {
        let oldest = self.messages.remove(0);
        self.bytes -= oldest.text.len();
        self.exchange = self.exchange.saturating_sub(1);
        self.clean = self.clean.and_then(|clean| clean.checked_sub(1));
        if let Some(first) = self.messages.first_mut() {
            first.left_out_before = first.left_out_before.saturating_add(oldest.left_out_before).saturating_add(1);
        }
    }
}

/// Part of a registration that goes as it should.
fn is_expected(message: &SipMessage) -> bool {
    const ANSWERS: [&str; 4] = ["SIP/2.0 1", "SIP/2.0 2", "SIP/2.0 401", "SIP/2.0 407"];
    message.note.is_none() && (message.way == Way::Sent || ANSWERS.iter().any(|answer| message.text.starts_with(answer)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::Transport;

    fn message(way: Way, text: &str) -> SipMessage {
        SipMessage {
            at: jiff::Timestamp::UNIX_EPOCH,
            way,
            transport: Transport::Udp,
            local: ([127, 0, 0, 1], 5060).into(),
            remote: ([127, 0, 0, 1], 5070).into(),
            text: text.into(),
            note: None,
            left_out_before: 0,
        }
    }

    /// `>x` is sent, `<x` received.
    fn after(steps: &[&str]) -> Vec<String> {
        let trace = AccountTrace::default();
        for step in steps {
            let (way, text) = step.split_at(1);
            match way {
                ">" => trace.add(message(Way::Sent, text)),
                "<" => trace.add(message(Way::Received, &format!("SIP/2.0 {text}"))),
                _ => trace.note(SipMessage { note: Some("refused".into()), ..message(Way::Received, text) }),
            }
        }
        trace.messages().iter().map(|m| m.text.trim_start_matches("SIP/2.0 ").to_owned()).collect()
    }

    #[test]
    fn a_healthy_account_keeps_its_last_exchange() {
        assert_eq!(after(&[">R1", "<401", ">R2", "<200 a"]), ["R2", "200 a"]);
        assert_eq!(after(&[">R1", "<401", ">R2", "<200 a", ">R3", "<200 b"]), ["R3", "200 b"]);
        assert_eq!(after(&[">R1", "<200 a", ">R2"]), ["R1", "200 a", "R2"], "one under way is beside it");
    }

    #[test]
    fn trouble_stays() {
        let healed = [">R1", "<503", ">R2", "<200 a", ">R3", "<200 b", ">R4", "<200 c"];
        assert_eq!(after(&healed), ["R1", "503", "R2", "200 a", "R4", "200 c"]);
        assert_eq!(after(&[">R1", ">R1", ">R1", ">R1", "<200"]).len(), 5, "repetitions are trouble");
        assert_eq!(after(&[">R1", "<200 a", "!INVITE", ">R2", "<200 b"]), ["R1", "200 a", "INVITE", "R2", "200 b"]);
        assert_eq!(after(&[">R1", "!INVITE", "<200 b", ">R2", "<200 c"]), ["INVITE", "R2", "200 c"]);
    }

    #[test]
    fn endless_trouble_is_bounded_for_one_and_for_all() {
        let pool = Arc::new(AtomicUsize::new(0));
        let trace = AccountTrace::new(pool.clone());
        for n in 0..1_000 {
            trace.add(message(Way::Sent, &format!("R{n}")));
        }
        assert_eq!(trace.messages().len(), MESSAGES);
        assert_eq!(trace.messages()[0].left_out_before, 800);
        let large = "x".repeat(10_000);
        for _ in 0..100 {
            trace.add(message(Way::Sent, &large));
        }
        let bytes: usize = trace.messages().iter().map(|m| m.text.len()).sum();
        assert!(bytes <= BYTES);
        assert_eq!(pool.load(Ordering::Relaxed), bytes);

        pool.fetch_add(POOL_BYTES, Ordering::Relaxed);
        trace.add(message(Way::Sent, "R"));
        assert_eq!(trace.messages().len(), WELL, "when all are in trouble each keeps its last two");
        drop(trace);
        assert_eq!(pool.load(Ordering::Relaxed), POOL_BYTES);
    }
}
