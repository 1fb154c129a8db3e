//! What a call used, from its events as they come. Engines report sums of their session so far, so that the last report of a session counts and
//! no other; sessions add up.

use crate::record::CallFact;
use crate::record::event::TokenCounts;
use serde::{Deserialize, Serialize};

/// Kinds of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Modality {
    AudioInput,
    AudioOutput,
    TextInput,
    TextOutput,
    CachedInput,
}

impl Modality {
    pub const ALL: &[Self] = &[Self::AudioInput, Self::AudioOutput, Self::TextInput, Self::TextOutput, Self::CachedInput];
}

/// What one model was given and gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub engine: String,
    /// Empty where the engine names none.
    pub model: String,
    pub tokens: TokenCounts,
}

/// Of one call.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    uses: Vec<Use>,
    /// The session that is up, with its last report.
    session: Option<Use>,
}

impl Ledger {
    pub fn take(&mut self, fact: &CallFact) {
        match fact {
            CallFact::AgentReady { engine, model } => self.begin(engine, model.as_deref().unwrap_or_default()),
            CallFact::EngineUsage { tokens } => self.report(*tokens),
            _ => {}
        }
    }

    /// Something besides the conversation: a summary.
    pub fn add(&mut self, used: Use) {
        let same = self.uses.iter_mut().find(|known| known.engine == used.engine && known.model == used.model);
        match same {
            Some(known) => known.tokens = known.tokens.plus(used.tokens),
            None => self.uses.push(used),
        }
    }

    /// All of it, by engine and model.
    pub fn close(mut self) -> Vec<Use> {
        self.settle();
        self.uses.retain(|used| used.tokens != TokenCounts::default());
        self.uses
    }

    fn begin(&mut self, engine: &str, model: &str) {
        self.settle();
        self.session = Some(Use { engine: engine.to_owned(), model: model.to_owned(), tokens: TokenCounts::default() });
    }

    fn report(&mut self, tokens: TokenCounts) {
        let Some(session) = &mut self.session else { return };
        // A sum never shrinks: a smaller one begins another count, which nobody has announced.
        if tokens.is_below(session.tokens) {
            let before = session.clone();
            self.add(before);
        }
        if let Some(session) = &mut self.session {
            session.tokens = tokens;
        }
    }

    fn settle(&mut self) {
        if let Some(session) = self.session.take() {
            self.add(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(engine: &str, model: &str) -> CallFact {
        CallFact::AgentReady { engine: engine.to_owned(), model: (!model.is_empty()).then(|| model.to_owned()) }
    }

    fn usage(input: u64, output: u64) -> CallFact {
        CallFact::EngineUsage {
            tokens: TokenCounts {
                input_tokens: input,
                output_tokens: output,
                total_tokens: input + output,
                ..TokenCounts::default()
            },
        }
    }

    fn counted(facts: &[CallFact]) -> String {
        let mut ledger = Ledger::default();
        facts.iter().for_each(|fact| ledger.take(fact));
        let uses = ledger.close();
        let shown = uses.iter().map(|u| format!("{} {} {}/{}", u.engine, u.model, u.tokens.input_tokens, u.tokens.output_tokens));
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_last_report_of_a_session_counts() {
        let facts = [ready("gemini", "m"), usage(100, 10), usage(300, 25), usage(300, 25), usage(700, 60)];
        assert_eq!(counted(&facts), "gemini m 700/60");
    }

    #[test]
    fn sessions_and_engines_add_up() {
        let facts = [
            ready("gemini", "m"),
            usage(700, 60),
            // Another engine, and back.
            ready("local", ""),
            ready("gemini", "m"),
            usage(50, 5),
            usage(90, 9),
            ready("openai", "r"),
            usage(1_000, 400),
        ];
        assert_eq!(counted(&facts), "gemini m 790/69, openai r 1000/400");
    }

    #[test]
    fn a_count_that_begins_anew_unannounced_is_another_one() {
        let facts = [ready("gemini", "m"), usage(700, 60), usage(100, 10), usage(150, 20)];
        assert_eq!(counted(&facts), "gemini m 850/80");
        assert_eq!(counted(&[usage(5, 5)]), "", "of nobody");
        assert_eq!(counted(&[ready("gemini", "m")]), "", "nothing used");
    }
}
