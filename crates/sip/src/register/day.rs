//! A thousand accounts for a day, on a clock that jumps: registrars that go away, lose their memory, have no time or want
//! longer intervals; a network that loses packets and gives us new addresses. What docs/OPERATING.md promises is measured here.

use super::{Input, Lost, Numbers, Output, RegisterPolicy, Registration, Response, Role, Step, Target, Targets, Went};
use crate::digest::Verdict;
use callie_domain::Transport;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

const ACCOUNTS: usize = 1_000;
const DAY_S: u64 = 24 * 3600;
/// Lost packets of a thousand.
const LOSS: u64 = 20;
/// The sum that docs/OPERATING.md derives: a keepalive and its missing answer, the longest pause with its jitter, a silent last
/// place, a hurried one for each other, and a few seconds for repetitions.
const BOUND: Duration = Duration::from_secs(25 + 10 + 144 + 32 + 2 * 5 + 8);
/// Seconds granted, by either field.
const GRANTS_S: [u32; 4] = [300, 600, 1800, 3600];

/// Where the places are: two addresses of the server, one of the backup. Half of the accounts have a backup.
const SERVER: usize = 0;
const SECOND: usize = 1;
const BACKUP: usize = 2;
const PLACES: usize = 3;

/// What happens to a place, from when on.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Down,
    Up,
    /// Up again without its bindings; connections break.
    Restart,
    /// 503 with this `Retry-After`.
    Busy(u32),
    /// Grants nothing shorter.
    LongOnly(u32),
    /// All of us have another address from now on.
    NewAddress,
}

/// The day's faults, hour and minute.
const DAY: [(u64, u64, usize, Fate); 21] = [
    (1, 0, SERVER, Fate::Down),
    (1, 40, SERVER, Fate::Up),
    (3, 0, SERVER, Fate::Restart),
    (4, 0, SERVER, Fate::NewAddress),
    (6, 0, SERVER, Fate::Down),
    (6, 5, SECOND, Fate::Down),
    (7, 30, SECOND, Fate::Up),
    (8, 0, SERVER, Fate::Up),
    (9, 0, SERVER, Fate::Busy(120)),
    (9, 10, SERVER, Fate::Up),
    (10, 0, SERVER, Fate::LongOnly(900)),
    (12, 0, SERVER, Fate::Up),
    (13, 0, SERVER, Fate::NewAddress),
    (15, 0, SERVER, Fate::Down),
    (15, 0, SECOND, Fate::Down),
    (15, 0, BACKUP, Fate::Down),
    (16, 30, BACKUP, Fate::Up),
    (17, 0, SERVER, Fate::Up),
    (17, 1, SECOND, Fate::Up),
    (19, 0, SERVER, Fate::Restart),
    (21, 0, SERVER, Fate::NewAddress),
];

struct Binding {
    until: Duration,
    cseq: u32,
    /// The connection that it came over, for those that are reached over one.
    flow: u32,
}

/// The server's two addresses share their bindings; the backup has its own, or, for some accounts, the same.
#[derive(Default)]
struct Registrar {
    bindings: HashMap<(usize, Arc<str>), Binding>,
}

#[derive(Clone, Copy)]
struct Place {
    is_up: bool,
    busy_s: Option<u32>,
    least_s: u32,
}

struct Account {
    machine: Registration,
    targets: Targets,
    numbers: Numbers,
    contact: Arc<str>,
    asked: Option<Target>,
    has_nonce: bool,
    /// Requests and timers of before are void.
    turn: u64,
    flow: u32,
    /// Nobody reaches it, though somebody could, since then.
    cut_off_since: Option<Duration>,
    worst: Duration,
    requests: u64,
    is_tcp: bool,
    has_backup: bool,
    shares_bindings: bool,
    granted_s: u32,
}

enum Event {
    Timer,
    Heard(Input),
    FlowClosed,
    NetworkChanged,
    Look,
}

struct World {
    now: Duration,
    random: u64,
    address: Arc<str>,
    moves: u32,
    registrars: [Registrar; 2],
    places: [Place; PLACES],
    accounts: Vec<Account>,
    queue: BinaryHeap<Reverse<(Duration, u64, usize)>>,
    events: HashMap<u64, (u64, Event)>,
    next_event: u64,
}

fn target(place: usize) -> Target {
    let (role, tier) = if place == BACKUP { (Role::Backup, 0) } else { (Role::Primary, place as u16) };
    let address = ([192, 0, 2, place as u8 + 1], 5060).into();
    Target { host: "registrar".into(), address, transport: Transport::Udp, role, tier }
}

