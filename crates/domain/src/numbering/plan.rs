//! `plan.json`, read once.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Codes have one to three digits.
const LONGEST_CODE: usize = 3;

/// All calling codes.
#[derive(Debug, Deserialize)]
pub struct Plan {
    pub source: String,
    pub date: String,
    codes: BTreeMap<String, Code>,
}

/// What is known of one calling code.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct Code {
    /// Regions by ISO 3166, the main one first; none for codes of no place.
    pub regions: Vec<String>,
    /// Dialled before a national number; empty where nothing is.
    pub trunk: String,
    /// Dialled before an international number.
    pub international: String,
    /// Beginnings of national numbers that cost more than a call.
    pub costly: Vec<String>,
    /// Why every number of the code costs more.
    pub costly_code: Option<String>,
    pub emergency: Vec<String>,
    /// IANA time zones by beginnings of the whole number.
    pub zones: BTreeMap<String, Vec<String>>,
}

/// Where a line is: how its national numbers are to be read.
#[derive(Debug, Clone, Copy)]
pub struct Home {
    /// Digits.
    pub code: &'static str,
    pub plan: &'static Code,
}

/// The plans of this program.
pub fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| serde_json::from_str(include_str!("plan.json")).expect("the plan is JSON of this form; a test reads it"))
}

impl Plan {
    /// The code that the digits of a number begin with. Codes have no common beginnings.
    pub fn code_of(&'static self, digits: &str) -> Option<Home> {
        let codes = (1..=LONGEST_CODE).filter_map(|length| self.codes.get_key_value(digits.get(..length)?));
        codes.map(|(code, plan)| Home { code, plan }).next()
    }

    /// By a region of ISO 3166 (`DE`).
    pub fn region(&'static self, region: &str) -> Option<Home> {
        let has_it = |plan: &Code| plan.regions.iter().any(|known| known == region);
        self.codes.iter().find(|(_, plan)| has_it(plan)).map(|(code, plan)| Home { code, plan })
    }
}

impl Home {
    /// The zones in which the telephone of that number may be: those of the longest beginning that is known.
    pub fn zones(&self, digits: &str) -> &'static [String] {
        let known = (1..=digits.len()).rev().filter_map(|length| self.plan.zones.get(digits.get(..length)?));
        known.map(Vec::as_slice).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZoneDatabase;

    #[test]
    fn the_plan_is_whole() {
        assert!(plan().codes.len() > 200 && !plan().source.is_empty());
        for (code, entry) in &plan().codes {
            assert!(entry.zones.keys().all(|prefix| prefix.starts_with(code)), "{code}");
            let digits = |text: &String| text.bytes().all(|b| b.is_ascii_digit());
            assert!(entry.costly.iter().all(digits) && digits(&entry.trunk) && digits(&entry.international), "{code}");
            for zone in entry.zones.values().flatten() {
                assert!(TimeZoneDatabase::bundled().get(zone).is_ok(), "{zone}");
            }
        }
    }

    #[test]
    fn numbers_belong_to_codes_and_places() {
        for (digits, code, zones) in [
            ("4930123456", "49", "Europe/Berlin"),
            ("12125550123", "1", "America/New_York"),
            ("13105550123", "1", "America/Los_Angeles"),
            ("442079460000", "44", "Europe/London"),
            ("61291234567", "61", "Australia/Sydney"),
            ("88121234567", "881", ""),
        ] {
            let home = plan().code_of(digits).unwrap_or_else(|| panic!("{digits}"));
            assert_eq!((home.code, home.zones(digits).join(" ").as_str()), (code, zones), "{digits}");
        }
        assert!(plan().code_of("0123").is_none() && plan().code_of("").is_none());
        assert_eq!(plan().region("AT").map(|home| home.code), Some("43"));
        assert!(plan().region("ZZ").is_none());
    }
}
