//! Any bytes as an offer and as an answer: no panic, and every answer of ours can be read by ourselves.
#![no_main]

use callie_sip::sdp::{G711, LocalMedia, negotiate, read_answer};
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr};

fuzz_target!(|body: &[u8]| {
    let local = LocalMedia {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        port: 10_000,
        session_id: 1,
        version: 1,
        codecs: vec![G711::Pcmu, G711::Pcma],
    };
    let as_answer = read_answer(body, &local);
    let Ok(negotiated) = negotiate(body, &local) else { return };
    assert!(as_answer.is_ok(), "usable as an offer, but not as an answer");
    let remote = negotiated.media.remote.ip();
    // Held the old way, the peer has told no address to take its part with.
    let address = if remote.is_unspecified() { local.address } else { remote };
    let read_back = read_answer(negotiated.answer.as_bytes(), &LocalMedia { address, ..local });
    assert!(read_back.is_ok(), "{read_back:?}: {}", negotiated.answer);
});
