//! Placing a call: who calls, whom, under which names.

use crate::account::{Line, aor_uri, display, escape_user, uri_host};
use crate::leg::caller::{self, Placed};
use crate::leg::{Leg, dialog::Dialog};
use crate::stack::{Field, random_token};
use crate::switchboard::Switchboard;
use callie_domain::{Account, DialTarget};
use std::sync::Arc;

/// Calls `target` from the account of `line`.
pub(crate) fn dial(switchboard: &Switchboard, line: &Arc<Line>, target: &DialTarget, sdp_offer: String) -> Leg {
    let account = line.account();
    let (call_id, tag) = (random_token(22), random_token(10));
    let callee = callee_uri(&account, target);
    let dialog = Dialog {
        call_id,
        local: format!("{}<{}>;tag={tag}", display(&account.display_name), aor_uri(&account, account.from_user.as_deref())),
        remote: format!("<{callee}>"),
        target: callee,
        routes: Vec::new(),
        cseq: 0,
        remote_cseq: None,
        contact: String::new(),
    };
    let placed = Placed { dialog, sdp_offer, fields: identity(&account) };
    caller::open(&switchboard.wire, &switchboard.legs, line.clone(), placed, &tag)
}

/// The number at the account's own domain, unless the target names another. A server that is named by its address is its own
/// domain, port and all: without it a proxy behind a port of its own would take the number for somebody else's.
fn callee_uri(account: &Account, target: &DialTarget) -> String {
    let user = escape_user(&target.user);
    if let Some(host) = &target.host {
        return format!("sip:{user}@{}", uri_host(host));
    }
    let own_domain = uri_host(&account.aor_host);
    let server = &account.server;
    match server.port {
        Some(port) if port != 5060 && server.ip().is_some() && server.host == account.aor_host => {
            format!("sip:{user}@{own_domain}:{port}")
        }
        _ => format!("sip:{user}@{own_domain}"),
    }
}

/// The number to be shown, as a wish that the provider may grant (RFC 3325 §9.2).
fn identity(account: &Account) -> Vec<Field> {
    let Some(number) = &account.caller_id else { return Vec::new() };
    vec![("P-Preferred-Identity", format!("{}<{}>", display(&account.display_name), aor_uri(account, Some(number))))]
}
