//! A machine's timers as deadlines: at most one of each kind, one sleep for all.

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

#[derive(Debug)]
pub struct Timers<K> {
    running: Vec<(K, Instant)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { running: Vec::new() }
    }
}

impl<K: Copy + PartialEq> Timers<K> {
    pub fn start(&mut self, kind: K, after: Duration) {
        self.stop(kind);
        self.running.push((kind, Instant::now() + after));
    }

    /// Lets a timer that runs run out sooner, if it would not anyway.
    pub fn shorten(&mut self, kind: K, after: Duration) {
        let at_latest = Instant::now() + after;
        self.running.iter_mut().filter(|(running, _)| *running == kind).for_each(|(_, at)| *at = (*at).min(at_latest));
    }

    pub fn stop(&mut self, kind: K) {
        self.running.retain(|(running, _)| *running != kind);
    }

    pub fn stop_all(&mut self) {
        self.running.clear();
    }

    /// Waits for the next timer to run out and removes it; waits for ever when none runs. Cancel safe.
    pub async fn fired(&mut self) -> K {
        let next = self.running.iter().enumerate().min_by_key(|(_, (_, at))| *at).map(|(i, (_, at))| (i, *at));
        match next {
            Some((index, at)) => {
                sleep_until(at).await;
                self.running.swap_remove(index).0
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callie_domain::call::TimerKind;

    #[tokio::test(start_paused = true)]
    async fn the_earliest_fires_first_and_once() {
        let mut timers = Timers::default();
        timers.start(TimerKind::MaxDuration, Duration::from_secs(60));
        timers.start(TimerKind::Setup, Duration::from_secs(10));
        timers.start(TimerKind::Answer, Duration::from_secs(5));
        timers.stop(TimerKind::Answer);
        assert_eq!(timers.fired().await, TimerKind::Setup);
        timers.shorten(TimerKind::MaxDuration, Duration::from_secs(90));
        timers.shorten(TimerKind::Answer, Duration::from_secs(1));
        let before = Instant::now();
        assert_eq!(timers.fired().await, TimerKind::MaxDuration);
        assert_eq!(before.elapsed(), Duration::from_secs(50), "it is not put off");
        timers.start(TimerKind::MaxDuration, Duration::from_secs(60));
        timers.shorten(TimerKind::MaxDuration, Duration::from_secs(20));
        assert_eq!((timers.fired().await, before.elapsed()), (TimerKind::MaxDuration, Duration::from_secs(70)));
    }
}
