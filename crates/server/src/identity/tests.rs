//! Tokens and logins against the lab's identity provider, by HTTP.

use super::login::{Login, LoginFault, LoginSettings};
use super::provider::Provider;
use super::token::{Bearer, Claims, TokenFault, Tokens};
use base64::Engine as _;
use callie_domain::Role;
use callie_lab::provider::{IdentityProvider, SigningKey};
use http::{HeaderMap, header};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const AUDIENCE: &str = "callie-tests";

struct World {
    provider: IdentityProvider,
    tokens: Arc<Tokens>,
}

impl World {
    async fn new() -> Self {
        let provider = IdentityProvider::start().await.expect("a free port");
        let claims = Claims {
            audience: AUDIENCE.into(),
            role: "callie_role".into(),
            user: "app.callie_user".into(),
            admins: vec!["boss@example.org".into()],
        };
        let published = Provider::new(&provider.issuer, None).expect("a client");
        let tokens = Arc::new(Tokens::new(Arc::new(published), claims));
        Self { provider, tokens }
    }

    async fn verdict(&self, claims: Value) -> Result<Bearer, TokenFault> {
        let token = self.provider.token(AUDIENCE, &claims).expect("signed");
        self.tokens.verify(&token).await
    }
}

fn now_s() -> i64 {
    Timestamp::now().as_second()
}

#[tokio::test]
async fn roles_come_from_claims_or_by_name() {
    let world = World::new().await;
    let alice = || Role::User("alice".parse().expect("an id"));
    for (claims, name, role) in [
        (json!({"callie_role": "admin"}), "person-1", Role::Admin),
        (json!({"callie_role": ["guest", "operator"]}), "person-1", Role::Operator),
        (json!({"callie_role": ["user", "admin"], "app": {"callie_user": "alice"}}), "person-1", Role::Admin),
        (json!({"callie_role": "user", "app": {"callie_user": "alice"}}), "person-1", alice()),
        (json!({"email": "Boss@example.org", "email_verified": true}), "Boss@example.org", Role::Admin),
        (json!({"callie_role": "operator", "email": "a@b.example", "email_verified": true}), "a@b.example", Role::Operator),
    ] {
        let bearer = world.verdict(claims.clone()).await.unwrap_or_else(|fault| panic!("{claims}: {fault}"));
        assert_eq!((bearer.name.as_str(), bearer.role), (name, role), "{claims}");
    }
    for claims in [
        json!({}),
        json!({"callie_role": "root"}),
        json!({"callie_role": {"admin": true}}),
        json!({"callie_role": "user"}),
        json!({"callie_role": "user", "app": {"callie_user": "a b"}}),
        // Anybody can give any address; only a verified one is theirs.
        json!({"email": "boss@example.org"}),
        json!({"email": "boss@example.org", "email_verified": "true"}),
    ] {
        let fault = world.verdict(claims.clone()).await.expect_err("no role");
        assert!(matches!(fault, TokenFault::NoRole { .. }), "{claims}: {fault}");
    }
}

#[tokio::test]
async fn tokens_that_are_not_for_us() {
    let world = World::new().await;
    let admin = |over: Value| {
        let mut claims = json!({"callie_role": "admin"});
        claims.as_object_mut().expect("claims").extend(over.as_object().expect("claims").clone());
        claims
    };
    for (over, want) in [
        (json!({"iss": "https://evil.example"}), "issuer"),
        (json!({"iss": null}), "lacks"),
        (json!({"aud": "another"}), "audience"),
        (json!({"aud": null}), "lacks"),
        (json!({"exp": now_s() - 61}), "expired"),
        (json!({"exp": null}), "lacks"),
        (json!({"nbf": now_s() + 90}), "not valid yet"),
        (json!({"sub": null}), "lacks"),
    ] {
        let fault = world.verdict(admin(over.clone())).await.expect_err("refused").to_string();
        assert!(fault.contains(want) || fault.contains("cannot be read"), "{over}: {fault}");
    }
    world.verdict(admin(json!({"aud": ["x", AUDIENCE]}))).await.expect("one of several");
    world.verdict(admin(json!({"exp": now_s() - 30}))).await.expect("clocks may differ");
}

#[tokio::test]
async fn signatures_that_prove_nothing() {
    let world = World::new().await;
    let claims = world.provider.claims(AUDIENCE, &json!({"callie_role": "admin"}));
    let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let good = world.provider.token(AUDIENCE, &json!({"callie_role": "admin"})).expect("signed");
    world.tokens.verify(&good).await.expect("it is good");
    let (signed, signature) = good.rsplit_once('.').expect("three parts");

    let of_another = SigningKey::new("first").expect("a key").sign(&claims).expect("signed");
    let by_password = encode(
        &Header { kid: Some("first".into()), ..Header::new(Algorithm::HS256) },
        &claims,
        &EncodingKey::from_secret(b"first"),
    );
    for (what, token) in [
        ("alg none", format!("{}.{}.", part(&json!({"alg": "none", "kid": "first"})), part(&claims))),
        (
            "alg none with the signature of another",
            format!("{}.{}.{signature}", part(&json!({"alg": "none", "kid": "first"})), part(&claims)),
        ),
        ("alg HS256", by_password.expect("signed")),
        (
            "alg RS256 for a key of P-256",
            format!("{}.{}.{signature}", part(&json!({"alg": "RS256", "kid": "first"})), part(&claims)),
        ),
        ("another key of the same name", of_another),
        ("an unknown key", SigningKey::new("other").expect("a key").sign(&claims).expect("signed")),
        ("no signature", format!("{signed}.")),
        (
            "other claims",
            format!("{}.{}.{signature}", signed.split('.').next().expect("a header"), part(&json!({"callie_role": "admin"}))),
        ),
        ("half of it", good[..good.len() / 2].to_owned()),
        ("nothing", String::new()),
        ("too much", format!("{good}{}", "A".repeat(20_000))),
    ] {
        let fault = world.tokens.verify(&token).await.expect_err(what);
        assert!(matches!(fault, TokenFault::Bad(_)), "{what}: {fault}");
        assert!(token.is_empty() || !fault.to_string().contains(&token), "{what}: what was shown is not repeated");
    }
}