fn place_of(target: &Target) -> usize {
    (0..PLACES).find(|place| self::target(*place).address == target.address).expect("one of ours")
}

impl World {
    fn new() -> Self {
        let up = Place { is_up: true, busy_s: None, least_s: 0 };
        let address: Arc<str> = "address-0".into();
        let account = |n: usize| {
            let wanted_expires_s = GRANTS_S[n % GRANTS_S.len()];
            Account {
                machine: Registration::new(RegisterPolicy { wanted_expires_s, ..RegisterPolicy::default() }),
                targets: Targets::default(),
                numbers: Numbers::default(),
                contact: address.clone(),
                asked: None,
                has_nonce: false,
                turn: 0,
                flow: 0,
                cut_off_since: None,
                worst: Duration::ZERO,
                requests: 0,
                is_tcp: n.is_multiple_of(3),
                has_backup: n.is_multiple_of(2),
                shares_bindings: n.is_multiple_of(10),
                granted_s: wanted_expires_s,
            }
        };
        Self {
            now: Duration::ZERO,
            random: 7,
            accounts: (0..ACCOUNTS).map(account).collect(),
            address,
            moves: 0,
            registrars: Default::default(),
            places: [up; PLACES],
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            next_event: 0,
        }
    }

    /// splitmix64
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn at(&mut self, when: Duration, account: usize, event: Event) {
        self.next_event += 1;
        self.queue.push(Reverse((when, self.next_event, account)));
        self.events.insert(self.next_event, (self.accounts[account].turn, event));
    }

    fn run_until(&mut self, end: Duration) {
        while let Some(Reverse((when, id, account))) = self.queue.peek().copied().filter(|Reverse((when, ..))| *when <= end) {
            self.queue.pop();
            self.now = when;
            let Some((turn, event)) = self.events.remove(&id) else { continue };
            let is_void = turn != self.accounts[account].turn;
            match event {
                Event::Timer | Event::Heard(_) if is_void => {}
                Event::Timer => self.feed(account, Input::TimerFired),
                Event::Heard(input) => self.feed(account, input),
                Event::FlowClosed => self.feed(account, Input::FlowClosed),
                Event::NetworkChanged => self.feed(account, Input::NetworkChanged),
                Event::Look => {}
            }
            self.look(account);
        }
        self.now = end;
    }

    fn feed(&mut self, n: usize, input: Input) {
        let entropy = self.draw();
        let outputs = self.accounts[n].machine.handle(input, self.now, entropy);
        for output in outputs {
            if let Output::SendRegister { expires_s, step, of, .. } = output {
                self.accounts[n].turn += 1;
                self.send(n, expires_s, step, of);
            }
        }
        if let Some(deadline) = self.accounts[n].machine.deadline() {
            self.at(deadline.max(self.now + Duration::from_millis(1)), n, Event::Timer);
        }
    }

    /// What `account::attempt` does.
    fn send(&mut self, n: usize, expires_s: u32, step: Step, of: Option<Went>) {
        let now = self.now;
        let account = &mut self.accounts[n];
        account.requests += 1;
        if step == Step::First {
            account.targets.begin();
        }
        let places = if account.has_backup { PLACES } else { BACKUP };
        let again = account.asked.clone().filter(|_| step == Step::Again);
        let to = again.or_else(|| {
            account.targets.found((0..places).map(target).collect());
            match &of {
                Some(of) => account.targets.of_role(of.role),
                None => account.targets.choose(now),
            }
        });
        let to = to.expect("a place");
        account.asked = Some(to.clone());
        let hurried = expires_s > 0 && account.targets.has_other_than(&to);
        let in_use = account.targets.in_use().map(|target| target.role);
        let elsewhere = of.as_ref().is_some_and(|of| in_use.is_some_and(|role| role != of.role));
        let cseq = account.numbers.next(step, of.is_some(), elsewhere);
        let contact = of.as_ref().map_or(account.contact.clone(), |of| of.contact.clone());
        let went = Went { contact, role: to.role };
        let patience = Duration::from_secs(if hurried { 5 } else { 32 });
        match self.carried(&to, patience) {
            Some(delay) => {
                let input = self.answer(n, &to, expires_s, cseq, &went, of.is_some());
                self.at(now + delay, n, Event::Heard(input));
            }
            None => {
                // The request may have arrived, and the answer been lost.
                if self.places[place_of(&to)].is_up {
                    let has_nonce = self.accounts[n].has_nonce;
                    self.answer(n, &to, expires_s, cseq, &went, true);
                    self.accounts[n].has_nonce = has_nonce;
                }
                let account = &mut self.accounts[n];
                let counts = expires_s > 0 && of.is_none();
                if counts {
                    account.targets.failed(&to, "silence", RegisterPolicy::default().avoid_for, now + patience);
                }
                let another = counts && account.targets.has_another();
                self.at(now + patience, n, Event::Heard(Input::Lost(Lost { why: "silence".into(), went: Some(went), another })));
            }
        }
    }

