//! What a call costs whose ACK never comes:
//! `cargo test -p callie-sip --test loopback -- an_answered_call --ignored --nocapture`.

use crate::peer::{Dialog, Peer, SDP, World};
use std::time::Duration;

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("pages") * 4_096
}

/// `answered`: with 200 and SDP, else ringing.
async fn measured(answered: bool, calls: usize) -> usize {
    let mut world = World::with(|options| options.t1 = Duration::from_millis(500)).await;
    let peer = Peer::new().await;
    let (_handle, register) = world.registered(&peer).await;
    let before = resident();
    let mut held = Vec::new();
    for _ in 0..calls {
        peer.send(world.address(), Dialog::new(&peer, &register.contact()).request("INVITE", &[], SDP)).await;
        let call = world.call().await;
        match answered {
            true => call.leg.control.answer(SDP.into()).await,
            false => call.leg.control.ring().await,
        }
        held.push(call);
    }
    peer.expect(if answered { "SIP/2.0 200" } else { "SIP/2.0 180" }).await;
    assert_eq!(world.stack.stats().setting_up, calls);
    let cost = resident().saturating_sub(before) / calls;
    drop(held);
    world.end().await;
    cost
}

fn show(what: &str, cost: usize) {
    #[expect(clippy::print_stdout, reason = "it is the result")]
    {
        println!("{what}: {:.1} KB each", cost as f64 / 1_024.0);
    }
    assert!(cost < 60 * 1_024, "the bounds in door/setup.rs reckon with less");
}

/// Alone in its process: what another measurement has given back would be taken for nothing.
#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn a_ringing_call() {
    show("ringing", measured(false, 1_500).await);
}

#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn an_answered_call() {
    show("answered", measured(true, 1_500).await);
}
