//! The whole server, a carrier and Gemini Live on loopback, and the calls through them.

use crate::{
    call::{self, Heard, Way},
    speech,
};
use anyhow::Context;
use callie_domain::{MacAddress, Secret, record::Cdr, user::input::UserInput};
use callie_lab::{
    carrier::{Carrier, CarrierOptions, Subscriber},
    gemini::{Converse, FakeGemini, FakeGeminiOptions, Script, Speech},
};
use callie_server::{
    app::App,
    config::{self, Config, DefaultEngine, Gemini, sources::Sources},
    engines::Talkers,
    exchange::LiveEvent,
};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde_json::json;
use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};
use tokio::{sync::broadcast, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// A call over each way, all at once: the agent says `agent` (24 kHz), then the caller says `caller` (8 kHz).
pub async fn run(ways: &[Way], agent: &[i16], caller: &[i16]) -> anyhow::Result<Vec<Heard>> {
    let users: Vec<String> = (0..ways.len()).map(|number| format!("quality{number}")).collect();
    let longest = call::longest(Duration::from_millis((caller.len() * 1_000 / speech::NARROW_HZ) as u64));
    let subscribers = users.iter().map(|name| Subscriber::new(name, "pw")).collect();
    let carrier = Carrier::start(CarrierOptions { subscribers, ..CarrierOptions::default() }).await?;
    let fake = gemini(agent, longest).await?;
    let folder = tempfile::tempdir()?;
    let config = config_for(folder.path(), &fake);
    let app = App::start(&config, Talkers::start(&config.engines)?).await?;
    add_users(&app, &carrier, &users).await?;
    let caller: Arc<[i16]> = caller.into();
    let calls = ways.iter().zip(&users).map(|(way, user)| call::call(*way, carrier.address(), user, caller.clone()));
    let records = records(app.live(), ways.len());
    let calls_and_records = async { tokio::try_join!(try_join_all(calls), records) };
    let (reports, records) = timeout(longest + PATIENCE, calls_and_records).await.context("the calls do not end")??;
    let ended = ways.iter().zip(&users).zip(reports);
    let heard = ended.map(|((way, user), report)| {
        let record = records.get(user).with_context(|| format!("no record of the call to {user}"))?;
        call::heard(*way, user, report, &fake, record)
    });
    let heard = heard.collect();
    app.stop().await;
    carrier.stop().await;
    fake.stop().await;
    heard
}

/// It greets with this speech and keeps all that it hears.
async fn gemini(agent: &[i16], keep_audio: Duration) -> anyhow::Result<FakeGemini> {
    let greeting = Some(Speech::new("", agent));
    let script = Script::Converse(Converse { greeting, ..Converse::default() });
    Ok(FakeGemini::start(FakeGeminiOptions { script, keep_audio, ..FakeGeminiOptions::default() }).await?)
}

fn config_for(folder: &Path, fake: &FakeGemini) -> Config {
    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.to_owned();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    let FakeGeminiOptions { api_key, models, .. } = FakeGeminiOptions::default();
    let model = models.into_iter().next().expect("it knows one");
    config.engines.gemini = Some(Gemini::with_key(Secret::new(api_key), model, fake.base_url()));
    config.engines.default = DefaultEngine::Gemini;
    config.engines.models_dir = None;
    config
}

/// Creates them and waits until their lines are registered.
async fn add_users(app: &App, carrier: &Carrier, users: &[String]) -> anyhow::Result<()> {
    for (number, name) in users.iter().enumerate() {
        let body = json!({
            "user_id": name, "display_name": name, "sip_username": name, "sip_password": "pw",
            "sip_server": carrier.address().to_string(), "use_fixed_rtp_port": false, "sip": {"connect": true},
            "ai": {"instructions": call::instructions(name)},
        });
        let mac = MacAddress::generate([0, 0, number as u8]);
        let user = UserInput::from_json(&body).and_then(|input| input.create(Timestamp::now(), mac)).expect("valid");
        app.stores.users.create(&user).await?;
    }
    let all = |carrier: &Carrier| carrier.bindings().len() == users.len();
    Ok(carrier.wait_until("all are registered", PATIENCE, all).await?)
}

/// The records of the next `count` calls to end, by user.
async fn records(mut feed: broadcast::Receiver<Arc<LiveEvent>>, count: usize) -> anyhow::Result<HashMap<String, Cdr>> {
    let mut records = HashMap::new();
    while records.len() < count {
        if let LiveEvent::CallRecorded { cdr } = feed.recv().await?.as_ref() {
            records.insert(cdr.user_id.to_string(), (**cdr).clone());
        }
    }
    Ok(records)
}
