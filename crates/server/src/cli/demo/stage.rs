//! What the demo stands on: the lab's carrier and a whole server in a folder of their own, on free ports of loopback, and a
//! client that talks to the server as a user would.

use super::call_id;
use crate::{
    app::App,
    config::{self, Config, sources::Sources},
    engines::Talkers,
};
use anyhow::{Context, bail};
use callie_domain::CallId;
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use serde_json::{Value, json};
use std::path::PathBuf;

pub struct Stage {
    pub carrier: Carrier,
    pub app: App,
    pub folder: PathBuf,
    client: reqwest::Client,
}

impl Stage {
    pub async fn set() -> anyhow::Result<Self> {
        let subscribers = ["alice", "bob", "softphone"].map(|name| Subscriber::new(name, &password_of(name)));
        let options = CarrierOptions { subscribers: subscribers.to_vec(), ..CarrierOptions::default() };
        let carrier = Carrier::start(options).await.context("the carrier does not start")?;
        let folder = std::env::temp_dir().join(format!("callie-demo-{:08x}", rand::random::<u32>()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let app = {
            let config = demo_config(&folder)?;
            let talkers = Talkers::start(&config.engines)?;
            App::start(&config, talkers).await?
        };
        Ok(Self { carrier, app, folder, client: reqwest::Client::new() })
    }

    pub fn recordings(&self) -> PathBuf {
        self.folder.join("recordings")
    }

    pub async fn create_user(&self, id: &str, display_name: &str, greeting: &str) -> anyhow::Result<()> {
        let user = json!({
            "user_id": id,
            "display_name": display_name,
            "sip_username": id,
            "sip_password": password_of(id),
            "sip_server": self.carrier.address().to_string(),
            "greeting": greeting,
            "use_fixed_rtp_port": false,
        });
        self.post("/users", &user).await.map(|_| ())
    }

    pub async fn connect(&self, user: &str) -> anyhow::Result<()> {
        self.post(&format!("/users/{user}/sip/connect"), &json!({})).await.map(|_| ())
    }

    pub async fn dial(&self, user: &str, number: &str, message: &str) -> anyhow::Result<CallId> {
        let answer = self.post(&format!("/users/{user}/call"), &json!({"number": number, "message": message})).await?;
        call_id(&answer)
    }

    /// Ends the server, then the carrier.
    pub async fn strike(self) {
        self.app.stop().await;
        self.carrier.stop().await;
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("http://{}{path}", self.app.http_address);
        let response = self.client.post(&url).json(body).send().await.with_context(|| format!("POST {path} failed"))?;
        let status = response.status();
        let answer: Value = response.json().await.with_context(|| format!("POST {path} was not answered in JSON"))?;
        if !status.is_success() {
            bail!("POST {path} was answered {status}: {answer}");
        }
        Ok(answer)
    }
}

fn password_of(user: &str) -> String {
    if user == "softphone" { user.to_owned() } else { format!("{user}-demo-password") }
}

/// Defaults, but for ports and folder: neither `callie.toml` nor the environment has a say in the demo.
fn demo_config(folder: &std::path::Path) -> anyhow::Result<Config> {
    let mut config = config::resolve(Sources::default())?.config;
    config.data_dir = folder.to_owned();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    Ok(config)
}
