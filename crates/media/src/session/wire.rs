//! Between session and wire: what comes is decrypted before anything else looks at it, what goes is encrypted last.
//!
//! So a packet that is not authentic moves no latch, is no sign of life and is never heard.

use super::{Beat, Received, Session, crypt::Crypt};
use crate::rtp::srtp::{SrtpError, SrtpParams, SrtpSuite};
use std::time::Duration;

impl Session {
    /// Keys of an offer or answer within the call. A key that is said again goes on where it is.
    pub fn rekey(&mut self, srtp: SrtpParams, now: Duration) {
        match &mut self.crypt {
            Some(crypt) => crypt.rekey(srtp, now),
            None => self.crypt = Some(Box::new(Crypt::new(srtp))),
        }
    }

    /// How RTP is encrypted now, if it is.
    pub fn srtp(&self) -> Option<SrtpSuite> {
        self.crypt.as_ref().map(|crypt| crypt.suite())
    }

    /// The RTP packet in clear, or what became of the datagram.
    pub(super) fn unprotect<'a>(&mut self, datagram: &'a mut [u8], now: Duration) -> Result<&'a [u8], Received> {
        let Some(crypt) = &mut self.crypt else { return Ok(datagram) };
        match crypt.unprotect(datagram, now) {
            Ok(len) => Ok(datagram.get(..len).unwrap_or_default()),
            Err(error) => Err(self.not_taken(error)),
        }
    }

    pub(super) fn not_taken(&mut self, error: SrtpError) -> Received {
        match error {
            SrtpError::Short | SrtpError::NotRtp => self.junk(),
            SrtpError::Replayed => {
                self.stats.replayed += 1;
                Received::Replayed
            }
            SrtpError::Unauthentic | SrtpError::NoRoom | SrtpError::KeyUsedUp => {
                self.stats.unauthentic += 1;
                Received::Unauthentic
            }
        }
    }

    /// The packets of the beat as they go over the wire; what cannot be encrypted is not sent.
    pub(super) fn protect(&mut self, beat: &mut Beat) {
        if let Some(crypt) = &mut self.crypt {
            for packet in beat.packets.iter_mut().filter(|packet| packet.len > 0) {
                packet.len = crypt.protect(&mut packet.bytes, packet.len).unwrap_or(0);
            }
        }
    }
}
