//! What goes wrong on purpose, when, and how often. The acts and the moments are each fake's own.

use std::fmt::Debug;
use std::time::Duration;

/// A moment in a session.
pub trait Cue: Copy + Debug + Eq + Send + Sync {
    /// The HTTP upgrade.
    const UPGRADE: Self;

    /// That long after the setup, if it is such a moment.
    fn delay(self) -> Option<Duration>;
}

/// An act at its moment.
#[derive(Clone, Debug)]
pub struct Fault<M, A> {
    pub at: M,
    pub act: A,
}

impl<M, A> Fault<M, A> {
    pub fn new(at: M, act: A) -> Self {
        Self { at, act }
    }
}

#[derive(Debug)]
pub(crate) struct Faults<M, A> {
    /// With the number of times they may still happen; `None` is always.
    active: Vec<(Fault<M, A>, Option<u32>)>,
}

impl<M, A> Default for Faults<M, A> {
    fn default() -> Self {
        Self { active: Vec::new() }
    }
}

impl<M: Cue, A: Clone> Faults<M, A> {
    pub fn set(&mut self, fault: Fault<M, A>, times: Option<u32>) {
        self.active.push((fault, times));
    }

    pub fn clear(&mut self) {
        self.active.clear();
    }

    /// What happens at this moment; uses up one of the times.
    pub fn take(&mut self, at: M) -> Vec<A> {
        self.take_if(|moment| (moment == at).then_some(())).into_iter().map(|((), act)| act).collect()
    }

    /// What is to happen so long after the setup.
    pub fn take_timed(&mut self) -> Vec<(Duration, A)> {
        self.take_if(M::delay)
    }

    fn take_if<T>(&mut self, wanted: impl Fn(M) -> Option<T>) -> Vec<(T, A)> {
        let mut taken = Vec::new();
        self.active.retain_mut(|(fault, times)| {
            let Some(found) = wanted(fault.at) else { return true };
            taken.push((found, fault.act.clone()));
            times.as_mut().is_none_or(|times| {
                *times = times.saturating_sub(1);
                *times > 0
            })
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Moment {
        Upgrade,
        After(u64),
    }

    impl Cue for Moment {
        const UPGRADE: Self = Self::Upgrade;

        fn delay(self) -> Option<Duration> {
            if let Self::After(seconds) = self { Some(Duration::from_secs(seconds)) } else { None }
        }
    }

    #[test]
    fn a_fault_happens_at_its_moment_and_as_often_as_it_may() {
        let mut faults = Faults::default();
        faults.set(Fault::new(Moment::Upgrade, "always"), None);
        faults.set(Fault::new(Moment::Upgrade, "twice"), Some(2));
        faults.set(Fault::new(Moment::After(3), "later"), Some(1));
        assert_eq!(faults.take(Moment::Upgrade), ["always", "twice"]);
        assert_eq!(faults.take(Moment::Upgrade), ["always", "twice"]);
        assert_eq!(faults.take(Moment::Upgrade), ["always"]);
        assert_eq!(faults.take_timed(), [(Duration::from_secs(3), "later")]);
        assert_eq!(faults.take_timed(), []);
        faults.clear();
        assert!(faults.take(Moment::Upgrade).is_empty());
    }
}
