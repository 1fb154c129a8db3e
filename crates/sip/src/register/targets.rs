//! The places where an account may register, best first, and what is known of each: a pure value beside the machine.
//!
//! The resolver says where the account's hosts are (RFC 3263); this says which of them is next. One that failed is avoided
//! for a while and tried again after that (§4.3); one that works is kept as long as none that is better is worth a try, so
//! that equal ones are not hopped between.

use callie_domain::Transport;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Places of one account that are looked at, and those of them that one attempt tries.
const MOST: usize = 32;
const MOST_TRIED: usize = 8;

/// Which of the account's hosts a place belongs to. Each is a registrar of its own, with bindings of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The server, or the outbound proxy on the way to it.
    #[default]
    Primary,
    Backup,
}

/// Where a REGISTER can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name that it was found under: an SRV target, or the host itself.
    pub host: Arc<str>,
    pub address: SocketAddr,
    pub transport: Transport,
    pub role: Role,
    /// 0 is best; equal ones are as good as each other (RFC 2782's priority).
    pub tier: u16,
}

impl Target {
    fn is_at(&self, other: &Self) -> bool {
        (self.address, self.transport, self.role) == (other.address, other.transport, other.role)
    }

    fn rank(&self) -> (Role, u16) {
        (self.role, self.tier)
    }
}

/// An account's places with what has become of them.
#[derive(Debug, Default)]
pub struct Targets {
    list: Vec<Target>,
    /// Where the last REGISTER was answered well.
    in_use: Option<Target>,
    failures: Vec<Failure>,
    /// Those that failed in the attempt that goes on.
    tried: Vec<Target>,
    /// Where the last request went.
    asked: Option<Target>,
}

#[derive(Debug)]
struct Failure {
    target: Target,
    why: String,
    avoid_until: Duration,
}

impl Targets {
    /// A new attempt: each may be tried once.
    pub fn begin(&mut self) {
        self.tried.clear();
    }

    /// What the resolver says now, best first.
    pub fn found(&mut self, mut list: Vec<Target>) {
        list.truncate(MOST);
        self.failures.retain(|failure| list.iter().any(|target| target.is_at(&failure.target)));
        self.list = list;
    }

    /// Where the next request of the attempt goes. The best that is not avoided; when all are, each in its turn.
    pub fn choose(&self, now: Duration) -> Option<Target> {
        let untried = || self.list.iter().filter(|target| !self.was_tried(target));
        let best = untried().filter(|target| !self.is_avoided(target, now)).min_by_key(|target| target.rank());
        match best {
            // Equal ones are as good as each other: stay.
            Some(best) => untried().find(|t| t.rank() == best.rank() && self.is_in_use(t)).or(Some(best)).cloned(),
            None => untried().next().cloned(),
        }
    }

    /// A request goes there now.
    pub fn asks(&mut self, target: &Target) {
        self.asked = Some(target.clone());
    }

    /// Where the last request went.
    pub fn asked(&self) -> Option<&Target> {
        self.asked.as_ref()
    }

    /// Where a binding at this registrar is removed.
    pub fn of_role(&self, role: Role) -> Option<Target> {
        let in_use = self.in_use.as_ref().filter(|target| target.role == role);
        in_use.or(self.list.iter().find(|target| target.role == role)).cloned()
    }

    /// It did not answer, or has no time: avoided for `pause`.
    pub fn failed(&mut self, target: &Target, why: &str, pause: Duration, now: Duration) {
        self.failures.retain(|failure| !failure.target.is_at(target));
        self.failures.push(Failure { target: target.clone(), why: why.to_owned(), avoid_until: now + pause });
        self.tried.push(target.clone());
    }

    /// There is one left to try in this attempt.
    pub fn has_another(&self) -> bool {
        self.tried.len() < MOST_TRIED && self.list.iter().any(|target| !self.was_tried(target))
    }

    /// There would be one if `target` failed now.
    pub fn has_other_than(&self, target: &Target) -> bool {
        self.tried.len() + 1 < MOST_TRIED && self.list.iter().any(|other| !other.is_at(target) && !self.was_tried(other))
    }

    /// A REGISTER was answered there.
    pub fn works(&mut self, target: &Target) {
        self.failures.retain(|failure| !failure.target.is_at(target));
        self.in_use = Some(target.clone());
    }

