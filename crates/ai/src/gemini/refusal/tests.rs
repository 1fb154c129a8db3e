//! Closes and statuses as the service has been seen to send them.

use super::*;
use EngineCause::*;

fn refusals() -> Refusals {
    Refusals::new(Secret::new("k3y-of-ours"))
}

#[test]
fn close_codes() {
    let cases = [
        (1000, "", Phase::Talking, ConnectionLost),
        (1000, "", Phase::GoingAway, SessionExpired),
        (1006, "", Phase::Talking, ConnectionLost),
        (1009, "message too big", Phase::Talking, Internal),
        (1001, "", Phase::Talking, SessionExpired),
        (1011, "Deadline expired before operation could complete.", Phase::Talking, SessionExpired),
        (1011, "Internal error encountered.", Phase::Talking, ServiceFailed),
        (1011, "Internal error encountered.", Phase::GoingAway, SessionExpired),
        (1011, "RESOURCE_EXHAUSTED", Phase::Talking, QuotaExceeded),
        (1011, "You exceeded your current quota, please check your plan", Phase::Setup, QuotaExceeded),
        (1008, "Your prepayment credits are depleted.", Phase::Talking, QuotaExceeded),
        (1007, "API key not valid. Please pass a valid API key.", Phase::Setup, KeyRefused),
        (1007, "Invalid JSON payload received. Unknown name \"proactivity\" at 'setup'", Phase::Setup, SetupRefused),
        (1007, "Request contains an invalid argument.", Phase::Talking, SetupRefused),
        (
            1008,
            "models/gemini-9 is not found for API version v1beta, or is not supported for bidiGenerateContent",
            Phase::Setup,
            ModelUnknown,
        ),
        (1008, "Operation is not implemented, or supported, or enabled.", Phase::Talking, ServiceFailed),
        (1008, "Operation is not implemented, or supported, or enabled.", Phase::Setup, SetupRefused),
        (1008, "session not found", Phase::Setup, SetupRefused),
        (1012, "", Phase::Talking, ServiceFailed),
        (4242, "", Phase::Talking, ServiceFailed),
    ];
    for (code, reason, phase, cause) in cases {
        let error = refusals().of_close(code, reason, phase).error;
        assert_eq!(error.cause, cause, "{code} {reason} {phase:?}");
        assert!(error.detail.starts_with(&format!("closed with {code}")) && error.detail.ends_with(reason), "{error}");
    }
}

#[test]
fn statuses() {
    let key = r#"{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}"#;
    let cases = [
        (400, key, KeyRefused, "HTTP 400 INVALID_ARGUMENT API key not valid."),
        (400, "no", SetupRefused, "HTTP 400 no"),
        (401, "", KeyRefused, "HTTP 401"),
        (403, "", KeyRefused, "HTTP 403"),
        (404, "", ModelUnknown, "HTTP 404"),
        (429, "", QuotaExceeded, "HTTP 429"),
        (503, "<html>\n\u{1}busy</html>", ServiceFailed, "HTTP 503 <html> busy</html>"),
        (302, "", Unreachable, "HTTP 302"),
    ];
    for (status, body, cause, detail) in cases {
        assert_eq!(refusals().of_status(status, body).error, EngineError::new(cause, detail));
    }
}

#[test]
fn the_key_is_never_part_of_the_evidence() {
    let ending = refusals().of_close(1007, "bad key k3y-of-ours given", Phase::Setup);
    assert_eq!(ending.error.detail, "closed with 1007: bad key (key) given");
}

#[test]
fn each_close_has_its_course() {
    let cases = [
        (1000, "", Course::Resume),
        (1001, "", Course::Resume),
        (1006, "", Course::Resume),
        (1011, "Internal error encountered.", Course::Resume),
        (1011, "Deadline expired before operation could complete.", Course::Resume),
        (1012, "", Course::Resume),
        (1007, "Invalid session resumption handle", Course::WithoutHandle),
        (1007, "API key expired.", Course::GiveUp),
        (1008, "Operation is not implemented, or supported, or enabled.", Course::Anew),
        (1008, "session not found", Course::Anew),
        (1008, "models/m is not found", Course::GiveUp),
        (1008, "Your prepayment credits are depleted.", Course::GiveUp),
        (1011, "RESOURCE_EXHAUSTED", Course::GiveUp),
        (1009, "", Course::GiveUp),
    ];
    for (code, reason, course) in cases {
        for phase in [Phase::Setup, Phase::Talking] {
            assert_eq!(refusals().of_close(code, reason, phase).course, course, "{code} {reason} {phase:?}");
        }
    }
    let of_status = |status| refusals().of_status(status, "").course;
    assert_eq!([400, 401, 403, 404, 429].map(of_status), [Course::GiveUp; 5]);
    assert_eq!([500, 503, 302].map(of_status), [Course::Again; 3]);
}
