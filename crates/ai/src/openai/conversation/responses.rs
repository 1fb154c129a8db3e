//! One response at a time: the service refuses to begin another while one is active. It begins one by itself when the caller
//! has spoken; what we want said waits until nothing else is being said.

use crate::openai::wire::server::Item;
use std::time::{Duration, Instant};

/// So long after our request the service should have begun a response; then it is asked again if there is something to ask.
const BEGINS: Duration = Duration::from_secs(5);
/// When the service says that a response is active of which we know nothing, it is asked again after this.
const BUSY: Duration = Duration::from_secs(2);
/// The service ends what it has announced to be over; ids of responses that were cut short are kept as long as so many others.
const CUT_KEPT: usize = 8;

/// A response that the service is at.
#[derive(Debug, Default)]
pub struct Active {
    /// Empty where the service gives none.
    pub id: String,
    /// There is audio of it.
    pub spoke: bool,
    /// The caller speaks over it: what comes of it is not for them.
    pub cut: bool,
    /// The item that is spoken in.
    pub item: String,
    /// Calls of tools whose arguments are whole.
    pub calls: Vec<Item>,
}

/// What the service is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// An answer to what it was told.
    Answer,
    /// With these instructions for this one time, on top of the session's.
    Instructed(String),
}

#[derive(Debug, Default)]
pub struct Responses {
    active: Option<Active>,
    asked: Option<Instant>,
    wish: Option<Wish>,
    /// Not before this.
    hold_until: Option<Instant>,
    caller_speaks: bool,
    cut: Vec<String>,
}

impl Responses {
    /// The newest wish counts: an answer covers all that the service was told.
    pub fn wish(&mut self, wish: Wish) {
        self.wish = Some(wish);
    }

    /// Whatever is wished for has to wait until then.
    pub fn not_before(&mut self, time: Instant) {
        self.hold_until = Some(time);
    }

    /// The wish whose time has come.
    pub fn due(&mut self, now: Instant) -> Option<Wish> {
        let waits = self.active.is_some() || self.caller_speaks || self.hold_until.is_some_and(|until| now < until);
        if waits || self.asked.is_some_and(|asked| now < asked + BEGINS) {
            return None;
        }
        let wish = self.wish.take()?;
        (self.asked, self.hold_until) = (Some(now), None);
        Some(wish)
    }

    pub fn deadline(&self) -> Option<Instant> {
        if self.wish.is_none() || self.active.is_some() || self.caller_speaks {
            return None;
        }
        [self.hold_until, self.asked.map(|asked| asked + BEGINS)].into_iter().flatten().max()
    }

    /// The caller speaks: the service will answer that, and with it whatever else it was told.
    pub fn caller_begins(&mut self) {
        self.caller_speaks = true;
        (self.wish, self.hold_until) = (None, None);
    }

    pub fn caller_ends(&mut self, now: Instant) {
        // The service begins to answer by itself now.
        if std::mem::take(&mut self.caller_speaks) {
            self.asked = Some(now);
        }
    }

    pub fn caller_speaks(&self) -> bool {
        self.caller_speaks
    }

    /// What still comes of the active response is not to be heard. `None` when there is none, or it was cut before.
    pub fn cut(&mut self) -> Option<&Active> {
        let active = self.active.as_mut().filter(|active| !active.cut)?;
        active.cut = true;
        if !active.id.is_empty() {
            self.cut.push(active.id.clone());
            let excess = self.cut.len().saturating_sub(CUT_KEPT);
            self.cut.drain(..excess);
        }
        Some(active)
    }

    /// The service has begun this one.
    pub fn begun(&mut self, id: &str) {
        self.asked = None;
        if self.active.as_ref().is_none_or(|active| active.id != id) {
            self.active = Some(Active { id: id.to_owned(), ..Active::default() });
        }
    }

    /// Something of a response came: the response, unless it was cut short. One that was not announced has begun with it.
    pub fn part_of(&mut self, id: &str) -> Option<&mut Active> {
        if self.cut.iter().any(|cut| cut == id) {
            return None;
        }
        if !id.is_empty() || self.active.is_none() {
            self.begun(id);
        }
        self.active.as_mut().filter(|active| !active.cut)
    }

