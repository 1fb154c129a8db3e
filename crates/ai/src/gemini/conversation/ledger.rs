//! What the session has used. The service counts by turn, may repeat the count of a turn that is not over, and may send it
//! a little after the turn: within a turn the highest count holds, and turns add up.

use crate::{Usage, gemini::wire::server::UsageMetadata};

#[derive(Debug, Default)]
pub struct Ledger {
    settled: Usage,
    turn: Usage,
    /// The turn is over, but its count may still come.
    turn_is_over: bool,
}

impl Ledger {
    /// The sum so far, with this count in it.
    pub fn count(&mut self, metadata: &UsageMetadata) -> Usage {
        let counted = usage_of(metadata);
        self.turn = merged(self.turn, counted, u64::max);
        self.sum()
    }

    /// Something of a turn came.
    pub fn on_content(&mut self) {
        if std::mem::take(&mut self.turn_is_over) {
            self.settled = self.sum();
            self.turn = Usage::default();
        }
    }

    pub fn on_turn_complete(&mut self) {
        self.turn_is_over = true;
    }

    fn sum(&self) -> Usage {
        merged(self.settled, self.turn, u64::saturating_add)
    }
}

/// Thoughts are billed as output, results of tools as input; the total may hold more than its parts.
fn usage_of(metadata: &UsageMetadata) -> Usage {
    let input = metadata.prompt_token_count.0.saturating_add(metadata.tool_use_prompt_token_count.0);
    let output = metadata.response_token_count.0.saturating_add(metadata.thoughts_token_count.0);
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: metadata.total_token_count.0.max(input.saturating_add(output)),
    }
}

fn merged(a: Usage, b: Usage, merge: fn(u64, u64) -> u64) -> Usage {
    Usage {
        input_tokens: merge(a.input_tokens, b.input_tokens),
        output_tokens: merge(a.output_tokens, b.output_tokens),
        total_tokens: merge(a.total_tokens, b.total_tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemini::wire::server::Count;

    fn count(prompt: u64, response: u64, thoughts: u64, total: u64) -> UsageMetadata {
        UsageMetadata {
            prompt_token_count: Count(prompt),
            response_token_count: Count(response),
            thoughts_token_count: Count(thoughts),
            total_token_count: Count(total),
            ..UsageMetadata::default()
        }
    }

    #[test]
    fn turns_add_up_and_repeats_do_not() {
        let mut ledger = Ledger::default();
        ledger.count(&count(500, 10, 0, 510));
        let first = ledger.count(&count(500, 42, 136, 700));
        assert_eq!(first, Usage { input_tokens: 500, output_tokens: 178, total_tokens: 700 });
        ledger.on_turn_complete();
        assert_eq!(ledger.count(&count(500, 42, 136, 700)), first, "the same count, a little late");
        ledger.on_content();
        let second = ledger.count(&count(600, 10, 0, 0));
        assert_eq!(second, Usage { input_tokens: 1_100, output_tokens: 188, total_tokens: 1_310 });
    }

    #[test]
    fn absurd_counts_do_no_harm() {
        let mut ledger = Ledger::default();
        ledger.count(&count(u64::MAX, u64::MAX, 1, 0));
        ledger.on_turn_complete();
        ledger.on_content();
        assert_eq!(ledger.count(&count(1, 1, 1, 1)).total_tokens, u64::MAX);
    }
}
