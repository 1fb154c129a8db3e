//! Asks a STUN server for our address, over the socket of everything: the mapping that it sees is the one that SIP has.

use super::Wire;
use super::socket::FilteredUdp;
use crate::stun::{self, TransactionId};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Pauses after each request, in T1 (RFC 8489 §6.2.1 with Rc = 5).
const PAUSES_T1: [u32; 5] = [1, 2, 4, 8, 8];

/// Questions that are not answered yet: at most one for each account.
#[derive(Default)]
pub(super) struct Questions(Mutex<HashMap<TransactionId, (SocketAddr, oneshot::Sender<SocketAddr>)>>);

impl Questions {
    fn ask(&self, id: TransactionId, server: SocketAddr) -> oneshot::Receiver<SocketAddr> {
        let (answered, answer) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (server, answered));
        answer
    }

    fn forget(&self, id: &TransactionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Takes an answer in, if it is one to a question of ours by whom we asked.
    pub fn answer(&self, datagram: &[u8], source: SocketAddr) {
        let Some((id, address)) = stun::response(datagram) else { return };
        let mut questions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if questions.get(&id).is_some_and(|(server, _)| *server == source)
            && let Some((_, answered)) = questions.remove(&id)
        {
            // Whoever asked may have left.
            answered.send(address).ok();
        }
    }
}

/// Forgets its question when it ends, answered or not.
struct Asked<'a>(&'a FilteredUdp, TransactionId);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.questions.forget(&self.1);
    }
}

impl Wire {
    /// Where `server` sees us; `None` when it does not answer.
    pub async fn address_by_stun(&self, server: SocketAddr) -> Option<SocketAddr> {
        let id: TransactionId = rand::random();
        let mut answer = self.udp.questions.ask(id, server);
        let _asked = Asked(&self.udp, id);
        for pause in PAUSES_T1 {
            self.udp.send_unheard(&stun::request(&id), server).await.ok();
            match tokio::time::timeout(self.t1 * pause, &mut answer).await {
                Ok(answered) => return answered.ok(),
                Err(_) => continue,
            }
        }
        None
    }
}
