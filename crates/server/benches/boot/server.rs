//! The measured process: a whole server whose users are in Firestore.

use crate::engine::Endless;
use callie_server::{
    app::App,
    call::Engines,
    config::{self, Firestore, FirestoreCredentials, StoreChoice, sources::Sources},
};
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// `server FOLDER KEYS ADDRESS PROJECT`: says `ready` once it runs, which is when its view is complete, and ends when its stdin
/// does.
pub async fn run(arguments: &[String]) {
    let [folder, keys, address, project] = arguments else { panic!("FOLDER KEYS ADDRESS PROJECT") };
    let mut config = config::resolve(Sources::default()).expect("the defaults are valid").config;
    config.data_dir = folder.into();
    config.secrets.keyring_file = Some(keys.into());
    config.http.listen = ([127, 0, 0, 1], 0).into();
    config.sip.listen = ([127, 0, 0, 1], 0).into();
    config.store = StoreChoice::Firestore(Firestore {
        credentials: FirestoreCredentials::Emulator { address: address.clone() },
        project: Some(project.clone()),
        database: "(default)".to_owned(),
    });
    let app = App::start(&config, Engines::new(Arc::new(Endless))).await.expect("starts");
    println!("ready");
    let _ = tokio::io::stdin().read(&mut [0]).await;
    app.stop().await;
}
