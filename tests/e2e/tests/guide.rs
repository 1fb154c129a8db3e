//! `docs/GUIDE.md` as it stands: every block of commands is run in its order, and answers what the guide says it answers.

use callie_e2e::peers::{present, sipp::Scenario};
use callie_e2e::{Callie, eventually};
use callie_lab::carrier::{Carrier, CarrierOptions, Destination, Subscriber};
use std::{path::PathBuf, time::Duration};

const WITHIN: Duration = Duration::from_secs(20);

/// A block of commands, and the status that the text behind it promises.
#[derive(Debug)]
pub struct Block {
    pub commands: String,
    pub promised: u16,
}

/// The section for those who come from the first version is run by a test of its own, at a server of theirs.
const FIRST_VERSION: &str = "## Coming from version 1";

impl Block {
    pub fn is(&self, part: &str) -> bool {
        self.commands.contains(part)
    }

    pub fn requests(&self) -> usize {
        self.commands.lines().filter(|line| line.starts_with("curl ") || line.starts_with("callie ")).count()
    }

    /// The statuses that its requests got, in order; of a command of `callie` it is the exit code.
    pub fn run(&self, callie: &Callie) -> Vec<u16> {
        let commands = self.commands.replace("localhost:8080", &callie.http().to_string());
        let tell_status = r#"curl() { command curl -sS -o /dev/stderr -w '%{http_code}\n' "$@"; }
            eval "run_$(declare -f callie)"; callie() { run_callie "$@" >&2; echo $?; }"#;
        let output = callie.shell(&format!("{tell_status}\n{commands}")).and_then(|mut shell| Ok(shell.output()?));
        let output = output.expect("bash starts");
        assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
        let statuses = String::from_utf8_lossy(&output.stdout);
        statuses.lines().map(|line| line.parse().expect("curl prints a status")).collect()
    }
}

/// The guide without the section for the first version, and that section.
pub fn guide() -> (String, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/GUIDE.md");
    let guide = std::fs::read_to_string(path).expect("the guide is there");
    let (before, rest) = guide.split_once(FIRST_VERSION).expect("the guide has a section for the first version");
    let (section, after) = rest.split_once("\n## ").expect("it is not the last one");
    (format!("{before}{after}"), section.to_owned())
}

/// All blocks with `curl` in them. A promise is the first bold number behind a block.
pub fn blocks(guide: &str) -> Vec<Block> {
    guide
        .split("```bash\n")
        .skip(1)
        .map(|part| {
            let (commands, text) = part.split_once("```").expect("a block ends");
            let promised = text.split("**").skip(1).step_by(2).find_map(|bold| bold.parse().ok());
            Block {
                commands: commands.to_owned(),
                promised: promised.unwrap_or_else(|| panic!("no promise behind:\n{commands}")),
            }
        })
        .collect()
}

/// A provider for every user of the guide.
async fn provider() -> Carrier {
    let subscribers = [("alice@company.com", "secure_password"), ("ext1001", "pass1001"), ("ext1002", "pass1002")];
    let subscribers = subscribers.iter().map(|(name, password)| Subscriber::new(name, password)).collect();
    Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await.expect("the carrier starts")
}

/// What a block must have brought about.
async fn check_effect(block: &Block, callie: &Callie, carrier: &Carrier) {
    let (_, alice) = callie.get("/users/alice").await;
    if block.is("\"sip_password\": \"secure_password\"") {
        assert_eq!(alice["display_name"], "Alice Johnson");
        assert!(!alice.to_string().contains("secure_password"), "{alice}");
        carrier.add_subscriber(Subscriber::new("alice@company.com", "secure_password"));
    } else if block.is("/sip/connect") {
        carrier.wait_registered("alice@company.com", WITHIN).await.expect("alice's line is up");
        callie.await_registration("alice", true, WITHIN).await;
    } else if block.is("/users/alice/call") {
        let call = callie.ended_call("alice", Duration::from_secs(30)).await;
        assert_eq!(call["termination"]["result"], "completed", "{call}");
        assert_eq!(call["to"].as_str().map(|to| to.contains("+1234567890")), Some(true), "{call}");
        assert_eq!(call["message"], "Hello from Alice's AI assistant!");
    } else if block.is("Updated greeting") {
        assert_eq!(alice["calls"]["default_greeting"], "Updated greeting message!", "{alice}");
        eventually("the line is up with the new password", WITHIN, || async {
            carrier.registers("alice@company.com").last()?.answered.filter(|code| *code == 200).map(|_| ())
        })
        .await;
    } else if block.is("/sip/disconnect") {
        carrier.wait_unregistered("alice@company.com", WITHIN).await.expect("alice's line is down");
    } else if block.is("\"is_active\": false") {
        assert_eq!(alice["is_active"], false, "{alice}");
    } else if block.is("-X DELETE") {
        assert_eq!(callie.get("/users/alice").await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_works_from_top_to_bottom() {
    if !present(&["curl", "bash", "sipp"]) {
        return;
    }
    let blocks = blocks(&guide().0);
    assert_eq!(blocks.iter().map(Block::requests).sum::<usize>(), 16, "requests in the guide");

    let carrier = provider().await;
    let names = ["sip.zoho.com", "sip-companya.zoho.com", "sip-companyb.zoho.com"];
    let setup = Callie::setup().hosts(names.map(|name| (name, carrier.address())));
    let mut callie = setup.start().await.expect("callie starts");
    let callee = Scenario::callee("answer_and_hang_up").pause(Duration::from_secs(3)).start(callie.ports());
    carrier.add_number("+1234567890", Destination::Line(callee.address()));

    for block in &blocks {
        if block.is("new_secure_password") {
            // The password was changed at the provider before it is changed here.
            carrier.add_subscriber(Subscriber::new("alice@company.com", "new_secure_password"));
        }
        let statuses = block.run(&callie);
        assert_eq!(statuses, vec![block.promised; block.requests()], "{}", block.commands);
        check_effect(block, &callie, &carrier).await;
    }
    let (_, list) = callie.get("/users").await;
    assert_eq!(list["users"].as_array().map(Vec::len), Some(5), "all but alice are left: {list}");
    drop(callee);
    carrier.stop().await;
}

#[test]
fn the_guide_holds_every_path_of_the_users_api() {
    let (guide, _) = guide();
    for (method, path) in [
        ("-X POST ", "/users"),
        ("", "/users"),
        ("", "/users/alice"),
        ("-X PUT ", "/users/alice"),
        ("-X DELETE ", "/users/alice"),
        ("-X POST ", "/users/alice/sip/connect"),
        ("-X POST ", "/users/alice/sip/disconnect"),
        ("-X POST ", "/users/alice/call"),
        ("", "/admin/status"),
    ] {
        let command = format!("curl {method}http://localhost:8080{path}");
        let mut lines = guide.lines().map(|line| line.trim_end_matches(" \\"));
        assert!(lines.any(|line| line == command || line.starts_with(&format!("{command} -d"))), "{command}");
    }
}
