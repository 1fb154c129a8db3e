//! Users in Firestore, edited by somebody at the console: Google's own Python client against the lab's Firestore, and against
//! Google's emulator where it is installed. What is edited there is measured on the wire: at the registrar, and in the ear of
//! a caller.

use callie_e2e::peers::{Console, Kamailio, console::Fields, kamailio::Digest, present};
use callie_e2e::{Callie, eventually};
use callie_lab::firestore::emulator::{Emulator, EmulatorError};
use callie_lab::firestore::{Firestore, FirestoreOptions};
use callie_lab::phone::{Ending, Phone, PhoneCall, PhoneOptions, PhoneReport, PhoneState, Script, Step};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

const WITHIN: Duration = Duration::from_secs(20);
/// An edit takes effect within 2 s where the machine has time for it; what takes this long is a failure on any machine.
const EFFECT_WITHIN: Duration = Duration::from_secs(10);
const SEALED: &str = "callie-enc:v1:";
const OLD_GREETING: &str = "Hello.";
const NEW_GREETING: &str = "Good morning, and thank you for calling the new office in the old town.";
/// Seconds of voice that the old greeting and what the offline engine says behind it never fill; the new one does.
const LONGEST_OLD_S: f64 = 3.5;

/// The document as the first version's console shows it, with its Python types: every field of its three maps.
const SEED: [(&str, &str); 22] = [
    ("sip.user_id", "str"),
    ("sip.display_name", "str"),
    ("sip.sip_username", "str"),
    ("sip.sip_password", "str"),
    ("sip.sip_server", "str"),
    ("sip.sip_port", "int"),
    ("sip.account_label", "str"),
    ("sip.is_active", "bool"),
    ("sip.created_at", "DatetimeWithNanoseconds"),
    ("sip.updated_at", "DatetimeWithNanoseconds"),
    ("device.user_id", "str"),
    ("device.mac_address", "str"),
    ("device.model", "str"),
    ("device.firmware", "str"),
    ("device.custom_user_agent", "NoneType"),
    ("calls.user_id", "str"),
    ("calls.default_greeting", "str"),
    ("calls.max_call_duration", "int"),
    ("calls.answer_timeout", "int"),
    ("calls.rtp_port_min", "int"),
    ("calls.rtp_port_max", "int"),
    ("calls.use_fixed_rtp_port", "bool"),
];

/// What we add to a user of these tests.
const OURS: [(&str, &str); 4] = [
    ("sip.auth_username", "str"),
    ("sip.connect", "bool"),
    ("sip.password_encrypted_at", "DatetimeWithNanoseconds"),
    ("sip.transport", "str"),
];

/// A server on a Firestore, a registrar, and somebody at the console.
struct Office {
    callie: Callie,
    kamailio: Kamailio,
    console: Console,
    /// What took effect, and how long after the write had been answered.
    effects: Vec<(&'static str, Duration)>,
}

impl Office {
    /// `project`: each has keys of its own, so two servers in turn want two.
    async fn open(firestore: SocketAddr, project: &str) -> Self {
        let console = Console::start(firestore, project).expect("the console starts");
        let setup = Callie::setup()
            .env("FIRESTORE_EMULATOR_HOST", firestore.to_string())
            .env("FIREBASE_PROJECT_ID", project)
            .env("CALLIE_SILENCE_PROMPT", "600");
        let mut callie = setup.start().await.expect("callie starts");
        let kamailio = Kamailio::start(callie.ports(), Digest::Md5, 600).await;
        Self { callie, kamailio, console, effects: Vec::new() }
    }

    /// Notes that the edit of `edited` has taken effect now.
    fn effective(&mut self, what: &'static str, edited: SystemTime) {
        self.effective_at(what, edited, SystemTime::now());
    }

    fn effective_at(&mut self, what: &'static str, edited: SystemTime, at: SystemTime) {
        // A listener may hear of a write before its writer has the answer.
        let after = at.duration_since(edited).unwrap_or_default();
        assert!(after <= EFFECT_WITHIN, "{what} took {after:?}");
        self.effects.push((what, after));
    }

    #[expect(clippy::print_stderr, reason = "the figures are part of what the test tells")]
    fn tell(&self, firestore: &str) {
        for (what, after) in &self.effects {
            eprintln!("{firestore}: {what}: {} ms after the edit", after.as_millis());
        }
    }

