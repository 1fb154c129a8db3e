//! More than one place to register at, bindings that were replaced, and lines that are down.

use super::*;

/// A line with its server and its backup.
fn with_backup<'a>(registrar: impl FnMut(&Request) -> Happens + 'a) -> Line<'a> {
    let mut line = Line::new(registrar);
    (line.places, line.backup_from) = (2, 1);
    line.feed(Input::Start);
    line
}

#[test]
fn the_next_place_is_asked_without_a_pause() {
    for (what, dead) in [("503", 503), ("silence", 0), ("refused", 1)] {
        let mut line = with_backup(|r| match (r.place, dead) {
            (0, 0) => Happens::Silence,
            (0, 1) => Happens::Broken,
            (0, code_) => code(code_),
            _ => bound(r),
        });
        line.run_s(33);
        assert_eq!((line.state(), line.sent.len()), (S::Registered, 2), "{what}");
        line.states.dedup();
        assert_eq!(line.states, [S::Registering, S::Registered], "{what}");
    }
    let mut none = with_backup(|_| code(503));
    none.run_s(1);
    assert_eq!((none.state(), none.sent.len()), (S::Retrying, 2));
}

#[test]
fn the_backups_refusal_is_no_wrong_password() {
    let mut line = with_backup(|r| if r.place == 0 { Happens::Broken } else { code(403) });
    line.run_s(1);
    assert_eq!(line.state(), S::Retrying);
    assert!(line.machine.status().reason.as_deref().is_some_and(|why| why.contains("backup")));
}

#[test]
fn a_new_contact_replaces_ours_and_nobody_elses() {
    let mut line = Line::started(bound);
    line.run_s(100);
    line.contact = "there";
    line.seen_as = "there";
    line.feed(Input::NetworkChanged);
    line.run_s(6);
    let went: Vec<_> = line.went.iter().map(|(expires, went)| format!("{expires} {went}")).collect();
    assert_eq!(went, ["3600 here Primary", "3600 there Primary", "0 here Primary"]);
    assert_eq!(line.state(), S::Registered);
    line.run_s(HOUR);
    assert_eq!(line.sent.len(), 4, "one removal, one refresh");
}

#[test]
fn an_address_that_the_registrar_sees_otherwise_is_taken_at_once_but_not_for_ever() {
    let mut line = Line::started(bound);
    line.seen_as = "elsewhere";
    line.run_s(50 * 60);
    assert!((2..=3).contains(&line.sent.len()), "{} requests", line.sent.len());
}

#[test]
fn back_at_the_preferred_registrar_the_binding_at_the_other_is_removed() {
    let mut line = with_backup(|r| if r.place == 0 && r.n == 1 { Happens::Broken } else { bound(r) });
    line.run_s(HOUR);
    let went: Vec<_> = line.went.iter().map(|(expires, went)| format!("{expires} {went}")).collect();
    let want = ["3600 here Primary", "3600 here Backup", "3600 here Primary", "0 here Backup", "3600 here Primary"];
    assert_eq!(went, want, "the last one in case both are one");
    assert_eq!(line.state(), S::Registered);
    line.feed(Input::Stop);
    line.run_s(1);
    assert_eq!(line.went.last(), Some(&(0, "here Primary".to_owned())));
    assert_eq!((line.went.len(), line.state()), (6, S::Off));
}

#[test]
fn who_leaves_takes_along_what_may_be_left_at_either_registrar() {
    // The first one binds us, and its answer is lost.
    let mut line = with_backup(|r| if r.place == 0 && r.n == 1 { Happens::Silence } else { bound(r) });
    line.run_s(60);
    line.feed(Input::Stop);
    line.run_s(1);
    let removed: Vec<_> = line.went.iter().filter(|(expires, _)| *expires == 0).map(|(_, went)| went.as_str()).collect();
    assert_eq!(removed, ["here Backup", "here Primary"]);
    assert_eq!((line.state(), line.done), (S::Off, 1));
}

#[test]
fn a_line_without_a_binding_is_down_and_after_a_while_an_alert() {
    let mut line = Line::started(|r| if r.n == 1 { granted(100) } else { code(500) });
    let status = |line: &Line| (line.machine.status().down_since.is_some(), line.machine.status().alert);
    assert_eq!(status(&line), (true, false), "from the start on");
    line.run_s(99);
    assert_eq!(status(&line), (false, false), "the refresh has failed, the binding stands");
    line.run_s(2);
    assert_eq!(status(&line), (true, false));
    let began = line.machine.status().down_since;
    line.run_s(298);
    assert_eq!(status(&line), (true, false));
    line.run_s(2);
    assert_eq!((status(&line), line.machine.status().down_since), ((true, true), began));
    line.registrar = Box::new(bound);
    line.run_s(150);
    assert_eq!((line.state(), status(&line)), (S::Registered, (false, false)));
    line.feed(Input::FlowClosed);
    assert_eq!(status(&line), (true, false), "nobody reaches us over a closed connection");
}
