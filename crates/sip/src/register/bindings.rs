//! What registrars have of us: the binding that counts, and those that it has replaced and that are still to be removed.

use super::{Went, targets::Role};
use crate::header::SipTarget;
use std::time::Duration;

/// Replaced bindings that are remembered; older ones run out by themselves.
const MOST_REPLACED: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Binding {
    pub went: Went,
    /// Where a redirection led.
    pub target: Option<SipTarget>,
    pub until: Duration,
    /// When it was last granted; `None` when a request was lost and nobody knows.
    pub granted_at: Option<Duration>,
}

#[derive(Debug)]
struct Replaced {
    binding: Binding,
    /// Removing it was tried, or its registrar does not answer.
    given_up: bool,
}

#[derive(Debug, Default)]
pub(super) struct Bindings {
    current: Option<Binding>,
    replaced: Vec<Replaced>,
}

impl Bindings {
    pub fn current(&self) -> Option<&Binding> {
        self.current.as_ref()
    }

    /// Granted: the one before it, under another Contact or at another registrar, has to go.
    pub fn granted(&mut self, binding: Binding) {
        if let Some(before) = self.current.take().filter(|before| before.went != binding.went) {
            // A registrar that has not answered is not asked before it has.
            let silent = before.granted_at.is_none();
            self.replace(before, silent);
        }
        self.replaced.retain(|replaced| replaced.binding.went != binding.went);
        self.current = Some(binding);
    }

    /// A request was lost: the registrar may have bound us all the same.
    pub fn perhaps(&mut self, binding: Binding) {
        match &mut self.current {
            Some(current) if current.went == binding.went => {
                current.until = current.until.max(binding.until);
                current.granted_at = None;
            }
            None => self.current = Some(binding),
            Some(_) => self.replace(binding, true),
        }
    }

    /// The next to remove while we stay; each is tried once.
    pub fn next_to_remove(&mut self, now: Duration) -> Option<Binding> {
        self.replaced.retain(|replaced| replaced.binding.until > now);
        let next = self.replaced.iter_mut().find(|replaced| !replaced.given_up)?;
        next.given_up = true;
        Some(next.binding.clone())
    }

    pub fn removed(&mut self, went: &Went) {
        self.replaced.retain(|replaced| replaced.binding.went != *went);
        self.current.take_if(|current| current.went == *went);
    }

    /// The next to remove when we leave; it is forgotten by that.
    pub fn take_last(&mut self, now: Duration) -> Option<Binding> {
        self.replaced.retain(|replaced| replaced.binding.until > now);
        self.current.take().filter(|current| current.until > now).or_else(|| self.replaced.pop().map(|r| r.binding))
    }

    pub fn at(&self, role: Role) -> bool {
        self.current.as_ref().is_some_and(|current| current.went.role == role)
    }

    fn replace(&mut self, binding: Binding, given_up: bool) {
        self.replaced.retain(|replaced| replaced.binding.went != binding.went);
        if self.replaced.len() == MOST_REPLACED {
            self.replaced.remove(0);
        }
        self.replaced.push(Replaced { binding, given_up });
    }
}
