//! Ways in which a session does and does not come about.

use crate::service::{KEY, Service, open, options};
use callie_ai::{EngineCause, EngineError, GeminiOptions};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SHORT: Duration = Duration::from_millis(200);

async fn refused(options: GeminiOptions) -> EngineError {
    let error = open(options).await.err().expect("refused");
    assert!(!error.to_string().contains(KEY), "{error}");
    error
}

#[tokio::test]
async fn the_key_travels_in_a_header_and_the_setup_first() {
    let service = Service::listen().await;
    let serve = async {
        let mut peer = service.accept().await;
        assert_eq!(peer.path, "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent");
        assert_eq!(peer.key.as_deref(), Some(KEY.as_bytes()));
        let setup = peer.next().await;
        assert_eq!(setup["setup"]["model"], "models/gemini-3.8-live");
        let speech = &setup["setup"]["generationConfig"]["speechConfig"];
        assert_eq!(speech["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"], "Kore");
        let instruction = setup["setup"]["systemInstruction"]["parts"][0]["text"].as_str().expect("text");
        assert!(instruction.ends_with("Be brief."), "{instruction}");
        peer.send("not yet").await;
        peer.send("{\n  \"setupComplete\": {}\n}\n").await;
        peer
    };
    let (caller, _peer) = tokio::join!(open(options(&service.url())), serve);
    assert!(caller.is_ok());
}

async fn check_status(status: &str, body: &str, cause: EngineCause, detail: &str) {
    let service = Service::listen().await;
    let serve = async {
        let mut stream = service.accept_raw().await;
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request).await;
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.expect("writes");
        stream
    };
    let (error, _stream) = tokio::join!(refused(options(&service.url())), serve);
    assert_eq!(error, EngineError::new(cause, detail));
}

#[tokio::test]
async fn refused_upgrades_tell_their_cause() {
    use EngineCause::*;
    let key = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#;
    check_status("400 Bad Request", key, KeyRefused, "HTTP 400 INVALID_ARGUMENT API key not valid. Please pass a valid API key.")
        .await;
    check_status("400 Bad Request", "", SetupRefused, "HTTP 400").await;
    check_status("401 Unauthorized", "", KeyRefused, "HTTP 401").await;
    check_status("403 Forbidden", &format!("no {KEY}"), KeyRefused, "HTTP 403 no (key)").await;
    check_status("404 Not Found", "", ModelUnknown, "HTTP 404").await;
    check_status("429 Too Many Requests", "slow down", QuotaExceeded, "HTTP 429 slow down").await;
    check_status("503 Service Unavailable", "", ServiceFailed, "HTTP 503").await;
    check_status("200 OK", "hello", Unreachable, "HTTP 200 hello").await;
    check_status("101 Switching Protocols", "", Unreachable, "the upgrade was answered by something that is no WebSocket").await;
}

#[tokio::test]
async fn a_setup_that_is_closed_upon_tells_its_cause() {
    use EngineCause::*;
    for (code, reason, cause) in [
        (1007, "API key not valid. Please pass a valid API key.", KeyRefused),
        (1007, "Unknown name \"proactivity\" at 'setup'", SetupRefused),
        (1008, "models/m is not found for API version v1beta, or is not supported for bidiGenerateContent", ModelUnknown),
        (1011, "RESOURCE_EXHAUSTED", QuotaExceeded),
        (1011, "Internal error", ServiceFailed),
        (1000, "", ConnectionLost),
    ] {
        let service = Service::listen().await;
        let serve = async {
            let mut peer = service.accept().await;
            peer.next().await;
            peer.close(code, reason).await;
        };
        let (error, ()) = tokio::join!(refused(options(&service.url())), serve);
        assert_eq!(error.cause, cause, "{error}");
        assert!(error.detail.contains(reason), "{error}");
    }
}

#[tokio::test]
async fn silence_has_its_patience() {
    let service = Service::listen().await;
    let patience = |url: &str| GeminiOptions { connect_timeout: SHORT, setup_timeout: SHORT, ..options(url) };
    // It accepts and says nothing.
    let (error, _stream) = tokio::join!(refused(patience(&service.url())), service.accept_raw());
    assert_eq!(error, EngineError::new(EngineCause::Unreachable, "no connection within 200ms"));
    // It upgrades and says nothing.
    let (error, _peer) = tokio::join!(refused(patience(&service.url())), service.accept());
    assert_eq!(error, EngineError::new(EngineCause::Stalled, "no answer to the setup within 200ms"));
    // It hangs up instead of an upgrade.
    let (error, ()) = tokio::join!(refused(options(&service.url())), async { drop(service.accept_raw().await) });
    assert!(matches!(error.cause, EngineCause::Unreachable | EngineCause::ConnectionLost), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let url = Service::listen().await.url();
    let error = refused(options(&url)).await;
    assert_eq!(error.cause, EngineCause::Unreachable, "{error}");
    assert!(error.detail.contains("refused") && error.detail.contains("127.0.0.1"), "{error}");
    let error = refused(GeminiOptions { connect_timeout: Duration::from_secs(1), ..options("ws://nobody.invalid") }).await;
    assert_eq!(error.cause, EngineCause::Unreachable, "{error}");
}

#[tokio::test]
async fn tls_is_spoken_and_wanted_back() {
    let service = Service::listen().await;
    let serve = async {
        let mut stream = service.accept_raw().await;
        let mut hello = [0; 3];
        stream.read_exact(&mut hello).await.expect("reads");
        // A TLS handshake record (RFC 8446 §5.1), with nothing of HTTP in it.
        assert_eq!(hello[..2], [22, 3]);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("writes");
        stream
    };
    let (error, _stream) = tokio::join!(refused(options(&service.url().replace("ws://", "wss://"))), serve);
    assert_eq!(error.cause, EngineCause::Unreachable, "{error}");
}
