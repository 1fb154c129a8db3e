//! The client against a scripted HTTP server on loopback.

use super::*;
use crate::{Brief, EngineCause};
use std::future::poll_fn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Streams these deltas and ends properly.
    Words(&'static [&'static str]),
    /// Streams these, then closes in mid-answer.
    BreaksOff(&'static [&'static str]),
    Status(u16, &'static str),
    /// Takes the request and stays silent.
    Silence,
}

/// Serves one reply for each request, in order; gives the bodies of the requests.
pub async fn serve(replies: Vec<Reply>) -> (ChatOptions, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    // As many as there are replies.
    let (bodies, requests) = mpsc::channel(replies.len().max(1));
    let serving = async move {
        for reply in replies {
            let (mut socket, _) = listener.accept().await.expect("a connection");
            let Some(request) = read_request(&mut socket).await else { return };
            let _ = bodies.send(request).await;
            let text = match reply {
                Reply::Silence => std::future::pending().await,
                Reply::Status(code, body) => {
                    format!("HTTP/1.1 {code} So\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
                }
                Reply::Words(words) => format!("{}{}0\r\n\r\n", head(), chunks(words) + &chunk("data: [DONE]\n\n")),
                Reply::BreaksOff(words) => format!("{}{}", head(), chunks(words)),
            };
            let _ = socket.write_all(text.as_bytes()).await;
        }
    };
    #[expect(clippy::disallowed_methods, reason = "the server ends with the test's runtime")]
    tokio::spawn(serving);
    (ChatOptions { base_url, api_key: Some(Secret::new("sk-test")), model: "tiny".into() }, requests)
}

fn head() -> &'static str {
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
}

