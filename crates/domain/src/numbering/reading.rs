//! What a dialled text may mean.

use super::plan::{Home, plan};

/// Shorter numbers are extensions, service numbers, or what the provider makes of them.
const SHORTEST_NUMBER: usize = 7;
/// Where the country is not known: beginnings of premium numbers in so many plans that they are taken for it everywhere.
const COSTLY_ANYWHERE: [&str; 4] = ["900", "190", "1900", "976"];
/// Directory enquiries in Europe, which put calls through at their own price.
const ENQUIRIES: &str = "118";
/// In every mobile network, and where most people would look for them.
const EMERGENCY: [&str; 3] = ["112", "911", "999"];

/// A dialled text, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialled {
    /// The name of somebody at the provider: `bob`.
    Name,
    /// An extension or a service number.
    Short(String),
    /// `*21*…#`: sets something at the provider. The digits in it may be a number that calls are then sent to.
    ServiceCode { digits: String },
    /// A telephone number.
    Number(Vec<Reading>),
}

/// One way to read a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Whole, with its calling code: digits without `+`.
    International(String),
    /// National, of a country that is not known.
    National(String),
}

impl Dialled {
    /// `user` is the user part of the address that is dialled; `home` says how national numbers are to be read.
    pub fn read(user: &str, home: Option<Home>) -> Self {
        let compact: String = user.chars().filter(|c| !matches!(c, '-' | '_' | '.')).collect();
        let digits: String = compact.chars().filter(char::is_ascii_digit).collect();
        if compact.starts_with(['*', '#']) || compact.ends_with('#') {
            return Self::ServiceCode { digits };
        }
        match compact.strip_prefix('+') {
            _ if !compact.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit()) || digits.is_empty() => Self::Name,
            Some(_) => Self::Number(international(&digits)),
            None if digits.len() < SHORTEST_NUMBER => Self::Short(digits),
            None => Self::Number(plain(&digits, home)),
        }
    }

    /// The whole numbers it may mean.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        let readings = if let Self::Number(readings) = self { readings.as_slice() } else { &[] };
        readings.iter().filter_map(|reading| match reading {
            Reading::International(digits) => Some(digits.as_str()),
            Reading::National(_) => None,
        })
    }

    /// Why it may cost more than a call, in a few words.
    pub fn costly(&self) -> Option<String> {
        match self {
            Self::Name => None,
            Self::Short(digits) => (digits.starts_with(ENQUIRIES) && digits.len() > 4).then(|| "directory enquiries".to_owned()),
            Self::ServiceCode { digits } => {
                (digits.len() >= SHORTEST_NUMBER).then(|| "a code of the provider with a number in it".to_owned())
            }
            Self::Number(readings) => readings.iter().find_map(Reading::costly),
        }
    }

    pub fn is_emergency(&self, home: Option<Home>) -> bool {
        let Self::Short(digits) = self else { return false };
        EMERGENCY.contains(&digits.as_str()) || home.is_some_and(|home| home.plan.emergency.contains(digits))
    }
}

impl Reading {
    fn costly(&self) -> Option<String> {
        match self {
            Self::National(digits) => {
                let is_premium = COSTLY_ANYWHERE.iter().any(|costly| digits.starts_with(costly));
                is_premium.then(|| {
                    "what looks like a premium number; limits.country says how national numbers are to be read".to_owned()
                })
            }
            Self::International(digits) => {
                let home = plan().code_of(digits)?;
                if let Some(why) = &home.plan.costly_code {
                    return Some(format!("+{}: {why}", home.code));
                }
                let national = digits.get(home.code.len()..)?;
                let costly = home.plan.costly.iter().find(|costly| national.starts_with(costly.as_str()))?;
                Some(format!("+{} {costly}: premium or shared cost", home.code))
            }
        }
    }
}

/// Behind a `+` a code stands; some write zeros there, and some providers drop them.
fn international(digits: &str) -> Vec<Reading> {
    let mut readings = vec![Reading::International(digits.to_owned())];
    let trimmed = digits.trim_start_matches('0');
    if trimmed != digits {
        readings.push(Reading::International(trimmed.to_owned()));
    }
    readings
}

