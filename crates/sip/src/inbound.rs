//! Requests from peers: to a leg that is up, to an account's own Contact, or away.
//!
//! An account is found by the random token in the Request-URI and by nothing else: To and From are what anybody likes
//! to write. A call must also come from an address of the account's provider, unless the account takes calls from anyone.
//! Whoever is no peer and knows no token is answered as [`crate::Strangers`] says, and learns nothing but 404 at the most.
//!
//! Inside a dialog the Call-ID and both tags decide, not the address: a provider may move a call from one of its servers to
//! another, and who knows all three has seen the dialog.

use crate::account::Line;
use crate::door::Reason;
use crate::header;
use crate::leg::registry::Replaceable;
use crate::leg::{DialogId, Leg, callee, extension};
use crate::stack::{Answer, Incoming, Method, Requests};
use crate::switchboard::Switchboard;
use callie_domain::{AcceptFrom, UserId};
use std::net::{IpAddr, SocketAddr};
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
    /// Of ours, to be written into SDP.
    pub media_address: IpAddr,
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
        if let Some(refusal) = sort(&switchboard, request, &calls) {
            refuse(&switchboard, refusal).await;
        }
    }
}

/// A request that nobody is to see, with its answer.
struct Refusal {
    request: Box<Incoming>,
    answer: Answer,
    reason: Reason,
}

impl Refusal {
    fn new(request: Incoming, answer: Answer) -> Self {
        Self::because(Reason::Other, request, answer)
    }

    fn because(reason: Reason, request: Incoming, answer: Answer) -> Self {
        Self { request: Box::new(request), answer, reason }
    }
}

/// Hands a request on; gives it back with its answer when nobody is to see it.
fn sort(switchboard: &Arc<Switchboard>, request: Incoming, calls: &mpsc::Sender<InboundCall>) -> Option<Refusal> {
    if request.to_tag().is_some() {
        let refused = switchboard.legs.deliver(request).err();
        return refused.map(|(request, code)| Refusal::new(*request, Answer::of(code)));
    }
    if request.source().is_some_and(|source| !switchboard.wire.door.lets_ask(source)) {
        return None;
    }
    match request.method {
        Method::Invite => admit(switchboard, request, calls).err(),
        Method::Options => {
            let known = request.uri_user().is_none_or(|user| switchboard.line(user).is_some());
            let answer = if known { capabilities() } else { Answer::of(404) };
            Some(Refusal::new(request, answer))
        }
        Method::Ack => None,
        Method::Bye | Method::Info | Method::Update | Method::Cancel | Method::Prack | Method::Notify => {
            Some(Refusal::new(request, Answer::of(481)))
        }
        // We call nobody for strangers.
        Method::Refer => Some(Refusal::new(request, Answer::of(403))),
        Method::Register | Method::Other => Some(Refusal::new(request, Answer::of(405).with("Allow", Method::ALLOW))),
    }
}

fn capabilities() -> Answer {
    Answer::of(200).with("Allow", Method::ALLOW).with("Accept", "application/sdp").with("Accept-Encoding", "identity")
}

/// Over UDP an answer never waits; over TCP it may, and must not hold up the others.
async fn refuse(switchboard: &Arc<Switchboard>, Refusal { request, answer, reason }: Refusal) {
    let wire = &switchboard.wire;
    let source = request.source();
    // Who knows a Contact was told it by its registrar.
    let is_stranger = source.is_none_or(|source| !wire.door.is_known(source))
        && request.uri_user().is_none_or(|user| switchboard.line(user).is_none());
    if is_stranger {
        wire.door.counts.count(Reason::Stranger);
    } else if answer.code >= 300 {
        wire.door.counts.count(reason);
    }
    let is_heard = !is_stranger || source.is_some_and(|source| wire.door.answers(source));
    if !is_heard || wire.remembers_too_much() {
        return;
    }
    match request.flow() {
        Some(flow) if flow.transport.is_stream() => {
            wire.tracker.spawn(request.answer(answer));
        }
        _ => request.answer(answer).await,
    }
}

/// A new call, if there is a line for it and room.
fn admit(switchboard: &Arc<Switchboard>, invite: Incoming, calls: &mpsc::Sender<InboundCall>) -> Result<(), Refusal> {
    let Some(line) = invite.uri_user().and_then(|user| switchboard.line(user)) else {
        return Err(Refusal::new(invite, Answer::of(404)));
    };
    let is_provider = invite.source().is_some_and(|source| line.is_peer(source));
    if !is_provider && line.account().accept_from == AcceptFrom::Provider {
        return Err(not_from_provider(switchboard, &line, invite));
    }
    if let Some(tags) = extension::unknown(invite.headers("Require")) {
        return Err(Refusal::new(invite, Answer::of(420).with("Unsupported", tags)));
    }
    if !invite.body().is_empty() && !is_sdp(&invite) {
        return Err(Refusal::new(invite, Answer::of(415).with("Accept", "application/sdp")));
    }
    let replaces = match replaced(switchboard, &invite, &line.account().user) {
        Ok(replaces) => replaces,
        Err(code) => return Err(Refusal::new(invite, Answer::of(code))),
    };
    let timed = match callee::session_timer(&switchboard.wire, &line, &invite) {
        Ok(timed) => timed,
        Err(least_s) => return Err(Refusal::new(invite, Answer::of(422).with("Min-SE", least_s.to_string()))),
    };
    let (Some(flow), Ok(taker)) = (invite.flow(), calls.try_reserve()) else {
        switchboard.wire.door.counts.count(Reason::NoRoom);
        return Err(no_room(invite));
    };
    let Some(place) = switchboard.wire.door.set_up(flow.remote.ip()) else { return Err(no_room(invite)) };
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
        media_address: line.media_address(&switchboard.wire),
        offer,
        replaces,
        referred_by: invite.header("Referred-By").map(|value| header::scan::printable(value, 256)),
        leg: callee::open(&switchboard.wire, &switchboard.legs, callee::Admitted { line, invite, flow, timed, place }),
    };
    taker.send(call);
    Ok(())
}

/// Counted already.
fn no_room(invite: Incoming) -> Refusal {
    Refusal::because(Reason::Counted, invite, Answer::of(503).with("Retry-After", "5"))
}

/// A call from elsewhere. The provider may have such addresses; so the line keeps the message, and the operator is told once.
fn not_from_provider(switchboard: &Switchboard, line: &Line, invite: Incoming) -> Refusal {
    let source = invite.source().map_or_else(|| "unknown".to_owned(), |source| source.to_canonical().to_string());
    let user = line.account().user.clone();
    if line.is_news() {
        tracing::warn!(user.id = %user, %source,
            "a call was refused: it came from {source}, which is none of the addresses of this line's provider; \
            if it is the provider's, set accept_from of {user} to anyone (said once for each line)");
    }
    for mut message in switchboard.wire.recorder.claim(invite.call_id()) {
        message.note = Some(format!("refused: {source} is none of the addresses of this line's provider (accept_from)"));
        line.trace.note(message);
    }
    Refusal::because(Reason::NotProvider, invite, Answer::of(403))
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
