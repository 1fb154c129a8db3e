//! Blocks of free ports.
//!
//! Child processes have to be told their ports, and some take a whole range for RTP, so port 0 does not help. A block of 100
//! ports is held by a file lock for as long as its owner lives: tests in other processes, and a second run of the tests on the
//! same machine, take other blocks. All blocks lie below the range that the kernel gives out by itself.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    ops::RangeInclusive,
};

const FIRST_BLOCK: u16 = 20_000;
const BLOCK: u16 = 100;
const BLOCKS: u16 = 120;

/// 100 ports that nobody else uses while this lives.
#[derive(Debug)]
pub struct PortBlock {
    next: u16,
    end: u16,
    _lock: File,
}

impl PortBlock {
    pub fn take() -> Self {
        let folder = std::env::temp_dir().join("callie-e2e-ports");
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        // Begin at a place of our own, so that tests started together do not queue for the same locks.
        let offset = u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("below BLOCKS");
        (0..BLOCKS)
            .map(|i| (i + offset) % BLOCKS)
            .find_map(|block| {
                let lock = File::create(folder.join(format!("{block}.lock"))).ok()?;
                lock.try_lock().ok()?;
                let first = FIRST_BLOCK + block * BLOCK;
                Some(Self { next: first, end: first + BLOCK, _lock: lock })
            })
            .expect("one of 120 port blocks is free")
    }

    /// A port that is free for UDP and TCP on loopback.
    pub fn one(&mut self) -> u16 {
        self.run(1)
    }

    /// The first of `count` adjoining free ports.
    pub fn run(&mut self, count: u16) -> u16 {
        loop {
            let first = self.next;
            assert!(first + count <= self.end, "the port block is used up");
            match (first..first + count).find(|port| !is_free(*port)) {
                None => {
                    self.next = first + count;
                    return first;
                }
                Some(taken) => self.next = taken + 1,
            }
        }
    }

    /// A range for RTP, beginning at an even port.
    pub fn range(&mut self, count: u16) -> RangeInclusive<u16> {
        let first = self.run(count + 1);
        let first = first + first % 2;
        first..=first + count - 1
    }
}

/// Whether nobody listens on this port of loopback, neither UDP nor TCP.
pub fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    let any = (Ipv4Addr::UNSPECIFIED, port);
    UdpSocket::bind(any).is_ok() && UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}
