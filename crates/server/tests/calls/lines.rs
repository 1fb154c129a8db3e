//! Lines that follow their documents, and calls that keep the configuration they began with.

use crate::world::{Manner, PATIENCE, World, config_in, reason, until};
use callie_domain::record::EndReason;
use callie_domain::registration::RegistrationState;
use callie_lab::phone::{PhoneState, Step};
use callie_server::app::App;
use callie_server::call::Engines;
use callie_server::exchange::DialError;
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_line_goes_and_comes_with_its_document_and_the_call_goes_on() {
    let mut world = World::with_alice(Manner::Talk, json!({})).await;
    let call = world.call_alice([Step::WaitAnswer, Step::Pause(PATIENCE), Step::HangUp]).await;
    call.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");

    world.change(json!({"is_active": false})).await;
    world.carrier.wait_unregistered("alice", PATIENCE).await.expect("the line is taken down");
    assert_eq!(call.state(), PhoneState::Up, "the call goes on");
    assert!(matches!(world.dial("bob"), Err(DialError::NotConnected(_))));
    let refused = world.call_alice([Step::WaitAnswer]).await.finished().await.expect("a report");
    assert_eq!(refused.final_status, Some(480), "the carrier knows no binding");

    world.change(json!({"is_active": true})).await;
    world.carrier.wait_registered("alice", PATIENCE).await.expect("the line is back");
    call.hang_up().await;
    assert_eq!(reason(&world.next_record().await), EndReason::RemoteHungUp);

    assert!(world.app.stores.users.delete(&"alice".parse().expect("valid")).await.expect("deleted"));
    world.carrier.wait_unregistered("alice", PATIENCE).await.expect("a deleted user has no line");
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_by_another_process_takes_effect() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    let other = rusqlite::Connection::open(world.folder.path().join("callie.db")).expect("opens");
    let edit = "UPDATE user_configs SET doc = json_set(doc, '$.device.custom_user_agent', 'Edited/1') WHERE user_id = 'alice'";
    assert_eq!(other.execute(edit, []).expect("edited"), 1);
    until("the new User-Agent is registered", async || {
        world.carrier.registers("alice").last().is_some_and(|r| r.user_agent == "Edited/1")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_mends_a_refused_line() {
    let world = World::with(Manner::Talk, |_| ()).await;
    world.add_user("alice", json!({"sip_password": "wrong"})).await;
    until("the password is refused", async || world.line_state() == Some(RegistrationState::WrongPassword)).await;
    let tries = world.carrier.registers("alice").len();
    assert!(tries <= 3, "{tries} REGISTERs with a wrong password");
    world.change(json!({"sip_password": "pw"})).await;
    world.carrier.wait_registered("alice", PATIENCE).await.expect("the right password is used at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_survive_a_restart_and_are_unregistered_at_its_end() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    let World { carrier, app, folder, .. } = world;
    app.stop().await;
    carrier.wait_unregistered("alice", PATIENCE).await.expect("unregistered on stop");
    let engines = Engines::new(Arc::new(crate::world::StubEngine(Manner::Talk)));
    let app = App::start(&config_in(&folder, |_| ()), engines).await.expect("starts again");
    carrier.wait_registered("alice", PATIENCE).await.expect("connected users come back by themselves");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_ended_when_the_server_stops() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    let call = world.call_alice([Step::WaitAnswer, Step::WaitHangUp]).await;
    call.wait_for(PhoneState::Up, PATIENCE).await.expect("answered");
    let mut feed = world.app.live();
    world.app.stop().await;
    call.wait_for(PhoneState::Over, PATIENCE).await.expect("the caller is told");
    let ended = std::iter::from_fn(|| feed.try_recv().ok()).any(|event| {
        matches!(&*event, callie_server::exchange::LiveEvent::CallRecorded { cdr } if reason(cdr) == EndReason::ServerShutdown)
    });
    assert!(ended, "its record says why");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_has_one_server() {
    let world = World::with(Manner::Talk, |_| ()).await;
    let engines = Engines::new(Arc::new(crate::world::StubEngine(Manner::Talk)));
    let second = App::start(&config_in(&world.folder, |_| ()), engines).await;
    let error = format!("{:#}", second.err().expect("the folder is taken"));
    assert!(error.contains("CALLIE_DATA_DIR"), "{error}");
}
