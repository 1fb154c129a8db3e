//! RTP as far as a telephone call needs it: the fixed header, telephone events, reports and encryption.

pub mod header;
pub mod rtcp;
pub mod srtp;
pub mod telephone_event;

pub use header::{RtpError, RtpHeader, RtpPacket};
pub use telephone_event::{DtmfReceiver, DtmfSender, EventPacket, TelephoneEvent};
