//! Records, recordings, and calls that are up.

use super::world::World;
use crate::exchange::ActiveCall;
use crate::records::recordings::track::SealedTrack;
use callie_domain::record::{
    CallEvent, CallFact, Cdr, Direction, EndReason, MediaSummary, Speaker, Termination, Turn, TurnLatency,
};
use callie_domain::{CallId, UserId};
use callie_media::record::Track as _;
use callie_store::RecordStore;
use callie_store::VaultStore as _;
use callie_store::vault::{DataKey, NewRecording};
use jiff::Timestamp;
use serde_json::{Value, json};

fn user(id: &str) -> UserId {
    id.parse().expect("valid")
}

pub(super) fn call_id(n: u32) -> CallId {
    CallId::new(at(n), u128::from(n))
}

/// Seconds after the first of January.
pub(super) fn at(n: u32) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + i64::from(n)).expect("valid")
}

pub(super) fn cdr(n: u32, owner: &str, direction: Direction, reason: EndReason) -> Cdr {
    Cdr {
        from: "sip:bob@example.com".into(),
        to: "sip:alice@example.com".into(),
        answered_at: Some(at(n + 1)),
        ended_at: Some(at(n + 3)),
        termination: Some(Termination::because(reason, "evidence")),
        config_revision: 1,
        engine: Some("local".into()),
        recording: Some(format!("{}.wav", call_id(n))),
        media: Some(MediaSummary { codec: "PCMU".into(), ..MediaSummary::default() }),
        ..Cdr::begun(call_id(n), user(owner), direction, at(n))
    }
}

pub(super) async fn keep(world: &World, cdr: &Cdr) {
    let events = [
        CallEvent { at: cdr.started_at, offset_ms: 0, fact: CallFact::Invited { from: cdr.from.clone() } },
        CallEvent { at: cdr.started_at, offset_ms: 20, fact: CallFact::Ringing { code: 180 } },
    ];
    world.store.finish(cdr, &events).await.expect("kept");
}

#[tokio::test]
async fn a_call_is_told_with_its_events_its_end_and_the_remedy() {
    let world = World::new();
    keep(&world, &cdr(1, "alice", Direction::Inbound, EndReason::RtpLost)).await;
    let reply = world.get(&format!("/calls/{}", call_id(1))).await;
    let call = reply.json();
    assert_eq!((reply.status, &call["talk_ms"]), (200, &json!(2000)));
    assert_eq!(call["recording_url"], format!("/calls/{}/recording", call_id(1)));
    assert_eq!((&call["termination"]["result"], &call["termination"]["reason"]), (&json!("failed"), &json!("rtp_lost")));
    assert_eq!(call["termination"]["text"], EndReason::RtpLost.text());
    assert_eq!(call["termination"]["remedy"], EndReason::RtpLost.remedy());
    assert_eq!(call["termination"]["detail"], "evidence");
    assert_eq!(call["events"][1], json!({"at": "2026-01-01T00:00:01Z", "offset_ms": 20, "event": "ringing", "code": 180}));
}

#[tokio::test]
async fn an_end_without_a_remedy_names_none() {
    let world = World::new();
    keep(&world, &cdr(1, "alice", Direction::Inbound, EndReason::RemoteHungUp)).await;
    assert_eq!(world.get(&format!("/calls/{}", call_id(1))).await.json()["termination"]["remedy"], Value::Null);
}

#[tokio::test]
async fn lists_narrow_and_turn_pages() {
    let world = World::new();
    keep(&world, &cdr(1, "alice", Direction::Inbound, EndReason::RemoteHungUp)).await;
    keep(&world, &cdr(2, "alice", Direction::Outbound, EndReason::CalleeBusy)).await;
    keep(&world, &cdr(3, "bob", Direction::Inbound, EndReason::RemoteHungUp)).await;
    for (query, want) in [
        ("", vec![3, 2, 1]),
        ("?user_id=alice", vec![2, 1]),
        ("?direction=inbound", vec![3, 1]),
        ("?result=busy", vec![2]),
        ("?from=2026-01-01T00:00:02Z", vec![3, 2]),
        ("?until=2026-01-01T00:00:02Z", vec![1]),
        ("?user_id=alice&direction=inbound&result=completed", vec![1]),
        (&format!("?before={}", call_id(2)), vec![1]),
    ] {
        let list = world.get(&format!("/calls{query}")).await.json();
        let ids: Vec<_> = list["calls"].as_array().expect("a list").iter().map(|c| c["id"].clone()).collect();
        assert_eq!(ids, want.iter().map(|n| json!(call_id(*n))).collect::<Vec<_>>(), "{query}");
    }
    let first = world.get("/calls?limit=2").await.json();
    assert_eq!(first["next"], json!(call_id(2)));
    let second = world.get(&format!("/calls?limit=2&before={}", call_id(2))).await.json();
    assert_eq!((second["calls"].as_array().map(Vec::len), &second["next"]), (Some(1), &Value::Null));
}

