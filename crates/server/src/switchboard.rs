//! The exchange over the running parts: what the API sees of lines and calls.

use crate::{
    accounts::LineDirectory,
    call::Registry,
    doctor::Doctor,
    exchange::{
        ActiveCall, CallWords, DialError, DialRequest, EngineCheck, ExaminationError, ExaminationRequest, Exchange, HintError,
        KeysError, LineStatus, ListenError, Listening, LiveEvent, MediaCounts, SipCounts, TalkError, TalkLine, TransferError,
        TransferOrder,
    },
    records::LiveFeed,
};
use async_trait::async_trait;
use callie_domain::examination::Report;
use callie_domain::record::SipMessage;
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::{CallId, User, UserId};
use callie_media::engine::{EngineStats, MediaEngine};
use callie_sip::{Refused, SipStack, StackStats};
use callie_store::UserView;
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// Handles only; every answer is read from where it is kept.
pub struct Switchboard {
    pub view: watch::Receiver<Arc<UserView>>,
    pub directory: LineDirectory,
    pub registry: Registry,
    pub doctor: Doctor,
    pub stack: Arc<SipStack>,
    pub feed: LiveFeed,
    pub media: Arc<MediaEngine>,
}

#[async_trait]
impl Exchange for Switchboard {
    fn line(&self, user: &UserId) -> Option<LineStatus> {
        if !self.view.borrow().users.contains_key(user) {
            return None;
        }
        let registration = self.directory.status(user);
        Some(LineStatus {
            connected: registration.is_some(),
            registration: registration.unwrap_or(RegistrationStatus::OFF),
            active_calls: self.registry.active_of(user),
        })
    }

    fn line_state(&self, user: &UserId) -> RegistrationState {
        self.directory.state(user)
    }

    fn line_trace(&self, user: &UserId) -> Option<Vec<SipMessage>> {
        Some(self.directory.line(user)?.trace())
    }

    fn sip_counts(&self) -> SipCounts {
        let StackStats { connections, datagrams, garbage, malformed_messages, setting_up, refused, refused_connections, .. } =
            self.stack.stats();
        let Refused { too_many, strangers, not_provider, no_room, other } = refused;
        SipCounts {
            connections,
            datagrams,
            garbage: garbage + malformed_messages,
            setting_up,
            refused_too_many: too_many,
            refused_strangers: strangers,
            refused_not_provider: not_provider,
            refused_no_room: no_room,
            refused_other: other,
            refused_connections,
        }
    }

    fn media_counts(&self) -> MediaCounts {
        let EngineStats { ticks, late_ticks, worst_lateness, .. } = self.media.stats();
        MediaCounts { ticks, late_ticks, worst_lateness }
    }

    fn active_calls(&self) -> Vec<ActiveCall> {
        self.registry.active()
    }

    async fn dial(&self, request: DialRequest) -> Result<CallId, DialError> {
        self.registry.dial(request)
    }

    async fn hang_up(&self, call: CallId) -> bool {
        self.registry.hang_up(call)
    }

    async fn send_keys(&self, call: CallId, digits: &str) -> Result<(), KeysError> {
        self.registry.send_keys(call, digits).await
    }

    async fn examine(&self, request: ExaminationRequest) -> Result<Arc<Report>, ExaminationError> {
        self.doctor.examine(request).await
    }

    fn last_report(&self, user: &UserId) -> Option<Arc<Report>> {
        self.doctor.last_report(user)
    }

    async fn check_engine(&self, user: &User) -> EngineCheck {
        self.registry.check_engine(user).await
    }

    async fn transfer(&self, call: CallId, order: TransferOrder) -> Result<(), TransferError> {
        self.registry.transfer(call, order).await
    }

    async fn listen(&self, call: CallId) -> Result<Listening, ListenError> {
        self.registry.listen(call).await
    }

    async fn hint(&self, call: CallId, text: &str) -> Result<(), HintError> {
        self.registry.hint(call, text).await
    }

    async fn talk(&self, user: &UserId, words: CallWords) -> Result<TalkLine, TalkError> {
        self.registry.talk(user, words).await
    }

    fn live(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.feed.subscribe()
    }
}