    /// How long until the answer is there, with the repetitions of RFC 3261 §17.1.2.
    fn carried(&mut self, to: &Target, patience: Duration) -> Option<Duration> {
        let mut at_ms = 0;
        for pause_ms in [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000] {
            if Duration::from_millis(at_ms) >= patience || !self.places[place_of(to)].is_up {
                return None;
            }
            let (there, back) = (self.draw() % 1000 >= LOSS, self.draw() % 1000 >= LOSS);
            if there && back {
                return Some(Duration::from_millis(at_ms + 30));
            }
            at_ms += pause_ms;
        }
        None
    }

    fn answer(&mut self, n: usize, to: &Target, expires_s: u32, cseq: u32, went: &Went, removes: bool) -> Input {
        let place = self.places[place_of(to)];
        let now = self.now;
        let account = &mut self.accounts[n];
        let mut response = Response { went: went.clone(), ..Response::default() };
        if let Some(retry_after_s) = place.busy_s {
            (response.code, response.retry_after_s) = (503, Some(retry_after_s));
            if !removes && expires_s > 0 {
                account.targets.failed(to, "503", RegisterPolicy::default().avoid_after(Some(retry_after_s)), now);
                response.another = account.targets.has_another();
            }
            return Input::Response(response);
        }
        // A nonce is good for ten requests.
        let bits = self.draw();
        let account = &mut self.accounts[n];
        if !account.has_nonce || bits.is_multiple_of(10) {
            account.has_nonce = true;
            (response.code, response.verdict) = (401, Some(Verdict::Retry));
            account.contact = self.address.clone();
            return Input::Response(response);
        }
        if expires_s > 0 && expires_s < place.least_s {
            (response.code, response.min_expires_s) = (423, Some(place.least_s));
            return Input::Response(response);
        }
        response.code = 200;
        let registrar = usize::from(to.role == Role::Backup && !account.shares_bindings);
        let key = (n, went.contact.clone());
        let bindings = &mut self.registrars[registrar].bindings;
        // RFC 3261 §10.3 step 7: what is older changes nothing.
        let is_older = bindings.get(&key).is_some_and(|known| known.until > now && cseq < known.cseq);
        if expires_s == 0 && !is_older {
            bindings.remove(&key);
        } else if expires_s > 0 {
            let granted_s = expires_s.min(account.granted_s.max(place.least_s));
            let until = now + Duration::from_secs(u64::from(granted_s));
            bindings.insert(key, Binding { until, cseq, flow: account.flow });
            response.granted_s = Some(granted_s);
            if !removes {
                account.targets.works(to);
                response.moved = went.contact != self.address;
                account.contact = self.address.clone();
            }
            self.at(until, n, Event::Look);
        }
        Input::Response(response)
    }

    fn befalls(&mut self, place: usize, fate: Fate) {
        let fine = Place { is_up: true, busy_s: None, least_s: 0 };
        match fate {
            Fate::Down => {
                self.places[place].is_up = false;
                self.break_flows(35_000, |account| account.targets.in_use().is_some_and(|to| place_of(to) == place));
            }
            Fate::Up => self.places[place] = fine,
            Fate::Busy(seconds) => self.places[place].busy_s = Some(seconds),
            Fate::LongOnly(seconds) => self.places[place].least_s = seconds,
            Fate::Restart => {
                self.registrars[0].bindings.clear();
                self.break_flows(2_000, |_| true);
            }
            Fate::NewAddress => {
                self.moves += 1;
                self.address = format!("address-{}", self.moves).into();
                self.break_flows(35_000, |_| true);
                for n in 0..ACCOUNTS {
                    // Those over UDP that ask a STUN server hear of it with its next answer.
                    if !self.accounts[n].is_tcp && n % 3 == 1 {
                        let heard_s = self.draw() % 25;
                        self.accounts[n].contact = self.address.clone();
                        self.at(self.now + Duration::from_secs(heard_s), n, Event::NetworkChanged);
                    }
                }
            }
        }
        for n in 0..ACCOUNTS {
            self.look(n);
        }
    }

