//! The server as a child process: the real binary, a data folder of its own, ports of its own, settings by environment.
//!
//! `make test` and `make e2e` build the binary first; it is looked for beside the test programs (`target/debug/callie`).

use crate::{PortBlock, eventually, network::Host, process::Process, wav::Wav};
use anyhow::{Context, Result};
use reqwest::{Client, Method};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// A debug build on a busy machine may be slow to start; a hang is longer.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How a server is to be started.
#[derive(Debug)]
pub struct Setup {
    environment: BTreeMap<String, String>,
    /// Of our own settings, those that this server is to do without.
    without: BTreeSet<&'static str>,
    folder: Arc<TempDir>,
    ports: PortBlock,
    http: SocketAddr,
    sip: SocketAddr,
    rtp: RangeInclusive<u16>,
}

/// A running server.
#[derive(Debug)]
pub struct Callie {
    process: Process,
    setup: Setup,
    api: Api,
}

/// The way to its HTTP API, which listens on loopback.
#[derive(Debug)]
enum Api {
    Near(Client),
    /// It is the loopback of another host: curl asks there.
    On(Host),
}

impl Api {
    /// Status and body.
    async fn ask(&self, method: &Method, url: &str, body: Option<&Value>) -> Result<(u16, Vec<u8>)> {
        match self {
            Self::Near(client) => {
                let mut request = client.request(method.clone(), url);
                if let Some(body) = body {
                    request = request.json(body);
                }
                let answer = request.send().await?;
                Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
            }
            Self::On(host) => {
                let mut curl = host.command("curl");
                // The status stands behind the body.
                curl.args(["-sS", "-m", "20", "-w", "%{http_code}", "-X", method.as_str(), url]);
                if let Some(body) = body {
                    curl.args(["-H", "Content-Type: application/json", "-d", &body.to_string()]);
                }
                let mut said = curl.output()?.stdout;
                let status = said.split_off(said.len().saturating_sub(3));
                let status = String::from_utf8_lossy(&status).parse().ok().filter(|code| *code != 0);
                Ok((status.context("curl got no answer")?, said))
            }
        }
    }
}

impl Setup {
    #[expect(clippy::new_without_default, reason = "it takes ports and makes a folder")]
    pub fn new() -> Self {
        let mut ports = PortBlock::take();
        let http = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.one()));
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.one()));
        let rtp = ports.range(20);
        let folder = Arc::new(TempDir::new().expect("the temporary folder is writable"));
        let setup = Self { environment: BTreeMap::new(), without: BTreeSet::new(), folder, ports, http, sip, rtp };
        let data = setup.data_dir().display().to_string();
        setup.env("CALLIE_DATA_DIR", data)
    }

    /// Sets a variable of the server's environment.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves out a setting that a server of these tests has otherwise, such as `CALLIE_HTTP_LISTEN`.
    pub fn without(mut self, name: &'static str) -> Self {
        self.without.insert(name);
        self
    }

    /// Writes a file beside the data folder, where the server runs: `.env`.
    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).expect("the temporary folder is writable");
        self
    }

    /// Where the API will listen.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// A program in the server's folder, with its settings.
    fn dress(&self, command: &mut Command) {
        let own = [
            ("CALLIE_HTTP_LISTEN", self.http.to_string()),
            ("CALLIE_SIP_LISTEN", self.sip.to_string()),
            ("CALLIE_RTP_PORTS", format!("{}-{}", self.rtp.start(), self.rtp.end())),
        ];
        command.envs(own.into_iter().filter(|(name, _)| !self.without.contains(name))).envs(&self.environment);
    }

    /// Lets SIP host names lead to addresses of loopback.
    pub fn hosts<'a>(self, hosts: impl IntoIterator<Item = (&'a str, SocketAddr)>) -> Self {
        let list: Vec<String> = hosts.into_iter().map(|(name, address)| format!("{name}={address}")).collect();
        self.env("CALLIE_SIP_HOSTS", list.join(","))
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// More ports for the peers of this test.
    pub fn ports(&mut self) -> &mut PortBlock {
        &mut self.ports
    }

    /// `callie serve` with these settings, for tests that start it in a way of their own.
    pub fn command(&self) -> Result<Command> {
        let mut command = command(self.folder.path())?;
        command.arg("serve");
        self.dress(&mut command);
        Ok(command)
    }

    pub async fn start(self) -> Result<Callie> {
        // Small timeouts: a test rather fails with a sentence than hangs.
        let client = Client::builder().timeout(Duration::from_secs(20)).build()?;
        let command = self.command()?;
        self.run(command, Api::Near(client)).await
    }

    /// Starts it on another host, and asks its API there.
    pub async fn start_on(self, host: &Host) -> Result<Callie> {
        let command = host.dressed(&self.command()?);
        self.run(command, Api::On(host.clone())).await
    }

    async fn run(self, mut command: Command, api: Api) -> Result<Callie> {
        let process = Process::start("callie", &mut command, self.folder.path().join("callie.log"))?;
        let mut callie = Callie { process, setup: self, api };
        callie.await_ready().await?;
        Ok(callie)
    }
}

