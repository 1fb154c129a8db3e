//! What the carrier has seen: counts, the REGISTERs of each subscriber, and the live feed.

use crate::wire::Transport;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::sync::broadcast;

/// REGISTERs kept per subscriber.
const REGISTERS_KEPT: usize = 1000;

/// One REGISTER as it came in and was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRegister {
    pub at: Instant,
    pub call_id: String,
    pub cseq: u32,
    pub user_agent: String,
    /// The Contact header's value, parameters too.
    pub contact: String,
    /// As asked, in seconds.
    pub expires_s: Option<u32>,
    /// It brought credentials.
    pub authorized: bool,
    pub source: SocketAddr,
    pub transport: Transport,
    /// Status of the answer; `None` if a fault swallowed it.
    pub answered: Option<u16>,
}

/// What an onlooker may want to print. Calls are named by their Call-ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierEvent {
    Registered {
        username: String,
        contact: String,
        user_agent: String,
        expires_s: u32,
        transport: Transport,
    },
    RegisterRefused {
        username: String,
        code: u16,
    },
    /// Its last binding ended by its own wish.
    Unregistered {
        username: String,
    },
    /// Its last binding ran out.
    Expired {
        username: String,
    },
    Calling {
        call_id: String,
        from: String,
        to: String,
    },
    Ringing {
        call_id: String,
    },
    Answered {
        call_id: String,
    },
    /// The call did not come about; the code of the INVITE's final response.
    Failed {
        call_id: String,
        code: u16,
    },
    Cancelled {
        call_id: String,
    },
    /// BYE, by the caller or by the called party.
    Ended {
        call_id: String,
        by_caller: bool,
    },
}

#[derive(Debug)]
pub(super) struct Ledger {
    registers: HashMap<String, VecDeque<SeenRegister>>,
    requests: HashMap<String, u64>,
    responses: HashMap<u16, u64>,
    events: broadcast::Sender<CarrierEvent>,
}

impl Ledger {
    pub fn new(events: broadcast::Sender<CarrierEvent>) -> Self {
        Self { registers: HashMap::new(), requests: HashMap::new(), responses: HashMap::new(), events }
    }

    pub fn note_register(&mut self, username: &str, seen: SeenRegister) {
        let list = self.registers.entry(username.to_owned()).or_default();
        if list.len() == REGISTERS_KEPT {
            list.pop_front();
        }
        list.push_back(seen);
    }

    pub fn note_request(&mut self, method: &str) {
        // A stranger may invent methods without end; the real ones are few.
        if self.requests.len() < 64 || self.requests.contains_key(method) {
            *self.requests.entry(method.to_owned()).or_default() += 1;
        }
    }

    pub fn note_response(&mut self, code: u16) {
        *self.responses.entry(code).or_default() += 1;
    }

    pub fn tell(&self, event: CarrierEvent) {
        // Nobody listening is no fault.
        let _ = self.events.send(event);
    }

    pub fn registers(&self, username: &str) -> Vec<SeenRegister> {
        self.registers.get(username).map(|list| list.iter().cloned().collect()).unwrap_or_default()
    }

    pub fn requests(&self, method: &str) -> u64 {
        self.requests.get(method).copied().unwrap_or_default()
    }

    pub fn responses(&self, code: u16) -> u64 {
        self.responses.get(&code).copied().unwrap_or_default()
    }
}
