//! Any packets on an encrypted call, RTP and RTCP, one after the other (two bytes of length before each, the first bit for RTCP):
//! no panic, nothing is taken without the key, and what is refused is left as it was.
#![no_main]

use callie_media::rtp::srtp::{KEY_LEN, MAX_TAG_LEN, RTCP_TRAILER_LEN, SrtpKey, SrtpReceiver, SrtpSender, SrtpSuite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packets: &[u8]| {
    let key = SrtpKey::new([7; KEY_LEN]);
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let (mut receiver, mut sender) = (SrtpReceiver::new(suite, &key), SrtpSender::new(suite, &key));
    let mut taken = SrtpReceiver::new(suite, &key);
    let mut rest = packets;
    while let Some((&[high, low], after)) = rest.split_first_chunk::<2>() {
        let is_rtcp = high & 0x80 != 0;
        let len = usize::from(u16::from_be_bytes([high & 7, low])).min(after.len());
        let (packet, after) = after.split_at(len);
        rest = after;

        let mut forged = packet.to_vec();
        let refused = if is_rtcp { receiver.unprotect_rtcp(&mut forged) } else { receiver.unprotect(&mut forged) };
        assert!(refused.is_err(), "a tag of 80 bits was guessed");
        assert_eq!(forged, packet);

        let mut buffer = packet.to_vec();
        buffer.resize(len + MAX_TAG_LEN.max(RTCP_TRAILER_LEN), 0);
        let protected = if is_rtcp { sender.protect_rtcp(&mut buffer, len) } else { sender.protect(&mut buffer, len) };
        let Ok(protected) = protected else { continue };
        let wire = &mut buffer[..protected];
        let read = if is_rtcp { taken.unprotect_rtcp(wire) } else { taken.unprotect(wire) };
        // A jump of half a round or more is another round to the receiver.
        if let Ok(read) = read {
            assert_eq!(&buffer[..read], packet);
        }
    }
});
