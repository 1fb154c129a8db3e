//! The measured process: a whole server whose users' lines end at the carrier of the other process, and whose AI is there too.
//!
//! It takes orders by its stdin, a line each, and answers by its stdout:
//!
//! ```text
//! hold            → held TASKS CALLS RTP_PORTS DIALOGS TRANSACTIONS LINGERING
//! hang up CALLER  (nothing)
//! the end         it stops
//! ```

use callie_domain::{MacAddress, Secret, user::input::UserInput};
use callie_server::{
    app::{App, Footprint},
    config::{self, Config, DefaultEngine, Gemini, sources::Sources},
    engines::Talkers,
};
use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Set for the measured process only: `CARRIER FOLDER BASE_URL API_KEY MODEL`, separated by spaces.
pub const WANTED: &str = "SOAK_SERVER";
pub const USERS: usize = 10;

/// What it is to be, if this process is the measured one.
pub fn wanted() -> Option<String> {
    std::env::var(WANTED).ok()
}

/// Serves until its stdin ends.
pub async fn serve(wanted: &str) {
    let parts: Vec<&str> = wanted.split(' ').collect();
    let [carrier, folder, base_url, api_key, model] = parts[..] else {
        panic!("{WANTED}: CARRIER FOLDER BASE_URL API_KEY MODEL")
    };
    let gemini = Gemini::with_key(Secret::new(api_key), model.to_owned(), base_url.to_owned());
    let config = config(folder, gemini);
    let app = App::start(&config, Talkers::start(&config.engines).expect("engines")).await.expect("starts");
    create_users(&app, carrier).await;
    // The line before may have an end of its own: that of the test harness.
    println!("\nready");
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(order) = orders.next_line().await.expect("readable") {
        match order.strip_prefix("hang up ") {
            Some(caller) => hang_up(&app, caller),
            None => println!("held {}", holdings(&app)),
        }
    }
    app.stop().await;
}

fn hang_up(app: &App, caller: &str) {
    if let Some(active) = app.active_calls().iter().find(|call| call.remote_party.contains(caller)) {
        app.hang_up(active.id);
    }
}

fn holdings(app: &App) -> String {
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let Footprint { calls, rtp_ports, dialogs, transactions } = app.footprint();
    let lingering = app.lingering_transactions();
    format!("{tasks} {calls} {rtp_ports} {dialogs} {transactions} {lingering}")
}

async fn create_users(app: &App, carrier: &str) {
    for n in 0..USERS {
        let name = format!("soak{n}");
        let body = json!({
            "user_id": name, "display_name": name, "sip_username": name, "sip_password": "pw",
            "sip_server": carrier, "use_fixed_rtp_port": false, "sip": {"connect": true},
        });
        let mac = MacAddress::generate([0, 0, n as u8]);
        let user = UserInput::from_json(&body).and_then(|input| input.create(Timestamp::now(), mac)).expect("valid");
        app.stores.users.create(&user).await.expect("stored");
    }
}

fn config(folder: &str, gemini: Gemini) -> Config {
    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.into();
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    config.limits.calls_per_user = 1_000;
    config.engines.gemini = Some(gemini);
    config.engines.default = DefaultEngine::Gemini;
    config.engines.models_dir = None;
    config
}
