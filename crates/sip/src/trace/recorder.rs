//! Whose message it is: what is heard on the wire is handed to the call or the account that has its Call-ID.

use super::{AccountTrace, CallTrace, mask, wire};
use callie_domain::Transport;
use callie_domain::record::{SipMessage, Way};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Longer messages are kept up to here, and marked as cut off.
const LONGEST: usize = 16 * 1024;
/// INVITEs that nobody has claimed yet: each is, or is not, within the time that it takes to be read.
const UNCLAIMED: usize = 128;
/// Addresses of ours by peer; the routing table is asked anew when it is full.
const LOCAL_ADDRESSES: usize = 256;

/// Where a message was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub way: Way,
    pub transport: Transport,
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

#[derive(Clone)]
enum Owner {
    Call(CallTrace),
    Account(Arc<AccountTrace>),
}

struct Entry {
    owner: Owner,
    /// Those who follow this Call-ID: the branches of a forked call share it.
    followers: usize,
}

/// One for the whole endpoint.
#[derive(Default)]
pub(crate) struct Recorder {
    owners: RwLock<HashMap<Box<str>, Entry>>,
    unclaimed: Mutex<VecDeque<(Box<str>, SipMessage)>>,
    pool: Arc<AtomicUsize>,
    /// What we are called toward a peer, where we listen on all addresses.
    here: Mutex<HashMap<IpAddr, IpAddr>>,
}

/// Follows a Call-ID until dropped.
pub(crate) struct Followed {
    recorder: Arc<Recorder>,
    call_id: Box<str>,
}

impl Recorder {
    pub fn account(&self) -> Arc<AccountTrace> {
        Arc::new(AccountTrace::new(self.pool.clone()))
    }

    /// Follows a call from its first message on, an INVITE that has just come among them.
    pub fn follow_call(self: &Arc<Self>, call_id: &str) -> (CallTrace, Followed) {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        let trace = match owners.get_mut(call_id) {
            Some(Entry { owner: Owner::Call(trace), followers }) => {
                *followers += 1;
                trace.clone()
            }
            // A call under the Call-ID of a REGISTER: it is not ours to mix them.
            Some(Entry { followers, .. }) => {
                *followers += 1;
                CallTrace::default()
            }
            None => {
                let trace = CallTrace::default();
                owners.insert(call_id.into(), Entry { owner: Owner::Call(trace.clone()), followers: 1 });
                trace
            }
        };
        drop(owners);
        for message in self.claim(call_id) {
            trace.add(message);
        }
        (trace, Followed { recorder: self.clone(), call_id: call_id.into() })
    }

    pub fn follow_account(self: &Arc<Self>, call_id: &str, trace: Arc<AccountTrace>) -> Followed {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        let entry = owners.entry(call_id.into()).or_insert(Entry { owner: Owner::Account(trace), followers: 0 });
        entry.followers += 1;
        Followed { recorder: self.clone(), call_id: call_id.into() }
    }

    /// Whether somebody follows this Call-ID.
    pub fn follows(&self, call_id: &str) -> bool {
        self.owners.read().unwrap_or_else(PoisonError::into_inner).contains_key(call_id)
    }

    /// A message on the wire.
    pub fn hear(&self, message: &[u8], seen: Seen) {
        let Some(call_id) = wire::call_id(message) else { return };
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        let owner = owners.get(call_id).map(|entry| entry.owner.clone());
        drop(owners);
        match owner {
            Some(Owner::Call(trace)) => trace.add(self.kept(message, seen)),
            Some(Owner::Account(trace)) => trace.add(self.kept(message, seen)),
            None if seen.way == Way::Received && wire::first_line_is(message, b"INVITE ") => {
                let mut unclaimed = self.unclaimed();
                if unclaimed.len() >= UNCLAIMED {
                    unclaimed.pop_front();
                }
                unclaimed.push_back((call_id.into(), self.kept(message, seen)));
            }
            None => {}
        }
    }

    /// The INVITEs of this Call-ID that have just come.
    pub fn claim(&self, call_id: &str) -> Vec<SipMessage> {
        let mut unclaimed = self.unclaimed();
        let mut claimed = Vec::new();
        // The newest are at the end, and the one that is asked for is mostly the newest.
        while let Some(at) = unclaimed.iter().rposition(|(id, _)| **id == *call_id) {
            claimed.extend(unclaimed.remove(at).map(|(_, message)| message));
        }
        claimed.reverse();
        claimed
    }

