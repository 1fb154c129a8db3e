//! What the watch over the server's health is given to look at.

use super::ground::Ground;
use crate::accounts::LineDirectory;
use crate::health::{Board, HealthWatch};
use callie_domain::registration::RegistrationState;
use callie_store::UserView;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// `sip`: cancelled when SIP has ended.
pub(super) fn watch(ground: &Ground<'_>, board: Board, sip: CancellationToken) -> HealthWatch {
    let (config, media) = (ground.config, ground.media.clone());
    let (directory, view) = (ground.directory.clone(), ground.users.watch());
    let http = config.http.tls.as_ref().map(|tls| tls.certificate.clone());
    let signalling = config.sip.tls.as_ref().map(|tls| tls.certificate.clone());
    HealthWatch {
        board,
        folders: vec![config.data_dir.clone(), ground.recordings.folder().to_owned()],
        recordings: ground.recordings.clone(),
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
