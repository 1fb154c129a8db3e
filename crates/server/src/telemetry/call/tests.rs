//! Records as traces.

use super::*;
use crate::telemetry::span::Value;
use callie_domain::record::{EndReason, Speaker, Termination, ToolEnd, ToolRequest, Turn, TurnLatency, Way};
use callie_domain::user::TransferMode;
use callie_domain::{CallId, Transport};

const NUMBER: &str = "+4930987654321";
const SAID: &str = "my password is swordfish";

fn at(ms: u64) -> Timestamp {
    later(Timestamp::from_second(1_800_000_000).expect("a time"), ms)
}

fn cdr() -> Cdr {
    let id = CallId::new(at(0), 7);
    Cdr {
        from: NUMBER.to_owned(),
        to: "alice".to_owned(),
        ended_at: Some(at(20_000)),
        answered_at: Some(at(1_000)),
        termination: Some(Termination::because(EndReason::RemoteHungUp, SAID)),
        media: Some(MediaSummary { packets_lost: 3, mos: Some(4.25), ..MediaSummary::default() }),
        ..Cdr::begun(id, "alice".parse().expect("valid"), Direction::Inbound, at(0))
    }
}

fn event(ms: u64, fact: CallFact) -> CallEvent {
    CallEvent { at: at(ms), offset_ms: ms, fact }
}

fn message(ms: u64, way: Way, line: &str, cseq: &str, to: &str) -> SipMessage {
    SipMessage {
        at: at(ms),
        way,
        transport: Transport::Udp,
        local: ([127, 0, 0, 1], 5060).into(),
        remote: ([127, 0, 0, 2], 5060).into(),
        text: format!("{line}\r\nCall-ID: c1\r\nFrom: <sip:{NUMBER}@h>;tag=1\r\nTo: {to}\r\nCSeq: {cseq}\r\n\r\n"),
        note: None,
        left_out_before: 0,
    }
}

/// Name, milliseconds from and until, and why it failed; those below further in.
fn drawn(spans: &[Span]) -> String {
    fn draw(spans: &[Span], parent: Option<SpanId>, depth: usize, text: &mut String) {
        let mut below: Vec<_> = spans.iter().filter(|span| span.parent == parent).collect();
        below.sort_by_key(|span| (span.start, span.end));
        for span in below {
            let ms = |time: Timestamp| time.as_millisecond() - at(0).as_millisecond();
            let error = span.error.as_ref().map(|error| format!(" ! {error}")).unwrap_or_default();
            let moments: String = span.moments.iter().map(|moment| format!(" @{}", moment.name)).collect();
            let line = format!("{}{} {}–{}{moments}{error}\n", "  ".repeat(depth), span.name, ms(span.start), ms(span.end));
            text.push_str(&line);
            draw(spans, Some(span.id), depth + 1, text);
        }
    }
    let mut text = String::new();
    draw(spans, None, 0, &mut text);
    text
}

fn turn(index: u32, speaker: Speaker, started_ms: u64, ended_ms: u64, latency: Option<TurnLatency>) -> CallFact {
    CallFact::Turn { turn: Turn { index, speaker, started_ms, ended_ms, text: SAID.into(), interrupted: false, latency } }
}

fn ready(engine: &str) -> CallFact {
    CallFact::AgentReady { engine: engine.into(), model: Some("m1".into()) }
}

