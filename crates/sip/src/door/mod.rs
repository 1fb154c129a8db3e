//! Who may come in, and how often: the peers of our lines and calls are known, everybody else is a stranger.
//!
//! A stranger is let in a little at a time, because a caller may be one (a line that takes calls from anyone); all strangers
//! together are let in a little more, because source addresses are easily made up. Peers share none of this with them.
//!
//! ```text
//!   datagram, message of a stream ── of a stranger ──▶ Rates (by address, and for all) ── too many ─▶ dropped
//!        └── of a peer ─────────────────────────────────▶ stack ─▶ inbound ── request outside a dialog ─▶ Rates of peers
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`rate`] | how often each address has knocked (pure) |
//! | [`setup`] | room for calls whose ACK is missing |
//! | [`refused`] | what was turned away, by reason |

mod rate;
mod refused;
mod setup;

pub use refused::Refused;
pub(crate) use refused::{Reason, RefusedCounts};
pub(crate) use setup::SetupPlace;

use rate::{Allowance, Rates};
use setup::Setups;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Messages of one stranger: three calls at once, then one every few hundred milliseconds.
const STRANGER: Allowance = Allowance { burst: 30.0, per_second: 10.0 };
/// Messages of all strangers.
const STRANGERS: Allowance = Allowance { burst: 1_000.0, per_second: 500.0 };
/// Requests outside a dialog of one peer: a trunk with 500 calls a second, twice.
const PEER: Allowance = Allowance { burst: 2_000.0, per_second: 1_000.0 };
/// Whom we have sent a request to may answer for so long (64·T1, and once more).
const EXPECTED_FOR: Duration = Duration::from_secs(64);
/// Addresses that an answer is expected from, besides those that are known.
const MOST_EXPECTED: usize = 4_096;

/// What strangers hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strangers {
    /// Nothing: whoever does not know a Contact of ours does not learn that somebody is here.
    #[default]
    Ignore,
    /// What RFC 3261 says: 404, 405, 481.
    Refuse,
}

/// One for the whole endpoint.
pub(crate) struct Door {
    strangers: Strangers,
    /// The addresses of lines and calls, and how many hold each.
    known: RwLock<HashMap<IpAddr, usize>>,
    expected: Mutex<Expected>,
    rates: Mutex<Rates>,
    setups: Arc<Setups>,
    pub counts: RefusedCounts,
}

/// Addresses that we have lately sent to: two generations, so that both room and time are bounded.
struct Expected {
    since: Instant,
    young: HashMap<IpAddr, ()>,
    old: HashMap<IpAddr, ()>,
}

/// An address is known until this is dropped.
pub(crate) struct Held {
    door: Arc<Door>,
    address: IpAddr,
}

impl Door {
    pub fn new(strangers: Strangers) -> Self {
        let expected = Expected { since: Instant::now(), young: HashMap::new(), old: HashMap::new() };
        Self {
            strangers,
            known: RwLock::default(),
            expected: Mutex::new(expected),
            rates: Mutex::new(Rates::new(STRANGERS)),
            setups: Arc::default(),
            counts: RefusedCounts::default(),
        }
    }

    /// The address belongs to a line or to a call.
    pub fn hold(self: &Arc<Self>, address: IpAddr) -> Held {
        let address = address.to_canonical();
        *self.known.write().unwrap_or_else(PoisonError::into_inner).entry(address).or_default() += 1;
        Held { door: self.clone(), address }
    }