/// Digits alone, in all the ways that a provider of that country may take them.
fn plain(digits: &str, home: Option<Home>) -> Vec<Reading> {
    let whole = |digits: &str| Reading::International(digits.to_owned());
    let mut readings = Vec::new();
    let Some(home) = home else {
        for prefix in ["0011", "00", "011"] {
            readings.extend(digits.strip_prefix(prefix).map(whole));
        }
        if readings.is_empty() {
            readings.extend(digits.strip_prefix('0').map(|rest| Reading::National(rest.to_owned())));
        }
        if readings.is_empty() {
            readings.extend([whole(digits), Reading::National(digits.to_owned())]);
        }
        return readings;
    };
    let (code, trunk, abroad) = (home.code, home.plan.trunk.as_str(), home.plan.international.as_str());
    let national = |rest: &str| Reading::International(format!("{code}{rest}"));
    if let Some(rest) = digits.strip_prefix(abroad).filter(|_| !abroad.is_empty()) {
        return vec![whole(rest)];
    }
    // Not this country's way to dial abroad, but most providers take it.
    if let Some(rest) = digits.strip_prefix("00") {
        readings.push(whole(rest));
    }
    match digits.strip_prefix(trunk).filter(|_| !trunk.is_empty()) {
        Some(rest) => readings.push(national(rest)),
        // Ten digits are a number of North America, and nothing else there.
        None if code == "1" && digits.len() == 10 => readings.push(national(digits)),
        None => readings.extend([national(digits), whole(digits)]),
    }
    readings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user: &str, region: &str) -> Dialled {
        Dialled::read(user, plan().region(region))
    }

    #[test]
    fn numbers_are_read_as_the_country_writes_them() {
        for (user, region, want) in [
            ("+4930123456", "", "4930123456"),
            ("+004930123456", "", "004930123456 4930123456"),
            ("004930123456", "", "4930123456"),
            ("0114930123456", "", "4930123456"),
            ("030123456", "", ""),
            ("4930123456", "", "4930123456"),
            ("030123456", "DE", "4930123456"),
            ("004312345678", "DE", "4312345678"),
            ("30123456", "DE", "4930123456 30123456"),
            ("2125550123", "US", "12125550123"),
            ("12125550123", "US", "12125550123"),
            ("0114930123456", "US", "4930123456"),
            ("004930123456", "US", "4930123456 1004930123456 004930123456"),
            ("84951234567", "RU", "74951234567"),
            ("8104930123456", "RU", "4930123456"),
            ("0612345678", "IT", "390612345678 0612345678"),
        ] {
            assert_eq!(read(user, region).numbers().collect::<Vec<_>>().join(" "), want, "{user} from {region:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_apart() {
        for (user, want) in [
            ("bob", Dialled::Name),
            ("first.last", Dialled::Name),
            ("2001", Dialled::Short("2001".to_owned())),
            ("*97", Dialled::ServiceCode { digits: "97".to_owned() }),
            ("*21*+4990012345#", Dialled::ServiceCode { digits: "214990012345".to_owned() }),
            ("1-8-0", Dialled::Short("180".to_owned())),
        ] {
            assert_eq!(read(user, ""), want, "{user}");
        }
    }

    #[test]
    fn what_costs_more_is_known_in_every_form() {
        for (user, region, costly) in [
            ("+4990012345678", "", true),
            ("+49_900-1.2345678", "", true),
            ("004990012345678", "", true),
            ("+004990012345678", "", true),
            ("0900123456", "DE", true),
            ("0900123456", "", true),
            ("19005550123", "", true),
            ("9005550123", "US", true),
            ("9005550123", "", true),
            ("09011234567", "GB", true),
            ("+449011234567", "", true),
            ("0911123456", "DE", false),
            ("+49911123456", "", false),
            ("0911123456", "", false),
            ("+88216123456", "", true),
            ("+870773123456", "", true),
            ("+8816123456789", "", true),
            ("+979112345678", "", true),
            ("0011881612345678", "AU", true),
            ("*21*+4990012345#", "", true),
            ("*97", "", false),
            ("11833", "", true),
            ("1183", "", false),
            ("+12125550123", "", false),
            ("+1234567890", "", false),
            ("2001", "", false),
            ("bob", "", false),
        ] {
            assert_eq!(read(user, region).costly().is_some(), costly, "{user} from {region:?}");
        }
    }

    #[test]
    fn emergency_numbers_are_known() {
        for (user, region, want) in
            [("112", "", true), ("911", "US", true), ("110", "DE", true), ("110", "", false), ("+112", "", false)]
        {
            assert_eq!(read(user, region).is_emergency(plan().region(region)), want, "{user} from {region:?}");
        }
    }
}
