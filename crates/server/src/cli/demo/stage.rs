//! What the demo stands on: the lab's carrier and a whole server in a folder of their own, on free ports of loopback, and a
//! client that talks to the server as a user would.

use super::cloud::Cloud;
use super::stand_in::StandIn;
use super::{DemoVoice, Plan, Talker, call_id};
use crate::api::EngineInfo;
use crate::app::App;
use crate::config::engines::LocalVoice;
use crate::config::sources::Sources;
use crate::config::{self, Config};
use crate::engines::Talkers;
use anyhow::{Context, bail};
use callie_domain::record::Cdr;
use callie_domain::{CallId, UserId};
use callie_lab::carrier::{Carrier, CarrierOptions, Subscriber};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

/// A change made elsewhere arrives within this time, or something is wrong.
const CHANGE_DEADLINE: Duration = Duration::from_secs(20);

pub struct Stage {
    pub carrier: Carrier,
    pub app: App,
    pub folder: PathBuf,
    /// Where the users live, if not in the folder.
    pub cloud: Option<Cloud>,
    /// Plays the service that talks.
    stand_in: Option<StandIn>,
    talkers: Arc<[EngineInfo]>,
    client: reqwest::Client,
}

impl Stage {
    pub async fn set(plan: &Plan) -> anyhow::Result<Self> {
        let subscribers = ["alice", "bob", "softphone"].map(|name| Subscriber::new(name, &password_of(name)));
        let options = CarrierOptions { subscribers: subscribers.to_vec(), ..CarrierOptions::default() };
        let carrier = Carrier::start(options).await.context("the carrier does not start")?;
        let folder = std::env::temp_dir().join(format!("callie-demo-{:08x}", rand::random::<u32>()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut config = demo_config(&folder)?;
        let cloud = if plan.firestore { Some(Cloud::start().await?) } else { None };
        if let Some(cloud) = &cloud {
            config.store = cloud.settings();
        }
        let stand_in = match plan.talker {
            Talker::Local => None,
            Talker::Gemini => Some(StandIn::of_gemini().await?),
            Talker::OpenAi => Some(StandIn::of_openai().await?),
        };
        if let Some(stand_in) = &stand_in {
            stand_in.set_up(&mut config.engines);
        }
        if plan.voice == DemoVoice::Kokoro {
            config.engines.voice = LocalVoice::Kokoro;
        }
        let talkers = Talkers::start(&config.engines)?;
        if let Some(local) = &talkers.local {
            local.settled().await;
        }
        let infos = talkers.infos.clone();
        let app = App::start(&config, talkers).await?;
        Ok(Self { carrier, app, folder, cloud, stand_in, talkers: infos, client: reqwest::Client::new() })
    }

    /// Who talks, for people.
    pub fn talker_words(&self) -> String {
        let default = self.talkers.iter().find(|info| info.default);
        let words = default.map_or_else(String::new, |info| info.detail.text());
        if self.stand_in.is_some() { format!("{words} (a stand-in on this machine)") } else { words }
    }

    /// Where the users live, for people.
    pub fn users_words(&self) -> String {
        self.cloud.as_ref().map_or_else(|| "the embedded database, in the folder".to_owned(), Cloud::words)
    }

    /// Writes a copy of a call's recording for people: what the server keeps is sealed.
    pub async fn copy(&self, cdr: &Cdr) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join("listen");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join(format!("{}-{}.wav", cdr.user_id, cdr.id));
        std::fs::write(&path, self.app.recording(cdr).await?).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
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
            "routing": {"transfer_targets": [{"name": "bob", "target": "bob"}]},
        });
        self.post("/users", &user).await.map(|_| ())
    }

    pub async fn connect(&self, user: &str) -> anyhow::Result<()> {
        self.post(&format!("/users/{user}/sip/connect"), &json!({})).await.map(|_| ())
    }

    /// Changes a greeting in the store behind the server's back; how long the server took to have it.
    pub async fn change_at_console(&self, cloud: &Cloud, user: &str, greeting: &str) -> anyhow::Result<Duration> {
        let id: UserId = user.parse()?;
        let mut view = self.app.stores.users.watch();
        let changed = Instant::now();
        cloud.type_greeting(user, greeting)?;
        let seen = view.wait_for(|view| {
            let stored = view.users.get(&id).and_then(|entry| entry.usable());
            stored.is_some_and(|stored| stored.user.calls.default_greeting == greeting)
        });
        tokio::time::timeout(CHANGE_DEADLINE, seen).await.context("the change did not arrive")?.context("the store is closed")?;
        Ok(changed.elapsed())
    }

    pub async fn dial(&self, user: &str, number: &str, message: &str) -> anyhow::Result<CallId> {
        let answer = self.post(&format!("/users/{user}/call"), &json!({"number": number, "message": message})).await?;
        call_id(&answer)
    }

    /// Ends the server, then what it stood on.
    pub async fn strike(self) {
        self.app.stop().await;
        self.carrier.stop().await;
        if let Some(stand_in) = self.stand_in {
            stand_in.stop().await;
        }
        if let Some(cloud) = self.cloud {
            cloud.stop().await;
        }
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
    // The recogniser's weights are the only thing taken from the working folder.
    let sources = Sources { models_here: std::path::Path::new("models").is_dir(), ..Sources::default() };
    let mut config = config::resolve(sources)?.config;
    config.data_dir = folder.to_owned();
    config.engines.voice_dir = Some(folder.join("voice"));
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    Ok(config)
}