    /// It is over. One that began and ended before it could be told of is told of here; `None` when it is not the active one.
    pub fn done(&mut self, id: &str) -> Option<Active> {
        self.asked = None;
        let known = self.active.as_ref().is_none_or(|active| active.id == id || id.is_empty() || active.id.is_empty());
        if !known {
            return None;
        }
        let was_cut = self.cut.iter().any(|cut| cut == id);
        let mut active = self.active.take().unwrap_or_default();
        active.cut |= was_cut;
        Some(active)
    }

    /// The service refuses ours because another one is active.
    pub fn refused_as_busy(&mut self, now: Instant) {
        self.asked = None;
        self.wish.get_or_insert(Wish::Answer);
        self.not_before(now + BUSY);
    }

    /// Ours was refused for another reason.
    pub fn refused(&mut self) {
        self.asked = None;
    }

    pub fn active(&self) -> Option<&Active> {
        self.active.as_ref()
    }

    /// Nothing is being answered, and nothing is to be.
    pub fn is_idle(&self) -> bool {
        self.active.is_none() && self.asked.is_none() && self.wish.is_none() && !self.caller_speaks
    }

    /// Another session knows of none of it; what was wished for is.
    pub fn session_changed(&mut self) {
        *self = Self { wish: self.wish.take(), hold_until: self.hold_until, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_wish_waits_until_nothing_else_is_being_said() {
        let now = Instant::now();
        let mut responses = Responses::default();
        responses.begun("r1");
        responses.wish(Wish::Answer);
        assert_eq!((responses.due(now), responses.deadline()), (None, None));
        assert!(responses.done("r1").is_some());
        assert_eq!(responses.due(now), Some(Wish::Answer));
        responses.wish(Wish::Instructed("Greet.".into()));
        assert_eq!(responses.due(now), None, "the first is not begun yet");
        assert_eq!(responses.deadline(), Some(now + BEGINS), "but not for ever");
        assert_eq!(responses.due(now + BEGINS), Some(Wish::Instructed("Greet.".into())));
    }

    #[test]
    fn nothing_is_asked_while_the_caller_speaks_and_what_was_is_covered_by_the_answer() {
        let now = Instant::now();
        let mut responses = Responses::default();
        responses.wish(Wish::Answer);
        responses.caller_begins();
        responses.wish(Wish::Answer);
        assert_eq!(responses.due(now), None);
        responses.caller_ends(now);
        assert_eq!(responses.due(now + ms(100)), None, "the service begins by itself");
        responses.begun("r1");
        assert!(responses.done("r1").is_some());
        assert_eq!(responses.due(now + ms(200)), Some(Wish::Answer), "what came while they spoke");
    }

    #[test]
    fn what_was_cut_stays_cut_whatever_comes_late() {
        let mut responses = Responses::default();
        responses.begun("r1");
        assert!(responses.part_of("r1").is_some());
        assert!(responses.cut().is_some() && responses.cut().is_none());
        assert!(responses.part_of("r1").is_none());
        assert!(responses.done("r1").is_some_and(|active| active.cut));
        assert!(responses.part_of("r1").is_none(), "later still");
        assert!(responses.part_of("r2").is_some_and(|active| !active.cut), "not announced, and begun");
        assert!(responses.active().is_some_and(|active| active.id == "r2"));
        assert!(responses.done("r1").is_none(), "of another one");
    }

    #[test]
    fn services_without_ids_have_one_response_at_a_time_too() {
        let mut responses = Responses::default();
        responses.begun("");
        assert!(responses.part_of("").is_some());
        responses.cut();
        assert!(responses.part_of("").is_none());
        assert!(responses.done("").is_some_and(|active| active.cut));
        assert!(responses.part_of("").is_some());
    }

    #[test]
    fn a_busy_service_is_asked_again() {
        let now = Instant::now();
        let mut responses = Responses::default();
        responses.wish(Wish::Answer);
        assert!(responses.due(now).is_some());
        responses.refused_as_busy(now);
        assert_eq!((responses.due(now), responses.deadline()), (None, Some(now + BUSY)));
        assert_eq!(responses.due(now + BUSY), Some(Wish::Answer));
    }
}
