//! Requests from peers: to a leg that is up, to an account's own Contact, or away.
//!
//! An account is found by the random token in the Request-URI and by nothing else: To and From are what anybody likes
//! to write. Whoever does not know a token learns nothing but 404.

use crate::header;
use crate::leg::registry::Replaceable;
use crate::leg::{DialogId, Leg, callee, extension};
use crate::stack::{Answer, Incoming, Method, Requests};
use crate::switchboard::Switchboard;
use callie_domain::UserId;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Calls that the product has not taken yet. It takes each within microseconds; when it does not, callers hear 503.
pub(crate) const CALLS: usize = 256;

/// A call for one of our accounts.
pub struct InboundCall {
    pub user: UserId,
    /// The caller as shown to people: a number, or `name@host`, or `anonymous`.
    pub from: String,
    pub from_name: Option<String>,
    /// User part of To: what the caller dialled, as far as the provider tells.
    pub to: String,
    pub sip_call_id: String,
    pub source: SocketAddr,
    /// The caller's SDP offer; `None` when it wants ours.
    pub offer: Option<Vec<u8>>,
    /// The leg of the same user whose place this call is to take (`Replaces`, RFC 3891): answer this one, then hang up that.
    pub replaces: Option<DialogId>,
    /// `Referred-By` (RFC 3892): who sent the caller to us, as written.
    pub referred_by: Option<String>,
    pub leg: Leg,
}

/// Reads requests until the stack ends.
pub(crate) async fn serve(switchboard: Arc<Switchboard>, mut requests: Requests, calls: mpsc::Sender<InboundCall>) {
    let cancel = switchboard.wire.cancel.clone();
    loop {
        let request = tokio::select! {
            () = cancel.cancelled() => return,
            request = requests.next() => request,
        };
        let Some(request) = request else { return };
        if let Some((request, answer)) = sort(&switchboard, request, &calls) {
            refuse(&switchboard, request, answer).await;
        }
    }
}

/// Hands a request on; gives it back with its answer when nobody is to see it.
fn sort(switchboard: &Arc<Switchboard>, request: Incoming, calls: &mpsc::Sender<InboundCall>) -> Option<(Incoming, Answer)> {
    if request.to_tag().is_some() {
        return switchboard.legs.deliver(request).err().map(|(request, code)| (*request, Answer::of(code)));
    }
    match request.method {
        Method::Invite => admit(switchboard, request, calls).err().map(|(request, answer)| (*request, answer)),
        Method::Options => {
            let known = request.uri_user().is_none_or(|user| switchboard.line(user).is_some());
            let answer = if known { capabilities() } else { Answer::of(404) };
            Some((request, answer))
        }
        Method::Ack => None,
        Method::Bye | Method::Info | Method::Update | Method::Cancel | Method::Prack | Method::Notify => {
            Some((request, Answer::of(481)))
        }
        // We call nobody for strangers.
        Method::Refer => Some((request, Answer::of(403))),
        Method::Register | Method::Other => Some((request, Answer::of(405).with("Allow", Method::ALLOW))),
    }
}

fn capabilities() -> Answer {
    Answer::of(200).with("Allow", Method::ALLOW).with("Accept", "application/sdp").with("Accept-Encoding", "identity")
}

/// Over UDP an answer never waits; over TCP it may, and must not hold up the others.
async fn refuse(switchboard: &Arc<Switchboard>, request: Incoming, answer: Answer) {
    switchboard.count_refused(answer.code);
    match request.flow() {
        Some(flow) if flow.transport.is_stream() => {
            switchboard.wire.tracker.spawn(request.answer(answer));
        }
        _ => request.answer(answer).await,
    }
}

type Refused = (Box<Incoming>, Answer);

/// A new call, if there is a line for it and room.
fn admit(switchboard: &Arc<Switchboard>, invite: Incoming, calls: &mpsc::Sender<InboundCall>) -> Result<(), Refused> {
    let Some(line) = invite.uri_user().and_then(|user| switchboard.line(user)) else {
        return Err((Box::new(invite), Answer::of(404)));
    };
    if let Some(tags) = extension::unknown(invite.headers("Require")) {
        return Err((Box::new(invite), Answer::of(420).with("Unsupported", tags)));
    }
    if !invite.body().is_empty() && !is_sdp(&invite) {
        return Err((Box::new(invite), Answer::of(415).with("Accept", "application/sdp")));
    }
    let replaces = match replaced(switchboard, &invite, &line.account().user) {
        Ok(replaces) => replaces,
        Err(code) => return Err((Box::new(invite), Answer::of(code))),
    };
    let timed = match callee::session_timer(&switchboard.wire, &line, &invite) {
        Ok(timed) => timed,
        Err(least_s) => return Err((Box::new(invite), Answer::of(422).with("Min-SE", least_s.to_string()))),
    };
    let (Some(flow), Ok(place)) = (invite.flow(), calls.try_reserve()) else {
        return Err((Box::new(invite), Answer::of(503).with("Retry-After", "5")));
    };
    let is_provider = line.is_peer(flow.remote.ip());
    let asserted = invite.header("P-Asserted-Identity").filter(|_| is_provider);
    let from = invite.header("From").unwrap_or_default();
    let caller = header::caller(from, asserted);
    let offer = (!invite.body().is_empty()).then(|| invite.body().to_vec());
    let call = InboundCall {
        user: line.account().user.clone(),
        from: shown(&caller.number, asserted.unwrap_or(from)),
        from_name: caller.display_name,
        to: header::caller(invite.header("To").unwrap_or_default(), None).number,
        sip_call_id: invite.call_id().to_owned(),
        source: flow.remote,
        offer,
        replaces,
        referred_by: invite.header("Referred-By").map(|value| header::scan::printable(value, 256)),
        leg: callee::open(&switchboard.wire, &switchboard.legs, callee::Admitted { line, invite, flow, timed }),
    };
    place.send(call);
    Ok(())
}

/// The dialog that this INVITE is to replace, or the code that refuses it (RFC 3891 §3).
fn replaced(switchboard: &Switchboard, invite: &Incoming, user: &UserId) -> Result<Option<DialogId>, u16> {
    let all: Vec<&str> = invite.headers("Replaces").collect();
    let (id, early_only) = match all.as_slice() {
        [] => return Ok(None),
        [one] => DialogId::of_replaces(one).ok_or(400u16)?,
        _ => return Err(400),
    };
    match switchboard.legs.replaceable(&id, early_only, user) {
        Replaceable::Yes => Ok(Some(id)),
        Replaceable::No => Err(481),
        Replaceable::NotEarly => Err(486),
    }
}

fn is_sdp(invite: &Incoming) -> bool {
    let kind = invite.header("Content-Type").unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/sdp")
}

/// A number as it is, a name with its host.
fn shown(user: &str, address: &str) -> String {
    if user.is_empty() {
        return "anonymous".to_owned();
    }
    if user.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '*' | '#' | '-' | '.' | '(' | ')')) {
        return user.to_owned();
    }
    match header::redirect_targets(std::iter::once(address)).first() {
        Some(target) => format!("{user}@{}", target.host.host),
        None => user.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_shown_as_people_know_them() {
        for (user, address, want) in [
            ("+491234", "<sip:+491234@carrier.example>", "+491234"),
            ("alice", "\"A\" <sip:alice@carrier.example:5070>;tag=1", "alice@carrier.example"),
            ("", "<sip:anonymous@anonymous.invalid>", "anonymous"),
            ("bob", "garbage", "bob"),
        ] {
            assert_eq!(shown(user, address), want, "{address}");
        }
    }
}
