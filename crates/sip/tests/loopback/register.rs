//! Registration: challenges, refusals, refresh, removal.

use crate::peer::{Message, PASSWORD, Peer, World, account, soon};
use callie_domain::Secret;
use callie_domain::registration::RegistrationState;
use md5::{Digest, Md5};
use sha2::Sha256;

/// A parameter of a digest header.
fn param<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.trim_start_matches("Digest ").split(',').find_map(|part| {
        let (found, value) = part.trim().split_once('=')?;
        (found == name).then(|| value.trim_matches('"'))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Checks an Authorization header the way a registrar does (RFC 7616 §3.4.1), with qop=auth.
fn is_authorized(register: &Message, hash: impl Fn(&str) -> String) -> bool {
    let header = register.must("Authorization");
    let get = |name| param(header, name).unwrap_or_default();
    let a1 = hash(&format!("alice-auth:{}:{PASSWORD}", get("realm")));
    let a2 = hash(&format!("REGISTER:{}", get("uri")));
    let uri_is_sent = register.start() == format!("REGISTER {} SIP/2.0", get("uri"));
    let want = hash(&format!("{a1}:{}:{}:{}:auth:{a2}", get("nonce"), get("nc"), get("cnonce")));
    uri_is_sent && get("response") == want
}

async fn registers_with(challenge: &str, hash: impl Fn(&str) -> String) {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let handle = world.stack.open_account(account(registrar.address));
    let first = registrar.expect("REGISTER").await;
    assert_eq!(first.start(), "REGISTER sip:carrier.test SIP/2.0");
    assert_eq!(first.must("User-Agent"), "Yealink SIP-T46S 66.85.0.5 ~00:15:65:aa:bb:cc");
    assert_eq!(first.headers("User-Agent").len(), 1);
    assert_eq!(first.must("To"), "<sip:1000@carrier.test>");
    assert!(first.must("From").starts_with("\"Alice \\\"A\\\" Smith\" <sip:1000@carrier.test>;tag="));
    assert!(first.contact().ends_with(&format!("@{}", world.address())), "{}", first.contact());
    registrar.reply(&first, "401 Unauthorized", &[challenge], "").await;
    let second = registrar.expect_where("REGISTER", |m| m.header("Authorization").is_some()).await;
    assert!(is_authorized(&second, hash), "{}", second.text);
    assert_eq!(second.contact(), first.contact());
    registrar.grant(&second, 600).await;
    let mut status = handle.status();
    let status = soon("registration", status.wait_for(|s| s.is_registered())).await.expect("running").clone();
    assert_eq!(status.contact, Some(second.contact()));
    assert_eq!((status.last_code, status.attempts), (Some(200), 2));
    world.end().await;
}

#[tokio::test]
async fn registers_with_md5() {
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth,auth-int\", algorithm=MD5";
    registers_with(challenge, |text| hex(&Md5::digest(text))).await;
}

#[tokio::test]
async fn registers_with_sha_256() {
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256";
    registers_with(challenge, |text| hex(&Sha256::digest(text))).await;
}

#[tokio::test]
async fn a_wrong_password_is_a_state_and_a_new_one_cures_it() {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let wrong = callie_domain::Account { password: Secret::new("wrong"), ..account(registrar.address) };
    let handle = world.stack.open_account(wrong);
    let first = registrar.expect("REGISTER").await;
    for (nonce, message) in [("n1", None), ("n2", Some(()))] {
        let request = match message {
            None => first.clone(),
            Some(()) => registrar.expect_where("REGISTER", |m| m.header("Authorization").is_some()).await,
        };
        let challenge = format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"");
        registrar.reply(&request, "401 Unauthorized", &[&challenge], "").await;
    }
    let mut status = handle.status();
    soon("refusal", status.wait_for(|s| s.state == RegistrationState::WrongPassword)).await.expect("running");
    handle.update(account(registrar.address));
    let contact = registrar.register().await.contact();
    assert_eq!(contact, first.contact(), "the Contact stays");
    soon("registration", status.wait_for(|s| s.is_registered())).await.expect("running");
    world.end().await;
}

#[tokio::test]
async fn too_brief_an_interval_is_raised() {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let _handle = world.stack.open_account(account(registrar.address));
    let first = registrar.expect("REGISTER").await;
    assert_eq!(first.must("Expires"), "3600");
    registrar.reply(&first, "423 Interval Too Brief", &["Min-Expires: 7200"], "").await;
    registrar.expect_where("REGISTER", |m| m.header("Expires") == Some("7200")).await;
    world.end().await;
}

#[tokio::test]
async fn a_binding_is_refreshed_and_removed() {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let handle = world.stack.open_account(account(registrar.address));
    let first = registrar.expect("REGISTER").await;
    registrar.grant(&first, 1).await;
    let cseq = first.must("CSeq").to_owned();
    let refresh = registrar.expect_where("REGISTER", |m| m.must("CSeq") != cseq).await;
    assert_eq!(refresh.must("Call-ID"), first.must("Call-ID"));
    assert_eq!(refresh.contact(), first.contact());
    registrar.grant(&refresh, 600).await;
    let mut status = handle.status();
    soon("registration", status.wait_for(|s| s.attempts == 2 && s.is_registered())).await.expect("running");
    let goodbye = async {
        let last = registrar.expect_where("REGISTER", |m| m.header("Expires") == Some("0")).await;
        assert_eq!(last.contact(), first.contact());
        registrar.reply(&last, "200 OK", &[], "").await;
    };
    soon("the end", async { tokio::join!(handle.stop(), goodbye) }).await;
    assert_eq!(handle.status().borrow().state, RegistrationState::Off);
    assert_eq!(world.stack.stats().accounts, 0);
    world.end().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_dead_registrar() {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let (handle, _) = world.registered(&registrar).await;
    soon("the end", handle.stop()).await;
    assert_eq!(world.stack.stats().accounts, 0);
    world.end().await;
}

#[tokio::test]
async fn a_dropped_handle_ends_its_account() {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let (handle, _) = world.registered(&registrar).await;
    drop(handle);
    let last = registrar.expect_where("REGISTER", |m| m.header("Expires") == Some("0")).await;
    registrar.reply(&last, "200 OK", &[], "").await;
    world.at_rest(0).await;
    world.end().await;
}

#[tokio::test]
async fn an_outbound_proxy_gets_the_request_with_a_route() {
    let (world, proxy) = (World::new().await, Peer::new().await);
    let host = callie_domain::HostPort { host: "127.0.0.1".into(), port: Some(proxy.address.port()) };
    let nowhere = "192.0.2.1:5060".parse().expect("address");
    let account = callie_domain::Account { outbound_proxy: Some(host), ..account(nowhere) };
    let _handle = world.stack.open_account(account);
    let register = proxy.expect("REGISTER").await;
    assert_eq!(register.must("Route"), format!("<sip:{};lr>", proxy.address));
    world.end().await;
}

#[tokio::test]
async fn lost_requests_are_repeated_and_silence_is_a_state() {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let handle = world.stack.open_account(account(registrar.address));
    let first = registrar.expect("REGISTER").await;
    let again = registrar.expect("REGISTER").await;
    assert_eq!(first.text, again.text, "a repetition, not a new request");
    let mut status = handle.status();
    let retrying = |s: &callie_domain::registration::RegistrationStatus| s.state == RegistrationState::Retrying;
    let status = soon("a state for silence", status.wait_for(retrying)).await.expect("running").clone();
    assert!(status.reason.is_some() && status.next_attempt_at.is_some(), "{status:?}");
    world.end().await;
}

#[tokio::test]
async fn names_are_resolved_as_told_and_the_contact_can_be_reached() {
    let registrar = Peer::new().await;
    let address = registrar.address;
    for (external, want) in [(None, "127.0.0.1"), (Some("198.51.100.7"), "198.51.100.7")] {
        let world = World::with(|options| {
            options.listen = "0.0.0.0:0".parse().expect("address");
            options.hosts.insert("SIP.zoho.com".into(), address);
            options.external_address = external.map(|text| text.parse().expect("address"));
        })
        .await;
        let server = callie_domain::HostPort { host: "sip.zoho.com".into(), port: Some(5060) };
        let handle = world.stack.open_account(callie_domain::Account { server, ..account(address) });
        let register = registrar.expect("REGISTER").await;
        let reached = format!("@{want}:{}", world.address().port());
        assert!(register.contact().ends_with(&reached), "{}", register.contact());
        assert!(register.must("Via").contains(&reached[1..]), "{}", register.must("Via"));
        assert_eq!(world.stack.media_address_toward(Some(address.ip())).to_string(), want);
        registrar.grant(&register, 600).await;
        soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");
        world.end().await;
    }
}

#[tokio::test]
async fn behind_a_nat_the_contact_is_where_the_registrar_sees_us() {
    let (world, registrar) = (World::new().await, Peer::new().await);
    let _handle = world.stack.open_account(account(registrar.address));
    let first = registrar.expect("REGISTER").await;
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";
    let response = first.response("401 Unauthorized", &[challenge], "");
    let seen = format!(";rport={}", first.source.port());
    let translated = response.replace(&seen, ";received=203.0.113.9;rport=4242");
    registrar.send(first.source, translated).await;
    let second = registrar.expect_where("REGISTER", |m| m.header("Authorization").is_some()).await;
    assert!(second.contact().ends_with("@203.0.113.9:4242"), "{}", second.contact());
    world.end().await;
}
