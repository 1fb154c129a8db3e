//! What the failure of a leg means for its call.

use callie_domain::record::{EndReason, Termination};
use callie_sip::LegFailure;

pub(super) fn termination_of(failure: LegFailure) -> Termination {
    match failure {
        LegFailure::Timeout => Termination::new(EndReason::SignallingTimeout),
        LegFailure::Transport(detail) => Termination::because(EndReason::TransportFailed, detail),
        LegFailure::SessionExpired(detail) => Termination::because(EndReason::SessionExpired, detail),
        LegFailure::PeerVanished(detail) => Termination::because(EndReason::PeerVanished, detail),
        failure @ (LegFailure::AckMissing { .. } | LegFailure::PrackMissing { .. }) => {
            Termination::because(EndReason::AckMissing, failure.to_string())
        }
        LegFailure::AuthenticationFailed(detail) => Termination::because(EndReason::AuthenticationFailed, detail),
    }
}
