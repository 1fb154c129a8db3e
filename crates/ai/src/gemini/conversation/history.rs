//! What was said so far, for a session that does not remember it. The service's transcriptions come in pieces and in no order:
//! within one exchange the caller's words stand before the agent's.

use crate::Utterance;

/// Kept: the newest, at most so many turns and bytes of text. A session is told them all at once.
const TURNS: usize = 60;
const BYTES: usize = 16_000;
/// Of one turn; its end is cut.
const TURN_BYTES: usize = 2_000;

#[derive(Debug, Default)]
pub struct History {
    turns: Vec<Utterance>,
    caller: String,
    agent: String,
    /// So many turns are known to who takes up the session's context.
    remembered: usize,
}

impl History {
    /// What was said before this engine took over.
    pub fn after(turns: &[Utterance]) -> Self {
        let mut history = Self::default();
        turns.iter().for_each(|turn| history.close_turn(turn.by_agent, turn.text.clone()));
        history
    }

    pub fn heard(&mut self, words: &str) {
        append(&mut self.caller, words);
    }

    pub fn said(&mut self, words: &str) {
        append(&mut self.agent, words);
    }

    /// What the agent has said in the turn that is not over.
    pub fn being_said(&self) -> &str {
        self.agent.trim()
    }

    /// The agent has answered; `cut` by the caller, who did not hear all of it.
    pub fn close(&mut self, cut: bool) {
        let (caller, mut agent) = (std::mem::take(&mut self.caller), std::mem::take(&mut self.agent));
        if cut && !agent.trim().is_empty() {
            agent.push('…');
        }
        self.close_turn(false, caller);
        self.close_turn(true, agent);
    }

    /// Everything, with what is being said.
    pub fn utterances(&self) -> Vec<Utterance> {
        let Self { turns, caller, agent, remembered } = self;
        let mut all = Self { turns: turns.clone(), caller: caller.clone(), agent: agent.clone(), remembered: *remembered };
        all.close(false);
        all.turns
    }

    /// From now on a session can be taken up that knows of all this.
    pub fn is_remembered(&mut self) {
        let being_said = [&self.caller, &self.agent].into_iter().filter(|words| !words.trim().is_empty()).count();
        self.remembered = self.turns.len() + being_said;
    }

    /// The whole turns that such a session does not know of.
    pub fn forgotten(&self) -> &[Utterance] {
        self.turns.get(self.remembered..).unwrap_or_default()
    }

    fn close_turn(&mut self, by_agent: bool, text: String) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let text = text.get(..text.floor_char_boundary(TURN_BYTES)).unwrap_or_default().to_owned();
        self.turns.push(Utterance { by_agent, text });
        let mut bytes: usize = self.turns.iter().map(|turn| turn.text.len()).sum();
        let excess = self.turns.len().saturating_sub(TURNS);
        let old = self.turns.iter().enumerate().take_while(|(index, turn)| {
            let goes = *index < excess || bytes > BYTES;
            bytes = bytes.saturating_sub(turn.text.len());
            goes
        });
        let old = old.count();
        self.turns.drain(..old);
        self.remembered = self.remembered.saturating_sub(old);
    }
}

/// Beyond its bound a turn that never ends does not grow.
fn append(text: &mut String, words: &str) {
    if text.len() < TURN_BYTES {
        text.push_str(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(history: &History) -> Vec<(bool, String)> {
        history.utterances().into_iter().map(|turn| (turn.by_agent, turn.text)).collect()
    }

    #[test]
    fn words_that_come_late_stand_before_the_answer() {
        let mut history = History::default();
        history.said("Hello.");
        history.close(false);
        history.said("We have one");
        history.heard("A table");
        history.said(" at eight.");
        history.heard(" for two");
        assert_eq!(history.being_said(), "We have one at eight.");
        let mut expected =
            vec![(true, "Hello.".into()), (false, "A table for two".into()), (true, "We have one at eight.".into())];
        assert_eq!(texts(&history), expected, "what is being said is in it");
        history.close(true);
        expected[2].1 = "We have one at eight.…".into();
        assert_eq!(texts(&history), expected);
        history.close(true);
        assert_eq!(texts(&history), expected, "nothing was said since");
    }

    #[test]
    fn what_came_after_the_handle_is_told_apart() {
        let mut history = History::default();
        history.heard("one");
        history.is_remembered();
        history.said("first");
        history.close(false);
        assert_eq!(history.forgotten().len(), 1, "the answer came after it");
        history.is_remembered();
        assert_eq!(history.forgotten(), []);
        (0..100).for_each(|_| history.close_turn(true, "x".into()));
        assert_eq!(history.forgotten().len(), TURNS);
        history.is_remembered();
        history.close_turn(true, "y".into());
        assert_eq!(history.forgotten().len(), 1);
    }

    #[test]
    fn it_has_a_bound() {
        let mut history = History::after(&[Utterance { by_agent: true, text: "first".into() }]);
        for turn in 0..200 {
            history.heard(&format!("{turn} {}", "ä".repeat(3_000)));
            history.close(false);
        }
        let turns = texts(&history);
        assert!(turns.len() <= TURNS && turns.iter().map(|(_, text)| text.len()).sum::<usize>() <= BYTES);
        assert!(turns.last().is_some_and(|(_, text)| text.starts_with("199 ")));
        (0..100_000).for_each(|_| history.heard("more and more "));
        assert!(history.caller.len() < TURN_BYTES + 20);
    }
}
