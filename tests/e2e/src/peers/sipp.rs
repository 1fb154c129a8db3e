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

/// What scenarios have in common, written `@NAME@` in them.
const PARTS: [(&str, &str); 7] = [
    // The fields of an answer that gives the dialog our tag.
    (
        "ANSWER",
        "[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:];tag=[pid]callee[call_number]\n[last_Call-ID:]\n[last_CSeq:]\n@CONTACT@",
    ),
    // Of an answer inside the dialog.
    ("REPLY", "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n@CONTACT@"),
    // Of a request of the caller; CSeq is its own.
    (
        "CALLER",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n[routes]\n\
         From: \"Outside Caller\" <sip:trunk@carrier.test>;tag=[pid]caller[call_number]\n\
         Call-ID: [call_id]\nMax-Forwards: 70\nUser-Agent: SIPp\n@CONTACT@",
    ),
    ("CALLED", "To: <sip:[service]@[remote_ip]:[remote_port]>"),
    // Of a request of the callee, which has kept From and To of the INVITE.
    (
        "CALLEE",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n[routes]\n\
         From:[$callee];tag=[pid]callee[call_number]\nTo:[$caller]\nCall-ID: [call_id]\nMax-Forwards: 70\n@CONTACT@",
    ),
    ("CONTACT", "Contact: <sip:trunk@[local_ip]:[local_port];transport=[transport]>"),
    (
        "SDP",
        "Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\n\
         o=peer 53655765 2353687637 IN IP[local_ip_type] [local_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
         m=audio [media_port] RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n",
    ),
];

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
    /// Where `answer_moved` sends its callers.
    pub moved_to: &'a str,
    /// The address it has, when it is not 127.0.0.1.
    pub from: Option<Ipv4Addr>,
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
            moved_to: "",
            from: None,
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

    /// From another address of loopback.
    pub fn from(self, address: Ipv4Addr) -> Self {
        Self { from: Some(address), ..self }
    }

    pub fn expecting(self, code: u16) -> Self {
        Self { code, ..self }
    }

    pub fn moved_to(self, contacts: &'a str) -> Self {
        Self { moved_to: contacts, ..self }
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
        let code = self.code.to_string();
        let mut values = PARTS.to_vec();
        values.extend([("CODE", code.as_str()), ("MOVED_TO", self.moved_to)]);
        let scenario = filled(&format!("sipp/{}.xml", self.name), &values);
        std::fs::write(run_dir.path().join("scenario.xml"), scenario).expect("the run folder is writable");
        let ip = self.host.map_or(self.from.unwrap_or(Ipv4Addr::LOCALHOST).into(), |host| host.address);
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
