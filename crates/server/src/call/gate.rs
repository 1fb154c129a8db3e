//! The one gate before everything that is dialled: calls of the API and of the doctor, transfers of operators and agents, legs that the
//! other side asks for, and where a callee redirects us to. What may pass is decided by [`callie_domain::toll`]; here is what it has to
//! know: the lists, and what each line has dialled and spent so far.

use callie_domain::prices::Cost;
use callie_domain::toll::{Counters, Destination, Refusal, counter, destination, window};
use callie_domain::user::limits::Micros;
use callie_domain::{DialTarget, User, UserId};
use callie_sip::GoOn;
use callie_store::{StoreError, TollStore};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Shared>);

struct Shared {
    lists: Arc<dyn TollStore>,
    counters: Mutex<HashMap<UserId, Counters>>,
    legs: AtomicU64,
}

/// Leave to dial one leg; it counts as up until this is dropped.
pub struct Pass {
    gate: Gate,
    user: UserId,
    leg: u64,
    /// It is to end then, or a limit would be passed.
    pub at_most: Option<Duration>,
    answered_at: Option<Timestamp>,
}

impl Gate {
    /// With what the records say of the last month.
    pub async fn load(records: Arc<dyn TollStore>) -> Result<Self, StoreError> {
        let mut counters: HashMap<UserId, Counters> = HashMap::new();
        for (user, spent) in records.spent_since(counter::horizon(Timestamp::now())).await? {
            counters.entry(user).or_default().remember(spent);
        }
        let shared = Shared { lists: records, counters: Mutex::new(counters), legs: AtomicU64::new(0) };
        Ok(Self(Arc::new(shared)))
    }

    /// Whether the user's line may dial that now.
    pub fn ask(&self, user: &User, target: &DialTarget) -> Result<Pass, Refusal> {
        let now = Timestamp::now();
        self.judge(user, target, now)?;
        let leg = self.0.legs.fetch_add(1, Ordering::Relaxed);
        let longest = Duration::from_secs(user.calls.max_call_duration.into());
        let grant = self.counters().entry(user.id.clone()).or_default().begin(leg, &user.limits, longest, now)?;
        Ok(Pass { gate: self.clone(), user: user.id.clone(), leg, at_most: grant.at_most, answered_at: None })
    }

    /// Whether a call that is under way may go on there, where a callee sends it (302).
    pub fn onward(&self, user: &Arc<User>) -> GoOn {
        let (gate, user) = (self.clone(), user.clone());
        GoOn::when(move |target| gate.judge(&user, target, Timestamp::now()).is_ok())
    }

    /// What a call of the user came to.
    pub fn spend(&self, user: &UserId, cost: &Cost) {
        self.counters().entry(user.clone()).or_default().spend(Micros(cost.total_micros), Timestamp::now());
    }

    fn judge(&self, user: &User, target: &DialTarget, now: Timestamp) -> Result<(), Refusal> {
        let wanted = Destination::of(user, target);
        wanted.judge(&user.limits)?;
        window::judge(&user.limits, &wanted, now)?;
        if self.0.lists.is_listed(&user.id, &destination::numbers_of(user, target)) {
            return Err(Refusal::do_not_call());
        }
        Ok(())
    }

    fn counters(&self) -> MutexGuard<'_, HashMap<UserId, Counters>> {
        self.0.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// From now on it talks.
    pub fn answered(&mut self) {
        self.answered_at.get_or_insert_with(Timestamp::now);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(counters) = self.gate.counters().get_mut(&self.user) {
            counters.end(self.leg, self.answered_at, Timestamp::now());
        }
    }
}
