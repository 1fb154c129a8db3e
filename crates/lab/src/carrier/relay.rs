//! Carries requests from hop to hop and their responses back (RFC 3261 §16).
//!
//! It sends 100 and repeats over UDP until the next hop says something; later repeats, ACKs and final
//! responses are the telephones' own business and pass through. CANCEL is answered here and sent anew.

use super::ledger::CarrierEvent;
use super::switch::{Asked, reply_flow};
use crate::message::{Message, Uri};
use crate::wire::{Flow, Transport};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const T1: Duration = Duration::from_millis(500);
/// 64·T1: nothing heard for that long is 408 (timers B and F).
const GIVE_UP: Duration = Duration::from_secs(32);
/// Kept after the final response, for repeats of it.
const LINGER: Duration = Duration::from_secs(40);
/// An INVITE rings no longer than this (timer C).
const LONGEST_RING: Duration = Duration::from_secs(200);
/// A call without BYE is forgotten after this.
const LONGEST_CALL: Duration = Duration::from_secs(4 * 3600);

type Outgoing = (Flow, Message);

/// Where a request goes next, and the request URI it gets.
#[derive(Debug)]
pub(super) struct Way {
    pub uri: String,
    pub flow: Flow,
}

/// What a response leads to.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub sends: Vec<Outgoing>,
    pub events: Vec<CarrierEvent>,
    pub users: Vec<String>,
}

/// One request under way to its next hop.
#[derive(Debug)]
struct Hop {
    key: String,
    /// Where responses go; `None` for the carrier's own CANCEL.
    origin: Option<Flow>,
    next: Flow,
    /// As sent, with the carrier's Via on top.
    request: Message,
    repeat: Option<(Instant, Duration)>,
    begun: Instant,
    heard_something: bool,
    done: Option<Instant>,
    cancel_wanted: bool,
    users: Vec<String>,
}

#[derive(Debug)]
struct Call {
    caller_tag: String,
    caller: Flow,
    callee: Flow,
    begun: Instant,
    answered: bool,
    ended: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Relay {
    here: SocketAddr,
    /// Where the carrier takes TLS.
    here_secure: Option<SocketAddr>,
    /// By the carrier's branch and the method.
    hops: HashMap<(String, String), Hop>,
    /// The carrier's branch by the transaction that came in.
    branches: HashMap<String, (String, String)>,
    calls: HashMap<String, Call>,
    next_branch: u64,
}

/// Names a transaction; ACK belongs to its INVITE (RFC 3261 §17.2.3).
pub(super) fn key(branch: &str, sent_by: &str, method: &str) -> String {
    let method = if method == "ACK" { "INVITE" } else { method };
    format!("{branch} {sent_by} {method}")
}

fn invite_key(cancel_key: &str) -> String {
    format!("{}INVITE", cancel_key.strip_suffix("CANCEL").unwrap_or(cancel_key))
}

impl Relay {
    pub fn new(here: SocketAddr, here_secure: Option<SocketAddr>) -> Self {
        Self {
            here,
            here_secure,
            hops: HashMap::new(),
            branches: HashMap::new(),
            calls: HashMap::new(),
            next_branch: rand::random::<u32>().into(),
        }
    }

    pub fn calls_up(&self) -> usize {
        self.calls.values().filter(|call| call.answered).count()
    }

    pub fn forget(&mut self) {
        self.hops.clear();
        self.branches.clear();
        self.calls.clear();
    }

    pub fn knows(&self, key: &str) -> bool {
        self.branches.contains_key(key)
    }

    pub fn begin_call(&mut self, invite: &Message, caller: Flow, callee: Flow, now: Instant) {
        let caller_tag = invite.from_tag().unwrap_or_default();
        self.calls
            .insert(invite.call_id().to_owned(), Call { caller_tag, caller, callee, begun: now, answered: false, ended: None });
    }

    /// Sends a request on and remembers the way back.
    pub fn forward(&mut self, asked: &Asked, way: Way, hops_left: u32) -> Outgoing {
        let branch = self.new_branch();
        let mut request = self.rewritten(&asked.message, &way, &branch, hops_left);
        if request.method() == "INVITE" && request.to_tag().is_none() {
            self.record_route(&mut request, asked.flow.transport(), way.flow.transport());
        }
        let invite = request.method() == "INVITE";
        let udp = |flow: Flow| flow.transport() == Transport::Udp;
        // A caller over UDP repeats all but an INVITE himself; 100 has silenced that one.
        let repeat = (udp(way.flow) && (invite || !udp(asked.flow))).then_some((asked.now + T1, T1));
        let id = (branch, request.method().to_owned());
        let hop = Hop {
            key: asked.key.clone(),
            origin: Some(reply_flow(asked.flow, &asked.message)),
            next: way.flow,
            request: request.clone(),
            repeat,
            begun: asked.now,
            heard_something: false,
            done: None,
            cancel_wanted: false,
            users: asked.users.clone(),
        };
        self.branches.insert(asked.key.clone(), id.clone());
        self.hops.insert(id, hop);
        (way.flow, request)
    }

