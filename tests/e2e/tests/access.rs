//! Who is let in, by the real binary: the first admin, keys made beside the running server, a browser's login, TLS, the audit.

use callie_e2e::certificates::Authority;
use callie_e2e::process::Process;
use callie_e2e::{Callie, eventually};
use callie_lab::provider::IdentityProvider;
use reqwest::{Client, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);

/// Follows nothing by itself and keeps no cookie: the tests look at both.
fn browser() -> Client {
    Client::builder().redirect(Policy::none()).timeout(WITHIN).build().expect("a client")
}

fn cookie(answer: &reqwest::Response) -> String {
    let mut cookies = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
    cookies.next_back().and_then(|text| text.split(';').next()).expect("a cookie").to_owned()
}

/// What a command on the server's machine prints.
fn said(callie: &Callie, command: &str) -> String {
    let output = callie.shell(command).expect("a shell").output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test]
async fn the_first_admin_comes_in_by_the_link_and_others_by_keys() {
    let callie = Callie::setup().env("CALLIE_AUTHENTICATION", "required").start().await.expect("callie starts");
    assert_eq!(callie.get("/users").await.0, 401);
    let log = callie.log();
    let (_, rest) = log.split_once("/dashboard/first-run#").expect("the link is in the log");
    let text: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let (browser, base) = (browser(), format!("http://{}", callie.http()));
    let sign_in = async || {
        let body = json!({ "first_run": text }).to_string();
        browser.post(format!("{base}/session")).body(body).send().await.expect("answered")
    };
    let answer = sign_in().await;
    let cookie = cookie(&answer);
    let session: Value = answer.json().await.expect("json");
    assert_eq!(session["identity"]["role"], "admin", "{session}");
    assert_eq!(sign_in().await.status(), StatusCode::UNAUTHORIZED, "it is good once");

    let csrf = session["identity"]["csrf_token"].as_str().expect("a token");
    let make = browser.post(format!("{base}/keys")).header("cookie", &cookie).header("x-csrf-token", csrf);
    let made = make.body(json!({"name": "head", "role": "admin"}).to_string()).send().await.expect("answered");
    assert_eq!(made.status(), StatusCode::CREATED);
    let admin = made.json::<Value>().await.expect("json")["key"].as_str().expect("a key").to_owned();
    let status = async |key: &str, path: &str| {
        browser.get(format!("{base}{path}")).bearer_auth(key).send().await.expect("answered").status().as_u16()
    };
    assert_eq!(status(&admin, "/keys").await, 200);

    // Beside the running server.
    let desk = said(&callie, "callie api-keys add --role operator --name desk").trim().to_owned();
    assert_eq!((status(&desk, "/users").await, status(&desk, "/keys").await), (200, 403));
    let id = desk.split('_').nth(1).expect("an id").to_owned();
    assert!(said(&callie, "callie api-keys list").contains(&format!("{id}  valid")));
    said(&callie, &format!("callie api-keys revoke {id}"));
    assert_eq!(status(&desk, "/users").await, 401);

    let whole = said(&callie, "callie audit verify");
    let head = whole.lines().find_map(|line| line.strip_prefix("head ")).expect("the head").to_owned();
    let log = callie.log();
    for secret in [&admin, &desk, &cookie] {
        assert!(!log.contains(secret.as_str()), "the log holds what opens");
    }
    let callie = callie.kill().start().await.expect("it starts again");
    let base = format!("http://{}", callie.http());
    let again = browser.get(format!("{base}/users")).header("cookie", &cookie).send().await.expect("answered");
    assert_eq!(again.status(), StatusCode::OK, "sessions outlive the process");
    assert_eq!(callie.log().matches("/dashboard/first-run#").count(), 1, "at the first start alone: somebody has a key now");
    assert!(said(&callie, &format!("callie audit verify --head {head}")).contains("whole"));
    said(&callie, &format!("sqlite3 '{}' \"UPDATE audit SET actor = 'nobody' WHERE seq = 2\"", callie.database().display()));
    let broken = callie.shell("callie audit verify").expect("a shell").output().expect("it runs");
    let complaint = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(!broken.status.success() && complaint.contains("broken at entry 2"), "{complaint}");
}

