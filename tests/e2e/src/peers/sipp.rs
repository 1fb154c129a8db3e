//! SIPp with the scenarios of `peers/sipp/`: one process, one scenario, one call unless told otherwise.

use super::filled;
use crate::{PortBlock, network::Host, process::Process, voice};
use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// The tone that `call_and_speak` and its like play, hertz.
pub const TONE_HZ: f64 = 700.0;

/// A running scenario.
#[derive(Debug)]
pub struct Sipp {
    process: Process,
    folder: TempDir,
    address: SocketAddr,
    scenario: String,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    /// File name below `peers/sipp/` without `.xml`.
    pub name: &'a str,
    /// Whom to call, for callers: the user part.
    pub service: &'a str,
    /// Where requests go, for callers.
    pub remote: Option<SocketAddr>,
    /// Length of the scenario's pause.
    pub pause: Duration,
    pub calls: u32,
    /// Calls begun per second.
    pub rate: u32,
    pub tcp: bool,
    /// Where it runs, when that is not here.
    pub host: Option<&'a Host>,
    /// The final response that `call_refused` expects.
    pub code: u16,
}

impl<'a> Scenario<'a> {
    /// A scenario that waits for a call.
    pub fn callee(name: &'a str) -> Self {
        Self {
            name,
            service: "nobody",
            remote: None,
            pause: Duration::from_secs(3),
            calls: 1,
            rate: 1,
            tcp: false,
            host: None,
            code: 486,
        }
    }

    /// A scenario that calls `service` by way of `remote`.
    pub fn caller(name: &'a str, service: &'a str, remote: SocketAddr) -> Self {
        Self { service, remote: Some(remote), ..Self::callee(name) }
    }

    pub fn pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub fn calls(self, calls: u32, rate: u32) -> Self {
        Self { calls, rate, ..self }
    }

    pub fn expecting(self, code: u16) -> Self {
        Self { code, ..self }
    }

    pub fn tcp(self) -> Self {
        Self { tcp: true, ..self }
    }

    /// Runs on another host, under its address.
    pub fn on(self, host: &'a Host) -> Self {
        Self { host: Some(host), ..self }
    }

    pub fn start(self, ports: &mut PortBlock) -> Sipp {
        let run_dir = TempDir::new().expect("the temporary folder is writable");
        std::fs::write(run_dir.path().join("voice.ulaw"), voice::tone_ulaw(TONE_HZ, 1.0)).expect("the run folder is writable");
        let scenario = filled(&format!("sipp/{}.xml", self.name), &[("CODE", &self.code.to_string())]);
        std::fs::write(run_dir.path().join("scenario.xml"), scenario).expect("the run folder is writable");
        let ip = self.host.map_or(Ipv4Addr::LOCALHOST.into(), |host| host.address);
        let address = SocketAddr::new(ip, ports.one());
        let media = ports.run(6);
        let mut command = Command::new("sipp");
        if let Some(remote) = self.remote {
            command.arg(remote.to_string()).args(["-s", self.service]);
        }
        command
            .current_dir(run_dir.path())
            .arg("-sf")
            .arg("scenario.xml")
            .args(["-i", &ip.to_string(), "-mi", &ip.to_string(), "-p", &address.port().to_string()])
            .args(["-mp", &media.to_string()])
            .args(["-t", if self.tcp { "t1" } else { "u1" }])
            .args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string(), "-d", &self.pause.as_millis().to_string()])
            .args(["-nostdin", "-timeout", "90s", "-timeout_error"])
            .args(["-trace_err", "-error_file", "errors", "-trace_msg", "-message_file", "messages"]);
        // Echoing and playing want the same socket.
        if !self.name.contains("speak") && !self.name.contains("vanish") {
            command.arg("-rtp_echo");
        }
        if let Some(host) = self.host {
            command = host.dressed(&command);
        }
        let log = run_dir.path().join("log");
        let process = Process::start("sipp", &mut command, log).expect("sipp starts");
        Sipp { process, folder: run_dir, address, scenario: self.name.to_owned() }
    }
}

impl Sipp {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end of the scenario and demands that it went as written.
    pub fn finish(&mut self, within: Duration) {
        let status = self.process.wait(within);
        assert!(
            status.is_some_and(|s| s.success()),
            "scenario {} ended with {status:?}\n{}\n{}\n{}",
            self.scenario,
            self.process.log(),
            self.file("errors"),
            self.file("messages")
        );
    }

    /// All messages it sent and received.
    pub fn messages(&self) -> String {
        self.file("messages")
    }

    fn file(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join(name)).unwrap_or_default()).into_owned()
    }
}
