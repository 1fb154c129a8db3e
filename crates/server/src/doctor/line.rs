//! Judging the line: from the name of the server to who rewrites our messages.

use super::facts::Facts;
use callie_domain::examination::{Finding, Subject};
use callie_domain::record::{SipMessage, Way};
use callie_domain::registration::RegistrationState;

/// A binding that is granted for less costs many REGISTERs and survives no outage, seconds.
const SHORT_S: u32 = 60;

pub fn findings(facts: &Facts) -> Vec<Finding> {
    vec![dns(facts), transport(facts), registration(facts), authentication(facts), nat(facts), alg(facts)]
}

fn dns(facts: &Facts) -> Finding {
    let server = facts.server();
    let found = match &facts.looked_up {
        Err(why) => {
            let remedy = format!("check the spelling of sip_server ({server}) and the DNS of this machine (CALLIE_DNS_SERVERS)");
            return Finding::failed(Subject::Dns, why.clone(), remedy);
        }
        Ok(found) => found,
    };
    let list: Vec<String> = found
        .targets
        .iter()
        .map(|target| {
            let via = if target.host == server.host { String::new() } else { format!(" ({})", target.host) };
            format!("{}{via}{}", target.address, if target.is_backup { ", backup" } else { "" })
        })
        .collect();
    let text = format!("{server} leads to {}", list.join(", "));
    match &found.stale {
        Some(why) => Finding::warning(
            Subject::Dns,
            format!("{text}; these are the last addresses known, for the DNS does not answer: {why}"),
            "check the DNS of this machine, or name other servers with CALLIE_DNS_SERVERS",
        ),
        None => Finding::passed(Subject::Dns, text),
    }
}

fn transport(facts: &Facts) -> Finding {
    let transport = facts.account.transport.as_str();
    match &facts.asked {
        Err(why) if facts.looked_up.is_err() => Finding::skipped(Subject::Transport, format!("without an address: {why}")),
        Err(why) => Finding::failed(
            Subject::Transport,
            why.clone(),
            format!("check sip_server, sip_port and transport ({transport}), and whether a firewall lets it through"),
        ),
        Ok(answer) => match answer.code {
            Some(code) => Finding::passed(
                Subject::Transport,
                format!("{} answers by {transport} after {} ms ({code} to OPTIONS)", answer.address, answer.took.as_millis()),
            ),
            None if facts.registration.is_registered() => Finding::warning(
                Subject::Transport,
                format!("{} takes our REGISTER and does not answer OPTIONS", answer.address),
                "nothing need be done: some providers ignore OPTIONS",
            ),
            None => Finding::failed(
                Subject::Transport,
                format!("{} does not answer by {transport}", answer.address),
                "check sip_server, sip_port and transport, and whether a firewall drops the answers",
            ),
        },
    }
}

fn registration(facts: &Facts) -> Finding {
    let status = &facts.registration;
    let reason = status.reason.clone().unwrap_or_else(|| "no answer yet".to_owned());
    match status.state {
        RegistrationState::Registered => {
            let granted = status.granted_s.unwrap_or_default();
            let by = granting_field(&facts.messages).map(|field| format!(" by {field}")).unwrap_or_default();
            let text = format!("registered; granted for {granted} s{by}, refreshed after about {} s", granted * 85 / 100);
            match &status.failover_reason {
                Some(why) => Finding::warning(
                    Subject::Registration,
                    format!("{text}; not at the preferred registrar: {why}"),
                    "nothing need be done if it lasts a few minutes: the line goes back by itself",
                ),
                None if granted < SHORT_S => Finding::warning(
                    Subject::Registration,
                    text,
                    "ask for more with registration_expires; some providers keep it short to see through NATs",
                ),
                None => Finding::passed(Subject::Registration, text),
            }
        }
        RegistrationState::WrongPassword => Finding::failed(
            Subject::Registration,
            reason,
            "see Authentication: the registrar refuses the account's name or password",
        ),
        _ => Finding::failed(
            Subject::Registration,
            reason,
            "check sip_server, sip_port, transport and the network; the SIP trace of the line shows what was said (GET /users/{id}/sip/trace)",
        ),
    }
}

/// Which field of the registrar's 200 says for how long (RFC 3261 §10.2.4).
fn granting_field(messages: &[SipMessage]) -> Option<&'static str> {
    let ok = messages.iter().rev().find(|m| is_reply_to(m, "REGISTER") && m.start_line().starts_with("SIP/2.0 200"))?;
    let in_contact = ok.field("Contact").is_some_and(|contact| contact.to_ascii_lowercase().contains("expires="));
    Some(if in_contact { "the Contact's expires" } else { "the Expires field" })
}

fn is_reply_to(message: &SipMessage, method: &str) -> bool {
    message.way == Way::Received
        && message.start_line().starts_with("SIP/2.0 ")
        && message.field("CSeq").is_some_and(|cseq| cseq.ends_with(method))
}

