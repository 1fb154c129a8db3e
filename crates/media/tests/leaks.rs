//! Many calls opened and closed at once leave no thread, descriptor or port behind. Alone in its process: it counts.

#[expect(dead_code, reason = "shared with the other tests, which use more of it")]
mod peer;

use callie_media::ports::RtpPorts;
use peer::{DEADLINE, Peer, engine, open, params};
use tokio::{task::JoinSet, time::timeout};

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("linux").count()
}

#[test]
fn fifty_calls_at_once_leave_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let (ports, peer) = (RtpPorts::new(), Peer::new());
    let count = || (entries("/proc/self/task"), entries("/proc/self/fd"));
    let before_engine = count();
    let engine = engine();
    let before = count();
    for round in 0..4 {
        let calls: Vec<_> = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..50)
                .map(|call| {
                    let path = folder.path().join(format!("{round}/{call}.wav"));
                    scope.spawn(|| open(&engine, &ports, params(peer.address()), Some(path)).0)
                })
                .collect();
            openers.into_iter().map(|opener| opener.join().expect("opened")).collect()
        });
        assert_eq!((ports.reserved(), engine.stats().calls), (50, 50));
        runtime.block_on(async {
            // All at once: a closing call waits for nobody else's.
            let closing: JoinSet<_> = calls.into_iter().map(|media| media.control.close()).collect();
            timeout(DEADLINE, closing.join_all()).await.expect("closed");
        });
        assert_eq!((ports.reserved(), engine.stats().calls), (0, 0));
        assert_eq!(count(), before, "threads and descriptors after round {round}");
        assert_eq!(entries(&folder.path().join(round.to_string()).to_string_lossy()), 50);
    }
    drop(engine);
    assert_eq!(count(), before_engine);
}