impl Callie {
    /// A server on free ports with an empty data folder.
    pub async fn start() -> Self {
        Setup::new().start().await.expect("callie starts")
    }

    pub fn setup() -> Setup {
        Setup::new()
    }

    async fn await_ready(&mut self) -> Result<()> {
        let deadline = std::time::Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = self.process.exit_status() {
                anyhow::bail!("callie ended with {status} before it was ready:\n{}", self.log());
            }
            let health = self.api.ask(&Method::GET, &self.url("/health/ready"), None).await;
            if health.is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            anyhow::ensure!(std::time::Instant::now() < deadline, "callie is not ready after 30 s:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    pub fn http(&self) -> SocketAddr {
        self.setup.http
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http())
    }

    /// Commands of a shell in the server's folder, with its settings; `callie` is the binary.
    pub fn shell(&self, commands: &str) -> Result<Command> {
        let folder = self.setup.folder.path();
        let mut command = isolated(Command::new("bash"), folder);
        self.setup.dress(&mut command);
        let callie = format!("callie() {{ '{}' \"$@\"; }}", binary()?.display());
        command.arg("-ec").arg(format!("{callie}\n{commands}"));
        Ok(command)
    }

    /// Where it listens for SIP, UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        self.setup.sip
    }

    pub fn rtp_ports(&self) -> RangeInclusive<u16> {
        self.setup.rtp.clone()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.setup.data_dir()
    }

    pub fn database(&self) -> PathBuf {
        self.data_dir().join("callie.db")
    }

    /// Free ports for this test's peers.
    pub fn ports(&mut self) -> &mut PortBlock {
        &mut self.setup.ports
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it as the kernel ends a process: at once, without a word.
    pub fn kill(mut self) -> Setup {
        self.process.signal("KILL");
        self.process.wait(Duration::from_secs(5)).expect("SIGKILL ends it");
        self.into_setup()
    }

    /// Ends it as an operator does.
    pub fn terminate(mut self, within: Duration) -> (ExitStatus, String, Setup) {
        self.process.signal("TERM");
        let status = self.process.wait(within).unwrap_or_else(|| panic!("SIGTERM ends it within {within:?}:\n{}", self.log()));
        let log = self.log();
        (status, log, self.into_setup())
    }

    fn into_setup(self) -> Setup {
        self.setup
    }

    /// One request: status and JSON body (`Null` when there is none).
    pub async fn request(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.api.ask(&method, &self.url(path), body.as_ref()).await;
        let (status, bytes) = answer.unwrap_or_else(|e| panic!("{method} {path}: {e:#}\n{}", self.log()));
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.request(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.request(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.request(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.request(Method::DELETE, path, None).await
    }

    /// A file as the API hands it out, written beside the data folder.
    pub async fn download(&self, path: &str, name: &str) -> Result<PathBuf> {
        let (status, bytes) = self.api.ask(&Method::GET, &self.url(path), None).await?;
        anyhow::ensure!(status == 200, "{path}: status {status}");
        let file = self.setup.folder.path().join(name);
        std::fs::write(&file, bytes)?;
        Ok(file)
    }

    /// Creates a user at a registrar of loopback, under the password that the peers' configurations expect.
    pub async fn create_user(&self, id: &str, registrar: SocketAddr, more: Value) {
        let mut user = serde_json::json!({
            "user_id": id,
            "display_name": format!("{id} of the tests"),
            "sip_username": format!("{id}@carrier.test"),
            "auth_username": id,
            "sip_password": format!("secret-{id}"),
            "sip_server": registrar.to_string(),
            "use_fixed_rtp_port": false,
        });
        for (key, value) in more.as_object().cloned().unwrap_or_default() {
            user[key] = value;
        }
        let (status, body) = self.post("/users", user).await;
        assert!(matches!(status, 200 | 201), "POST /users for {id}: {status} {body}");
    }

    /// Asks for the line.
    pub async fn connect(&self, id: &str) {
        let (status, body) = self.request(Method::POST, &format!("/users/{id}/sip/connect"), None).await;
        assert!(matches!(status, 200 | 202), "connect {id}: {status} {body}");
    }

    /// Asks for the line and waits until it is registered.
    pub async fn register(&self, id: &str) {
        self.connect(id).await;
        self.await_registration(id, true, Duration::from_secs(15)).await;
    }

    pub async fn await_registration(&self, id: &str, registered: bool, within: Duration) {
        eventually(&format!("{id} registered: {registered}"), within, || async {
            (self.line(id).await["registered"] == registered).then_some(())
        })
        .await;
    }

    /// The `sip_status` of a user.
    pub async fn line(&self, id: &str) -> Value {
        self.get(&format!("/users/{id}")).await.1["sip_status"].clone()
    }

    /// All records, newest first.
    pub async fn calls(&self) -> Vec<Value> {
        self.get("/calls?limit=200").await.1["calls"].as_array().cloned().unwrap_or_default()
    }

    /// The recording of a call as the API hands it out.
    pub async fn recording(&self, call: &Value) -> Wav {
        let id = call["id"].as_str().unwrap_or_else(|| panic!("a call has an id: {call}"));
        let file = self.download(&format!("/calls/{id}/recording"), &format!("{id}.wav")).await;
        let wav = file.and_then(|file| Wav::read(&file)).unwrap_or_else(|e| panic!("recording of {call}: {e:#}"));
        assert_eq!(wav.channels.len(), 2, "caller left, agent right");
        wav
    }

    /// The only call of a user so far, once it has ended.
    pub async fn ended_call(&self, user: &str, within: Duration) -> Value {
        eventually(&format!("a call of {user} ends"), within, || async {
            let (_, page) = self.get(&format!("/calls?user_id={user}")).await;
            let calls = page["calls"].as_array()?.clone();
            assert!(calls.len() <= 1, "one call at most: {page}");
            calls.into_iter().find(|call| !call["ended_at"].is_null())
        })
        .await
    }

    pub async fn active_calls(&self) -> u64 {
        self.get("/admin/status").await.1["active_calls"].as_u64().unwrap_or(u64::MAX)
    }

    /// Waits until no call is up.
    pub async fn await_idle(&self, within: Duration) {
        eventually("no call is up", within, || async { (self.active_calls().await == 0).then_some(()) }).await;
    }
}

/// The binary in a folder of its own, without the machine's settings: neither variables nor a `.env` reach it.
pub fn command(folder: &Path) -> Result<Command> {
    Ok(isolated(Command::new(binary()?), folder))
}

fn isolated(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).env_clear();
    for inherited in ["PATH", "HOME", "TMPDIR", "RUST_BACKTRACE"] {
        if let Some(value) = std::env::var_os(inherited) {
            command.env(inherited, value);
        }
    }
    command
}

/// The binary beside the running test program: `target/<profile>/callie`.
fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CALLIE_BIN") {
        return Ok(PathBuf::from(path));
    }
    let test = std::env::current_exe()?;
    let profile = test.parent().and_then(Path::parent).context("the test program lies in target/<profile>/deps")?;
    let binary = profile.join("callie");
    anyhow::ensure!(binary.exists(), "{} is missing: cargo build -p callie-server --bin callie", binary.display());
    Ok(binary)
}
