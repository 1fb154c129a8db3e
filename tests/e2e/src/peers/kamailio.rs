//! Kamailio as the provider: registrar with digest and proxy, on loopback (`peers/kamailio.cfg`).

use super::{filled, plugins};
use crate::certificates::{Authority, Certificate};
use crate::{PortBlock, eventually, network::Host, process::Process};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Which digest the registrar asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    Md5,
    Sha256,
}

#[derive(Debug)]
pub struct Kamailio {
    process: Option<Process>,
    folder: TempDir,
    address: SocketAddr,
    host: Option<Host>,
    digest: Digest,
    /// Seconds granted to each binding.
    expires: u32,
    secure: Option<Secure>,
}

/// A Kamailio's TLS.
#[derive(Debug)]
pub struct Secure {
    address: SocketAddr,
    /// What it shows.
    certificate: Certificate,
    /// Who has signed its clients' certificates, when it wants one.
    clients: Option<PathBuf>,
}

impl Secure {
    pub fn new(ports: &mut PortBlock, certificate: Certificate) -> Self {
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, ports.one())), certificate, clients: None }
    }

    /// Only clients with a certificate of this authority.
    pub fn wants_clients_of(self, authority: &Authority) -> Self {
        Self { clients: Some(authority.file()), ..self }
    }

    fn listen(&self) -> String {
        format!("enable_tls=yes\nlisten=tls:{}", self.address)
    }

    fn module(&self) -> String {
        let Certificate { chain, key } = &self.certificate;
        let wanted = u8::from(self.clients.is_some());
        let mut lines = vec![
            "loadmodule \"tls.so\"".to_owned(),
            "modparam(\"tls\", \"tls_method\", \"TLSv1.2+\")".to_owned(),
            format!("modparam(\"tls\", \"certificate\", \"{}\")", chain.display()),
            format!("modparam(\"tls\", \"private_key\", \"{}\")", key.display()),
            format!("modparam(\"tls\", \"verify_certificate\", {wanted})"),
            format!("modparam(\"tls\", \"require_certificate\", {wanted})"),
        ];
        lines.extend(self.clients.iter().map(|file| format!("modparam(\"tls\", \"ca_list\", \"{}\")", file.display())));
        lines.join("\n")
    }
}

/// A binding as the registrar shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub user: String,
    pub contact: String,
    pub user_agent: String,
    /// Call-ID and CSeq of the REGISTER that was accepted last.
    pub register: (String, u32),
}

