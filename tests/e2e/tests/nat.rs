//! Behind a router: addresses translated, mappings forgotten early, SIP rewritten on the way. The router is Linux's own
//! (`callie_e2e::network`); what stands for an hour without a call is three times the router's memory.

use callie_e2e::network::{Habits, Nat};
use callie_e2e::peers::{Kamailio, kamailio::Digest, present, sipp, sipp::Scenario};
use callie_e2e::voice::{loud_seconds, tone_share};
use callie_e2e::{Callie, eventually};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_secs(40);
const FORGETS_AFTER: Duration = Duration::from_secs(8);
const IDLE: Duration = Duration::from_secs(24);

/// What a test has: the server inside, the provider outside, alice registered through the router.
struct World {
    callie: Callie,
    kamailio: Kamailio,
    nat: Nat,
}

/// `None` where this machine cannot do it.
async fn alice_behind(habits: Habits) -> Option<World> {
    if !present(&["kamailio", "sipp", "nft", "ip", "unshare", "nsenter", "curl"]) {
        return None;
    }
    let nat = Nat::start(habits)?;
    // Nobody else is on this host: the port of all providers and of every router's ALG.
    let provider = SocketAddr::new(nat.outside.address, 5060);
    let kamailio = Kamailio::start_at(provider, Some(&nat.outside), Digest::Md5, 600).await;
    let setup = Callie::setup().env("CALLIE_SIP_LISTEN", "0.0.0.0:5060");
    let callie = setup.start_on(&nat.inside).await.expect("callie starts");
    callie.create_user("alice", provider, json!({ "keepalive": 5 })).await;
    callie.register("alice").await;
    Some(World { callie, kamailio, nat })
}

/// Long enough that the router has forgotten everything that was not kept open.
async fn an_idle_hour() {
    let begun = Instant::now();
    eventually("an idle time has passed", IDLE * 2, || async { (begun.elapsed() >= IDLE).then_some(()) }).await;
}

fn end_of(call: &Value) -> (&str, &str) {
    let end = &call["termination"];
    (end["result"].as_str().unwrap_or("?"), end["reason"].as_str().unwrap_or("?"))
}

impl World {
    /// The SDP of our answer, as the caller outside saw it, names the address that the world knows.
    fn check_answer(&self, messages: &str) {
        let wanted = format!("c=IN IP4 {}", self.nat.public);
        assert!(messages.contains(&wanted), "no {wanted} in:\n{messages}");
        assert!(!messages.contains(&self.nat.inside.address.to_string()), "a private address got out:\n{messages}");
    }

    async fn is_called_and_heard_both_ways(&mut self) {
        let provider = self.kamailio.address();
        let caller = Scenario::caller("call_and_echo", "alice", provider).on(&self.nat.outside).pause(Duration::from_secs(5));
        let mut sipp = caller.start(self.callie.ports());
        sipp.finish(WITHIN);
        self.check_answer(&sipp.messages());
        let call = self.callie.ended_call("alice", WITHIN).await;
        assert_eq!(end_of(&call), ("completed", "remote_hung_up"), "{call}");
        let wav = self.callie.recording(&call).await;
        for (side, samples) in ["caller", "agent"].iter().zip(&wav.channels) {
            assert!(loud_seconds(samples, wav.rate, 300.0) > 1.0, "the {side}'s side is silent: {call}");
        }
    }

    /// A caller who sends to the address in our SDP and never looks where our audio comes from.
    async fn hears_a_caller_who_trusts_the_sdp(&mut self) {
        let provider = self.kamailio.address();
        let caller = Scenario::caller("call_and_speak", "alice", provider).on(&self.nat.outside).pause(Duration::from_secs(4));
        let mut sipp = caller.start(self.callie.ports());
        sipp.finish(WITHIN);
        self.check_answer(&sipp.messages());
        let call = self.callie.ended_call("alice", WITHIN).await;
        let wav = self.callie.recording(&call).await;
        assert!(tone_share(&wav.channels[0], wav.rate, sipp::TONE_HZ) > 0.9, "the caller's tone is not heard: {call}");
    }
}

#[tokio::test]
async fn behind_a_forgetful_router_a_call_comes_in_after_an_idle_hour() {
    let Some(mut world) = alice_behind(Habits { udp_timeout: FORGETS_AFTER, alg: false }).await else { return };
    let before = world.kamailio.await_binding("alice", WITHIN).await;
    an_idle_hour().await;
    assert_eq!(world.kamailio.await_binding("alice", WITHIN).await, before, "nothing but keepalives kept the way open");
    world.is_called_and_heard_both_ways().await;
}

#[tokio::test]
async fn behind_a_router_a_caller_who_trusts_the_sdp_is_heard() {
    let Some(mut world) = alice_behind(Habits { udp_timeout: FORGETS_AFTER, alg: false }).await else { return };
    world.hears_a_caller_who_trusts_the_sdp().await;
}

#[tokio::test]
async fn behind_an_alg_that_rewrites_addresses_a_call_comes_in_after_an_idle_hour() {
    let Some(mut world) = alice_behind(Habits { udp_timeout: FORGETS_AFTER, alg: true }).await else { return };
    an_idle_hour().await;
    assert!(world.nat.reads_sip(), "the ALG was not at work");
    world.is_called_and_heard_both_ways().await;
}

#[tokio::test]
async fn behind_an_alg_that_rewrites_addresses_a_caller_who_trusts_the_sdp_is_heard() {
    let Some(mut world) = alice_behind(Habits { udp_timeout: FORGETS_AFTER, alg: true }).await else { return };
    assert!(world.nat.reads_sip(), "the ALG was not at work");
    world.hears_a_caller_who_trusts_the_sdp().await;
}
