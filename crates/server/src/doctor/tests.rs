//! What is made of what was seen: one fault at a time, beginning with a line that has none.

use super::facts::{End, Facts, Held, SelfCall};
use super::{call, line};
use callie_domain::examination::{Finding, Outcome, Subject};
use callie_domain::record::{Cdr, Direction, EndReason, MediaSummary, SipMessage, Termination, Way};
use callie_domain::registration::{RegistrationState, RegistrationStatus};
use callie_domain::{CallId, Transport, user::input::UserInput};
use callie_sip::{Answered, FoundTarget, LookedUp};
use jiff::Timestamp;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

const PROVIDER: &str = "198.51.100.7:5060";

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn message(way: Way, text: &str) -> SipMessage {
    let text = text.replace('\n', "\r\n");
    let (local, remote) = (socket("203.0.113.9:5060"), socket(PROVIDER));
    SipMessage { at: Timestamp::UNIX_EPOCH, way, transport: Transport::Udp, local, remote, text, note: None, left_out_before: 0 }
}

/// A REGISTER that was challenged, and granted by the Contact's own field.
fn registering() -> Vec<SipMessage> {
    let sent = |n| {
        format!("REGISTER sip:b SIP/2.0\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z{n};rport\nCall-ID: c\nCSeq: {n} REGISTER\n\n")
    };
    let reply = |n, line: &str, more: &str| {
        format!(
            "SIP/2.0 {line}\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z{n};rport=5060\nCall-ID: c\nCSeq: {n} REGISTER\n{more}\n\n"
        )
    };
    vec![
        message(Way::Sent, &sent(1)),
        message(
            Way::Received,
            &reply(1, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n\", algorithm=SHA-256"),
        ),
        message(Way::Sent, &sent(2)),
        message(Way::Received, &reply(2, "200 OK", "Contact: <sip:t@203.0.113.9>;expires=600")),
    ]
}

fn cdr() -> Cdr {
    let answered_at = Some(Timestamp::from_millisecond(700).expect("a time"));
    let media = MediaSummary { codec: "PCMU".into(), mos: Some(4.3), ..MediaSummary::default() };
    Cdr {
        answered_at,
        ended_at: answered_at,
        config_revision: 1,
        media: Some(media),
        ..Cdr::begun(
            CallId::new(Timestamp::UNIX_EPOCH, 0),
            "alice".parse().expect("valid"),
            Direction::Outbound,
            Timestamp::UNIX_EPOCH,
        )
    }
}

/// A line without a fault.
fn healthy() -> Facts {
    let body = json!({"user_id": "alice", "display_name": "Alice", "sip_username": "1000", "sip_password": "pw", "sip_server": "sip.example.com"});
    let user = UserInput::from_json(&body)
        .and_then(|input| input.create(Timestamp::UNIX_EPOCH, "00:15:65:00:00:01".parse().expect("valid")));
    let end = End { cdr: Some(cdr()), messages: Vec::new(), tone_share: 0.97, keys_heard: "159#".into() };
    let answered = message(Way::Received, "SIP/2.0 200 OK\nCSeq: 2 INVITE\nSession-Expires: 1800;refresher=uac\n\n");
    Facts {
        account: user.expect("valid").account(),
        looked_up: Ok(LookedUp {
            targets: vec![FoundTarget { host: "sbc1.example.com".into(), address: socket(PROVIDER), is_backup: false }],
            stale: None,
        }),
        asked: Ok(Answered {
            address: socket(PROVIDER),
            transport: Transport::Udp,
            code: Some(200),
            took: Duration::from_millis(12),
        }),
        connected: true,
        registration: RegistrationStatus {
            state: RegistrationState::Registered,
            granted_s: Some(600),
            ..RegistrationStatus::OFF
        },
        messages: registering(),
        local: socket("203.0.113.9:5060"),
        call: Ok(SelfCall {
            number: "1000".into(),
            out: Some(End { messages: vec![answered], ..end.clone() }),
            back: Some(end),
            keys_sent: "159#".into(),
            hold: Some(Held::Accepted),
        }),
    }
}

fn findings(facts: &Facts) -> Vec<Finding> {
    [line::findings(facts), call::findings(facts)].concat()
}

#[test]
fn a_line_without_a_fault_passes_and_every_subject_is_looked_at_once() {
    let findings = findings(&healthy());
    let subjects: Vec<Subject> = findings.iter().map(|finding| finding.subject).collect();
    assert_eq!(subjects, Subject::ALL);
    let shown: Vec<String> = findings.iter().map(|f| format!("{:?} {}: {}", f.outcome, f.subject.title(), f.text)).collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    Passed DNS: sip.example.com leads to 198.51.100.7:5060 (sbc1.example.com)
    Passed Transport: 198.51.100.7:5060 answers by udp after 12 ms (200 to OPTIONS)
    Passed Registration: registered; granted for 600 s by the Contact's expires, refreshed after about 510 s
    Passed Authentication: digest SHA-256 for carrier, accepted
    Passed NAT: no address is translated between 203.0.113.9:5060 and the provider
    Passed SIP ALG: our Via and Call-ID come back as we sent them
    Passed A call to itself: 1000 was called through the provider and answered here after 700 ms
    Passed Audio both ways: caller to callee heard (97 %), callee to caller heard (97 %), MOS 4.3
    Passed Codec: PCMU out, PCMU in
    Passed Keys (DTMF): 159# was sent and heard
    Passed Hold: the call was held and taken back
    Passed Session timer: the provider agrees to one (Session-Expires: 1800;refresher=uac); it is kept by refreshes
    ");
}

