//! Any text as the header values that we read ourselves: no panic, no control character in what comes out, and no
//! digest field that breaks out of its line.
#![no_main]

use callie_domain::Secret;
use callie_sip::digest::{AuthAttempt, Credentials, DigestCache, parse_challenges};
use callie_sip::header;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let values = || text.split('\n');
    read_values(text);
    let _ = header::granted_expires(values(), Some(text), "token", 3600);
    let _ = header::redirect_targets(values());
    answer_challenges(text);
});

fn read_values(text: &str) {
    let _ = (header::retry_after(text), header::delta_seconds(text), header::sip_target(text));
    let (from, asserted) = text.split_once('\n').unwrap_or((text, ""));
    let caller = header::caller(from, Some(asserted));
    let shown = [Some(caller.number), caller.display_name, header::reason(text).and_then(|r| r.text)];
    assert!(!shown.iter().flatten().any(|t| t.contains(char::is_control)), "{shown:?}");
}

fn answer_challenges(text: &str) {
    let challenges = parse_challenges(text.split('\n'));
    let (mut cache, mut attempt) = (DigestCache::default(), AuthAttempt::default());
    let _ = cache.challenged(&mut attempt, &challenges, &challenges);
    let password = Secret::new("password");
    let credentials = Credentials { username: text, password: &password };
    for (_, value) in cache.authorize(&mut attempt, "REGISTER", "sip:example.com", credentials, "0a4f113b") {
        assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
    }
}
