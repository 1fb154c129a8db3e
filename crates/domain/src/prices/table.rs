//! The table. One is compiled in; an operator may have another, with the rates of a carrier.

use super::ledger::Modality;
use crate::user::limits::Micros;
use serde::Deserialize;
use std::collections::BTreeMap;

const BUILT_IN: &str = include_str!("prices.json");

/// Prices in one currency.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    /// ISO 4217.
    pub currency: String,
    #[serde(default)]
    pub note: String,
    #[serde(default)]
    pub models: Vec<ModelPrice>,
    #[serde(default)]
    pub carrier: Vec<CarrierPrice>,
}

/// Of one engine's models.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// `gemini`, `openai`, or `chat` for the model that writes summaries and the offline engine's words.
    pub engine: String,
    /// Names; one that ends in `*` stands for all that begin so. The longest that fits counts.
    pub models: Vec<String>,
    pub per_million: BTreeMap<Modality, f64>,
    pub date: String,
    pub source: String,
}

/// Of calls to numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierPrice {
    /// `+49`; the longest that fits counts, and `+` fits all.
    pub prefix: String,
    pub per_minute: f64,
    pub date: String,
    pub source: String,
}

impl PriceTable {
    /// The one of this program.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the table that is compiled in is of this form; a test reads it")
    }

    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let table: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let is_currency = table.currency.len() == 3 && table.currency.bytes().all(|b| b.is_ascii_uppercase());
        if !is_currency {
            return Err(format!("currency must be one such as USD, is {:?}", table.currency));
        }
        let prices =
            table.models.iter().flat_map(|model| model.per_million.values()).chain(table.carrier.iter().map(|c| &c.per_minute));
        if let Some(bad) = prices.into_iter().find(|price| !(0.0..=1e6).contains(*price)) {
            return Err(format!("a price must be from 0 to 1000000, is {bad}"));
        }
        if let Some(bad) = table.carrier.iter().find(|carrier| !is_prefix(&carrier.prefix)) {
            return Err(format!("carrier: a prefix must be + and digits, is {:?}", bad.prefix));
        }
        Ok(table)
    }

    pub(super) fn model(&self, engine: &str, model: &str) -> Option<&ModelPrice> {
        let fit = |name: &str| match name.strip_suffix('*') {
            Some(beginning) => model.starts_with(beginning).then_some(beginning.len()),
            // A whole name is meant more than any beginning.
            None => (name == model).then_some(usize::MAX),
        };
        let of_engine = self.models.iter().filter(|price| price.engine == engine);
        let fitting = of_engine.filter_map(|price| Some((price.models.iter().filter_map(|name| fit(name)).max()?, price)));
        fitting.max_by_key(|(length, _)| *length).map(|(_, price)| price)
    }

    /// `number`: digits with its calling code.
    pub(super) fn carrier(&self, number: &str) -> Option<&CarrierPrice> {
        let fitting = self.carrier.iter().filter(|price| number.starts_with(price.prefix.trim_start_matches('+')));
        fitting.max_by_key(|price| price.prefix.len())
    }
}

fn is_prefix(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A price in a table, exact to the millionth.
pub(super) fn times(price: f64, count: f64) -> Micros {
    Micros::from_units(price * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_that_is_compiled_in_says_where_its_prices_are_from() {
        let table = PriceTable::built_in();
        assert_eq!(table.currency, "USD");
        assert!(table.models.iter().all(|model| model.source.starts_with("https://") && model.date.starts_with("202")));
    }

    #[test]
    fn the_longest_name_that_fits_counts() {
        let table = PriceTable::built_in();
        for (engine, model, audio_output) in [
            ("gemini", "gemini-3.8-live", Some(12.0)),
            ("gemini", "gemini-3.8-live-extended-thinking", Some(12.0)),
            ("openai", "gpt-realtime-2.1", Some(64.0)),
            ("openai", "gpt-realtime-2.1-mini", Some(20.0)),
            ("openai", "gpt-realtime-mini-2025-12-15", Some(20.0)),
            ("openai", "gpt-realtime", Some(64.0)),
            ("openai", "gpt-realtime-next", None),
            ("gemini", "gpt-realtime", None),
            ("local", "", None),
        ] {
            let found = table.model(engine, model).and_then(|price| price.per_million.get(&Modality::AudioOutput)).copied();
            assert_eq!(found, audio_output, "{engine} {model}");
        }
    }

    #[test]
    fn a_table_that_cannot_be_meant_is_refused() {
        for (text, want) in [
            ("{}", "currency"),
            (r#"{"currency": "usd"}"#, "currency"),
            (r#"{"currency": "EUR", "colour": 1}"#, "colour"),
            (r#"{"currency": "EUR", "carrier": [{"prefix": "49", "per_minute": 1, "date": "", "source": ""}]}"#, "prefix"),
            (r#"{"currency": "EUR", "carrier": [{"prefix": "+49", "per_minute": -1, "date": "", "source": ""}]}"#, "from 0"),
            (
                r#"{"currency": "EUR", "models": [{"engine": "a", "models": [], "per_million": {"x": 1}, "date": "", "source": ""}]}"#,
                "x",
            ),
        ] {
            let problem = PriceTable::parse(text).expect_err("refused");
            assert!(problem.contains(want), "{text}: {problem}");
        }
    }
}
