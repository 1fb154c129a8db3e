//! What the session has used. The service counts by turn, may repeat the count of a turn that is not over, and may send it
//! a little after the turn: within a turn the highest count holds, and turns add up.

use crate::{
    Usage,
    gemini::wire::server::{ModalityCount, UsageMetadata},
};

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
        self.turn = self.turn.merged(counted, u64::max);
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

    /// The service counts anew in another session.
    pub fn session_changed(&mut self) {
        self.settled = self.sum();
        (self.turn, self.turn_is_over) = (Usage::default(), false);
    }

    fn sum(&self) -> Usage {
        self.settled.plus(self.turn)
    }
}

/// Thoughts are billed as output text, results of tools as input; the total may hold more than its parts.
fn usage_of(metadata: &UsageMetadata) -> Usage {
    let input = metadata.prompt_token_count.0.saturating_add(metadata.tool_use_prompt_token_count.0);
    let output = metadata.response_token_count.0.saturating_add(metadata.thoughts_token_count.0);
    let inputs = [&metadata.prompt_tokens_details[..], &metadata.tool_use_prompt_tokens_details].concat();
    let outputs = &metadata.response_tokens_details;
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: metadata.total_token_count.0.max(input.saturating_add(output)),
        audio_input_tokens: tokens_of("AUDIO", &inputs),
        audio_output_tokens: tokens_of("AUDIO", outputs),
        text_input_tokens: tokens_of("TEXT", &inputs),
        text_output_tokens: match outputs.is_empty() {
            true => 0,
            false => tokens_of("TEXT", outputs).saturating_add(metadata.thoughts_token_count.0),
        },
        cached_input_tokens: metadata.cached_content_token_count.0,
    }
}

fn tokens_of(modality: &str, details: &[ModalityCount]) -> u64 {
    let of_it = details.iter().filter(|detail| detail.modality == modality);
    of_it.map(|detail| detail.token_count.0).fold(0, u64::saturating_add)
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
        assert_eq!(first, Usage { input_tokens: 500, output_tokens: 178, total_tokens: 700, ..Usage::default() });
        ledger.on_turn_complete();
        assert_eq!(ledger.count(&count(500, 42, 136, 700)), first, "the same count, a little late");
        ledger.on_content();
        let second = ledger.count(&count(600, 10, 0, 0));
        assert_eq!(second, Usage { input_tokens: 1_100, output_tokens: 188, total_tokens: 1_310, ..Usage::default() });
    }

    #[test]
    fn modalities_are_told_apart_where_the_service_does() {
        let details = |audio: u64, text: u64| {
            [("AUDIO", audio), ("TEXT", text)]
                .map(|(modality, count)| ModalityCount { modality: modality.into(), token_count: Count(count) })
                .to_vec()
        };
        let metadata = UsageMetadata {
            prompt_tokens_details: details(300, 200),
            tool_use_prompt_tokens_details: details(0, 5),
            response_tokens_details: details(42, 0),
            cached_content_token_count: Count(128),
            ..count(500, 42, 136, 0)
        };
        let usage = Ledger::default().count(&metadata);
        assert_eq!((usage.audio_input_tokens, usage.text_input_tokens, usage.cached_input_tokens), (300, 205, 128));
        assert_eq!((usage.audio_output_tokens, usage.text_output_tokens), (42, 136));
    }

    #[test]
    fn sessions_add_up() {
        let mut ledger = Ledger::default();
        ledger.count(&count(500, 42, 0, 542));
        ledger.session_changed();
        assert_eq!(ledger.count(&count(100, 10, 0, 110)).total_tokens, 652);
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
