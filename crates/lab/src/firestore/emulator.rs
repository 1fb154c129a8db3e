//! Google's own Firestore emulator, where it is installed: the independent judge of this fake.
//!
//! It comes with Google's package `google-cloud-cli-firestore-emulator` and needs Java. Nothing here installs or downloads it, and
//! no test may depend on it. It takes several seconds to start and about 400 MB.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

const PACKAGE: &str = "google-cloud-cli-firestore-emulator";
const JAR: &str = "cloud-firestore-emulator.jar";
/// The jar names no main class of its own.
const MAIN_CLASS: &str = "com.google.cloud.datastore.emulator.firestore.CloudFirestore";
/// Java on a busy machine.
const START_DEADLINE: Duration = Duration::from_secs(90);

/// Why the emulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    #[error("google's firestore emulator is not installed: package {PACKAGE} is missing")]
    NotInstalled,
    #[error("google's firestore emulator cannot be started: is java in the path?")]
    Spawn(#[source] io::Error),
    #[error("no port is free for google's firestore emulator")]
    Port(#[source] io::Error),
    #[error("google's firestore emulator ended by itself ({0})")]
    Ended(ExitStatus),
    #[error("google's firestore emulator accepted no connection within {START_DEADLINE:?}")]
    TooLate,
}

/// A running emulator. Its process ends when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    child: Child,
}

impl Emulator {
    /// Starts it on a free port and waits until it accepts connections.
    ///
    /// # Errors
    /// [`EmulatorError::NotInstalled`] means: skip, and say so.
    pub async fn start() -> Result<Self, EmulatorError> {
        let jar = installed_jar().await.ok_or(EmulatorError::NotInstalled)?;
        let address = free_address().map_err(EmulatorError::Port)?;
        let child = command(&jar, address).spawn().map_err(EmulatorError::Spawn)?;
        let mut emulator = Self { address, child };
        tokio::time::timeout(START_DEADLINE, emulator.accepts()).await.map_err(|_| EmulatorError::TooLate)??;
        Ok(emulator)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client takes for `https://firestore.googleapis.com`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it and waits until it is gone.
    pub async fn stop(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    async fn accepts(&mut self) -> Result<(), EmulatorError> {
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while TcpStream::connect(self.address).await.is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(EmulatorError::Ended(status));
            }
            ticks.tick().await;
        }
        Ok(())
    }
}

/// Where the package has put the jar. `None` if it is not installed.
pub async fn installed_jar() -> Option<PathBuf> {
    let listing = Command::new("dpkg").args(["-L", PACKAGE]).stderr(Stdio::null()).output().await.ok()?;
    let files = String::from_utf8_lossy(&listing.stdout);
    files.lines().map(PathBuf::from).find(|path| path.file_name().is_some_and(|name| name == JAR))
}

/// Free now. Somebody else can take it before the emulator does: then it ends by itself, and says so.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn command(jar: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx768m", "-Duser.language=en", "-cp"]).arg(jar).args([MAIN_CLASS, "start"]);
    command.arg(format!("--host={}", address.ip())).arg(format!("--port={}", address.port()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true);
    command
}