#[tokio::test]
async fn a_provider_changes_its_key_and_goes_away() {
    let world = World::new().await;
    let admin = json!({"callie_role": "admin"});
    world.verdict(admin.clone()).await.expect("good");
    world.verdict(admin.clone()).await.expect("good");
    assert_eq!(world.provider.asked_for_keys(), 1, "they are kept");
    world.provider.change_key("second").expect("a key");
    // Anybody can name keys: a new one is looked for after a while only.
    world.verdict(admin.clone()).await.expect_err("not looked for yet");
    assert_eq!(world.provider.asked_for_keys(), 1);
    let World { provider, tokens } = world;
    let token = provider.token(AUDIENCE, &admin).expect("signed");
    provider.stop().await;
    assert!(matches!(tokens.verify(&token).await, Err(TokenFault::Bad(_))), "what is known goes on");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_told_as_that() {
    let provider = Provider::new("http://127.0.0.1:9", None).expect("a client");
    let claims = Claims { audience: AUDIENCE.into(), role: "r".into(), user: "u".into(), admins: vec![] };
    let tokens = Tokens::new(Arc::new(provider), claims);
    let token = SigningKey::new("first").expect("a key").sign(&json!({})).expect("signed");
    let fault = tokens.verify(&token).await.expect_err("nobody answers");
    assert!(matches!(fault, TokenFault::Provider(_)), "{fault}");
}

/// A browser's way through the provider.
struct Browser {
    cookie: HeaderMap,
    state: String,
    code: String,
}

impl World {
    fn login(&self) -> Login {
        let settings = LoginSettings {
            client_id: AUDIENCE.into(),
            client_secret: None,
            redirect: "http://localhost:8080/session/oidc/callback".into(),
            secure: false,
        };
        Login::new(settings, self.tokens.clone())
    }

    async fn walk(&self, login: &Login, now: Timestamp) -> Browser {
        let begun = login.begin(now).await.expect("the provider is there");
        let mut cookie = HeaderMap::new();
        let text = begun.cookie.to_str().expect("text");
        assert!(text.contains("SameSite=Lax; Max-Age=600"), "{text}");
        cookie.insert(header::COOKIE, text.split(';').next().expect("a pair").parse().expect("valid"));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let answer = client.get(&begun.to).send().await.expect("answered");
        let back = answer.headers()["location"].to_str().expect("text").to_owned();
        let back = url::Url::parse(&back).expect("a URL");
        let value = |name: &str| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        Browser { cookie, state: value("state").expect("state"), code: value("code").expect("code") }
    }
}

#[tokio::test]
async fn somebody_signs_in_at_the_provider() {
    let world = World::new().await;
    world.provider.person(&json!({"email": "boss@example.org", "email_verified": true}));
    let (login, now) = (world.login(), Timestamp::now());
    let browser = world.walk(&login, now).await;
    let bearer = login.finish(&browser.cookie, &browser.state, &browser.code, now).await.expect("signed in");
    assert_eq!((bearer.name.as_str(), bearer.role), ("boss@example.org", Role::Admin));
    let again = login.finish(&browser.cookie, &browser.state, &browser.code, now).await;
    assert!(matches!(again, Err(LoginFault::Unknown)), "a login is good once");
}

#[tokio::test]
async fn logins_that_somebody_meddled_with() {
    let world = World::new().await;
    world.provider.person(&json!({"callie_role": "admin"}));
    let (login, now) = (world.login(), Timestamp::now());
    let (one, other) = (world.walk(&login, now).await, world.walk(&login, now).await);
    let swapped = login.finish(&other.cookie, &one.state, &one.code, now).await;
    assert!(matches!(swapped, Err(LoginFault::Unknown)), "another browser's: {swapped:?}");
    let crossed = login.finish(&other.cookie, &other.state, &one.code, now).await;
    assert!(matches!(crossed, Err(LoginFault::Refused(_))), "another login's code has another verifier: {crossed:?}");
    let late = world.walk(&login, now).await;
    let late = login.finish(&late.cookie, &late.state, &late.code, now + Duration::from_secs(601)).await;
    assert!(matches!(late, Err(LoginFault::Unknown)), "{late:?}");
    world.provider.person(&json!({"callie_role": "admin", "nonce": "of another login"}));
    let stale = world.walk(&login, now).await;
    let stale = login.finish(&stale.cookie, &stale.state, &stale.code, now).await;
    assert!(matches!(stale, Err(LoginFault::Refused(_))), "{stale:?}");
    world.provider.person(&json!({}));
    let nobody = world.walk(&login, now).await;
    let nobody = login.finish(&nobody.cookie, &nobody.state, &nobody.code, now).await;
    assert!(matches!(nobody, Err(LoginFault::Token(TokenFault::NoRole { .. }))), "{nobody:?}");
}

#[tokio::test]
async fn a_token_without_end_is_not_even_read() {
    let fault = World::new().await.verdict(json!({"callie_role": "admin", "groups": "x".repeat(20_000)})).await;
    assert!(matches!(&fault, Err(TokenFault::Bad(why)) if why == "is too long"), "{fault:?}");
}
