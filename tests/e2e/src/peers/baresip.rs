//! baresip as a subscriber's telephone: registers, answers by itself, says a tone and keeps what it hears (`peers/baresip/`).

use super::{filled, plugins};
use crate::{PortBlock, eventually, process::Process, wav::Wav};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// The tone it says, hertz.
pub const TONE_HZ: f64 = 440.0;

#[derive(Debug)]
pub struct Baresip {
    process: Process,
    folder: TempDir,
    control: SocketAddr,
}

/// How its account differs from that of a plain telephone.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    /// As baresip writes them, the most wanted first.
    pub codecs: &'static str,
    /// `srtp` (when the other side has it), `srtp-mand`, or nothing.
    pub encryption: Option<&'static str>,
}

impl Default for Account {
    fn default() -> Self {
        Self { codecs: "pcmu/8000/1,pcma/8000/1", encryption: None }
    }
}

impl Baresip {
    /// Starts it and waits until it is registered at `registrar`.
    pub async fn start(ports: &mut PortBlock, user: &str, registrar: SocketAddr) -> Self {
        Self::start_with(ports, user, registrar, Account::default()).await
    }

    pub async fn start_with(ports: &mut PortBlock, user: &str, registrar: SocketAddr, with: Account) -> Self {
        let folder = TempDir::new().expect("the temporary folder is writable");
        let run_dir = folder.path().display().to_string();
        // It listens for TLS on the port above.
        let port = ports.run(2);
        let control = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.one()));
        let rtp = ports.range(10);
        let modules = plugins("baresip/modules", "g711.so");
        let config = filled(
            "baresip/config",
            &[
                ("PORT", &port.to_string()),
                ("CONTROL", &control.port().to_string()),
                ("RUN_DIR", &run_dir),
                ("MODULES", &modules.display().to_string()),
                ("RTP_MIN", &rtp.start().to_string()),
                ("RTP_MAX", &rtp.end().to_string()),
            ],
        );
        let more = with.encryption.map(|word| format!(";mediaenc={word}")).unwrap_or_default();
        let account = filled(
            "baresip/accounts",
            &[("USER", user), ("REGISTRAR", &registrar.to_string()), ("CODECS", with.codecs), ("MORE", &more)],
        );
        for (file, text) in [("config", config), ("accounts", account), ("contacts", String::new())] {
            std::fs::write(folder.path().join(file), text).expect("the run folder is writable");
        }
        let mut command = Command::new("baresip");
        command.args(["-f", &run_dir, "-v", "-s"]);
        let process = Process::start("baresip", &mut command, folder.path().join("log")).expect("baresip starts");
        let baresip = Self { process, folder, control };
        eventually("baresip is registered", Duration::from_secs(15), || async {
            baresip.process.log().contains("200 OK").then_some(())
        })
        .await;
        baresip
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Hangs up the running call.
    pub fn hang_up(&self) {
        self.command("hangup");
    }

    /// Calls a SIP address.
    pub fn dial(&self, address: &str) {
        self.command(&format!("dial\",\"params\":\"{address}"));
    }

    /// Puts the running call on hold.
    pub fn hold(&self) {
        self.command("hold");
    }

    pub fn resume(&self) {
        self.command("resume");
    }

    /// Presses a key in the running call.
    pub fn press(&self, key: char) {
        self.command(&format!("sndcode\",\"params\":\"{key}"));
    }

    /// One command of its control protocol: a JSON object in a netstring.
    fn command(&self, command: &str) {
        let json = format!(r#"{{"command":"{command}"}}"#);
        let mut stream = TcpStream::connect(self.control).expect("baresip listens for commands");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout above zero");
        write!(stream, "{}:{json},", json.len()).expect("baresip takes a command");
        let _ = stream.read(&mut [0; 512]);
    }

    /// Waits until it is in a call.
    pub async fn await_call(&self, within: Duration) {
        eventually("baresip is in a call", within, || async { self.process.log().contains("Call established").then_some(()) })
            .await;
    }

    /// What it heard in its calls so far.
    pub fn heard(&self) -> Option<Wav> {
        self.recording("-dec.wav")
    }

    /// What it said in its calls so far.
    pub fn said(&self) -> Option<Wav> {
        self.recording("-enc.wav")
    }

    fn recording(&self, suffix: &str) -> Option<Wav> {
        let files = std::fs::read_dir(self.folder.path()).ok()?;
        let path: PathBuf = files.filter_map(|f| Some(f.ok()?.path())).find(|path| path.to_string_lossy().ends_with(suffix))?;
        Wav::read(&path).ok()
    }
}
