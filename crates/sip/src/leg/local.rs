//! A leg without SIP: who is at its other end is in this process, such as somebody who talks from a browser. To the call it is an
//! inbound leg like any other.

use super::{Command, Facts, Leg, LegEvent, RequestFailure, pair, sink::EventSink};
use crate::trace::CallTrace;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The other end of a local leg.
pub struct LocalPeer {
    sink: EventSink,
    commands: mpsc::Receiver<Command>,
    answered: bool,
}

/// What the call asks of the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalOrder {
    Ring,
    /// The call is answered with this SDP.
    Answer(String),
    /// It is refused (300 to 699), and over.
    Refuse(u16),
    /// It is over.
    HangUp,
}

impl Leg {
    /// A call that nobody has sent. Its trace stays empty.
    pub fn local(call_id: &str) -> (Self, LocalPeer) {
        let (leg, sink, commands) = pair(Arc::new(Facts::new(call_id)), CallTrace::ended());
        (leg, LocalPeer { sink, commands, answered: false })
    }
}

impl LocalPeer {
    /// What is asked next; `None` when the call is gone. What only SIP could do is refused as a peer would. Cancel safe.
    pub async fn next(&mut self) -> Option<LocalOrder> {
        loop {
            match self.commands.recv().await? {
                Command::Ring => return Some(LocalOrder::Ring),
                Command::Answer(sdp) => {
                    self.answered = true;
                    self.sink.tell(LegEvent::Acknowledged { sdp: None });
                    return Some(LocalOrder::Answer(sdp));
                }
                Command::Reject(code) => {
                    self.sink.close();
                    return Some(LocalOrder::Refuse(code));
                }
                Command::HangUp(_) => {
                    self.sink.close();
                    return Some(LocalOrder::HangUp);
                }
                Command::Offer(_, outcome) => drop(outcome.send(Err(unable()))),
                Command::Info { outcome, .. } => drop(outcome.send(Err(unable()))),
                Command::Refer(_) => {
                    self.sink.tell(LegEvent::TransferProgress { code: 501, phrase: NOT_IMPLEMENTED.to_owned(), done: true });
                }
                Command::ReportRefer { .. } => {}
            }
        }
    }

    /// A key was pressed.
    pub fn press(&self, digit: char) {
        self.sink.tell(LegEvent::Dtmf(digit));
    }

    /// They hang up, or give up.
    pub fn hang_up(&mut self) {
        self.sink.end(if self.answered { LegEvent::HungUp { reason: None } } else { LegEvent::Cancelled });
    }
}

const NOT_IMPLEMENTED: &str = "Not Implemented";

fn unable() -> RequestFailure {
    RequestFailure::Refused { code: 501, phrase: NOT_IMPLEMENTED.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_rung_answered_and_hung_up_by_either_side() {
        let (mut leg, mut peer) = Leg::local("c");
        leg.control.ring().await;
        leg.control.answer("v=0".to_owned()).await;
        assert_eq!(peer.next().await, Some(LocalOrder::Ring));
        assert_eq!(peer.next().await, Some(LocalOrder::Answer("v=0".to_owned())));
        assert!(matches!(leg.events.recv().await, Some(LegEvent::Acknowledged { sdp: None })));
        peer.press('5');
        assert!(matches!(leg.events.recv().await, Some(LegEvent::Dtmf('5'))));
        peer.hang_up();
        assert!(matches!(leg.events.recv().await, Some(LegEvent::HungUp { .. })));
        assert!(leg.events.recv().await.is_none());

        let (mut leg, mut peer) = Leg::local("c");
        leg.control.hang_up().await;
        assert_eq!(peer.next().await, Some(LocalOrder::HangUp));
        assert!(leg.events.recv().await.is_none(), "we ended it");
        drop(leg);
        assert_eq!(peer.next().await, None);
    }

    #[tokio::test]
    async fn what_only_sip_can_do_is_refused() {
        let (leg, mut peer) = Leg::local("c");
        let asks = async {
            let offer = leg.control.reoffer("v=0".to_owned()).await;
            let info = leg.control.send_info("a/b", "c").await;
            leg.control.hang_up().await;
            (offer.map_err(|failure| failure.code()), info.map_err(|failure| failure.code()))
        };
        let (told, order) = tokio::join!(asks, peer.next());
        assert_eq!((told, order), ((Err(Some(501)), Err(Some(501))), Some(LocalOrder::HangUp)));
    }

    #[tokio::test]
    async fn who_gives_up_before_the_answer_has_cancelled() {
        let (mut leg, mut peer) = Leg::local("c");
        peer.hang_up();
        assert!(matches!(leg.events.recv().await, Some(LegEvent::Cancelled)));
    }
}
