//! What a telephone does when the other side asks it to call somebody else (REFER, RFC 3515).

use super::{Phone, PhoneCall, PhoneOptions, PhoneState, Script};
use std::future::Future;
use std::io;
use std::pin::Pin;

/// How a telephone takes a REFER.
#[derive(Clone, Debug, Default)]
pub enum OnRefer {
    /// It does not name REFER in `Allow`, and answers 405.
    #[default]
    NotAllowed,
    /// Names it, and refuses with this status.
    Refuse(u16),
    /// 202, and never a NOTIFY.
    Silent,
    /// 202 and NOTIFY 100, then a NOTIFY with this status and no call.
    Fail(u16),
    /// 202, then it calls the target, plays this script there and tells what comes of it.
    Follow(Script),
}

impl OnRefer {
    pub(super) fn allows(&self) -> bool {
        !matches!(self, Self::NotAllowed)
    }
}

/// Whom a REFER names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Referred {
    pub uri: String,
    /// The value of a `Replaces` header.
    pub replaces: Option<String>,
}

impl Referred {
    pub fn parse(refer_to: &str) -> Option<Self> {
        let whole = crate::message::NameAddr::parse(refer_to)?.uri;
        let (uri, headers) = whole.split_once('?').unwrap_or((&whole, ""));
        let value = |field: &str| field.strip_prefix("Replaces=").map(unescaped);
        Some(Self { uri: uri.to_owned(), replaces: headers.split('&').find_map(value) })
    }
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(byte.map_or('?', char::from));
        plain.push_str(part.get(2..).unwrap_or_default());
    }
    plain
}

/// The call that a REFER asked for.
pub(super) enum Following {
    Nothing,
    Dialling(Pin<Box<dyn Future<Output = io::Result<PhoneCall>> + Send>>),
    Ringing(PhoneCall),
}

impl Following {
    pub fn begin(options: &PhoneOptions, referred: Referred, script: Script) -> Self {
        let options = PhoneOptions { replaces: referred.replaces, ..options.clone() };
        Self::Dialling(Box::pin(async move { Phone::dial(&options, &referred.uri, script).await }))
    }

    /// Returns the outcome once: the call if it was answered, or the status it was refused with. Cancel safe.
    pub async fn outcome(&mut self) -> Result<PhoneCall, u16> {
        loop {
            match self {
                Self::Nothing => std::future::pending().await,
                Self::Dialling(dialling) => match dialling.await {
                    Ok(call) => *self = Self::Ringing(call),
                    Err(_) => {
                        *self = Self::Nothing;
                        return Err(503);
                    }
                },
                Self::Ringing(call) => {
                    let reached = call.wait_for(PhoneState::Up, std::time::Duration::from_secs(60)).await;
                    let Self::Ringing(mut call) = std::mem::replace(self, Self::Nothing) else { continue };
                    if reached == Ok(PhoneState::Up) {
                        return Ok(call);
                    }
                    let status = call.report().await.and_then(|report| report.final_status);
                    return Err(status.unwrap_or(408));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refer_to_is_read() {
        let plain = Referred::parse("<sip:carol@127.0.0.1:5060>").expect("an address");
        assert_eq!((plain.uri.as_str(), plain.replaces), ("sip:carol@127.0.0.1:5060", None));
        let attended = Referred::parse("<sip:carol@h?Replaces=a%40b%3Bto-tag%3Dx%3Bfrom-tag%3Dy>").expect("an address");
        assert_eq!(attended.replaces.as_deref(), Some("a@b;to-tag=x;from-tag=y"));
    }
}
