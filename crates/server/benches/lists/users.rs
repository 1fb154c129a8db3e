//! The users, as the product itself writes them. Of ten, eight are registered, one is refused by the carrier, one is not active.

use callie_domain::{MacAddress, User, user::input::UserInput};
use callie_store::{ConfigStore, SqliteStore};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::json;

pub const PASSWORD: &str = "pw";
/// Written at a time.
const AT_ONCE: usize = 32;

pub fn name(n: usize) -> String {
    format!("user{n:05}")
}

fn is_refused(n: usize) -> bool {
    n % 10 == 3
}

fn is_inactive(n: usize) -> bool {
    n % 10 == 7
}

pub fn registered(users: usize) -> impl Iterator<Item = usize> {
    (0..users).filter(|n| !is_refused(*n) && !is_inactive(*n))
}

pub fn refused(users: usize) -> impl Iterator<Item = usize> {
    (0..users).filter(|n| is_refused(*n))
}

pub async fn write(store: &SqliteStore, users: usize, carrier: &str) {
    let all = stream::iter(0..users).map(|n| {
        let user = document(n, carrier);
        async move { store.create(&user).await.map(drop) }
    });
    let faults: Vec<_> = all.buffer_unordered(AT_ONCE).filter_map(async |written| written.err()).collect().await;
    assert!(faults.is_empty(), "{faults:?}");
}

fn document(n: usize, carrier: &str) -> User {
    const FIRST: [&str; 7] = ["Anna", "Bernd", "Chloé", "Dmitri", "Eve", "Farid", "Greta"];
    let name = name(n);
    let body = json!({
        "user_id": name, "display_name": format!("{} Example {n}", FIRST[n % FIRST.len()]), "sip_username": name, "sip_password": PASSWORD,
        "sip_server": carrier, "use_fixed_rtp_port": false, "is_active": !is_inactive(n), "sip": {"connect": true},
        "ai": {"instructions": "You answer the telephone of a small shop. Be brief, be kind, take a message when nobody is there."},
    });
    let mac = MacAddress::generate([(n >> 16) as u8, (n >> 8) as u8, n as u8]);
    UserInput::from_json(&body).and_then(|input| input.create(Timestamp::now(), mac)).expect("valid")
}
