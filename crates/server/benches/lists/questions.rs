//! What is asked for: what people and dashboards look at.

use crate::{Size, calls, users};

/// Of a body that has no end to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    LastByte,
    FirstByte,
}

pub struct Question {
    pub what: &'static str,
    pub path: String,
    pub until: Until,
    /// Whether it must be below the bound; the others are for comparison.
    pub is_bound: bool,
}

pub fn all(size: Size) -> Vec<Question> {
    let short = |rest: &str| format!("/users?form=short&limit=50{rest}");
    let middle = users::name(size.users / 2);
    let begun = |of: usize| calls::begun(size.calls / 12 * of, size.calls);
    let (year_from, middle_of_year, year_to) = (begun(0), begun(6), begun(12));
    let day_later = middle_of_year + std::time::Duration::from_secs(24 * 3_600);
    let last_month = begun(11);
    let before = calls::id(size.calls / 2, size.calls);
    let one = users::name(size.users / 2 + 1);
    let analytics =
        |of: &str, from, group: &str| format!("{of}/analytics?from={from}&to={year_to}&group={group}&time_zone=Europe/Vienna");
    let of_one = format!("/users/{one}");
    let listed = vec![
        ("users: first page", short("")),
        ("users: first page, by name", short("&sort=name")),
        ("users: page in the middle", short(&format!("&after={middle}"))),
        ("users: first page, whole", "/users?limit=50".to_owned()),
        ("users: 500 of them", "/users?form=short&limit=500".to_owned()),
        ("users: a rare word", short(&format!("&q={middle}"))),
        ("users: words of all", short("&q=example+user")),
        ("users: a word of nobody", short("&q=zzz")),
        ("users: registered", short("&line=registered")),
        ("users: failing, by name", short("&line=failing&sort=name")),
        ("users: not active", short("&active=false")),
        ("calls: first page", "/calls".to_owned()),
        ("calls: page in the middle", format!("/calls?before={before}")),
        ("calls: 500 of them", "/calls?limit=500".to_owned()),
        ("calls: of a day", format!("/calls?from={middle_of_year}&until={day_later}")),
        ("calls: of a user", format!("/calls?user_id={one}")),
        ("calls: outbound", "/calls?direction=outbound".to_owned()),
        ("calls: busy", "/calls?result=busy".to_owned()),
        ("calls: of a result that never was", "/calls?result=lost".to_owned()),
        ("calls: outbound that failed", "/calls?direction=outbound&result=failed".to_owned()),
        ("calls: longer than a minute", "/calls?min_duration=60".to_owned()),
        ("calls: longer than an hour, which are few", "/calls?min_duration=3600".to_owned()),
        ("calls: slower than 5 s, which are few", "/calls?min_latency_ms=5000".to_owned()),
        ("calls: what nothing fits", "/calls?min_duration=300&max_duration=400&max_latency_ms=399".to_owned()),
        ("calls: a rare word", "/calls?q=boiler".to_owned()),
        ("calls: a word of all", "/calls?q=hello".to_owned()),
        ("calls: of a user, a rare word", format!("/calls?user_id={one}&q=boiler")),
        ("calls: of a user, a word of all", format!("/calls?user_id={one}&q=hello")),
        ("calls: a word that only old calls have", "/calls?q=appointment".to_owned()),
        ("calls: of a user, a word that only old calls have", format!("/calls?user_id={one}&q=appointment")),
        ("calls: a word of all, in the middle", format!("/calls?q=hello&before={before}")),
        ("calls: a word of all, longer than an hour", "/calls?q=hello&min_duration=3600".to_owned()),
        ("analytics: a month by hour", analytics("", last_month, "hour")),
        ("analytics: a month by day", analytics("", last_month, "day")),
        ("analytics: a year by day", analytics("", year_from, "day")),
        ("analytics: a year by week", analytics("", year_from, "week")),
        ("analytics: a year in one", analytics("", year_from, "none")),
        ("analytics: of a user, a year by day", analytics(&of_one, year_from, "day")),
        ("analytics: of a user, a month by hour", analytics(&of_one, last_month, "hour")),
    ];
    let listed = listed.into_iter().map(|(what, path)| Question { what, path, until: Until::LastByte, is_bound: true });
    let exported = ["/calls?format=csv".to_owned(), format!("/calls?format=csv&user_id={one}")];
    let exported = ["calls: CSV's first byte", "calls: CSV's first byte, of a user"].into_iter().zip(exported);
    let exported = exported.map(|(what, path)| Question { what, path, until: Until::FirstByte, is_bound: true });
    let whole = Question { what: "users: all, whole", path: "/users".to_owned(), until: Until::LastByte, is_bound: false };
    listed.chain(exported).chain([whole]).collect()
}
