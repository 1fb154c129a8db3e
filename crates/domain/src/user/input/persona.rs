//! What a client says of the agent: the map `ai`. `null` gives back the default.

use super::super::AfterCall;
use super::super::AiSettings;
use super::super::ENGINES;
use super::super::after_call;
use super::super::field::Field;
use super::super::persona::Temperature;
use super::set;
use crate::Faults;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::BTreeMap;

const MAX_VARIABLES: usize = 50;
const MAX_VALUE: usize = 500;

/// `None` where the client said nothing, `Some(None)` where it asked for the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonaInput {
    pub engine: Option<Option<String>>,
    pub engines: Option<Option<Vec<String>>>,
    pub model: Option<Option<String>>,
    pub voice: Option<Option<String>>,
    pub language: Option<Option<String>>,
    pub instructions: Option<Option<String>>,
    pub temperature: Option<Option<Temperature>>,
    pub variables: Option<Option<BTreeMap<String, String>>>,
    pub time_zone: Option<Option<String>>,
    pub dead_air: Option<Option<u32>>,
    pub when_lost: Option<Option<String>>,
    pub after_call: Option<Option<AfterCall>>,
}

impl PersonaInput {
    /// `false` when the field is none of these.
    pub(super) fn read_field(&mut self, key: &str, field: &Field<'_>, faults: &mut Faults) -> bool {
        match key {
            "engine" => self.engine = field.optional(|f| f.engine(faults)),
            "engines" => self.engines = field.optional(|f| engines(f, faults)),
            "model" => self.model = field.optional(|f| f.text(faults, 1, 128)),
            "voice" => self.voice = field.optional(|f| f.text(faults, 1, 64)),
            "language" => self.language = field.optional(|f| f.language(faults)),
            "instructions" => self.instructions = field.optional(|f| f.prose(faults, 20_000)),
            "temperature" => self.temperature = field.optional(|f| temperature(f, faults)),
            "variables" => self.variables = field.optional(|f| variables(f, faults)),
            "time_zone" => self.time_zone = field.optional(|f| time_zone(f, faults)),
            "dead_air" => self.dead_air = field.optional(|f| f.number(faults, 2, 60)),
            "when_lost" => self.when_lost = field.optional(|f| f.text(faults, 1, 64)),
            "after_call" => self.after_call = field.optional(|f| after_call::read(f, faults)),
            _ => return false,
        }
        true
    }

    pub(super) fn apply(self, ai: &mut AiSettings) {
        set(&mut ai.engine, self.engine);
        set(&mut ai.engines, self.engines.map(Option::unwrap_or_default));
        set(&mut ai.model, self.model);
        set(&mut ai.voice, self.voice);
        set(&mut ai.language, self.language);
        set(&mut ai.instructions, self.instructions);
        set(&mut ai.temperature, self.temperature);
        set(&mut ai.variables, self.variables.map(Option::unwrap_or_default));
        set(&mut ai.time_zone, self.time_zone);
        set(&mut ai.dead_air_s, self.dead_air);
        set(&mut ai.when_lost, self.when_lost);
        set(&mut ai.after_call, self.after_call.map(Option::unwrap_or_default));
    }
}

fn engines(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    let name = |item: &Value| item.as_str().map(str::trim).filter(|name| ENGINES.contains(name)).map(str::to_owned);
    let list: Option<Vec<_>> = field.value.as_array().and_then(|items| items.iter().map(name).collect());
    let list = list.filter(|list| !(1..list.len()).any(|i| list[..i].contains(&list[i])));
    if list.is_none() {
        faults.add(
            field.path,
            format!("must be a list of some of {}, each once, in the order in which they take over", ENGINES.join(", ")),
        );
    }
    list
}

fn temperature(field: &Field<'_>, faults: &mut Faults) -> Option<Temperature> {
    let value = field.value.as_f64().and_then(Temperature::new);
    if value.is_none() {
        faults.add(field.path, "must be a number from 0 to 2");
    }
    value
}

/// Text by name, for `{name}` in greeting and instructions.
///
/// # Errors
/// Are added to `faults`.
pub fn read_variables(path: &str, value: &Value, faults: &mut Faults) -> Option<BTreeMap<String, String>> {
    variables(&Field { path, value }, faults)
}

fn variables(field: &Field<'_>, faults: &mut Faults) -> Option<BTreeMap<String, String>> {
    let is_name =
        |name: &str| (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
    let entry = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        (is_name(name) && value.chars().count() <= MAX_VALUE).then(|| (name.clone(), value))
    };
    let map = field.value.as_object().filter(|map| map.len() <= MAX_VARIABLES);
    let read = map.and_then(|map| map.iter().map(entry).collect());
    if read.is_none() {
        faults.add(
            field.path,
            format!("must be an object of at most {MAX_VARIABLES} texts, numbers or truth values of at most {MAX_VALUE} characters; names may have letters, digits, _ and ."),
        );
    }
    read
}

fn time_zone(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let name = field.value.as_str().map(str::trim).filter(|name| TimeZone::get(name).is_ok());
    if name.is_none() {
        faults.add(field.path, "must be a name of the IANA database such as Europe/Berlin");
    }
    name.map(str::to_owned)
}
