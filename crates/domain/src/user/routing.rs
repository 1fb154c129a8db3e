//! To whom a call may be handed over: the map `routing` of the document.

use super::field::Field;
use crate::{DialTarget, Faults};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::str::FromStr;

/// More than an agent can tell apart.
pub const MAX_TARGETS: usize = 32;

/// How a caller is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferMode {
    /// The caller is sent there at once.
    #[default]
    Blind,
    /// The agent speaks to the human first; then both are joined here.
    Warm,
    /// As warm, but afterwards the provider joins the two and the call leaves us (RFC 3891).
    Attended,
}

impl TransferMode {
    pub const ALL: &[Self] = &[Self::Blind, Self::Warm, Self::Attended];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Warm => "warm",
            Self::Attended => "attended",
        }
    }
}

impl FromStr for TransferMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|mode| mode.as_str() == text).ok_or("must be blind, warm or attended")
    }
}

/// Somebody to whom the agent may hand a caller over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferTarget {
    /// As the agent knows them: `sales`, `Mrs Miller`. One line, unique in the list whatever the case of its letters.
    pub name: String,
    pub target: DialTarget,
    /// Blind when it is not said.
    pub mode: Option<TransferMode>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routing {
    pub transfer_targets: Vec<TransferTarget>,
    /// Follow a REFER of the other side (RFC 3515) to one of the targets; otherwise it is declined.
    pub accept_refer: bool,
}

impl Routing {
    /// The target of that name, whatever the case of its letters.
    pub fn named(&self, name: &str) -> Option<&TransferTarget> {
        let name = name.trim().to_lowercase();
        self.transfer_targets.iter().find(|target| target.name.to_lowercase() == name)
    }

    /// The target that is reached at that number or address.
    pub fn reached_at(&self, wanted: &DialTarget) -> Option<&TransferTarget> {
        self.transfer_targets.iter().find(|target| target.target == *wanted)
    }
}

/// Reads `routing.transfer_targets`; `null` is the empty list.
pub(super) fn read_targets(field: &Field<'_>, faults: &mut Faults) -> Option<Vec<TransferTarget>> {
    let list = match field.value {
        Value::Null => return Some(Vec::new()),
        Value::Array(list) if list.len() <= MAX_TARGETS => list,
        _ => {
            faults.add(field.path, format!("must be a list of at most {MAX_TARGETS} targets"));
            return None;
        }
    };
    let before = faults.0.len();
    let mut targets: Vec<TransferTarget> = Vec::with_capacity(list.len());
    for (index, entry) in list.iter().enumerate() {
        let path = format!("{}[{index}]", field.path);
        let Some(target) = read_target(&path, entry, faults) else { continue };
        if targets.iter().any(|earlier| earlier.name.to_lowercase() == target.name.to_lowercase()) {
            faults.add(format!("{path}.name"), "names another target already");
        }
        targets.push(target);
    }
    (faults.0.len() == before).then_some(targets)
}

fn read_target(path: &str, entry: &Value, faults: &mut Faults) -> Option<TransferTarget> {
    let Some(map) = entry.as_object() else {
        faults.add(path, "must be an object with name and target");
        return None;
    };
    let (mut name, mut target, mut mode) = (None, None, None);
    for (key, value) in map {
        let path = format!("{path}.{key}");
        let field = Field { path: &path, value };
        match key.as_str() {
            "name" => name = field.text(faults, 1, 64),
            "target" => target = field.parsed(faults, "text"),
            "mode" => mode = field.optional(|field| field.parsed(faults, "text")).flatten(),
            _ => faults.add(field.path, "is not a known field"),
        }
    }
    for key in ["name", "target"].iter().filter(|key| !map.contains_key(**key)) {
        faults.add(format!("{path}.{key}"), "is required");
    }
    Some(TransferTarget { name: name?, target: target?, mode })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Vec<TransferTarget>, String> {
        let mut faults = Faults::default();
        let targets = read_targets(&Field { path: "routing.transfer_targets", value: &value }, &mut faults);
        targets.filter(|_| faults.is_empty()).ok_or_else(|| faults.to_string())
    }

    #[test]
    fn targets_are_read_and_found_by_name_and_number() {
        let targets = read(json!([
            {"name": "Sales", "target": "+49 (30) 1234", "mode": "warm"},
            {"name": "the boss", "target": "sip:boss@example.com", "mode": null},
        ]));
        let routing = Routing { transfer_targets: targets.expect("valid"), accept_refer: false };
        let sales = routing.named(" sales ").expect("there");
        assert_eq!((sales.target.to_string().as_str(), sales.mode), ("+49301234", Some(TransferMode::Warm)));
        assert_eq!(routing.named("THE BOSS").and_then(|boss| boss.mode), None);
        assert_eq!(routing.named("bos"), None);
        let number: DialTarget = "+49301234".parse().expect("valid");
        assert_eq!(routing.reached_at(&number).map(|found| found.name.as_str()), Some("Sales"));
        assert_eq!(read(json!(null)), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_with_a_target_is_named_by_its_place() {
        for (value, fields) in [
            (json!("x"), "routing.transfer_targets"),
            (json!(vec![json!({}); 33]), "routing.transfer_targets"),
            (json!([5]), "routing.transfer_targets[0]"),
            (json!([{"name": "a"}]), "routing.transfer_targets[0].target"),
            (json!([{"name": "a", "target": "1"}, {"name": "A", "target": "2"}]), "routing.transfer_targets[1].name"),
            (json!([{"name": "a", "target": "1\r\nVia: x"}]), "routing.transfer_targets[0].target"),
            (json!([{"name": "a\n", "target": "1", "mode": "deaf"}]), "routing.transfer_targets[0].mode"),
            (json!([{"name": "a", "target": "1", "colour": 1}]), "routing.transfer_targets[0].colour"),
        ] {
            let faults = read(value.clone()).expect_err("faulty");
            assert!(faults.starts_with(&format!("{fields}:")), "{value}: {faults}");
            assert!(!faults.contains(';'), "one fault: {faults}");
        }
    }
}
