//! The evidence of calls on its way to the store and to the live feed.
//!
//! | module | holds |
//! |---|---|
//! | [`feed`] | the live feed that `/events` reads |
//! | [`sink`] | one writer for all calls' records, in order, behind a bounded channel |
//! | [`journal`] | one call's record while the call is up |
//! | [`erasure`] | what was said, deleted: when its time is over, or on request |
//! | [`metrics`], [`latency`] | what is counted of calls since the server began |
//! | [`spans`] | calls that are over become traces |
//! | [`uptime`] | how long lines are registered |
//! | [`recordings`] | recordings, sealed as they are written, opened as they are heard |
//! | [`traces`] | the SIP messages of the calls that are up, written down twice a second |

pub mod erasure;
pub mod feed;
pub mod journal;
pub mod latency;
pub mod metrics;
pub mod recordings;
pub mod sink;
pub mod spans;
pub mod traces;
pub mod uptime;

pub use feed::LiveFeed;
pub use journal::Journal;
pub use latency::Latencies;
pub use metrics::Metrics;
pub use recordings::Recordings;
pub use sink::{RecordSink, SinkHandle};
pub use spans::CallSpans;
pub use traces::Traces;
pub use uptime::LineWatch;
