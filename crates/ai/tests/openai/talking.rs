//! What happens once a session is there.

use crate::caller::{Caller, brief, fake, ms, options, script, tone};
use callie_ai::{Brief, EngineEvent, Prompt, Usage, tools::Toolbox};
use callie_lab::openai::{Converse, Exchange, Hearing, Pace, Sent, Step, ToolCall};
use callie_lab::samples::Line;
use callie_media::codec::G711;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_whole_call() {
    let goodbye = Exchange::new(Line::Maria3.words(), tone("Thank you, goodbye.", 900.0, 600)).then_end_call();
    let mut script = script(&["What is it about?"]);
    script.exchanges.push(goodbye);
    let fake = fake(script).await;
    let mut caller = Caller::greeted(&fake).await;
    caller.say(Line::Maria1);
    caller.until("the answer", |caller| caller.hears(700.0) > ms(700) && caller.is_quiet()).await;
    caller.say(Line::Maria3);
    caller.until("the goodbye", |caller| caller.has(&EngineEvent::Goodbye)).await;
    assert_eq!(caller.said(), "Hello, this is Alice.What is it about?Thank you, goodbye.");
    assert_eq!(caller.words_heard(), [Line::Maria1.words(), Line::Maria3.words()]);
    assert_eq!(caller.count(|event| *event == EngineEvent::TurnComplete), 3);
    assert_eq!(caller.count(|event| matches!(event, EngineEvent::ToolUsed(_))), 1);
    assert_eq!((caller.notices(), caller.failure(), caller.changes()), (vec![], None, 0));
    let usage =
        caller.events.iter().rev().find_map(|(_, event)| if let EngineEvent::Usage(usage) = event { Some(*usage) } else { None });
    let Usage { input_tokens, audio_output_tokens, cached_input_tokens, .. } = usage.expect("counted");
    // 300 tokens of context and 50 more with each response; speech is 20 tokens a second.
    assert_eq!((input_tokens, cached_input_tokens), (350 + 400 + 450, 3 * 128));
    assert_eq!(audio_output_tokens, 14 + 16 + 12);
    fake.latest().expect("a session").look(|log| {
        assert!(log.errors().is_empty() && log.unanswered.is_empty() && log.misread == 0, "{:?}", log.errors());
        assert!(log.uplink.contains(&Line::Maria1.samples()));
        assert!(log.uplink.largest_gap < ms(300), "silence is sent too: {:?}", log.uplink.largest_gap);
    });
}

/// G.711 goes up as it came.
#[tokio::test(start_paused = true)]
async fn the_codes_of_a_pcmu_call_reach_the_service_bit_for_bit() {
    let fake = fake(script(&["Yes?"])).await;
    let mut caller = Caller::greeted(&fake).await;
    // What a telephone has sent, decoded as the bridge gives it.
    let (line, mut codes) = (Line::Maria1.samples(), vec![0; Line::Maria1.samples().len()]);
    G711::Pcmu.encode_i16(&line, &mut codes);
    let mut decoded = vec![0; codes.len()];
    G711::Pcmu.decode_i16(&codes, &mut decoded);
    // μ-law has two zeros, which decode to the same sample.
    codes.iter_mut().filter(|code| **code == 0x7f).for_each(|code| *code = 0xff);
    caller.say_samples(&decoded);
    caller.until("an answer", |caller| caller.hears(700.0) > ms(200)).await;
    let whole = fake.latest().expect("a session").look(|log| log.raw.windows(codes.len()).any(|window| window == codes));
    assert!(whole, "not a code is different");
}

