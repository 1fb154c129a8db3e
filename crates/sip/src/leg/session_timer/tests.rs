//! What the machine decides, case by case.

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn timer(wanted_s: Option<u32>) -> SessionTimer {
    SessionTimer::new(wanted_s, s(180))
}

fn terms(interval_s: u32, refresher: Side) -> Option<Terms> {
    Some(Terms { interval_s, refresher })
}

#[test]
fn we_refresh_at_half_and_give_up_before_the_expiry() {
    let mut timer = super::tests::timer(None);
    assert_eq!(timer.deadline(), None);
    timer.handle(Input::Agreed(terms(1800, Side::Ours)), s(100));
    assert_eq!(timer.deadline(), Some(s(1000)));
    assert_eq!(timer.handle(Input::Due, s(999)), None);
    assert_eq!(timer.handle(Input::Due, s(1000)), Some(Output::Refresh));
    // One at a time; refused, it is repeated at half of what is left.
    assert_eq!(timer.deadline(), Some(s(1868)));
    timer.handle(Input::RefreshFailed, s(1068));
    assert_eq!(timer.deadline(), Some(s(1468)));
    assert_eq!(timer.handle(Input::Due, s(1468)), Some(Output::Refresh));
    timer.handle(Input::Agreed(terms(1800, Side::Ours)), s(1470));
    assert_eq!(timer.deadline(), Some(s(2370)));
    assert_eq!(timer.handle(Input::Due, s(2370)), Some(Output::Refresh));
    assert_eq!(timer.handle(Input::Due, s(3238)), Some(Output::Expired { interval_s: 1800, refresher: Side::Ours }));
    assert_eq!(timer.deadline(), None);
}

#[test]
fn a_peer_that_stops_refreshing_is_found_before_the_expiry() {
    for (interval_s, found_after) in [(1800, s(1768)), (96, s(64)), (90, s(60)), (4, s(4) - s(4) / 3), (1, s(4) - s(4) / 3)] {
        let mut timer = super::tests::timer(None);
        timer.handle(Input::Agreed(terms(interval_s, Side::Theirs)), s(10));
        assert_eq!(timer.deadline(), Some(s(10) + found_after), "{interval_s}");
        let found = timer.handle(Input::Due, s(10) + found_after);
        assert_eq!(found, Some(Output::Expired { interval_s, refresher: Side::Theirs }));
    }
}

#[test]
fn a_peer_without_a_timer_is_asked_now_and_then() {
    let mut timer = super::tests::timer(Some(0));
    timer.handle(Input::Agreed(None), s(0));
    assert_eq!(timer.handle(Input::Due, s(180)), Some(Output::Ping));
    assert_eq!(timer.deadline(), None, "one question at a time");
    timer.handle(Input::Agreed(None), s(181));
    assert_eq!(timer.deadline(), None, "a re-INVITE does not forget the question");
    assert_eq!(timer.handle(Input::Pinged { answered: true }, s(185)), None);
    assert_eq!(timer.handle(Input::Due, s(365)), Some(Output::Ping));
    assert_eq!(timer.handle(Input::Pinged { answered: false }, s(397)), None);
    assert_eq!(timer.handle(Input::Due, s(407)), Some(Output::Ping));
    assert_eq!(timer.handle(Input::Pinged { answered: false }, s(439)), Some(Output::Vanished));
    assert_eq!(timer.deadline(), None);
    // A late answer changes nothing.
    assert_eq!(timer.handle(Input::Pinged { answered: false }, s(440)), None);
}

#[test]
fn a_refresh_without_terms_goes_on_only_where_it_is_ours() {
    let mut ours = timer(None);
    ours.handle(Input::Agreed(terms(600, Side::Ours)), s(0));
    ours.handle(Input::Agreed(None), s(300));
    assert_eq!(ours.deadline(), Some(s(600)));
    let mut theirs = timer(None);
    theirs.handle(Input::Agreed(terms(600, Side::Theirs)), s(0));
    theirs.handle(Input::Agreed(None), s(300));
    assert_eq!(theirs.handle(Input::Due, s(480)), Some(Output::Ping));
}

