//! Any packets as Opus, one after the other (two bytes of length before each): no panic, and never more than was announced.
#![no_main]

use callie_media::codec::opus::{MAX_SAMPLES, OpusDecoder, duration};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packets: &[u8]| {
    let mut decoder = OpusDecoder::new();
    let mut samples = [0; MAX_SAMPLES];
    let mut rest = packets;
    while let Some((&[high, low], after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes([high, low]) % 1_500).min(after.len());
        let (packet, after) = after.split_at(len);
        rest = after;
        let count = decoder.decode(packet, &mut samples);
        assert!(count == 0 || Some(count / 2) == duration(packet).map(usize::from));
        decoder.conceal(Some(packet), &mut samples[..320]);
        decoder.conceal(None, &mut samples[..320]);
    }
});
