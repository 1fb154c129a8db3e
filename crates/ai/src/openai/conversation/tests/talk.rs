//! Conversations that go well.

use super::*;

#[test]
fn the_greeting_is_asked_for_with_the_instructions_of_the_session_in_front() {
    let mut world = World::of("openai", &brief());
    assert_eq!(world.messages(), [] as [Value; 0]);
    world.conversation.start(world.now);
    let messages = world.messages();
    let instructions = messages[0]["response"]["instructions"].as_str().expect("instructions");
    assert!(instructions.starts_with("You answer the phone.\n\n(The call has just been answered."), "{instructions}");
    assert!(instructions.contains("Hello, this is Alice."));
}

#[test]
fn somebody_we_called_says_hello_first() {
    let mut world = World::of("openai", &Brief { outbound: true, ..brief() });
    world.conversation.start(world.now);
    assert_eq!(world.messages(), [] as [Value; 0]);
    world.pass(ms(1_500));
    assert_eq!(kinds(&world.messages()), ["response.create"]);
}

#[test]
fn a_turn_is_audio_with_its_words_and_its_end() {
    let mut world = World::answered();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.event(json!({"type": "response.output_item.added", "response_id": "r1",
                       "item": {"id": "a1", "type": "message", "role": "assistant"}}));
    world.words("r1", "a1", "Good mor");
    world.words("r1", "a1", "ning, Hotel Alpenblick.");
    world.delta("r1", "a1", 400);
    world.delta("r1", "a1", 500);
    world.event(json!({"type": "response.output_audio.done", "response_id": "r1", "item_id": "a1"}));
    world.done("r1", "completed");
    let expected =
        [audio(400), said("Good"), audio(500), said(" morning,"), said(" Hotel Alpenblick."), EngineEvent::TurnComplete];
    assert_eq!(world.events(), expected);
}

#[test]
fn words_of_the_caller_are_told_in_order_however_late() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 500);
    world.done("r1", "completed");
    world.caller_speaks("u2", "a1");
    world.events();
    world.transcribed("u2", "and breakfast?");
    assert_eq!(world.events(), [], "the first words are still to come");
    world.transcribed("u1", " A room for two. ");
    assert_eq!(world.events(), [heard("A room for two."), heard("and breakfast?")]);
}

#[test]
fn words_that_never_come_do_not_keep_the_others() {
    let mut world = World::asked();
    world.caller_speaks("u2", "u1");
    world.transcribed("u2", "Hello?");
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.speaks("r1", "a1", 300);
    world.done("r1", "completed");
    world.events();
    world.pass(items::WORDS);
    assert!(world.events().contains(&heard("Hello?")));
    world.event(json!({"type": "conversation.item.input_audio_transcription.failed", "item_id": "u1", "error": {"code": "x"}}));
    assert!(world.notices()[0].contains("could not write down"));
}

#[test]
fn services_of_the_former_interface_are_understood() {
    let mut world = World::of("qwen", &brief());
    world.conversation.start(world.now);
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.event(json!({"type": "response.audio.delta", "response_id": "r1", "item_id": "a1", "delta": "AQACAA=="}));
    world.event(json!({"type": "response.audio_transcript.done", "response_id": "r1", "item_id": "a1", "transcript": "Hi."}));
    world.event(json!({"type": "response.audio.done", "response_id": "r1", "item_id": "a1"}));
    world.done("r1", "completed");
    // Two samples are no time at all, so the words come with the end of the audio.
    assert_eq!(world.events(), [EngineEvent::Audio(vec![2]), EngineEvent::TurnComplete]);
}

#[test]
fn keys_are_one_cue_and_one_answer() {
    let mut world = World::talking();
    world.conversation.dtmf('4', world.now);
    world.pass(SECOND);
    world.conversation.dtmf('2', world.now);
    world.pass(2 * SECOND);
    let messages = world.messages();
    assert_eq!(
        (kinds(&messages), texts(&messages)),
        (vec!["conversation.item.create", "response.create"], vec!["(The caller pressed 4 2.)"])
    );
    assert_eq!(messages[0]["item"]["role"], "system");
}

#[test]
fn the_line_can_have_things_said() {
    for (prompt, expected) in [
        (Prompt::StillThere, "still there"),
        (Prompt::SilenceGoodbye, "Say goodbye now"),
        (Prompt::LeaveMessage { message: "Please call us.".into() }, "Say exactly this"),
        (Prompt::BriefHuman { target: "sales".into(), message: None }, "\"sales\""),
        (Prompt::TransferFailed { target: "sales".into(), reason: "486".into() }, "with the caller again"),
    ] {
        let mut world = World::talking();
        world.conversation.prompt(prompt.clone(), world.now);
        let messages = world.messages();
        assert_eq!(kinds(&messages), ["conversation.item.create", "response.create"], "{prompt:?}");
        assert!(texts(&messages)[0].contains(expected), "{prompt:?}");
    }
}

#[test]
fn what_the_line_wants_said_waits_until_the_agent_has_spoken() {
    let mut world = World::asked();
    world.speaks("r1", "a1", 300);
    world.conversation.prompt(Prompt::StillThere, world.now);
    assert_eq!(kinds(&world.messages()), ["conversation.item.create"], "one response at a time");
    world.done("r1", "completed");
    assert_eq!(kinds(&world.messages()), ["response.create"]);
}