#[test]
fn requests_ask_to_refresh_and_learn_from_a_422() {
    let shown = |timer: &SessionTimer| -> Vec<String> {
        timer.request_fields().into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
    };
    for (wanted, first) in [(None, "1800"), (Some(600), "600"), (Some(10), "90")] {
        assert_eq!(shown(&timer(wanted)), [format!("Session-Expires: {first};refresher=uac")]);
    }
    let mut silent = timer(Some(0));
    assert!(shown(&silent).is_empty());
    let mut timer = super::tests::timer(Some(120));
    assert!(!timer.raise(None) && !timer.raise(Some("90")) && !timer.raise(Some("soon")));
    assert!(timer.raise(Some("3600")));
    assert_eq!(shown(&timer), ["Session-Expires: 3600;refresher=uac", "Min-SE: 3600"]);
    assert!(!timer.raise(Some("3600")), "the same demand twice helps nobody");
    silent.handle(Input::Agreed(terms(300, Side::Theirs)), s(0));
    assert_eq!(shown(&silent), ["Session-Expires: 300;refresher=uas"], "what the peer demands is honoured");
}

#[test]
fn answers_to_us_settle_who_refreshes() {
    for (value, want) in [
        (Some("1800;refresher=uac"), terms(1800, Side::Ours)),
        (Some("1800 ; Refresher=UAS"), terms(1800, Side::Theirs)),
        (Some("300"), terms(300, Side::Ours)),
        (Some("0;refresher=uas"), None),
        (Some("x"), None),
        (None, None),
    ] {
        assert_eq!(SessionTimer::settled(value), want, "{value:?}");
    }
}

#[test]
fn peers_get_the_terms_of_rfc_4028() {
    let of = |se: &'static str, min_se: &'static str, supports_timer: bool| Asked {
        session_expires: (!se.is_empty()).then_some(se),
        min_se: (!min_se.is_empty()).then_some(min_se),
        supports_timer,
    };
    for (wanted, asked, want) in [
        // Nothing asked: ours, where the peer understands it.
        (None, of("", "", true), Ok("1800;refresher=uas")),
        (None, of("", "3600", true), Ok("3600;refresher=uas")),
        (None, of("", "", false), Ok("")),
        (Some(0), of("", "", true), Ok("")),
        // Who refreshes is the peer's choice, where it can.
        (None, of("1800;refresher=uac", "", true), Ok("1800;refresher=uac")),
        (None, of("1800;refresher=uas", "", true), Ok("1800;refresher=uas")),
        (None, of("1800", "", true), Ok("1800;refresher=uas")),
        (None, of("1800;refresher=uac", "", false), Ok("1800;refresher=uas")),
        // Lowered, but not below Min-SE; never raised.
        (None, of("86400;refresher=uac", "", true), Ok("1800;refresher=uac")),
        (None, of("86400", "7200", true), Ok("7200;refresher=uas")),
        (Some(0), of("86400", "", true), Ok("86400;refresher=uas")),
        (None, of("600", "", true), Ok("600;refresher=uas")),
        // Too short.
        (None, of("89", "", true), Err(90)),
        (None, of("60", "", false), Ok("60;refresher=uas")),
    ] {
        let got = timer(wanted).answer(asked);
        match (got, want) {
            (Ok((terms, fields)), Ok(value)) => {
                let se = fields.iter().find(|(name, _)| *name == "Session-Expires").map_or("", |(_, value)| value.as_str());
                assert_eq!(se, value, "{asked:?}");
                let requires = fields.iter().any(|(name, _)| *name == "Require");
                assert_eq!(requires, value.ends_with("uac"), "{asked:?}");
                assert_eq!(terms.is_some(), !value.is_empty());
            }
            (got, want) => assert_eq!(got.map(|_| ()), want.map(|_| ()), "{asked:?}"),
        }
    }
}

#[test]
fn a_running_session_keeps_its_terms_when_a_request_names_none() {
    let mut timer = super::tests::timer(None);
    for (refresher, supports_timer, want) in
        [(Side::Theirs, true, Side::Theirs), (Side::Theirs, false, Side::Ours), (Side::Ours, true, Side::Ours)]
    {
        timer.handle(Input::Agreed(terms(600, refresher)), s(0));
        let (got, _) = timer.answer(Asked { supports_timer, ..Asked::default() }).expect("no 422");
        assert_eq!(got, terms(600, want));
    }
}
