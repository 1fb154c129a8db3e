//! Google's Firestore with nobody there: a well-formed key of a service account that does not exist, on a machine without a
//! network. The server runs in a network of its own, so that nothing reaches Google from where there is one.

use callie_e2e::peers::present;
use callie_e2e::{Callie, callie::Setup, eventually, process::Process};
use callie_lab::firestore::{Firestore, FirestoreOptions};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(30);
const PROJECT: &str = "acme-1234";

/// Whether this machine gives networks away; the test is skipped where it does not, and says so.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn can_be_cut_off() -> bool {
    if !present(&["openssl", "unshare", "nsenter", "ip", "curl"]) {
        return false;
    }
    let tried = Command::new("unshare").args(["--map-root-user", "--net", "ip", "link", "set", "lo", "up"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("SKIPPED: this machine gives no network namespace to a process");
    }
    can
}

fn checked(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A key as Google's console writes it, of an account that does not exist.
fn invent_key(folder: &Path) -> PathBuf {
    let generated = Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]).output();
    let private_key = checked(generated.expect("openssl starts"));
    let key = json!({
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0123456789abcdef0123456789abcdef01234567",
        "private_key": private_key,
        "client_email": format!("callie@{PROJECT}.iam.gserviceaccount.com"),
        "client_id": "100000000000000000000",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    let file = folder.join("key.json");
    std::fs::write(&file, key.to_string()).expect("the folder is writable");
    file
}

/// Starts the server with the key, and with loopback alone.
fn start_cut_off(setup: &Setup, key: &Path) -> Process {
    let serve = setup.command().expect("the binary is there");
    let folder = serve.get_current_dir().expect("it has a folder").to_path_buf();
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"])
        .arg(serve.get_program())
        .args(serve.get_args())
        .current_dir(&folder)
        .env_clear()
        .envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env_remove("FIRESTORE_EMULATOR_HOST")
        .env("FIREBASE_SERVICE_ACCOUNT_PATH", key);
    Process::start("callie", &mut command, folder.join("cut_off.log")).expect("unshare starts")
}

/// A document of its API, asked for in its network.
fn ask(callie: &Process, url: &str) -> Value {
    let mut command = Command::new("nsenter");
    command.args(["--preserve-credentials", "--user", "--net", "--target", &callie.pid().to_string()]);
    let answer = checked(command.args(["curl", "-sS", url]).output().expect("nsenter starts"));
    serde_json::from_str(&answer).unwrap_or_else(|e| panic!("{url}: {e}: {answer}"))
}

fn check_log(log: &str, key: &Path) {
    assert!(!log.contains("panicked"), "{log}");
    for part in ["the Firestore database (default) of project acme-1234", "https://firestore.googleapis.com", "does not answer"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let key: Value = serde_json::from_slice(&std::fs::read(key).expect("readable")).expect("JSON");
    let secret = key["private_key"].as_str().and_then(|pem| pem.lines().nth(1)).expect("a line of the key");
    assert!(!log.contains(secret), "the key stands in the log");
}

#[test]
fn a_first_start_without_google_ends_and_says_why() {
    if !can_be_cut_off() {
        return;
    }
    let setup = Callie::setup();
    let folder = tempfile::TempDir::new().expect("the temporary folder is writable");
    let key = invent_key(folder.path());
    let mut callie = start_cut_off(&setup, &key);
    let status = callie.wait(WITHIN).unwrap_or_else(|| panic!("it ends:\n{}", callie.log()));
    assert_eq!(status.code(), Some(1), "{}", callie.log());
    check_log(&callie.log(), &key);
    assert!(callie.log().lines().last().is_some_and(|line| line.starts_with("callie: ")), "{}", callie.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_start_without_google_goes_on_from_the_kept_view() {
    if !can_be_cut_off() {
        return;
    }
    let firestore = Firestore::start(FirestoreOptions::default()).await.expect("the lab's Firestore starts");
    let setup =
        Callie::setup().env("FIRESTORE_EMULATOR_HOST", firestore.address().to_string()).env("FIREBASE_PROJECT_ID", PROJECT);
    let callie = setup.start().await.expect("callie starts");
    // It never asks for its line: there is no registrar.
    callie.create_user("alice", callie.sip(), json!({})).await;
    let url = format!("http://{}", callie.http());
    let (status, log, setup) = callie.terminate(WITHIN);
    assert!(status.success(), "{log}");
    firestore.stop().await;

    let folder = tempfile::TempDir::new().expect("the temporary folder is writable");
    let key = invent_key(folder.path());
    let mut callie = start_cut_off(&setup, &key);
    eventually("it is ready", WITHIN, || async { callie.log().contains("ready: http").then_some(()) }).await;
    let status = ask(&callie, &format!("{url}/admin/status"));
    assert_eq!(status["system_status"], "degraded", "{status}");
    assert_eq!((&status["store"], &status["firebase_connected"]), (&json!("firestore"), &json!(false)), "{status}");
    let user = ask(&callie, &format!("{url}/users/alice"));
    assert_eq!(user["display_name"], "alice of the tests", "{user}");
    assert_eq!(user["sip"]["has_password"], true, "{user}");

    callie.signal("TERM");
    let ended = callie.wait(WITHIN);
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}\n{}", callie.log());
    check_log(&callie.log(), &key);
}