#[tokio::test]
async fn faulty_parameters_are_named_at_once() {
    let world = World::new();
    let reply = world.get("/calls?user_id=a+b&direction=up&result=fine&from=noon&limit=0&before=x").await;
    assert_eq!((reply.status, reply.fields().join(" ").as_str()), (422, "before direction from limit result user_id"));
    assert_eq!(world.get("/calls?colour=red").await.status, 422);
}

fn turn(index: u32, speaker: Speaker, started_ms: u64, text: &str) -> Turn {
    Turn { index, speaker, started_ms, ended_ms: started_ms + 900, text: text.into(), interrupted: false, latency: None }
}

async fn keep_talk(world: &World, n: u32) {
    let latency = Some(TurnLatency { total_ms: 720, ear_ms: 40, uplink_ms: 20, engine_ms: 640, playout_ms: 20 });
    let failed = CallFact::EngineFailed {
        engine: "gemini".into(),
        cause: "key_refused".into(),
        detail: "close code 1008".into(),
        remedy: "check GEMINI_API_KEY".into(),
    };
    let said = [
        turn(0, Speaker::Agent, 900, "Hello."),
        turn(1, Speaker::Caller, 4_210, "wreck a"),
        Turn { latency, interrupted: true, ..turn(2, Speaker::Agent, 61_500, "I\r\nsee,\u{1b}[2J and") },
        turn(1, Speaker::Caller, 4_210, "My boiler is leaking."),
        turn(3, Speaker::Caller, 3_661_000, ""),
    ];
    let facts = said.into_iter().map(|turn| CallFact::Turn { turn }).chain([failed]);
    let events: Vec<_> = facts.map(|fact| CallEvent { at: at(n), offset_ms: 7, fact }).collect();
    let cdr = cdr(n, "alice", Direction::Inbound, EndReason::RemoteHungUp);
    world.store.finish(&cdr, &events).await.expect("kept");
}

#[tokio::test]
async fn what_was_said_is_told_turn_by_turn() {
    let world = World::new();
    keep_talk(&world, 1).await;
    let path = format!("/calls/{}/transcript", call_id(1));
    for path in [path.clone(), format!("{path}?format=json")] {
        let transcript = world.get(&path).await.json();
        assert_eq!((&transcript["call_id"], transcript["turns"].as_array().map(Vec::len)), (&json!(call_id(1)), Some(4)));
        let want = json!({"index": 1, "speaker": "caller", "started_ms": 4210, "ended_ms": 5110,
            "text": "My boiler is leaking.", "interrupted": false, "latency": null});
        assert_eq!(transcript["turns"][1], want, "the later words replace the earlier");
        assert_eq!(
            transcript["turns"][2]["latency"],
            json!({"total_ms": 720, "ear_ms": 40, "uplink_ms": 20, "engine_ms": 640, "playout_ms": 20})
        );
    }
    let text = world.get(&format!("{path}?format=text")).await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let want = "00:00 agent: Hello.\n00:04 caller: My boiler is leaking.\n01:01 agent: I see, [2J and [interrupted]\n\
        61:01 caller: (no words)\n";
    assert_eq!(text.text(), want);

    let refused = world.get(&format!("{path}?format=pdf")).await;
    assert_eq!((refused.status, refused.fields()), (422, vec!["format".to_owned()]));
    assert_eq!(world.get(&format!("/calls/{}/transcript", call_id(9))).await.status, 404);
    keep(&world, &cdr(2, "alice", Direction::Inbound, EndReason::CallerCancelled)).await;
    assert_eq!(world.get(&format!("/calls/{}/transcript", call_id(2))).await.json()["turns"], json!([]), "nothing was said");
}

