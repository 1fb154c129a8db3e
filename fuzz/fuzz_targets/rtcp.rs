//! Any datagram as RTCP: no panic, no more than it holds, and a session that takes it goes on.
#![no_main]

use callie_media::rtp::rtcp::{Compound, RtcpPacket};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let Ok(compound) = Compound::parse(datagram) else { return };
    let mut count = 0;
    for packet in compound.packets() {
        count += 1;
        if let RtcpPacket::SenderReport { ssrc, blocks, .. } | RtcpPacket::ReceiverReport { ssrc, blocks } = packet {
            let block = blocks.about(ssrc);
            assert!(block.is_none_or(|block| block.ssrc == ssrc && block.write().len() == 24));
        }
    }
    assert!(count >= 1 && count * 4 <= datagram.len());
});
