//! The timer of a session, and the clock it goes by.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};
use tokio::time::Sleep;

/// Mean of the samples' magnitudes above which the caller counts as audible: about −40 dBFS.
const LOUD: u32 = 300;

/// One timer that is only moved when it must ring earlier: a conversation's deadline moves with nearly every frame.
#[derive(Default)]
pub struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    rings_at: Option<Instant>,
}

impl Alarm {
    pub fn poll(&mut self, deadline: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        loop {
            if self.rings_at.is_none_or(|rings_at| deadline < rings_at) {
                self.set(deadline);
            }
            let Some(sleep) = &mut self.sleep else { return Poll::Pending };
            std::task::ready!(sleep.as_mut().poll(context));
            self.rings_at = None;
            if now() >= deadline {
                return Poll::Ready(());
            }
        }
    }

    fn set(&mut self, deadline: Instant) {
        self.rings_at = Some(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline.into()),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline.into()))),
        }
    }
}

/// By the runtime's clock, which tests can turn.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

pub fn is_loud(samples: &[i16]) -> bool {
    let sum: u32 = samples.iter().map(|sample| u32::from(sample.unsigned_abs())).fold(0, u32::saturating_add);
    sum / u32::try_from(samples.len()).unwrap_or(u32::MAX).max(1) > LOUD
}
