//! Certificates by OpenSSL's program: an authority of the test's own, and what it signs.

use std::{
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A certificate authority in a folder that goes with it.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

/// A certificate and its key, PEM files.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    pub fn chain_pem(&self) -> String {
        std::fs::read_to_string(&self.chain).expect("openssl has written it")
    }

    pub fn key_pem(&self) -> String {
        std::fs::read_to_string(&self.key).expect("openssl has written it")
    }
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let folder = TempDir::new().expect("the temporary folder is writable");
        let authority = Self { folder };
        let subject = format!("/CN={name}");
        authority.openssl(
            &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"],
            &["-subj", &subject, "-keyout", "ca.key", "-out", "ca.pem"],
        );
        authority
    }

    /// What others have to trust.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub fn pem(&self) -> String {
        std::fs::read_to_string(self.file()).expect("openssl has written it")
    }

    /// Signs a certificate for `names` as OpenSSL writes them: `DNS:sip.example.com`, `IP:127.0.0.1`.
    pub fn issue(&self, id: &str, names: &str) -> Certificate {
        let [key, request, chain, extensions] = ["key", "csr", "pem", "ext"].map(|end| format!("{id}.{end}"));
        std::fs::write(self.path(&extensions), format!("subjectAltName={names}\n")).expect("the folder is writable");
        let subject = format!("/CN={id}");
        self.openssl(
            &["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", &subject],
            &["-keyout", &key, "-out", &request],
        );
        self.openssl(
            &["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30"],
            &["-extfile", &extensions, "-out", &chain],
        );
        Certificate { chain: self.path(&chain), key: self.path(&key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, what: &[&str], files: &[&str]) {
        let output = Command::new("openssl").args(what).args(files).current_dir(self.folder()).output().expect("openssl starts");
        assert!(output.status.success(), "openssl {what:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}
