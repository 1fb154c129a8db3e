//! Stopping: the binding goes, in time, whatever the registrar does.

use super::*;

#[test]
fn stop_removes_the_binding() {
    let digest = |r: &Request| if r.answers("Authorization", "n") { bound(r) } else { challenge(401, "n", "") };
    let mut line = Line::started(digest);
    line.run_s(10).feed(Input::Stop);
    assert_eq!(line.state(), S::Unregistering);
    line.run_s(1);
    assert_eq!((line.state(), line.done), (S::Off, 1));
    assert_eq!(line.sent.iter().map(|(_, e)| *e).collect::<Vec<_>>(), [3600, 3600, 0]);
}

#[test]
fn stop_asks_where_the_binding_is() {
    let mut line = Line::started(|r| if r.target.is_some() { bound(r) } else { redirect(&["<sip:b.example>"]) });
    line.run_s(10).feed(Input::Stop);
    line.run_s(1);
    assert_eq!(line.targets, [None, Some("b.example".into()), Some("b.example".into())]);
    assert_eq!((line.state(), line.done), (S::Off, 1));
}

/// `registrar` answers the first request or not; then comes Stop. Counts the requests to remove a binding.
#[track_caller]
fn check_stop(what: &str, registrar: impl FnMut(&Request) -> Happens, stop_after_s: u64, removals: usize, within_s: u64) {
    let mut line = Line::started(registrar);
    line.run_s(stop_after_s).feed(Input::Stop);
    line.run_s(within_s);
    assert_eq!((line.state(), line.done), (S::Off, 1), "{what}");
    assert_eq!(line.sent.iter().filter(|(_, expires)| *expires == 0).count(), removals, "{what}");
    let sent = line.sent.len();
    line.run_s(24 * HOUR);
    assert_eq!(line.sent.len(), sent, "{what}: nothing after the end");
}

#[test]
fn stop_ends_in_time_whatever_the_registrar_does() {
    let dies = |r: &Request| if r.n == 1 { bound(r) } else { Happens::Silence };
    check_stop("registered, then silent", dies, 10, 1, 5);
    check_stop("registered, then broken", |r| if r.n == 1 { bound(r) } else { Happens::Broken }, 10, 1, 1);
    check_stop("registered, then 500", |r| if r.n == 1 { bound(r) } else { code(500) }, 10, 1, 1);
    check_stop("registered, then 401 for ever", |r| if r.n == 1 { bound(r) } else { challenge(401, "n", "") }, 10, 2, 1);
    check_stop("registered, then 302 for ever", |r| if r.n == 1 { bound(r) } else { redirect(&["<sip:b>"]) }, 10, 2, 1);
    check_stop("first answer outstanding", bound, 0, 1, 1);
    check_stop("first answer never comes", |_| Happens::Silence, 0, 1, 5);
    check_stop("lost, perhaps bound", |_| Happens::Silence, 33, 1, 5);
    check_stop("refused", |_| code(403), 10, 0, 1);
    check_stop("refused in mid-request", |_| code(403), 0, 0, 1);
    check_stop("binding long gone", |r| if r.n == 1 { granted(60) } else { code(500) }, 600, 0, 1);
    let mut off = Line::new(bound);
    off.feed(Input::Stop);
    assert_eq!((off.done, off.sent.len()), (1, 0));
}

#[test]
fn wanted_again_while_leaving() {
    let mut line = Line::started(bound);
    line.run_s(10).feed(Input::Stop);
    line.feed(Input::Start);
    line.run_s(1);
    assert_eq!((line.state(), line.done), (S::Registered, 0));
    assert_eq!(line.sent.iter().map(|(_, e)| *e).collect::<Vec<_>>(), [3600, 0, 3600]);
    line.feed(Input::Stop);
    line.feed(Input::Start);
    line.feed(Input::Stop);
    line.run_s(1);
    assert_eq!((line.state(), line.done), (S::Off, 1));
}
