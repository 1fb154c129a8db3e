//! What was used, with its prices: the `cost` of a call's record.
//!
//! Tokens of no known modality are taken for the dearest that the model has. Cached ones are taken off the text first, since that is the
//! beginning of every prompt. So a sum is rather too high than too low.

use super::ledger::{Modality, Use};
use super::table::{ModelPrice, PriceTable, times};
use crate::record::event::TokenCounts;
use crate::user::limits::Micros;
use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Tokens,
    /// Of calls that were placed and answered.
    Seconds,
}

impl Unit {
    pub const ALL: &[Self] = &[Self::Tokens, Self::Seconds];
}

/// One kind of thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CostLine {
    /// An engine, or `carrier`.
    pub engine: String,
    /// The model; of the carrier, the number.
    pub model: String,
    /// The modality of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<Modality>,
    pub quantity: u64,
    pub unit: Unit,
    /// Per million tokens, or per minute. Absent where the table has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// When the price was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_date: Option<String>,
    pub amount_micros: i64,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub currency: String,
    /// Of all that has a price, in millionths.
    pub total_micros: i64,
    /// Everything had a price.
    pub is_complete: bool,
    pub lines: Vec<CostLine>,
}

/// A leg that was placed and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// As it was dialled.
    pub to: String,
    /// Digits with the calling code, where it is a number.
    pub number: Option<String>,
    pub seconds: u64,
}

impl Cost {
    /// `None` when nothing was used that could cost anything.
    pub fn of(uses: &[Use], placed: &[Placed], table: &PriceTable) -> Option<Self> {
        let mut lines: Vec<CostLine> = uses.iter().flat_map(|used| lines_of(used, table)).collect();
        lines.extend(placed.iter().filter(|leg| leg.seconds > 0).map(|leg| line_of_leg(leg, table)));
        if lines.is_empty() {
            return None;
        }
        Some(Self::sum(table.currency.clone(), lines))
    }

    fn sum(currency: String, lines: Vec<CostLine>) -> Self {
        let total_micros = lines.iter().map(|line| line.amount_micros).fold(0, i64::saturating_add);
        Self { currency, total_micros, is_complete: lines.iter().all(|line| line.price.is_some()), lines }
    }

    /// With what came to it afterwards.
    #[must_use]
    pub fn with(mut self, more: Self) -> Self {
        self.lines.extend(more.lines);
        Self::sum(self.currency, self.lines)
    }

    pub fn total(&self) -> Micros {
        Micros(self.total_micros)
    }
}

fn lines_of(used: &Use, table: &PriceTable) -> Vec<CostLine> {
    let price = table.model(&used.engine, &used.model);
    let tokens = by_modality(&used.tokens, price);
    let line = |(modality, quantity): (Modality, u64)| {
        let per_million = price.and_then(|price| of_modality(price, modality));
        CostLine {
            engine: used.engine.clone(),
            model: used.model.clone(),
            modality: Some(modality),
            quantity,
            unit: Unit::Tokens,
            price: per_million,
            price_date: price.filter(|_| per_million.is_some()).map(|price| price.date.clone()),
            amount_micros: per_million.map_or(0, |price| times(price, quantity as f64 / 1e6).0),
        }
    };
    tokens.into_iter().filter(|(_, quantity)| *quantity > 0).map(line).collect()
}

/// What has no price as cached is not cheaper for it; text costs what audio does where only that has a price, and the other way round.
fn of_modality(price: &ModelPrice, modality: Modality) -> Option<f64> {
    let of = |modality| price.per_million.get(&modality).copied();
    of(modality).or_else(|| match modality {
        Modality::CachedInput | Modality::AudioInput => of(Modality::TextInput),
        Modality::TextInput => of(Modality::AudioInput),
        Modality::AudioOutput => of(Modality::TextOutput),
        Modality::TextOutput => of(Modality::AudioOutput),
    })
}

fn by_modality(tokens: &TokenCounts, price: Option<&ModelPrice>) -> [(Modality, u64); 5] {
    let has = |modality| price.is_some_and(|price| price.per_million.contains_key(&modality));
    let cached = tokens.cached_input_tokens.min(tokens.input_tokens);
    let known_input = tokens.audio_input_tokens.saturating_add(tokens.text_input_tokens);
    let known_output = tokens.audio_output_tokens.saturating_add(tokens.text_output_tokens);
    let (more_input, more_output) =
        (tokens.input_tokens.saturating_sub(known_input), tokens.output_tokens.saturating_sub(known_output));
    let (mut audio_input, mut text_input) = (tokens.audio_input_tokens, tokens.text_input_tokens);
    let (mut audio_output, mut text_output) = (tokens.audio_output_tokens, tokens.text_output_tokens);
    *(if has(Modality::AudioInput) { &mut audio_input } else { &mut text_input }) += more_input;
    *(if has(Modality::AudioOutput) { &mut audio_output } else { &mut text_output }) += more_output;
    let cached_text = cached.min(text_input);
    text_input -= cached_text;
    audio_input = audio_input.saturating_sub(cached - cached_text);
    [
        (Modality::AudioInput, audio_input),
        (Modality::TextInput, text_input),
        (Modality::CachedInput, cached),
        (Modality::AudioOutput, audio_output),
        (Modality::TextOutput, text_output),
    ]
}