    fn kept(&self, message: &[u8], seen: Seen) -> SipMessage {
        // Masked first: half a secret is one.
        let mut text = mask::masked(message);
        let note = (text.len() > LONGEST).then(|| format!("cut off: the message has {} bytes", message.len()));
        if note.is_some() {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.shrink_to_fit();
        }
        SipMessage {
            at: now(),
            way: seen.way,
            transport: seen.transport,
            local: self.named(seen.local, seen.remote),
            remote: canonical(seen.remote),
            text,
            note,
            left_out_before: 0,
        }
    }

    /// Our address as the peer sees it on this machine, where the socket listens on all of them.
    fn named(&self, local: SocketAddr, remote: SocketAddr) -> SocketAddr {
        if !local.ip().is_unspecified() {
            return canonical(local);
        }
        let peer = remote.ip().to_canonical();
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        if here.len() >= LOCAL_ADDRESSES {
            here.clear();
        }
        let ip = *here.entry(peer).or_insert_with(|| crate::stack::source_address(peer).unwrap_or(local.ip()));
        SocketAddr::new(ip, local.port())
    }

    fn unclaimed(&self) -> MutexGuard<'_, VecDeque<(Box<str>, SipMessage)>> {
        self.unclaimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let mut owners = self.recorder.owners.write().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = owners.get_mut(&self.call_id) else { return };
        entry.followers -= 1;
        if entry.followers == 0
            && let Some(Entry { owner: Owner::Call(trace), .. }) = owners.remove(&self.call_id)
        {
            trace.end();
        }
    }
}

/// To the microsecond, as it is stored.
fn now() -> jiff::Timestamp {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// IPv4 in IPv6 is IPv4 (RFC 4291 §2.5.5.2).
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(way: Way) -> Seen {
        let [local, remote] = ["127.0.0.1:5060", "[::ffff:127.0.0.2]:5070"].map(|a| a.parse().expect("address"));
        Seen { way, transport: Transport::Udp, local, remote }
    }

    fn message(start: &str, call_id: &str) -> Vec<u8> {
        format!("{start}\r\nCall-ID: {call_id}\r\n\r\n").into_bytes()
    }

    #[test]
    fn messages_go_to_whom_they_belong() {
        let recorder = Arc::<Recorder>::default();
        recorder.hear(&message("INVITE sip:a@b SIP/2.0", "x"), seen(Way::Received));
        recorder.hear(&message("INVITE sip:a@b SIP/2.0", "other"), seen(Way::Received));
        recorder.hear(&message("BYE sip:a@b SIP/2.0", "nobody"), seen(Way::Received));
        let (trace, followed) = recorder.follow_call("x");
        let (branch, of_branch) = recorder.follow_call("x");
        recorder.hear(&message("SIP/2.0 180 Ringing", "x"), seen(Way::Sent));
        let kept = trace.take();
        assert_eq!(
            kept.iter().map(SipMessage::start_line).collect::<Vec<_>>(),
            ["INVITE sip:a@b SIP/2.0", "SIP/2.0 180 Ringing"]
        );
        assert_eq!(kept[0].remote.to_string(), "127.0.0.2:5070");
        assert!(branch.take().is_empty(), "two branches are one trace");
        drop(of_branch);
        assert!(!trace.is_over());
        drop(followed);
        assert!(trace.is_over());
        recorder.hear(&message("SIP/2.0 180 Ringing", "x"), seen(Way::Sent));
        assert!(trace.take().is_empty());
        assert!(recorder.owners.read().expect("not poisoned").is_empty());
        assert_eq!(recorder.claim("other").len(), 1);
        assert_eq!(recorder.claim("other").len(), 0);
    }

    #[test]
    fn what_nobody_claims_is_forgotten() {
        let recorder = Arc::<Recorder>::default();
        for n in 0..10 * UNCLAIMED {
            recorder.hear(&message("INVITE sip:a@b SIP/2.0", &n.to_string()), seen(Way::Received));
        }
        assert_eq!(recorder.unclaimed().len(), UNCLAIMED);
    }

    #[test]
    fn a_huge_message_is_cut_off() {
        let recorder = Arc::<Recorder>::default();
        let (trace, _followed) = recorder.follow_call("x");
        let mut huge = message("INFO sip:a@b SIP/2.0", "x");
        huge.resize(60_000, b'a');
        recorder.hear(&huge, seen(Way::Received));
        let kept = trace.take();
        assert_eq!(kept[0].text.len(), LONGEST);
        assert_eq!(kept[0].note.as_deref(), Some("cut off: the message has 60000 bytes"));
    }
}