    pub fn is_known(&self, address: IpAddr) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(&address.to_canonical())
    }

    /// A request goes there: its answers are welcome.
    pub fn expect(&self, address: IpAddr) {
        if !self.is_known(address) {
            self.expected.lock().unwrap_or_else(PoisonError::into_inner).add(address.to_canonical(), Instant::now());
        }
    }

    /// Whether a message may come in at all; counts it when not.
    pub fn lets_in(&self, address: IpAddr) -> bool {
        if self.is_known(address) || self.expected.lock().unwrap_or_else(PoisonError::into_inner).has(address.to_canonical()) {
            return true;
        }
        let lets_in =
            self.rates.lock().unwrap_or_else(PoisonError::into_inner).take_stranger(block_of(address), STRANGER, Instant::now());
        if !lets_in {
            self.counts.count(Reason::TooMany);
        }
        lets_in
    }

    /// Whether a peer may ask one thing more outside of its dialogs; counts it when not. Strangers were asked before.
    pub fn lets_ask(&self, address: IpAddr) -> bool {
        if !self.is_known(address) {
            return true;
        }
        let lets_ask = self.rates.lock().unwrap_or_else(PoisonError::into_inner).take(block_of(address), PEER, Instant::now());
        if !lets_ask {
            self.counts.count(Reason::TooMany);
        }
        lets_ask
    }

    /// Whether this address hears a refusal.
    pub fn answers(&self, address: IpAddr) -> bool {
        self.strangers == Strangers::Refuse || self.is_known(address)
    }

    /// Room for one more call without an ACK; counts it when there is none.
    pub fn set_up(&self, address: IpAddr) -> Option<SetupPlace> {
        let place = self.setups.take(block_of(address), self.is_known(address));
        if place.is_none() {
            self.counts.count(Reason::NoRoom);
        }
        place
    }

    /// Calls whose ACK is missing.
    pub fn setting_up(&self) -> usize {
        self.setups.count()
    }
}

impl Expected {
    fn add(&mut self, address: IpAddr, now: Instant) {
        if now.duration_since(self.since) > EXPECTED_FOR || self.young.len() >= MOST_EXPECTED / 2 {
            self.old = std::mem::take(&mut self.young);
            self.since = now;
        }
        self.young.insert(address, ());
    }

    fn has(&self, address: IpAddr) -> bool {
        self.young.contains_key(&address) || self.old.contains_key(&address)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut known = self.door.known.write().unwrap_or_else(PoisonError::into_inner);
        let Some(holders) = known.get_mut(&self.address) else { return };
        *holders -= 1;
        if *holders == 0 {
            known.remove(&self.address);
        }
    }
}

/// One IPv4 address; of IPv6 the /64 that one host can choose its addresses from.
fn block_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    #[test]
    fn an_address_is_known_as_long_as_somebody_holds_it() {
        let door = Arc::new(Door::new(Strangers::Ignore));
        let (first, second) = (door.hold(address("192.0.2.1")), door.hold(address("::ffff:192.0.2.1")));
        assert!(door.is_known(address("192.0.2.1")) && door.answers(address("::ffff:192.0.2.1")));
        drop(first);
        assert!(door.is_known(address("192.0.2.1")));
        drop(second);
        assert!(!door.is_known(address("192.0.2.1")) && !door.answers(address("192.0.2.1")));
        assert!(Door::new(Strangers::Refuse).answers(address("192.0.2.1")));
    }

    #[test]
    fn strangers_are_let_in_a_little_at_a_time_and_peers_always() {
        let door = Arc::new(Door::new(Strangers::Ignore));
        let _held = door.hold(address("192.0.2.1"));
        let of = |source: &str| (0..1_000).filter(|_| door.lets_in(address(source))).count();
        assert!((30..60).contains(&of("192.0.2.2")));
        assert_eq!(of("192.0.2.1"), 1_000);
        door.expect(address("192.0.2.3"));
        assert_eq!(of("192.0.2.3"), 1_000, "we have asked it something");
        assert!(door.counts.snapshot().too_many >= 940);
    }

    #[test]
    fn the_addresses_of_one_host_are_one() {
        for (of, block) in [("2001:db8::1", "2001:db8::"), ("2001:db8::ffff:1", "2001:db8::"), ("::ffff:192.0.2.1", "192.0.2.1")]
        {
            assert_eq!(block_of(address(of)), address(block));
        }
        assert_ne!(block_of(address("2001:db8:0:1::1")), block_of(address("2001:db8::1")));
    }

    #[test]
    fn what_is_expected_is_forgotten_in_time() {
        let now = Instant::now();
        let mut expected = Expected { since: now, young: HashMap::new(), old: HashMap::new() };
        expected.add(address("192.0.2.1"), now);
        expected.add(address("192.0.2.2"), now + EXPECTED_FOR * 2);
        assert!(expected.has(address("192.0.2.1")));
        expected.add(address("192.0.2.3"), now + EXPECTED_FOR * 4);
        assert!(!expected.has(address("192.0.2.1")) && expected.has(address("192.0.2.2")));
        for n in 0..100_000u32 {
            expected.add(IpAddr::V4(n.into()), now);
        }
        assert!(expected.young.len() + expected.old.len() <= MOST_EXPECTED);
    }
}
