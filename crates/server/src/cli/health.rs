//! `callie health`: asks the server that runs with these settings how it is; for container runtimes and scripts.

use super::{CliError, terminal};
use crate::config::{self, Http};
use anyhow::{Context, bail};
use serde_json::Value;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, clap::Args)]
pub struct HealthCommand {
    /// Print what the server answers, JSON.
    #[arg(long)]
    json: bool,
}

/// A server that takes no calls is an error; one that is degraded is not.
pub fn run(file: Option<&Path>, command: &HealthCommand) -> Result<(), CliError> {
    let http = config::load(file)?.config.http;
    let found = super::serve::runtime()?.block_on(ask(&http))?;
    let text = if command.json { format!("{found:#}\n") } else { shown(&found) };
    terminal::say(&text)?;
    if found["status"] == "not_ready" {
        return Err(anyhow::anyhow!("the server takes no calls").into());
    }
    Ok(())
}

async fn ask(http: &Http) -> anyhow::Result<Value> {
    let url = format!("{}/health/ready", address(http));
    // The certificate bears the name that others use, not this address. We show no key, and believe no more than "well" or "not".
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().tls_danger_accept_invalid_certs(true).build()?;
    let asked = client.get(&url).send().await;
    let answer = asked.with_context(|| format!("no server answers at {url}"))?;
    let status = answer.status();
    let found: Value = answer.json().await.with_context(|| format!("{url} does not answer as Callie does ({status})"))?;
    if found["status"].as_str().is_none() {
        bail!("{url} does not answer as Callie does ({status})");
    }
    Ok(found)
}

/// On this machine, whichever name others know it by.
fn address(http: &Http) -> String {
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    let mut to = http.listen;
    match to.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => to.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => to.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    format!("{scheme}://{to}")
}

/// The status, and each check that did not pass.
fn shown(found: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = format!("{}\n", text(&found["status"]));
    for check in found["checks"].as_array().into_iter().flatten().filter(|check| check["status"] != "passed") {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {:7}  {:11}  {}", text(&check["status"]), text(&check["name"]), text(&check["reason"]));
        let _ = writeln!(out, "  {:7}  {:11}  → {} (since {})", "", "", text(&check["remedy"]), text(&check["since"]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Sources;
    use serde_json::json;

    #[test]
    fn what_is_amiss_is_shown_with_its_remedy() {
        let found = json!({"status": "degraded", "reasons": [], "checks": [
            {"name": "server", "status": "passed", "since": "2026-11-28T12:00:00Z", "reason": null, "remedy": null},
            {"name": "disk", "status": "warning", "since": "2026-11-28T12:00:00Z", "reason": "full", "remedy": "make room"},
        ]});
        let wanted = "degraded\n  warning  disk         full\n                        → make room (since 2026-11-28T12:00:00Z)\n";
        assert_eq!(shown(&found), wanted);
    }

    #[test]
    fn the_server_is_asked_where_it_listens() {
        for (listen, tls, wanted) in [
            ("127.0.0.1:8080", false, "http://127.0.0.1:8080"),
            ("0.0.0.0:8443", true, "https://127.0.0.1:8443"),
            ("[::]:80", false, "http://[::1]:80"),
            ("192.0.2.7:80", false, "http://192.0.2.7:80"),
        ] {
            let mut environment = vec![("CALLIE_HTTP_LISTEN".into(), listen.into())];
            if tls {
                let files = ["CALLIE_HTTP_TLS_CERTIFICATE", "CALLIE_HTTP_TLS_KEY"];
                environment.extend(files.map(|name| (name.into(), "x.pem".into())));
            }
            let loaded = config::resolve(Sources { environment, ..Sources::default() }).expect("valid");
            assert_eq!(address(&loaded.config.http), wanted);
        }
    }
}