#[tokio::test]
async fn a_browser_signs_in_at_the_identity_provider() {
    let provider = IdentityProvider::start().await.expect("a free port");
    provider.person(&json!({"email": "boss@example.org", "email_verified": true}));
    let setup = Callie::setup();
    let base = format!("http://{}", setup.http());
    let callie = setup
        .env("CALLIE_PUBLIC_URL", &base)
        .env("CALLIE_OIDC_ISSUER", &provider.issuer)
        .env("CALLIE_OIDC_CLIENT_ID", "callie")
        .env("CALLIE_OIDC_ADMINS", "boss@example.org")
        .start()
        .await
        .expect("callie starts");
    let session = callie.get("/session").await.1;
    assert_eq!((&session["authentication"], &session["login"]["oidc"]["url"]), (&json!("required"), &json!("/session/oidc")));
    let browser = browser();
    let to = |answer: &reqwest::Response| answer.headers()["location"].to_str().expect("text").to_owned();
    let begun = browser.get(format!("{base}/session/oidc")).send().await.expect("answered");
    let login = cookie(&begun);
    let at_provider = browser.get(to(&begun)).send().await.expect("answered");
    // As a browser does on its way back from another site.
    let back = browser.get(to(&at_provider)).header("cookie", &login);
    let back =
        back.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    let back = back.send().await.expect("answered");
    assert_eq!((back.status(), to(&back).as_str()), (StatusCode::SEE_OTHER, "/dashboard"));
    let session = cookie(&back);
    let keys = browser.get(format!("{base}/keys")).header("cookie", &session).send().await.expect("answered");
    assert_eq!(keys.status(), StatusCode::OK);
    let audit: Value = browser
        .get(format!("{base}/audit?actor=boss@example.org"))
        .header("cookie", &session)
        .send()
        .await
        .expect("answered")
        .json()
        .await
        .expect("json");
    assert!(audit["entries"].is_array(), "{audit}");

    let bearer = async |claims: Value| {
        let token = provider.token("callie", &claims).expect("signed");
        browser.get(format!("{base}/users/alice")).bearer_auth(token).send().await.expect("answered").status().as_u16()
    };
    assert_eq!(bearer(json!({"callie_role": "operator"})).await, 404, "let in, and there is no such user");
    assert_eq!(bearer(json!({"callie_role": "guest"})).await, 401);
    assert_eq!(bearer(json!({"callie_role": "operator", "aud": "another"})).await, 401);
}

#[tokio::test]
async fn over_tls_cookies_stay_there_and_certificates_are_changed_in_flight() {
    let authority = Authority::new("Callie e2e");
    let folder = tempfile::tempdir().expect("a folder");
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    let issue = |id: &str| {
        let issued = authority.issue(id, "DNS:localhost,IP:127.0.0.1");
        std::fs::write(&certificate, issued.chain_pem()).expect("writable");
        std::fs::write(&key, issued.key_pem()).expect("writable");
    };
    issue("first");
    let setup = Callie::setup()
        .env("CALLIE_AUTHENTICATION", "required")
        .env("CALLIE_HTTP_TLS_CERTIFICATE", certificate.display().to_string())
        .env("CALLIE_HTTP_TLS_KEY", key.display().to_string());
    let base = format!("https://{}", setup.http());
    let mut process =
        Process::start("callie", &mut setup.command().expect("a command"), folder.path().join("callie.log")).expect("starts");
    let client = || {
        let root = reqwest::Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
        Client::builder().tls_certs_only([root]).tls_info(true).timeout(WITHIN).build().expect("a client")
    };
    let ready = async || client().get(format!("{base}/health/ready")).send().await.ok().filter(|answer| answer.status() == 200);
    let answer = eventually("it is ready over TLS", WITHIN, ready).await;
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let shown = |answer: &reqwest::Response| {
        answer
            .extensions()
            .get::<reqwest::tls::TlsInfo>()
            .and_then(|info| info.peer_certificate().map(<[u8]>::to_vec))
            .expect("shown")
    };
    let first = shown(&answer);
    let log = process.log();
    let (_, rest) = log.split_once("/dashboard/first-run#").expect("the link is in the log");
    let text: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let signed_in = client().post(format!("{base}/session")).body(json!({ "first_run": text }).to_string()).send().await;
    let signed_in = signed_in.expect("answered");
    let set = signed_in.headers()["set-cookie"].to_str().expect("text");
    assert!(set.starts_with("__Host-callie_session=") && set.contains("; Secure"), "{set}");
    issue("second");
    eventually("the new certificate is shown", WITHIN, async || {
        let answer = ready().await?;
        (shown(&answer) != first).then_some(())
    })
    .await;
    process.signal("TERM");
    process.wait(WITHIN).expect("it ends");
}