fn chunks(words: &[&str]) -> String {
    let event = |text: &&str| format!("data: {}\n\n", serde_json::json!({"choices": [{"delta": {"content": text}}]}));
    words.iter().map(|text| chunk(&event(text))).collect()
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// Head and body of one request.
async fn read_request(socket: &mut tokio::net::TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn brief() -> Brief {
    Brief { instructions: Some("We sell lamps.".into()), ..crate::local::tests::brief() }
}

async fn events_of(talk: &mut Talk) -> Vec<TalkEvent> {
    let mut events = Vec::new();
    loop {
        let event = poll_fn(|cx| talk.poll(cx)).await;
        let last = matches!(event, TalkEvent::Done { .. } | TalkEvent::Failed(_));
        events.push(event);
        if last {
            return events;
        }
    }
}

fn sentence(text: &str) -> TalkEvent {
    TalkEvent::Sentence(text.into())
}

#[tokio::test]
async fn answers_come_sentence_by_sentence_and_the_model_knows_the_conversation() {
    let (options, mut requests) =
        serve(vec![Reply::Words(&["We sell", " lamps. Wh", "ich one?"]), Reply::Words(&["Fine. Good", "bye!\n[hang up]"])]).await;
    let mut talk = Talk::new(ChatClient::new(options).expect("an address"), &brief());
    talk.note_said("Hello there.");
    talk.ask("What do you sell?");
    let want = [sentence("We sell lamps."), sentence("Which one?"), TalkEvent::Done { hang_up: false }];
    assert_eq!(events_of(&mut talk).await, want);
    talk.ask("The red one.");
    let want = [sentence("Fine."), sentence("Goodbye!"), TalkEvent::Done { hang_up: true }];
    assert_eq!(events_of(&mut talk).await, want);

    let first = requests.recv().await.expect("asked");
    assert!(first.starts_with("POST /v1/chat/completions ") && first.to_lowercase().contains("authorization: bearer sk-test"));
    for text in ["We sell lamps.", "[hang up]", "Alice", r#""stream":true"#, r#""model":"tiny""#] {
        assert!(first.contains(text), "{text:?} in {first}");
    }
    let second = requests.recv().await.expect("asked");
    let body: serde_json::Value = serde_json::from_str(second.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    let lines: Vec<(&str, &str)> = body["messages"]
        .as_array()
        .expect("lines")
        .iter()
        .skip(1)
        .map(|line| (line["role"].as_str().expect("a role"), line["content"].as_str().expect("text")))
        .collect();
    assert_eq!(
        lines,
        [
            ("assistant", "Hello there."),
            ("user", "What do you sell?"),
            ("assistant", "We sell lamps. Which one?"),
            ("user", "The red one."),
        ]
    );
}

#[tokio::test]
async fn failures_have_their_causes_and_never_the_key() {
    for (reply, cause, detail) in [
        (Reply::Status(401, "no sk-"), EngineCause::KeyRefused, "401"),
        (Reply::Status(404, r#"{"error":"model tiny not found"}"#), EngineCause::ModelUnknown, "not found"),
        (Reply::Status(429, ""), EngineCause::QuotaExceeded, "429"),
        (Reply::Status(400, "bad field"), EngineCause::SetupRefused, "bad field"),
        (Reply::Status(503, "loading model"), EngineCause::ServiceFailed, "loading"),
        (Reply::BreaksOff(&[]), EngineCause::ConnectionLost, "broke off"),
        (Reply::BreaksOff(&["Half a"]), EngineCause::ConnectionLost, "broke off"),
        (Reply::Words(&[]), EngineCause::ServiceFailed, "without a word"),
    ] {
        let (options, _requests) = serve(vec![reply.clone()]).await;
        let mut talk = Talk::new(ChatClient::new(options).expect("an address"), &brief());
        talk.ask("Hello?");
        let events = events_of(&mut talk).await;
        let Some(TalkEvent::Failed(error)) = events.last() else { panic!("{reply:?}: {events:?}") };
        assert_eq!(error.cause, cause, "{reply:?}: {error}");
        assert!(error.detail.contains(detail) && !error.detail.contains("sk-test"), "{reply:?}: {error}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_from_somebody_silent() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let nobody = ChatOptions { base_url: format!("http://127.0.0.1:{port}/v1"), api_key: None, model: "tiny".into() };
    let mut talk = Talk::new(ChatClient::new(nobody).expect("an address"), &brief());
    talk.ask("Hello?");
    let events = events_of(&mut talk).await;
    assert!(matches!(&events[..], [TalkEvent::Failed(error)] if error.cause == EngineCause::Unreachable), "{events:?}");

    let (options, mut requests) = serve(vec![Reply::Silence]).await;
    let mut talk = Talk::new(ChatClient::new(options).expect("an address"), &brief());
    talk.ask("Hello?");
    // The clock stands still until the request is on its way, then jumps.
    let asked = poll_fn(|cx| {
        let _ = talk.poll(cx);
        requests.poll_recv(cx)
    });
    assert!(asked.await.is_some());
    tokio::time::pause();
    let events = events_of(&mut talk).await;
    assert!(matches!(&events[..], [TalkEvent::Failed(error)] if error.cause == EngineCause::Stalled), "{events:?}");
}

#[tokio::test]
async fn https_is_spoken_and_not_fallen_back_from() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("https://{}/v1", listener.local_addr().expect("an address"));
    let first_bytes = async {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let mut bytes = [0; 3];
        socket.read_exact(&mut bytes).await.expect("a record");
        bytes
    };
    let options = ChatOptions { base_url, api_key: Some(Secret::new("sk-test")), model: "tiny".into() };
    let mut talk = Talk::new(ChatClient::new(options).expect("an address"), &brief());
    talk.ask("Hello?");
    let (first_bytes, events) = tokio::join!(first_bytes, events_of(&mut talk));
    assert!(matches!(&events[..], [TalkEvent::Failed(error)] if error.cause == EngineCause::Unreachable), "{events:?}");
    // A TLS record that holds a handshake (RFC 8446 section 5.1).
    assert_eq!(first_bytes, [22, 3, 1]);
}

#[test]
fn an_address_that_cannot_be_asked_is_refused_at_start() {
    for base_url in ["", "localhost:11434", "ftp://localhost/v1"] {
        let options = ChatOptions { base_url: base_url.into(), api_key: None, model: "tiny".into() };
        let error = ChatClient::new(options).expect_err(base_url);
        assert_eq!(error.cause, EngineCause::Config);
    }
}
