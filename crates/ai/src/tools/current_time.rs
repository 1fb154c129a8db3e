//! What time it is, here or elsewhere.

use super::{Behaviour, Object, Outcome, Tool, Work};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use serde_json::{Value, json};

/// Date, time and weekday in a time zone of the IANA database; without one, at home.
#[derive(Debug, Clone)]
pub struct CurrentTime {
    clock: fn() -> Timestamp,
    home: TimeZone,
}

impl Default for CurrentTime {
    fn default() -> Self {
        Self::at_home_in(TimeZone::system())
    }
}

impl CurrentTime {
    pub const NAME: &'static str = "current_time";

    pub fn at_home_in(home: TimeZone) -> Self {
        Self { clock: Timestamp::now, home }
    }

    fn in_zone(&self, name: Option<&str>) -> Result<Zoned, String> {
        let zone = match name {
            None => self.home.clone(),
            Some(name) => TimeZone::get(name)
                .map_err(|_| "unknown time zone: give a name of the IANA database such as Europe/Berlin".to_owned())?,
        };
        Ok((self.clock)().to_zoned(zone))
    }
}

impl Tool for CurrentTime {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn description(&self) -> &str {
        "Tells the current date, time and weekday. Use it whenever the answer depends on today's date or the time of day."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"time_zone": {
                "type": "string",
                "description": "A name of the IANA database, such as Europe/Berlin. Leave it out for the local time."
            }}
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn call(&self, arguments: &Object) -> Work {
        let name = arguments.get("time_zone").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        match self.in_zone(name) {
            Ok(time) => Outcome::output(spoken(&time)).into(),
            Err(error) => Outcome::error(error, true).into(),
        }
    }
}

/// As the models read it best: `Tuesday, 2026-11-10 14:05 (Europe/Berlin)`.
fn spoken(time: &Zoned) -> String {
    let zone = time.time_zone().iana_name().unwrap_or("local time");
    format!("{} ({zone})", time.strftime("%A, %Y-%m-%d %H:%M"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::offset;

    fn check(arguments: Value, expected: &str) {
        let tool =
            CurrentTime { clock: || Timestamp::from_second(1_794_315_900).expect("in range"), home: TimeZone::fixed(offset(-3)) };
        let Value::Object(arguments) = arguments else { panic!("an object") };
        let result = Value::from(tool.call(&arguments).done().result).to_string();
        assert!(result.contains(expected), "{result}");
    }

    #[test]
    fn zones_by_name() {
        check(json!({"time_zone": "UTC"}), "Tuesday, 2026-11-10 13:05 (UTC)");
        check(json!({"time_zone": "Europe/Berlin"}), "Tuesday, 2026-11-10 14:05 (Europe/Berlin)");
        check(json!({"time_zone": "Middle/Earth"}), "unknown time zone");
        check(json!({"time_zone": "../../etc/passwd"}), "unknown time zone");
        check(json!({"time_zone": 7}), "Tuesday, 2026-11-10 10:05 (local time)");
        check(json!({}), "Tuesday, 2026-11-10 10:05 (local time)");
    }
}
