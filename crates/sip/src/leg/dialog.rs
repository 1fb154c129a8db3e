//! The state of one dialog (RFC 3261 §12): who, where, in what order. Values and text only.

use crate::stack::{Draft, Field, Incoming, Method, Reply, tag_of};

/// Our view of a dialog.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub call_id: String,
    /// Our From (or To) with our tag.
    pub local: String,
    /// The peer's To (or From) with its tag.
    pub remote: String,
    /// The peer's Contact: where requests go.
    pub target: String,
    /// The proxies on the way, ours first.
    pub routes: Vec<String>,
    /// Of our last request.
    pub cseq: u32,
    /// Of the peer's last request.
    pub remote_cseq: Option<u32>,
    /// Our Contact URI.
    pub contact: String,
}

impl Dialog {
    /// The dialog of an INVITE that we answer (§12.1.1).
    pub fn of_invite(invite: &Incoming, local_tag: &str, contact: String) -> Self {
        let remote = invite.header("From").unwrap_or_default().to_owned();
        let local = invite.header("To").unwrap_or_default();
        let local = if invite.to_tag().is_some() { local.to_owned() } else { format!("{local};tag={local_tag}") };
        let target = invite.headers("Contact").next().map_or_else(|| address_uri(&remote), address_uri);
        Self {
            call_id: invite.call_id().to_owned(),
            local,
            target: target.to_owned(),
            remote: remote.clone(),
            routes: invite.headers("Record-Route").flat_map(split_list).map(str::to_owned).collect(),
            cseq: 0,
            remote_cseq: invite.cseq(),
            contact,
        }
    }

    /// The dialog that an answer to our INVITE makes (§12.1.2): `self` is the INVITE's own view.
    pub fn answered_by(&self, reply: &Reply) -> Self {
        let mut routes: Vec<String> = reply.headers("Record-Route").flat_map(split_list).map(str::to_owned).collect();
        routes.reverse();
        Self {
            remote: reply.header("To").unwrap_or(&self.remote).to_owned(),
            target: reply.headers("Contact").next().map_or(self.target.as_str(), address_uri).to_owned(),
            routes,
            ..self.clone()
        }
    }

    /// The next request of ours inside the dialog (§12.2.1.1).
    pub fn request(&mut self, method: Method) -> Draft {
        self.cseq = self.cseq.wrapping_add(1).max(1);
        let mut fields: Vec<Field> = vec![
            ("From", self.local.clone()),
            ("To", self.remote.clone()),
            ("Call-ID", self.call_id.clone()),
            ("CSeq", format!("{} {}", self.cseq, method.as_str())),
            ("Contact", format!("<{}>", self.contact)),
        ];
        fields.extend(self.routes.iter().map(|route| ("Route", route.clone())));
        Draft { method, uri: self.target.clone(), fields, body: Vec::new(), via: None }
    }

    /// Where the next request goes: the first proxy, else the peer.
    pub fn next_hop(&self) -> &str {
        self.routes.first().map_or(self.target.as_str(), |route| address_uri(route))
    }

    /// Whether a request comes from the peer of this dialog; a branch of a fork shares all but the tag (§12.2.2).
    pub fn is_from_peer(&self, request: &Incoming) -> bool {
        request.header("From").and_then(tag_of) == tag_of(&self.remote)
    }

    /// Takes a request of the peer in; `false` when it is older than one we have seen (§12.2.2).
    pub fn accepts(&mut self, request: &Incoming) -> bool {
        let Some(cseq) = request.cseq() else { return false };
        if self.remote_cseq.is_some_and(|last| cseq <= last) {
            return false;
        }
        self.remote_cseq = Some(cseq);
        true
    }

    /// An early dialog that this 2xx confirms: the route set is that of the 2xx (§13.2.2.4); our numbers go on.
    pub fn confirm(&mut self, reply: &Reply) {
        *self = self.answered_by(reply);
    }

    /// So may a 2xx to ours (§12.2.1.2).
    pub fn retarget_by(&mut self, reply: &Reply) {
        if let Some(contact) = reply.headers("Contact").next() {
            self.target = address_uri(contact).to_owned();
        }
    }

    /// A re-INVITE or UPDATE may move the peer (§12.2.2).
    pub fn retarget(&mut self, request: &Incoming) {
        if let Some(contact) = request.headers("Contact").next() {
            self.target = address_uri(contact).to_owned();
        }
    }
}

/// The URI of `"Name" <uri>;params` or of a bare `uri;params`.
pub(super) fn address_uri(value: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => {
                let rest = value.get(at + 1..).unwrap_or_default();
                return rest.split('>').next().unwrap_or_default().trim();
            }
            _ => {}
        }
    }
    value.split(';').next().unwrap_or_default().trim()
}

/// The entries of a comma-separated header; commas inside quotes and angle brackets do not count.
fn split_list(value: &str) -> Vec<&str> {
    let (mut entries, mut from) = (Vec::new(), 0);
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if !bracketed => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            ',' if !quoted && !bracketed => {
                entries.push(value.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    entries.push(value.get(from..).unwrap_or_default());
    entries.into_iter().map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_taken_out_of_addresses() {
        for (value, uri) in [
            ("<sip:a@b;lr>;x=1", "sip:a@b;lr"),
            ("\"<not>\" <sip:a@b>", "sip:a@b"),
            ("\"q\\\"<\" <sip:a@b>", "sip:a@b"),
            ("sip:a@b;expires=3", "sip:a@b"),
            ("<sip:unclosed", "sip:unclosed"),
            ("", ""),
        ] {
            assert_eq!(address_uri(value), uri, "{value}");
        }
    }

    #[test]
    fn lists_are_split_outside_quotes_and_brackets() {
        for (value, want) in [
            ("<sip:a;lr>, <sip:b;lr>", vec!["<sip:a;lr>", "<sip:b;lr>"]),
            ("\"x, y\" <sip:a,b@c>,<sip:d>", vec!["\"x, y\" <sip:a,b@c>", "<sip:d>"]),
            (" , ", vec![]),
            ("\"open, <sip:a>", vec!["\"open, <sip:a>"]),
        ] {
            assert_eq!(split_list(value), want, "{value}");
        }
    }

    #[test]
    fn requests_count_up_and_follow_the_route() {
        let mut dialog = Dialog {
            call_id: "c".into(),
            local: "<sip:a@b>;tag=1".into(),
            remote: "<sip:c@d>;tag=2".into(),
            target: "sip:c@192.0.2.1".into(),
            routes: vec!["<sip:p1;lr>".into(), "<sip:p2;lr>".into()],
            cseq: 1,
            remote_cseq: None,
            contact: "sip:t@192.0.2.9".into(),
        };
        assert_eq!(dialog.next_hop(), "sip:p1;lr");
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.uri, "sip:c@192.0.2.1");
        assert!(bye.fields.contains(&("CSeq", "2 BYE".into())));
        assert_eq!(bye.fields.iter().filter(|(name, _)| *name == "Route").count(), 2);
        dialog.routes.clear();
        assert_eq!(dialog.next_hop(), "sip:c@192.0.2.1");
    }
}
