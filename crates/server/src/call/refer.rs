//! The other side asks us to call somebody else in its place (REFER, RFC 3515): the agent moves there with the call's media.
//! It is declined unless the user's document allows it, and then it leads to the user's transfer targets only.

use super::gate::Pass;
use super::refused;
use super::task::{CallTask, Signalling};
use callie_domain::DialTarget;
use callie_domain::call::Phase;
use callie_domain::record::{CallFact, LegSummary};
use callie_sip::{AccountHandle, DialOptions, Leg, LegEvent, ReferTo};

/// The leg on which the call is to go on.
pub struct Moving {
    leg: Leg,
    account: AccountHandle,
    target: DialTarget,
    pass: Pass,
}

/// What happens on it, where there is one. Cancel safe.
pub async fn next(moving: &mut Option<Moving>) -> Option<LegEvent> {
    match moving {
        Some(moving) => moving.leg.events.recv().await,
        None => std::future::pending().await,
    }
}

impl CallTask {
    /// `Err` is the status to refuse with.
    pub(super) fn take_refer(&mut self, asked: &ReferTo, referred_by: Option<String>) -> Result<(), u16> {
        let routing = &self.birth.user.routing;
        let target = asked.dial_target().ok_or(603u16)?;
        let allowed = routing.accept_refer && routing.transfer_targets.iter().any(|known| reaches(known.target.clone(), &target));
        let busy = self.moving.is_some() || self.transfer.is_some() || self.birth.machine.phase() != Phase::Talking;
        if !allowed || busy {
            return Err(603);
        }
        let account = self.birth.directory.line(&self.birth.user.id).ok_or(480u16)?;
        let offer = self.audio.reoffered(None)?.answer;
        let context = &self.birth.context;
        let pass = context.gate.ask(&self.birth.user, &target);
        let pass = pass.map_err(|refusal| {
            self.birth.journal.note(refused::fact(&target, &refusal));
            603u16
        })?;
        let go_on = self.birth.context.gate.onward(&self.birth.user);
        let options = DialOptions { replaces: asked.replaces.clone(), referred_by, go_on, uri: None };
        let leg = self.birth.context.stack.dial_with(&account, &target, offer, options);
        self.birth.context.traces.follow(self.birth.journal.cdr.id, leg.trace.clone());
        self.birth.journal.note(CallFact::Dialled { to: target.to_string() });
        self.moving = Some(Moving { leg, account, target, pass });
        Ok(())
    }

    /// Tells the other side how it goes (RFC 3515 §2.4.4); answered, the new leg takes the place of the old.
    pub(super) async fn take_moving_event(&mut self, event: Option<LegEvent>) {
        let (code, phrase) = match event {
            Some(LegEvent::Ringing { code, .. }) => return self.report_refer(code, "Ringing").await,
            Some(LegEvent::Answered { sdp }) => match self.audio.reanswered(&sdp) {
                Ok(_) => {
                    self.report_refer(200, "OK").await;
                    return self.move_over().await;
                }
                Err(error) => (488, error.to_string()),
            },
            Some(LegEvent::Refused { code, phrase }) => (code, phrase),
            Some(LegEvent::Failed(failure)) => (503, failure.to_string()),
            Some(LegEvent::HungUp { .. } | LegEvent::Cancelled) | None => (487, "Request Terminated".to_owned()),
            Some(_) => return,
        };
        // Dropped, it hangs up if it is up.
        self.moving = None;
        self.report_refer(code, &phrase).await;
    }

    async fn report_refer(&mut self, code: u16, phrase: &str) {
        if let Some(leg) = self.leg_control() {
            leg.report_refer(code, phrase).await;
        }
    }

    async fn move_over(&mut self) {
        let Some(Moving { leg, account, target, mut pass }) = self.moving.take() else { return };
        pass.answered();
        self.limit_duration(pass.at_most);
        // The former leg's, if it had one, ends with it.
        self.birth.pass = Some(pass);
        let sip_call_id = leg.control.sip_call_id().to_owned();
        let moved = Signalling::Outbound { account, target, leg: Some(leg) };
        let (former, to) = match std::mem::replace(&mut self.birth.signalling, moved) {
            Signalling::Inbound { leg, .. } => (Some(leg), self.birth.journal.cdr.from.clone()),
            Signalling::Outbound { leg, target, .. } => (leg, target.to_string()),
        };
        self.birth.journal.note(CallFact::LegReplaced { sip_call_id });
        if let Some(former) = former {
            former.control.hang_up().await;
            let sip_call_id = former.control.sip_call_id().to_owned();
            self.birth.journal.cdr.legs.push(LegSummary { to, sip_call_id, answered_at: None, media: None });
        }
        self.show_legs();
    }
}

/// A target without a host is reached at the account's own, which the other side writes out.
fn reaches(mut known: DialTarget, asked: &DialTarget) -> bool {
    if known.host.is_none() {
        known.host.clone_from(&asked.host);
    }
    known == *asked
}
