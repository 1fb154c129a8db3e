//! A simulated account and registrar on a clock that jumps from event to event.

use super::super::{Input, Lost, Output, RegisterPolicy, Response, Role, Step, Went};
use super::Registration;
use crate::digest::{AuthAttempt, Credentials, DigestCache, parse_challenges};
use crate::header::SipTarget;
use callie_domain::Secret;
use callie_domain::registration::RegistrationState as S;
use proptest::prelude::*;
use std::time::Duration;

#[path = "tests/leaving.rs"]
mod leaving;
#[path = "tests/places.rs"]
mod places;

const HOUR: u64 = 3600;
const TOKEN: &str = "token";

/// What the registrar sees of a request.
struct Request {
    expires_s: u32,
    target: Option<String>,
    auth: Vec<(&'static str, String)>,
    /// Its number, from 1.
    n: usize,
    /// Which of the places it went to, from 0.
    place: usize,
}

impl Request {
    fn answers(&self, header: &str, nonce: &str) -> bool {
        self.auth.iter().any(|(name, value)| *name == header && value.contains(&format!("nonce=\"{nonce}\"")))
    }
}

#[derive(Clone, Default)]
struct Reply {
    code: u16,
    www: Vec<String>,
    proxy: Vec<String>,
    contacts: Vec<String>,
    expires: Option<&'static str>,
    min_expires_s: Option<u32>,
    retry_after_s: Option<u32>,
}

enum Happens {
    Reply(Reply),
    Silence,
    Broken,
}

fn lost(why: &str, went: Option<Went>, another: bool) -> Input {
    Input::Lost(Lost { why: why.into(), went, another })
}

fn code(code: u16) -> Happens {
    Happens::Reply(Reply { code, ..Reply::default() })
}

fn granted(seconds: u32) -> Happens {
    let contacts = vec!["<sip:other@h>;expires=9".to_owned(), format!("<sip:{TOKEN}@192.0.2.1>;expires={seconds}")];
    Happens::Reply(Reply { code: 200, contacts, expires: Some("7"), ..Reply::default() })
}

fn challenge(code: u16, nonce: &str, more: &str) -> Happens {
    let value = vec![format!(r#"Digest realm="r", nonce="{nonce}", qop="auth,auth-int"{more}"#)];
    let (www, proxy) = if code == 401 { (value, vec![]) } else { (vec![], value) };
    Happens::Reply(Reply { code, www, proxy, ..Reply::default() })
}

fn redirect(contacts: &[&str]) -> Happens {
    let contacts = contacts.iter().map(|c| (*c).to_owned()).collect();
    Happens::Reply(Reply { code: 302, contacts, ..Reply::default() })
}

/// 200, or for Expires 0 a 200 without our Contact.
fn bound(request: &Request) -> Happens {
    if request.expires_s == 0 { code(200) } else { granted(request.expires_s) }
}

type Registrar<'a> = Box<dyn FnMut(&Request) -> Happens + 'a>;

/// The account's task, simulated.
struct Line<'a> {
    machine: Registration,
    registrar: Registrar<'a>,
    cache: DigestCache,
    attempt: AuthAttempt,
    now: Duration,
    random: u64,
    /// What comes of the outstanding request, and when.
    outstanding: Option<(Duration, Input)>,
    sent: Vec<(Duration, u32)>,
    /// `Expires`, Contact and registrar of each request.
    went: Vec<(u32, String)>,
    /// How many places there are, and from which on they are the backup's; which was asked last.
    places: usize,
    backup_from: usize,
    place: usize,
    /// Our Contact, and what it would be as the registrar sees us.
    contact: &'static str,
    seen_as: &'static str,
    targets: Vec<Option<String>>,
    states: Vec<S>,
    done: usize,
}

impl<'a> Line<'a> {
    fn new(registrar: impl FnMut(&Request) -> Happens + 'a) -> Self {
        Self {
            machine: Registration::new(RegisterPolicy::default()),
            registrar: Box::new(registrar),
            cache: DigestCache::default(),
            attempt: AuthAttempt::default(),
            now: Duration::from_secs(1000),
            random: 1,
            outstanding: None,
            sent: Vec::new(),
            went: Vec::new(),
            places: 1,
            backup_from: 1,
            place: 0,
            contact: "here",
            seen_as: "here",
            targets: Vec::new(),
            states: Vec::new(),
            done: 0,
        }
    }

    fn started(registrar: impl FnMut(&Request) -> Happens + 'a) -> Self {
        let mut line = Self::new(registrar);
        line.feed(Input::Start);
        line
    }

    fn feed(&mut self, input: Input) {
        // splitmix64
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut entropy = self.random;
        entropy = (entropy ^ (entropy >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        entropy = (entropy ^ (entropy >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        for output in self.machine.handle(input, self.now, entropy ^ (entropy >> 31)) {
            match output {
                Output::SendRegister { expires_s, step, target, of } => self.send(expires_s, step, target, of),
                Output::Status(status) => self.states.push(status.state),
                Output::Done => self.done += 1,
            }
        }
        let off = self.state() == S::Off;
        assert_eq!(self.machine.deadline().is_none(), off, "a line that is not off has a timer");
        if off {
            self.outstanding = None;
        }
    }

    fn send(&mut self, expires_s: u32, step: Step, target: Option<SipTarget>, of: Option<Went>) {
        if step != Step::Again {
            self.attempt = AuthAttempt::default();
        }
        match step {
            Step::First => self.place = 0,
            Step::Elsewhere => self.place += 1,
            Step::Again => {}
        }
        let role = if self.place < self.backup_from { Role::Primary } else { Role::Backup };
        let went = of.clone().unwrap_or(Went { contact: self.contact.into(), role });
        self.went.push((expires_s, format!("{} {:?}", went.contact, went.role)));
        let password = Secret::new("secret");
        let credentials = Credentials { username: "alice", password: &password };
        let auth = self.cache.authorize(&mut self.attempt, "REGISTER", "sip:example.com", credentials, "c");
        self.sent.push((self.now, expires_s));
        let target = target.map(|t| t.host.to_string());
        self.targets.push(target.clone());
        let request = Request { expires_s, target, auth, n: self.sent.len(), place: self.place };
        let another = of.is_none() && expires_s > 0 && self.place + 1 < self.places;
        let (after_ms, input) = match (self.registrar)(&request) {
            Happens::Reply(reply) => (20, Input::Response(self.read(reply, expires_s, went, another))),
            Happens::Silence => (32_000, lost("silence", Some(went), another)),
            Happens::Broken => (1, lost("connection refused", None, another)),
        };
        self.outstanding = Some((self.now + Duration::from_millis(after_ms), input));
    }

    fn read(&mut self, reply: Reply, asked: u32, went: Went, another: bool) -> Response {
        let list = |values: &[String]| parse_challenges(values.iter().map(String::as_str));
        let refused = matches!(reply.code, 401 | 407);
        let contacts = || reply.contacts.iter().map(String::as_str);
        Response {
            code: reply.code,
            phrase: "Phrase".into(),
            granted_s: crate::header::granted_expires(contacts(), reply.expires, TOKEN, asked),
            min_expires_s: reply.min_expires_s,
            retry_after_s: reply.retry_after_s,
            verdict: refused.then(|| self.cache.challenged(&mut self.attempt, &list(&reply.www), &list(&reply.proxy))),
            targets: crate::header::redirect_targets(contacts()),
            moved: (200..300).contains(&reply.code) && &*went.contact != self.seen_as,
            went,
            another: another && reply.code == 503,
        }
    }

    /// Jumps to the next event, if it comes before `end`.
    fn step(&mut self, end: Duration) -> bool {
        let reply_at = self.outstanding.as_ref().map(|(at, _)| *at);
        let Some(next) = [reply_at, self.machine.deadline()].into_iter().flatten().min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        match self.outstanding.take_if(|(at, _)| *at <= next) {
            Some((_, input)) => self.feed(input),
            None => self.feed(Input::TimerFired),
        }
        true
    }

    fn run_s(&mut self, seconds: u64) -> &mut Self {
        let end = self.now + Duration::from_secs(seconds);
        while self.step(end) {}
        self.now = end;
        self
    }

    fn state(&self) -> S {
        self.machine.status().state
    }

    /// Seconds between the beginnings of requests.
    fn gaps_s(&self) -> Vec<u64> {
        self.sent.windows(2).map(|pair| (pair[1].0 - pair[0].0).as_secs()).collect()
    }
}

#[track_caller]
fn check(
    what: &str,
    registrar: impl FnMut(&Request) -> Happens,
    seconds: u64,
    state: S,
    requests: std::ops::RangeInclusive<usize>,
) {
    let mut line = Line::started(registrar);
    line.run_s(seconds);
    assert_eq!(line.state(), state, "{what}: {:?}", line.machine.status());
    assert!(requests.contains(&line.sent.len()), "{what}: {} requests", line.sent.len());
}

#[test]
fn each_kind_of_registrar() {
    let rejoin = |nonce: &'static str, header: &'static str, code: u16, more: &'static str| {
        move |r: &Request| if r.answers(header, nonce) { bound(r) } else { challenge(code, nonce, more) }
    };
    check("open", bound, 10, S::Registered, 1..=1);
    check("401", rejoin("n", "Authorization", 401, ""), 10, S::Registered, 2..=2);
    check("407", rejoin("n", "Proxy-Authorization", 407, ""), 10, S::Registered, 2..=2);
    check("401 SHA-256", rejoin("n", "Authorization", 401, ", algorithm=SHA-256"), 10, S::Registered, 2..=2);
    check("401 MD5-sess", rejoin("n", "Authorization", 401, ", algorithm=MD5-sess"), 10, S::Registered, 2..=2);
    let stale = |r: &Request| match r.n {
        1 => challenge(401, "n1", ""),
        2 => challenge(401, "n2", ", stale=true"),
        _ if r.answers("Authorization", "n2") => bound(r),
        _ => code(500),
    };
    check("stale", stale, 10, S::Registered, 3..=3);
    let proxy_then_registrar = |r: &Request| match () {
        _ if !r.answers("Proxy-Authorization", "p") => challenge(407, "p", ""),
        _ if !r.answers("Authorization", "w") => challenge(401, "w", ""),
        _ => bound(r),
    };
    check("407, then 401", proxy_then_registrar, 10, S::Registered, 3..=3);
    check("wrong password, same nonce", |_| challenge(401, "n", ""), 1700, S::WrongPassword, 2..=2);
    check("wrong password, new nonces", |r| challenge(401, &r.n.to_string(), ""), 1700, S::WrongPassword, 2..=2);
    check("always stale", |r| challenge(401, &r.n.to_string(), ", stale=true"), 1700, S::WrongPassword, 3..=3);
    check("403", |_| code(403), 1700, S::WrongPassword, 1..=1);
    check("404", |_| code(404), 1700, S::WrongPassword, 1..=1);
    check("unknown scheme", |_| code(401), 1700, S::Retrying, 1..=1);
    let brief = |r: &Request| {
        if r.expires_s == 7200 {
            bound(r)
        } else {
            Happens::Reply(Reply { code: 423, min_expires_s: Some(7200), ..Reply::default() })
        }
    };
    check("423", brief, 10, S::Registered, 2..=2);
    check(
        "423 for a year",
        |_| Happens::Reply(Reply { code: 423, min_expires_s: Some(u32::MAX), ..Reply::default() }),
        1,
        S::Retrying,
        1..=1,
    );
    check(
        "423 always",
        |r| Happens::Reply(Reply { code: 423, min_expires_s: Some(r.expires_s + 1), ..Reply::default() }),
        1,
        S::Retrying,
        2..=2,
    );
    check("423 without a time", |_| code(423), 1, S::Retrying, 1..=1);
    let busy = |r: &Request| {
        if r.n == 1 { Happens::Reply(Reply { code: 503, retry_after_s: Some(120), ..Reply::default() }) } else { bound(r) }
    };
    check("503 before its time", busy, 119, S::Retrying, 1..=1);
    check("503 after its time", busy, 145, S::Registered, 2..=2);
    check("500", |_| code(500), 1, S::Retrying, 1..=1);
    check("486", |_| code(486), 1, S::Retrying, 1..=1);
    check("603", |_| code(603), 1, S::Retrying, 1..=1);
    let moved = |r: &Request| {
        if r.target.as_deref() == Some("b.example:5070") { bound(r) } else { redirect(&["<sips:x>", "<sip:b.example:5070>"]) }
    };
    check("302", moved, 10, S::Registered, 2..=2);
    check("302 loop", |_| redirect(&["<sip:b.example>"]), 1, S::Retrying, 2..=2);
    check("302 to the web", |_| redirect(&["<http://b.example>"]), 1, S::Retrying, 1..=1);
    let others_only = Reply { code: 200, contacts: vec!["<sip:other@h>;expires=9".to_owned()], ..Reply::default() };
    check("200 without our contact", move |_| Happens::Reply(others_only.clone()), 1, S::Retrying, 1..=1);
    check("200 without any contact", |_| code(200), 1, S::Registered, 1..=1);
    check("200 with nothing granted", |_| granted(0), 1, S::Retrying, 1..=1);
    check("silent", |_| Happens::Silence, 33, S::Retrying, 1..=1);
    check("silent, then there", |r| if r.n < 3 { Happens::Silence } else { bound(r) }, 90, S::Registered, 3..=3);
    check("unreachable", |_| Happens::Broken, 1, S::Retrying, 1..=1);
}

#[test]
fn a_day_of_requests_is_bounded_whatever_the_registrar_does() {
    for (what, most, mut registrar) in [
        ("fine", 40, Box::new(bound) as Registrar),
        ("short grants", 18_000, Box::new(|_: &Request| granted(1))),
        ("minute grants", 2_000, Box::new(|_: &Request| granted(60))),
        (
            "one-time nonces",
            80,
            Box::new(|r: &Request| if r.n % 2 == 1 { challenge(401, &r.n.to_string(), "") } else { bound(r) }),
        ),
        ("wrong password", 40, Box::new(|r: &Request| challenge(401, &r.n.to_string(), ""))),
        ("always stale", 60, Box::new(|r: &Request| challenge(401, &r.n.to_string(), ", stale=true"))),
        ("forbidden", 20, Box::new(|_: &Request| code(403))),
        ("unknown scheme", 60, Box::new(|_: &Request| code(401))),
        ("500", 720, Box::new(|_: &Request| code(500))),
        (
            "eager 503",
            720,
            Box::new(|_: &Request| Happens::Reply(Reply { code: 503, retry_after_s: Some(0), ..Reply::default() })),
        ),
        (
            "lazy 503",
            30,
            Box::new(|_: &Request| Happens::Reply(Reply { code: 503, retry_after_s: Some(u32::MAX), ..Reply::default() })),
        ),
        (
            "423",
            1_440,
            Box::new(|r: &Request| Happens::Reply(Reply { code: 423, min_expires_s: Some(r.expires_s + 1), ..Reply::default() })),
        ),
        ("redirects", 1_440, Box::new(|_: &Request| redirect(&["<sip:b.example>"]))),
        ("no contact", 720, Box::new(|_: &Request| code(200))),
        ("silence", 720, Box::new(|_: &Request| Happens::Silence)),
        ("broken", 720, Box::new(|_: &Request| Happens::Broken)),
    ] {
        let mut line = Line::started(&mut registrar);
        line.run_s(24 * HOUR);
        let sent = line.sent.len();
        assert!(sent <= most, "{what}: {sent} requests");
        assert!(sent >= 6, "{what}: {sent} requests, the line was let go");
    }
}

#[test]
fn refreshes_at_eighty_five_percent_with_its_nonce() {
    let mut line = Line::started(|r| match r.answers("Authorization", "n") {
        true => granted(1000),
        false => challenge(401, "n", ""),
    });
    line.run_s(3000);
    let gaps = line.gaps_s();
    assert_eq!(gaps[0], 0, "the challenge is answered at once");
    assert!(gaps[1..].iter().all(|gap| (750..=850).contains(gap)), "{gaps:?}");
    line.states.dedup();
    assert_eq!(line.states, [S::Registering, S::Registered], "refreshes do not show");
}

#[test]
fn backs_off_and_forgets_it_after_success() {
    let mut up = false;
    let mut line = Line::started(|_| code(500));
    line.run_s(250);
    let gaps = line.gaps_s();
    for (gap, want) in gaps.iter().zip([2, 5, 15, 30, 60, 120]) {
        assert!((want..=want * 12 / 10 + 1).contains(gap), "{gaps:?}");
    }
    assert!(gaps.len() >= 5, "{gaps:?}");
    let mut line = Line::started(|r| {
        up = !up;
        if up { code(500) } else { bound(r) }
    });
    line.run_s(12 * HOUR);
    let pauses: Vec<u64> = line.gaps_s().into_iter().step_by(2).collect();
    assert!(pauses.iter().all(|p| (2..=3).contains(p)), "{pauses:?}");
}

#[test]
fn new_credentials_end_the_pause() {
    let mut line = Line::started(|r| if r.n < 3 { code(403) } else { bound(r) });
    line.run_s(10);
    line.feed(Input::FlowClosed);
    line.feed(Input::NetworkChanged);
    line.run_s(60);
    assert_eq!((line.state(), line.sent.len()), (S::WrongPassword, 1));
    line.feed(Input::CredentialsChanged);
    line.run_s(1);
    assert_eq!((line.state(), line.sent.len()), (S::WrongPassword, 2));
    line.feed(Input::CredentialsChanged);
    line.run_s(1);
    assert_eq!((line.state(), line.sent.len()), (S::Registered, 3));
}

#[test]
fn credentials_that_change_in_mid_request_are_tried_after_it() {
    let mut line = Line::started(|r| if r.n == 1 { code(403) } else { bound(r) });
    line.feed(Input::CredentialsChanged);
    assert_eq!(line.sent.len(), 1);
    line.run_s(1);
    assert_eq!((line.state(), line.sent.len()), (S::Registered, 2));
}

#[test]
fn a_closed_flow_is_opened_again_but_not_in_a_storm() {
    let mut line = Line::started(bound);
    line.run_s(100).feed(Input::FlowClosed);
    assert_eq!(line.state(), S::Retrying);
    line.run_s(6);
    assert_eq!((line.state(), line.sent.len()), (S::Registered, 2));
    let end = line.now + Duration::from_secs(24 * HOUR);
    while line.step(end) {
        if line.state() == S::Registered {
            line.feed(Input::FlowClosed);
        }
    }
    assert!(line.sent.len() < 720, "{} requests", line.sent.len());

    let mut line = Line::started(bound);
    line.run_s(100).feed(Input::NetworkChanged);
    line.run_s(6);
    assert_eq!((line.state(), line.sent.len()), (S::Registered, 2));
}

#[test]
fn a_new_address_ends_a_pause() {
    let mut line = Line::started(|_| Happens::Silence);
    line.run_s(2 * HOUR);
    while line.outstanding.is_some() {
        line.run_s(1);
    }
    let sent = line.sent.len();
    line.feed(Input::NetworkChanged);
    line.run_s(6);
    assert_eq!(line.sent.len(), sent + 1);
}

#[test]
fn a_watchdog_ends_a_request_that_the_transaction_forgot() {
    let mut line = Line::started(|_| Happens::Silence);
    line.outstanding = None;
    line.run_s(301);
    assert_eq!(line.state(), S::Retrying);
}

#[test]
fn a_failed_refresh_says_why_and_keeps_the_end_of_the_binding() {
    let mut line = Line::started(|r| if r.n == 1 { granted(1000) } else { code(503) });
    line.run_s(860);
    let status = line.machine.status();
    assert_eq!((status.state, status.reason.as_deref(), status.last_code), (S::Retrying, Some("503 Phrase"), Some(503)));
    assert!(status.expires_at.is_some() && status.next_attempt_at.is_some());
    line.run_s(2000);
    assert_eq!(line.machine.status().expires_at, None);
}

fn any_happening() -> impl Strategy<Value = u8> {
    0u8..16
}

fn happening(kind: u8, request: &Request) -> Happens {
    match kind {
        0 | 1 => bound(request),
        2 => granted(1),
        3 => challenge(401, &request.n.to_string(), ""),
        4 => challenge(407, "same", ""),
        5 => challenge(401, &request.n.to_string(), ", stale=true"),
        6 => code(403),
        7 => Happens::Reply(Reply { code: 423, min_expires_s: Some(request.expires_s + 100), ..Reply::default() }),
        8 => Happens::Reply(Reply { code: 503, retry_after_s: Some(1000), ..Reply::default() }),
        9 => redirect(&["<sip:b.example>"]),
        10 => code(200),
        11 => Happens::Silence,
        12 => Happens::Broken,
        13 => code(100),
        14 => code(999),
        _ => code(500),
    }
}

fn any_input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Start),
        Just(Input::Stop),
        Just(Input::CredentialsChanged),
        Just(Input::FlowClosed),
        Just(Input::NetworkChanged),
        Just(Input::TimerFired),
        Just(lost("x", None, false)),
        Just(lost("x", Some(Went::default()), true)),
    ]
}

proptest! {
    /// `feed` asserts that a line is off or has a timer; here it must also live on, leave in time and never hurry.
    #[test]
    fn never_lets_go_of_a_line_and_never_hurries(
        happenings in prop::collection::vec(any_happening(), 1..40),
        inputs in prop::collection::vec((any_input(), 0u64..4000), 0..20),
    ) {
        let mut line = Line::started(|r| happening(happenings[r.n % happenings.len()], r));
        let mut events = 0;
        for (input, seconds) in inputs {
            events += 1;
            line.feed(input);
            line.run_s(seconds);
        }
        let busy_s = line.now.as_secs() - 1000;
        prop_assert!(line.sent.len() as u64 <= 8 * (events + 2 + busy_s / 5 + 10), "{} requests", line.sent.len());
        line.feed(Input::Stop);
        line.run_s(5);
        prop_assert_eq!(line.state(), S::Off);
        line.feed(Input::Start);
        prop_assert_eq!(line.state(), S::Registering);
    }

    /// While the password is wrong, attempts are at least the pause apart, whatever else happens but new credentials.
    #[test]
    fn a_wrong_password_is_not_tried_again_soon(events in prop::collection::vec((0u8..4, 0u64..4000), 0..60)) {
        let mut line = Line::started(|r| challenge(401, &r.n.to_string(), ""));
        line.run_s(1);
        for (event, seconds) in events {
            line.feed([Input::Start, Input::FlowClosed, Input::NetworkChanged, Input::TimerFired][usize::from(event)].clone());
            line.run_s(seconds);
            prop_assert_eq!(line.state(), S::WrongPassword);
        }
        let attempts: Vec<_> = line.sent.chunks(2).map(|pair| pair[0].0).collect();
        prop_assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1800)), "{:?}", attempts);
    }
}