#[tokio::test]
async fn a_call_tells_how_quickly_it_was_answered_and_what_failed() {
    let world = World::new();
    keep_talk(&world, 1).await;
    let call = world.get(&format!("/calls/{}", call_id(1))).await.json();
    assert_eq!(call["latency"], json!({"turns": 1, "p50_ms": 720, "p95_ms": 720, "max_ms": 720}));
    let failure = json!({"at": "2026-01-01T00:00:01Z", "offset_ms": 7, "engine": "gemini", "cause": "key_refused",
        "detail": "close code 1008", "remedy": "check GEMINI_API_KEY"});
    assert_eq!(call["engine_failures"], json!([failure]));
    keep(&world, &cdr(2, "alice", Direction::Inbound, EndReason::CallerCancelled)).await;
    let call = world.get(&format!("/calls/{}", call_id(2))).await.json();
    assert_eq!((&call["latency"], &call["engine_failures"]), (&Value::Null, &json!([])));
}

#[tokio::test]
async fn calls_are_found_by_words_and_show_where_they_were_said() {
    let world = World::new();
    keep_talk(&world, 1).await;
    keep(&world, &cdr(2, "alice", Direction::Outbound, EndReason::CalleeBusy)).await;
    let found = world.get("/calls?q=boiler").await.json();
    assert_eq!((found["calls"].as_array().map(Vec::len), &found["calls"][0]["id"]), (Some(1), &json!(call_id(1))));
    assert_eq!(found["calls"][0]["matches"][0]["text"], "My boiler is leaking.");
    let all = world.get("/calls").await.json();
    assert_eq!(all["calls"].as_array().map(Vec::len), Some(2));
    assert_eq!(all["calls"][0].get("matches"), None);
    for q in ["", "%22*", &"a+".repeat(17), &"a".repeat(201)] {
        let refused = world.get(&format!("/calls?q={q}")).await;
        assert_eq!((refused.status, refused.fields()), (422, vec!["q".to_owned()]), "{q}");
    }
}

#[tokio::test]
async fn recordings_are_served_whole_and_in_ranges() {
    let world = World::new();
    let kept = cdr(1, "alice", Direction::Inbound, EndReason::RemoteHungUp);
    keep(&world, &kept).await;
    let path = format!("/calls/{}/recording", call_id(1));
    assert_eq!(world.get(&path).await.status, 404, "the file is gone");

    let wav: Vec<u8> = (0..=255).collect();
    std::fs::write(world.recordings.path().join(kept.recording.expect("named")), &wav).expect("written");
    let whole = world.get(&path).await;
    assert_eq!((whole.status, whole.header("content-type"), whole.header("accept-ranges")), (200, "audio/wav", "bytes"));
    assert_eq!(whole.bytes, wav);
    for (range, want, bytes) in [("bytes=10-19", "bytes 10-19/256", 10..20), ("bytes=250-", "bytes 250-255/256", 250..256)] {
        let part = world.send("GET", &path, &[("range", range)], "").await;
        assert_eq!((part.status, part.header("content-range")), (206, want));
        assert_eq!(part.bytes, &wav[bytes]);
    }
    let outside = world.send("GET", &path, &[("range", "bytes=256-")], "").await;
    assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */256"));
}

/// A sealed recording of so many bytes of samples; gives the WAV file that it is.
pub(super) async fn record(world: &World, n: u32, bytes: usize, ended: bool) -> (std::path::PathBuf, Vec<u8>) {
    let name = format!("alice/{}.sealed", call_id(n));
    keep(world, &Cdr { recording: Some(name.clone()), ..cdr(n, "alice", Direction::Inbound, EndReason::RemoteHungUp) }).await;
    let key = DataKey::draw().expect("drawn");
    let new = NewRecording { call: call_id(n), user: user("alice"), key: key.clone() };
    world.queue.put_recording_key(new).await.expect("kept");
    let path = world.recordings.path().join(name);
    let mut track = SealedTrack::create(&path, &key, call_id(n)).expect("created");
    let samples: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    track.append(&samples).expect("written");
    if ended {
        track.complete().expect("written");
    }
    (path, [callie_media::record::header(bytes as u64).as_slice(), &samples].concat())
}

