//! A telephone's REGISTER as a value: binds, refreshes at half time, unbinds (RFC 3261 §10.2).

use super::identity::{Identity, token};
use crate::message::Message;
use std::time::{Duration, Instant};

const T1: Duration = Duration::from_millis(500);
/// After a refusal.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Registration {
    me: Identity,
    from: String,
    call_id: String,
    cseq: u32,
    expires_s: u32,
    /// What is under way.
    request: Option<Message>,
    due: Instant,
    interval: Duration,
    authorized: bool,
    pub registered: bool,
}

impl Registration {
    pub fn new(me: Identity, expires_s: u32, now: Instant) -> Self {
        let from = me.caller_value();
        Self {
            me,
            from,
            call_id: token() + "@phone",
            cseq: 0,
            expires_s,
            request: None,
            due: now,
            interval: T1,
            authorized: false,
            registered: false,
        }
    }

    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// What is to be sent by now: the first REGISTER, its repeat, or the refresh.
    pub fn tick(&mut self, now: Instant) -> Option<Message> {
        if now < self.due {
            return None;
        }
        self.interval = (self.interval * 2).min(Duration::from_secs(4));
        self.due = now + self.interval;
        if self.request.is_none() {
            self.interval = T1;
            self.due = now + T1;
            self.authorized = false;
            self.request = Some(self.next_request());
        }
        self.request.clone()
    }

    /// What follows a response.
    pub fn handle(&mut self, response: &Message, now: Instant) -> Option<Message> {
        let fits = self.request.as_ref().is_some_and(|request| request.cseq() == response.cseq());
        let code = response.code().filter(|code| fits && *code >= 200)?;
        self.request = None;
        match code {
            200..=299 => {
                self.registered = self.expires_s > 0;
                self.due = now + Duration::from_secs(self.granted_s(response).into()) / 2;
                None
            }
            401 | 407 if !self.authorized => {
                let mut request = self.next_request();
                self.authorized = self.me.authorize(&mut request, response);
                self.due = now + if self.authorized { T1 } else { RETRY };
                self.interval = T1;
                self.request = self.authorized.then_some(request);
                self.request.clone()
            }
            423 => {
                self.expires_s = response.header("Min-Expires").and_then(|text| text.parse().ok()).unwrap_or(self.expires_s);
                self.due = now;
                self.tick(now)
            }
            _ => {
                self.registered = false;
                self.due = now + RETRY;
                None
            }
        }
    }

    /// The REGISTER that takes the binding away.
    pub fn unregister(&mut self, now: Instant) -> Option<Message> {
        self.expires_s = 0;
        self.request = None;
        self.due = now;
        self.tick(now)
    }

    fn granted_s(&self, response: &Message) -> u32 {
        let ours = response
            .all("Contact")
            .filter_map(crate::message::NameAddr::parse)
            .find(|contact| self.me.contact().contains(&contact.uri));
        let granted = ours.and_then(|contact| contact.param("expires")?.parse().ok());
        granted.unwrap_or(self.expires_s).max(1)
    }

    fn next_request(&mut self) -> Message {
        self.cseq += 1;
        Message::request("REGISTER", &format!("sip:{}", self.me.domain))
            .with("Via", self.me.via(self.me.flow))
            .with("Max-Forwards", "70")
            .with("From", self.from.clone())
            .with("To", format!("<sip:{}@{}>", self.me.user, self.me.domain))
            .with("Call-ID", self.call_id.clone())
            .with("CSeq", format!("{} REGISTER", self.cseq))
            .with("Contact", self.me.contact())
            .with("Expires", self.expires_s.to_string())
            .with("User-Agent", self.me.user_agent.clone())
    }
}
