//! A name server of Debian's, on loopback, that knows one carrier: NAPTR to SRV to addresses. Its answers may not be kept.

use crate::{PortBlock, eventually, process::Process};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

#[derive(Debug)]
pub struct Dnsmasq {
    process: Option<Process>,
    folder: TempDir,
    address: SocketAddr,
    records: Vec<String>,
}

impl Dnsmasq {
    /// `carrier.test` is served over UDP by `registrars`, best first; they are `sip1.carrier.test`, `sip2.carrier.test`….
    pub async fn start(ports: &mut PortBlock, registrars: &[SocketAddr]) -> Self {
        let mut records = vec![
            "--naptr-record=carrier.test,10,10,S,SIP+D2U,,_sip._udp.edge.carrier.test".to_owned(),
            "--naptr-record=carrier.test,5,10,S,SIPS+D2T,,_sips._tcp.edge.carrier.test".to_owned(),
        ];
        for (n, registrar) in (1..).zip(registrars) {
            records.push(format!("--srv-host=_sip._udp.edge.carrier.test,sip{n}.carrier.test,{},{n}0,1", registrar.port()));
            records.push(format!("--host-record=sip{n}.carrier.test,{}", registrar.ip()));
        }
        let folder = TempDir::new().expect("the temporary folder is writable");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.one()));
        let mut dnsmasq = Self { process: None, folder, address, records };
        dnsmasq.restart().await;
        dnsmasq
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn stop(&mut self) {
        self.process = None;
    }

    pub async fn restart(&mut self) {
        self.stop();
        let pid_file = self.folder.path().join("pid").display().to_string();
        let mut command = Command::new("/usr/sbin/dnsmasq");
        command.args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--local=/test/"]);
        command.args(["--bind-interfaces", "--except-interface=none", "--user=", "--log-facility=-"]);
        command.arg(format!("--pid-file={pid_file}"));
        command.arg(format!("--listen-address={}", self.address.ip())).arg(format!("--port={}", self.address.port()));
        command.args(&self.records);
        let process = Process::start("dnsmasq", &mut command, self.folder.path().join("log")).expect("dnsmasq starts");
        self.process = Some(process);
        let this = &*self;
        eventually("dnsmasq answers", Duration::from_secs(10), || async { this.answers().then_some(()) }).await;
    }

    /// Asks for the address of `sip1.carrier.test`.
    fn answers(&self) -> bool {
        const QUERY: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04sip1\x07carrier\x04test\x00\x00\x01\x00\x01";
        let asked = || -> std::io::Result<bool> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
            socket.send_to(QUERY, self.address)?;
            let mut answer = [0; 512];
            let (len, _) = socket.recv_from(&mut answer)?;
            Ok(len > QUERY.len())
        };
        asked().unwrap_or(false)
    }
}