fn authentication(facts: &Facts) -> Finding {
    let challenge = facts.messages.iter().rev().filter(|m| is_reply_to(m, "REGISTER")).find_map(|m| {
        let code = m.start_line().get(8..11)?;
        matches!(code, "401" | "407").then(|| m.field("WWW-Authenticate").or(m.field("Proxy-Authenticate")))?
    });
    let asked = challenge.map(|challenge| {
        let of = |name: &str| parameter(challenge, name);
        format!("{} for {}", of("algorithm").unwrap_or("MD5"), of("realm").unwrap_or("no realm"))
    });
    let status = &facts.registration;
    match (status.state, asked) {
        (RegistrationState::Registered, Some(asked)) => {
            Finding::passed(Subject::Authentication, format!("digest {asked}, accepted"))
        }
        (RegistrationState::Registered, None) => Finding::passed(Subject::Authentication, "the credentials in use are accepted"),
        (RegistrationState::WrongPassword, asked) => Finding::failed(
            Subject::Authentication,
            format!(
                "{}{}",
                status.reason.clone().unwrap_or_else(|| "refused".to_owned()),
                asked.map(|asked| format!(" (digest {asked})")).unwrap_or_default()
            ),
            "check sip_username, auth_username and sip_password against the provider's page: many accounts have a password of their \
             own for telephones, and a name for authentication that is not the number",
        ),
        _ => Finding::skipped(Subject::Authentication, "the registrar did not get to it"),
    }
}

/// `name=value` or `name="value"` of a challenge.
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    challenge.split([',', ' ']).find_map(|part| {
        let (given, value) = part.trim().split_once('=')?;
        given.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    })
}

fn nat(facts: &Facts) -> Finding {
    let local = facts.local;
    match facts.registration.public_address {
        Some(public) if public.ip() != local.ip() => Finding::passed(
            Subject::Nat,
            format!("behind a NAT: we are {local}, the provider sees {public}; our Contact and SDP name that address"),
        ),
        Some(public) => Finding::passed(Subject::Nat, format!("the provider sees us at {public}")),
        None if Facts::is_private(local.ip())
            && facts.looked_up.as_ref().is_ok_and(|found| {
                found.targets.iter().any(|target| !Facts::is_private(target.address.ip()) && !target.address.ip().is_loopback())
            }) =>
        {
            Finding::warning(
                Subject::Nat,
                format!("we are {local}, a private address, and the provider does not say where it sees us (no rport)"),
                "set external_address of the user or CALLIE_EXTERNAL_ADDRESS to the router's public address, or a stun_server, and \
                 forward the SIP and RTP ports",
            )
        }
        None => Finding::passed(Subject::Nat, format!("no address is translated between {local} and the provider")),
    }
}

/// A helper in a router that rewrites SIP gives itself away where our own words come back changed.
fn alg(facts: &Facts) -> Finding {
    const REMEDY: &str =
        "switch the SIP ALG (SIP helper, SIP passthrough) of the router off, or use transport tls, which it cannot read";
    match rewritten(&facts.messages) {
        None => Finding::skipped(Subject::Alg, "no answer of the registrar to compare with"),
        Some(changes) if changes.is_empty() => Finding::passed(Subject::Alg, "our Via and Call-ID come back as we sent them"),
        Some(changes) => Finding::warning(Subject::Alg, format!("rewritten on the way: {}", changes.join("; ")), REMEDY),
    }
}

/// What of our REGISTERs came back changed; `None` when nothing came back. A Contact may be changed by the registrar, our Via
/// and Call-ID by nobody (RFC 3261 §8.2.6.2).
fn rewritten(messages: &[SipMessage]) -> Option<Vec<String>> {
    let mut changes = None;
    for reply in messages.iter().filter(|m| is_reply_to(m, "REGISTER")) {
        let cseq = reply.field("CSeq");
        let sent =
            messages.iter().find(|m| m.way == Way::Sent && m.start_line().starts_with("REGISTER") && m.field("CSeq") == cseq);
        let Some(sent) = sent else { continue };
        let changes = changes.get_or_insert_with(Vec::new);
        let sent_by = |m: &SipMessage| m.field("Via").and_then(|via| via.split(';').next()).map(str::to_owned);
        for (name, ours, theirs) in [
            ("Via", sent_by(sent), sent_by(reply)),
            ("Call-ID", sent.field("Call-ID").map(str::to_owned), reply.field("Call-ID").map(str::to_owned)),
        ] {
            let change = format!("{name} {} → {}", ours.clone().unwrap_or_default(), theirs.clone().unwrap_or_default());
            if ours != theirs && !changes.contains(&change) {
                changes.push(change);
            }
        }
    }
    changes
}