#[tokio::test]
async fn sealed_recordings_are_served_as_the_wav_they_are() {
    let world = World::new();
    let (file, wav) = record(&world, 1, 700_004, true).await;
    let path = format!("/calls/{}/recording", call_id(1));
    let lies = std::fs::read(&file).expect("there");
    assert!(!lies.windows(40).any(|window| window == &wav[5_000..5_040]), "nothing of it lies in clear");
    let whole = world.get(&path).await;
    assert_eq!((whole.status, whole.header("content-type"), whole.header("accept-ranges")), (200, "audio/wav", "bytes"));
    assert_eq!((whole.header("content-length"), whole.header("recording-state")), ("700048", "complete"));
    assert!(whole.bytes == wav);
    for (from, to) in [
        (0, 0),
        (0, 43),
        (10, 99),
        (43, 44),
        (44, 3_243),
        (3_243, 3_244),
        (3_300, 200_000),
        (699_000, 700_047),
        (699_844, 700_047),
    ] {
        let part = world.send("GET", &path, &[("range", &format!("bytes={from}-{to}"))], "").await;
        assert_eq!((part.status, part.header("content-range")), (206, format!("bytes {from}-{to}/700048").as_str()));
        assert!(part.bytes == wav[from..=to], "{from}-{to}");
    }
    let last = world.send("GET", &path, &[("range", "bytes=-5")], "").await;
    assert_eq!(last.bytes, wav[700_043..]);
    let outside = world.send("GET", &path, &[("range", "bytes=700048-")], "").await;
    assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */700048"));
    let compared = world.send("GET", &path, &[("range", "bytes=0-0"), ("if-range", "\"x\"")], "").await;
    assert_eq!(compared.status, 200);
    let head = world.send("HEAD", &path, &[], "").await;
    assert_eq!((head.status, head.header("content-length"), head.bytes.len()), (200, "700048", 0));
}

#[tokio::test]
async fn what_was_changed_or_cut_of_a_recording_is_told() {
    let world = World::new();
    let (file, wav) = record(&world, 1, 700_000, true).await;
    let path = format!("/calls/{}/recording", call_id(1));
    let lies = std::fs::read(&file).expect("there");

    let mut bent = lies.clone();
    bent[1_000] ^= 1;
    std::fs::write(&file, &bent).expect("written");
    let reply = world.get(&path).await;
    assert_eq!(reply.status, 500);
    assert!(reply.text().contains("damaged"), "{}", reply.text());
    let behind = world.send("GET", &path, &[("range", "bytes=4000-")], "").await;
    assert_eq!(behind.status, 206, "what lies behind it opens");

    let mut bent = lies.clone();
    bent[600_000] ^= 1;
    std::fs::write(&file, &bent).expect("written");
    let reply = world.response("GET", &path, &[("host", "localhost:8080")], "").await;
    assert_eq!(reply.status(), 200);
    assert!(axum::body::to_bytes(reply.into_body(), 10_000_000).await.is_err(), "it ends before its time");

    std::fs::write(&file, &lies[..28 + 100 * 3_216]).expect("written");
    let cut = world.get(&path).await;
    assert_eq!((cut.status, cut.header("recording-state")), (200, "cut-short"));
    assert!(cut.bytes[44..] == wav[44..44 + 320_000]);

    let (_, wav) = record(&world, 2, 6_400, false).await;
    let mut open = cdr(2, "alice", Direction::Inbound, EndReason::RemoteHungUp);
    (open.ended_at, open.recording) = (None, Some(format!("alice/{}.sealed", call_id(2))));
    keep(&world, &open).await;
    let up = world.get(&format!("/calls/{}/recording", call_id(2))).await;
    assert_eq!((up.status, up.header("recording-state")), (200, "growing"));
    assert!(up.bytes == wav);

    callie_store::RetentionStore::erase(&*world.queue, &[call_id(2)], false).await.expect("erased");
    let without = world.get(&format!("/calls/{}/recording", call_id(2))).await;
    assert_eq!(without.status, 404, "{}", without.text());
    assert!(without.text().contains("destroyed"), "{}", without.text());
}

