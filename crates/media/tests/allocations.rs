//! A call that is up allocates nothing. Alone in its process: it counts for all threads.
#![expect(unsafe_code, reason = "a global allocator that counts can only be written with unsafe")]

#[expect(dead_code, reason = "shared with the other tests, which use more of it")]
mod peer;

use callie_media::{
    codec::Codec,
    ports::RtpPorts,
    rtp::{
        rtcp::RtcpParams,
        srtp::{KEY_LEN, SrtpKey, SrtpParams, SrtpSuite},
    },
    session::SessionParams,
};
use peer::{Peer, engine, open, params};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering},
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Opus is not among them: its codec allocates for each packet (docs/adr/0013).
#[test]
fn a_call_allocates_nothing_per_frame() {
    a_call_allocates_nothing(Codec::Pcmu, 20, None);
    a_call_allocates_nothing(Codec::G722, 30, None);
    let [send, receive] = [1, 2].map(|octet| SrtpKey::new([octet; KEY_LEN]));
    a_call_allocates_nothing(Codec::Pcma, 20, Some(SrtpParams { suite: SrtpSuite::AesCm128HmacSha1_80, send, receive }));
}

fn a_call_allocates_nothing(codec: Codec, ptime_ms: u16, srtp: Option<SrtpParams>) {
    let (engine, ports, mut peer) = (engine(), RtpPorts::new(), Peer::new());
    let folder = tempfile::tempdir().expect("a folder");
    // The peer speaks G.711 under whatever name: to G.722 that is noise, but no less work.
    let rtcp = RtcpParams { mux: true, ..RtcpParams::default() };
    srtp.iter().for_each(|keys| peer.encrypt(keys));
    let params = SessionParams { codec, ptime_ms, srtp, rtcp, ..params(peer.address()) };
    let (mut media, local) = open(&engine, &ports, params, Some(folder.path().join("call.wav")));
    media.control.listen(true);
    media.control.watch_barge_in(true);
    let mut next = Some(vec![7_000; 2_400]);
    let mut frames = 0;
    let mut talk = |beats: u32| {
        for beat in 0..beats {
            // Every tenth packet is lost: concealment must not allocate either.
            peer.hear();
            if beat % 10 != 0 {
                peer.speak(5_000.0, local);
            } else {
                peer.report(local);
            }
            while let Some(frame) = media.ear.pop() {
                frames += frame.len() / 160;
            }
            if let Some(mut chunk) = next.take().or_else(|| media.voice.recycled()) {
                chunk.resize(2_400, 7_000);
                next = media.voice.say(chunk).err();
            }
        }
    };
    talk(100);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    talk(200);
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0, "allocations in 200 beats of {codec:?}");
    let told = media.control.stats();
    assert!(told.rtcp.sent > 0 && told.rtcp.received > 0 && told.unauthentic == 0, "{told:?}");
    assert!(frames >= 250);
}
