//! REGISTER: who may bind which contact for how long (RFC 3261 §10.3).

use super::bindings::Binding;
use super::fault::Fault;
use super::ledger::{CarrierEvent, SeenRegister};
use super::switch::{Asked, Switch};
use crate::message::{Message, NameAddr};
use std::time::Duration;

impl Switch {
    pub(super) fn register(&mut self, asked: &Asked) {
        let subscriber = asked.message.to().and_then(|to| self.directory.by_uri(&to.uri)).cloned();
        let Some(subscriber) = subscriber else {
            return self.refuse(asked, asked.message.reply(404));
        };
        if let Some(reply) = self.register_fault(asked) {
            return self.refuse(asked, reply);
        }
        let username = subscriber.username.clone();
        if let Err(code) = self.authorize(asked, &subscriber, 401) {
            self.note(asked, &username, Some(code));
            if code == 403 {
                self.ledger.tell(CarrierEvent::RegisterRefused { username, code });
            }
            return;
        }
        let min_expires = |fault: &Fault| if let Fault::MinExpires(seconds) = fault { Some(*seconds) } else { None };
        let min_s = self.faults.find(&[&username], min_expires).unwrap_or(self.options.min_expires_s);
        let too_brief = asked.message.all("Contact").filter_map(NameAddr::parse).any(|contact| {
            let expires_s = self.expires_s(&asked.message, &contact);
            expires_s > 0 && expires_s < min_s
        });
        if too_brief {
            return self.refuse(asked, asked.message.reply(423).with("Min-Expires", min_s.to_string()));
        }
        self.bind(asked, &username);
        let reply = self.grant(asked, &username);
        self.note(asked, &username, reply.code());
        self.answer(asked, reply);
    }

    /// What a fault answers in the registrar's place.
    fn register_fault(&self, asked: &Asked) -> Option<Message> {
        let reply = |code| asked.message.reply(code);
        self.faults.find(&asked.user_refs(), |fault| match fault {
            Fault::RejectRegister(code, headers) => {
                Some(headers.iter().fold(reply(*code), |reply, (name, value)| reply.with(name, value)))
            }
            Fault::RetryAfter(seconds) => Some(reply(503).with("Retry-After", seconds.to_string())),
            Fault::Redirect(contact) => Some(reply(302).with("Contact", format!("<{contact}>"))),
            _ => None,
        })
    }

    fn refuse(&mut self, asked: &Asked, reply: Message) {
        let username = asked.message.to().map(|to| to.user()).unwrap_or_default();
        let username = asked.users.last().cloned().unwrap_or(username);
        self.note(asked, &username, reply.code());
        self.ledger.tell(CarrierEvent::RegisterRefused { username, code: reply.code().unwrap_or_default() });
        self.answer(asked, reply);
    }

    fn bind(&mut self, asked: &Asked, username: &str) {
        let contacts: Vec<&str> = asked.message.all("Contact").collect();
        if contacts == ["*"] {
            return self.unbind(username, None);
        }
        for contact in contacts.into_iter().filter_map(NameAddr::parse) {
            match self.expires_s(&asked.message, &contact) {
                0 => self.unbind(username, Some(&contact.uri)),
                expires_s => self.bind_one(asked, username, contact.uri, expires_s),
            }
        }
    }

    fn bind_one(&mut self, asked: &Asked, username: &str, contact: String, expires_s: u32) {
        let grant = |fault: &Fault| if let Fault::GrantExpires(seconds) = fault { Some(*seconds) } else { None };
        let expires_s = self.faults.find(&[username], grant).unwrap_or(expires_s.min(self.options.max_expires_s));
        let binding = Binding {
            username: username.to_owned(),
            contact: contact.clone(),
            user_agent: asked.message.header("User-Agent").unwrap_or_default().to_owned(),
            expires_at: asked.now + Duration::from_secs(expires_s.into()),
            call_id: asked.message.call_id().to_owned(),
            cseq: asked.message.cseq().map_or(0, |(number, _)| number),
            flow: asked.flow,
        };
        let user_agent = binding.user_agent.clone();
        if self.bindings.put(binding) {
            let (username, transport) = (username.to_owned(), asked.flow.transport());
            self.ledger.tell(CarrierEvent::Registered { username, contact, user_agent, expires_s, transport });
        }
    }

    fn unbind(&mut self, username: &str, contact: Option<&str>) {
        if self.bindings.remove(username, contact) {
            self.ledger.tell(CarrierEvent::Unregistered { username: username.to_owned() });
        }
    }

    /// 200 with every binding and what is left of it.
    fn grant(&self, asked: &Asked, username: &str) -> Message {
        self.bindings.of(username, asked.now).fold(asked.message.reply(200), |reply, binding| {
            let left_s = binding.expires_at.duration_since(asked.now).as_secs();
            reply.with("Contact", format!("<{}>;expires={left_s}", binding.contact))
        })
    }

    fn expires_s(&self, message: &Message, contact: &NameAddr) -> u32 {
        let header = message.header("Expires");
        contact.param("expires").or(header).and_then(|text| text.trim().parse().ok()).unwrap_or(self.options.default_expires_s)
    }

    /// Notes a request that a fault swallowed.
    pub(super) fn note_lost(&mut self, asked: &Asked) {
        if asked.message.method() == "REGISTER" {
            let username = asked.users.last().cloned().unwrap_or_default();
            self.note(asked, &username, None);
        }
    }

    fn note(&mut self, asked: &Asked, username: &str, answered: Option<u16>) {
        let message = &asked.message;
        let expires = message.contact().and_then(|contact| contact.param("expires").map(str::to_owned));
        let seen = SeenRegister {
            at: asked.now,
            call_id: message.call_id().to_owned(),
            cseq: message.cseq().map_or(0, |(number, _)| number),
            user_agent: message.header("User-Agent").unwrap_or_default().to_owned(),
            contact: message.header("Contact").unwrap_or_default().to_owned(),
            expires_s: expires.as_deref().or(message.header("Expires")).and_then(|text| text.trim().parse().ok()),
            authorized: message.header("Authorization").is_some(),
            source: asked.flow.peer(),
            transport: asked.flow.transport(),
            answered,
        };
        self.ledger.note_register(username, seen);
    }
}
