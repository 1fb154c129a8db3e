//! Where a line may call: by the user's own lists, and with neither of them everywhere but where it costs more than a call.
//!
//! A number may be readable in more than one way. It is refused when one reading is refused, and allowed when all are allowed.

use super::refusal::{Limit, Refusal};
use crate::numbering::{Dialled, Home, plan};
use crate::user::limits::Limits;
use crate::{DialTarget, User};

/// Something to be dialled, read as the user's line would.
#[derive(Debug, Clone)]
pub struct Destination {
    /// As it is dialled, without separators.
    literal: String,
    pub dialled: Dialled,
    home: Option<Home>,
}

impl Destination {
    pub fn of(user: &User, target: &DialTarget) -> Self {
        let home = home_of(user);
        let literal: String = target.user.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect();
        Self { dialled: Dialled::read(&target.user, home), literal, home }
    }

    /// Whether the lists let it through.
    pub fn judge(&self, limits: &Limits) -> Result<(), Refusal> {
        let allowed = &limits.allowed_prefixes;
        if self.dialled.is_emergency(self.home) && !allowed.contains(&self.literal) {
            let detail = "an emergency number; who means it puts exactly this number into limits.allowed_prefixes";
            return Err(Refusal::new(Limit::EmergencyNumbers, detail));
        }
        if let Some(prefix) = limits.denied_prefixes.iter().find(|prefix| self.may_begin_with(prefix)) {
            let longest = self.allowed_length(allowed).unwrap_or(0);
            if longest <= prefix.len() {
                return Err(Refusal::new(Limit::DeniedPrefixes, format!("numbers that begin with {prefix} are denied")));
            }
        }
        if !allowed.is_empty() && self.allowed_length(allowed).is_none() {
            let detail = format!("only numbers that begin with {} are allowed", listed(allowed));
            return Err(Refusal::new(Limit::AllowedPrefixes, detail));
        }
        match self.dialled.costly() {
            Some(why) if !self.is_opened(allowed) => {
                let detail = format!("{why}; who means it puts the number, or its beginning, into limits.allowed_prefixes");
                Err(Refusal::new(Limit::CostlyDestinations, detail))
            }
            _ => Ok(()),
        }
    }

    /// In any reading.
    fn may_begin_with(&self, prefix: &str) -> bool {
        match prefix.strip_prefix('+') {
            Some(digits) => self.dialled.numbers().any(|number| number.starts_with(digits)),
            None => self.literal.starts_with(prefix),
        }
    }

    /// The length of the prefix that allows it: in every reading, or as it is dialled.
    fn allowed_length(&self, allowed: &[String]) -> Option<usize> {
        let literal = allowed.iter().filter(|prefix| !prefix.starts_with('+') && self.literal.starts_with(prefix.as_str()));
        let literal = literal.map(String::len).max();
        let of_number = |number: &str| {
            let fitting =
                allowed.iter().filter(|prefix| prefix.strip_prefix('+').is_some_and(|digits| number.starts_with(digits)));
            fitting.map(String::len).max()
        };
        // What may be national of an unknown country has no number that a prefix could be compared with.
        let is_clear = matches!(&self.dialled, Dialled::Number(readings) if readings.len() == self.dialled.numbers().count());
        let all = self.dialled.numbers().map(of_number).collect::<Option<Vec<_>>>();
        let numbers = all.filter(|_| is_clear).and_then(|lengths| lengths.into_iter().min());
        literal.max(numbers)
    }

    /// An allowed prefix that is longer than a country opens what costs more: whoever writes it means it.
    fn is_opened(&self, allowed: &[String]) -> bool {
        let code = |digits: &str| plan().code_of(digits).map_or(0, |home| home.code.len());
        match &self.dialled {
            Dialled::Number(_) => {
                let literal = allowed
                    .iter()
                    .any(|prefix| !prefix.starts_with('+') && self.literal.starts_with(prefix.as_str()) && prefix.len() > 3);
                let opens = |number: &str, prefix: &str| number.starts_with(prefix) && opens_costly(number, prefix, code(number));
                let mut numbers = self.dialled.numbers().peekable();
                let whole = numbers.peek().is_some()
                    && numbers.all(|number| {
                        allowed.iter().filter_map(|prefix| prefix.strip_prefix('+')).any(|prefix| opens(number, prefix))
                    });
                literal || whole
            }
            _ => allowed.contains(&self.literal),
        }
    }
}

/// The prefix names what is costly itself: the whole code of a satellite, or as much of the national number as the plan does.
fn opens_costly(number: &str, prefix: &str, code_length: usize) -> bool {
    let Some(home) = plan().code_of(number) else { return false };
    if home.plan.costly_code.is_some() {
        return prefix.len() >= code_length;
    }
    let national = number.get(code_length..).unwrap_or_default();
    let costly = home.plan.costly.iter().filter(|costly| national.starts_with(costly.as_str())).map(String::len).max();
    costly.is_none_or(|costly| prefix.len() >= code_length + costly)
}

/// The country of the line: as the user's limits say, or that of the number under which it calls.
pub fn home_of(user: &User) -> Option<Home> {
    let own = [user.sip.caller_id.as_deref(), user.sip.from_user.as_deref(), Some(user.sip.username.as_str())];
    let of_number = |text: &str| plan().code_of(text.strip_prefix('+')?);
    user.limits.home().or_else(|| own.into_iter().flatten().find_map(of_number))
}

