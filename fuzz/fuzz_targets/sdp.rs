//! Any bytes as an offer and as an answer, under each policy: no panic, and every answer of ours can be read by ourselves.
#![no_main]

use callie_domain::audio::SrtpPolicy;
use callie_sip::sdp::{Codec, Direction, LocalMedia, OurKeys, negotiate, read_answer, reoffer};
use libfuzzer_sys::fuzz_target;
use std::net::{IpAddr, Ipv4Addr};

fuzz_target!(|body: &[u8]| {
    for srtp in SrtpPolicy::ALL {
        check(body, *srtp);
    }
});

fn check(body: &[u8], srtp: SrtpPolicy) {
    let local = LocalMedia {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        port: 10_000,
        session_id: 1,
        version: 1,
        codecs: Codec::ALL.to_vec(),
        either_law: true,
        srtp,
        keys: OurKeys::new([[1; 30], [2; 30]]),
        direction: Direction::SendRecv,
    };
    let _ = read_answer(body, &local);
    let Ok(negotiated) = negotiate(body, &local) else { return };
    let media = &negotiated.media;
    let again = reoffer(&local.settled(media), media);
    assert_eq!(again.matches("\nm=").count(), negotiated.answer.matches("\nm=").count());
    // Our answer names the tag of their line, which need not be one of ours.
    if media.srtp.is_some() {
        return;
    }
    let remote = media.remote.ip();
    // Held the old way, the peer has told no address to take its part with.
    let address = if remote.is_unspecified() { local.address } else { remote };
    let read_back = read_answer(negotiated.answer.as_bytes(), &LocalMedia { address, srtp: SrtpPolicy::Off, ..local });
    assert!(read_back.is_ok(), "{read_back:?}: {}", negotiated.answer);
}