    /// A request that came in again goes out again, the same.
    pub fn again(&self, key: &str) -> Option<Outgoing> {
        let hop = self.hops.get(self.branches.get(key)?)?;
        // An INVITE is repeated here, not by its caller.
        (hop.request.method() != "INVITE").then(|| (hop.next, hop.request.clone()))
    }

    /// ACK of a refusal follows its INVITE; ACK of a 200 goes along the dialog.
    pub fn ack(&mut self, ack: &Message, key: &str) -> Option<Outgoing> {
        if let Some(id) = self.branches.get(key) {
            let hop = self.hops.get(id)?;
            let way = Way { uri: hop.request.subject().to_owned(), flow: hop.next };
            return Some((hop.next, self.rewritten(ack, &way, &id.0, 69)));
        }
        let way = self.way_in_dialog(ack)?;
        let branch = self.new_branch();
        Some((way.flow, self.rewritten(ack, &way, &branch, 69)))
    }

    /// Takes back an INVITE. `None`: no such INVITE. `Some(None)`: too late, or to be sent after the first
    /// provisional response (RFC 3261 §9.1).
    pub fn cancel(&mut self, cancel_key: &str, now: Instant) -> Option<Option<Outgoing>> {
        let id = self.branches.get(&invite_key(cancel_key))?.clone();
        let hop = self.hops.get_mut(&id)?;
        if hop.done.is_some() {
            return Some(None);
        }
        hop.cancel_wanted = !hop.heard_something;
        let send_now = hop.heard_something;
        Some(if send_now { self.make_cancel(&id, now) } else { None })
    }

    fn make_cancel(&mut self, invite_id: &(String, String), now: Instant) -> Option<Outgoing> {
        let invite = self.hops.get(invite_id)?;
        let (next, users) = (invite.next, invite.users.clone());
        let mut cancel = Message::request("CANCEL", invite.request.subject());
        for name in ["Via", "From", "To", "Call-ID", "Route"] {
            if let Some(value) = invite.request.header(name) {
                cancel.push(name, value);
            }
        }
        let number = invite.request.cseq().map_or(1, |(number, _)| number);
        cancel.push("CSeq", format!("{number} CANCEL"));
        cancel.push("Max-Forwards", "70");
        let repeat = (next.transport() == Transport::Udp).then_some((now + T1, T1));
        let (request, key) = (cancel.clone(), String::new());
        let hop = Hop {
            key,
            origin: None,
            next,
            request,
            repeat,
            begun: now,
            heard_something: false,
            done: None,
            cancel_wanted: false,
            users,
        };
        self.hops.insert((invite_id.0.clone(), "CANCEL".to_owned()), hop);
        Some((next, cancel))
    }

    /// Route of a request inside a dialog: past the carrier's own Route entries, to the next one or to the
    /// request URI; over the call's stream when that says `transport=tcp` or names no address.
    pub fn way_in_dialog(&self, message: &Message) -> Option<Way> {
        let call = self.calls.get(message.call_id());
        let next = message.all("Route").find(|route| !self.is_here(route)).and_then(crate::message::NameAddr::parse);
        let target = Uri::parse(next.as_ref().map_or(message.subject(), |next| &next.uri))?;
        let other_side =
            call.map(|call| if message.from_tag().as_ref() == Some(&call.caller_tag) { call.callee } else { call.caller });
        let flow = match (target.socket_addr(), other_side) {
            (_, Some(flow @ Flow::Tcp { secure: true, .. })) => flow,
            (_, Some(flow @ Flow::Tcp { .. })) if target.is_tcp() => flow,
            (Some(address), _) if self.is_own(address) => return None,
            (Some(address), _) => Flow::Udp(address),
            (None, other_side) => other_side?,
        };
        Some(Way { uri: message.subject().to_owned(), flow })
    }

    /// The first BYE of a call ends it.
    pub fn note_bye(&mut self, message: &Message, key: &str, now: Instant) -> Option<CarrierEvent> {
        if message.method() != "BYE" || self.knows(key) {
            return None;
        }
        let call = self.calls.get_mut(message.call_id())?;
        let by_caller = message.from_tag().as_ref() == Some(&call.caller_tag);
        call.ended = call.ended.or(Some(now));
        // The other side's BYE may cross this one, so the call is kept for its way, but it is no longer up.
        std::mem::take(&mut call.answered).then(|| CarrierEvent::Ended { call_id: message.call_id().to_owned(), by_caller })
    }

