//! Drives the [`Switch`]: a message or a tick in, what it says out.

use super::switch::Switch;
use crate::wire::{Heard, Wire};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

/// How often repeats and expiries are looked after.
const TICK: Duration = Duration::from_millis(100);

pub(super) struct CarrierTask {
    pub wire: Arc<Wire>,
    pub switch: Arc<Mutex<Switch>>,
    /// Counts what may have changed the answer to somebody's question.
    pub revision: watch::Sender<u64>,
}

impl CarrierTask {
    pub async fn run(self, mut inbox: mpsc::Receiver<Heard>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let heard = tokio::select! {
                heard = inbox.recv() => Some(heard),
                _ = ticks.tick() => None,
            };
            let sends = {
                let mut switch = self.switch.lock().unwrap_or_else(PoisonError::into_inner);
                match heard {
                    Some(Some(heard)) => switch.handle(heard, Instant::now()),
                    Some(None) => return,
                    None => switch.tick(Instant::now()),
                }
            };
            for send in sends {
                self.wire.send_after(send.flow, send.bytes, send.after);
            }
            self.revision.send_modify(|revision| *revision += 1);
        }
    }
}