#[tokio::test(start_paused = true)]
async fn words_torn_by_the_service_are_whole_and_late_ones_in_their_place() {
    let mut script = script(&["Certainly, two persons at half past seven.", "Yes?"]);
    script.exchanges[0] = script.exchanges[0].clone().hearing(Hearing::Late(ms(3_000)));
    let fake = fake(script).await;
    let mut caller = Caller::greeted(&fake).await;
    caller.say(Line::Maria1);
    caller.until("the answer", |caller| caller.hears(700.0) > ms(700) && caller.is_quiet()).await;
    caller.say(Line::Maria3);
    caller.until("all words", |caller| caller.words_heard().len() == 2).await;
    assert_eq!(caller.words_heard(), [Line::Maria1.words(), Line::Maria3.words()], "in the order of speaking");
    let words = caller.events.iter().filter_map(|(_, event)| if let EngineEvent::Said(text) = event { Some(text) } else { None });
    assert!(
        words
            .flat_map(|text| text.split_whitespace())
            .all(|word| "Hello, this is Alice. Certainly, two persons at half past seven. Yes?".contains(word))
    );
}

#[tokio::test(start_paused = true)]
async fn words_that_are_never_written_down_cost_nothing() {
    for hearing in [Hearing::Failed, Hearing::Never] {
        let mut script = script(&["Yes?"]);
        script.exchanges[0] = script.exchanges[0].clone().hearing(hearing);
        let fake = fake(script).await;
        let mut caller = Caller::greeted(&fake).await;
        caller.say(Line::Maria1);
        caller.until("the answer", |caller| caller.hears(700.0) > ms(700)).await;
        assert_eq!(caller.words_heard(), [] as [&str; 0], "{hearing:?}");
    }
}

/// A message holds two frames of 20 ms, and the first waits for the second.
#[tokio::test(start_paused = true)]
async fn how_long_speech_waits_before_it_leaves_is_told() {
    let fake = fake(script(&[])).await;
    let caller = Caller::greeted(&fake).await;
    assert!((ms(20)..ms(60)).contains(&caller.session.uplink_delay()), "{:?}", caller.session.uplink_delay());
}

