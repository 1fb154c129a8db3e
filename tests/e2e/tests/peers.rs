//! The peers among themselves, without us: what the other tests take for granted. When one of these fails, mend the machine
//! (or the peers' configurations) before looking at the product.

use callie_e2e::peers::{Baresip, Kamailio, baresip, kamailio::Digest, present, sipp::Scenario};
use callie_e2e::{PortBlock, eventually, voice};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

/// Baresip writes what it hears while the call lasts and after it: a file that is not complete proves nothing.
async fn hears(baresip: &Baresip, hertz: f64) {
    let tone =
        || async { baresip.heard().filter(|heard| voice::tone_share(&heard.channels[0], heard.rate, hertz) > 0.9).map(|_| ()) };
    eventually("baresip has written the tone that it heard", WITHIN, tone).await;
}

#[tokio::test]
async fn a_call_through_kamailio_carries_a_tone_both_ways() {
    if !present(&["kamailio", "sipp", "baresip"]) {
        return;
    }
    let mut ports = PortBlock::take();
    let kamailio = Kamailio::start(&mut ports, Digest::Md5, 60).await;
    let baresip = Baresip::start(&mut ports, "bob", kamailio.address()).await;
    let binding = kamailio.await_binding("bob", WITHIN).await;
    assert!(binding.user_agent.starts_with("baresip"), "{binding:?}");

    let mut sipp = Scenario::caller("call_and_echo", "bob", kamailio.address()).pause(Duration::from_secs(2)).start(&mut ports);
    sipp.finish(WITHIN);
    hears(&baresip, baresip::TONE_HZ).await;
}

#[tokio::test]
async fn sipp_speaks_and_is_hung_up_on() {
    if !present(&["kamailio", "sipp", "baresip"]) {
        return;
    }
    let mut ports = PortBlock::take();
    let kamailio = Kamailio::start(&mut ports, Digest::Md5, 60).await;
    let baresip = Baresip::start(&mut ports, "carol", kamailio.address()).await;
    let mut sipp = Scenario::caller("call_and_speak", "carol", kamailio.address()).start(&mut ports);
    sipp.finish(WITHIN);
    hears(&baresip, callie_e2e::peers::sipp::TONE_HZ).await;

    let mut sipp = Scenario::caller("call_until_hung_up", "carol", kamailio.address()).start(&mut ports);
    baresip.await_call(WITHIN).await;
    eventually("SIPp has the answer", WITHIN, || async { sipp.messages().contains("ACK sip:carol").then_some(()) }).await;
    baresip.hang_up();
    sipp.finish(WITHIN);
}

#[tokio::test]
async fn baresip_calls_sipp_in_all_its_moods() {
    if !present(&["kamailio", "sipp", "baresip"]) {
        return;
    }
    for (name, word) in
        [("answer_and_hang_up", "Call established"), ("answer_busy", "486"), ("answer_decline", "603"), ("answer_unknown", "404")]
    {
        let mut ports = PortBlock::take();
        let kamailio = Kamailio::start(&mut ports, Digest::Md5, 60).await;
        let baresip = Baresip::start(&mut ports, "dave", kamailio.address()).await;
        let mut sipp = Scenario::callee(name).pause(Duration::from_secs(1)).start(&mut ports);
        baresip.dial(&format!("sip:+1234567890@{}", sipp.address()));
        sipp.finish(WITHIN);
        eventually(&format!("{name}: {word}"), WITHIN, || async { baresip.log().contains(word).then_some(()) }).await;
    }
}

#[tokio::test]
async fn kamailio_with_sha_256_refuses_a_telephone_that_knows_only_md5() {
    if !present(&["kamailio", "baresip"]) {
        return;
    }
    let mut ports = PortBlock::take();
    let kamailio = Kamailio::start(&mut ports, Digest::Sha256, 60).await;
    assert_eq!(kamailio.bindings(), []);
}
