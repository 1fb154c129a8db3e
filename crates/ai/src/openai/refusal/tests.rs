//! What services say when they refuse.

use super::*;
use EngineCause::*;

fn refusals() -> Refusals {
    Refusals::new(Secret::new("sk-of-ours"))
}

#[test]
fn statuses() {
    let quota =
        r#"{"error": {"message": "You exceeded your current quota, please check your plan.", "code": "insufficient_quota"}}"#;
    let key = r#"{"error": {"message": "Incorrect API key provided: sk-of-ours.", "code": "invalid_api_key"}}"#;
    let model =
        r#"{"error": {"message": "The model `x` does not exist or you do not have access to it.", "code": "model_not_found"}}"#;
    let azure = r#"{"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}"#;
    let cases = [
        (401, key, KeyRefused, false, "HTTP 401 invalid_api_key Incorrect API key provided: (key)."),
        (403, "", KeyRefused, false, "HTTP 403"),
        (
            404,
            model,
            ModelUnknown,
            false,
            "HTTP 404 model_not_found The model `x` does not exist or you do not have access to it.",
        ),
        (404, azure, ModelUnknown, false, "HTTP 404 DeploymentNotFound The API deployment for this resource does not exist."),
        (
            429,
            quota,
            QuotaExceeded,
            false,
            "HTTP 429 insufficient_quota You exceeded your current quota, please check your plan.",
        ),
        (429, "slow down", QuotaExceeded, true, "HTTP 429 slow down"),
        (400, "no", SetupRefused, false, "HTTP 400 no"),
        (400, key, KeyRefused, false, "HTTP 400 invalid_api_key Incorrect API key provided: (key)."),
        (402, "", QuotaExceeded, false, "HTTP 402"),
        (503, "<html>\n\u{1}busy</html>", ServiceFailed, true, "HTTP 503 <html> busy</html>"),
        (302, "", Unreachable, true, "HTTP 302"),
        (500, r#"{"error": "model not loaded"}"#, ServiceFailed, true, "HTTP 500 model not loaded"),
    ];
    for (status, body, cause, retry, detail) in cases {
        assert_eq!(refusals().of_status(status, body), Ending { error: EngineError::new(cause, detail), retry }, "{status}");
    }
}

#[test]
fn closes() {
    let cases = [
        (1000, "", ConnectionLost, true),
        (1006, "", ConnectionLost, true),
        (1001, "", SessionExpired, true),
        (1001, "Your session hit the maximum duration of 60 minutes.", SessionExpired, true),
        (1000, "session_expired", SessionExpired, true),
        (3000, "invalid_request_error.invalid_api_key", KeyRefused, false),
        (4000, "invalid_request_error.invalid_value", SetupRefused, false),
        (1008, "insufficient_quota", QuotaExceeded, false),
        (1013, "Rate limit reached for requests", QuotaExceeded, true),
        (1009, "message too big", Internal, false),
        (1011, "keepalive ping timeout", ServiceFailed, true),
        (1011, "", ServiceFailed, true),
        (4242, "", ServiceFailed, true),
    ];
    for (code, reason, cause, retry) in cases {
        let ending = refusals().of_close(code, reason);
        assert_eq!((ending.error.cause, ending.retry), (cause, retry), "{code} {reason}");
        assert!(ending.error.detail.starts_with(&format!("closed with {code}")) && ending.error.detail.ends_with(reason));
    }
}

#[test]
fn errors() {
    let cases = [
        (
            "invalid_request_error",
            "session_expired",
            "Your session hit the maximum duration of 60 minutes.",
            SessionExpired,
            true,
        ),
        ("invalid_request_error", "invalid_api_key", "", KeyRefused, false),
        ("invalid_request_error", "model_not_found", "", ModelUnknown, false),
        ("insufficient_quota", "insufficient_quota", "You exceeded your current quota.", QuotaExceeded, false),
        ("insufficient_quota", "", "You exceeded your current quota.", QuotaExceeded, false),
        ("tokens", "rate_limit_exceeded", "Rate limit reached", QuotaExceeded, true),
        ("server_error", "", "The server had an error", ServiceFailed, true),
        ("server_error", "internal_error", "", ServiceFailed, true),
        ("invalid_request_error", "unknown_parameter", "Unknown parameter: 'session.x'.", SetupRefused, false),
        ("", "", "", ServiceFailed, true),
    ];
    for (kind, code, message, cause, retry) in cases {
        let error = ErrorBody { kind: kind.into(), code: code.into(), message: message.into(), ..ErrorBody::default() };
        let ending = refusals().of_error(&error);
        assert_eq!((ending.error.cause, ending.retry), (cause, retry), "{kind} {code} {message}");
    }
}
