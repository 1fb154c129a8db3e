//! Lists of users: chosen from the live view without copying a document, and written out page by page.
//!
//! The view is gone through once for each list: what is counted and compared is looked at where it lies, and documents are made of
//! those alone that are sent. All users whole are written as the reader takes them, a few at a time.

use super::document::UserDocument;
use super::query::{LineQuery, PAGE_LIMIT};
use super::summary::UserSummary;
use crate::api::authorize::Viewer;
use crate::api::state::Lines;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use callie_domain::registration::RegistrationState;
use callie_domain::{User, UserId};
use callie_store::{Entry, UserView};
use futures::stream;
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};

/// Users that are written at once.
const PART: usize = 100;

/// Users, in the order asked for.
#[derive(Debug, ToSchema)]
pub struct UserList {
    #[schema(schema_with = whole_or_short)]
    pub users: Vec<UserSummary>,
    #[schema(inline)]
    #[serde(flatten)]
    pub about: ListHead,
}

/// `UserDocument` or, with `form=short`, `UserSummary`.
fn whole_or_short() -> RefOr<Schema> {
    let item = AnyOfBuilder::new().item(Ref::from_schema_name("UserDocument")).item(Ref::from_schema_name("UserSummary"));
    RefOr::T(Schema::Array(ArrayBuilder::new().items(item).build()))
}

/// What is told of a list besides its users.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListHead {
    /// All users that you may see.
    pub total_users: usize,
    /// The same under the first version's name.
    pub total_count: usize,
    /// Those that fit, on this page and on others.
    pub found: usize,
    pub counts: UserCounts,
    /// Pass it as `after` for the next page; null on the last.
    pub next: Option<String>,
}

/// Of the users that `q` finds, whatever else is asked, how many are …
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserCounts {
    pub active: usize,
    /// Active, and to be connected.
    pub wanted: usize,
    /// At this `registration.state`, as in those that follow.
    pub off: usize,
    pub registering: usize,
    pub registered: usize,
    pub retrying: usize,
    pub wrong_password: usize,
    pub unregistering: usize,
    /// Tried again, refused, or with a document that cannot be read.
    pub failing: usize,
    /// With a document that cannot be read.
    pub unreadable: usize,
    pub without_password: usize,
    pub with_webhooks: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Id,
    /// In lower case, then by id.
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Whole,
    Short,
}

#[derive(Debug)]
pub struct UserFilter {
    /// In lower case.
    pub words: Vec<String>,
    pub line: Option<LineQuery>,
    pub active: Option<bool>,
    pub readable: Option<bool>,
    pub has_password: Option<bool>,
    pub has_webhooks: Option<bool>,
    pub sort: Sort,
    pub form: Form,
    /// All that fit without it.
    pub limit: Option<usize>,
    pub after: Option<(String, UserId)>,
}

/// Where a user stands in the order. The name is empty where the id alone decides.
type Place<'v> = (String, &'v UserId);

impl Sort {
    /// The id, which names its place by itself; or id and name, of which nobody is to read anything.
    fn cursor(self, (name, id): &Place<'_>) -> String {
        match self {
            Self::Id => id.to_string(),
            Self::Name => URL_SAFE_NO_PAD.encode(format!("{id}/{name}")),
        }
    }

    pub fn read_cursor(self, text: &str) -> Option<(String, UserId)> {
        match self {
            Self::Id => Some((String::new(), text.parse().ok()?)),
            Self::Name => {
                let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
                // No id has a slash in it.
                let (id, name) = text.split_once('/')?;
                Some((name.to_owned(), id.parse().ok()?))
            }
        }
    }
}

/// A user as it is looked at: nothing of it is copied.
struct Seen<'v> {
    id: &'v UserId,
    entry: &'v Entry,
    user: Option<&'v User>,
    state: RegistrationState,
}

impl<'v> Seen<'v> {
    fn new(id: &'v UserId, entry: &'v Entry, lines: &Lines) -> Self {
        Self { id, entry, user: entry.usable().map(|stored| &*stored.user), state: lines.line_state(id) }
    }

    fn has_words(&self, words: &[String], text: &mut String) -> bool {
        if words.is_empty() {
            return true;
        }
        text.clear();
        text.push_str(self.id.as_str());
        if let Some(user) = self.user {
            let sip = &user.sip;
            let number = [Some(&sip.username), sip.auth_username.as_ref(), sip.caller_id.as_ref()];
            for part in [Some(&user.display_name), Some(&sip.account_label)].into_iter().chain(number).flatten() {
                text.push('\n');
                text.push_str(part);
            }
            text.push('\n');
            text.push_str(&sip.server.to_string());
        }
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    }

    fn is_active(&self) -> bool {
        self.user.is_some_and(|user| user.sip.is_active)
    }

    fn is_readable(&self) -> bool {
        matches!(self.entry, Entry::Good(_))
    }

    fn has_password(&self) -> bool {
        self.user.is_some_and(|user| !user.sip.password.is_empty())
    }

    fn has_webhooks(&self) -> bool {
        self.user.is_some_and(|user| !user.webhooks.is_empty())
    }

