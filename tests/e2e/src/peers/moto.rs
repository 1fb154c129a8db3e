//! An S3 of somebody else: moto's server (`target/python`), which keeps its buckets in memory and knows nothing of our reading of the
//! protocol.

use super::console::python_with;
use crate::{PortBlock, eventually, process::Process};
use reqwest::{Client, Method};
use std::{process::Command, time::Duration};
use tempfile::TempDir;

#[derive(Debug)]
pub struct Moto {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl Moto {
    /// Whether it is installed; as [`super::Console::present`].
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub fn present() -> bool {
        if python_with("moto/server.py").is_some() {
            return true;
        }
        let required = std::env::var("CALLIE_E2E_REQUIRE_PEERS").is_ok_and(|v| v == "1") && super::find("python3").is_some();
        assert!(!required, "moto is not installed in target/python (scripts/peers does it)");
        eprintln!("SKIPPED: moto is not installed in target/python (scripts/peers does it)");
        false
    }

    pub async fn start(ports: &mut PortBlock) -> Self {
        let port = ports.one();
        Self::start_at(port).await
    }

    /// On the port of one that was stopped.
    pub async fn start_at(port: u16) -> Self {
        let folder = TempDir::new().expect("the temporary folder is writable");
        let mut command = Command::new(python_with("moto/server.py").expect("it is present"));
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start("moto", &mut command, folder.path().join("log")).expect("python starts");
        let moto = Self { process, port, _folder: folder };
        let listens = || async { moto.ask(Method::GET, "", Vec::new()).await.map(drop) };
        eventually("moto listens", Duration::from_secs(30), listens).await;
        moto
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket, or puts an object: `calls/here/alice`.
    pub async fn put(&self, path: &str, bytes: Vec<u8>) {
        let (status, _) = self.ask(Method::PUT, path, bytes).await.expect("it answers");
        assert_eq!(status, 200, "PUT {path}");
    }

    /// The object, if there is one.
    pub async fn get(&self, path: &str) -> Option<Vec<u8>> {
        self.ask(Method::GET, path, Vec::new()).await.filter(|(status, _)| *status == 200).map(|(_, bytes)| bytes)
    }

    /// The names of all objects of a bucket.
    pub async fn objects(&self, bucket: &str) -> Vec<String> {
        let list = self.get(&format!("{bucket}?list-type=2")).await.unwrap_or_default();
        let list = String::from_utf8_lossy(&list).into_owned();
        list.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>")).map(|(name, _)| name.to_owned()).collect()
    }

    /// Ends it, with all its buckets; gives its port.
    pub fn kill(mut self) -> u16 {
        self.process.signal("KILL");
        self.process.wait(Duration::from_secs(5)).expect("SIGKILL ends it");
        self.port
    }

    async fn ask(&self, method: Method, path: &str, bytes: Vec<u8>) -> Option<(u16, Vec<u8>)> {
        let client = Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
        // It looks at no signature, and gives what is private to whoever shows one.
        let signed = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let request = client.request(method, format!("{}/{path}", self.url())).header("Authorization", signed);
        let answer = request.body(bytes).send().await.ok()?;
        Some((answer.status().as_u16(), answer.bytes().await.ok()?.to_vec()))
    }
}
