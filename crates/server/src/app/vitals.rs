//! What the watch over the server's health is given to look at.

use crate::accounts::LineDirectory;
use crate::config::Config;
use crate::health::{Board, HealthWatch};
use callie_domain::registration::RegistrationState;
use callie_media::engine::MediaEngine;
use callie_store::UserView;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// `sip`: cancelled when SIP has ended.
pub fn watch(
    config: &Config,
    board: Board,
    media: Arc<MediaEngine>,
    directory: LineDirectory,
    view: watch::Receiver<Arc<UserView>>,
    sip: CancellationToken,
) -> HealthWatch {
    let http = config.http.tls.as_ref().map(|tls| tls.certificate.clone());
    let signalling = config.sip.tls.as_ref().map(|tls| tls.certificate.clone());
    HealthWatch {
        board,
        data_dir: config.data_dir.clone(),
        keyring: config.secrets.master_key.is_none().then(|| config.keyring_file()),
        certificates: http.into_iter().chain(signalling).collect(),
        pulse: Arc::new(move || media.ticks()),
        lines: Arc::new(move || count(&directory, &view.borrow().clone())),
        sip,
    }
}

/// Lines that run, and how many of them are down.
fn count(directory: &LineDirectory, view: &UserView) -> (usize, usize) {
    let states = view.users.keys().filter_map(|user| directory.status(user)).map(|status| status.state);
    states.fold((0, 0), |(all, down), state| {
        let is_down = matches!(state, RegistrationState::Retrying | RegistrationState::WrongPassword);
        (all + 1, down + usize::from(is_down))
    })
}