    /// A response goes back the way its request came (RFC 3261 §16.7).
    pub fn response(&mut self, mut response: Message, now: Instant) -> Option<Passed> {
        let code = response.code()?;
        let id = (response.top_via()?.branch().to_owned(), response.method().to_owned());
        let hop = self.hops.get_mut(&id)?;
        hop.heard_something = true;
        hop.repeat = None;
        let first_final = code >= 200 && hop.done.is_none();
        if code >= 200 {
            hop.done = hop.done.or(Some(now));
        }
        let mut passed = Passed { users: hop.users.clone(), ..Passed::default() };
        let (origin, cancel_now) = (hop.origin, code < 200 && std::mem::take(&mut hop.cancel_wanted));
        let begins_call = id.1 == "INVITE" && hop.request.to_tag().is_none();
        if begins_call {
            passed.events.extend(self.progress(response.call_id(), code, first_final));
        }
        if cancel_now {
            passed.sends.extend(self.make_cancel(&id, now));
        }
        response.remove_top("Via");
        if let Some(origin) = origin.filter(|_| code != 100) {
            passed.sends.push((origin, response));
        }
        Some(passed)
    }

    fn progress(&mut self, call_id: &str, code: u16, first_final: bool) -> Option<CarrierEvent> {
        let call_id = call_id.to_owned();
        match code {
            180 | 183 => Some(CarrierEvent::Ringing { call_id }),
            200..=299 if first_final => {
                self.calls.get_mut(&call_id)?.answered = true;
                Some(CarrierEvent::Answered { call_id })
            }
            300.. if first_final => {
                self.calls.remove(&call_id)?;
                Some(CarrierEvent::Failed { call_id, code })
            }
            _ => None,
        }
    }

    /// Repeats to silent hops, 408 for those given up, and an end to what is over.
    pub fn tick(&mut self, now: Instant) -> Vec<Outgoing> {
        let mut sends = Vec::new();
        for hop in self.hops.values_mut().filter(|hop| hop.done.is_none()) {
            if let Some((due, interval)) = hop.repeat.filter(|(due, _)| now >= *due) {
                hop.repeat = Some((due + interval * 2, interval * 2));
                sends.push((hop.next, hop.request.clone()));
            }
            let patience = if hop.heard_something { LONGEST_RING } else { GIVE_UP };
            if now.duration_since(hop.begun) >= patience {
                hop.done = Some(now);
                let mut timeout = hop.request.reply(408).with_to_tag("carrier");
                timeout.remove_top("Via");
                sends.extend(hop.origin.map(|origin| (origin, timeout)));
            }
        }
        let branches = &mut self.branches;
        self.hops.retain(|_, hop| {
            let keep = hop.done.is_none_or(|done| now.duration_since(done) < LINGER);
            if !keep {
                branches.remove(&hop.key);
            }
            keep
        });
        let over = |call: &Call| call.ended.is_some_and(|ended| now.duration_since(ended) > LINGER);
        self.calls.retain(|_, call| !over(call) && now.duration_since(call.begun) < LONGEST_CALL);
        sends
    }

    /// The request with the new URI, a Via of ours and without our Route entries.
    fn rewritten(&self, message: &Message, way: &Way, branch: &str, hops_left: u32) -> Message {
        let mut request = message.clone();
        while request.header("Route").is_some_and(|route| self.is_here(route)) {
            request.remove_top("Route");
        }
        request.remove_all("Proxy-Authorization");
        request.set_uri(&way.uri);
        request.set("Max-Forwards", hops_left.to_string());
        let transport = way.flow.transport();
        request.push_top("Via", format!("SIP/2.0/{} {};branch={branch};rport", transport.token(), self.address(transport)));
        request
    }

    /// One entry per side, the next hop's on top, each with its transport (RFC 5658 §3).
    fn record_route(&self, request: &mut Message, came_by: Transport, goes_by: Transport) {
        let entry = |transport| match transport {
            Transport::Udp => format!("<sip:{};lr>", self.here),
            Transport::Tcp => format!("<sip:{};transport=tcp;lr>", self.here),
            Transport::Tls => format!("<sip:{};transport=tls;lr>", self.address(transport)),
        };
        request.push_top("Record-Route", entry(came_by));
        if goes_by != came_by {
            request.push_top("Record-Route", entry(goes_by));
        }
    }

    fn is_here(&self, route: &str) -> bool {
        let uri = crate::message::NameAddr::parse(route).and_then(|route| Uri::parse(&route.uri));
        uri.and_then(|uri| uri.socket_addr()).is_some_and(|address| self.is_own(address))
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        address == self.here || Some(address) == self.here_secure
    }

    fn address(&self, transport: Transport) -> SocketAddr {
        match transport {
            Transport::Tls => self.here_secure.unwrap_or(self.here),
            Transport::Udp | Transport::Tcp => self.here,
        }
    }

    fn new_branch(&mut self) -> String {
        self.next_branch += 1;
        format!("z9hG4bK-carrier-{:x}", self.next_branch)
    }
}
