//! Lines examined: the call of an account to itself through the carrier, and what is said of lines that do not work.

use crate::world::{Manner, World};
use callie_domain::examination::{Outcome, Report, Subject};
use callie_domain::record::Direction;
use callie_lab::carrier::Destination;
use callie_lab::phone::{Listener, Phone, PhoneOptions, Script, Step};
use callie_server::exchange::{ExaminationError, ExaminationRequest};
use callie_store::RecordStore;
use serde_json::json;

fn of(user: &str) -> ExaminationRequest {
    ExaminationRequest { user: user.parse().expect("valid"), number: None }
}

fn outcome(report: &Report, subject: Subject) -> Outcome {
    report.findings.iter().find(|finding| finding.subject == subject).expect("it was looked at").outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_works_calls_itself_and_passes() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    let report = world.app.examine(of("alice")).await.expect("examined");
    assert_eq!(report.outcome, Outcome::Passed, "{report:#?}");
    assert_eq!(report.findings.len(), Subject::ALL.len());
    assert_eq!(report.calls.len(), 2);
    for (call, direction) in report.calls.iter().zip([Direction::Outbound, Direction::Inbound]) {
        let cdr = RecordStore::get(&*world.app.stores.records, *call).await.expect("read").expect("a record");
        assert_eq!((cdr.direction, cdr.engine.as_deref()), (direction, Some("doctor")));
    }
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_nobody_is_called() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    world.add_user("bob", json!({"sip_password": "not his", "sip": {"connect": false}})).await;
    let report = world.app.examine(of("bob")).await.expect("examined");
    assert_eq!(report.outcome, Outcome::Failed);
    assert_eq!(outcome(&report, Subject::Authentication), Outcome::Failed, "{report:#?}");
    assert_eq!((outcome(&report, Subject::SelfCall), report.calls.len()), (Outcome::Skipped, 0));
    let finding = report.findings.iter().find(|finding| finding.subject == Subject::Authentication).expect("looked at");
    assert!(finding.remedy.as_ref().is_some_and(|remedy| remedy.contains("sip_password")), "{finding:?}");
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_leads_elsewhere_is_told() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    let options = PhoneOptions::new(world.carrier.address(), "voicemail");
    let voicemail: Listener =
        Phone::listen(&options, Script::new(vec![Step::Answer, Step::WaitHangUp])).await.expect("a telephone");
    world.carrier.add_number("voicemail", Destination::Line(voicemail.address()));
    let number = Some("voicemail".parse().expect("valid"));
    let report = world.app.examine(ExaminationRequest { number, ..of("alice") }).await.expect("examined");
    let finding = report.findings.iter().find(|finding| finding.subject == Subject::SelfCall).expect("looked at");
    assert_eq!(finding.outcome, Outcome::Failed, "{report:#?}");
    assert!(finding.text.contains("not here"), "{finding:?}");
    world.nothing_is_held().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_examination_at_a_time() {
    let world = World::with_alice(Manner::Talk, json!({})).await;
    let (one, other) = tokio::join!(world.app.examine(of("alice")), world.app.examine(of("alice")));
    assert!(one.is_ok() && matches!(other, Err(ExaminationError::UnderWay(_))), "{other:?}");
    assert!(matches!(world.app.examine(of("nobody")).await, Err(ExaminationError::NoSuchUser(_))));
}
