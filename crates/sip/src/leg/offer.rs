//! Our own offers inside a call: re-INVITE with credentials, through glare, to the peer's answer (RFC 3261 §14.1).
//!
//! ```text
//!   INVITE ── 2xx ─────▶ ACK (by the stack), their answer
//!          ── 491 ─────▶ wait, again
//!          ── 422 ─────▶ again with the interval that the peer accepts (RFC 4028 §7.3)
//!          ── 500 with Retry-After ─▶ wait, again
//!          ── 408, 481, silence ────▶ refused, and the call is over (§12.2.1.2)
//!          ── others ──▶ refused; the session stays as it was
//! ```

use super::session::{Ask, Session};
use super::turn::Side;
use super::{LegFailure, RequestFailure, extension};
use crate::header;
use crate::stack::{Heard, Method, Reply};
use std::sync::Arc;
use std::time::Duration;

/// How often one offer is sent when the peer is in the way.
const TRIES: usize = 4;
/// The longest `Retry-After` that is waited for (RFC 3261 §14.2 gives at most 10 s).
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Offers `sdp` by a re-INVITE and returns the answer.
pub(super) async fn offer(session: &Arc<Session>, sdp: &str) -> Result<Vec<u8>, RequestFailure> {
    offer_by(Method::Invite, session, sdp).await
}

/// The same by UPDATE, while the call has not been answered (RFC 3311 §5.1).
pub(super) async fn offer_early(session: &Arc<Session>, sdp: &str) -> Result<Vec<u8>, RequestFailure> {
    offer_by(Method::Update, session, sdp).await
}

async fn offer_by(method: Method, session: &Arc<Session>, sdp: &str) -> Result<Vec<u8>, RequestFailure> {
    let mut failure = RequestFailure::Busy;
    for _ in 0..TRIES {
        let patience = session.wire.patience();
        let turn = tokio::time::timeout(patience, session.turns.wait(Side::Ours)).await;
        let turn = turn.map_err(|_| RequestFailure::Busy)?;
        let fields = if method == Method::Invite { session.timing.timer().request_fields() } else { Vec::new() };
        let ask = Ask::new(method)
            .with("Allow", Method::ALLOW)
            .with("Supported", extension::SUPPORTED)
            .with_fields(fields)
            .with_body("application/sdp", sdp);
        let reply = match heard(session, session.ask(&ask).await)? {
            Ok(reply) => {
                session.dialog().retarget_by(&reply);
                session.described(sdp);
                session.heard_description(&reply.body);
                if method == Method::Invite {
                    session.timing.settle(&reply);
                }
                return Ok(reply.body);
            }
            Err(reply) => reply,
        };
        // The peer's own offer may come while we wait.
        drop(turn);
        failure = refused(&reply);
        match pause(session, &reply) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => break,
        }
    }
    Err(failure)
}

/// Sorts what a request inside the dialog has heard: `Ok(Ok)` for a 2xx, `Ok(Err)` for a refusal. Where it shows that the peer
/// is not there any more, the leg is over (§12.2.1.2).
pub(super) fn heard(
    session: &Session,
    heard: Result<Heard, crate::error::SipError>,
) -> Result<Result<Reply, Reply>, RequestFailure> {
    match heard {
        Ok(Heard::Reply(reply)) if reply.code < 300 => Ok(Ok(reply)),
        Ok(Heard::Reply(reply)) => {
            if matches!(reply.code, 408 | 481) {
                session.fail(LegFailure::PeerVanished(format!("a request inside the call got {} {}", reply.code, reply.phrase)));
            }
            Ok(Err(reply))
        }
        Ok(Heard::Timeout) => {
            session.fail(LegFailure::PeerVanished("a request inside the call got no response".into()));
            Err(RequestFailure::Timeout)
        }
        Ok(Heard::ConnectionLost) => Err(RequestFailure::Transport("connection lost".into())),
        Err(error) => Err(RequestFailure::Transport(error.to_string())),
    }
}

pub(super) fn refused(reply: &Reply) -> RequestFailure {
    RequestFailure::Refused { code: reply.code, phrase: reply.phrase.clone() }
}

/// How long to wait before the same offer is sent again; `None` when that would not help.
fn pause(session: &Session, reply: &Reply) -> Option<Duration> {
    match reply.code {
        422 => session.timing.timer().raise(reply.header("Min-SE")).then_some(Duration::ZERO),
        491 => Some(glare_pause(session.wire.t1, session.owns_call_id, rand::random())),
        500 => {
            let asked = reply.header("Retry-After").and_then(header::retry_after)?;
            Some(Duration::from_secs(asked.into())).filter(|wait| *wait <= LONGEST_WAIT)
        }
        _ => None,
    }
}

/// §14.1: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms; in multiples of T1 here (500 ms on a
/// network).
fn glare_pause(t1: Duration, owns_call_id: bool, random: u32) -> Duration {
    let steps = if owns_call_id { 210 + random % 191 } else { random % 201 };
    t1 * steps / 50
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_glare_wait_apart() {
        let t1 = Duration::from_millis(500);
        for random in [0, 1, 190, 191, 200, 201, u32::MAX] {
            let (owner, other) = (glare_pause(t1, true, random), glare_pause(t1, false, random));
            assert!((2_100..=4_000).contains(&owner.as_millis()), "{owner:?}");
            assert!((0..=2_000).contains(&other.as_millis()), "{other:?}");
            assert_eq!((owner.as_millis() % 10, other.as_millis() % 10), (0, 0));
        }
    }
}