    /// Those over connections notice, by a keepalive that is not answered at the latest.
    fn break_flows(&mut self, within_ms: u64, of: impl Fn(&Account) -> bool) {
        for n in 0..ACCOUNTS {
            if !self.accounts[n].is_tcp || !of(&self.accounts[n]) {
                continue;
            }
            self.accounts[n].flow += 1;
            let closed_ms = self.draw() % within_ms;
            self.at(self.now + Duration::from_millis(closed_ms), n, Event::FlowClosed);
        }
    }

    /// Would a caller get through now, and could he?
    fn look(&mut self, n: usize) {
        let (now, account) = (self.now, &self.accounts[n]);
        let answers = |place: usize| self.places[place].is_up && self.places[place].busy_s.is_none();
        let server_answers = answers(SERVER) || answers(SECOND);
        let backup_answers = account.has_backup && answers(BACKUP);
        let key = (n, self.address.clone());
        let holds = |registrar: usize| {
            let binding = self.registrars[registrar].bindings.get(&key);
            binding.is_some_and(|b| b.until > now && (!account.is_tcp || b.flow == account.flow))
        };
        let reached = holds(0) && (server_answers || account.shares_bindings && backup_answers) || holds(1) && backup_answers;
        let could_be = server_answers || backup_answers;
        let account = &mut self.accounts[n];
        match (reached || !could_be, account.cut_off_since) {
            (true, Some(since)) => {
                account.worst = account.worst.max(now - since);
                account.cut_off_since = None;
            }
            (false, None) => account.cut_off_since = Some(now),
            _ => {}
        }
    }

    /// The longest time that nobody got through to an account of these, since it was last asked.
    fn worst(&mut self, of: impl Fn(&Account) -> bool) -> Duration {
        let now = self.now;
        let mut worst = Duration::ZERO;
        for account in &mut self.accounts {
            let lasting = account.cut_off_since.map_or(Duration::ZERO, |since| now - since);
            if of(account) {
                worst = worst.max(account.worst).max(lasting);
            }
        }
        worst
    }

    fn forget_worst(&mut self) {
        for account in &mut self.accounts {
            account.worst = Duration::ZERO;
        }
    }
}

/// Longest without a registration when nothing told us that it was lost: until the next refresh.
fn until_refresh(granted_s: u32) -> Duration {
    Duration::from_secs(u64::from(granted_s)).mul_f64(0.85) + BOUND
}

#[test]
fn a_thousand_accounts_live_through_a_day_of_faults() {
    let mut world = World::new();
    for n in 0..ACCOUNTS {
        world.feed(n, Input::Start);
        world.look(n);
    }
    let mut unnoticed = false;
    let ends = DAY.iter().map(|(h, m, ..)| h * 3600 + m * 60).skip(1).chain([DAY_S]);
    for ((hours, minutes, place, fate), end_s) in DAY.into_iter().zip(ends) {
        world.run_until(Duration::from_secs(hours * 3600 + minutes * 60));
        world.befalls(place, fate);
        world.run_until(Duration::from_secs(end_s));
        // A registrar that dies or forgets us, or a NAT that moves us, tells nobody who has no connection that breaks.
        unnoticed = matches!(fate, Fate::Down | Fate::Restart | Fate::NewAddress);
        let told = world.worst(|account| account.is_tcp);
        assert!(told <= BOUND, "{fate:?} at {hours}:{minutes:02}: {told:?} over connections");
        for granted_s in GRANTS_S {
            let bound = if unnoticed { until_refresh(granted_s) } else { BOUND };
            let worst = world.worst(|account| !account.is_tcp && account.granted_s == granted_s);
            assert!(worst <= bound, "{fate:?} at {hours}:{minutes:02}: {worst:?} of {granted_s} s");
        }
        world.forget_worst();
    }
    assert!(unnoticed, "the day ends with something that nobody is told of");
    let most = world.accounts.iter().map(|account| account.requests).max().unwrap_or(0);
    assert!(most < 2_000, "{most} requests of one account");

    for n in 0..ACCOUNTS {
        world.feed(n, Input::Stop);
    }
    world.run_until(Duration::from_secs(DAY_S + 60));
    let now = world.now;
    let left: usize = world.registrars.iter().map(|r| r.bindings.values().filter(|b| b.until > now).count()).sum();
    assert_eq!(left, 0, "nothing is left behind");
    assert!(world.accounts.iter().all(|account| account.machine.deadline().is_none()), "all have ended");
    assert_eq!(world.events.len(), world.queue.len());
}
