//! Whoever comes from the first version: its `.env` as it is, its paths, and the way into the store, as the guide tells them.

use crate::guide::{Block, blocks, guide};
use callie_e2e::peers::{present, sipp::Scenario};
use callie_e2e::{Callie, eventually};
use callie_lab::carrier::{Carrier, CarrierOptions, Destination, Subscriber};
use serde_json::json;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);
const PASSWORD: &str = "canary$ecret 4711";
const USER_AGENT: &str = "Yealink SIP-T46S 66.85.0.5 ~00:15:65:aa:bb:cc";

/// As people have it: with comments, quotes, blanks and names of other programs.
const DOTENV: &str = "# Zoho Voice\nexport ZOHO_SIP_SERVER=sip.zoho.com\nZOHO_SIP_USERNAME=ext4711\n\
    ZOHO_SIP_PASSWORD=canary$ecret 4711 # as the provider gave it\nACCOUNT_LABEL=Front Desk\nSIP_PORT=5060\n\
    CUSTOM_USER_AGENT='00:15:65:AA:BB:CC'\nDEFAULT_GREETING=\"Hello, this is the front desk.\"\nGEMINI_MODEL=gemini-2.0-flash-001\n\
    GEMINI_MAX_TOKENS=150\nGEMINI_TEMPERATURE=0.7\nFLASK_HOST=0.0.0.0\nUSE_FIXED_RTP_PORT=false\nANSWER_TIMEOUT=30\nEDITOR=vi\n";

async fn provider() -> Carrier {
    let subscribers = vec![Subscriber::new("ext4711", PASSWORD)];
    Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("the carrier starts")
}

fn registered_as(carrier: &Carrier) -> Vec<String> {
    carrier.registers("ext4711").into_iter().filter(|seen| seen.answered == Some(200)).map(|seen| seen.user_agent).collect()
}

/// What a block must have brought about.
async fn check_effect(block: &Block, callie: &Callie) {
    if block.is("/call ") {
        let call = callie.ended_call("primary", Duration::from_secs(30)).await;
        assert_eq!(call["termination"]["result"], "completed", "{call}");
        assert_eq!(call["message"], "Hello from Callie!");
    } else if block.is("/sms") {
        let (_, list) = callie.get("/conversations").await;
        let newest = &list["conversations"][0];
        assert_eq!((&newest["kind"], &newest["message_count"]), (&json!("sms"), &json!(2)), "{list}");
        let call = list["conversations"].as_array().and_then(|all| all.iter().find(|c| c["kind"] == "call"));
        assert!(call.is_some_and(|call| call["phone_number"] == "+1234567890"), "{list}");
    } else if block.is("--dry-run") {
        let (_, user) = callie.get("/users/primary").await;
        assert_eq!(user["revision"], 0, "nothing is written: {user}");
    } else if block.is("callie migrate env") {
        eventually("the stored user counts", WITHIN, || async {
            callie.get("/users/primary").await.1["revision"].as_u64().filter(|revision| *revision > 0)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_runs_unchanged_and_moves_into_the_store() {
    if !present(&["curl", "bash", "sipp"]) {
        return;
    }
    let carrier = provider().await;
    let setup = Callie::setup().hosts([("sip.zoho.com", carrier.address())]).without("CALLIE_HTTP_LISTEN");
    let port = setup.http().port();
    let mut callie = setup.file(".env", &format!("{DOTENV}FLASK_PORT={port}\n")).start().await.expect("callie starts");
    let callee = Scenario::callee("answer_and_hang_up").pause(Duration::from_secs(3)).start(callie.ports());
    carrier.add_number("+1234567890", Destination::Line(callee.address()));

    carrier.wait_registered("ext4711", WITHIN).await.expect("the line is up at the start");
    callie.await_registration("primary", true, WITHIN).await;
    assert_eq!(registered_as(&carrier), [USER_AGENT]);
    for part in ["FLASK_HOST", "gemini-2.0-flash-001", "callie migrate env"] {
        assert!(callie.log().contains(part), "{part} in the log:\n{}", callie.log());
    }

    let blocks = blocks(&guide().1);
    assert_eq!(blocks.iter().map(Block::requests).sum::<usize>(), 11, "commands in the section");
    for block in &blocks {
        let statuses = block.run(&callie);
        assert_eq!(statuses, vec![block.promised; block.requests()], "{}\n{}", block.commands, callie.log());
        check_effect(block, &callie).await;
    }
    assert_eq!(registered_as(&carrier), [USER_AGENT], "what does not change does not register again");
    let preview = callie.shell("callie migrate env --dry-run; callie config check").and_then(|mut shell| Ok(shell.output()?));
    let preview = String::from_utf8(preview.expect("it runs").stdout).expect("text");
    assert!(preview.contains("\"sip_password\": \"********\"") && preview.contains("ZOHO_SIP_SERVER in .env"), "{preview}");
    assert!(!preview.contains("canary") && !callie.log().contains("canary"), "{preview}\n{}", callie.log());

    // Without the lines that may leave.
    let (_, _, setup) = callie.terminate(Duration::from_secs(20));
    carrier.wait_unregistered("ext4711", WITHIN).await.expect("the line is down");
    let callie = setup.file(".env", &format!("FLASK_PORT={port}\n")).start().await.expect("callie starts again");
    callie.await_registration("primary", true, WITHIN).await;
    assert_eq!(registered_as(&carrier).last().map(String::as_str), Some(USER_AGENT));
    let (_, user) = callie.get("/users/primary").await;
    assert_eq!(user["calls"]["default_greeting"], "Hello, this is the front desk.", "{user}");
    drop(callee);
    carrier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_user_counts_and_a_changed_environment_is_not_migrated() {
    if !present(&["bash"]) {
        return;
    }
    let carrier = provider().await;
    let setup = Callie::setup().hosts([("sip.zoho.com", carrier.address())]).file(".env", DOTENV);
    let callie = setup.start().await.expect("callie starts");
    callie.await_registration("primary", true, WITHIN).await;
    let (status, _) = callie.put("/users/primary", json!({"greeting": "Changed"})).await;
    assert_eq!(status, 200);
    assert_eq!(callie.get("/users/primary").await.1["revision"], 1, "the first change puts it into the store");
    let (status, refusal) = callie.delete("/users/primary").await;
    assert_eq!((status, refusal["type"].as_str()), (409, Some("urn:callie:problem:given-elsewhere")), "{refusal}");

    let refused = callie.shell("callie migrate env").and_then(|mut shell| Ok(shell.output()?)).expect("it runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("calls.default_greeting") && said.contains("The store counts"), "{said}");

    let (_, _, setup) = callie.terminate(Duration::from_secs(20));
    let callie = setup.start().await.expect("callie starts again");
    callie.await_registration("primary", true, WITHIN).await;
    assert!(callie.log().contains("is ignored"), "{}", callie.log());
    assert_eq!(callie.get("/users/primary").await.1["calls"]["default_greeting"], "Changed");
    carrier.stop().await;
}
