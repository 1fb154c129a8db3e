//! When the model is asked for the first words. A caller hears us at once; somebody we called says hello first.

use std::time::{Duration, Instant};

/// How long the called side may take to say hello.
const HELLO: Duration = Duration::from_millis(1_500);
/// How long after their hello the model may take to answer it by itself.
const ANSWER_TO_HELLO: Duration = Duration::from_millis(2_500);
/// However much there is to hear, by then the model is asked.
const LONGEST: Duration = Duration::from_secs(6);
/// After this long without a sound the model is asked once more.
const ASK_AGAIN: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct Greeting {
    outbound: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The line is not open yet.
    Waiting,
    /// We called, and listen for their hello.
    Listening {
        since: Instant,
        heard: Option<Instant>,
    },
    Asked {
        at: Instant,
    },
    /// The agent has spoken, or was asked twice.
    Done,
}

/// What the model is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    First { outbound: bool },
    Again,
}

impl Greeting {
    pub fn new(outbound: bool) -> Self {
        Self { outbound, state: State::Waiting }
    }

    pub fn start(&mut self, now: Instant) -> Option<Ask> {
        if !matches!(self.state, State::Waiting) {
            return None;
        }
        if self.outbound {
            self.state = State::Listening { since: now, heard: None };
            return None;
        }
        Some(self.first(now))
    }

    pub fn other_side_is_loud(&mut self, now: Instant) {
        if let State::Listening { heard, .. } = &mut self.state {
            *heard = Some(now);
        }
    }

    /// The agent speaks: asked or not, the greeting is under way.
    pub fn agent_speaks(&mut self) {
        if !matches!(self.state, State::Waiting) {
            self.state = State::Done;
        }
    }

    /// The session that was asked is gone: the next is asked from the beginning.
    pub fn lost(&mut self) -> bool {
        let asked = matches!(self.state, State::Asked { .. });
        if asked {
            self.state = State::Done;
        }
        asked
    }

    /// It was asked for, or they are listened to: the first words are still to come.
    pub fn is_under_way(&self) -> bool {
        matches!(self.state, State::Asked { .. } | State::Listening { .. })
    }

    /// The model's answer to the request was no answer.
    pub fn came_to_nothing(&mut self) -> Option<Ask> {
        let asked = matches!(self.state, State::Asked { .. });
        asked.then(|| self.again())
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Listening { since, heard } => {
                let patient = heard.map_or(since + HELLO, |heard| heard + ANSWER_TO_HELLO);
                Some(patient.max(since + HELLO).min(since + LONGEST))
            }
            State::Asked { at } => Some(at + ASK_AGAIN),
            State::Waiting | State::Done => None,
        }
    }

    pub fn on_deadline(&mut self, now: Instant) -> Option<Ask> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match self.state {
            State::Listening { .. } => Some(self.first(now)),
            State::Asked { .. } => Some(self.again()),
            State::Waiting | State::Done => None,
        }
    }

    fn first(&mut self, now: Instant) -> Ask {
        self.state = State::Asked { at: now };
        Ask::First { outbound: self.outbound }
    }

    fn again(&mut self) -> Ask {
        self.state = State::Done;
        Ask::Again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// Steps through `loud` times (milliseconds) and returns when the model was asked first.
    fn asked_at(outbound: bool, loud: &[u64]) -> u64 {
        let start = Instant::now();
        let mut greeting = Greeting::new(outbound);
        if greeting.start(start).is_some() {
            return 0;
        }
        (0..10_000)
            .find(|&at| {
                if loud.contains(&at) {
                    greeting.other_side_is_loud(start + ms(at));
                }
                greeting.on_deadline(start + ms(at)).is_some()
            })
            .expect("asked at last")
    }

    #[test]
    fn a_called_side_may_say_hello_first() {
        let chatter: Vec<u64> = (0..10_000).step_by(20).collect();
        let cases: [(bool, &[u64], u64); 5] =
            [(false, &[], 0), (true, &[], 1_500), (true, &[800, 1_200], 3_700), (true, &[1_499], 3_999), (true, &chatter, 6_000)];
        for (outbound, loud, expected) in cases {
            assert_eq!(asked_at(outbound, loud), expected, "{outbound} {:?}", loud.get(..2));
        }
    }

    #[test]
    fn it_is_asked_twice_at_most() {
        let start = Instant::now();
        let mut greeting = Greeting::new(false);
        assert_eq!(greeting.start(start), Some(Ask::First { outbound: false }));
        assert_eq!(greeting.start(start), None);
        assert_eq!(greeting.on_deadline(start + ms(2_999)), None);
        assert_eq!(greeting.on_deadline(start + ms(3_000)), Some(Ask::Again));
        assert_eq!((greeting.deadline(), greeting.came_to_nothing()), (None, None));
    }

    #[test]
    fn speech_of_the_agent_ends_the_matter() {
        let start = Instant::now();
        let mut greeting = Greeting::new(true);
        greeting.start(start);
        greeting.agent_speaks();
        assert_eq!(greeting.deadline(), None);
    }
}
