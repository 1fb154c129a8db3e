//! Placing a call: who calls, whom, under which names.

use crate::account::{Line, aor_uri, display, escape_user, uri_host};
use crate::leg::caller::{self, Placed};
use crate::leg::{DialogId, Leg, ReferTo, dialog::Dialog};
use crate::stack::{Field, random_token};
use crate::switchboard::Switchboard;
use callie_domain::{Account, DialTarget};
use std::sync::Arc;

/// What a call may say beside whom it calls.
#[derive(Debug, Clone, Default)]
pub struct DialOptions {
    /// The call of the callee whose place this one takes (RFC 3891), named as its other party does: see [`crate::ReferTo`].
    pub replaces: Option<DialogId>,
    /// `Referred-By` of the REFER that asked for this call, as written (RFC 3892).
    pub referred_by: Option<String>,
    /// Where the callee may send the call on to (302). Other users at the provider, unless it says less.
    pub go_on: GoOn,
    /// The URI to call, where it is more than a user at a host: [`crate::ReferTo::uri`]. It must be allowed like the target.
    pub uri: Option<String>,
}

/// Whether a target may be dialled.
type Judge = dyn Fn(&DialTarget) -> bool + Send + Sync;

/// Whether a call may go on where a callee sends it. Nothing but the provider is ever gone to.
#[derive(Clone, Default)]
pub struct GoOn(Option<Arc<Judge>>);

impl GoOn {
    pub fn when(may: impl Fn(&DialTarget) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(may)))
    }

    /// What cannot be read may not be gone to where anybody asks.
    pub(crate) fn may(&self, uri: &str) -> bool {
        let target = || ReferTo { uri: uri.to_owned(), replaces: None }.dial_target();
        self.0.as_ref().is_none_or(|may| target().is_some_and(|target| may(&target)))
    }
}

impl std::fmt::Debug for GoOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "GoOn(asks)" } else { "GoOn(provider)" })
    }
}

impl DialOptions {
    fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if let Some(id) = &self.replaces {
            fields.push(("Require", "replaces".to_owned()));
            fields.push(("Replaces", id.replaces()));
        }
        fields.extend(self.referred_by.iter().map(|by| ("Referred-By", by.clone())));
        fields
    }
}

/// Calls `target` from the account of `line`.
pub(crate) fn dial(
    switchboard: &Switchboard,
    line: &Arc<Line>,
    target: &DialTarget,
    sdp_offer: String,
    options: DialOptions,
) -> Leg {
    let account = line.account();
    let (call_id, tag) = (random_token(22), random_token(10));
    let mut fields = identity(&account);
    fields.extend(options.fields());
    let callee = options.uri.clone().unwrap_or_else(|| callee_uri(&account, target));
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
    let placed = Placed { dialog, sdp_offer, fields, go_on: options.go_on };
    caller::open(&switchboard.wire, &switchboard.legs, line.clone(), placed, &tag)
}

/// The number at the account's own domain, unless the target names another. A server that is named by its address is its own
/// domain, port and all: without it a proxy behind a port of its own would take the number for somebody else's.
pub(crate) fn callee_uri(account: &Account, target: &DialTarget) -> String {
    let (scheme, user) = (account.scheme(), escape_user(&target.user));
    if let Some(host) = &target.host {
        return format!("{scheme}:{user}@{}", uri_host(host));
    }
    let own_domain = uri_host(&account.aor_host);
    let server = &account.server;
    match server.port {
        Some(port) if port != 5060 && server.ip().is_some() && server.host == account.aor_host => {
            format!("{scheme}:{user}@{own_domain}:{port}")
        }
        _ => format!("{scheme}:{user}@{own_domain}"),
    }
}

/// The number to be shown, as a wish that the provider may grant (RFC 3325 §9.2).
fn identity(account: &Account) -> Vec<Field> {
    let Some(number) = &account.caller_id else { return Vec::new() };
    vec![("P-Preferred-Identity", format!("{}<{}>", display(&account.display_name), aor_uri(account, Some(number))))]
}
