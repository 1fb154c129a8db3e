//! Steering a call's media from its task.

use super::{
    overhear::{MAX_LISTENERS, Overhearing, overhear},
    relay::RelayEnd,
    shared::{MediaStats, Ownership, RelayChange},
};
use crate::{
    dtmf::DtmfWay,
    playout::{LineRate, SpeechRate},
    record::Finished,
    rtp::srtp::SrtpParams,
};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::watch;

/// Keys that may wait for the media thread; it fetches them every 20 ms.
const MAX_DIGITS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DtmfError {
    #[error("the far end did not negotiate telephone events")]
    NotNegotiated,
    #[error("{0:?} is no key of a telephone")]
    NotAKey(char),
    #[error("too many keys are waiting to be sent")]
    TooMany,
}

/// Cheap to clone; all clones steer the same call.
#[derive(Debug, Clone)]
pub struct MediaControl {
    pub(super) owner: Arc<Ownership>,
    pub(super) dtmf_negotiated: bool,
    /// Ends when the call has left its media thread.
    pub(super) closed: watch::Receiver<()>,
    pub(super) recording: Option<Finished>,
    pub(super) ear_rate: SpeechRate,
    /// Of the telephone's side.
    pub(super) line_rate: LineRate,
}

impl MediaControl {
    /// The far end announced another address (re-INVITE): the next source to send is believed at once.
    pub fn set_remote(&self, remote: SocketAddr) {
        self.owner.0.post(|mail| mail.remote = Some(remote));
    }

    /// The keys that an offer and answer within the call settled. Those that stay go on where they are; packets under the far
    /// end's former key are taken until the first under the new one.
    pub fn rekey(&self, srtp: SrtpParams) {
        self.owner.0.post(|mail| mail.srtp = Some(srtp));
    }

    /// The far end announced another address for RTCP; [`Self::set_remote`] comes first.
    pub fn set_rtcp_remote(&self, remote: SocketAddr) {
        self.owner.0.post(|mail| mail.rtcp_remote = Some(remote));
    }

    /// The call is up: when no RTP comes from now on, [`super::MediaEvent::NoRtp`] tells.
    pub fn expect_rtp(&self) {
        self.owner.0.post(|mail| mail.expects_rtp = true);
    }

    /// While the far end holds the call its silence is no loss.
    pub fn hold(&self, held: bool) {
        self.owner.0.post(|mail| mail.held = Some(held));
    }

    /// Sends no RTP while `muted`, for the far end asked for none (`sendonly` or `inactive`, RFC 3264 §8.4). The agent's speech
    /// passes unheard meanwhile; keys wait.
    pub fn mute_send(&self, muted: bool) {
        self.owner.0.post(|mail| mail.muted = Some(muted));
    }

    /// Listens for [`super::MediaEvent::Signal`] and [`super::MediaEvent::Talk`] from now on, afresh, or no more.
    pub fn listen(&self, on: bool) {
        let listener = on.then(Box::default);
        self.owner.0.post(|mail| mail.listener = Some(listener));
    }

    /// Both sides, for somebody else than the agent: each listener hears for itself. Of more than four the last hear nothing.
    #[must_use]
    pub fn overhear(&self) -> Overhearing {
        let (listener, feed) = overhear();
        self.owner.0.post(|mail| {
            if mail.listeners.len() < MAX_LISTENERS {
                mail.listeners.push(feed);
            }
        });
        listener
    }

    /// Watches for [`super::MediaEvent::BargeIn`] from now on, afresh, or no more. A relay ends it.
    pub fn watch_barge_in(&self, on: bool) {
        let detector = on.then(Box::default);
        self.owner.0.post(|mail| mail.detector = Some(detector));
    }

    /// The far end takes telephone events. If not, keys go as tones, or by SIP INFO.
    #[must_use]
    pub fn takes_events(&self) -> bool {
        self.dtmf_negotiated
    }

    /// Sends keys (`0–9 * # A–D`) one after another; the agent's speech waits meanwhile.
    ///
    /// # Errors
    /// Nothing is sent when one of the keys cannot be.
    pub fn send_dtmf(&self, digits: &str, way: DtmfWay) -> Result<(), DtmfError> {
        if way == DtmfWay::Events && !self.dtmf_negotiated {
            return Err(DtmfError::NotNegotiated);
        }
        if let Some(stranger) = digits.chars().find(|digit| !is_key(*digit)) {
            return Err(DtmfError::NotAKey(stranger));
        }
        self.owner.0.post(|mail| {
            if mail.digits.len() + digits.len() > MAX_DIGITS {
                return Err(DtmfError::TooMany);
            }
            mail.digits.extend(digits.chars().map(|digit| (digit.to_ascii_uppercase(), way)));
            Ok(())
        })
    }

    /// `None` parts.
    pub(super) fn post_relay(&self, end: Option<Box<RelayEnd>>) {
        self.owner.0.post(|mail| mail.relay = Some(end.map_or(RelayChange::Part, RelayChange::Join)));
    }

    /// How the call's media is doing; at most 20 ms old.
    #[must_use]
    pub fn stats(&self) -> MediaStats {
        self.owner.0.stats()
    }

    /// Ends the media: at most 20 ms until the port is free, then until the recording is complete on disk. Closing twice is
    /// harmless.
    pub async fn close(mut self) -> MediaStats {
        self.owner.0.closing.store(true, Ordering::Release);
        while self.closed.changed().await.is_ok() {}
        if let Some(recording) = self.recording {
            recording.wait().await;
        }
        self.owner.0.stats()
    }
}

fn is_key(digit: char) -> bool {
    matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d')
}
