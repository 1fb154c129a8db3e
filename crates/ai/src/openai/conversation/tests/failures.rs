//! What the service does instead of answering.

use super::*;

#[test]
fn an_empty_response_is_asked_for_once_more() {
    let mut world = World::asked();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.done("r1", "completed");
    assert!(world.notices()[0].contains("empty"));
    let messages = world.messages();
    assert_eq!(kinds(&messages), ["conversation.item.create", "response.create"]);
    world.event(json!({"type": "response.created", "response": {"id": "r2"}}));
    world.done("r2", "completed");
    assert!(world.notices()[0].contains("empty again"));
    assert_eq!(world.messages(), [] as [Value; 0]);
}

#[test]
fn a_greeting_that_comes_to_nothing_is_asked_for_again() {
    let mut world = World::answered();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.done("r1", "completed");
    let messages = world.messages();
    assert!(messages[0]["response"]["instructions"].as_str().is_some_and(|text| text.contains("Hello, this is Alice.")));
}

#[test]
fn an_answer_that_was_cut_off_by_the_service_is_an_answer() {
    for reason in ["max_output_tokens", "content_filter"] {
        let mut world = World::asked();
        world.speaks("r1", "a1", 500);
        world.event(json!({"type": "response.done", "response": {"id": "r1", "status": "incomplete",
            "status_details": {"type": "incomplete", "reason": reason}}}));
        let events = world.events();
        assert!(events.contains(&EngineEvent::TurnComplete), "{events:?}");
        assert!(events.iter().any(|event| matches!(event, EngineEvent::Notice(text) if text.contains(reason))));
    }
}

#[test]
fn a_failed_response_is_asked_for_once_more_and_then_in_another_session() {
    let mut world = World::asked();
    world.failed("r1", "server_error", "");
    assert_eq!(kinds(&world.messages()), ["response.create"]);
    assert!(world.notices()[0].contains("failed to answer"));
    world.failed("r2", "server_error", "");
    assert_eq!(world.step(), Some(LinkStep::Leave));
    world.reconnects();
    assert_eq!(kinds(&world.messages()).last(), Some(&"response.create"), "the answer is still owed");
    world.speaks("r3", "a3", 100);
    assert_eq!(cause(&world.events()), None);
}

#[test]
fn a_rate_limit_is_waited_for_once() {
    let mut world = World::asked();
    world
        .event(json!({"type": "rate_limits.updated", "rate_limits": [{"name": "tokens", "remaining": 0, "reset_seconds": 3.0}]}));
    world.failed("r1", "tokens", "rate_limit_exceeded");
    world.pass(ms(2_900));
    assert_eq!(world.messages(), [] as [Value; 0]);
    world.pass(ms(200));
    assert_eq!(kinds(&world.messages()), ["response.create"]);
    world.failed("r2", "tokens", "rate_limit_exceeded");
    assert_eq!(cause(&world.events()), Some(EngineCause::QuotaExceeded));
}

#[test]
fn after_an_answer_a_rate_limit_is_a_first_one_again() {
    let mut world = World::asked();
    world.failed("r1", "tokens", "rate_limit_exceeded");
    world.pass(3 * SECOND);
    world.speaks("r2", "a2", 100);
    world.done("r2", "completed");
    world.caller_speaks("u2", "a2");
    world.failed("r3", "tokens", "rate_limit_exceeded");
    world.pass(3 * SECOND);
    assert_eq!(cause(&world.events()), None);
}

#[test]
fn no_credit_and_a_refused_key_are_the_end() {
    for (code, expected) in [("insufficient_quota", EngineCause::QuotaExceeded), ("invalid_api_key", EngineCause::KeyRefused)] {
        let mut world = World::asked();
        world.failed("r1", "", code);
        assert_eq!(cause(&world.events()), Some(expected), "failed: {code}");
        let mut world = World::asked();
        world.error("invalid_request_error", code, "");
        assert_eq!(cause(&world.events()), Some(expected), "error: {code}");
        assert!(world.conversation.is_over() && world.conversation.deadline().is_none());
    }
}

#[test]
fn errors_that_only_tell_that_both_sides_spoke_at_once_are_not_worth_a_word() {
    let mut world = World::talking();
    world.messages();
    for (code, event_id) in [
        ("response_cancel_not_active", ""),
        ("input_audio_buffer_commit_empty", ""),
        ("item_truncate_invalid_audio_end", ""),
        ("invalid_value", "callie-truncate-7"),
        ("whatever", "callie-cancel-7"),
    ] {
        world.error("invalid_request_error", code, event_id);
        assert_eq!((world.events(), world.step()), (vec![], None), "{code}");
    }
}

#[test]
fn other_refusals_are_noted_once_and_the_session_lives_on() {
    let mut world = World::talking();
    for _ in 0..3 {
        world.error("invalid_request_error", "unknown_parameter", "callie-item-3");
        world.error("strange_error", "of_another_service", "");
    }
    assert_eq!(world.notices().len(), 2);
    assert_eq!(world.step(), None);
}

#[test]
fn a_request_that_was_refused_as_busy_is_made_again_when_the_other_is_over() {
    let mut world = World::talking();
    world.conversation.prompt(Prompt::StillThere, world.now);
    world.messages();
    world.error("invalid_request_error", "conversation_already_has_active_response", "callie-respond-2");
    world.speaks("r7", "a7", 100);
    world.pass(3 * SECOND);
    assert_eq!(world.messages(), [] as [Value; 0]);
    world.done("r7", "completed");
    assert_eq!(kinds(&world.messages()), ["response.create"]);
}

#[test]
fn a_service_that_falls_silent_is_nudged_then_replaced_then_given_up() {
    let mut world = World::asked();
    world.transcribed("u1", "A table for two?");
    world.pass(4 * SECOND);
    assert_eq!(kinds(&world.messages()), ["conversation.item.create", "response.create"], "nudged");
    world.pass(4 * SECOND);
    assert_eq!(world.step(), Some(LinkStep::Leave));
    world.reconnects();
    assert_eq!(texts(&world.messages()).first(), Some(&"A table for two?"));
    world.pass(8 * SECOND);
    assert_eq!(cause(&world.events()), Some(EngineCause::Stalled));
}

#[test]
fn a_response_that_stops_in_its_middle_is_cancelled() {
    let mut world = World::asked();
    world.event(json!({"type": "response.created", "response": {"id": "r1"}}));
    world.pass(4 * SECOND);
    assert_eq!(kinds(&world.messages()), ["response.cancel", "conversation.item.create", "response.create"]);
}

#[test]
fn a_service_that_does_not_notice_the_caller_is_nudged() {
    let mut world = World::talking();
    for _ in 0..50 {
        world.conversation.caller_is_loud(ms(20), world.now);
        world.pass(ms(20));
    }
    world.pass(6 * SECOND);
    assert_eq!(kinds(&world.messages()), ["conversation.item.create", "response.create"]);
}
