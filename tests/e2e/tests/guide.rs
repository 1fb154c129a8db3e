//! `docs/GUIDE.md` as it stands: every block of commands is run in its order, with the users in either store, and answers what the
//! guide says it answers. `peers/stand_ins.sh` says what stands in for which program.

use callie_e2e::callie::command;
use callie_e2e::peers::{folder, present, sipp::Scenario};
use callie_e2e::{Callie, eventually};
use callie_lab::carrier::{Carrier, CarrierOptions, Destination, Subscriber};
use callie_lab::firestore::{Firestore, FirestoreOptions};
use callie_lab::kms::Kms;
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};
use tempfile::NamedTempFile;

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

    /// How many statuses it gives: one for each `curl` and each `callie`, also behind settings such as `NAME=value`.
    pub fn requests(&self) -> usize {
        let program = |line: &str| line.split(' ').find(|word| !word.contains('=')).map(str::to_owned);
        self.commands.lines().filter(|line| matches!(program(line).as_deref(), Some("curl" | "callie"))).count()
    }

    /// The statuses that its requests got, in order; of a command of `callie` it is the exit code.
    pub fn run(&self, callie: &Callie) -> Vec<u16> {
        self.run_with(callie, "")
    }

    /// As [`Self::run`], behind something that the reader has done.
    fn run_with(&self, callie: &Callie, before: &str) -> Vec<u16> {
        let commands = self.commands.replace("localhost:8080", &callie.http().to_string());
        let stand_ins = std::fs::read_to_string(folder().join("stand_ins.sh")).expect("they lie beside the peers");
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let script = format!("set -o pipefail; ROOT='{root}'; exec 3>&1 1>&2\n{stand_ins}\n{before}\n{commands}");
        let output = callie.shell(&script).and_then(|mut shell| Ok(shell.output()?)).expect("bash starts");
        assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
        let statuses = String::from_utf8_lossy(&output.stdout);
        statuses.lines().map(|line| line.parse().expect("a status")).collect()
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

/// What the reader of the guide has besides: a key file, a key in Cloud KMS, a Firestore.
struct Belongings {
    key_file: NamedTempFile,
    kms: Kms,
    firestore: Firestore,
}

impl Belongings {
    async fn find() -> Self {
        let key_file = NamedTempFile::new().expect("the temporary folder is writable");
        let key = json!({"type": "service_account", "project_id": "my-project-1234", "private_key_id": "1",
            "private_key": "-----BEGIN PRIVATE KEY-----", "client_email": "callie@my-project-1234.iam.gserviceaccount.com"});
        std::fs::write(key_file.path(), key.to_string()).expect("written");
        let name = "projects/my-project-1234/locations/europe-west3/keyRings/callie/cryptoKeys/seal";
        let kms = Kms::start([name]).await.expect("the key service starts");
        let firestore = Firestore::start(FirestoreOptions::default()).await.expect("Firestore starts");
        Self { key_file, kms, firestore }
    }

    fn settings(&self) -> [(&'static str, String); 2] {
        let address = self.firestore.address().to_string();
        [("FIRESTORE_EMULATOR_HOST", address), ("FIREBASE_PROJECT_ID", self.firestore.project().to_owned())]
    }

    /// What a block finds done before it in the shell.
    fn before(&self, block: &Block) -> String {
        let [(host, address), (id, project)] = self.settings();
        match () {
            () if block.is("migrate store") => format!("export {host}={address} {id}={project}"),
            () if block.is("echo $FIREBASE_SERVICE_ACCOUNT_PATH") => {
                format!("FIREBASE_SERVICE_ACCOUNT_PATH={}", self.key_file.path().display())
            }
            () => String::new(),
        }
    }

    /// The lines for `.env`, in a folder with nothing else.
    fn try_dotenv(&self, block: &Block) {
        let folder = tempfile::tempdir().expect("a folder");
        let key_file = self.key_file.path().display().to_string();
        let text = block.commands.replace("/path/to/firebase-service-account.json", &key_file);
        assert_eq!(text.matches(&key_file).count(), 2, "{text}");
        std::fs::write(folder.path().join(".env"), text).expect("written");
        let check = command(folder.path()).expect("it is built").args(["config", "check"]).output().expect("it runs");
        let said = String::from_utf8_lossy(&check.stdout).into_owned();
        for line in ["CALLIE_STORE=firestore", "FIREBASE_SERVICE_ACCOUNT_PATH=/", "GOOGLE_APPLICATION_CREDENTIALS=/"] {
            assert!(said.lines().any(|shown| shown.starts_with(line)), "{line}:\n{said}");
        }
    }
}

/// The name that the first key was given, whatever the year is.
fn first_key(callie: &Callie) -> String {
    let file = std::fs::read(callie.data_dir().join("keyring.json")).expect("the key file is there");
    let file: Value = serde_json::from_slice(&file).expect("it is JSON");
    let mut keys = file["keys"].as_object().expect("it holds keys").keys();
    keys.find(|key| key.starts_with('k')).expect("the first one is there").clone()
}

async fn walk(in_firestore: bool) {
    if !present(&["curl", "bash", "sipp", "jq"]) {
        return;
    }
    let mut blocks = blocks(&guide().0);
    assert_eq!(blocks.iter().map(Block::requests).sum::<usize>(), 37, "requests and commands in the guide");
    let carrier = provider().await;
    let belongings = Belongings::find().await;
    let names = ["sip.zoho.com", "sip-companya.zoho.com", "sip-companyb.zoho.com"];
    let mut setup = Callie::setup().hosts(names.map(|name| (name, carrier.address())));
    setup = setup.env("CALLIE_KMS_ENDPOINT", belongings.kms.url());
    for (name, value) in belongings.settings().into_iter().filter(|_| in_firestore) {
        setup = setup.env(name, value);
    }
    let mut callie = setup.start().await.expect("callie starts");
    let callee = Scenario::callee("answer_and_hang_up").pause(Duration::from_secs(3)).start(callie.ports());
    carrier.add_number("+1234567890", Destination::Line(callee.address()));

    for block in &mut blocks {
        if block.is("new_secure_password") {
            // The password was changed at the provider before it is changed here.
            carrier.add_subscriber(Subscriber::new("alice@company.com", "new_secure_password"));
        } else if block.is("keys drop") {
            block.commands = block.commands.replace("k2026a", &first_key(&callie));
        } else if block.is("# Add to your .env file") {
            belongings.try_dotenv(block);
            continue;
        } else if block.is("/ai/check") {
            // She was deleted in between.
            callie.create_user("alice", carrier.address(), json!({})).await;
        }
        let statuses = block.run_with(&callie, &belongings.before(block));
        assert_eq!(statuses, vec![block.promised; block.requests()], "{}\n{}", block.commands, callie.log());
        if block.is("docker-compose restart") {
            let (_, _, setup) = callie.terminate(WITHIN);
            callie = setup.start().await.expect("callie starts again");
        }
        check_effect(block, &callie, &carrier).await;
    }
    let (_, list) = callie.get("/users").await;
    let users = list["users"].as_array().expect("a list");
    assert_eq!(users.len(), 6, "{list}");
    assert!(users.iter().all(|user| user["config_state"]["state"] == "ok"), "no password was lost: {list}");
    for user in ["agent001", "company_b_support", "dad"] {
        let there = belongings.firestore.document(&format!("user_configs/{user}"));
        assert!(there.is_some_and(|document| format!("{document:?}").contains("callie-enc:v1:second:")), "{user} in Firestore");
    }
    let (_, status) = callie.get("/admin/status").await;
    assert_eq!(status["firebase_connected"], in_firestore, "{status}");
    drop(callee);
    carrier.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_works_from_top_to_bottom() {
    walk(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_works_with_users_in_firestore() {
    walk(true).await;
}

/// A block of another kind would be run by nobody.
#[test]
fn the_guide_has_blocks_of_commands_and_json_only() {
    let (rest, first_version) = guide();
    let fences = |text: &str| text.lines().filter_map(|line| line.trim_start().strip_prefix("```").map(str::to_owned)).collect();
    for text in [&rest, &first_version] {
        let fences: Vec<String> = fences(text);
        for (opened, closed) in fences.chunks(2).map(|pair| (&pair[0], pair.get(1))) {
            assert!(matches!(opened.as_str(), "bash" | "json"), "a block of kind {opened:?}");
            assert_eq!(closed.map(String::as_str), Some(""), "a block of kind {opened:?} is closed");
        }
        assert_eq!(blocks(text).len(), fences.iter().filter(|kind| *kind == "bash").count());
    }
    for document in rest.split("```json\n").skip(1).filter_map(|part| part.split("```").next()) {
        serde_json::from_str::<Value>(document).unwrap_or_else(|e| panic!("{e} in\n{document}"));
    }
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