    pub fn in_use(&self) -> Option<&Target> {
        self.in_use.as_ref()
    }

    /// Why the one in use is not the best one.
    pub fn fallen_back(&self) -> Option<&str> {
        let rank = self.in_use.as_ref()?.rank();
        self.failures.iter().find(|failure| failure.target.rank() < rank).map(|failure| failure.why.as_str())
    }

    fn was_tried(&self, target: &Target) -> bool {
        self.tried.iter().any(|tried| tried.is_at(target))
    }

    fn is_avoided(&self, target: &Target, now: Duration) -> bool {
        self.failures.iter().any(|failure| failure.target.is_at(target) && failure.avoid_until > now)
    }

    fn is_in_use(&self, target: &Target) -> bool {
        self.in_use.as_ref().is_some_and(|in_use| in_use.is_at(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVOID: Duration = Duration::from_secs(300);

    fn target(last: u8, role: Role, tier: u16) -> Target {
        let address = SocketAddr::from(([192, 0, 2, last], 5060));
        Target { host: format!("h{last}").into(), address, transport: Transport::Udp, role, tier }
    }

    /// Two equal ones, a worse one, the backup.
    fn four() -> Targets {
        let mut targets = Targets::default();
        targets.found(vec![
            target(1, Role::Primary, 0),
            target(2, Role::Primary, 0),
            target(3, Role::Primary, 1),
            target(4, Role::Backup, 0),
        ]);
        targets
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn chosen(targets: &Targets, now: Duration) -> String {
        targets.choose(now).map(|target| target.host.to_string()).unwrap_or_default()
    }

    fn fail(targets: &mut Targets, now: Duration) {
        let target = targets.choose(now).expect("a target");
        targets.failed(&target, "silent", AVOID, now);
    }

    fn work(targets: &mut Targets, now: Duration) {
        let target = targets.choose(now).expect("a target");
        targets.works(&target);
    }

    #[test]
    fn each_is_tried_once_best_first() {
        let mut targets = four();
        for host in ["h1", "h2", "h3", "h4"] {
            assert!(targets.has_another());
            assert_eq!(chosen(&targets, s(0)), host);
            fail(&mut targets, s(0));
        }
        assert!(!targets.has_another());
        assert_eq!(chosen(&targets, s(0)), "");
        targets.begin();
        assert_eq!(chosen(&targets, s(1)), "h1", "all are avoided, so all are tried again");
    }

    #[test]
    fn the_one_in_use_is_kept_among_equals_and_left_for_a_better_one() {
        let mut targets = four();
        fail(&mut targets, s(0));
        work(&mut targets, s(0));
        assert_eq!(targets.fallen_back(), None, "h2 is as good as h1");
        targets.begin();
        assert_eq!(chosen(&targets, s(1000)), "h2", "h1 may be tried again, but is no better");
        fail(&mut targets, s(1000));
        assert_eq!(chosen(&targets, s(1000)), "h1");
        fail(&mut targets, s(1000));
        work(&mut targets, s(1000));
        assert_eq!((chosen(&targets, s(1000)).as_str(), targets.fallen_back()), ("h3", Some("silent")));
        targets.begin();
        assert_eq!(chosen(&targets, s(1299)), "h3", "the better ones are avoided");
        assert_eq!(chosen(&targets, s(1300)), "h1", "and tried again after that");
    }

    #[test]
    fn what_the_dns_has_taken_back_is_not_used() {
        let mut targets = four();
        work(&mut targets, s(0));
        targets.found(vec![target(9, Role::Primary, 0), target(4, Role::Backup, 0)]);
        targets.begin();
        assert_eq!(chosen(&targets, s(1)), "h9");
        assert_eq!(targets.of_role(Role::Backup).map(|t| t.host.to_string()).as_deref(), Some("h4"));
    }

    #[test]
    fn equals_follow_a_new_order_only_when_nothing_is_in_use() {
        let mut targets = four();
        work(&mut targets, s(0));
        targets.found(vec![target(2, Role::Primary, 0), target(1, Role::Primary, 0)]);
        targets.begin();
        assert_eq!(chosen(&targets, s(1)), "h1");
    }
}
