//! Room for calls whose INVITE has not been acknowledged. Each holds a leg, its transaction and the descriptions of both sides until
//! the ACK, or for 64·T1 without one; whoever sends INVITEs alone could fill the memory with them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// In all, from one peer, from one stranger. At some 40 KB each (see docs/benchmarks.md) all of them are 80 MB.
const MOST: usize = 2_048;
const MOST_OF_PEER: usize = 1_536;
const MOST_OF_STRANGER: usize = 32;

#[derive(Default)]
pub(super) struct Setups(Mutex<HashMap<IpAddr, usize>>);

/// The room of one call, given back when dropped.
pub(crate) struct SetupPlace {
    setups: Arc<Setups>,
    source: IpAddr,
}

impl Setups {
    pub fn take(self: &Arc<Self>, source: IpAddr, is_peer: bool) -> Option<SetupPlace> {
        let mut setups = self.lock();
        let most = if is_peer { MOST_OF_PEER } else { MOST_OF_STRANGER };
        if setups.values().sum::<usize>() >= MOST || setups.get(&source).is_some_and(|calls| *calls >= most) {
            return None;
        }
        *setups.entry(source).or_default() += 1;
        Some(SetupPlace { setups: self.clone(), source })
    }

    pub fn count(&self) -> usize {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SetupPlace {
    fn drop(&mut self) {
        let mut setups = self.setups.lock();
        let Some(calls) = setups.get_mut(&self.source) else { return };
        *calls -= 1;
        if *calls == 0 {
            setups.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_of_one_and_of_all() {
        let setups = Arc::<Setups>::default();
        let of = |n: u32, is_peer| -> Vec<SetupPlace> {
            (0..5_000).map_while(|_| setups.take(IpAddr::V4(n.into()), is_peer)).collect()
        };
        let (stranger, peer, other) = (of(1, false), of(2, true), of(3, true));
        assert_eq!(
            [stranger.len(), peer.len(), other.len()],
            [MOST_OF_STRANGER, MOST_OF_PEER, MOST - MOST_OF_STRANGER - MOST_OF_PEER]
        );
        drop((stranger, peer, other));
        assert_eq!(setups.count(), 0);
        assert!(setups.lock().is_empty());
    }
}
