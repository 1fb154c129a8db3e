//! A leg that takes the place of one of the call's (RFC 3891): the provider has moved the other party, and the call goes on.

use super::task::{CallTask, Signalling};
use callie_domain::record::{CallFact, LegSummary};
use callie_sip::{DialogId, InboundCall};

impl CallTask {
    /// Answers the new leg out of the media that is there, then hangs up the old one.
    pub(super) async fn take_replacement(&mut self, call: Box<InboundCall>) {
        let wanted = call.replaces.clone();
        let is_ours = |id: Option<DialogId>| id.is_some() && id == wanted;
        let is_main = self.leg_control().is_some_and(|leg| is_ours(leg.dialog_id()));
        let human = self.human_leg().filter(|leg| is_ours(leg.dialog_id())).is_some();
        let audio = if is_main { Some(&mut self.audio) } else { self.human_audio().filter(|_| human) };
        let Some(audio) = audio else {
            // It has ended meanwhile (RFC 3891 §3).
            return call.leg.control.reject(481).await;
        };
        // Without an offer there would be nothing to answer; our own would have to wait for the ACK.
        let answer = call.offer.as_deref().ok_or(488).and_then(|offer| audio.reoffered(Some(offer)));
        match answer {
            Ok(reoffered) => {
                call.leg.control.answer(reoffered.answer).await;
                self.birth.journal.note(CallFact::LegReplaced { sip_call_id: call.sip_call_id.clone() });
                self.birth.context.traces.follow(self.birth.journal.cdr.id, call.leg.trace.clone());
                let (former, to) = self.exchange_leg(*call, is_main);
                let Some(former) = former else { return };
                former.control.hang_up().await;
                let sip_call_id = former.control.sip_call_id().to_owned();
                self.birth.journal.cdr.legs.push(LegSummary { to, sip_call_id, answered_at: None, media: None });
                self.show_legs();
            }
            Err(code) => call.leg.control.reject(code).await,
        }
    }

    /// Puts the new leg in place; the old one, and whom it was to.
    fn exchange_leg(&mut self, call: InboundCall, is_main: bool) -> (Option<callie_sip::Leg>, String) {
        if !is_main {
            let former = self.human_mut().map(|human| std::mem::replace(&mut human.leg, call.leg));
            return (former, call.from);
        }
        let former = std::mem::replace(&mut self.birth.signalling, Signalling::Inbound { leg: call.leg, offer: None });
        self.acknowledged = true;
        match former {
            Signalling::Inbound { leg, .. } => (Some(leg), self.birth.journal.cdr.from.clone()),
            Signalling::Outbound { leg, target, .. } => (leg, target.to_string()),
        }
    }
}
