//! The measured process: a whole server with `N` connected users, and the endless engine or Gemini Live with the offline engine
//! behind it.

use crate::{conversation, engine::Endless, rate};
use callie_domain::{MacAddress, Secret, user::input::UserInput};
use callie_server::{
    app::App,
    call::Engines,
    config::{self, DefaultEngine, Gemini, sources::Sources},
    engines::Talkers,
    exchange::DialRequest,
};
use callie_store::{ConfigStore, Keyring, sqlite::SqliteStore};
use jiff::Timestamp;
use serde_json::json;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::io::{AsyncBufReadExt, BufReader};

/// `server USERS CARRIER FOLDER realtime|plain [BASE_URL API_KEY MODEL]`: says `prepared` once the documents are stored and `ready` once it runs, and
/// ends when its stdin does. A line `dial PER_SECOND TOTAL USERS` there makes it call.
pub async fn run(arguments: &[String]) {
    let [users, carrier, folder, priority, far @ ..] = arguments else { panic!("USERS CARRIER FOLDER realtime|plain") };
    let folder = Path::new(folder);
    prepare(users.parse().expect("a number"), carrier, folder).await;
    println!("prepared");
    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.to_owned();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    config.media.realtime = priority == "realtime";
    let talkers = match far {
        [base_url, api_key, model] => {
            let (api_key, model, base_url) = (Secret::new(api_key), model.clone(), base_url.clone());
            config.engines.gemini = Some(Gemini::with_key(api_key, model, base_url));
            config.engines.default = DefaultEngine::Gemini;
            config.engines.models_dir = None;
            Talkers::start(&config.engines).expect("engines")
        }
        _ => Engines::new(Arc::new(Endless)).into(),
    };
    let app = App::start(&config, talkers).await.expect("starts");
    println!("ready");
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(order)) = orders.next_line().await {
        dial(&app, &order).await;
    }
    app.stop().await;
}

/// Each user in its turn calls [`rate::NUMBER`].
async fn dial(app: &App, order: &str) {
    let numbers: Vec<u32> = order.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [per_second, total, users] = numbers[..] else { panic!("dial PER_SECOND TOTAL USERS") };
    let mut pace = tokio::time::interval(Duration::from_secs(1) / per_second);
    for n in 0..total {
        pace.tick().await;
        let user = crate::user((n % users) as usize).parse().expect("an id");
        let request = DialRequest::new(user, rate::NUMBER.parse().expect("a number"));
        app.dial(request).expect("there is room for the call");
    }
}

async fn prepare(users: u32, carrier: &str, folder: &Path) {
    let keyring = Keyring::load_or_create(&folder.join("keyring.json"), Timestamp::now()).expect("a key");
    let store = SqliteStore::open(&folder.join("callie.db"), Arc::new(keyring)).expect("a database");
    for n in 0..users {
        let name = format!("bench{n}");
        let body = json!({
            "user_id": name, "display_name": name, "sip_username": name, "sip_password": "pw",
            "sip_server": carrier, "use_fixed_rtp_port": false, "sip": {"connect": true},
            "ai": {"instructions": conversation::instructions(&name)},
        });
        let mac = MacAddress::generate([(n >> 16) as u8, (n >> 8) as u8, n as u8]);
        let user = UserInput::from_json(&body).and_then(|input| input.create(Timestamp::now(), mac)).expect("valid");
        store.create(&user).await.expect("stored");
    }
    store.close().await;
}
