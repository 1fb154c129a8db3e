//! Passwords and keys that sing: whatever the server does with them, at the most talkative level of its log, no log line, answer,
//! event, recording, database or dump ever holds one.
//!
//! Only the processes that must know them do: the server in its memory and its environment, the carrier and the AI. Digest
//! answers (RFC 7616) do appear in the trace of SIP messages: they are what goes over the wire, and open nothing but the one
//! request that they were made for.

use crate::fields::fields;
use crate::process::{Answer, Callie, Program};
use crate::secrets::{Canaries, canary, files};
use crate::world::{PATIENCE, World, until};
use callie_lab::{
    carrier::{Destination, Subscriber},
    gemini::{Act, FakeGemini, FakeGeminiOptions, Fault, Moment, Script},
    phone::{self, Phone, PhoneOptions, Step},
};
use serde_json::{Value, json};
use std::{
    os::unix::process::ExitStatusExt,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::task::TaskTracker;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Firestore,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_sings_with_users_in_the_database() {
    Aviary::open(Backend::Sqlite).await.live_and_die().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_sings_with_users_in_firestore() {
    Aviary::open(Backend::Firestore).await.live_and_die().await;
}

/// A world whose every secret is a canary.
struct Aviary {
    backend: Backend,
    world: World,
    /// Every answer of the API, and the live feed.
    answers: Vec<(String, Vec<u8>)>,
    feed: Arc<Mutex<Vec<u8>>>,
    canaries: Canaries,
}

impl Aviary {
    async fn open(backend: Backend) -> Self {
        let mut world = World::start(0).await;
        let key = canary("gemini-key");
        let options =
            FakeGeminiOptions { api_key: key.clone(), script: Script::Continuous { lead_ms: 300 }, ..Default::default() };
        world.gemini = FakeGemini::start(options).await.expect("a free port");
        let settings = [
            ("GEMINI_API_KEY", key),
            ("GEMINI_BASE_URL", world.gemini.base_url()),
            ("CALLIE_CHAT_URL", "http://127.0.0.1:9/v1".to_owned()),
            ("CALLIE_CHAT_MODEL", "none".to_owned()),
            ("CALLIE_CHAT_KEY", canary("chat-key")),
            ("CALLIE_LOG", "trace,callie=trace,rsipstack=trace,hyper=trace,h2=trace,tungstenite=trace".to_owned()),
            ("RUST_BACKTRACE", "full".to_owned()),
        ];
        let named = |name: &str| settings.iter().any(|(other, _)| *other == name);
        let of_firestore = |name: &str| name.starts_with("FIRE");
        world.program.environment.retain(|(name, _)| !named(name) && (backend == Backend::Firestore || !of_firestore(name)));
        world.program.environment.extend(settings);
        Self { backend, world, answers: Vec::new(), feed: Arc::default(), canaries: Canaries::new() }
    }

    async fn live_and_die(mut self) {
        let tasks = TaskTracker::new();
        let callie = self.world.program.serve().await;
        let feed = tasks.spawn(listen(callie.events().await, self.feed.clone()));
        self.lines(&callie).await;
        self.calls(&callie).await;
        self.faulty_bodies(&callie).await;
        if self.backend == Backend::Firestore {
            self.typed_documents(&callie).await;
        }
        for path in ["/users", "/users/alice", "/admin/status", "/calls", "/calls/active", "/health/ready", "/stats", "/info"] {
            self.ask(&callie, "GET", path, "").await;
        }
        self.commands(&[&["keys", "status"], &["config", "check"]]);
        assert!(callie.proc("limits").lines().any(|line| line.starts_with("Max core file size") && line.contains(" 0 ")));
        let ended = callie.signal("ABRT").await;
        assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false), "it leaves no dump");
        feed.await.expect("no panic");
        self.commands(&[&["keys", "add", "k2"], &["keys", "primary", "k2"], &["keys", "sweep"], &["keys", "status"]]);
        // Once more, from what was kept and with the new key.
        let callie = self.world.program.serve().await;
        self.ask(&callie, "GET", "/users/alice", "").await;
        assert!(callie.signal("TERM").await.success());
        self.judge();
    }

    async fn ask(&mut self, callie: &Callie, method: &str, path: &str, body: &str) -> Answer {
        let answer = callie.ask(method, path, body).await;
        self.answers
            .push((format!("{method} {path}: {}", answer.status), [answer.bytes.as_slice(), answer.etag.as_bytes()].concat()));
        answer
    }

    /// Makes the password known to the carrier; how it is known there must not be found either.
    fn subscribe(&mut self, name: &str, password: &str) {
        self.world.carrier.add_subscriber(Subscriber::new(name, password));
        self.canaries.add_ha1(name, &self.world.carrier.address().to_string(), password);
        self.canaries.add_ha1(name, &self.world.carrier.address().ip().to_string(), password);
    }

    fn body(&self, name: &str, password: &str) -> Value {
        let mut body = self.world.user_body(name);
        body["sip_password"] = json!(password);
        body
    }

    /// Created, changed, disconnected and connected; and one whose password is wrong.
    async fn lines(&mut self, callie: &Callie) {
        self.subscribe("alice", &canary("first"));
        let body = self.body("alice", &canary("first"));
        assert_eq!(self.ask(callie, "POST", "/users", &body.to_string()).await.status, 201);
        self.registered("alice").await;
        self.subscribe("alice", &canary("second"));
        let change = json!({"sip_password": canary("second"), "custom_user_agent": "Second/1"}).to_string();
        assert_eq!(self.ask(callie, "PUT", "/users/alice", &change).await.status, 200);
        for wish in ["disconnect", "connect"] {
            assert_eq!(self.ask(callie, "POST", &format!("/users/alice/sip/{wish}"), "").await.status, 200);
        }
        self.registered("alice").await;

        self.subscribe("bob", &canary("right"));
        let body = self.body("bob", &canary("wrong"));
        assert_eq!(self.ask(callie, "POST", "/users", &body.to_string()).await.status, 201);
        until("the wrong password is refused", async || {
            callie.get("/users/bob").await.json()["registration"]["state"] == "wrong_password"
        })
        .await;
        self.ask(callie, "GET", "/users/bob", "").await;
        self.ask(callie, "POST", "/users/bob/sip/connect", "").await;
    }

    async fn registered(&self, name: &str) {
        self.world.carrier.wait_registered(name, PATIENCE).await.expect("registers");
    }

    /// In and out, talked by Gemini; and one that Gemini refuses.
    async fn calls(&mut self, callie: &Callie) {
        until("the line is up", async || callie.get("/users/alice").await.json()["sip_status"]["registered"] == true).await;
        for refused in [false, true] {
            if refused {
                self.world.gemini.fault_once(Fault::new(Moment::Upgrade, Act::refuse(403)));
            }
            let steps = [Step::WaitAnswer, Step::Pause(Duration::from_secs(1)), Step::Dtmf("1".into()), Step::HangUp];
            let options = PhoneOptions::new(self.world.carrier.address(), "maria");
            let call = Phone::call(&options, "alice", steps).await.expect("a telephone");
            let report = call.finished().await.expect("a report");
            assert_eq!(report.final_status, Some(200), "{:#?}", report.trace);
        }
        let steps = [Step::Answer, Step::Pause(Duration::from_secs(1)), Step::HangUp];
        let options = PhoneOptions::new(self.world.carrier.address(), "carol");
        let mut carol = Phone::listen(&options, phone::Script::from(steps)).await.expect("a telephone");
        self.world.carrier.add_number("carol", Destination::Line(carol.address()));
        let dialled = self.ask(callie, "POST", "/users/alice/call", r#"{"number": "carol"}"#).await;
        assert_eq!(dialled.status, 202, "{}", dialled.text());
        carol.next_report(PATIENCE).await.expect("a report");
        until("the calls are recorded", async || {
            let calls = callie.get("/calls").await.json();
            calls["calls"].as_array().is_some_and(|calls| calls.iter().filter(|call| !call["ended_at"].is_null()).count() == 3)
        })
        .await;
        let calls = self.ask(callie, "GET", "/calls", "").await.json();
        for call in calls["calls"].as_array().expect("a list") {
            let id = call["call_id"].as_str().or(call["id"].as_str()).expect("an id");
            for path in ["", "/transcript", "/recording"] {
                self.ask(callie, "GET", &format!("/calls/{id}{path}"), "").await;
            }
        }
    }

    /// Everything that can be wrong with a body that holds a password.
    async fn faulty_bodies(&mut self, callie: &Callie) {
        let song = canary("faulty");
        let bodies = [
            format!(r#"{{"sip_password": "{song}"#),
            format!(r#"{{"sip_password": "{song}" "x"}}"#),
            format!(r#"{{"sip_password": "{song}"}} {song}"#),
            format!(r#""{song}""#),
            format!(r#"["{song}"]"#),
            json!({"sip_password": [song]}).to_string(),
            json!({"sip_password": {"x": song}}).to_string(),
            json!({"sip_password": format!("{song}\r\nVia: x")}).to_string(),
            json!({"sip_password": song.repeat(200)}).to_string(),
            json!({"sip_password": song, "sip_port": 0}).to_string(),
            json!({"sip_password": song, "sip": {"sip_password": canary("another")}}).to_string(),
            json!({"tls_client_key": song}).to_string(),
            json!({"sip": {"tls_client_key": [song], "tls_ca": song}}).to_string(),
            json!({"tls_client_key": format!("-----BEGIN PRIVATE KEY-----\n{song}\n-----END PRIVATE KEY-----")}).to_string(),
            json!({"sip_passwort": song}).to_string(),
            json!({"password": song}).to_string(),
            json!({"sip": song}).to_string(),
            json!({"sip": {"sip_pasword": song}}).to_string(),
            json!({"sip": {"sip_password": 1, "password": [song]}}).to_string(),
            json!({"is_active": song, "sip_port": song, "transport": song, "mac_address": song, "max_call_duration": song})
                .to_string(),
            json!({"ai": {"engine": song, "language": song}}).to_string(),
            json!({"sip_server": format!("{song} {song}"), "caller_id": format!("\n{song}")}).to_string(),
            json!({"user_id": song}).to_string(),
        ];
        for body in &bodies {
            for (method, path) in [("PUT", "/users/alice"), ("POST", "/users"), ("POST", "/users/alice/call")] {
                let status = self.ask(callie, method, path, body).await.status;
                assert!((400..500).contains(&status), "{method} {path} {body}: {status}");
            }
        }
    }

    /// What somebody types into Google's console: a good document with a password in clear, and others that are no users.
    async fn typed_documents(&mut self, callie: &Callie) {
        self.subscribe("typed", &canary("typed"));
        let carrier = self.world.carrier.address().to_string();
        let good = |name: &str| {
            json!({
                "user_id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z",
                "sip": {"display_name": name, "sip_username": name, "sip_password": canary("typed"), "is_active": true, "connect": true,
                    "sip_server": carrier},
                "device": {"mac_address": "00:15:65:00:00:99"}, "calls": {"use_fixed_rtp_port": false},
            })
        };
        self.world.firestore.put("user_configs/typed", fields(&good("typed"))).expect("written");
        self.registered("typed").await;
        let stored =
            || self.world.firestore.document("user_configs/typed").map(|document| format!("{document:?}")).expect("there");
        until("it is sealed", async || stored().contains("callie-enc:v1:")).await;
        let sealed = stored();

        let song = || json!(canary("malformed"));
        let with = |name: &str, place: &str, value: Value| {
            let mut document = good(name);
            document["sip"]["sip_password"] = song();
            document["sip"]["tls_client_key"] = json!("");
            *document.pointer_mut(place).expect("a place") = value;
            (name.to_owned(), document)
        };
        let sealed_form = json!(format!("callie-enc:v1:k9:{}", canary("malformed")));
        let unknown_form = json!(format!("callie-enc:v9:{}", canary("malformed")));
        let mut extra = good("extra");
        extra["sip"]["sip_password"] = json!(["nothing"]);
        extra["sip_password"] = song();
        extra["notes"] = json!({"password": song()});
        let broken = [
            with("broken0", "/sip", song()),
            with("broken1", "/sip/sip_password", json!([song()])),
            with("broken2", "/sip/sip_password", json!({"x": song()})),
            with("broken3", "/sip/sip_password", json!(format!("{}\r\nVia: x", canary("malformed")))),
            with("broken4", "/sip/sip_password", sealed_form),
            with("broken5", "/sip/sip_password", unknown_form),
            with("broken10", "/sip/tls_client_key", song()),
            with("broken6", "/sip/sip_server", json!("a b")),
            with("broken7", "/calls/use_fixed_rtp_port", song()),
            with("broken8", "/device/mac_address", song()),
            with("broken9", "/sip/sip_password", json!(canary("malformed").repeat(200))),
            ("extra".to_owned(), extra),
        ];
        let names: Vec<String> = broken.iter().map(|(name, _)| name.clone()).collect();
        for (name, document) in &broken {
            self.world.firestore.put(&format!("user_configs/{name}"), fields(document)).expect("written");
        }
        until("all of them are seen to be faulty", async || {
            let list = callie.get("/users").await.json();
            let faulty = |name: &String| {
                list["users"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|u| u["user_id"] == **name && u["config_state"]["state"] == "faulty"))
            };
            names.iter().all(faulty)
        })
        .await;
        for name in &names {
            let shown = self.ask(callie, "GET", &format!("/users/{name}"), "").await;
            assert_eq!(shown.status, 200, "{}", shown.text());
            self.ask(callie, "PUT", &format!("/users/{name}"), r#"{"greeting": "Hi"}"#).await;
        }
        // Good, but for a password where none belongs.
        let mut stray = good("stray");
        stray["sip_password"] = song();
        stray["sip"]["password"] = song();
        self.subscribe("stray", &canary("typed"));
        self.world.firestore.put("user_configs/stray", fields(&stray)).expect("written");
        self.registered("stray").await;
        self.ask(callie, "GET", "/users/stray", "").await;
        self.answers.push(("the sealed document".to_owned(), sealed.into_bytes()));
    }

    /// Runs them to their end; what they print goes where the server's words go.
    fn commands(&mut self, commands: &[&[&str]]) {
        for arguments in commands {
            let ended = self.world.program.command(arguments).status().expect("it starts");
            // Documents that do not open make a sweep fail, and say so.
            assert!(ended.success() || arguments.contains(&"sweep"), "{arguments:?}: {ended}");
        }
    }

    fn judge(&self) {
        let Program { folder, .. } = &self.world.program;
        let mut found: Vec<String> = self.canaries.found_below(folder);
        for (what, bytes) in &self.answers {
            found.extend(self.canaries.found_in(what, bytes));
        }
        found.extend(self.canaries.found_in("the live feed", &self.feed.lock().expect("not poisoned")));
        assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n\n"));
        self.was_worth_it();
    }

    /// There was something to look at.
    fn was_worth_it(&self) {
        let files = files(&self.world.program.folder);
        let has = |end: &str| files.iter().any(|file| file.to_string_lossy().ends_with(end));
        assert!(has("callie.db") && has(".sealed") && has("said.log"), "{files:?}");
        let log = std::fs::read_to_string(self.world.program.log()).expect("text");
        for word in ["TRACE", "rsipstack", "Digest ", "tungstenite", "REGISTER"] {
            assert!(log.contains(word), "the log is as talkative as can be: {word}");
        }
        assert!(self.feed.lock().expect("not poisoned").len() > 1_000, "the live feed was heard");
        assert!(self.answers.len() > 50);
    }
}

/// To the end of the feed, which is the server's.
async fn listen(mut events: reqwest::Response, heard: Arc<Mutex<Vec<u8>>>) {
    while let Ok(Some(chunk)) = events.chunk().await {
        heard.lock().expect("not poisoned").extend_from_slice(&chunk);
    }
}