async fn interrupted(pace: Pace, late_pieces: usize) {
    let long = tone("One two three four five six seven eight nine ten eleven twelve.", 700.0, 6_000);
    let mut script = script(&["", "Of course."]);
    script.exchanges[0] = Exchange::new(Line::Maria1.words(), long);
    (script.pace, script.late_pieces) = (pace, late_pieces);
    let fake = fake(script).await;
    let mut caller = Caller::greeted(&fake).await;
    caller.say(Line::Maria1);
    caller.until("it speaks", |caller| caller.hears(700.0) > ms(1_000)).await;
    let before = caller.hears(700.0);
    caller.say(Line::Tom3);
    caller.until("it is interrupted", |caller| caller.has(&EngineEvent::Interrupted)).await;
    caller.until("the next answer", |caller| caller.hears(900.0) > ms(700)).await;
    let heard = caller.hears(700.0);
    assert!(heard < before + ms(600), "{heard:?} of it were heard");
    assert_eq!(caller.count(|event| *event == EngineEvent::Interrupted), 1);
    fake.latest().expect("a session").look(|log| {
        assert!(log.errors().is_empty(), "{:?}", log.errors());
        let [(_, _, end_ms)] = log.truncated[..] else { panic!("truncated once: {:?}", log.truncated) };
        // What the caller's playout counts is what is told, to the frame.
        let played = heard.as_millis() as i64;
        assert!((end_ms as i64 - played).abs() <= 40, "truncated at {end_ms} ms, heard {played} ms");
    });
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_still_sent_is_cut_where_it_was_heard() {
    interrupted(Pace::Every(ms(60)), 5).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_in_a_burst_is_cut_where_it_was_heard() {
    interrupted(Pace::Burst, 0).await;
}

#[tokio::test(start_paused = true)]
async fn every_call_of_a_tool_is_answered_whatever_is_wrong_with_it() {
    let calls = vec![
        ToolCall::new("current_time", &json!({"time_zone": "UTC"})),
        ToolCall::raw("current_time", "{\"time_zone\": "),
        ToolCall::new("fly_to_the_moon", &json!({})),
    ];
    let steps = vec![Step::Call(calls), Step::Say(tone("It is noon.", 700.0, 600))];
    let fake = fake(Converse { exchanges: vec![Exchange::of(Line::Maria1.words(), steps)], ..script(&[]) }).await;
    let mut caller = Caller::greeted(&fake).await;
    caller.say(Line::Maria1);
    caller.until("the answer", |caller| caller.hears(700.0) > ms(500)).await;
    fake.latest().expect("a session").look(|log| {
        let outputs: Vec<_> =
            log.messages("conversation.item.create").into_iter().filter_map(|m| m["item"]["output"].as_str()).collect();
        assert_eq!(outputs.len(), 3);
        assert!(
            outputs[0].contains("UTC") && outputs[1].contains("no JSON") && outputs[2].contains("no such tool"),
            "{outputs:?}"
        );
        assert_eq!((log.messages("response.create").len(), log.unanswered.len()), (2, 0), "the greeting, and once to go on");
        assert!(log.errors().is_empty(), "{:?}", log.errors());
    });
}

#[tokio::test(start_paused = true)]
async fn a_transfer_is_told_with_its_words() {
    let steps = vec![
        Step::Say(tone("I connect you.", 700.0, 500)),
        Step::Call(vec![ToolCall::new("transfer_call", &json!({"target": "sales"}))]),
    ];
    let fake = fake(Converse { exchanges: vec![Exchange::of(Line::Human.words(), steps)], ..script(&[]) }).await;
    let targets = vec!["sales".to_owned()];
    let brief = Brief { tools: Toolbox::default().for_call(&targets), transfer_targets: targets, ..brief() };
    let mut caller = Caller::with(options(&fake), brief).await.expect("a session");
    caller.session.start();
    caller.until("the greeting", |caller| caller.hears(500.0) > ms(600)).await;
    caller.say(Line::Human);
    caller.until("it transfers", |caller| caller.has(&EngineEvent::Transfer { target: "sales".into() })).await;
    caller.until("the words are over", |caller| caller.count(|event| *event == EngineEvent::TurnComplete) == 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_line_can_have_things_said_and_keys_are_told() {
    let texts = [("still there", 600.0), ("pressed 4 2 #", 800.0), ("Say goodbye", 1_000.0)];
    let texts = texts.map(|(words, hz)| (words.to_owned(), Exchange::new("", tone("Said.", hz, 400)))).to_vec();
    let fake = fake(Converse { texts, ..script(&[]) }).await;
    let mut caller = Caller::greeted(&fake).await;
    caller.session.prompt(Prompt::StillThere);
    caller.until("it asks", |caller| caller.hears(600.0) > ms(300) && caller.is_quiet()).await;
    "42#".chars().for_each(|digit| caller.session.dtmf(digit));
    caller.until("it answers to keys", |caller| caller.hears(800.0) > ms(300) && caller.is_quiet()).await;
    caller.session.prompt(Prompt::SilenceGoodbye);
    caller.until("it says goodbye", |caller| caller.has(&EngineEvent::Goodbye)).await;
    assert!(fake.latest().expect("a session").look(|log| log.errors().is_empty()));
}

#[tokio::test(start_paused = true)]
async fn somebody_we_called_is_greeted_after_their_hello() {
    let mut script = script(&[]);
    script.beyond = script.greeting.clone();
    let fake = fake(script).await;
    let mut caller = Caller::with(options(&fake), Brief { outbound: true, ..brief() }).await.expect("a session");
    caller.session.start();
    caller.passes(ms(600)).await;
    caller.say(Line::Hmm);
    caller.until("they are greeted", |caller| caller.hears(500.0) > ms(500)).await;
    let created = fake.latest().expect("a session").look(|log| log.count_sent(|sent| *sent == Sent::ResponseCreated));
    assert_eq!(created, 1, "once, by whomever");
}
