//! Audio before the answer (early media, RFC 3960): what the network plays while a call of ours rings, and why it will not be
//! answered. The agent hears nothing of it.

use super::{audio::Audio, task::CallTask};
use crate::records::Recordings;
use callie_domain::record::{CallFact, Termination};

impl CallTask {
    /// A provisional response describes where audio comes from. One that cannot be used is passed over: the answer decides.
    pub(super) fn take_early_media(&mut self, sdp: Option<&[u8]>) {
        let Some(sdp) = sdp.filter(|sdp| !sdp.is_empty()) else { return };
        if matches!(self.audio, Audio::Reserved(_))
            && let Err(end) = self.complete_media(sdp)
        {
            tracing::debug!(detail = end.detail.as_deref(), "early media is not used");
        }
    }

    /// The answer after early media: as described before as a rule (RFC 3261 §13.2.1), but another telephone may have answered
    /// than the one that was heard.
    pub(super) async fn confirm_media(&mut self, sdp: &[u8]) -> Result<(), Termination> {
        if sdp.is_empty() {
            return Ok(());
        }
        match self.audio.reanswered(sdp) {
            Ok(_) => Ok(()),
            Err(_) => {
                let text =
                    "the answer describes other audio than the provisional response before it; media begins anew".to_owned();
                self.birth.journal.note(CallFact::Warning { text });
                self.audio.reopen(&self.birth.context).await?;
                forget(self.recording()).await;
                self.complete_media(sdp)
            }
        }
    }

    /// What it is called and where it is.
    fn recording(&self) -> Option<(Recordings, String)> {
        Some((self.birth.context.limits.recordings.clone()?, self.birth.journal.cdr.recording.clone()?))
    }
}

/// What was recorded of another telephone.
async fn forget(recording: Option<(Recordings, String)>) {
    if let Some((recordings, name)) = recording
        && let Err(error) = recordings.delete(&name).await
    {
        tracing::debug!(%error, "the recording of early media stays");
    }
}
