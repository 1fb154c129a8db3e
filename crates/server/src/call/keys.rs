//! Keys sent to the other side in the way that the user's line asks for: telephone events or tones, which media sends, or INFO,
//! one after the other.

use super::audio::Audio;
use super::task::{CallTask, Command};
use crate::exchange::KeysError;
use crate::tools::Keypad;
use callie_domain::audio::DtmfMode;
use callie_media::dtmf::DtmfWay;
use callie_media::engine::DtmfError;
use callie_sip::{LegControl, RequestFailure};
use std::{collections::VecDeque, future::Future, pin::Pin};
use tokio::sync::{mpsc, oneshot};

/// Keys that may wait for the answers to those before them.
const MAX_WAITING: usize = 64;
/// How long a key is said to be pressed, milliseconds: what most telephones say.
const PRESSED_MS: u32 = 160;

type Sending = Pin<Box<dyn Future<Output = Result<(), RequestFailure>> + Send>>;

/// Keys on their way by INFO.
#[derive(Default)]
pub struct InfoKeys {
    waiting: VecDeque<char>,
    sending: Option<Sending>,
}

impl InfoKeys {
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sending.is_none()
    }

    fn push(&mut self, digits: &str) -> Result<(), KeysError> {
        if self.waiting.len() + digits.len() > MAX_WAITING {
            return Err(KeysError::TooMany);
        }
        self.waiting.extend(digits.chars());
        Ok(())
    }

    /// Sends what waits; returns when the other side has refused a key, and forgets those behind it. Cancel safe.
    pub async fn failed(&mut self, leg: Option<LegControl>) -> RequestFailure {
        let Some(leg) = leg else { return std::future::pending().await };
        loop {
            if self.sending.is_none() {
                let Some(key) = self.waiting.pop_front() else { return std::future::pending().await };
                let leg = leg.clone();
                let body = format!("Signal={key}\r\nDuration={PRESSED_MS}\r\n");
                self.sending = Some(Box::pin(async move { leg.send_info("application/dtmf-relay", body).await }));
            }
            if let Some(sending) = &mut self.sending {
                let sent = sending.await;
                self.sending = None;
                if let Err(failure) = sent {
                    self.waiting.clear();
                    return failure;
                }
            }
        }
    }
}

/// The keys of a call, for its agent. It does not keep the call's inbox open.
pub(super) fn keypad(commands: &mpsc::Sender<Command>) -> Keypad {
    let commands = commands.downgrade();
    Keypad::new(move |keys| {
        let commands = commands.clone();
        Box::pin(async move {
            let commands = commands.upgrade().ok_or(KeysError::NoSuchCall)?;
            let (reply, replied) = oneshot::channel();
            commands.try_send(Command::SendKeys(keys, reply)).map_err(|_| KeysError::TooMany)?;
            drop(commands);
            replied.await.unwrap_or(Err(KeysError::NoSuchCall))
        })
    })
}

impl CallTask {
    /// Begins to send keys, all or none of them.
    pub(super) fn send_keys(&mut self, digits: &str) -> Result<(), KeysError> {
        let Audio::Open(open) = &self.audio else { return Err(KeysError::NotTalking) };
        let way = match self.birth.user.sip.media.dtmf {
            DtmfMode::Auto if !open.control.takes_events() => None,
            DtmfMode::Info => None,
            DtmfMode::Auto | DtmfMode::Rfc4733 => Some(DtmfWay::Events),
            DtmfMode::Inband => Some(DtmfWay::Tones),
        };
        match way {
            Some(way) => open.control.send_dtmf(digits, way).map_err(KeysError::from),
            None => self.info_keys.push(digits),
        }
    }
}

impl From<DtmfError> for KeysError {
    fn from(error: DtmfError) -> Self {
        match error {
            DtmfError::NotNegotiated => Self::NotNegotiated,
            DtmfError::NotAKey(key) => Self::NotAKey(key),
            DtmfError::TooMany => Self::TooMany,
        }
    }
}
