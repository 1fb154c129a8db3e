//! Who may open a feed or a WebSocket, and that it ends with what opened it: a key, a session, a token.

use crate::world::{Manner, PATIENCE, World, reason, until};
use callie_domain::record::EndReason;
use callie_lab::provider::IdentityProvider;
use callie_server::config::Oidc;
use callie_store::AccessStore;
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, http::HeaderName};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A round of the door, and a slow machine.
const SOON: Duration = Duration::from_secs(4);

type Headers<'h> = Vec<(&'h str, String)>;

fn bearer(key: &str) -> Headers<'static> {
    vec![("authorization", format!("Bearer {key}"))]
}

/// The server as clients see it.
struct Desk {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Desk {
    fn of(world: &World) -> Self {
        Self { address: world.app.http_address, client: reqwest::Client::new() }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn send(&self, method: &str, path: &str, headers: &Headers<'_>, body: Option<Value>) -> reqwest::Response {
        let mut request = self.client.request(method.parse().expect("a method"), format!("{}{path}", self.origin()));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = body.into_iter().fold(request, |request, body| request.body(body.to_string()));
        request.send().await.expect("an answer")
    }

    /// The id of a fresh key, and the key.
    async fn key(&self, by: &Headers<'_>, wanted: Value) -> (String, String) {
        let made = self.send("POST", "/keys", by, Some(wanted)).await;
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.expect("JSON");
        let text = |field: &str| made[field].as_str().expect("a text").to_owned();
        (text("id"), text("key"))
    }

    async fn key_of(&self, admin: &str, user: &str, more: Value) -> (String, String) {
        let mut wanted = json!({"name": user, "role": "user", "user_id": user});
        for (field, value) in more.as_object().into_iter().flatten() {
            wanted[field] = value.clone();
        }
        self.key(&bearer(admin), wanted).await
    }

    /// A browser that signs in with a key: what it sends from then on, and what its changes need besides.
    async fn sign_in(&self, key: &str) -> (Headers<'static>, Headers<'static>) {
        let signed_in = self.send("POST", "/session", &Vec::new(), Some(json!({ "key": key }))).await;
        let cookie = signed_in.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let csrf = signed_in.json::<Value>().await.expect("JSON")["identity"]["csrf_token"].as_str().expect("a text").to_owned();
        let browser = vec![("cookie", cookie), ("origin", self.origin())];
        let changing = browser.iter().cloned().chain([("x-csrf-token", csrf)]).collect();
        (browser, changing)
    }

    async fn socket(&self, path: &str, headers: &Headers<'_>) -> Result<Socket, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().expect("valid");
        for (name, value) in headers {
            request.headers_mut().insert(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(refusal)) => Err(refusal.status().as_u16()),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    async fn feed(&self, headers: &Headers<'_>) -> Feed {
        let response = self.send("GET", "/events", headers, None).await;
        assert_eq!(response.status(), 200);
        Feed { response, text: String::new() }
    }
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The first text.
    async fn told(&mut self) -> Value {
        let first = async {
            loop {
                if let Message::Text(text) = self.0.next().await.expect("open").expect("a message") {
                    return serde_json::from_str(&text).expect("JSON");
                }
            }
        };
        timeout(PATIENCE, first).await.expect("in time")
    }

    /// Why it is closed.
    async fn closed(mut self) -> (u16, String) {
        let close = async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(Some(frame)) = message {
                    return (frame.code.into(), frame.reason.to_string());
                }
            }
            (0, "it broke".to_owned())
        };
        timeout(SOON, close).await.expect("closed in time")
    }
}

struct Feed {
    response: reqwest::Response,
    text: String,
}

impl Feed {
    /// All that was told until the end, which must be a clean one.
    async fn ended(mut self) -> String {
        let rest = async {
            while let Some(chunk) = self.response.chunk().await.expect("a clean end") {
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
            self.text
        };
        timeout(SOON, rest).await.expect("ended in time")
    }

    async fn tells(&mut self, what: &str) {
        let heard = async {
            while !self.text.contains(what) {
                let chunk = self.response.chunk().await.expect("readable").expect("it goes on");
                self.text.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("{what}: {}", self.text));
    }
}

/// A server with alice and bob, none of whom has a line, and the key of an admin.
async fn town() -> (World, Desk, String) {
    let world = World::with(Manner::Talk, |config| config.limits.calls_per_user = 50).await;
    let desk = Desk::of(&world);
    for name in ["alice", "bob"] {
        world.add_user(name, json!({"sip": {"connect": false}})).await;
    }
    until("both are known", async || world.app.stores.users.watch().borrow().users.len() == 2).await;
    let (_, admin) = desk.key(&Vec::new(), json!({"name": "head", "role": "admin"})).await;
    (world, desk, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_open_to_keys_and_to_our_own_pages_each_for_its_own_user() {
    let (world, desk, admin) = town().await;
    let (_, alice) = desk.key_of(&admin, "alice", json!({})).await;
    let (_, bob) = desk.key_of(&admin, "bob", json!({})).await;
    let (page, _) = desk.sign_in(&alice).await;
    let (page_of_bob, _) = desk.sign_in(&bob).await;
    let cookie = page[0].clone();
    let with = |headers: &Headers<'static>, more: (&'static str, &str)| {
        let mut headers = headers.clone();
        headers.retain(|(name, _)| *name != more.0);
        headers.push((more.0, more.1.to_owned()));
        headers
    };

    let mut talk = desk.socket("/users/alice/talk", &bearer(&alice)).await.expect("a key opens");
    let call = talk.told().await["call_id"].as_str().expect("a call").to_owned();
    // A moment later there is something to hear.
    until("the call can be listened to", async || desk.socket(&format!("/calls/{call}/listen"), &bearer(&admin)).await.is_ok())
        .await;
    let listen = format!("/calls/{call}/listen");
    let rows: Vec<(&str, Headers<'static>, u16)> = vec![
        ("a key in Authorization", bearer(&alice), 101),
        ("a key in X-API-Key", vec![("x-api-key", alice.clone())], 101),
        ("an admin's key", bearer(&admin), 101),
        ("a page of ours", page.clone(), 101),
        ("nothing", Vec::new(), 401),
        ("our own origin alone", vec![("origin", desk.origin())], 401),
        ("a key that is none", bearer("callie_aaaaaaaa_x"), 401),
        ("another's key", bearer(&bob), 404),
        ("another's page", page_of_bob, 404),
        ("another site with the cookie", vec![cookie.clone(), ("origin", "https://evil.example".into())], 403),
        ("our name at another port", vec![cookie.clone(), ("origin", "http://127.0.0.1:1".into())], 403),
        ("a page without an origin", vec![cookie.clone(), ("origin", "null".into())], 403),
        ("what a browser calls cross-site", with(&page, ("sec-fetch-site", "cross-site")), 403),
        ("another site that knows a key", with(&bearer(&alice), ("origin", "https://evil.example")), 403),
        ("a name that leads to us", with(&page, ("host", "evil.example")), 421),
    ];
    for (what, headers, want) in rows {
        for path in ["/users/alice/talk", listen.as_str()] {
            let status = async || desk.socket(path, &headers).await.err().unwrap_or(101);
            if want == 101 {
                // Those who have just left may still be counted among the listeners.
                until(&format!("{what} at {path}"), async || status().await == want).await;
            } else {
                assert_eq!(status().await, want, "{what} at {path}");
            }
        }
    }
    drop(talk);
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_and_websockets_end_with_the_key_or_the_session_that_opened_them() {
    let (mut world, desk, admin) = town().await;
    let database = world.folder.path().join("callie.db");
    let mut untouched = desk.feed(&bearer(&admin)).await;
    for end in ["revoked", "revoked elsewhere", "expires", "another role", "signed out", "session of a revoked key"] {
        let in_two_seconds = json!({"expires_at": Timestamp::now() + Duration::from_secs(2)});
        let (id, key) = desk.key_of(&admin, "alice", if end == "expires" { in_two_seconds } else { json!({}) }).await;
        let (browser, changing) = desk.sign_in(&key).await;
        let headers = if end.contains("sign") || end.contains("session") { browser } else { bearer(&key) };

        let feed = desk.feed(&headers).await;
        let mut talk = desk.socket("/users/alice/talk", &headers).await.expect("opened");
        let call = talk.told().await["call_id"].as_str().expect("a call").to_owned();
        let mut listening = None;
        until("the call can be listened to", async || {
            listening = desk.socket(&format!("/calls/{call}/listen"), &headers).await.ok();
            listening.is_some()
        })
        .await;

        let by_hand =
            |sql: &str| rusqlite::Connection::open(&database).and_then(|conn| conn.execute(sql, [&id])).expect("changed");
        let because = match end {
            "revoked" => {
                assert_eq!(desk.send("DELETE", &format!("/keys/{id}"), &bearer(&admin), None).await.status(), 200);
                "the key was revoked"
            }
            // As another process does it.
            "revoked elsewhere" => {
                assert!(world.app.stores.records.revoke_key(&id, Timestamp::now()).await.expect("written"));
                "the key was revoked"
            }
            "another role" => {
                by_hand("UPDATE api_keys SET user_id = 'bob' WHERE id = ?1");
                "the key has another role now"
            }
            "signed out" => {
                assert_eq!(desk.send("DELETE", "/session", &changing, None).await.status(), 200);
                "the session has ended"
            }
            "session of a revoked key" => {
                assert_eq!(desk.send("DELETE", &format!("/keys/{id}"), &bearer(&admin), None).await.status(), 200);
                "the session has ended"
            }
            _ => "the key has expired",
        };
        assert_eq!(talk.closed().await, (1008, because.to_owned()), "{end}: talk");
        assert_eq!(listening.expect("opened").closed().await, (1008, because.to_owned()), "{end}: listen");
        let told = feed.ended().await;
        let last = format!("event: ended\ndata: {{\"type\":\"ended\",\"reason\":\"{because}\"}}\n\n");
        assert!(told.ends_with(&last), "{end}: {told}");
        assert_eq!(reason(&world.next_record().await), EndReason::RemoteHungUp, "{end}: nobody talks on");
        let again = desk.send("GET", "/events", &headers, None).await.status();
        assert_eq!(again, if end == "another role" { 200 } else { 401 }, "{end}");
    }
    world.add_user("carol", json!({"sip": {"connect": false}})).await;
    untouched.tells("\"user_id\":\"carol\"").await;
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_ends_with_the_token_that_opened_it() {
    let provider = IdentityProvider::start().await.expect("a free port");
    let oidc = Oidc {
        issuer: provider.issuer.clone(),
        client_id: None,
        client_secret: None,
        audience: "callie-tests".into(),
        keys_url: None,
        role_claim: "callie_role".into(),
        user_claim: "callie_user".into(),
        admins: Vec::new(),
    };
    let world = World::with(Manner::Talk, |config| config.http.oidc = Some(oidc)).await;
    let desk = Desk::of(&world);
    // Clocks may differ by a minute.
    let soon = Timestamp::now().as_second() - 58;
    let token = |exp: i64| provider.token("callie-tests", &json!({"callie_role": "operator", "exp": exp})).expect("signed");
    let mut untouched = desk.feed(&bearer(&token(soon + 600))).await;
    let told = desk.feed(&bearer(&token(soon))).await.ended().await;
    assert!(told.contains("the token has expired"), "{told}");
    assert_eq!(desk.send("GET", "/events", &bearer(&token(soon - 10)), None).await.status(), 401);
    world.add_user("carol", json!({"sip": {"connect": false}})).await;
    untouched.tells("\"user_id\":\"carol\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_in_without_a_key_needs_one_once_there_is_one() {
    let world = World::with(Manner::Talk, |_| ()).await;
    let desk = Desk::of(&world);
    let feed = desk.feed(&Vec::new()).await;
    desk.key(&Vec::new(), json!({"name": "head", "role": "admin"})).await;
    assert!(feed.ended().await.contains("from now on a key is needed"));
}
