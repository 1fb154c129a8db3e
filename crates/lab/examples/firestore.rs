//! The lab's Firestore alone, for clients of any language: `cargo run -p callie-lab --example firestore -- 127.0.0.1:8086`, then
//! set `FIRESTORE_EMULATOR_HOST` to the line it prints. SIGHUP drops all Listen streams; Ctrl-C ends it.

use callie_lab::firestore::{Firestore, FirestoreOptions};
use std::io::Write;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = FirestoreOptions::default();
    if let Some(listen) = std::env::args().nth(1) {
        options.listen = listen.parse()?;
    }
    let firestore = Firestore::start(options).await?;
    writeln!(std::io::stdout(), "{}", firestore.address())?;
    let mut hangups = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            ended = tokio::signal::ctrl_c() => break ended?,
            _ = hangups.recv() => firestore.faults().drop_listeners(),
        }
    }
    firestore.stop().await;
    Ok(())
}