#[test]
fn dialects_that_take_no_items_are_told_by_instructions_and_the_other_way_round() {
    let mut qwen = World::of("qwen", &brief());
    qwen.conversation.start(qwen.now);
    qwen.messages();
    qwen.speaks("r0", "a0", 100);
    qwen.done("r0", "completed");
    qwen.conversation.prompt(Prompt::StillThere, qwen.now);
    let messages = qwen.messages();
    assert_eq!(kinds(&messages), ["response.create"]);
    assert!(messages.iter().any(|m| m["response"]["instructions"].as_str().is_some_and(|text| text.contains("still there"))));

    let mut xai = World::of("xai", &brief());
    xai.conversation.start(xai.now);
    let messages = xai.messages();
    assert_eq!(kinds(&messages), ["conversation.item.create", "response.create"]);
    assert_eq!((messages[0]["item"]["role"].as_str(), messages[1].get("response")), (Some("user"), None));
}

#[test]
fn usage_adds_up_by_modality() {
    let mut world = World::talking();
    let usage = |input, cached, output| {
        json!({"total_tokens": input + output, "input_tokens": input, "output_tokens": output,
               "input_token_details": {"text_tokens": input - 8, "audio_tokens": 8, "cached_tokens": cached},
               "output_token_details": {"text_tokens": 10, "audio_tokens": output - 10}})
    };
    for (id, counts) in [("r1", usage(100, 64, 50)), ("r2", usage(200, 128, 60))] {
        world.event(json!({"type": "response.created", "response": {"id": id}}));
        world.event(json!({"type": "response.done", "response": {"id": id, "status": "completed", "usage": counts}}));
    }
    let sums: Vec<Usage> = world
        .events()
        .into_iter()
        .filter_map(|event| if let EngineEvent::Usage(usage) = event { Some(usage) } else { None })
        .collect();
    let expected = Usage {
        input_tokens: 300,
        output_tokens: 110,
        total_tokens: 410,
        audio_input_tokens: 16,
        audio_output_tokens: 90,
        text_input_tokens: 284,
        text_output_tokens: 20,
        cached_input_tokens: 192,
    };
    assert_eq!(sums.last(), Some(&expected));
}

#[test]
fn who_takes_over_knows_what_was_said_and_does_not_greet() {
    let history =
        vec![Utterance { by_agent: true, text: "Hello.".into() }, Utterance { by_agent: false, text: "A table for two.".into() }];
    let mut world = World::of("openai", &Brief { history, greeting: "One moment, please.".into(), outbound: true, ..brief() });
    let told = world.messages();
    assert_eq!(texts(&told), ["Hello.", "A table for two."]);
    assert_eq!(told[0]["item"]["content"][0]["type"], "output_text");
    world.conversation.start(world.now);
    let asked = world.messages();
    let instructions = asked[0]["response"]["instructions"].as_str().expect("at once, though we have called");
    assert!(instructions.contains("where the conversation was: One moment, please.") && instructions.contains("Do not greet"));
}

#[test]
fn events_of_next_year_and_junk_do_no_harm() {
    let mut world = World::talking();
    for frame in ["", "no", "[]", r#"{"type":"response.smell.delta","strength":9}"#, r#"{"type":7}"#, r#"{"type":"error"}"#] {
        world.conversation.on_frame(frame.as_bytes(), world.now);
    }
    assert_eq!(cause(&world.events()), None);
    world.speaks("r9", "a9", 100);
    assert!(world.events().contains(&audio(100)));
}

proptest::proptest! {
    #[test]
    fn no_events_make_it_panic_or_forget_its_bounds(
        events in proptest::collection::vec((0..17_usize, 0..3_usize, 0..3_usize), 0..80)
    ) {
        let kinds = [
            "response.created", "response.done", "response.output_audio.delta", "response.output_audio_transcript.delta",
            "response.output_audio.done", "response.output_item.added", "response.output_item.done", "conversation.item.added",
            "response.function_call_arguments.done", "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed", "conversation.item.input_audio_transcription.completed", "rate_limits.updated",
            "conversation.item.input_audio_transcription.delta", "response.output_audio_transcript.done", "conversation.item.created",
        ];
        let mut world = World::answered();
        for (kind, response, item) in events {
            let response = ["r1", "r2", ""][response];
            let id = ["i1", "i2", ""][item];
            world.event(json!({
                "type": kinds[kind], "response_id": response, "item_id": id, "previous_item_id": "i1", "delta": "/////w==",
                "transcript": "some words", "call_id": id, "name": "current_time", "arguments": "{",
                "item": {"id": id, "type": "message", "role": "assistant"},
                "response": {"id": response, "status": "completed",
                             "output": [{"type": "function_call", "call_id": id, "name": "end_call", "arguments": "{}"}]},
            }));
            world.conversation.cut_off(ms(1), world.now);
            world.pass(ms(300));
        }
        proptest::prop_assert!(world.events().len() < 2_000);
    }
}
