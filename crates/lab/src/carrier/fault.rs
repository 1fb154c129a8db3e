//! What goes wrong on purpose, for one subscriber or for all.

/// A fault on cue. All but [`Fault::Restart`], [`Fault::StaleOnce`] and [`Fault::DropNext`] last until cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is heard and nothing is answered.
    Silent,
    /// REGISTER is answered by this code with these headers.
    RejectRegister(u16, Vec<(String, String)>),
    /// REGISTER is answered by 503 with `Retry-After` in seconds.
    RetryAfter(u32),
    /// REGISTER for less than this many seconds is answered by 423.
    MinExpires(u32),
    /// Granted registrations last this many seconds, whatever was asked.
    GrantExpires(u32),
    /// Every REGISTER and INVITE is challenged anew, whatever it brings.
    AlwaysChallenge,
    /// The next answer to a challenge finds its nonce stale.
    StaleOnce,
    /// Credentials are refused by 403, right or wrong.
    BadAuth,
    /// REGISTER is sent elsewhere: 302 with this Contact URI.
    Redirect(String),
    /// INVITE is answered by this code.
    RejectInvite(u16),
    /// That many requests are lost.
    DropNext(u32),
    /// All that a request causes is sent this much later, in milliseconds.
    DelayMs(u64),
    /// BYE is lost on its way.
    LoseBye,
    /// At once: bindings, nonces and calls are forgotten, streams closed.
    Restart,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    active: Vec<(Option<String>, Fault)>,
}

impl Faults {
    /// Sets a fault; one of the same kind for the same subscriber is replaced.
    pub fn set(&mut self, username: Option<&str>, fault: Fault) {
        let same = |(other, old): &(Option<String>, Fault)| {
            other.as_deref() == username && std::mem::discriminant(old) == std::mem::discriminant(&fault)
        };
        self.active.retain(|known| !same(known));
        self.active.push((username.map(str::to_owned), fault));
    }

    pub fn clear(&mut self) {
        self.active.clear();
    }

    /// First thing that `pick` finds among the faults that concern one of these subscribers.
    pub fn find<T>(&self, users: &[&str], pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.active.iter().filter(|(user, _)| concerns(user.as_deref(), users)).find_map(|(_, fault)| pick(fault))
    }

    pub fn has(&self, users: &[&str], wanted: &Fault) -> bool {
        self.find(users, |fault| (fault == wanted).then_some(())).is_some()
    }

    /// Uses up one `DropNext`.
    pub fn take_drop(&mut self, users: &[&str]) -> bool {
        let mut counts =
            self.active.iter_mut().filter(|(user, _)| concerns(user.as_deref(), users)).filter_map(|(_, fault)| match fault {
                Fault::DropNext(left) if *left > 0 => Some(left),
                _ => None,
            });
        counts.next().map(|left| *left -= 1).is_some()
    }

    /// Uses up one `StaleOnce`.
    pub fn take_stale(&mut self, users: &[&str]) -> bool {
        let found = self.active.iter().position(|(user, fault)| *fault == Fault::StaleOnce && concerns(user.as_deref(), users));
        found.map(|at| self.active.remove(at)).is_some()
    }
}

fn concerns(chosen: Option<&str>, users: &[&str]) -> bool {
    chosen.is_none_or(|chosen| users.contains(&chosen))
}
