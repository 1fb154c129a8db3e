//! Hosts of a test's own: network namespaces with Debian's own tools, joined by a router that translates addresses.
//!
//! ```text
//!   inside 192.168.77.2 ── 192.168.77.1 router 203.0.113.1 ── 203.0.113.10 outside
//!                          masquerades, forgets idle UDP early, and, when told so, rewrites SIP as many a router at home does
//! ```
//!
//! The router is Linux's: netfilter's NAT, its connection tracking, its SIP helper (the ALG). Nothing of it reaches the network
//! of the machine, and no right of root is asked for: the namespaces lie within a user namespace.

use crate::process::Process;
use anyhow::{Context, Result, ensure};
use std::{
    ffi::OsStr,
    net::{IpAddr, Ipv4Addr},
    process::Command,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// A network namespace, held open by a process that sleeps in it. It is there as long as one of its handles.
#[derive(Debug, Clone)]
pub struct Host {
    holder: Arc<Process>,
    pub address: IpAddr,
}

/// What the router does besides translating.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// A UDP mapping without a packet for so long is forgotten, whole seconds.
    pub udp_timeout: Duration,
    /// It reads and rewrites SIP on port 5060.
    pub alg: bool,
}

/// The three hosts.
#[derive(Debug)]
pub struct Nat {
    pub inside: Host,
    pub router: Host,
    pub outside: Host,
    /// What the world sees of `inside`.
    pub public: IpAddr,
    folder: TempDir,
}

impl Host {
    fn hold(mut command: Command, address: Ipv4Addr, folder: &TempDir) -> Result<Self> {
        let mut holder = Process::start("a host", &mut command, folder.path().join("holder"))?;
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        // It sleeps once it has its namespaces.
        while !std::fs::read_to_string(format!("/proc/{}/comm", holder.pid())).is_ok_and(|name| name.trim() == "sleep") {
            ensure!(holder.exit_status().is_none(), "this machine gives no network namespace: {}", holder.log());
            ensure!(std::time::Instant::now() < deadline, "a network namespace is not made within 5 s");
            std::thread::yield_now();
        }
        Ok(Self { holder: Arc::new(holder), address: address.into() })
    }

    /// `program` on this host.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--preserve-credentials", "--user", "--net", "--target", &self.holder.pid().to_string()]).arg(program);
        command
    }

    /// The same program with the same arguments, folder and environment, on this host. What `command` removes from the
    /// environment it is not told; it should have cleared it.
    pub fn dressed(&self, command: &Command) -> Command {
        let mut here = self.command(command.get_program());
        here.args(command.get_args()).env_clear();
        here.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            here.current_dir(folder);
        }
        here
    }

    fn set_up(&self, line: &str) -> Result<()> {
        let mut words = line.split_whitespace();
        let mut command = self.command(words.next().context("a program")?);
        let output = command.args(words).output()?;
        ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Nat {
    /// Whether this machine can do it: its kernel gives namespaces away and has netfilter's NAT.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub fn start(habits: Habits) -> Option<Self> {
        match Self::build(habits) {
            Ok(nat) => Some(nat),
            Err(error) => {
                eprintln!("SKIPPED: no network of hosts on this machine: {error:#}");
                None
            }
        }
    }

    /// Whether the router has read a REGISTER: it then expects calls for who has registered.
    pub fn reads_sip(&self) -> bool {
        let expected = self.router.command("cat").arg("/proc/net/nf_conntrack_expect").output();
        expected.is_ok_and(|expected| String::from_utf8_lossy(&expected.stdout).contains("sip/signalling"))
    }

    fn build(habits: Habits) -> Result<Self> {
        let folder = TempDir::new()?;
        let mut apart = Command::new("unshare");
        apart.args(["--map-root-user", "--net", "sleep", "infinity"]);
        let router = Host::hold(apart, Ipv4Addr::new(203, 0, 113, 1), &folder)?;
        let beside = |address| {
            // The same user, another network.
            let mut command = Command::new("nsenter");
            command.args(["--preserve-credentials", "--user", "--target", &router.holder.pid().to_string()]);
            command.args(["unshare", "--net", "sleep", "infinity"]);
            Host::hold(command, address, &folder)
        };
        let inside = beside(Ipv4Addr::new(192, 168, 77, 2))?;
        let outside = beside(Ipv4Addr::new(203, 0, 113, 10))?;
        let public = router.address;
        let nat = Self { inside, router, outside, public, folder };
        nat.wire(habits)?;
        Ok(nat)
    }

    fn wire(&self, habits: Habits) -> Result<()> {
        let Self { inside, router, outside, .. } = self;
        for (name, host) in [("in", inside), ("out", outside)] {
            router.set_up(&format!("ip link add {name} type veth peer name eth0 netns {}", host.holder.pid()))?;
            router.set_up(&format!("ip link set {name} up"))?;
            host.set_up(&format!("ip addr add {}/24 dev eth0", host.address))?;
            host.set_up("ip link set eth0 up")?;
            host.set_up("ip link set lo up")?;
        }
        router.set_up("ip addr add 192.168.77.1/24 dev in")?;
        router.set_up(&format!("ip addr add {}/24 dev out", router.address))?;
        inside.set_up("ip route add default via 192.168.77.1")?;
        router.set_up("sysctl -qw net.ipv4.ip_forward=1")?;
        // It must track connections before it can be told how long to remember them.
        router.set_up(&format!("nft -f {}", self.rules(habits)?))?;
        for kind in ["udp_timeout", "udp_timeout_stream"] {
            router.set_up(&format!("sysctl -qw net.netfilter.nf_conntrack_{kind}={}", habits.udp_timeout.as_secs()))?;
        }
        Ok(())
    }

    fn rules(&self, habits: Habits) -> Result<String> {
        let (helper, set) = match habits.alg {
            true => (
                r#"ct helper alg { type "sip" protocol udp; l3proto ip; }"#,
                r#"chain read { type filter hook prerouting priority 0; udp dport 5060 ct helper set "alg"; }"#,
            ),
            false => ("", ""),
        };
        let rules = format!(
            "table ip nat {{\n{helper}\n{set}\nchain leave {{ type nat hook postrouting priority 100; oifname \"out\" masquerade; }}\n\
             # Nobody comes in who was not spoken to.\n\
             chain enter {{ type filter hook forward priority 0; policy accept; iifname \"out\" ct state new drop; }}\n}}\n"
        );
        let file = self.folder.path().join("rules");
        std::fs::write(&file, rules)?;
        Ok(file.display().to_string())
    }
}
