//! `callie health` against the real server, over plain HTTP and over TLS of its own.

use super::{Desk, texts};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(30);

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    socket.local_addr().expect("bound").port()
}

fn with_server(environment: &[(&str, &str)]) -> Desk {
    let listen = format!("127.0.0.1:{}", free_port());
    let fixed = [("CALLIE_HTTP_LISTEN", listen.as_str()), ("CALLIE_SIP_LISTEN", "127.0.0.1:0")];
    Desk::new(&[&fixed, environment].concat())
}

/// Until it takes requests.
async fn serve(desk: &Desk) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callie"));
    command.arg("serve").env_clear().env("CALLIE_DATA_DIR", desk.path()).current_dir(desk.path());
    command.envs(desk.environment.iter().cloned()).kill_on_drop(true).stderr(Stdio::piped());
    let mut child = command.spawn().expect("callie runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.expect("read") {
            if line.contains("ready: ") {
                return;
            }
        }
        panic!("it ended");
    };
    tokio::time::timeout(PATIENCE, ready).await.expect("it starts");
    // Whoever reads no more would stop it.
    child.stderr = Some(lines.into_inner().into_inner());
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_as_it_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["calls.example.org".to_owned()]).expect("a certificate");
    let files = [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())];
    let [certificate, key] = files.map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    });
    let tls = [("CALLIE_HTTP_TLS_CERTIFICATE", certificate.as_str()), ("CALLIE_HTTP_TLS_KEY", key.as_str())];
    for environment in [&[][..], &tls[..]] {
        let desk = with_server(environment);
        let complaint = desk.refuses("health").await;
        assert!(complaint.contains("no server answers at http"), "{complaint}");
        let _server = serve(&desk).await;
        let output = desk.run("health --json").await;
        let (said, complained) = texts(&output);
        assert!(output.status.success(), "{said}{complained}");
        let found: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let status = |name: &str| {
            let checks = found["checks"].as_array().expect("checks");
            checks.iter().find(|check| check["name"] == name).map(|check| check["status"].clone())
        };
        for name in ["server", "store", "sip", "lines", "keyring"] {
            assert_eq!(status(name), Some("passed".into()), "{name}: {found}");
        }
        assert_eq!(status("certificate").is_some(), !environment.is_empty(), "{found}");
    }
}
