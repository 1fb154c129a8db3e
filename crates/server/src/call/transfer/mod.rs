//! A transfer under way: the machine with what it steers (the human's leg, the caller's line while it waits, the two joined).
//! All decisions are the machine's (`callie_domain::call::transfer`).
//!
//! | module | holds |
//! |---|---|
//! | [`human`] | the leg to whom the caller is handed over |
//! | [`waiting`] | the caller's line while nobody speaks on it |
//! | `carry` | the call's task carrying out what the machine says |

mod carry;
pub mod human;
pub mod waiting;

use super::gate::Pass;
use super::timers::Timers;
use callie_domain::call::transfer::{Input, Plan, Stage, Timer, Transfer};
use callie_domain::{DialTarget, user::TransferMode};
use callie_media::engine::{MediaEvent, Relay};
use callie_sip::LegEvent;
use human::Human;
use std::collections::VecDeque;
use waiting::Waiting;

/// To whom the caller is handed over, and how.
#[derive(Debug, Clone)]
pub struct Destination {
    pub target: DialTarget,
    /// The target's name, or its number where it has none.
    pub shown: String,
    pub mode: TransferMode,
    /// What the human is told first.
    pub message: Option<String>,
}

/// Owned by the call's task.
pub struct Transferring {
    machine: Transfer,
    /// Inputs that are to be carried out yet.
    queue: VecDeque<Input>,
    timers: Timers<Timer>,
    destination: Destination,
    waiting: Option<Waiting>,
    human: Option<Human>,
    relay: Option<Relay>,
    /// Leave to dial them; it is up as long as this is.
    pass: Pass,
}

/// One thing that happened to it.
pub enum Event {
    Human(Option<LegEvent>),
    HumanMedia(Option<MediaEvent>),
    Timer(Timer),
}

impl Transferring {
    pub fn new(destination: Destination, plan: Plan, pass: Pass) -> Self {
        Self {
            machine: Transfer::new(plan),
            queue: VecDeque::from([Input::Begin]),
            timers: Timers::default(),
            destination,
            waiting: None,
            human: None,
            relay: None,
            pass,
        }
    }

    pub fn stage(&self) -> Stage {
        self.machine.stage()
    }

    /// The agent still speaks with the caller.
    pub fn is_announcing(&self) -> bool {
        matches!(self.stage(), Stage::New | Stage::Announcing)
    }

    pub fn push(&mut self, input: Input) {
        self.queue.push_back(input);
    }

    /// Cancel safe.
    pub async fn next(&mut self) -> Event {
        let Self { timers, waiting, human, .. } = self;
        tokio::select! {
            timer = timers.fired() => Event::Timer(timer),
            event = human::next(human) => event,
            () = pass(waiting) => std::future::pending().await,
        }
    }
}

async fn pass(waiting: &mut Option<Waiting>) {
    match waiting {
        Some(waiting) => waiting.pass().await,
        None => std::future::pending().await,
    }
}

/// What happens to a transfer, where there is one. Cancel safe.
pub async fn next(transfer: &mut Option<Box<Transferring>>) -> Event {
    match transfer {
        Some(transfer) => transfer.next().await,
        None => std::future::pending().await,
    }
}
