//! What a run has shown, and whether that is good enough.

use super::process::Holdings;
use std::{collections::BTreeMap, fmt, time::Duration};

/// What memory may do over a run.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// By so much at the most from the base to the end, with nothing of any call left.
    pub growth_kb: u64,
    /// And by so many bytes for each call of the second half, which needs no more at once than the first did.
    pub bytes_per_call: Option<i64>,
}

/// How a call ended.
pub struct Over {
    pub ending: String,
    /// It was answered and not hung up at once.
    pub stayed: bool,
    /// The agent was heard.
    pub heard: bool,
}

/// Memory in mid-run.
pub struct Sample {
    pub calls: usize,
    pub resident_kb: u64,
    pub lingering: usize,
}

/// A run.
pub struct Outcome {
    pub limit: Limit,
    /// Nothing may linger at the end.
    pub to_the_last_transaction: bool,
    /// After the warm-up, after the first half, after the second.
    pub base: Holdings,
    pub middle: Holdings,
    pub after: Holdings,
    pub curve: Vec<Sample>,
    pub endings: BTreeMap<String, usize>,
    pub calls: usize,
    pub answered: usize,
    /// Of the calls that were answered, those in which the agent was heard.
    pub heard: usize,
    /// Sockets at the AI, at the end.
    pub ai_sockets: usize,
    /// With calls up.
    pub took: Duration,
}

impl Outcome {
    /// Bytes that stayed for each call of the second half.
    pub fn bytes_per_call(&self) -> i64 {
        let grown = self.after.resident_kb as i64 - self.middle.resident_kb as i64;
        grown * 1_024 / (self.calls as i64 / 2).max(1)
    }

    /// What is not as it was; empty if all is well.
    pub fn faults(&self) -> Vec<String> {
        let (base, after) = (&self.base, &self.after);
        let mut faults = Vec::new();
        if after.tasks > base.tasks || after.descriptors > base.descriptors || self.ai_sockets > 0 {
            faults.push(format!("tasks or sockets are left: {base:?} -> {after:?}, {} AI sockets", self.ai_sockets));
        }
        if !after.no_call() || (self.to_the_last_transaction && after.lingering > 0) {
            faults.push(format!("something of calls is left: {after:?}"));
        }
        if self.heard < self.answered {
            faults.push(format!("{} of {} answered calls heard no agent", self.answered - self.heard, self.answered));
        }
        faults.extend(self.memory_faults());
        faults
    }

    fn memory_faults(&self) -> impl Iterator<Item = String> {
        let Limit { growth_kb, bytes_per_call } = self.limit;
        let (base, after) = (self.base.resident_kb, self.after.resident_kb);
        let grown =
            (after > base + growth_kb).then(|| format!("memory grew from {base} to {after} KB; {growth_kb} KB are allowed"));
        let slope = bytes_per_call
            .filter(|most| self.bytes_per_call() > *most)
            .map(|most| format!("{} bytes stayed for each call of the second half; {most} are allowed", self.bytes_per_call()));
        grown.into_iter().chain(slope)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, seconds) = (self.calls, self.took.as_secs_f64());
        writeln!(out, "{calls} calls in {seconds:.0} s ({:.1} per second): {:?}", calls as f64 / seconds, self.endings)?;
        writeln!(out, "{} answered, the agent heard in {}", self.answered, self.heard)?;
        for Sample { calls, resident_kb, lingering } in &self.curve {
            writeln!(out, "after {calls:6} calls | {resident_kb:6} KB | {lingering:6} transactions linger")?;
        }
        for (name, held) in [("base", &self.base), ("middle", &self.middle), ("end", &self.after)] {
            let Holdings { tasks, descriptors, calls, rtp_ports, dialogs, transactions, lingering, resident_kb } = held;
            writeln!(
                out,
                "{name:6} | {resident_kb} KB | tasks {tasks} | descriptors {descriptors} | calls {calls} | RTP ports {rtp_ports} \
                 | dialogs {dialogs} | transactions {transactions}, lingering {lingering}"
            )?;
        }
        writeln!(out, "{} AI sockets; {} bytes stayed for each call of the second half", self.ai_sockets, self.bytes_per_call())
    }
}
