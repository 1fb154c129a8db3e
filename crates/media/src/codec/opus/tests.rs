//! The codec by ear, and strangers' packets.

use super::*;
use crate::{resample::Down24To16, wav::Wav};
use proptest::prelude::*;

/// A sentence, 16 kHz.
fn speech() -> Vec<f32> {
    let wav = Wav::parse(include_bytes!("../../../../lab/samples/caller_maria_1.wav")).expect("a wav");
    let speech: Vec<f32> = wav.channel(0).map(f32::from).collect();
    let mut out = vec![0.0; speech.len() / 3 * 2];
    assert_eq!(wav.sample_rate_hz, 24_000);
    let len = Down24To16::new().process(&speech, &mut out);
    // Whole packets of any length.
    out[..len / 1_920 * 1_920].to_vec()
}

/// Packets of so many samples each.
fn packets(encoder: &mut OpusEncoder, speech: &[f32], each: usize) -> Vec<Vec<u8>> {
    let mut packet = [0; 1_275];
    speech
        .chunks_exact(each)
        .map(|samples| {
            let len = encoder.encode(samples, &mut packet);
            packet[..len].to_vec()
        })
        .collect()
}

fn likeness(a: &[f32], b: &[i16]) -> f32 {
    let dot = |f: fn(f32, f32) -> f32| a.iter().zip(b).map(|(a, b)| f(*a, f32::from(*b))).sum::<f32>();
    dot(|a, b| a * b) / (dot(|a, _| a * a) * dot(|_, b| b * b)).sqrt()
}

/// The best likeness over the codec's delay.
fn heard(speech: &[f32], decoded: &[i16]) -> f32 {
    (60..200).map(|delay| likeness(&speech[..speech.len() - 400], &decoded[delay..])).fold(0.0, f32::max)
}

#[test]
fn speech_comes_through_in_packets_of_any_length() {
    let speech = speech();
    for each in [160, 320, 640, 960] {
        let packets = packets(&mut OpusEncoder::new(OpusParams::default()), &speech, each);
        let (mut decoder, mut decoded) = (OpusDecoder::new(), vec![]);
        for packet in &packets {
            assert_eq!(duration(packet).map(usize::from), Some(each / 2));
            let mut samples = [0; MAX_SAMPLES];
            let count = decoder.decode(packet, &mut samples);
            assert_eq!(count, each);
            decoded.extend_from_slice(&samples[..count]);
        }
        assert!(heard(&speech, &decoded) > 0.9, "{each}: {}", heard(&speech, &decoded));
    }
}

#[test]
fn the_far_ends_wishes_are_honoured() {
    let speech = speech();
    let kilobits = |params| {
        let bytes: usize = packets(&mut OpusEncoder::new(params), &speech, 320).iter().map(Vec::len).sum();
        bytes * 8 * 16 / speech.len()
    };
    let usual = OpusParams::default();
    assert!((18..=30).contains(&kilobits(usual)), "{}", kilobits(usual));
    assert!((6..=13).contains(&kilobits(OpusParams { max_average_bitrate: Some(10_000), ..usual })));
    let narrow = OpusParams { max_playback_rate_hz: 8_000, ..usual };
    assert!(kilobits(narrow) < 20);
    // SILK's narrow band is configurations 0 to 3.
    let packets = packets(&mut OpusEncoder::new(narrow), &speech, 320);
    assert!(packets.iter().all(|packet| packet[0] >> 3 < 4));
}

#[test]
fn a_lost_packet_is_repeated_in_the_next_when_losses_are_told() {
    let speech = speech();
    let told = |params, percent| {
        let mut encoder = OpusEncoder::new(params);
        encoder.set_loss(percent);
        let packets = packets(&mut encoder, &speech, 320);
        let (mut decoder, mut decoded) = (OpusDecoder::new(), vec![]);
        for (i, packet) in packets.iter().enumerate() {
            let mut samples = [0; MAX_SAMPLES];
            // Every third packet is lost.
            if i % 3 == 2 {
                decoder.conceal(packets.get(i + 1).map(Vec::as_slice), &mut samples[..320]);
            } else {
                assert_eq!(decoder.decode(packet, &mut samples), 320);
            }
            decoded.extend_from_slice(&samples[..320]);
        }
        heard(&speech, &decoded)
    };
    let fec = OpusParams { use_inband_fec: true, ..OpusParams::default() };
    let (with, without, unasked) = (told(fec, 20), told(fec, 0), told(OpusParams::default(), 20));
    assert!(with > without + 0.1 && with > 0.85, "{with} with, {without} without");
    assert_eq!(without, unasked);
}

#[test]
fn what_is_missing_fades() {
    let packets = packets(&mut OpusEncoder::new(OpusParams::default()), &speech()[..24_000], 320);
    let (mut decoder, mut samples) = (OpusDecoder::new(), [0; MAX_SAMPLES]);
    for packet in &packets {
        decoder.decode(packet, &mut samples);
    }
    let levels: Vec<u32> = (0..40)
        .map(|_| {
            decoder.conceal(None, &mut samples[..320]);
            samples[..320].iter().map(|sample| u32::from(sample.unsigned_abs())).sum::<u32>() / 320
        })
        .collect();
    assert!(levels[0] > 100 && levels[5..].iter().all(|level| *level < 20), "{levels:?}");
}

#[test]
fn a_decoder_that_panics_is_replaced() {
    let packets = packets(&mut OpusEncoder::new(OpusParams::default()), &speech()[..9_600], 320);
    let (mut decoder, mut samples) = (OpusDecoder::new(), [0; MAX_SAMPLES]);
    assert_eq!(decoder.decode(&packets[0], &mut samples), 320);
    assert_eq!(fenced(&mut decoder.decoder, |_| panic!("as if a packet had done it")), 0);
    assert_eq!(decoder.decode(&packets[1], &mut samples), 320);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any first byte, any rest: bandwidths, modes and channels change from packet to packet.
    #[test]
    fn strangers_packets_are_survived(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..30)) {
        let mut decoder = OpusDecoder::new();
        let mut samples = [0; MAX_SAMPLES];
        for packet in &packets {
            let count = decoder.decode(packet, &mut samples);
            prop_assert!(count == 0 || Some(count / 2) == duration(packet).map(usize::from));
            decoder.conceal(Some(packet), &mut samples[..320]);
        }
    }
}

/// Packets of ours with bytes changed: they go deeper into the decoder than noise does.
#[test]
fn damaged_packets_are_survived() {
    let packets = packets(&mut OpusEncoder::new(OpusParams::default()), &speech(), 320);
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = |below: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice % below as u64) as usize
    };
    let (mut decoder, mut samples) = (OpusDecoder::new(), [0; MAX_SAMPLES]);
    for round in 0..20 {
        for packet in &packets {
            let mut packet = packet.clone();
            for _ in 0..=roll(4) {
                let at = roll(packet.len());
                packet[at] = roll(256) as u8;
            }
            packet.truncate(packet.len() - roll(packet.len().min(1 + round)));
            decoder.decode(&packet, &mut samples);
        }
    }
}