fn a_whole_call() -> (Cdr, Vec<CallEvent>, Vec<SipMessage>) {
    let latency = TurnLatency { total_ms: 600, ear_ms: 30, uplink_ms: 20, engine_ms: 500, playout_ms: 50 };
    let request = ToolRequest {
        span: "00000000000000aa".into(),
        method: "GET".into(),
        host: "shop.example".into(),
        port: 443,
        after_ms: 10,
        took_ms: 80,
        status: Some(503),
        error: None,
    };
    let tool = CallFact::ToolUsed {
        name: "find_order".into(),
        arguments: SAID.into(),
        result: SAID.into(),
        outcome: Some(ToolEnd::Error),
        took_ms: Some(100),
        requests: vec![request],
    };
    let failed = |cause: &str| CallFact::EngineFailed {
        engine: "gemini".into(),
        cause: cause.into(),
        detail: SAID.into(),
        remedy: SAID.into(),
    };
    let events = vec![
        event(0, CallFact::Invited { from: NUMBER.into() }),
        event(20, CallFact::MediaOpened { local_port: 1, codec: "PCMU".into() }),
        event(800, ready("gemini")),
        event(1_000, CallFact::Answered),
        event(1_100, CallFact::RtpLatched { address: "127.0.0.2:9".into() }),
        event(4_000, turn(0, Speaker::Caller, 2_000, 3_000, None)),
        event(5_000, turn(1, Speaker::Agent, 3_600, 4_900, None)),
        event(5_100, turn(1, Speaker::Agent, 3_600, 4_900, Some(latency))),
        event(6_000, tool),
        event(7_000, CallFact::SessionChanged { engine: "gemini".into(), reason: SAID.into(), resumed: true }),
        event(8_000, CallFact::Dtmf { digit: '7' }),
        event(9_000, failed("quota_exceeded")),
        event(9_200, ready("local")),
        event(10_000, CallFact::Hold { on: true }),
        event(11_000, CallFact::Hold { on: false }),
        event(12_000, CallFact::TransferStarted { mode: TransferMode::Blind, target: NUMBER.into() }),
        event(12_500, CallFact::TransferProgress { code: 180, phrase: "Ringing".into() }),
        event(13_000, CallFact::TransferFailed { reason: SAID.into() }),
    ];
    let (to, tagged) = ("<sip:alice@h>", "<sip:alice@h>;tag=2");
    let messages = vec![
        message(0, Way::Received, "INVITE sip:x@h SIP/2.0", "1 INVITE", to),
        message(5, Way::Sent, "SIP/2.0 180 Ringing", "1 INVITE", tagged),
        message(500, Way::Received, "INVITE sip:x@h SIP/2.0", "1 INVITE", to),
        message(1_000, Way::Sent, "SIP/2.0 200 OK", "1 INVITE", tagged),
        message(1_010, Way::Received, "ACK sip:x@h SIP/2.0", "1 ACK", tagged),
        message(10_000, Way::Sent, "INVITE sip:x@h SIP/2.0", "1 INVITE", tagged),
        message(10_020, Way::Received, "SIP/2.0 488 Not Acceptable Here", "1 INVITE", tagged),
        message(15_000, Way::Sent, "SMURF sip:x@h SIP/2.0", "2 SMURF", tagged),
        message(20_000, Way::Received, "BYE sip:x@h SIP/2.0", "3 BYE", tagged),
        message(20_010, Way::Sent, "SIP/2.0 200 OK", "3 BYE", tagged),
    ];
    (cdr(), events, messages)
}

#[test]
fn a_call_is_a_tree_of_what_went_on_in_it() {
    let (cdr, events, messages) = a_whole_call();
    let spans = spans(Record { cdr: &cdr, events: &events, messages: &messages });
    insta::assert_snapshot!(drawn(&spans));
    let ids: std::collections::HashSet<_> = spans.iter().map(|span| span.id).collect();
    assert_eq!(ids.len(), spans.len(), "each has a name of its own");
    let find = |name: &str| spans.iter().find(|span| span.name == name).expect("there is one");
    assert_eq!(find("GET").id, SpanId::from(0xaa), "it is the one that the service was told");
    assert!(find("media").attributes.contains(&("callie.media.mos", Value::Real(4.25))));
    assert!(find("call").attributes.contains(&("callie.call.from", Value::Text("…21".into()))));
    assert_eq!(super::spans(Record { cdr: &cdr, events: &events, messages: &messages }), spans, "the same each time");
}

/// What was said, pressed, asked and answered, and whole numbers.
#[test]
fn nothing_of_a_person_is_in_a_trace() {
    let (cdr, events, messages) = a_whole_call();
    let told = format!("{:?}", spans(Record { cdr: &cdr, events: &events, messages: &messages }));
    for secret in [NUMBER, &NUMBER[1..9], SAID, "swordfish"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
}

#[test]
fn a_call_of_which_little_is_known_is_a_trace_too() {
    let cdr = Cdr { ended_at: None, termination: None, media: None, answered_at: None, ..cdr() };
    let bare = spans(Record { cdr: &cdr, events: &[], messages: &[] });
    assert_eq!(drawn(&bare), "call 0–0\n  signalling 0–0\n");
    let failed = Some(Termination::because(EndReason::EngineFailed, "x"));
    let cdr = Cdr { termination: failed, ended_at: Some(at(900)), ..cdr };
    let events = [event(
        500,
        CallFact::EngineFailed { engine: "e".into(), cause: "stalled".into(), detail: String::new(), remedy: String::new() },
    )];
    let failed = spans(Record { cdr: &cdr, events: &events, messages: &[] });
    let wanted = "call 0–900 ! engine_failed\n  signalling 0–900\n  engine 0–900 @engine_failed\n    connect e 0–500 ! stalled\n";
    assert_eq!(drawn(&failed), wanted);
}

#[test]
fn a_call_without_end_has_a_trace_with_one() {
    let cdr = cdr();
    let said = |n: u32| event(u64::from(n), turn(n, Speaker::Caller, u64::from(n), u64::from(n), None));
    let events: Vec<_> = [event(0, ready("local"))].into_iter().chain((0..5_000).map(said)).collect();
    let spans = spans(Record { cdr: &cdr, events: &events, messages: &[] });
    assert_eq!(spans.len(), MOST_SPANS);
    let left_out = spans[0].attributes.iter().find(|(name, _)| *name == "callie.spans_left_out");
    assert!(matches!(left_out, Some((_, Value::Whole(n))) if *n > 1_000), "{left_out:?}");
}
