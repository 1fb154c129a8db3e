//! The guard against receivers of every manner, and against names that change their mind.

use super::client::{GuardedClient, Method, Outgoing, OutsideError};
use super::names::Lookup;
use crate::config::PrivateTargets;
use callie_lab::receiver::{Manner, Receiver};
use reqwest::header::HeaderMap;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn allowing(text: &str) -> PrivateTargets {
    let nets = text.split(',').filter_map(|item| item.parse().ok()).collect();
    let hosts = text.split(',').filter(|item| !item.contains('/')).map(str::to_owned).collect();
    PrivateTargets { nets, hosts }
}

fn request(url: &str) -> Outgoing {
    Outgoing {
        method: Method::POST,
        url: url.to_owned(),
        headers: HeaderMap::new(),
        body: b"{}".to_vec(),
        within: Duration::from_secs(5),
        most_bytes: 8,
    }
}

async fn ask(allowed: &str, url: &str) -> Result<super::Answer, OutsideError> {
    GuardedClient::new(allowing(allowed)).expect("a client").ask(request(url)).await
}

/// Each answer once, the last one for ever.
fn lookup(answers: &[&[&str]]) -> Lookup {
    let parse = |list: &&[&str]| list.iter().map(|text| text.parse().expect("an address")).collect::<Vec<IpAddr>>();
    let answers = Arc::new(Mutex::new(answers.iter().map(parse).collect::<VecDeque<_>>()));
    Arc::new(move |_| {
        let mut answers = answers.lock().expect("not poisoned");
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    })
}

#[tokio::test]
async fn private_targets_are_refused_however_they_are_written() {
    let receiver = Receiver::start().await.expect("a receiver");
    let port = receiver.address().port();
    for host in
        ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.0.0.1.", "[::ffff:127.0.0.1]", "0", "[::1]", "169.254.169.254"]
    {
        let answer = ask("", &format!("http://{host}:{port}/")).await;
        assert!(matches!(answer, Err(OutsideError::Refused(_))), "{host}: {answer:?}");
    }
    assert_eq!(receiver.received(), []);
}

#[tokio::test]
async fn the_operator_may_allow_a_net_or_a_name() {
    let receiver = Receiver::start().await.expect("a receiver");
    let port = receiver.address().port();
    for (allowed, host, may) in [
        ("127.0.0.0/8", "127.0.0.1", true),
        ("127.0.0.0/8", "localhost", true),
        ("localhost", "LOCALHOST", true),
        ("localhost", "127.0.0.1", false),
        ("10.0.0.0/8", "127.0.0.1", false),
    ] {
        let answer = ask(allowed, &format!("http://{host}:{port}/x?y=1")).await;
        assert_eq!(answer.is_ok(), may, "{allowed} {host}: {answer:?}");
    }
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(receiver.received()[0].line, "POST /x?y=1");
}

#[tokio::test]
async fn a_name_is_connected_to_where_it_was_checked() {
    let receiver = Receiver::start().await.expect("a receiver");
    let url = format!("http://hook.example:{}/", receiver.address().port());
    let with = |answers: &[&[&str]]| GuardedClient::with_lookup(allowing("127.0.0.1/32"), lookup(answers)).expect("a client");
    // Only the address that may be reached is tried, wherever it stands.
    for answers in [["127.0.0.1", "127.0.0.2"], ["10.0.0.1", "127.0.0.1"], ["169.254.169.254", "127.0.0.1"]] {
        let answer = with(&[&answers]).ask(request(&url)).await.expect("an answer");
        assert_eq!(answer.status, 200);
    }
    // It was public when somebody looked, and is not when it is connected to.
    let client = with(&[&["127.0.0.1"], &["127.0.0.2"]]);
    assert!(client.ask(request(&url)).await.is_ok());
    let rebound = client.ask(request(&url)).await.expect_err("rebound");
    assert!(matches!(&rebound, OutsideError::Refused(text) if text.contains("hook.example leads to 127.0.0.2")), "{rebound}");
    assert_eq!(receiver.received().len(), 4);
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let inner = Receiver::start().await.expect("a receiver");
    let receiver = Receiver::start().await.expect("a receiver");
    for to in ["http://169.254.169.254/latest/meta-data/".to_owned(), inner.url("/")] {
        receiver.behave(Manner::with_header(307, "Location", &to));
        let answer = ask("127.0.0.1/32", &receiver.url("/")).await.expect("an answer");
        assert_eq!(answer.status, 307);
    }
    assert_eq!(inner.received(), []);
}

#[tokio::test]
async fn a_request_is_bounded_in_time_and_size() {
    let receiver = Receiver::start().await.expect("a receiver");
    let client = GuardedClient::new(allowing("127.0.0.1/32")).expect("a client");
    let soon = || Outgoing { within: Duration::from_millis(300), ..request(&receiver.url("/")) };
    let began = Instant::now();
    for manner in [Manner::Hang, Manner::Drip(Duration::from_millis(50))] {
        receiver.behave(manner.clone());
        let answer = client.ask(soon()).await;
        assert!(matches!(answer, Err(OutsideError::TooSlow { .. })), "{manner:?}: {answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    receiver.behave(Manner::Die);
    assert!(matches!(client.ask(request(&receiver.url("/"))).await, Err(OutsideError::Broken(..))));
    for (body, kept, is_whole) in [("12345678", "12345678", true), ("123456789", "12345678", false), ("", "", true)] {
        receiver.behave(Manner::Answer { status: 500, headers: Vec::new(), body: body.to_owned() });
        let answer = client.ask(request(&receiver.url("/"))).await.expect("an answer");
        assert_eq!((answer.status, answer.body, answer.is_whole), (500, kept.as_bytes().to_vec(), is_whole));
    }
}

#[tokio::test]
async fn what_cannot_be_asked_says_why_without_the_address() {
    let closed = Receiver::start().await.expect("a receiver").address();
    for (url, want) in [
        ("ftp://example.com/", "http://"),
        ("file:///etc/passwd", "http://"),
        ("not a url", "no URL"),
        ("http://user:SECRET@127.0.0.1/", "a password"),
        (&format!("http://{closed}/SECRET?key=SECRET"), "cannot be reached"),
    ] {
        let error = ask("127.0.0.1/32", url).await.expect_err("no answer").to_string();
        assert!(error.contains(want) && !error.contains("SECRET"), "{url}: {error}");
    }
}
