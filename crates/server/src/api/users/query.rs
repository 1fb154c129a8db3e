//! The parameters of GET /users.

use super::list::{Form, Sort, UserFilter};
use crate::api::words::LineWord;
use callie_domain::Faults;
use callie_domain::registration::RegistrationState;
use serde::Deserialize;
use utoipa::IntoParams;

/// Users in one page at most.
pub const PAGE_LIMIT: usize = 500;
/// Bounds of a search: each word is looked for in each user.
const MOST_WORDS: usize = 16;
const LONGEST_TEXT: usize = 200;

/// Which users to list. All parameters are optional and narrow together.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UserQuery {
    /// Words, or parts of words, that must all occur in id, name, number (`sip_username`, `auth_username`, `caller_id`), label or
    /// provider (`sip_server`). Case does not matter.
    #[param(max_length = 200, example = "alice zoho")]
    q: Option<String>,
    /// Where the line stands.
    #[param(value_type = Option<LineWord>)]
    line: Option<String>,
    /// Users that are active, or those that are not.
    #[param(value_type = Option<bool>)]
    active: Option<String>,
    /// Users whose document can be read (`config_state`), or those whose cannot.
    #[param(value_type = Option<bool>)]
    readable: Option<String>,
    /// Users with a SIP password, or those without.
    #[param(value_type = Option<bool>)]
    has_password: Option<String>,
    /// Users whose receivers are told of what happens, or those that have none.
    #[param(value_type = Option<bool>)]
    has_webhooks: Option<String>,
    /// `id`, which it is without it, or `name`.
    #[param(example = "name")]
    sort: Option<String>,
    /// `whole` documents, which it is without it, or `short`: what a list shows.
    #[param(example = "short")]
    form: Option<String>,
    /// 1 to 500; without it all that fit are sent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, example = 50)]
    limit: Option<String>,
    /// The `next` of the page before, in the same order.
    after: Option<String>,
}

impl UserQuery {
    pub fn parse(self) -> Result<UserFilter, Faults> {
        let mut faults = Faults::default();
        let sort = match self.sort.as_deref() {
            None | Some("id") => Sort::Id,
            Some("name") => Sort::Name,
            Some(_) => {
                faults.add("sort", "must be id or name");
                Sort::Id
            }
        };
        let form = match self.form.as_deref() {
            None | Some("whole") => Form::Whole,
            Some("short") => Form::Short,
            Some(_) => {
                faults.add("form", "must be whole or short");
                Form::Whole
            }
        };
        let after = self.after.and_then(|text| {
            let read = sort.read_cursor(&text);
            if read.is_none() {
                faults.add("after", "must be the next of the page before, in the same order");
            }
            read
        });
        let filter = UserFilter {
            words: words(self.q, &mut faults),
            line: self.line.and_then(|word| line(&word, &mut faults)),
            active: truth("active", self.active, &mut faults),
            readable: truth("readable", self.readable, &mut faults),
            has_password: truth("has_password", self.has_password, &mut faults),
            has_webhooks: truth("has_webhooks", self.has_webhooks, &mut faults),
            sort,
            form,
            limit: limit(self.limit, &mut faults),
            after,
        };
        faults.into_result(filter)
    }
}

/// Where a line stands, as people look for it: one state, or all that somebody must see to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineQuery {
    At(RegistrationState),
    /// Tried again, refused, or with a document that cannot be read.
    Failing,
}

fn line(word: &str, faults: &mut Faults) -> Option<LineQuery> {
    let found = LineWord::ALL.iter().find(|(known, _)| *known == word).map(|(_, line)| *line);
    if found.is_none() {
        let known = LineWord::ALL.map(|(known, _)| known).join(", ");
        faults.add("line", format!("must be one of {known}"));
    }
    found
}

fn truth(field: &str, text: Option<String>, faults: &mut Faults) -> Option<bool> {
    match text?.as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => {
            faults.add(field, "must be true or false");
            None
        }
    }
}

/// In lower case.
fn words(text: Option<String>, faults: &mut Faults) -> Vec<String> {
    let text = text.unwrap_or_default();
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    if text.chars().count() > LONGEST_TEXT || words.len() > MOST_WORDS {
        faults.add("q", format!("must have at most {MOST_WORDS} words and {LONGEST_TEXT} characters"));
    }
    words
}

fn limit(text: Option<String>, faults: &mut Faults) -> Option<usize> {
    let limit = text?.parse().ok().filter(|limit| (1..=PAGE_LIMIT).contains(limit));
    if limit.is_none() {
        faults.add("limit", format!("must be a whole number from 1 to {PAGE_LIMIT}"));
    }
    limit
}
