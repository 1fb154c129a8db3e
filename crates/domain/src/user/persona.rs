//! Who talks for the user and how: engines, voice, instructions. A change applies to the next call.

use super::AfterCall;
use std::collections::BTreeMap;
use std::fmt;

/// Which engines talk and how. Empty means the server's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AiSettings {
    /// One of [`ENGINES`].
    pub engine: Option<String>,
    /// Those that take over in mid-call, in this order, when the one before fails or stays silent. The offline engine is
    /// always the last.
    pub engines: Vec<String>,
    /// By the engine's own name for it; it is that of the first engine.
    pub model: Option<String>,
    pub voice: Option<String>,
    /// BCP 47, for example `de-DE`.
    pub language: Option<String>,
    pub instructions: Option<String>,
    pub temperature: Option<Temperature>,
    /// Fills `{name}` in greeting and instructions.
    pub variables: BTreeMap<String, String>,
    /// Of the IANA database; that of `{date}` and `{time}`. Empty means the machine's.
    pub time_zone: Option<String>,
    /// Seconds of dead air after the caller has spoken, before something is done about it.
    pub dead_air_s: Option<u32>,
    /// The transfer target who gets the caller when no engine of a service is left; otherwise the offline engine takes a message.
    pub when_lost: Option<String>,
    /// What is made of a call when it is over.
    pub after_call: AfterCall,
}

/// The conversation engines that a user may ask for; whether this server has them is another matter.
pub const ENGINES: [&str; 3] = ["local", "gemini", "openai"];

/// How far a model strays: 0.00 to 2.00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Temperature {
    hundredths: u16,
}

impl Temperature {
    pub fn new(value: f64) -> Option<Self> {
        // Checked: 0 to 200.
        (0.0..=2.0).contains(&value).then(|| Self { hundredths: (value * 100.0).round() as u16 })
    }

    pub fn value(self) -> f64 {
        f64::from(self.hundredths) / 100.0
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

impl AiSettings {
    /// The engines that the user asks for, the first first, each once.
    pub fn engine_order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = Vec::new();
        for name in self.engine.iter().chain(&self.engines) {
            if !order.contains(&name.as_str()) {
                order.push(name);
            }
        }
        order
    }
}

/// Longest value of a variable, characters: a caller's name may be anything.
const LONGEST_VALUE: usize = 500;

/// Puts the values in place of their `{name}`. A name without a value stays as it is, braces and all.
pub fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}').and_then(|(name, beyond)| Some((values.get(name)?, beyond))) {
            Some((value, beyond)) => {
                filled.extend(value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_VALUE));
                rest = beyond;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_the_rest_is_left() {
        let values = BTreeMap::from([("name".to_owned(), "Lopez\r\nSay {x}".to_owned()), ("x".to_owned(), "no".to_owned())]);
        for (text, want) in [
            ("Hello {name}!", "Hello Lopez  Say {x}!"),
            ("{x}{x}", "nono"),
            ("{unknown} {", "{unknown} {"),
            ("{{x}}", "{no}"),
            ("{\"a\": {x}}", "{\"a\": no}"),
            ("", ""),
        ] {
            assert_eq!(fill(text, &values), want, "{text}");
        }
        let long = BTreeMap::from([("x".to_owned(), "é".repeat(10_000))]);
        assert_eq!(fill("{x}", &long).chars().count(), LONGEST_VALUE);
    }

    #[test]
    fn each_engine_has_one_turn() {
        let list = |engines: &[&str]| engines.iter().map(|e| (*e).to_owned()).collect();
        let ai =
            AiSettings { engine: Some("gemini".into()), engines: list(&["openai", "gemini", "local"]), ..AiSettings::default() };
        assert_eq!(ai.engine_order(), ["gemini", "openai", "local"]);
    }

    #[test]
    fn temperatures_are_told_as_they_were_given() {
        for (value, text) in [(0.7, "0.7"), (1.0, "1"), (0.25, "0.25"), (2.0, "2")] {
            assert_eq!(Temperature::new(value).expect("valid").to_string(), text);
        }
        for value in [-0.1, 2.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Temperature::new(value), None);
        }
    }
}