    fn is_failing(&self) -> bool {
        matches!(self.state, RegistrationState::Retrying | RegistrationState::WrongPassword) || !self.is_readable()
    }

    fn fits(&self, filter: &UserFilter) -> bool {
        let is = |wanted: Option<bool>, found: bool| wanted.is_none_or(|wanted| wanted == found);
        let line = match filter.line {
            None => true,
            Some(LineQuery::At(state)) => self.state == state,
            Some(LineQuery::Failing) => self.is_failing(),
        };
        line && is(filter.active, self.is_active())
            && is(filter.readable, self.is_readable())
            && is(filter.has_password, self.has_password())
            && is(filter.has_webhooks, self.has_webhooks())
    }

    fn place(&self, sort: Sort) -> Place<'v> {
        let name = match sort {
            Sort::Id => String::new(),
            Sort::Name => self.user.map_or_else(|| self.id.to_string(), |user| user.display_name.clone()).to_lowercase(),
        };
        (name, self.id)
    }
}

impl UserCounts {
    fn add(&mut self, seen: &Seen<'_>) {
        let of_state = match seen.state {
            RegistrationState::Off => &mut self.off,
            RegistrationState::Registering => &mut self.registering,
            RegistrationState::Registered => &mut self.registered,
            RegistrationState::Retrying => &mut self.retrying,
            RegistrationState::WrongPassword => &mut self.wrong_password,
            RegistrationState::Unregistering => &mut self.unregistering,
        };
        *of_state += 1;
        self.active += usize::from(seen.is_active());
        self.wanted += usize::from(seen.user.is_some_and(User::wants_line));
        self.failing += usize::from(seen.is_failing());
        self.unreadable += usize::from(!seen.is_readable());
        self.without_password += usize::from(seen.user.is_some() && !seen.has_password());
        self.with_webhooks += usize::from(seen.has_webhooks());
    }
}

/// The head of a list, and the ids on its page in their order.
fn choose(view: &UserView, lines: &Lines, viewer: &Viewer, filter: &UserFilter) -> (ListHead, Vec<UserId>) {
    let (mut counts, mut total, mut found) = (UserCounts::default(), 0, 0);
    let after = filter.after.as_ref().map(|(name, id)| (name.clone(), id));
    let (mut places, mut text) = (Vec::new(), String::new());
    for (id, entry) in view.users.iter().filter(|(id, _)| viewer.only().is_none_or(|only| only == *id)) {
        total += 1;
        let seen = Seen::new(id, entry, lines);
        if !seen.has_words(&filter.words, &mut text) {
            continue;
        }
        counts.add(&seen);
        if seen.fits(filter) {
            found += 1;
            places.extend(Some(seen.place(filter.sort)).filter(|place| after.as_ref().is_none_or(|after| place > after)));
        }
    }
    let more = filter.limit.filter(|limit| places.len() > *limit);
    if let Some(limit) = more {
        places.select_nth_unstable(limit);
        places.truncate(limit);
    }
    places.sort_unstable();
    let next = places.last().filter(|_| more.is_some()).map(|last| filter.sort.cursor(last));
    let head = ListHead { total_users: total, total_count: total, found, counts, next };
    (head, places.into_iter().map(|(_, id)| id.clone()).collect())
}

/// The list as JSON.
pub fn answer(view: Arc<UserView>, lines: Lines, viewer: &Viewer, filter: &UserFilter) -> Response {
    let (head, ids) = choose(&view, &lines, viewer, filter);
    let is_page = ids.len() <= PAGE_LIMIT;
    let parts = Parts { view, lines, form: filter.form, ids: ids.into_iter(), head: Some(head) };
    let body = match is_page {
        true => Body::from(parts.collect::<String>()),
        false => Body::from_stream(stream::iter(parts.map(|part| Ok::<_, Infallible>(Bytes::from(part))))),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The text of a list, part by part.
struct Parts {
    view: Arc<UserView>,
    lines: Lines,
    form: Form,
    ids: std::vec::IntoIter<UserId>,
    /// Until it is written.
    head: Option<ListHead>,
}

impl Parts {
    fn user(&self, id: &UserId) -> Option<String> {
        let (entry, line) = (self.view.users.get(id)?, self.lines.line(id));
        // These types have text keys only, which cannot fail to serialise.
        match self.form {
            Form::Whole => serde_json::to_string(&UserDocument::entry(id, entry, line)).ok(),
            Form::Short => serde_json::to_string(&UserSummary::of(id, entry, line)).ok(),
        }
    }
}

impl Iterator for Parts {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let ids: Vec<UserId> = self.ids.by_ref().take(PART).collect();
        let begin = match self.head.take() {
            Some(head) => serde_json::to_string(&head).ok()?.strip_suffix('}')?.to_owned() + ",\"users\":[",
            None if ids.is_empty() => return None,
            None => ",".to_owned(),
        };
        let users: Vec<String> = ids.iter().filter_map(|id| self.user(id)).collect();
        let end = if self.ids.len() == 0 { "]}" } else { "" };
        Some(format!("{begin}{}{end}", users.join(",")))
    }
}
