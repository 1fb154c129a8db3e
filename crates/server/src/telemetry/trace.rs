//! The names of traces and spans, what is sampled, and what other systems are told of it (W3C Trace Context).
//!
//! A call's trace has the name of the call: its 128 bits in hexadecimal. So every part that knows the call knows its trace, a record
//! of years ago leads to it, and whether it is sampled is the same wherever it is asked.

use crate::config::Sampler;
use callie_domain::CallId;
use sha2::{Digest, Sha256};
use std::fmt;

/// 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

impl TraceId {
    pub fn of(call: CallId) -> Self {
        Self(call.to_bytes())
    }

    pub fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Its last half, which is entropy of the call's name.
    fn entropy(self) -> [u8; 8] {
        let mut half = [0; 8];
        half.copy_from_slice(&self.0[8..]);
        half
    }
}

impl SpanId {
    /// Of the whole call.
    pub fn root(trace: TraceId) -> Self {
        Self::from(u64::from_be_bytes(trace.entropy()))
    }

    /// The `number`th of its kind in a trace: the same whenever it is asked for.
    pub fn nth(trace: TraceId, kind: &str, number: usize) -> Self {
        let mut hash = Sha256::new();
        hash.update(trace.0);
        hash.update(kind);
        hash.update(number.to_be_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize()[..8]);
        Self::from(u64::from_be_bytes(id))
    }

    pub fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// As [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        u64::from_str_radix(text, 16).ok().filter(|bits| fits && *bits != 0).map(Self::from)
    }
}

/// Fresh random bits, or those of another name.
impl From<u64> for SpanId {
    fn from(bits: u64) -> Self {
        Self(bits.max(1).to_be_bytes())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether a trace is kept. As OpenTelemetry decides it: by the last 63 bits of the name.
pub fn is_sampled(sampler: Sampler, trace: TraceId) -> bool {
    match sampler {
        Sampler::AlwaysOn => true,
        Sampler::AlwaysOff => false,
        Sampler::Ratio(ratio) => ((u64::from_be_bytes(trace.entropy()) >> 1) as f64) < ratio * (1u64 << 63) as f64,
    }
}

/// What a request of a call tells the other side. Only where traces are exported: without, we are no part of anybody's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: TraceId,
    pub sampled: bool,
}

impl TraceParent {
    pub const HEADER: &'static str = "traceparent";

    /// The header's value: `00-trace-span-flags` (W3C Trace Context §3.2).
    pub fn of(self, span: SpanId) -> String {
        format!("00-{}-{span}-{:02x}", self.trace, u8::from(self.sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(entropy: u128) -> TraceId {
        TraceId::of(CallId::new(jiff::Timestamp::UNIX_EPOCH, entropy))
    }

    #[test]
    fn a_trace_is_the_call_in_hexadecimal() {
        let call: CallId = "01JD3V6Q0X3N2Z7Y5W4T8R9P1M".parse().expect("a call");
        let trace = TraceId::of(call);
        assert_eq!(trace.to_string(), "019347b35c1d1d45f3f8bc269184d834");
        let parent = TraceParent { trace, sampled: true };
        assert_eq!(parent.of(SpanId::root(trace)), "00-019347b35c1d1d45f3f8bc269184d834-f3f8bc269184d834-01");
        assert!(TraceParent { sampled: false, ..parent }.of(SpanId::from(7)).ends_with("-0000000000000007-00"));
    }

    #[test]
    fn spans_have_names_of_their_own_that_are_never_zero() {
        let trace = trace(7);
        assert_ne!(SpanId::nth(trace, "turn", 0), SpanId::nth(trace, "turn", 1));
        assert_ne!(SpanId::nth(trace, "turn", 0), SpanId::nth(trace, "tool", 0));
        assert_eq!(SpanId::nth(trace, "turn", 0), SpanId::nth(trace, "turn", 0));
        assert_eq!(SpanId::root(self::trace(0)).to_string(), "0000000000000001");
        let id = SpanId::nth(trace, "turn", 0);
        assert_eq!(SpanId::parse(&id.to_string()), Some(id));
        for bad in ["", "0", "0000000000000000", "+00000000000000a", "00000000000000zz"] {
            assert_eq!(SpanId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_share_of_traces_is_kept_and_always_the_same_ones() {
        let step = u128::MAX >> 48;
        let kept = |sampler| (0..1_000u128).filter(|n| is_sampled(sampler, trace((n * 0x9E37_79B9_7F4A_7C15) & step))).count();
        assert_eq!((kept(Sampler::AlwaysOn), kept(Sampler::AlwaysOff)), (1_000, 0));
        assert_eq!((kept(Sampler::Ratio(1.0)), kept(Sampler::Ratio(0.0))), (1_000, 0));
        let quarter = kept(Sampler::Ratio(0.25));
        assert!((200..=300).contains(&quarter), "{quarter}");
    }
}
