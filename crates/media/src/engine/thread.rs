//! A media thread: sleeps, ticks, and gives each of its calls a beat every 20 ms.

use super::{
    line::Line,
    schedule::{SLOTS, Schedule},
    sys::{self, Datagrams},
};
use crate::session::Beat;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

/// Calls opened since the last tick (5 ms); more than this at once is refused as busy.
const OPENINGS: usize = 256;
/// Above ordinary threads, below the kernel's own.
const REALTIME_PRIORITY: i32 = 10;

/// Written by the thread, read by anybody.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Calls given to the thread and not yet closed.
    pub(super) calls: AtomicUsize,
    pub(super) ticks: AtomicU64,
    pub(super) late_ticks: AtomicU64,
    pub(super) worst_lateness_us: AtomicU64,
}

/// The engine's handle on one thread.
#[derive(Debug)]
pub(super) struct MediaThread {
    pub(super) openings: SyncSender<Box<Line>>,
    pub(super) counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MediaThread {
    /// Starts a thread; the second value is why it has no real-time priority, if it was to have one.
    pub(super) fn start(index: usize, realtime: bool) -> io::Result<(Self, Option<io::Error>)> {
        let (openings, inbox) = sync_channel(OPENINGS);
        let (counters, stop) = (Arc::<Counters>::default(), Arc::<AtomicBool>::default());
        let (told, priority) = sync_channel(1);
        let worker = Worker {
            slots: Default::default(),
            openings: inbox,
            counters: Arc::clone(&counters),
            stop: Arc::clone(&stop),
            datagrams: Datagrams::new(),
            beat: Beat::new(),
        };
        let thread = Builder::new().name(format!("media-{index}")).spawn(move || {
            let refused = realtime.then(|| sys::set_realtime(REALTIME_PRIORITY).err()).flatten();
            let _ = told.send(refused);
            worker.run();
        })?;
        let refused = priority.recv().ok().flatten();
        Ok((Self { openings, counters, stop, thread: Some(thread) }, refused))
    }
}

impl Drop for MediaThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    // Boxed: calls come and go without their state being moved.
    slots: [Vec<Box<Line>>; SLOTS],
    openings: Receiver<Box<Line>>,
    counters: Arc<Counters>,
    stop: Arc<AtomicBool>,
    datagrams: Datagrams,
    beat: Beat,
}

impl Worker {
    /// Ends when the engine stops; whatever calls there are close with it.
    fn run(mut self) {
        let mut schedule = Schedule::new(sys::now());
        while !self.stop.load(Ordering::Acquire) {
            sys::sleep_until(schedule.wake_at());
            let now = sys::now();
            self.take_openings();
            let tick = schedule.begin(now);
            if tick.skipped_beats > 0 {
                self.slots.iter_mut().flatten().for_each(|line| line.skip(tick.skipped_beats));
            }
            self.count(tick.late, tick.lateness);
            self.datagrams.begin(now);
            self.run_slot(tick.slot, now);
        }
    }

    fn take_openings(&mut self) {
        while let Ok(line) = self.openings.try_recv() {
            if let Some(slot) = self.slots.iter_mut().min_by_key(|slot| slot.len()) {
                slot.push(line);
            }
        }
    }

    fn run_slot(&mut self, slot: usize, now: Duration) {
        let lines = &mut self.slots[slot];
        let mut i = 0;
        while let Some(line) = lines.get_mut(i) {
            if line.is_closing() {
                let closed = lines.swap_remove(i);
                // Counted first: dropping it tells those who wait.
                self.counters.calls.fetch_sub(1, Ordering::Release);
                drop(closed);
            } else {
                line.beat(now, &mut self.datagrams, &mut self.beat);
                i += 1;
            }
        }
    }

    fn count(&self, late: bool, lateness: Duration) {
        self.counters.ticks.fetch_add(1, Ordering::Relaxed);
        if late {
            self.counters.late_ticks.fetch_add(1, Ordering::Relaxed);
        }
        let lateness_us = u64::try_from(lateness.as_micros()).unwrap_or(u64::MAX);
        self.counters.worst_lateness_us.fetch_max(lateness_us, Ordering::Relaxed);
    }
}
