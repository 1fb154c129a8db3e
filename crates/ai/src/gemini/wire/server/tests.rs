//! Messages as the service has been seen to send them, and as it might.

use super::*;

#[test]
fn several_fields_and_parts_in_one_pretty_printed_message() {
    let frame = br#"{
      "serverContent": {
        "modelTurn": {"role": "model", "parts": [
          {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AQD//w=="}},
          {"text": "aside", "thought": true},
          {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AQA="}}
        ]},
        "outputTranscription": {"text": "Good ", "finished": false},
        "interrupted": true, "turnComplete": true, "interactionStatus": "IDLE", "turnCompleteReason": "OTHER"
      },
      "usageMetadata": {"promptTokenCount": 522, "responseTokenCount": "42", "totalTokenCount": 700,
                        "thoughtsTokenCount": 136, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 500}]},
      "toolCall": {"functionCalls": [{"id": "f-1", "name": "end_call", "args": {"reason": "done"}}, {"name": "x"}]},
      "toolCallCancellation": {"ids": ["f-0"]},
      "sessionResumptionUpdate": {"newHandle": "Cih", "resumable": true},
      "goAway": {"timeLeft": "50s"},
      "somethingNew": {"deep": [1, 2, {"x": null}]}
    }"#;
    let message = parse(frame).expect("reads");
    let content = message.server_content.expect("content");
    let parts = content.model_turn.expect("turn").parts;
    let data: Vec<_> = parts.iter().filter_map(|part| part.inline_data.as_ref()).map(|audio| audio.data.as_ref()).collect();
    assert_eq!((parts.len(), data), (3, vec!["AQD//w==", "AQA="]));
    assert_eq!(content.output_transcription.expect("words").text, "Good ");
    assert!(content.interrupted && content.turn_complete && !content.generation_complete);
    assert_eq!((content.interaction_status.as_ref(), content.turn_complete_reason.as_ref()), ("IDLE", "OTHER"));
    let usage = message.usage_metadata.expect("usage");
    assert_eq!((usage.response_token_count, usage.thoughts_token_count), (Count(42), Count(136)));
    let [audio] = &usage.prompt_tokens_details[..] else { panic!("one detail") };
    assert_eq!((audio.modality.as_str(), audio.token_count), ("AUDIO", Count(500)));
    let calls = message.tool_call.expect("tools").function_calls;
    assert_eq!((calls[0].id.as_deref(), calls[1].name.as_str(), calls[1].id.is_none()), (Some("f-1"), "x", true));
    assert_eq!(message.tool_call_cancellation.expect("cancelled").ids, ["f-0"]);
    assert_eq!(message.session_resumption_update.expect("update").new_handle, "Cih");
    assert_eq!(message.go_away.expect("goes").time_left, "50s");
}

#[test]
fn the_time_that_is_left() {
    for (text, seconds) in [("50s", 50.0), ("9.5s", 9.5), ("0.050s", 0.05), ("0s", 0.0), (" 60s ", 60.0), ("999999999s", 3_600.0)]
    {
        assert_eq!(GoAway { time_left: text.into() }.remaining(), Duration::from_secs_f64(seconds), "{text}");
    }
    for text in ["", "soon", "-3s", "NaNs", "50", "1e400s"] {
        assert_eq!(GoAway { time_left: text.into() }.remaining(), GoAway::SHORT, "{text}");
    }
}

#[test]
fn a_message_of_next_year_is_told_from_ours() {
    for (frame, unknown) in [
        (r#"{"new": {}}"#, true),
        ("{}", true),
        (r#"{"voiceActivity": {"x": 1}}"#, false),
        (r#"{"new": 1, "goAway": {}}"#, false),
    ] {
        assert_eq!(parse(frame.as_bytes()).expect("reads").is_unknown(), unknown, "{frame}");
    }
}

#[test]
fn snake_case_and_nulls_are_taken() {
    let frame = br#"{"server_content": {"model_turn": {"parts": [{"inline_data": {"mime_type": "audio/pcm", "data": "AQA="}}]},
                     "turn_complete": true, "input_transcription": null}, "usage_metadata": null}"#;
    let content = parse(frame).expect("reads").server_content.expect("content");
    assert!(content.turn_complete && content.model_turn.is_some_and(|turn| turn.parts[0].inline_data.is_some()));
}

#[test]
fn audio_is_borrowed_from_the_frame() {
    let frame = br#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm","data":"AQA="}}]}}}"#;
    let turn = parse(frame).expect("reads").server_content.and_then(|content| content.model_turn).expect("turn");
    let audio = turn.parts[0].inline_data.as_ref().expect("audio");
    assert!(matches!((&audio.data, &audio.mime_type), (Cow::Borrowed(_), Cow::Borrowed(_))));
}

#[test]
fn a_field_of_another_type_costs_only_itself() {
    let frame = br#"{"serverContent": {"interrupted": "yes", "outputTranscription": {"text": "still here"}},
                     "goAway": {"timeLeft": 50}, "setupComplete": {}}"#;
    assert!(parse(frame).is_err());
    let value = salvage(frame).expect("an object");
    let message = ServerMessage::deserialize(&value).expect("salvaged");
    assert_eq!(message.server_content.expect("content").output_transcription.expect("words").text, "still here");
    assert!(message.go_away.is_none() && message.setup_complete.is_some());
}

#[test]
fn junk_is_told_from_messages() {
    for junk in ["", "[]", "[7]", "7", "\"x\"", "{", "nonsense", "\u{0}", &"[".repeat(100_000)] {
        assert!(parse(junk.as_bytes()).is_err() && salvage(junk.as_bytes()).is_none(), "{junk:.20}");
    }
    assert!(parse(b"{}").is_ok());
    assert!(salvage(b"\xff\xfe").is_none());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let _ = salvage(&bytes);
    }
}