/// The whole numbers that a text may mean on the user's line, and the text itself when it is none: what do-not-call lists are compared by.
pub fn numbers_of(user: &User, target: &DialTarget) -> Vec<String> {
    let destination = Destination::of(user, target);
    let numbers: Vec<String> = destination.dialled.numbers().map(|digits| format!("+{digits}")).collect();
    if numbers.is_empty() { vec![destination.literal] } else { numbers }
}

fn listed(prefixes: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = prefixes.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if prefixes.len() > SHOWN { format!("{shown}, …") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::user_of_tests;

    fn judge(limits: Limits, dialled: &str) -> Result<(), Limit> {
        let user = User { limits, ..user_of_tests() };
        let target = dialled.parse().expect("can be dialled");
        Destination::of(&user, &target).judge(&user.limits).map_err(|refusal| refusal.limit)
    }

    fn list(prefixes: &str) -> Vec<String> {
        prefixes.split_whitespace().map(str::to_owned).collect()
    }

    fn german() -> Limits {
        Limits { country: Some("DE".to_owned()), ..Limits::default() }
    }

    #[test]
    fn without_lists_everything_goes_but_what_costs_more() {
        for dialled in ["+4930123456", "+12125550123", "2001", "bob", "*97", "bob@example.com", "0911123456"] {
            assert_eq!(judge(german(), dialled), Ok(()), "{dialled}");
        }
        for dialled in
            ["+4990012345", "0900-12345678", "+88216123456", "sip:+4990012345@example.com", "*21*088216123456#", "0137712345"]
        {
            assert_eq!(judge(german(), dialled), Err(Limit::CostlyDestinations), "{dialled}");
        }
        for dialled in ["112", "110", "911"] {
            assert_eq!(judge(german(), dialled), Err(Limit::EmergencyNumbers), "{dialled}");
        }
    }

    #[test]
    fn an_allow_list_is_all_there_is() {
        let allowing = |prefixes: &str| Limits { allowed_prefixes: list(prefixes), ..german() };
        for (prefixes, dialled, want) in [
            ("+49", "+4930123456", Ok(())),
            ("+49", "030123456", Ok(())),
            ("+49", "+4330123456", Err(Limit::AllowedPrefixes)),
            ("+49", "004330123456", Err(Limit::AllowedPrefixes)),
            ("+49", "43301234567", Err(Limit::AllowedPrefixes)),
            ("+49", "2001", Err(Limit::AllowedPrefixes)),
            ("+49 2", "2001", Ok(())),
            ("+49", "bob", Err(Limit::AllowedPrefixes)),
            ("+49 bob", "bob", Ok(())),
            ("+49", "+4990012345678", Err(Limit::CostlyDestinations)),
            ("+49 +499", "+4990012345678", Err(Limit::CostlyDestinations)),
            ("+499001", "+4990012345678", Ok(())),
            ("+499001", "0900 12345678", Ok(())),
            ("+881", "+8816123456789", Ok(())),
            ("*97", "*97", Ok(())),
            ("*97", "*98", Err(Limit::AllowedPrefixes)),
            ("112", "112", Ok(())),
            ("1", "112", Err(Limit::EmergencyNumbers)),
        ] {
            assert_eq!(judge(allowing(prefixes), dialled), want, "{dialled} with {prefixes}");
        }
        let abroad = Limits { allowed_prefixes: list("+49"), ..Limits::default() };
        assert_eq!(judge(abroad, "030123456"), Err(Limit::AllowedPrefixes), "of which country is not known");
    }

    #[test]
    fn a_denied_prefix_yields_to_a_longer_allowed_one() {
        let with =
            |allowed: &str, denied: &str| Limits { allowed_prefixes: list(allowed), denied_prefixes: list(denied), ..german() };
        for (allowed, denied, dialled, want) in [
            ("", "+1", "+12125550123", Err(Limit::DeniedPrefixes)),
            ("", "+1", "0012125550123", Err(Limit::DeniedPrefixes)),
            ("", "+49", "030123456", Err(Limit::DeniedPrefixes)),
            ("", "2", "2001", Err(Limit::DeniedPrefixes)),
            ("+1212", "+1", "+12125550123", Ok(())),
            ("+1", "+1", "+12125550123", Err(Limit::DeniedPrefixes)),
            ("+49", "+4930", "+4930123456", Err(Limit::DeniedPrefixes)),
            ("+49", "+4930", "+4940123456", Ok(())),
        ] {
            assert_eq!(judge(with(allowed, denied), dialled), want, "{dialled} with {allowed} without {denied}");
        }
    }

    #[test]
    fn the_country_is_that_of_the_lines_own_number() {
        let mut user = user_of_tests();
        user.sip.caller_id = Some("+4930123456".to_owned());
        assert_eq!(home_of(&user).map(|home| home.code), Some("49"));
        user.limits.country = Some("AT".to_owned());
        assert_eq!(home_of(&user).map(|home| home.code), Some("43"), "what is said counts");
        let target: DialTarget = "0123456789".parse().expect("valid");
        assert_eq!(numbers_of(&user, &target), ["+43123456789"]);
        assert_eq!(numbers_of(&user, &"bob".parse().expect("valid")), ["bob"]);
    }
}
