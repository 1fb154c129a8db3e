//! Settings of providers and telephone systems that many have, as data with their sources (`presets.json`).

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What is known of one provider.
#[derive(Debug, Clone, Deserialize)]
pub struct Preset {
    /// As a client writes it in `preset`.
    pub name: String,
    pub title: String,
    /// Fields of a new user, as a client would send them. What the client sends itself wins.
    pub fields: Map<String, Value>,
    /// Fields that everybody has to give, and what belongs there.
    pub give: BTreeMap<String, String>,
    pub notes: Vec<String>,
    /// Where all this is from.
    pub sources: Vec<String>,
}

static ALL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    // The file is part of the program, and a test reads it.
    serde_json::from_str(include_str!("presets.json")).unwrap_or_default()
});

impl Preset {
    pub fn all() -> &'static [Self] {
        &ALL
    }

    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|preset| preset.name == name)
    }

    /// `body` with the preset's fields beneath it. A field that the body has, flat or in its map, stays as it is.
    pub fn beneath(&self, body: &Map<String, Value>) -> Map<String, Value> {
        let mut merged = body.clone();
        for (field, value) in &self.fields {
            let is_said = body.contains_key(field) || body.get("sip").is_some_and(|sip| sip.get(field).is_some());
            if !is_said {
                merged.insert(field.clone(), value.clone());
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::input::UserInput;
    use serde_json::json;

    #[test]
    fn every_preset_makes_a_user_of_what_it_asks_for() {
        assert!(Preset::all().len() >= 6);
        for preset in Preset::all() {
            let mut body = json!({"user_id": "alice", "display_name": "Alice", "sip_password": "pw", "preset": preset.name});
            for field in preset.give.keys() {
                body[field] = json!(if field == "sip_server" { "pbx.example.com" } else { "alice" });
            }
            let input = UserInput::from_new_json(&body).unwrap_or_else(|faults| panic!("{}: {faults:?}", preset.name));
            assert!(input.sip_server.is_some(), "{} names a server or asks for one", preset.name);
            assert!(!preset.sources.is_empty() && preset.give.contains_key("sip_username"), "{}", preset.name);
        }
    }

    #[test]
    fn what_the_client_says_wins() {
        let body = json!({"preset": "telnyx", "sip": {"sip_server": "sip.telnyx.eu"}, "transport": "tls"});
        let input = UserInput::from_json(&body).expect("valid");
        assert_eq!(input.sip_server.map(|server| server.to_string()).as_deref(), Some("sip.telnyx.eu"));
        assert_eq!(input.transport, Some(crate::Transport::Tls));
    }

    #[test]
    fn an_unknown_preset_is_a_fault_that_names_the_known_ones() {
        for preset in [json!("acme"), json!(7)] {
            let faults = UserInput::from_json(&json!({"preset": preset})).expect_err("unknown");
            assert_eq!(faults.0[0].field, "preset");
            assert!(faults.0[0].problem.contains("zoho_voice"), "{faults:?}");
        }
    }
}
