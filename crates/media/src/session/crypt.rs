//! The keys of a session, both ways, and their change within the call.

use crate::rtp::srtp::{SrtpError, SrtpParams, SrtpReceiver, SrtpSender, SrtpSuite};
use std::time::Duration;

/// How long packets under the keys before may come after a change: until our answer has reached the far end, which is as long as
/// SIP goes on trying (RFC 3261 §17.1.1.2, Timer B).
const FORMER_KEYS_FOR: Duration = Duration::from_secs(32);

/// See the module.
#[derive(Debug)]
pub(super) struct Crypt {
    params: SrtpParams,
    sender: SrtpSender,
    receiver: SrtpReceiver,
    former: Option<Former>,
}

#[derive(Debug)]
struct Former {
    receiver: SrtpReceiver,
    until: Duration,
}

impl Crypt {
    pub fn new(params: SrtpParams) -> Self {
        let sender = SrtpSender::new(params.suite, &params.send);
        let receiver = SrtpReceiver::new(params.suite, &params.receive);
        Self { params, sender, receiver, former: None }
    }

    pub fn suite(&self) -> SrtpSuite {
        self.params.suite
    }

    /// An offer or answer within the call. A key that it says again goes on where it is; a new one begins anew (RFC 4568 §7.1.4).
    pub fn rekey(&mut self, params: SrtpParams, now: Duration) {
        let same_suite = params.suite == self.params.suite;
        if !same_suite || params.send != self.params.send {
            self.sender = SrtpSender::new(params.suite, &params.send);
        }
        if !same_suite || params.receive != self.params.receive {
            let successor = self.receiver.successor(params.suite, &params.receive);
            let receiver = std::mem::replace(&mut self.receiver, successor);
            self.former = Some(Former { receiver, until: now + FORMER_KEYS_FOR });
        }
        self.params = params;
    }

    /// In place; returns the length of the packet in clear.
    pub fn unprotect(&mut self, packet: &mut [u8], now: Duration) -> Result<usize, SrtpError> {
        let result = self.receiver.unprotect(packet);
        self.or_under_former_key(result, now, |former| former.unprotect(packet))
    }

    /// In place; returns the length of the packet on the wire.
    pub fn protect(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        self.sender.protect(buffer, len)
    }

    /// In place; returns the length of the packet in clear.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8], now: Duration) -> Result<usize, SrtpError> {
        let result = self.receiver.unprotect_rtcp(packet);
        self.or_under_former_key(result, now, |former| former.unprotect_rtcp(packet))
    }

    /// In place; returns the length of the packet on the wire.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        self.sender.protect_rtcp(buffer, len)
    }

    /// The former key ends with the first packet under the new one.
    fn or_under_former_key(
        &mut self,
        result: Result<usize, SrtpError>,
        now: Duration,
        unprotect: impl FnOnce(&mut SrtpReceiver) -> Result<usize, SrtpError>,
    ) -> Result<usize, SrtpError> {
        let Some(former) = &mut self.former else { return result };
        if result.is_ok() || now >= former.until {
            self.former = None;
            return result;
        }
        result.or_else(|error| if error == SrtpError::Unauthentic { unprotect(&mut former.receiver) } else { Err(error) })
    }
}
