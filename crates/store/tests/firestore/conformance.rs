//! The suite that every backend must pass: on the lab's server as production listens and as Google's emulator does, and on
//! that emulator itself.

use crate::bench::{Console, LabBench, Node, Suited, access, keys};
use crate::{stored_form, writers};
use callie_lab::firestore::ListenStyle;
use callie_lab::firestore::emulator::{Emulator, EmulatorError};
use std::sync::atomic::{AtomicU32, Ordering};

mod deltas {
    use super::{LabBench, ListenStyle, Suited};

    async fn make_store() -> Suited {
        LabBench::start(ListenStyle::Deltas).await.into()
    }

    callie_store::store_conformance!(make_store);
}

mod resets {
    use super::{LabBench, ListenStyle, Suited};

    async fn make_store() -> Suited {
        LabBench::start(ListenStyle::Resets).await.into()
    }

    callie_store::store_conformance!(make_store);
}

/// One test for all: the emulator is started once, and each case has a project of its own.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
async fn on_googles_emulator() {
    let emulator = match Emulator::start().await {
        Ok(emulator) => emulator,
        Err(fault @ EmulatorError::NotInstalled) => return eprintln!("SKIPPED: {fault}"),
        Err(fault) => panic!("{fault}"),
    };
    let cases = AtomicU32::new(0);
    let make = || async {
        let project = format!("callie-case-{}", cases.fetch_add(1, Ordering::Relaxed));
        let node = Node::open(access(emulator.address(), &project), keys(&[("k2026a", 7)])).await.expect("opened");
        Suited { node, console: Console::open(emulator.address(), &project).await, _server: None }
    };
    callie_store::store_conformance!(@every calls make);
    stored_form::every(make).await;
    let there = || Node::open(access(emulator.address(), "callie-writers"), keys(&[("k2026a", 7)]));
    let (one, other) = (there().await.expect("opened"), there().await.expect("opened"));
    writers::count_together(&one, &other, 4, 5).await;
    emulator.stop().await.expect("stopped");
}
