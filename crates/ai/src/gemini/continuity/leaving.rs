//! The service has announced the end of the current session: what of the next one is to be done, and when.

use super::{Dial, handles::Handles};
use std::time::{Duration, Instant};

/// So long before the announced end nobody is waited for any more.
const MARGIN: Duration = Duration::from_secs(5);
/// A handle that does not know of everything is waited for until so long before the end.
const LAST_CALL: Duration = Duration::from_secs(8);

/// The session to come.
#[derive(Debug, Clone)]
pub enum Next {
    /// It is to be opened, but not before this.
    Due(Instant),
    Dialling(Dial),
    Ready(Dial),
    /// The service takes up no session that is still open: the current one has to go first.
    Alone,
}

/// When the current session ends.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// Nobody is waited for after this.
    forced_at: Instant,
    last_call: Instant,
}

/// How much the model's family lets another session know.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// A session without a handle can be told everything once it is needed.
    pub takes_history: bool,
    /// One with a handle can be told what was said after it.
    pub takes_context: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing, until then or until something happens.
    Wait(Option<Instant>),
    Dial(Option<String>),
    /// What was dialled is out of date.
    Redial(Option<String>),
    Switch,
    /// The current session has to go before the next can come: at a good moment.
    WaitAlone,
    HangUpAndDial,
}

impl End {
    pub fn after(time_left: Duration, now: Instant) -> Self {
        let before_end = |before: Duration| now + time_left.saturating_sub(before);
        Self { forced_at: before_end(MARGIN.min(time_left / 2)), last_call: before_end(LAST_CALL.min(time_left * 3 / 4)) }
    }

