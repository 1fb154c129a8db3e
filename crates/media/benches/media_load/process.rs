//! What Linux says of this process.

use std::{fs, time::Duration};

/// CPU time of all threads that live now.
pub fn cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("linux");
    let on_cpu = tasks.flatten().filter_map(|task| {
        let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedstat.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(on_cpu.sum())
}

pub fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("linux");
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}
