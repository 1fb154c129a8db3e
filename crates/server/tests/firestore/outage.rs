//! Firestore is away: calls and registrations go on, writes are refused, and a server that starts has what was last seen.

use crate::fields::{field, map_at};
use crate::process::{Answer, Callie};
use crate::world::{PATIENCE, World, until, user};
use callie_lab::{
    carrier::{Destination, Fault},
    firestore::Data,
    phone::{Ending, Phone, PhoneCall, PhoneOptions, PhoneReport, PhoneState, Script, Step},
    samples::Line,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const USERS: usize = 200;
const CALLS: usize = 20;
/// Granted by the carrier, in seconds: registrations are refreshed after 7.5 to 8.5 s.
const GRANTED_S: u32 = 10;
/// By then every line has refreshed once more.
const REFRESHED: Duration = Duration::from_secs(9);
/// Nobody is silent for so long while calls go on; a busy machine stutters.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long Firestore is away.
fn outage() -> Duration {
    let seconds = std::env::var("CALLIE_OUTAGE_SECONDS").ok().map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(10))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_loses_no_call_and_no_registration() {
    let world = World::start(USERS).await;
    world.carrier.fault(Fault::GrantExpires(GRANTED_S));
    let callie = world.program.serve().await;
    world.create_users(&callie, USERS).await;
    world.all_registered(USERS).await;
    let mut calls = Vec::new();
    for n in 0..CALLS {
        calls.push(call(&world, n).await);
    }
    for call in &calls {
        assert_eq!(call.wait_for(PhoneState::Up, PATIENCE).await, Ok(PhoneState::Up), "every call is answered");
    }

    let began = Instant::now();
    world.firestore.faults().down().await.expect("down");
    degraded(&callie).await;
    what_works_without_firestore(&world, &callie).await;
    let mut fewest = USERS;
    while began.elapsed() < outage() {
        fewest = fewest.min(world.carrier.bindings().len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.firestore.faults().up(Data::Kept).await.expect("up");
    let lasted = began.elapsed();

    assert_eq!(fewest, USERS, "at no moment was a line without a binding");
    let refreshes: Vec<usize> = (0..USERS).map(|n| refreshed(&world, &user(n), began, began + lasted)).collect();
    let at_least = (lasted.as_secs() / REFRESHED.as_secs()) as usize;
    assert!(refreshes.iter().all(|count| *count >= at_least), "{at_least} refreshes of each: {refreshes:?}");
    healthy(&callie).await;
    let put = callie.ask("PUT", "/users/user000", r#"{"greeting": "back"}"#).await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(world.carrier.bindings().len(), USERS);
    let mut longest_pause = Duration::ZERO;
    for call in calls {
        assert_eq!(call.state(), PhoneState::Up, "the call goes on");
        call.hang_up().await;
        longest_pause = longest_pause.max(longest_pause_of(&call.finished().await.expect("a report"), began, lasted));
    }
    println!(
        "{:.0} s without Firestore: {USERS} lines, never fewer than {fewest} bindings, {}–{} refreshes of each; {CALLS} calls, the \
         longest pause of any agent {longest_pause:.0?}",
        lasted.as_secs_f32(),
        refreshes.iter().min().expect("some"),
        refreshes.iter().max().expect("some"),
    );
    assert!(longest_pause < LONGEST_PAUSE, "the agents are heard all through: {longest_pause:?}");
    assert!(callie.signal("TERM").await.success());
}

async fn what_works_without_firestore(world: &World, callie: &Callie) {
    let list = callie.get("/users").await;
    assert_eq!((list.status, list.json()["total_users"].as_u64()), (200, Some(USERS as u64)));
    let shown = callie.get("/users/user007").await;
    assert_eq!((shown.status, shown.json()["sip_status"]["registered"].as_bool()), (200, Some(true)), "{}", shown.text());
    let new = world.user_body("newcomer").to_string();
    for (method, path, body) in [
        ("POST", "/users", new.as_str()),
        ("PUT", "/users/user007", r#"{"greeting": "Hi"}"#),
        ("DELETE", "/users/user007", ""),
        ("POST", "/users/user007/sip/disconnect", ""),
    ] {
        refused(&callie.ask(method, path, body).await, &format!("{method} {path}"));
    }

    let inbound = call(world, USERS - 1).await;
    assert_eq!(inbound.wait_for(PhoneState::Up, PATIENCE).await, Ok(PhoneState::Up), "a new call is answered");
    let steps = [Step::Answer, Step::Pause(Duration::from_secs(1)), Step::HangUp];
    let mut carol =
        Phone::listen(&PhoneOptions::new(world.carrier.address(), "carol"), Script::from(steps)).await.expect("a telephone");
    world.carrier.add_number("carol", Destination::Line(carol.address()));
    let dialled = callie.ask("POST", "/users/user100/call", r#"{"number": "carol"}"#).await;
    assert_eq!(dialled.status, 202, "{}", dialled.text());
    let outbound = carol.next_report(PATIENCE).await.expect("a report");
    assert!(callie_lab::analysis::voiced_seconds(outbound.heard()) > 0.3, "whom we call hears the agent");
    inbound.hang_up().await;
    let inbound = inbound.finished().await.expect("a report");
    assert!(callie_lab::analysis::voiced_seconds(inbound.heard()) > 0.3, "who calls hears the agent");
}

/// 503, with a problem document that names Firestore.
fn refused(answer: &Answer, what: &str) {
    let problem = answer.json();
    assert_eq!((answer.status, problem["status"].as_u64()), (503, Some(503)), "{what}: {problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Firestore database")), "{what}: {problem}");
}

/// A caller who talks until told to hang up.
async fn call(world: &World, n: usize) -> PhoneCall {
    let longest = outage() + Duration::from_secs(300);
    let options = PhoneOptions { longest, ..PhoneOptions::new(world.carrier.address(), &format!("caller{n}")) };
    let mut steps = vec![Step::WaitAnswer];
    steps.extend(std::iter::repeat_n(Step::Play(Line::Long.samples()), 200));
    Phone::call(&options, &user(n), Script::new(steps)).await.expect("a telephone")
}

/// The longest time in the outage without a packet of the agent, who speaks without end.
fn longest_pause_of(report: &PhoneReport, began: Instant, lasted: Duration) -> Duration {
    assert_eq!((report.final_status, report.ending), (Some(200), Ending::HungUp));
    let ended = began + lasted;
    let heard = report.voiced.iter().copied().filter(|at| *at > began && *at < ended);
    let moments: Vec<Instant> = [began].into_iter().chain(heard).chain([ended]).collect();
    moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(lasted)
}

fn refreshed(world: &World, user: &str, from: Instant, until: Instant) -> usize {
    let within = |at: Instant| at >= from && at < until;
    world.carrier.registers(user).iter().filter(|r| within(r.at) && r.answered == Some(200)).count()
}

async fn degraded(callie: &Callie) {
    until("the status tells of the outage", async || {
        let status = callie.status().await;
        status["firebase_connected"] == false && status["system_status"] == "degraded"
    })
    .await;
}

async fn healthy(callie: &Callie) {
    until("the status is healthy again", async || {
        let status = callie.status().await;
        status["firebase_connected"] == true && status["system_status"] == "healthy"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_an_outage_starts_with_what_was_last_seen() {
    let world = World::start(USERS).await;
    let callie = world.program.serve().await;
    world.create_users(&callie, USERS).await;
    world.all_registered(USERS).await;
    kept(&world).await;
    let revisions = revisions(&callie).await;

    world.firestore.faults().down().await.expect("down");
    let began = Instant::now();
    degraded(&callie).await;
    callie.kill().await;
    let killed = Instant::now();
    let callie = world.program.serve().await;
    let again = |n| refreshed(&world, &user(n), killed, Instant::now()) > 0;
    until("every line is registered again", async || (0..USERS).all(again)).await;
    println!("killed without Firestore: {USERS} lines are registered again {:.1} s later", killed.elapsed().as_secs_f32());
    until("the server knows", async || callie.status().await["registered_sip_clients"] == USERS).await;
    degraded(&callie).await;
    assert_eq!(self::revisions(&callie).await, revisions, "the documents as they were last seen");
    tokio::time::sleep(outage().saturating_sub(began.elapsed())).await;

    let back = Instant::now();
    world.firestore.faults().up(Data::Kept).await.expect("up");
    healthy(&callie).await;
    // The newest view is in force when a change by somebody else is.
    let mut edited = world.firestore.document("user_configs/user000").expect("there");
    map_at(&mut edited.fields, "device").insert("custom_user_agent".to_owned(), field(&"Edited/1".into()));
    world.firestore.put("user_configs/user000", edited.fields).expect("written");
    until("the edit is on the wire", async || {
        world.carrier.registers("user000").last().is_some_and(|r| r.user_agent == "Edited/1")
    })
    .await;
    let disturbed: Vec<String> =
        (1..USERS).map(user).filter(|user| world.carrier.registers(user).iter().any(|r| r.at > back)).collect();
    assert_eq!(disturbed, Vec::<String>::new(), "no line registers again that did not change");
    let mut after = self::revisions(&callie).await;
    assert_ne!(after.remove("user000"), revisions.get("user000").copied(), "the edit is seen");
    let mut before = revisions;
    before.remove("user000");
    assert_eq!(after, before, "nothing was written");
    assert!(callie.signal("TERM").await.success());
}

async fn revisions(callie: &Callie) -> BTreeMap<String, u64> {
    let list = callie.get("/users").await.json();
    let users = list["users"].as_array().expect("a list");
    let named = |user: &serde_json::Value| Some((user["user_id"].as_str()?.to_owned(), user["revision"].as_u64()?));
    users.iter().map(|user| named(user).expect("a user")).collect()
}

/// Waits until the local database holds all users.
async fn kept(world: &World) {
    let database = rusqlite::Connection::open(world.program.data().join("callie.db")).expect("opens");
    let count = || database.query_row("SELECT count(*) FROM kept_documents", [], |row| row.get::<_, u32>(0)).expect("a count");
    until("all users are kept", async || count() as usize == USERS).await;
}
