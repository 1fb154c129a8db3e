//! Who a telephone is on the wire: its address of record, its password and the way to its carrier.

use crate::digest::Challenge;
use crate::digest::hex;
use crate::message::Message;
use crate::wire::{Flow, Transport};
use std::net::SocketAddr;

/// A subscriber's name and password.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub user: String,
    pub display_name: Option<String>,
    pub domain: String,
    pub credentials: Option<Credentials>,
    pub user_agent: String,
    /// It takes REFER.
    pub refers: bool,
    /// The `Replaces` header of its INVITE.
    pub replaces: Option<String>,
    /// This telephone's own signalling address.
    pub here: SocketAddr,
    /// The way to the carrier.
    pub flow: Flow,
}

impl Identity {
    /// The From value, with a fresh tag.
    pub fn caller_value(&self) -> String {
        let name = self.display_name.as_ref().map(|name| format!("\"{name}\" ")).unwrap_or_default();
        format!("{name}<sip:{}@{}>;tag={}", self.user, self.domain, token())
    }

    pub fn allow(&self) -> &'static str {
        if self.refers {
            "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY"
        } else {
            "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"
        }
    }

    pub fn contact(&self) -> String {
        match self.flow.transport() {
            Transport::Udp => format!("<sip:{}@{}>", self.user, self.here),
            Transport::Tcp => format!("<sip:{}@{};transport=tcp>", self.user, self.here),
            Transport::Tls => format!("<sip:{}@{};transport=tls>", self.user, self.here),
        }
    }

    /// A Via value with a fresh branch.
    pub fn via(&self, flow: Flow) -> String {
        format!("SIP/2.0/{} {};branch=z9hG4bK{};rport", flow.transport().token(), self.here, token())
    }

    /// Adds what answers the first challenge that can be answered. `false` without a password or a usable challenge.
    pub fn authorize(&self, request: &mut Message, challenged: &Message) -> bool {
        let Some(Credentials { username, password }) = &self.credentials else { return false };
        let (ask, bring) = match challenged.code() {
            Some(407) => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => ("WWW-Authenticate", "Authorization"),
        };
        let Some(challenge) = challenged.all(ask).find_map(Challenge::parse) else { return false };
        let answer = challenge.answer(username, password, request.method(), request.subject());
        request.set(bring, answer);
        true
    }
}

/// Twelve random letters for tags, branches and Call-IDs.
pub(super) fn token() -> String {
    hex(&rand::random::<[u8; 6]>())
}