fn line_of_leg(leg: &Placed, table: &PriceTable) -> CostLine {
    let price = leg.number.as_deref().and_then(|number| table.carrier(number));
    CostLine {
        engine: "carrier".to_owned(),
        model: leg.to.clone(),
        modality: None,
        quantity: leg.seconds,
        unit: Unit::Seconds,
        price: price.map(|price| price.per_minute),
        price_date: price.map(|price| price.date.clone()),
        amount_micros: price.map_or(0, |price| times(price.per_minute, leg.seconds as f64 / 60.0).0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> PriceTable {
        let text = r#"{"currency": "EUR", "models": [
            {"engine": "speech", "models": ["m*"], "date": "2026-01-01", "source": "test",
             "per_million": {"audio_input": 30, "text_input": 4, "cached_input": 0.5, "audio_output": 60, "text_output": 16}},
            {"engine": "chat", "models": ["c"], "date": "2026-01-01", "source": "test",
             "per_million": {"text_input": 1, "text_output": 2}}],
            "carrier": [{"prefix": "+", "per_minute": 0.5, "date": "2026-01-01", "source": "test"},
                        {"prefix": "+49", "per_minute": 0.01, "date": "2026-01-01", "source": "test"}]}"#;
        PriceTable::parse(text).expect("a table")
    }

    fn tokens(input: [u64; 4], output: [u64; 3]) -> TokenCounts {
        let [input_tokens, audio_input_tokens, text_input_tokens, cached_input_tokens] = input;
        let [output_tokens, audio_output_tokens, text_output_tokens] = output;
        TokenCounts {
            input_tokens,
            output_tokens,
            total_tokens: input_tokens + output_tokens,
            audio_input_tokens,
            audio_output_tokens,
            text_input_tokens,
            text_output_tokens,
            cached_input_tokens,
        }
    }

    fn bill(engine: &str, model: &str, tokens: TokenCounts) -> String {
        let used = Use { engine: engine.to_owned(), model: model.to_owned(), tokens };
        let cost = Cost::of(&[used], &[], &table()).expect("something");
        let lines = cost
            .lines
            .iter()
            .map(|line| format!("{:?} {} {}", line.modality.expect("tokens"), line.quantity, line.amount_micros));
        format!("{}; {} {}", lines.collect::<Vec<_>>().join(", "), cost.total_micros, cost.is_complete)
    }

    #[test]
    fn tokens_cost_by_their_modality() {
        for (tokens, want) in [
            (
                tokens([1_000, 600, 400, 0], [100, 90, 10]),
                "AudioInput 600 18000, TextInput 400 1600, AudioOutput 90 5400, TextOutput 10 160; 25160 true",
            ),
            (tokens([1_000, 600, 400, 300], [0; 3]), "AudioInput 600 18000, TextInput 100 400, CachedInput 300 150; 18550 true"),
            (tokens([1_000, 600, 400, 700], [0; 3]), "AudioInput 300 9000, CachedInput 700 350; 9350 true"),
            (tokens([1_000, 0, 0, 0], [100, 0, 0]), "AudioInput 1000 30000, AudioOutput 100 6000; 36000 true"),
            (
                tokens([522, 165, 332, 0], [178, 42, 136]),
                "AudioInput 190 5700, TextInput 332 1328, AudioOutput 42 2520, TextOutput 136 2176; 11724 true",
            ),
        ] {
            assert_eq!(bill("speech", "m-1", tokens), want);
        }
        assert_eq!(
            bill("chat", "c", tokens([500, 0, 0, 100], [50, 0, 0])),
            "TextInput 400 400, CachedInput 100 100, TextOutput 50 100; 600 true"
        );
    }

    #[test]
    fn what_has_no_price_is_counted_and_said() {
        assert_eq!(bill("speech", "other", tokens([10, 0, 0, 0], [5, 0, 0])), "TextInput 10 0, TextOutput 5 0; 0 false");
        assert_eq!(Cost::of(&[], &[], &table()), None);
    }

    #[test]
    fn minutes_of_the_carrier_cost_by_the_number() {
        let leg =
            |to: &str, number: Option<&str>, seconds| Placed { to: to.to_owned(), number: number.map(str::to_owned), seconds };
        let legs =
            [leg("030123", Some("4930123"), 90), leg("+1212", Some("1212"), 60), leg("bob", None, 30), leg("+49", Some("49"), 0)];
        let cost = Cost::of(&[], &legs, &table()).expect("something");
        let lines: Vec<_> = cost.lines.iter().map(|line| (line.model.as_str(), line.quantity, line.amount_micros)).collect();
        assert_eq!(lines, [("030123", 90, 15_000), ("+1212", 60, 500_000), ("bob", 30, 0)]);
        assert_eq!((cost.total_micros, cost.is_complete, cost.currency.as_str()), (515_000, false, "EUR"));
    }

    #[test]
    fn what_comes_afterwards_is_added() {
        let of = |model: &str| {
            let used = Use { engine: "chat".to_owned(), model: model.to_owned(), tokens: tokens([1_000, 0, 0, 0], [0; 3]) };
            Cost::of(&[used], &[], &table()).expect("something")
        };
        let both = of("c").with(of("unknown"));
        assert_eq!((both.total_micros, both.is_complete, both.lines.len()), (1_000, false, 2));
    }
}