#[tokio::test]
async fn a_record_cannot_name_a_file_elsewhere() {
    let world = World::new();
    let elsewhere = Cdr { recording: Some("../../etc/passwd".into()), ..cdr(1, "alice", Direction::Inbound, EndReason::RtpLost) };
    keep(&world, &elsewhere).await;
    assert_eq!(world.get(&format!("/calls/{}/recording", call_id(1))).await.status, 404);
}

fn up(n: u32) -> ActiveCall {
    ActiveCall {
        id: call_id(n),
        user_id: user("alice"),
        direction: Direction::Outbound,
        remote_party: "bob".into(),
        started_at: at(n),
        answered: true,
    }
}

#[tokio::test]
async fn a_call_that_has_just_begun_is_shown_once_it_is_written_down() {
    let world = World::with_alice().await;
    world.exchange.active.lock().expect("not poisoned").push(up(7));
    // And one that is over already.
    let short = CallId::new(super::world::NOW.parse().expect("a time"), 1);
    for id in [call_id(7), short] {
        let path = format!("/calls/{id}");
        let record = Cdr { id, ..cdr(7, "alice", Direction::Outbound, EndReason::RemoteHungUp) };
        let shown = world.get(&path);
        let written = async {
            // The question is asked first.
            tokio::task::yield_now().await;
            keep(&world, &record).await;
        };
        assert_eq!(tokio::join!(shown, written).0.status, 200, "{id}");
    }
    let nobodys = world.get(&format!("/calls/{}", call_id(8))).await;
    assert_eq!(nobodys.status, 404, "what is neither up nor new is not waited for");
}

#[tokio::test]
async fn calls_that_are_up_are_listed_and_ended() {
    let world = World::with_alice().await;
    world.exchange.active.lock().expect("not poisoned").push(up(7));
    let active = world.get("/calls/active").await.json();
    assert_eq!((&active["total"], &active["calls"][0]["id"]), (&json!(1), &json!(call_id(7))));
    assert_eq!(world.get("/users/alice").await.json()["sip_status"]["active_calls"], 1);

    let path = format!("/calls/{}/hangup", call_id(7));
    assert_eq!(world.post(&path, "").await.status, 202);
    assert_eq!(world.post(&path, "").await.status, 404);
    keep(&world, &cdr(7, "alice", Direction::Outbound, EndReason::OperatorHungUp)).await;
    assert_eq!(world.post(&path, "").await.status, 409, "it has ended already");
}

#[tokio::test]
async fn keys_are_pressed_in_a_call_that_is_up() {
    let world = World::with_alice().await;
    let call = |n: u32, answered: bool| ActiveCall {
        id: call_id(n),
        user_id: user("alice"),
        direction: Direction::Outbound,
        remote_party: "bob".into(),
        started_at: at(n),
        answered,
    };
    world.exchange.active.lock().expect("not poisoned").extend([call(7, true), call(8, false)]);
    keep(&world, &cdr(9, "alice", Direction::Outbound, EndReason::OperatorHungUp)).await;
    for (n, body, want) in [
        (7, json!({"digits": "12#"}), 202),
        (7, json!({"digits": "*aD"}), 202),
        (8, json!({"digits": "1"}), 409),
        (9, json!({"digits": "1"}), 409),
        (10, json!({"digits": "1"}), 404),
        (7, json!({"digits": ""}), 422),
        (7, json!({"digits": "12,3"}), 422),
        (7, json!({"digits": "1".repeat(33)}), 422),
        (7, json!({"digits": 12}), 422),
        (7, json!({"digits": "1", "keys": 2}), 422),
        (7, json!([]), 422),
    ] {
        let answer = world.post(&format!("/calls/{}/dtmf", call_id(n)), &body.to_string()).await;
        assert_eq!(answer.status, want, "{n} {body}: {}", answer.text());
    }
    assert_eq!(*world.exchange.pressed.lock().expect("not poisoned"), "12#*AD");
}

#[tokio::test]
async fn calls_that_are_not_there() {
    let world = World::new();
    for path in [format!("/calls/{}", call_id(9)), format!("/calls/{}/recording", call_id(9)), "/calls/nonsense".into()] {
        assert_eq!(world.get(&path).await.status, 404, "{path}");
    }
}
