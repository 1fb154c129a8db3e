//! What users type must not become a header field of its own, whether or not anybody has validated it.

use crate::peer::{Peer, World, account, soon};
use callie_domain::registration::RegistrationState;
use callie_domain::user::input::UserInput;
use callie_domain::{Account, HostPort, MacAddress};
use proptest::prelude::*;
use serde_json::{Value, json};

const EVIL: [&str; 7] = [
    "a\r\nEvil: 1",
    "a\nEvil: 1",
    "a\rEvil: 1",
    "a\0b",
    "\r\n\r\nINVITE sip:x@y SIP/2.0",
    "a> SIP/2.0\r\nEvil: 1\r\nX: <",
    "\u{85}Evil: 1\u{2028}",
];

/// The account with one of its texts replaced.
fn with_evil(base: &Account, field: usize, evil: &str) -> Option<Account> {
    let (mut changed, evil) = (base.clone(), evil.to_owned());
    match field {
        0 => changed.display_name = evil,
        1 => changed.aor_user = evil,
        2 => changed.aor_host = evil,
        3 => changed.auth_username = evil,
        4 => changed.user_agent = evil,
        5 => changed.outbound_proxy = Some(HostPort { host: evil, port: None }),
        _ => return None,
    }
    Some(changed)
}

/// The names of our own REGISTER, and nothing else.
fn is_as_meant(text: &str) -> bool {
    const NAMES: [&str; 16] = [
        "Via",
        "Max-Forwards",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Expires",
        "Allow",
        "User-Agent",
        "Route",
        "Supported",
        "Authorization",
        "Content-Length",
        "Path",
        "Require",
    ];
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.split(['\r', '\n']).filter(|line| !line.is_empty());
    let start = lines.next().unwrap_or_default();
    start.starts_with("REGISTER sip:")
        && start.ends_with(" SIP/2.0")
        && lines.all(|line| line.split_once(':').is_some_and(|(name, _)| NAMES.contains(&name.trim())))
        && text.ends_with("\r\n\r\n")
}

#[tokio::test]
async fn nothing_that_a_user_typed_becomes_a_header() {
    let (world, peer) = (World::new().await, Peer::new().await);
    let base = account(peer.address);
    for field in 0.. {
        let Some(_) = with_evil(&base, field, "") else { break };
        for evil in EVIL {
            let handle = world.stack.open_account(with_evil(&base, field, evil).expect("a field"));
            let mut status = handle.status();
            // Either it is not sent at all, or it is sent as meant.
            tokio::select! {
                message = peer.next() => assert!(is_as_meant(&message.text), "field {field}: {}", message.text),
                _ = soon("a verdict", status.wait_for(|s| s.state == RegistrationState::Retrying)) => {}
            }
            drop(handle);
        }
    }
    world.end().await;
}

/// A good body with one of its texts replaced.
fn body(field: usize, text: &str) -> Value {
    let mut body = json!({
        "user_id": "alice", "display_name": "Alice", "sip_username": "alice", "sip_password": "pw", "sip_server": "sip.example.com",
        "sip": {},
    });
    const OUTER: [&str; 5] = ["display_name", "sip_username", "sip_server", "custom_user_agent", "sip_password"];
    const INNER: [&str; 4] = ["auth_username", "from_user", "caller_id", "outbound_proxy"];
    match OUTER.get(field) {
        Some(name) => body[name] = text.into(),
        None => body["sip"][INNER[field - OUTER.len()]] = text.into(),
    }
    body
}

proptest! {
    #[test]
    fn what_json_brings_in_has_no_control_characters(field in 0..9usize, text in "([ -~]|\\r|\\n|\\PC|\\x00|\\x7f|\u{85}){0,12}") {
        let Ok(input) = UserInput::from_json(&body(field, &text)) else { return Ok(()) };
        let Ok(user) = input.create(jiff::Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3])) else { return Ok(()) };
        let account = user.account();
        let written = [
            Some(&account.display_name), Some(&account.aor_user), Some(&account.aor_host), Some(&account.auth_username),
            Some(&account.user_agent), account.from_user.as_ref(), account.caller_id.as_ref(),
            Some(&account.server.host), account.outbound_proxy.as_ref().map(|proxy| &proxy.host),
        ];
        for text in written.into_iter().flatten() {
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
        }
    }
}
