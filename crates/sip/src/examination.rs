//! Questions about an account that change nothing: where its host leads, and whether anybody answers there.

use crate::account::{self, Line, uri_host};
use crate::error::SipError;
use crate::stack::{Draft, Heard, Method, random_token};
use crate::switchboard::SipStack;
use callie_domain::{Account, ContactToken, Transport};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One address that an account's requests may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTarget {
    /// The name that it was found under: an SRV target, or the host itself.
    pub host: String,
    pub address: SocketAddr,
    pub is_backup: bool,
}

/// Where an account's hosts lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedUp {
    /// Best first; never empty.
    pub targets: Vec<FoundTarget>,
    /// The DNS is silent: these are the last ones known.
    pub stale: Option<String>,
}

/// Who answered an OPTIONS, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub address: SocketAddr,
    pub transport: Transport,
    /// Any status is a sign of life; `None` when nothing came within 64·T1.
    pub code: Option<u16>,
    pub took: Duration,
}

impl SipStack {
    /// Looks the account's hosts up anew.
    ///
    /// # Errors
    /// None of them has an address.
    pub async fn look_up(&self, account: &Account) -> Result<LookedUp, SipError> {
        let line = self.stranger(account);
        let hops = account::hops::find(self.wire(), &line).await?;
        let targets = hops.targets.iter().map(|target| FoundTarget {
            host: target.host.to_string(),
            address: target.address,
            is_backup: target.role == crate::register::Role::Backup,
        });
        Ok(LookedUp { targets: targets.collect(), stale: hops.stale })
    }

    /// Asks the first target that can be sent to for its abilities (RFC 3261 §11).
    ///
    /// # Errors
    /// No target can be sent to: no address, no connection, no proof of identity over TLS.
    pub async fn ask(&self, account: &Account) -> Result<Answered, SipError> {
        let line = self.stranger(account);
        let hops = account::hops::find(self.wire(), &line).await?;
        let begun = Instant::now();
        let flow = account::hops::first_that_takes(self.wire(), &line, &hops).await?;
        let host = format!("{}:{}", account.scheme(), uri_host(&account.aor_host));
        let aor = account::aor_uri(account, None);
        let fields = vec![
            ("From", format!("<{aor}>;tag={}", random_token(10))),
            ("To", format!("<{host}>")),
            ("Call-ID", random_token(20)),
            ("CSeq", "1 OPTIONS".to_owned()),
            ("Contact", format!("<{}>", line.contact_uri(self.wire(), &flow))),
            ("Accept", "application/sdp".to_owned()),
            ("User-Agent", account.user_agent.clone()),
        ];
        let draft = Draft { method: Method::Options, uri: host, fields, body: Vec::new(), via: None };
        let heard = self.wire().send(draft, &flow).await?.outcome().await;
        let code = match heard {
            Heard::Reply(reply) => Some(reply.code),
            Heard::Timeout => None,
            other => return Err(SipError::Send { address: flow.remote, reason: format!("{other:?}") }),
        };
        Ok(Answered { address: flow.remote, transport: flow.transport, code, took: begun.elapsed() })
    }

    /// The account without its registration.
    fn stranger(&self, account: &Account) -> Line {
        Line::new(account.clone(), ContactToken::new(rand::random()), self.wire())
    }
}
