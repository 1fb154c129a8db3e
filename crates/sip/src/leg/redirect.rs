//! Where a 3xx sends a call of ours (RFC 3261 §8.1.3.4), and where we let ourselves be sent: another user at the provider, never
//! another host. A redirection is a stranger's wish to spend the account's money.

use crate::header::{SipTarget, redirects, sip_target};
use crate::outbound::GoOn;
use callie_domain::Account;

/// Targets tried for one call.
const FOLLOWED: usize = 5;

#[derive(Debug)]
pub(super) struct Redirects {
    /// Best last.
    waiting: Vec<String>,
    /// Tried or waiting: a loop ends here.
    seen: Vec<String>,
    go_on: GoOn,
    followed: usize,
}

impl Redirects {
    pub fn of(first: &str, go_on: GoOn) -> Self {
        Self { waiting: Vec::new(), seen: vec![first.to_owned()], go_on, followed: 0 }
    }

    /// Takes in the Contacts of a 3xx; what they name that we do not follow, and why, for people.
    pub fn take_in<'a>(&mut self, contacts: impl Iterator<Item = &'a str>, account: &Account) -> Option<(String, &'static str)> {
        let (mut found, mut refused) = (Vec::new(), None);
        for uri in redirects(contacts) {
            if !is_ours(&uri, account) {
                refused = refused.or(Some((uri, "which is not the account's provider")));
            } else if !self.go_on.may(&uri) {
                refused = refused.or(Some((uri, "which the user's limits do not allow")));
            } else if !self.seen.contains(&uri) {
                self.seen.push(uri.clone());
                found.push(uri);
            }
        }
        // Deeper ones go before those that are left of an earlier 3xx.
        self.waiting.extend(found.into_iter().rev());
        refused
    }

    /// The next target to try.
    pub fn next(&mut self) -> Option<String> {
        if self.followed == FOLLOWED {
            return None;
        }
        let next = self.waiting.pop()?;
        self.followed += 1;
        Some(next)
    }
}

/// At the account's own domain or at one of its servers.
fn is_ours(uri: &str, account: &Account) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default();
    let Some(SipTarget { host, .. }) = sip_target(uri) else { return false };
    let servers = [Some(&account.server), account.backup_server.as_ref(), account.outbound_proxy.as_ref()];
    let is_host = |known: &str| known.trim_matches(['[', ']']).eq_ignore_ascii_case(&host.host);
    scheme.eq_ignore_ascii_case(account.scheme())
        && (is_host(&account.aor_host) || servers.into_iter().flatten().any(|server| is_host(&server.host)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::{AcceptFrom, HostPort, LineUpkeep, Secret, TlsSettings, Transport};

    fn account() -> Account {
        Account {
            user: "alice".parse().expect("valid"),
            display_name: String::new(),
            aor_user: "1000".into(),
            aor_host: "carrier.test".into(),
            auth_username: "1000".into(),
            password: Secret::new("x"),
            server: HostPort { host: "192.0.2.1".into(), port: Some(5060) },
            backup_server: None,
            outbound_proxy: Some(HostPort { host: "proxy.test".into(), port: None }),
            transport: Transport::Udp,
            sips: false,
            tls: TlsSettings::default(),
            accept_from: AcceptFrom::Provider,
            upkeep: LineUpkeep::default(),
            from_user: None,
            caller_id: None,
            user_agent: String::new(),
        }
    }

    #[test]
    fn only_other_users_of_the_provider_are_followed() {
        for (contact, want) in [
            ("<sip:2000@carrier.test>", Ok("sip:2000@carrier.test")),
            ("<sip:2000@CARRIER.test:5070;user=phone>", Ok("sip:2000@CARRIER.test:5070;user=phone")),
            ("<sip:2000@192.0.2.1>", Ok("sip:2000@192.0.2.1")),
            ("<sip:2000@proxy.test>", Ok("sip:2000@proxy.test")),
            ("<sip:2000@elsewhere.test>", Err("sip:2000@elsewhere.test")),
            ("<sip:2000@carrier.test.evil>", Err("sip:2000@carrier.test.evil")),
            ("<sips:2000@carrier.test>", Err("sips:2000@carrier.test")),
            ("<tel:+881234>", Err("tel:+881234")),
            ("<sip:2000@carrier.test?Subject=x>", Ok("sip:2000@carrier.test")),
        ] {
            let mut redirects = Redirects::of("sip:1@carrier.test", GoOn::default());
            let refused = redirects.take_in([contact].into_iter(), &account()).map(|(uri, _)| uri);
            let next = redirects.next();
            assert_eq!((next.as_deref(), refused.as_deref()), (want.ok(), want.err()), "{contact}");
        }
    }

    #[test]
    fn a_limit_of_the_user_holds_for_redirections_too() {
        let go_on = GoOn::when(|target| !target.user.starts_with("+881"));
        let mut redirects = Redirects::of("sip:1@carrier.test", go_on);
        for contact in [
            "<sip:+8811@carrier.test>",
            "<sip:%2B8811@carrier.test;user=phone>",
            "<sip:+88%31-1@carrier.test>",
            "<sip:a%00b@carrier.test>",
        ] {
            let refused = redirects.take_in([contact].into_iter(), &account());
            assert_eq!(refused.map(|(_, why)| why), Some("which the user's limits do not allow"), "{contact}");
        }
        assert_eq!(redirects.next(), None);
        assert_eq!(redirects.take_in(["<sip:2000@carrier.test>"].into_iter(), &account()), None);
        assert!(redirects.next().is_some());
    }

    #[test]
    fn the_best_comes_first_a_loop_ends_and_five_are_enough() {
        let mut redirects = Redirects::of("sip:1@carrier.test", GoOn::default());
        redirects.take_in(
            ["<sip:3@carrier.test>;q=0.3, <sip:1@carrier.test>;q=1", "<sip:2@carrier.test>;q=0.9"].into_iter(),
            &account(),
        );
        assert_eq!(redirects.next().as_deref(), Some("sip:2@carrier.test"));
        redirects.take_in(["<sip:4@carrier.test>, <sip:2@carrier.test>"].into_iter(), &account());
        assert_eq!(redirects.next().as_deref(), Some("sip:4@carrier.test"));
        assert_eq!(redirects.next().as_deref(), Some("sip:3@carrier.test"));
        assert_eq!(redirects.next(), None);
        for n in 10..20 {
            redirects.take_in([format!("<sip:{n}@carrier.test>").as_str()].into_iter(), &account());
        }
        assert_eq!(std::iter::from_fn(|| redirects.next()).count(), FOLLOWED - 3);
    }
}
