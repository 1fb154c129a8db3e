//! What an engine is told of one call: the user's persona with the words of this call over it, and variables filled in.

use crate::exchange::CallWords;
use callie_ai::{Brief, tools::Toolbox};
use callie_domain::user::persona::fill;
use callie_domain::{User, record::Direction};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use std::collections::BTreeMap;

/// `remote`: number or name of the other side, as signalled.
pub fn brief(user: &User, direction: Direction, remote: String, words: &CallWords, tools: Toolbox, now: Timestamp) -> Brief {
    let values = values(user, direction, &remote, words, now);
    let greeting = words.message.as_deref().unwrap_or(&user.calls.default_greeting);
    let instructions = words.instructions.as_deref().or(user.ai.instructions.as_deref());
    let transfer_targets: Vec<_> = user.routing.transfer_targets.iter().map(|target| target.name.clone()).collect();
    Brief {
        greeting: fill(&user.calls.recording.opening(greeting), &values),
        display_name: user.display_name.clone(),
        instructions: instructions.map(|text| fill(text, &values)),
        model: user.ai.model.clone(),
        voice: user.ai.voice.clone(),
        language: user.ai.language.clone(),
        remote_party: remote,
        outbound: direction == Direction::Outbound,
        tools,
        transfer_targets,
        temperature: user.ai.temperature.map(|temperature| temperature.value() as f32),
        history: Vec::new(),
    }
}

/// Those of the call over those of the user over our own.
fn values(user: &User, direction: Direction, remote: &str, words: &CallWords, now: Timestamp) -> BTreeMap<String, String> {
    let now = local(now, user.ai.time_zone.as_deref());
    let ours = [
        ("caller_number", number(remote)),
        ("caller_name", remote.to_owned()),
        ("display_name", user.display_name.clone()),
        ("direction", if direction == Direction::Inbound { "inbound" } else { "outbound" }.to_owned()),
        ("date", now.strftime("%Y-%m-%d").to_string()),
        ("time", now.strftime("%H:%M").to_string()),
        ("weekday", now.strftime("%A").to_string()),
    ];
    let mut values: BTreeMap<String, String> = ours.map(|(name, value)| (name.to_owned(), value)).into();
    let metadata = words.metadata.iter().map(|(name, value)| (format!("metadata.{name}"), value.clone()));
    values.extend(metadata);
    values.extend(user.ai.variables.clone());
    values.extend(words.variables.clone());
    values
}

/// The digits of what was signalled, `+` kept; the whole of it where there are none.
fn number(remote: &str) -> String {
    let digits: String = remote.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    if digits.is_empty() { remote.to_owned() } else { digits }
}

fn local(now: Timestamp, zone: Option<&str>) -> Zoned {
    let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(TimeZone::system);
    now.to_zoned(zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::MacAddress;
    use callie_domain::user::{RecordingPolicy, input::UserInput};
    use serde_json::json;

    fn user() -> User {
        let body = json!({"user_id": "alice", "display_name": "Alice", "sip_username": "alice", "sip_password": "p",
            "greeting": "Good day, {caller_number}. It is {weekday}, {time}.",
            "ai": {"instructions": "Sell {goods} to {who}.", "variables": {"goods": "lamps", "who": "all"}, "time_zone": "Asia/Tokyo",
                "temperature": 0.3}});
        let input = UserInput::from_json(&body).expect("valid");
        input.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])).expect("valid")
    }

    #[test]
    fn a_recording_is_announced_before_anything_else() {
        let mut user = user();
        user.calls.recording.policy = RecordingPolicy::Announce;
        user.calls.recording.notice = Some("{display_name} records this.".into());
        let said = |message: Option<&str>| {
            let words = CallWords::saying(message.map(str::to_owned));
            brief(&user, Direction::Outbound, "bob".into(), &words, Toolbox::default(), Timestamp::UNIX_EPOCH).greeting
        };
        assert!(said(None).starts_with("Alice records this. Good day"), "{}", said(None));
        assert_eq!(said(Some("The boiler is mended.")), "Alice records this. The boiler is mended.");
    }

    #[test]
    fn the_words_of_the_call_stand_over_those_of_the_user() {
        let said = |words: &CallWords| {
            let brief =
                brief(&user(), Direction::Inbound, "Maria <+43 1 234>".into(), words, Toolbox::default(), Timestamp::UNIX_EPOCH);
            (brief.greeting, brief.instructions.expect("some"))
        };
        let own = said(&CallWords::default());
        assert_eq!(own.0, "Good day, +431234. It is Thursday, 09:00.");
        assert_eq!(own.1, "Sell lamps to all.");
        let words = CallWords {
            message: Some("Order {metadata.order} for {who} is ready.".into()),
            variables: BTreeMap::from([("who".into(), "Maria".into())]),
            metadata: BTreeMap::from([("order".into(), "17".into())]),
            ..CallWords::default()
        };
        assert_eq!(said(&words), ("Order 17 for Maria is ready.".into(), "Sell lamps to Maria.".into()));
        let instructions = Some("Ask {who}, not {whom}.".into());
        assert_eq!(said(&CallWords { instructions, ..words }).1, "Ask Maria, not {whom}.");
    }
}
