//! Somebody listens to a call besides its agent: both sides as they are recorded, in a ring of its own. Whoever is slow loses frames;
//! the call loses nothing.

use crate::record::StereoFrame;
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use tokio::sync::Notify;

/// Frames the ring holds: 1 s.
const RING_FRAMES: usize = 50;
/// Listeners of one call.
pub(super) const MAX_LISTENERS: usize = 4;

/// Makes both ends.
pub(super) fn overhear() -> (Overhearing, OverhearFeed) {
    let (producer, consumer) = RingBuffer::new(RING_FRAMES);
    let wake = Arc::new(Notify::new());
    (Overhearing { ring: consumer, wake: Arc::clone(&wake) }, OverhearFeed { ring: producer, wake })
}

/// Both sides of a call, 20 ms after 20 ms at 8 kHz: pairs of the other side and ours. Dropping it ends the listening.
#[derive(Debug)]
pub struct Overhearing {
    ring: Consumer<StereoFrame>,
    wake: Arc<Notify>,
}

impl Overhearing {
    /// The next frame; `None` once the call's media has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<StereoFrame> {
        loop {
            // Looked at first: what was pushed before the end is heard.
            let over = self.ring.is_abandoned();
            if let Ok(frame) = self.ring.pop() {
                return Some(frame);
            }
            if over {
                return None;
            }
            self.wake.notified().await;
        }
    }
}

/// The media thread's end.
#[derive(Debug)]
pub(super) struct OverhearFeed {
    ring: Producer<StereoFrame>,
    wake: Arc<Notify>,
}

impl OverhearFeed {
    /// `false` when nobody listens any more. A frame without room is lost.
    pub(super) fn push(&mut self, frame: &StereoFrame) -> bool {
        let _ = self.ring.push(*frame);
        self.wake.notify_one();
        !self.ring.is_abandoned()
    }
}

impl Drop for OverhearFeed {
    fn drop(&mut self) {
        // The ring is abandoned a moment later, before or after the listener looks: whoever finds it open waits no more than that.
        let ring = RingBuffer::new(1).0;
        drop(std::mem::replace(&mut self.ring, ring));
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_in_order_and_the_end_is_told() {
        let (mut listener, mut feed) = overhear();
        for value in 0..3 {
            assert!(feed.push(&[value; 320]));
        }
        assert_eq!(listener.next().await.map(|frame| frame[0]), Some(0));
        let hears = async {
            let mut heard = Vec::new();
            while let Some(frame) = listener.next().await {
                heard.push(frame[0]);
            }
            heard
        };
        let speaks = async {
            tokio::task::yield_now().await;
            assert!(feed.push(&[3; 320]));
            tokio::task::yield_now().await;
            drop(feed);
        };
        assert_eq!(tokio::join!(hears, speaks).0, [1, 2, 3]);
    }

    #[test]
    fn who_is_slow_loses_frames_and_who_is_gone_is_told_of() {
        let (listener, mut feed) = overhear();
        for _ in 0..10 * RING_FRAMES {
            assert!(feed.push(&[7; 320]));
        }
        assert_eq!(listener.ring.slots(), RING_FRAMES);
        drop(listener);
        assert!(!feed.push(&[7; 320]));
    }
}
