//! What is kept of the messages: whole, with addresses, and without secrets.

use crate::peer::{Dialog, PASSWORD, Peer, SDP, World, event, soon};
use callie_domain::record::{SipMessage, Way};
use callie_sip::{CallTrace, LegEvent};

/// Way and first word or code of each message.
fn outline(messages: &[SipMessage]) -> Vec<String> {
    let arrow = |way| if way == Way::Sent { '>' } else { '<' };
    let word = |message: &SipMessage| {
        let start = message.start_line();
        start.strip_prefix("SIP/2.0 ").unwrap_or(start).split(' ').next().unwrap_or_default().to_owned()
    };
    messages.iter().map(|message| format!("{}{}", arrow(message.way), word(message))).collect()
}

/// All messages of a leg that ends.
async fn to_the_end(trace: &CallTrace) -> Vec<SipMessage> {
    let mut all = Vec::new();
    soon("the end of the trace", async {
        loop {
            let over = trace.is_over();
            all.extend(trace.take());
            if over {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    all
}

#[tokio::test]
async fn an_inbound_call_is_kept_from_its_invite_to_the_answer_of_its_bye() {
    let (mut world, peer) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let mut dialog = Dialog::new(&peer, &register.contact());
    let invite = dialog.request("INVITE", &[], SDP);
    peer.send(world.address(), &invite).await;
    let mut call = world.call().await;
    let trace = call.leg.trace.clone();
    call.leg.control.answer(SDP.to_owned()).await;
    let answer = peer.expect("SIP/2.0 200").await;
    dialog.learn(&answer);
    peer.send(world.address(), dialog.request("ACK", &[], "")).await;
    assert!(matches!(event(&mut call.leg).await, LegEvent::Acknowledged { .. }));
    peer.send(world.address(), dialog.request("BYE", &[], "")).await;
    peer.expect_where("SIP/2.0 200", |m| m.must("CSeq").contains("BYE")).await;
    drop(call);

    let messages = to_the_end(&trace).await;
    assert_eq!(outline(&messages), ["<INVITE", ">100", ">200", "<ACK", "<BYE", ">200"]);
    assert_eq!(messages[0].text, invite, "as it was on the wire");
    for message in &messages {
        assert_eq!((message.remote, message.local), (peer.address, world.address()));
    }
    world.end().await;
}

#[tokio::test]
async fn repeated_answers_are_kept_as_often_as_they_were_sent() {
    let (mut world, peer) = (World::new().await, Peer::new().await);
    let (_handle, register) = world.registered(&peer).await;
    let mut dialog = Dialog::new(&peer, &register.contact());
    peer.send(world.address(), dialog.request("INVITE", &[], SDP)).await;
    let call = world.call().await;
    let trace = call.leg.trace.clone();
    call.leg.control.answer(SDP.to_owned()).await;
    let answer = peer.expect("SIP/2.0 200").await;
    peer.expect("SIP/2.0 200").await;
    dialog.learn(&answer);
    peer.send(world.address(), dialog.request("ACK", &[], "")).await;
    peer.send(world.address(), dialog.request("BYE", &[], "")).await;
    let messages = to_the_end(&trace).await;
    let answers: Vec<_> = messages.iter().filter(|m| m.start_line() == "SIP/2.0 200 OK" && m.text.contains("INVITE")).collect();
    assert!(answers.len() >= 2, "{:?}", outline(&messages));
    assert_eq!(answers[0].text, answers[1].text);
    world.end().await;
}

#[tokio::test]
async fn an_account_keeps_its_last_exchange_and_no_secret() {
    let (world, peer) = (World::new().await, Peer::new().await);
    let (handle, register) = world.registered(&peer).await;
    let response = register.must("Authorization").split("response=\"").nth(1).and_then(|r| r.split('"').next());
    let response = response.expect("a digest");
    let messages = handle.trace();
    assert_eq!(outline(&messages), [">REGISTER", "<200"]);
    for message in &messages {
        assert!(!message.text.contains(response) && !message.text.contains(PASSWORD), "{}", message.text);
    }
    assert!(messages[0].field("Authorization").is_some_and(|a| a.contains("response=\"****")), "{}", messages[0].text);
    let bytes: usize = messages.iter().map(|message| message.text.len() + size_of::<SipMessage>()).sum();
    assert!(bytes < 2_048, "a healthy account may cost little: {bytes} bytes");
    assert_eq!(messages[0].remote, peer.address);
    handle.stop().await;
    world.end().await;
}

#[tokio::test]
async fn what_an_account_was_refused_for_stays() {
    let (world, peer) = (World::new().await, Peer::new().await);
    let handle = world.stack.open_account(crate::peer::account(peer.address));
    let first = peer.expect("REGISTER").await;
    peer.reply(&first, "503 Service Unavailable", &["Reason: maintenance"], "").await;
    let second = peer.expect_where("REGISTER", |m| m.header("CSeq") != first.header("CSeq")).await;
    peer.grant(&second, 600).await;
    soon("registration", handle.status().wait_for(|s| s.is_registered())).await.expect("running");
    assert_eq!(outline(&handle.trace()), [">REGISTER", "<503", ">REGISTER", "<200"]);
    world.end().await;
}