    /// `quiet_at`: from when on nobody speaks, as it looks now.
    pub fn plan(&self, next: &Next, handles: &Handles, memory: Memory, quiet_at: Option<Instant>, now: Instant) -> Plan {
        let quiet_or_forced = quiet_at.map_or(self.forced_at, |quiet| quiet.min(self.forced_at));
        let at_a_good_moment = |plan: Plan| if now >= quiet_or_forced { plan } else { Plan::Wait(Some(quiet_or_forced)) };
        let current = handles.current().map(str::to_owned);
        let is_late = now >= self.last_call;
        // Rather without the old context than without the last words.
        let forgets = is_late && current.is_none() && !memory.takes_context && memory.takes_history;
        match next {
            Next::Due(at) if now < *at => Plan::Wait(Some(*at)),
            Next::Due(_) => match (current, handles.usable()) {
                (Some(handle), _) => Plan::Dial(Some(handle)),
                (None, Some(_)) if !is_late => Plan::Wait(Some(self.last_call)),
                (None, Some(_)) if forgets => Plan::Dial(None),
                (None, Some(handle)) => Plan::Dial(Some(handle.to_owned())),
                (None, None) if memory.takes_history => Plan::Dial(None),
                (None, None) => Plan::WaitAlone,
            },
            Next::Dialling(_) => Plan::Wait(None),
            Next::Ready(dial) => match (&dial.handle, current) {
                (Some(handle), Some(current)) if *handle == current => at_a_good_moment(Plan::Switch),
                (Some(_), Some(current)) if now < self.forced_at => Plan::Redial(Some(current)),
                (None, Some(current)) if !is_late => Plan::Redial(Some(current)),
                (None, _) => at_a_good_moment(Plan::Switch),
                (Some(_), _) if forgets => Plan::Redial(None),
                (Some(_), _) if now >= self.forced_at => Plan::Switch,
                (Some(_), _) if is_late => Plan::Wait(Some(self.forced_at)),
                (Some(_), _) => Plan::Wait(Some(self.last_call)),
            },
            Next::Alone => at_a_good_moment(Plan::HangUpAndDial),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Memory = Memory { takes_history: true, takes_context: true };
    const HISTORY: Memory = Memory { takes_history: true, takes_context: false };
    const NONE: Memory = Memory { takes_history: false, takes_context: false };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// Handles in a row; `stale`: something was said since.
    fn handles(given: &[&str], stale: bool) -> Handles {
        let mut handles = Handles::default();
        given.iter().for_each(|handle| handles.on_handle((*handle).to_owned()));
        if stale {
            handles.on_content();
        }
        handles
    }

    fn dial(handle: &str) -> Dial {
        Dial { handle: (!handle.is_empty()).then(|| handle.to_owned()), plain: false }
    }

    fn some(handle: &str) -> Option<String> {
        Some(handle.to_owned())
    }

    #[test]
    fn what_to_do_a_minute_before_the_end() {
        let start = Instant::now();
        let end = End::after(seconds(60), start);
        let at = |count| start + seconds(count);
        let (forced, last_call) = (at(55), at(52));
        let wait = |until| Plan::Wait(Some(until));
        let (due, ready) = (|| Next::Due(start), |handle: &str| Next::Ready(dial(handle)));
        let (h1, h1_stale, h2) = (handles(&["h1"], false), handles(&["h1"], true), handles(&["h1", "h2"], false));
        let none = handles(&[], false);
        /// The next session, the handles, what can be told, when it is quiet, when it is asked, and the answer; times in seconds.
        type Case<'a> = (Next, &'a Handles, Memory, Option<u64>, u64, Plan);
        let cases: [Case<'_>; 26] = [
            // The next session is opened at once, if its handle knows of everything; …
            (due(), &h1, ALL, None, 0, Plan::Dial(some("h1"))),
            (due(), &h1_stale, ALL, None, 0, wait(last_call)),
            (Next::Due(at(3)), &h1, ALL, None, 2, wait(at(3))),
            // … late, what cannot be told of is not relied on.
            (due(), &h1_stale, ALL, None, 52, Plan::Dial(some("h1"))),
            (due(), &h1_stale, HISTORY, None, 52, Plan::Dial(None)),
            (due(), &h1_stale, NONE, None, 52, Plan::Dial(some("h1"))),
            (due(), &none, ALL, None, 0, Plan::Dial(None)),
            (due(), &none, NONE, None, 0, Plan::WaitAlone),
            (Next::Dialling(dial("h1")), &h2, ALL, Some(0), 59, Plan::Wait(None)),
            // It takes over when it is quiet, or when time is up.
            (ready("h1"), &h1, ALL, None, 1, wait(forced)),
            (ready("h1"), &h1, ALL, Some(10), 1, wait(at(10))),
            (ready("h1"), &h1, ALL, Some(10), 10, Plan::Switch),
            (ready("h1"), &h1, ALL, Some(58), 1, wait(forced)),
            (ready("h1"), &h1, ALL, None, 55, Plan::Switch),
            (ready(""), &none, ALL, Some(0), 1, Plan::Switch),
            // More was said: another one, with the newest handle, …
            (ready("h1"), &h2, ALL, Some(0), 10, Plan::Redial(some("h2"))),
            (ready("h1"), &h2, ALL, Some(0), 54, Plan::Redial(some("h2"))),
            (ready(""), &h2, ALL, None, 54, wait(forced)),
            (ready(""), &h2, ALL, Some(0), 10, Plan::Redial(some("h2"))),
            (ready("h1"), &h1_stale, ALL, Some(0), 10, wait(last_call)),
            // … or with none, or as it is.
            (ready("h1"), &h1_stale, HISTORY, Some(0), 52, Plan::Redial(None)),
            (ready("h1"), &h1_stale, ALL, Some(0), 52, wait(forced)),
            (ready("h1"), &h1_stale, ALL, None, 55, Plan::Switch),
            (ready("h1"), &h2, ALL, None, 55, Plan::Switch),
            (Next::Alone, &h1, ALL, None, 1, wait(forced)),
            (Next::Alone, &h1, ALL, Some(1), 1, Plan::HangUpAndDial),
        ];
        for (next, handles, memory, quiet, now, expected) in cases {
            let plan = end.plan(&next, handles, memory, quiet.map(at), at(now));
            assert_eq!(plan, expected, "{next:?} {handles:?} {memory:?} quiet at {quiet:?}, at {now}");
        }
    }

    #[test]
    fn little_time_is_shared() {
        let start = Instant::now();
        let end = End::after(seconds(4), start);
        assert_eq!((end.last_call, end.forced_at), (start + seconds(1), start + seconds(2)));
        let end = End::after(Duration::ZERO, start);
        let ready = Next::Ready(dial("h1"));
        assert_eq!(end.plan(&ready, &handles(&["h1"], false), ALL, None, start), Plan::Switch);
    }
}