/// After `change` the line has this fault, with a remedy, and these words stand in the finding.
#[track_caller]
fn check(subject: Subject, outcome: Outcome, words: &str, change: impl FnOnce(&mut Facts)) {
    let mut facts = healthy();
    change(&mut facts);
    let findings = findings(&facts);
    assert_eq!(findings.len(), Subject::ALL.len());
    let finding = findings.iter().find(|finding| finding.subject == subject).expect("it was looked at");
    assert_eq!(finding.outcome, outcome, "{finding:?}");
    assert!(finding.text.contains(words), "{finding:?}");
    assert_eq!(finding.remedy.is_some(), matches!(outcome, Outcome::Warning | Outcome::Failed), "{finding:?}");
}

fn call(facts: &mut Facts) -> &mut SelfCall {
    facts.call.as_mut().expect("a call")
}

#[test]
fn faults_of_the_line_are_told_apart() {
    use Outcome::{Failed, Skipped, Warning};
    check(Subject::Dns, Failed, "no address", |f| f.looked_up = Err("cannot resolve sip.example.com: no address".into()));
    check(Subject::Transport, Skipped, "no address", |f| {
        f.looked_up = Err("no address".into());
        f.asked = Err("no address".into());
    });
    check(Subject::Dns, Warning, "last addresses known", |f| {
        f.looked_up.as_mut().expect("found").stale = Some("no answer".into());
    });
    check(Subject::Transport, Failed, "refused", |f| f.asked = Err("connection refused".into()));
    let silent = |f: &mut Facts| f.asked.as_mut().expect("asked").code = None;
    check(Subject::Transport, Warning, "does not answer OPTIONS", silent);
    check(Subject::Transport, Failed, "does not answer", |f| {
        silent(f);
        f.registration.state = RegistrationState::Retrying;
    });
    check(Subject::Registration, Warning, "granted for 30 s", |f| f.registration.granted_s = Some(30));
    check(Subject::Registration, Failed, "503", |f| {
        f.registration.state = RegistrationState::Retrying;
        f.registration.reason = Some("503 Service Unavailable".into());
    });
    check(Subject::Authentication, Failed, "SHA-256 for carrier", |f| f.registration.state = RegistrationState::WrongPassword);
    check(Subject::Nat, Warning, "private address", |f| f.local = socket("192.168.1.5:5060"));
    check(Subject::Nat, Outcome::Passed, "behind a NAT", |f| {
        f.local = socket("192.168.1.5:5060");
        f.registration.public_address = Some(socket("203.0.113.1:61000"));
    });
    check(Subject::Alg, Warning, "Via", |f| {
        let reply = f.messages.last_mut().expect("a reply");
        reply.text = reply.text.replace("UDP 203.0.113.9:5060", "UDP 10.0.0.2:5060");
    });
    check(Subject::Alg, Skipped, "no answer", |f| f.messages.clear());
}

#[test]
fn faults_of_the_call_are_told_apart() {
    use Outcome::{Failed, Passed, Skipped, Warning};
    check(Subject::SelfCall, Skipped, "not connected", |f| f.call = Err("the line is not connected".into()));
    check(Subject::Audio, Skipped, "no call", |f| f.call = Err("x".into()));
    let unanswered = |f: &mut Facts| {
        let out = call(f).out.as_mut().expect("dialled").cdr.as_mut().expect("a record");
        out.answered_at = None;
        out.termination = Some(Termination::because(EndReason::CalleeBusy, "486 Busy Here"));
    };
    check(Subject::SelfCall, Failed, "did not ring here: the called party is busy (486 Busy Here)", |f| {
        unanswered(f);
        call(f).back = None;
    });
    check(Subject::SelfCall, Failed, "rang here", unanswered);
    check(Subject::SelfCall, Failed, "answered, but not here", |f| call(f).back = None);
    check(Subject::Audio, Failed, "caller to callee not heard", |f| call(f).back.as_mut().expect("rang").tone_share = 0.0);
    check(Subject::Audio, Failed, "callee to caller heard in part", |f| call(f).out.as_mut().expect("dialled").tone_share = 0.3);
    check(Subject::Audio, Warning, "MOS 2.9", |f| {
        let media = call(f).back.as_mut().expect("rang").cdr.as_mut().expect("a record").media.as_mut();
        media.expect("audio").mos = Some(2.9);
    });
    check(Subject::Dtmf, Warning, "15 was heard", |f| call(f).back.as_mut().expect("rang").keys_heard = "15".into());
    check(Subject::Dtmf, Skipped, "takes no keys", |f| call(f).keys_sent.clear());
    check(Subject::Hold, Warning, "488", |f| call(f).hold = Some(Held::Refused(488)));
    check(Subject::Hold, Failed, "broke", |f| call(f).hold = Some(Held::Broken));
    check(Subject::SessionTimer, Passed, "wants none", |f| call(f).out.as_mut().expect("dialled").messages.clear());
}