    /// Somebody of the telephone network calls alice.
    async fn call_alice(&self, script: impl Into<Script>) -> PhoneCall {
        let options =
            PhoneOptions { domain: Some("carrier.test".to_owned()), ..PhoneOptions::new(self.kamailio.address(), "trunk") };
        let call = Phone::call(&options, "alice", script).await.expect("the telephone dials");
        let state = call.wait_for(PhoneState::Up, WITHIN).await;
        assert_eq!(state, Ok(PhoneState::Up), "{}", self.callie.log());
        call
    }

    /// Waits for a call's record to be complete.
    async fn ended(&self, call: &str) -> Value {
        eventually("the record is complete", WITHIN, || async {
            let (_, record) = self.callie.get(&format!("/calls/{call}")).await;
            (!record["ended_at"].is_null()).then_some(record)
        })
        .await
    }
}

fn id_of(call: &Value) -> String {
    call["id"].as_str().expect("a call has an id").to_owned()
}

fn types(fields: &Fields) -> Vec<(&str, &str)> {
    fields.iter().map(|(path, (kind, _))| (path.as_str(), kind.as_str())).collect()
}

/// Seconds of voice that a telephone heard.
fn voiced_seconds(report: &PhoneReport) -> f64 {
    report.voiced.len() as f64 / 50.0
}

/// The wall clock's time of a moment.
fn wall(moment: Instant) -> SystemTime {
    SystemTime::now() - moment.elapsed()
}

fn check_schema(office: &mut Office) {
    let document = office.console.get("alice");
    let mut expected: Vec<_> = SEED.into_iter().chain(OURS).collect();
    expected.sort_unstable();
    assert_eq!(types(&document), expected);
    let shown = |path: &str| document[path].1.clone();
    let password = shown("sip.sip_password");
    assert!(password.as_str().is_some_and(|p| p.starts_with(SEALED)), "{password}");
    assert!(!format!("{document:?}").contains("secret-alice"));
    let defaults = [
        ("sip.user_id", json!("alice")),
        ("sip.sip_username", json!("alice@carrier.test")),
        ("sip.sip_port", json!(5060)),
        ("sip.is_active", json!(true)),
        ("device.model", json!("SIP-T46S")),
        ("device.firmware", json!("66.85.0.5")),
        ("calls.default_greeting", json!(OLD_GREETING)),
        ("calls.max_call_duration", json!(1800)),
        ("calls.answer_timeout", json!(30)),
        ("calls.rtp_port_min", json!(10000)),
        ("calls.rtp_port_max", json!(10100)),
    ];
    for (path, value) in defaults {
        assert_eq!(shown(path), value, "{path}");
    }
}

/// The greeting of the next call is the new one.
async fn edit_greeting(office: &mut Office) {
    let edited = office.console.set("alice", "calls.default_greeting", json!(NEW_GREETING));
    eventually("the API shows the new greeting", EFFECT_WITHIN, || async {
        (office.callie.get("/users/alice").await.1["calls"]["default_greeting"] == NEW_GREETING).then_some(())
    })
    .await;
    office.effective("a greeting is in the API", edited);
    let hang_up_after_it = [Step::WaitAnswer, Step::WaitSilence { after: Duration::from_secs(1) }, Step::HangUp];
    let call = office.call_alice(hang_up_after_it).await;
    let report = call.finished().await.expect("the telephone reports");
    let first = *report.voiced.first().expect("the greeting is heard");
    office.effective_at("a greeting is spoken in the next call", edited, wall(first));
    assert!(voiced_seconds(&report) > LONGEST_OLD_S + 0.5, "{} s of greeting", voiced_seconds(&report));
    let newest = id_of(&office.callie.calls().await[0]);
    office.ended(&newest).await;
    let (_, transcript) = office.callie.get(&format!("/calls/{newest}/transcript")).await;
    // Behind the greeting the offline engine says that it takes a message.
    let said = transcript["turns"][0]["text"].as_str().unwrap_or_default();
    assert!(said.starts_with(NEW_GREETING), "{transcript}");
}

/// The provider changed the password already: from the edit on the line registers with the new one. We seal what was typed.
async fn edit_password(office: &mut Office) {
    let before = office.kamailio.await_binding("alice", WITHIN).await;
    office.kamailio.set_password("alice", "typed at the console");
    let edited = office.console.set("alice", "sip.sip_password", json!("typed at the console"));
    office.kamailio.await_register_after(&before, EFFECT_WITHIN).await;
    office.effective("a password is accepted by Kamailio", edited);
    office.callie.await_registration("alice", true, WITHIN).await;
    eventually("the password is sealed", EFFECT_WITHIN, || {
        let sealed = office.console.get("alice")["sip.sip_password"].1.as_str().is_some_and(|p| p.starts_with(SEALED));
        async move { sealed.then_some(()) }
    })
    .await;
    office.effective("a password typed in clear is sealed", edited);
    let (_, user) = office.callie.get("/users/alice").await;
    assert!(!user.to_string().contains("typed at"), "{user}");
    assert!(!office.callie.log().contains("typed at"), "the password stands in the log");
}

async fn edit_is_active(office: &mut Office) {
    let edited = office.console.set("alice", "sip.is_active", json!(false));
    office.kamailio.await_no_binding("alice", EFFECT_WITHIN).await;
    office.effective("is_active false has taken the line away", edited);
    assert_eq!(office.callie.get("/users/alice").await.1["is_active"], false);
    assert_eq!(office.callie.active_calls().await, 1, "the running call goes on without its line");

    let edited = office.console.set("alice", "sip.is_active", json!(true));
    office.kamailio.await_binding("alice", EFFECT_WITHIN).await;
    office.effective("is_active true has brought the line back", edited);
}

/// A document that cannot be read is the user's fault shown in the API; the line stays as it was.
async fn edit_into_nonsense(office: &mut Office) {
    let before = office.kamailio.await_binding("alice", WITHIN).await;
    let edited = office.console.set("alice", "sip.sip_port", json!("many"));
    let user = eventually("the fault is told", EFFECT_WITHIN, || async {
        let (_, user) = office.callie.get("/users/alice").await;
        (user["config_state"]["state"] == "faulty").then_some(user)
    })
    .await;
    office.effective("a malformed document is told", edited);
    assert!(user["config_state"]["problem"].as_str().is_some_and(|p| p.contains("sip.sip_port")), "{user}");
    assert_eq!(user["sip_status"]["registered"], true, "{user}");
    assert_eq!(office.kamailio.await_binding("alice", WITHIN).await, before, "the line goes on");

    office.console.set("alice", "sip.sip_port", json!(5060));
    eventually("the document is mended", EFFECT_WITHIN, || async {
        (office.callie.get("/users/alice").await.1["config_state"]["state"] == "ok").then_some(())
    })
    .await;
}

async fn edits_take_effect_and_a_call_goes_on(name: &str, firestore: SocketAddr) {
    let mut office = Office::open(firestore, "edited").await;
    let registrar = office.kamailio.address();
    office.callie.create_user("alice", registrar, json!({ "greeting": OLD_GREETING, "use_fixed_rtp_port": false })).await;
    office.callie.register("alice").await;
    office.kamailio.await_binding("alice", WITHIN).await;
    check_schema(&mut office);

    let revision = office.callie.get("/users/alice").await.1["revision"].clone();
    let mut running = office.call_alice([Step::WaitAnswer, Step::WaitHangUp]).await;
    let call = eventually("the call has its record", WITHIN, || async { office.callie.calls().await.first().map(id_of) }).await;
    edit_greeting(&mut office).await;
    edit_password(&mut office).await;
    edit_is_active(&mut office).await;
    edit_into_nonsense(&mut office).await;

    assert_eq!(running.state(), PhoneState::Up);
    assert_eq!(office.callie.active_calls().await, 1);
    running.hang_up().await;
    let report = running.report().await.expect("the telephone reports");
    let record = office.ended(&call).await;
    check_untouched(&office, &report, &record, &revision);
    office.tell(name);
}

#[expect(clippy::print_stderr, reason = "the figures are part of what the test tells")]
fn check_untouched(office: &Office, report: &PhoneReport, record: &Value, revision: &Value) {
    let end = &record["termination"];
    assert_eq!((&end["result"], &end["reason"]), (&json!("completed"), &json!("remote_hung_up")), "{record}");
    assert_eq!(&record["config_revision"], revision, "{record}");
    assert_eq!(report.ending, Ending::HungUp, "{:?}", report.trace);
    let asked: Vec<&String> = report.trace.iter().filter(|line| line.contains("< INVITE") || line.contains("< BYE")).collect();
    assert!(asked.is_empty(), "nothing was asked of the caller: {asked:?}");

    let rtp = &report.rtp;
    let due = report.talked.as_secs_f64() * 50.0;
    eprintln!(
        "the running call: {:.1} s, {} packets ({} lost), the longest gap {} ms",
        report.talked.as_secs_f64(),
        rtp.packets,
        rtp.lost,
        rtp.gap_max.as_millis()
    );
    assert_eq!((rtp.lost, rtp.ssrc_changes), (0, 0), "{rtp:?}");
    assert!((0.9..1.1).contains(&(rtp.packets as f64 / due)), "{} packets, {due:.0} are due: {rtp:?}", rtp.packets);
    assert!(rtp.gap_max < Duration::from_secs(1), "{rtp:?}\n{}", office.callie.log());
    assert!(voiced_seconds(report) < LONGEST_OLD_S, "it was greeted once, the old way: {} s", voiced_seconds(report));
}

/// As the first version's own program wrote it: the password in clear, times as texts without a zone, one map.
fn of_the_first_version(registrar: SocketAddr) -> Value {
    json!({
        "sip": {
            "user_id": "bob",
            "display_name": "Bob Builder",
            "sip_username": "bob",
            "sip_password": "secret-bob",
            "sip_server": registrar.ip().to_string(),
            "sip_port": registrar.port(),
            "is_active": true,
            "created_at": "2024-01-15T10:30:00.123456",
            "updated_at": "2024-01-15T10:30:00.123456",
        },
    })
}

async fn a_document_of_the_first_version_is_sealed_and_registers(name: &str, firestore: SocketAddr) {
    let mut office = Office::open(firestore, "first-version").await;
    let created = office.console.create("bob", of_the_first_version(office.kamailio.address()));
    let sealed = office.console.heard("bob", "sip.sip_password", SEALED, EFFECT_WITHIN);
    office.effective_at("the first version's password is sealed", created, sealed);

    // Sealing touches the password alone, and makes times of our texts of times.
    let mut expected = BTreeMap::from([
        ("sip.user_id", ("str", json!("bob"))),
        ("sip.display_name", ("str", json!("Bob Builder"))),
        ("sip.sip_username", ("str", json!("bob"))),
        ("sip.sip_server", ("str", json!(office.kamailio.address().ip().to_string()))),
        ("sip.sip_port", ("int", json!(office.kamailio.address().port()))),
        ("sip.is_active", ("bool", json!(true))),
        ("sip.created_at", ("DatetimeWithNanoseconds", json!("2024-01-15 10:30:00.123456+00:00"))),
        ("sip.updated_at", ("DatetimeWithNanoseconds", json!("2024-01-15 10:30:00.123456+00:00"))),
    ]);
    let document = office.console.get("bob");
    for field in ["sip.sip_password", "sip.password_encrypted_at"] {
        let (kind, value) = &document[field];
        expected.insert(field, (kind, value.clone()));
    }
    let shown: BTreeMap<_, _> = document.iter().map(|(path, (kind, value))| (&**path, (&**kind, value.clone()))).collect();
    assert_eq!(shown, expected);

    office.callie.register("bob").await;
    office.kamailio.await_binding("bob", WITHIN).await;
    // Our own write completes it.
    let document = office.console.get("bob");
    let ours = ["sip.connect", "sip.password_encrypted_at", "sip.transport"];
    let fields: Vec<_> = document.keys().map(String::as_str).filter(|path| !ours.contains(path)).collect();
    let mut seed: Vec<_> = SEED.map(|(path, _)| path).into();
    seed.sort_unstable();
    assert_eq!(fields, seed);
    assert_eq!(document["sip.created_at"].1, "2024-01-15 10:30:00.123456+00:00");
    let (_, user) = office.callie.get("/users/bob").await;
    assert_eq!(user["config_state"]["state"], "ok", "{user}");
    assert!(!office.callie.log().contains("secret-bob"), "the password stands in the log");
    office.tell(name);
}

async fn lab() -> Firestore {
    Firestore::start(FirestoreOptions::default()).await.expect("the lab's Firestore starts")
}

fn can_run() -> bool {
    present(&["kamailio"]) && Console::present()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn edits_at_the_console_take_effect_on_the_wire() {
    if !can_run() {
        return;
    }
    let firestore = lab().await;
    edits_take_effect_and_a_call_goes_on("the lab's Firestore", firestore.address()).await;
    firestore.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_versions_documents_work() {
    if !can_run() {
        return;
    }
    let firestore = lab().await;
    a_document_of_the_first_version_is_sealed_and_registers("the lab's Firestore", firestore.address()).await;
    firestore.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn the_same_on_googles_emulator() {
    if !can_run() {
        return;
    }
    let emulator = match Emulator::start().await {
        Ok(emulator) => emulator,
        Err(EmulatorError::NotInstalled) => return eprintln!("SKIPPED: {}", EmulatorError::NotInstalled),
        Err(error) => panic!("{error}"),
    };
    let name = "Google's emulator";
    edits_take_effect_and_a_call_goes_on(name, emulator.address()).await;
    a_document_of_the_first_version_is_sealed_and_registers(name, emulator.address()).await;
    emulator.stop().await.expect("the emulator ends");
}
