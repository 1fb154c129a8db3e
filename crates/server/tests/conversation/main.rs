//! Whole conversations: a lab telephone, the whole server, and a conversation engine that listens and speaks, over real SIP,
//! RTP and WebSockets on loopback. They wait for speech most of the time, so more of them run at once than there are cores.

mod background;
mod barge_in;
mod browser;
mod closing;
mod costs;
mod failures;
mod noise;
mod offline;
mod openai;
mod openai_faults;
mod opening;
mod overlap;
mod silence;
mod speech;
#[path = "../support/steady.rs"]
mod steady;
#[path = "../support/world.rs"]
mod support;
mod talk;
mod tools;
mod traces;
mod uplink;
mod withheld;
mod world;

use libtest_mimic::{Arguments, Trial};
use std::{future::Future, num::NonZeroUsize};
use steady::steadily;

/// For each core: together they keep it half busy.
const AT_ONCE: usize = 4;

macro_rules! trials {
    ($how:path => $($module:ident :: $name:ident,)*) => {
        [$(trial(concat!(stringify!($module), "::", stringify!($name)), $module::$name, $how)),*]
    };
}

fn main() {
    let mut arguments = Arguments::from_args();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    arguments.test_threads.get_or_insert(AT_ONCE * cores);
    // The longest of each first. These judge what is heard, and when.
    let heard = trials![steadily =>
        offline::a_message_is_taken,
        barge_in::the_agent_stops_at_once_and_goes_on_with_the_next_turn,
        barge_in::a_turn_that_is_never_closed_does_not_mute_the_next,
        withheld::the_engine_does_not_hear_the_echo_of_its_own_voice,
        withheld::a_word_in_passing_and_a_cough_do_not_stop_the_agent,
        withheld::who_speaks_over_an_agent_on_a_loudspeaker_is_heard,
        withheld::who_answers_a_little_early_is_heard_from_the_first_word,
        withheld::an_engine_that_hears_the_line_as_it_is_stops_at_its_own_echo,
        overlap::the_line_does_not_take_the_echo_of_a_loudspeaker_for_the_caller,
        overlap::a_false_barge_in_stops_the_agent_who_then_goes_on_with_the_word,
        overlap::who_speaks_on_is_given_the_word_though_the_engine_has_not_noticed,
        overlap::a_line_that_does_not_watch_leaves_it_to_the_engine,
        overlap::a_protected_greeting_is_not_interrupted_and_who_speaks_at_its_end_is_heard,
        talk::a_conversation_is_heard_and_written_down,
        talk::words_of_the_caller_that_come_late_stand_where_they_were_spoken,
        uplink::it_goes_on_over_a_bad_line,
        uplink::it_goes_on_while_the_call_is_held,
        uplink::what_plays_while_the_call_is_held_is_not_answered,
        background::music_on_hold_does_not_stop_the_agent,
        background::a_crowd_does_not_stop_the_agent,
        browser::who_has_no_telephone_talks_to_the_agent,
        browser::the_agent_hangs_up_on_a_browser,
        browser::a_supervisor_hears_both_sides_and_whispers_to_the_agent,
        closing::the_goodbye_is_heard_to_its_end,
        closing::a_caller_who_talks_over_the_goodbye_does_not_cut_it,
        opening::a_called_side_is_greeted_once_it_has_answered,
        noise::a_cough_is_not_answered_by_the_service_nor_asked_about,
        noise::a_cough_is_not_answered_by_the_offline_engine,
        offline::a_cough_does_not_interrupt,
        offline::speech_does,
        silence::who_says_nothing_is_asked_then_said_goodbye_to,
        openai::a_conversation_is_heard_and_written_down,
        openai::words_of_the_caller_that_come_late_stand_where_they_were_spoken,
        openai::a_dialect_without_g711_is_served_at_its_rate,
        openai::what_was_heard_of_an_interrupted_answer_is_told_to_the_millisecond,
        openai::a_session_that_breaks_in_mid_call_is_replaced_without_a_second_greeting,
        openai::the_offline_engine_takes_over_when_there_is_no_credit,
        openai::the_goodbye_is_heard_to_its_end,
    ];
    let others = trials![once =>
        failures::a_call_goes_on_in_another_session,
        browser::who_closes_the_page_has_hung_up_and_who_is_not_ours_is_refused,
        failures::a_call_goes_on_in_the_same_session,
        openai_faults::a_call_goes_on_whatever_the_service_does,
        openai_faults::another_engine_takes_over_what_cannot_be_mended,
        failures::a_call_goes_on_when_the_service_fails,
        failures::a_call_begins_without_the_service,
        closing::who_hangs_up_leaves_nothing_behind,
        closing::who_gives_up_while_it_rings_leaves_nothing_behind,
        opening::the_socket_opens_while_the_telephone_rings,
        costs::what_a_call_costs_counts_for_the_ceiling,
        traces::a_call_with_tools_and_a_failover_is_one_trace,
        traces::a_collector_that_is_no_good_costs_no_call_anything,
        tools::every_call_of_a_tool_is_answered,
        tools::an_agent_that_was_talked_into_it_reaches_nobody_whom_its_user_has_not_named,
        openai::tools_are_used_and_nobody_is_reached_whom_the_user_has_not_named,
        openai::a_hint_is_heeded_in_the_next_session_too,
        tools::what_the_document_names_is_used_and_its_secret_is_nowhere,
        tools::the_tools_of_a_server_are_used_and_one_that_hangs_delays_nothing,
        tools::what_the_agent_says_it_did_is_checked_against_its_tools,
        tools::a_web_service_that_fails_is_told_and_the_conversation_goes_on,
    ];
    libtest_mimic::run(&arguments, others.into_iter().chain(heard).collect()).exit();
}

fn trial<F: Future<Output = ()> + 'static>(name: &str, test: fn() -> F, how: fn(&str, fn() -> F)) -> Trial {
    let named = name.to_owned();
    Trial::test(name, move || {
        how(&named, test);
        Ok(())
    })
}

fn once<F: Future<Output = ()>>(_name: &str, test: fn() -> F) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test());
}
