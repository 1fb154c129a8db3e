//! RTCP as far as a telephone call needs it: reports, the name of the source, and goodbye (RFC 3550 §6).

mod params;

pub use params::{CNAME_LEN, CNAME_SEED_LEN, Cname, RtcpParams};