impl Kamailio {
    pub async fn start(ports: &mut PortBlock, digest: Digest, expires: u32) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, ports.one())), None, digest, expires).await
    }

    /// At this address, which may be another host's.
    pub async fn start_at(address: SocketAddr, host: Option<&Host>, digest: Digest, expires: u32) -> Self {
        let folder = TempDir::new().expect("the temporary folder is writable");
        let mut kamailio = Self { process: None, folder, address, host: host.cloned(), digest, expires, secure: None };
        kamailio.spawn().await;
        kamailio
    }

    /// One that takes TLS, too.
    pub async fn start_secure(ports: &mut PortBlock, secure: Secure, expires: u32) -> Self {
        let folder = TempDir::new().expect("the temporary folder is writable");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.one()));
        let mut kamailio =
            Self { process: None, folder, address, host: None, digest: Digest::Md5, expires, secure: Some(secure) };
        kamailio.spawn().await;
        kamailio
    }

    /// Where it takes TLS.
    pub fn secure_address(&self) -> SocketAddr {
        self.secure.as_ref().expect("it takes TLS").address
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; its bindings are lost.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port, without a binding.
    pub async fn restart(&mut self) {
        self.stop();
        self.spawn().await;
    }

    async fn spawn(&mut self) {
        let run_dir = self.folder.path().display().to_string();
        let config = filled(
            "kamailio.cfg",
            &[
                ("LISTEN", &self.address.to_string()),
                ("LISTEN_TLS", &self.secure.as_ref().map(Secure::listen).unwrap_or_default()),
                ("MODULE_TLS", &self.secure.as_ref().map(Secure::module).unwrap_or_default()),
                ("RUN_DIR", &run_dir),
                ("ALGORITHM", if self.digest == Digest::Sha256 { "SHA-256" } else { "" }),
                ("EXPIRES", &self.expires.to_string()),
                ("MODULES", &plugins("kamailio/modules", "tm.so").display().to_string()),
            ],
        );
        let file = self.folder.path().join("kamailio.cfg");
        std::fs::write(&file, config).expect("the run folder is writable");
        let mut command = Command::new("/usr/sbin/kamailio");
        command.args(["-DD", "-E", "-m", "32", "-M", "4", "-Y", &run_dir, "-f"]).arg(&file);
        if let Some(host) = &self.host {
            command = host.dressed(&command);
        }
        let process = Process::start("kamailio", &mut command, self.folder.path().join("log")).expect("kamailio starts");
        self.process = Some(process);
        let this = &*self;
        eventually("kamailio answers its control socket", Duration::from_secs(10), || async {
            this.control(&["core.uptime"]).map(|_| ())
        })
        .await;
    }

    /// Asks over the control socket.
    fn control(&self, command: &[&str]) -> Option<String> {
        let socket = format!("unix:{}", self.folder.path().join("ctl").display());
        let output = Command::new("/usr/sbin/kamcmd").args(["-s", &socket]).args(command).output().ok()?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = !output.status.success() || String::from_utf8_lossy(&output.stderr).contains("error:");
        (!failed && !answer.starts_with("error:")).then_some(answer)
    }

    /// Lets a number lead to a telephone that does not register.
    pub fn add_number(&self, number: &str, telephone: SocketAddr) {
        let contact = format!("sip:{number}@{telephone}");
        // "s:" keeps kamcmd from reading digits as a number.
        let number = format!("s:{number}");
        let added = self.control(&["ul.add", "location", &number, &contact, "3600", "1.0", "s:", "0", "0", "0"]);
        added.expect("kamailio takes ul.add");
    }

    /// From now on this is the subscriber's password; bindings stay.
    pub fn set_password(&self, user: &str, password: &str) {
        self.control(&["htable.sets", "passwords", user, password]).expect("kamailio takes htable.sets");
    }

    /// All bindings it holds now.
    pub fn bindings(&self) -> Vec<Binding> {
        let dump = self.control(&["ul.dump"]).expect("kamailio answers ul.dump");
        let mut bindings = Vec::new();
        let (mut user, mut contact, mut register) = (String::new(), String::new(), (String::new(), 0));
        for line in dump.lines() {
            match line.trim().split_once(": ") {
                Some(("AoR", value)) => user = value.to_owned(),
                Some(("Address", value)) => contact = value.to_owned(),
                Some(("Call-ID", value)) => register.0 = value.to_owned(),
                Some(("CSeq", value)) => register.1 = value.parse().expect("a CSeq is a number"),
                Some(("User-Agent", value)) => {
                    let (user, contact, register) = (user.clone(), contact.clone(), register.clone());
                    bindings.push(Binding { user, contact, user_agent: value.to_owned(), register });
                }
                _ => {}
            }
        }
        bindings
    }

    /// Waits until the user is bound.
    pub async fn await_binding(&self, user: &str, within: Duration) -> Binding {
        eventually(&format!("{user} is bound at the registrar"), within, || async {
            self.bindings().into_iter().find(|binding| binding.user == user)
        })
        .await
    }

    /// Waits until a REGISTER after that of `before` was accepted.
    pub async fn await_register_after(&self, before: &Binding, within: Duration) -> Binding {
        eventually(&format!("{} has registered again", before.user), within, || async {
            let mut bindings = self.bindings().into_iter();
            bindings.find(|binding| binding.user == before.user && binding.register != before.register)
        })
        .await
    }

    /// Waits until the user is not bound.
    pub async fn await_no_binding(&self, user: &str, within: Duration) {
        eventually(&format!("{user} is not bound at the registrar"), within, || async {
            self.bindings().iter().all(|binding| binding.user != user).then_some(())
        })
        .await;
    }
}
