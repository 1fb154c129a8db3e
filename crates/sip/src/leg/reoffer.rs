//! A re-INVITE or UPDATE of the peer, answered beside the leg's own loop (RFC 3261 §14, RFC 3311): the product is asked
//! for a description, and the leg goes on meanwhile.

use super::session::Session;
use super::session_timer::Input;
use super::sink::Teller;
use super::turn::{Busy, Side, Turn};
use super::{LegEvent, extension, refresh};
use crate::stack::{Answer, Field, Incoming, InviteHeard, InviteServer, Method, random_token};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The product answers out of memory; longer than this means that nobody does.
const REPLY_WITHIN: Duration = Duration::from_secs(5);

/// How long an offer waits for the end of the one before, which we have answered: on two cores it can overtake it here, and on
/// the wire the ACK to that.
const OVERTAKES_BY: Duration = Duration::from_secs(1);

/// Begins answering; the turn is theirs until the ACK.
pub(super) async fn begin(session: &Arc<Session>, request: Incoming, events: Teller) {
    match session.turns.take(Side::Theirs) {
        // Glare (RFC 3261 §14.2, RFC 3311 §5.2).
        Err(Busy::Ours) => request.answer(session.answer(491)).await,
        // One after the other.
        Err(Busy::Theirs) => request.answer(session.answer(500).with("Retry-After", "1")).await,
        taken @ (Ok(_) | Err(Busy::TheirsAnswered)) => {
            let (beside, session) = (session.clone(), session.clone());
            beside.beside(async move { serve_in_turn(taken.ok(), &session, request, &events).await });
        }
    }
}

async fn serve_in_turn(turn: Option<Turn>, session: &Arc<Session>, request: Incoming, events: &Teller) {
    let turn = match turn {
        Some(turn) => turn,
        None => match tokio::time::timeout(OVERTAKES_BY, session.turns.wait(Side::Theirs)).await {
            Ok(turn) => turn,
            Err(_) => return request.answer(session.answer(491)).await,
        },
    };
    session.dialog().retarget(&request);
    serve(session, request, events, &turn).await;
}

async fn serve(session: &Session, request: Incoming, events: &Teller, turn: &Turn) {
    // The session timer first: who cannot have it need not be asked about anything else.
    let agreement = session.timing.timer().answer(refresh::asked(&request));
    let (terms, fields) = match agreement {
        Ok(agreement) => agreement,
        Err(least_s) => {
            turn.answered();
            return request.answer(refresh::too_short(|code| session.answer(code), least_s)).await;
        }
    };
    let offer = (!request.body().is_empty()).then(|| request.body().to_vec());
    session.heard_description(request.body());
    let (reply, replied) = oneshot::channel();
    events.tell(LegEvent::Reoffer { sdp: offer, reply });
    if request.method != Method::Invite {
        let decided = decide(replied).await;
        let accepted = decided.is_ok();
        turn.answered();
        request.answer(answer(session, decided, fields)).await;
        if accepted {
            session.timing.tell(Input::Agreed(terms));
        }
        return;
    }
    let mut invite = request.into_invite(&random_token(10), None);
    invite.answer(Answer::of(100));
    let mut decision = Box::pin(decide(replied));
    let decided = loop {
        tokio::select! {
            decided = &mut decision => break decided,
            heard = invite.next() => match heard {
                InviteHeard::Cancel => break Err(487),
                InviteHeard::Ack(_) => {}
                InviteHeard::Over => return,
            }
        }
    };
    let accepted = decided.is_ok();
    turn.answered();
    invite.answer(answer(session, decided, fields));
    if accepted {
        session.timing.tell(Input::Agreed(terms));
    }
    match acknowledgement(&mut invite).await {
        Some(body) if accepted => {
            session.heard_description(&body);
            events.tell(LegEvent::Acknowledged { sdp: (!body.is_empty()).then_some(body) });
        }
        None if accepted => session.fail(session.ack_missing()),
        _ => {}
    }
}

async fn decide(replied: oneshot::Receiver<Result<String, u16>>) -> Result<String, u16> {
    match tokio::time::timeout(REPLY_WITHIN, replied).await {
        Ok(Ok(Err(code))) if (300..700).contains(&code) => Err(code),
        Ok(Ok(Err(_))) => Err(488),
        Ok(Ok(Ok(sdp))) => Ok(sdp),
        // Not answered, or not wanted.
        _ => Err(500),
    }
}

fn answer(session: &Session, decided: Result<String, u16>, fields: Vec<Field>) -> Answer {
    let code = decided.as_ref().map_or_else(|code| *code, |_| 200);
    let answer = session.answer(code).with("Contact", session.contact()).with("Supported", extension::SUPPORTED);
    match decided {
        Ok(sdp) => {
            session.described(&sdp);
            answer.with_fields(fields).with_sdp(sdp)
        }
        Err(_) => answer,
    }
}

/// The body of the ACK, or `None` when none came in time.
pub(super) async fn acknowledgement(invite: &mut InviteServer) -> Option<Vec<u8>> {
    loop {
        match invite.next().await {
            InviteHeard::Ack(body) => return Some(body),
            InviteHeard::Over => return None,
            InviteHeard::Cancel => {}
        }
    }
}
