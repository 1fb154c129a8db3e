//! Events as the service writes them, and as it had better not.

use super::*;
use proptest::prelude::*;

#[test]
fn audio_is_borrowed_from_the_frame() {
    let frame = br#"{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i","delta":"AQD//w=="}"#;
    let event = parse(frame).expect("reads");
    assert_eq!(
        (event.kind.as_ref(), event.response_id.as_ref(), event.item_id.as_ref()),
        ("response.output_audio.delta", "r", "i")
    );
    assert!(matches!(event.delta, Cow::Borrowed("AQD//w==")));
}

#[test]
fn a_response_is_read_with_its_calls_and_its_usage() {
    let frame = br#"{"type":"response.done","response":{"id":"resp_1","object":"realtime.response","status":"failed",
      "status_details":{"type":"failed","reason":null,"error":{"type":"server_error","code":"rate_limit_exceeded","message":"slow down"}},
      "output":[{"id":"item_1","type":"function_call","status":"completed","name":"end_call","call_id":"call_1","arguments":"{}"},
                {"id":"item_2","type":"message","role":"assistant","content":[{"type":"output_audio","transcript":"Hi"}]}],
      "usage":{"total_tokens":275,"input_tokens":127,"output_tokens":148,
               "input_token_details":{"text_tokens":119,"audio_tokens":8,"image_tokens":0,"cached_tokens":64,
                                      "cached_tokens_details":{"text_tokens":64,"audio_tokens":0}},
               "output_token_details":{"text_tokens":36,"audio_tokens":112}},
      "conversation_id":"conv_1","max_output_tokens":"inf","metadata":null}}"#;
    let response = parse(frame).expect("reads").response.expect("a response");
    assert_eq!((response.id.as_str(), response.status.as_str()), ("resp_1", "failed"));
    let details = response.status_details.expect("details");
    assert_eq!(details.error.expect("an error").code, "rate_limit_exceeded");
    assert_eq!((response.output[0].call_id.as_str(), response.output[1].role.as_str()), ("call_1", "assistant"));
    let usage = response.usage.expect("usage");
    let input = usage.input_token_details.expect("details");
    assert_eq!((usage.total_tokens, input.cached_tokens, input.audio_tokens), (Count(275), Count(64), Count(8)));
}

#[test]
fn nulls_are_absent_texts() {
    let frame = br#"{"type":"conversation.item.added","previous_item_id":null,"item":{"id":"i","type":"message","role":null}}"#;
    let event = parse(frame).expect("reads");
    assert_eq!(event.previous_item_id, "");
    assert_eq!(event.item.expect("an item").role, "");
    let error = br#"{"type":"error","error":{"type":"invalid_request_error","code":null,"message":"no","param":null,"event_id":"callie-item-1"}}"#;
    let error = parse(error).expect("reads").error.expect("an error");
    assert_eq!((error.code.as_str(), error.event_id.as_str()), ("", "callie-item-1"));
}

#[test]
fn a_field_of_another_type_costs_only_itself() {
    let frame =
        br#"{"type":"response.done","delta":{"new":1},"response":{"id":"r","status":"completed","output":"none","usage":7}}"#;
    assert!(parse(frame).is_err());
    let salvaged = salvage(frame).expect("an object");
    let event = ServerEvent::deserialize(&salvaged).expect("reads");
    let response = event.response.expect("a response");
    assert_eq!((event.kind.as_ref(), response.id.as_str(), response.status.as_str()), ("response.done", "r", "completed"));
}

#[test]
fn events_of_next_year_are_read_and_junk_is_told_from_them() {
    let event = parse(br#"{"type":"response.smell.delta","intensity":[1,2],"nested":{"a":null}}"#).expect("reads");
    assert_eq!(event.kind, "response.smell.delta");
    for junk in ["", "no", "[]", "\"x\"", "{", "{\"type\":", "\u{1}\u{2}"] {
        assert!(parse(junk.as_bytes()).is_err() && salvage(junk.as_bytes()).is_none(), "{junk}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (parse(&frame).is_ok(), salvage(&frame).is_some());
    }

    #[test]
    fn no_fields_make_it_panic(frame in r#"\{"(type|response|item|error|delta|session)":[ -~]{0,60}\}"#) {
        let _ = (parse(frame.as_bytes()).is_ok(), salvage(frame.as_bytes()).is_some());
    }
}
