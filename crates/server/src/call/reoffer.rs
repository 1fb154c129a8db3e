//! Descriptions within a call: their offers answered, and ours: hold, resume, another address. The codec and whether the audio is
//! encrypted stay as the call began.

use super::audio::{Audio, OpenAudio};
use super::task::CallTask;
use callie_domain::record::CallFact;
use callie_sip::sdp::{self, Direction, LocalMedia, MediaParams, SdpError};

/// Our answer to an offer within the call.
pub struct Reoffered {
    pub answer: String,
    /// The call was put on hold or taken back.
    pub hold: Option<bool>,
}

impl CallTask {
    /// Their offer; our answer, or the status code to refuse it with.
    pub(super) fn take_reoffer(&mut self, offer: Option<&[u8]>) -> Result<String, u16> {
        let Reoffered { answer, hold } = self.audio.reoffered(offer)?;
        self.take_hold(hold);
        Ok(answer)
    }

    /// Their answer to a description of ours within the call.
    pub(super) fn take_reanswer(&mut self, answer: &[u8]) {
        match self.audio.reanswered(answer) {
            Ok(hold) => self.take_hold(hold),
            Err(error) => {
                let text = format!("the other side's new description could not be used: {error}");
                self.birth.journal.note(CallFact::Warning { text });
            }
        }
    }

    /// While the call is held nobody listens: the agent is not to talk to the music, nor to ask whether somebody is there.
    fn take_hold(&mut self, hold: Option<bool>) {
        let Some(on) = hold else { return };
        self.birth.journal.note(CallFact::Hold { on });
        // An agent who speaks to somebody else meanwhile is told when it is back.
        if self.agent_is_with_caller() {
            self.birth.agent.hold(on);
        }
        self.conversation.hold(on);
    }
}

impl Audio {
    /// Answers an offer within the call. Without one, ours is the offer, and [`Audio::reanswered`] takes what comes of it.
    ///
    /// # Errors
    /// The status code to refuse it with; the call goes on as it was.
    pub fn reoffered(&mut self, offer: Option<&[u8]>) -> Result<Reoffered, u16> {
        let Self::Open(open) = self else { return Err(491) };
        let Some(offer) = offer else {
            return Ok(Reoffered { answer: open.offer(), hold: None });
        };
        let settled = open.local.settled(&open.params);
        let media = sdp::negotiate(offer, &settled).map_err(|e| e.status_code())?.media;
        // A number never changes its meaning within a call (RFC 3264 §8.3.2).
        if media.payload_type != open.params.payload_type {
            return Err(488);
        }
        let answer = open.say(|local| {
            let again = sdp::negotiate(offer, &local.settled(&media));
            again.map_or_else(|_| String::new(), |negotiated| negotiated.answer)
        });
        Ok(Reoffered { answer, hold: open.follow(media) })
    }

    /// Our offer to hold the call, or to take it back. `None` while there is no media.
    pub fn hold_offer(&mut self, hold: bool) -> Option<String> {
        let Self::Open(open) = self else { return None };
        open.local.direction = if hold { Direction::SendOnly } else { Direction::SendRecv };
        Some(open.offer())
    }

    /// Takes their answer to our offer within the call; whether they put the call on hold or took it back with it.
    ///
    /// # Errors
    /// It cannot be used; the call goes on as it was.
    pub fn reanswered(&mut self, answer: &[u8]) -> Result<Option<bool>, SdpError> {
        let Self::Open(open) = self else { return Err(SdpError::NoAudio) };
        let media = sdp::read_reanswer(answer, &open.local, &open.params)?;
        Ok(open.follow(media))
    }
}

impl OpenAudio {
    fn offer(&mut self) -> String {
        let params = self.params.clone();
        self.say(|local| sdp::reoffer(local, &params))
    }

    /// Writes our next description, under the version that it needs.
    fn say(&mut self, write: impl Fn(&LocalMedia) -> String) -> String {
        self.said = sdp::renewed(&mut self.local, &self.said, write);
        self.said.clone()
    }

    /// Steers media to what is agreed now. `Some` when hold began or ended.
    fn follow(&mut self, media: MediaParams) -> Option<bool> {
        let (was_held, held) = (self.params.is_held(), media.is_held());
        if !media.remote.ip().is_unspecified() {
            self.control.set_remote(media.remote);
        }
        if let Some(srtp) = media.srtp.clone().filter(|srtp| self.params.srtp.as_ref() != Some(srtp)) {
            self.control.rekey(srtp);
        }
        self.control.hold(held);
        self.control.mute_send(!media.direction.sends());
        self.params = media;
        (was_held != held).then_some(held)
    }
}
