//! What the soak lets pass, and what it does not.

use crate::run::{Limit, outcome::Outcome, process::Holdings};
use std::{collections::BTreeMap, time::Duration};

const LIMIT: Limit = Limit { growth_kb: 16 * 1_024, bytes_per_call: Some(200) };

fn held(resident_kb: u64) -> Holdings {
    let (tasks, descriptors) = (20, 24);
    Holdings { tasks, descriptors, calls: 0, rtp_ports: 0, dialogs: 0, transactions: 0, lingering: 0, resident_kb }
}

fn outcome(middle_kb: u64, after: Holdings) -> Outcome {
    Outcome {
        limit: LIMIT,
        to_the_last_transaction: true,
        base: held(50_000),
        middle: held(middle_kb),
        after,
        curve: Vec::new(),
        endings: BTreeMap::new(),
        calls: 10_000,
        answered: 9_000,
        heard: 9_000,
        ai_sockets: 0,
        took: Duration::from_secs(100),
    }
}

#[test]
fn what_is_left_is_told() {
    let left = |change: fn(&mut Holdings)| {
        let mut after = held(60_000);
        change(&mut after);
        outcome(60_000, after).faults().len()
    };
    assert_eq!(left(|_| {}), 0);
    assert_eq!(left(|after| after.tasks = 21), 1);
    assert_eq!(left(|after| after.descriptors = 25), 1);
    assert_eq!(left(|after| after.dialogs = 1), 1);
    assert_eq!(left(|after| after.rtp_ports = 2), 1);
    assert_eq!(left(|after| after.lingering = 1), 1);
}

#[test]
fn memory_has_a_limit_for_the_run_and_one_for_each_call() {
    for (middle_kb, after_kb, faults) in [(60_000, 60_900, 0), (60_000, 61_100, 1), (66_300, 66_400, 1), (50_000, 70_000, 2)] {
        assert_eq!(outcome(middle_kb, held(after_kb)).faults().len(), faults, "{middle_kb} KB, then {after_kb} KB");
    }
}
