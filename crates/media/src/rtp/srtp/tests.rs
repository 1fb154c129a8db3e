//! Both directions against libsrtp's packets, and against what networks and strangers do to packets.

use super::{
    vectors::{Kind, Vector, libsrtp},
    window::WINDOW,
    *,
};
use crate::rtp::{RtpHeader, header::HEADER_LEN};
use proptest::prelude::*;

const KEY: [u8; KEY_LEN] = [7; KEY_LEN];
const OTHER_KEY: [u8; KEY_LEN] = [8; KEY_LEN];

fn sender(key: [u8; KEY_LEN]) -> SrtpSender {
    SrtpSender::new(SrtpSuite::AesCm128HmacSha1_80, &SrtpKey::new(key))
}

fn receiver(key: [u8; KEY_LEN]) -> SrtpReceiver {
    SrtpReceiver::new(SrtpSuite::AesCm128HmacSha1_80, &SrtpKey::new(key))
}

fn plain(ssrc: u32, sequence: u16) -> Vec<u8> {
    let header = RtpHeader { marker: false, payload_type: 0, sequence, timestamp: u32::from(sequence) * 160, ssrc };
    let mut bytes = vec![0x55; HEADER_LEN + 160];
    header.write(bytes.first_chunk_mut().expect("a header"));
    bytes
}

/// Protects a packet in a buffer with as much room as the tag needs.
fn protected(sender: &mut SrtpSender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [packet, &[0; MAX_TAG_LEN]].concat();
    let len = sender.protect(&mut buffer, packet.len()).expect("a packet");
    buffer.truncate(len);
    buffer
}

fn send(sender: &mut SrtpSender, ssrc: u32, index: u64) -> Vec<u8> {
    protected(sender, &plain(ssrc, index as u16))
}

fn take(receiver: &mut SrtpReceiver, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut packet = packet.to_vec();
    let len = receiver.unprotect(&mut packet)?;
    packet.truncate(len);
    Ok(packet)
}

/// The vectors of each key, in order.
fn by_key() -> Vec<Vec<Vector>> {
    let mut streams: Vec<Vec<Vector>> = Vec::new();
    for vector in libsrtp() {
        match streams.last_mut() {
            Some(stream) if stream[0].key == vector.key => stream.push(vector),
            _ => streams.push(vec![vector]),
        }
    }
    streams
}

#[test]
fn we_protect_as_libsrtp_does() {
    for stream in by_key() {
        let mut sender = SrtpSender::new(stream[0].suite, &stream[0].key());
        for Vector { kind, plain, protected, .. } in stream {
            let mut buffer = vec![0; protected.len()];
            buffer[..plain.len()].copy_from_slice(&plain);
            let len = match kind {
                Kind::Rtp => sender.protect(&mut buffer, plain.len()),
                Kind::Rtcp => sender.protect_rtcp(&mut buffer, plain.len()),
            };
            // libsrtp counts SRTCP packets from 1.
            if kind == Kind::Rtp {
                assert_eq!((len, &buffer), (Ok(protected.len()), &protected));
            } else {
                assert_eq!(len, Ok(protected.len()));
            }
        }
    }
}

#[test]
fn we_read_what_libsrtp_protected() {
    let mut read = 0;
    for stream in by_key() {
        let mut receiver = SrtpReceiver::new(stream[0].suite, &stream[0].key());
        for Vector { kind, plain, mut protected, .. } in stream {
            let len = match kind {
                Kind::Rtp => receiver.unprotect(&mut protected),
                Kind::Rtcp => receiver.unprotect_rtcp(&mut protected),
            };
            assert_eq!(len, Ok(plain.len()));
            assert_eq!(protected[..plain.len()], plain);
            read += 1;
        }
    }
    assert_eq!(read, 56);
}

#[test]
fn a_stream_is_followed_over_many_rounds_with_losses_at_each_end() {
    let (mut sender, mut receiver) = (sender(KEY), receiver(KEY));
    for index in (0x7000..0x5_0000_u64).step_by(0x111) {
        // What is around the end of a round is lost.
        let wire = send(&mut sender, 1, index);
        if index as u16 > 0xf000 || (index as u16) < 0x0800 {
            continue;
        }
        assert_eq!(take(&mut receiver, &wire), Ok(plain(1, index as u16)), "{index:#x}");
    }
}

#[test]
fn packets_may_be_late_over_the_end_of_a_round() {
    let (mut sender, mut receiver) = (sender(KEY), receiver(KEY));
    let wire: Vec<_> = (0xffc0..0x1_0040).map(|index| send(&mut sender, 1, index)).collect();
    for pair in wire.chunks(2).map(|pair| [&pair[1], &pair[0]]) {
        for packet in pair {
            assert!(take(&mut receiver, packet).is_ok());
        }
    }
    let (late, newer) = (send(&mut sender, 1, 0x1_0040), send(&mut sender, 1, 0x1_0040 + WINDOW));
    assert!(take(&mut receiver, &newer).is_ok());
    assert_eq!(take(&mut receiver, &late), Err(SrtpError::Replayed), "too old to tell");
}

#[test]
fn a_stream_whose_first_round_was_lost_is_understood() {
    let (mut sender, mut receiver) = (sender(KEY), receiver(KEY));
    (0xfffe..0x1_0001).for_each(|index| drop(send(&mut sender, 1, index)));
    assert!(take(&mut receiver, &send(&mut sender, 1, 0x1_0001)).is_ok());
    assert!(take(&mut receiver, &send(&mut sender, 1, 0x1_0002)).is_ok());
}

#[test]
fn a_packet_is_taken_once() {
    let (mut sender, mut receiver) = (sender(KEY), receiver(KEY));
    let wire: Vec<_> = (100..200).map(|index| send(&mut sender, 1, index)).collect();
    assert!(wire.iter().all(|packet| take(&mut receiver, packet).is_ok()));
    assert!(wire.iter().all(|packet| take(&mut receiver, packet) == Err(SrtpError::Replayed)));
}

#[test]
fn no_bit_may_change() {
    let (mut sender, mut receiver) = (sender(KEY), receiver(KEY));
    let wire = send(&mut sender, 1, 100);
    for bit in 0..wire.len() * 8 {
        let mut forged = wire.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let before = forged.clone();
        assert!(receiver.unprotect(&mut forged).is_err(), "bit {bit}");
        assert_eq!(forged, before, "a refused packet is left alone");
    }
    for len in 0..wire.len() {
        assert!(take(&mut receiver, &wire[..len]).is_err(), "{len} octets");
    }
    assert!(take(&mut receiver, &[&wire[..], &[0]].concat()).is_err());
    assert!(take(&mut receiver, &wire).is_ok(), "nothing of all that counted");
}

#[test]
fn another_key_or_suite_says_nothing() {
    let wire = send(&mut sender(KEY), 1, 100);
    assert_eq!(take(&mut receiver(OTHER_KEY), &wire), Err(SrtpError::Unauthentic));
    let mut short = SrtpReceiver::new(SrtpSuite::AesCm128HmacSha1_32, &SrtpKey::new(KEY));
    assert_eq!(take(&mut short, &wire), Err(SrtpError::Unauthentic));
    assert_eq!(take(&mut receiver(KEY), &plain(1, 100)), Err(SrtpError::Unauthentic), "in clear");
}

#[test]
fn a_new_source_in_the_middle_of_a_call_is_followed_and_strangers_make_none() {
    let (mut sender, mut receiver) = (sender(KEY), receiver(KEY));
    assert!(take(&mut receiver, &send(&mut sender, 1, 100)).is_ok());
    for ssrc in 100..200 {
        assert_eq!(take(&mut receiver, &plain(ssrc, 5)), Err(SrtpError::Unauthentic));
    }
    assert!(take(&mut receiver, &send(&mut sender, 2, 0xfff0)).is_ok());
    assert_eq!(
        take(&mut receiver, &send(&mut SrtpSender::new(SrtpSuite::AesCm128HmacSha1_80, &SrtpKey::new(KEY)), 1, 100)),
        Err(SrtpError::Replayed)
    );
}

#[test]
fn after_a_change_of_key_a_peer_may_count_on_or_begin_anew() {
    for (counts_on, index) in [(true, 0x2_0064), (false, 0x64)] {
        let (mut old, mut receiver) = (sender(KEY), receiver(KEY));
        for index in (0x6000..0x2_0000).step_by(0x2000) {
            assert!(take(&mut receiver, &send(&mut old, 1, index)).is_ok());
        }
        let mut receiver = receiver.successor(SrtpSuite::AesCm128HmacSha1_80, &SrtpKey::new(OTHER_KEY));
        let mut new = sender(OTHER_KEY);
        if counts_on {
            (0x6000..0x2_0000).step_by(0x2000).for_each(|index| drop(send(&mut new, 1, index)));
        }
        for step in 0..3 {
            assert!(take(&mut receiver, &send(&mut new, 1, index + step)).is_ok(), "counts on: {counts_on}");
        }
        assert_eq!(take(&mut receiver, &send(&mut old, 1, 0x2_1000)), Err(SrtpError::Unauthentic), "the old key is over");
    }
}

#[test]
fn a_keystream_is_never_used_twice() {
    let mut sender = sender(KEY);
    send(&mut sender, 1, 100);
    for sequence in [100, 99, 50] {
        let mut buffer = [&plain(1, sequence)[..], &[0; MAX_TAG_LEN]].concat();
        assert_eq!(sender.protect(&mut buffer, HEADER_LEN + 160), Err(SrtpError::KeyUsedUp), "{sequence}");
    }
}

#[test]
fn what_is_no_packet_or_has_no_room_is_not_protected() {
    let mut sender = sender(KEY);
    let mut packet = plain(1, 1);
    let len = packet.len();
    assert_eq!(sender.protect(&mut packet, len), Err(SrtpError::NoRoom));
    assert_eq!(sender.protect(&mut packet, len + 1), Err(SrtpError::Short));
    assert_eq!(sender.protect(&mut [0x80; 40], 11), Err(SrtpError::Short));
    assert_eq!(sender.protect(&mut [0; 40], 12), Err(SrtpError::NotRtp));
    assert_eq!(sender.protect_rtcp(&mut [0x80; 21], 8), Err(SrtpError::NoRoom));
    assert_eq!(sender.protect_rtcp(&mut [0x80; 40], 7), Err(SrtpError::Short));
    assert!(sender.protect_rtcp(&mut [0x80; 22], 8).is_ok());
}

#[test]
fn reports_are_protected_taken_once_and_not_forged() {
    let (mut sender, mut receiver) = (sender(KEY), receiver(KEY));
    let report = [&[0x80, 201, 0, 1, 0, 0, 0, 9][..], &[0x81, 202, 0, 2, 0, 0, 0, 9, 1, 2, b'a', b'b']].concat();
    let mut wire = Vec::new();
    for _ in 0..3 {
        let mut buffer = [&report[..], &[0; RTCP_TRAILER_LEN]].concat();
        assert_eq!(sender.protect_rtcp(&mut buffer, report.len()), Ok(report.len() + RTCP_TRAILER_LEN));
        wire.push(buffer);
    }
    for bit in 0..wire[0].len() * 8 {
        let mut forged = wire[0].clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(receiver.unprotect_rtcp(&mut forged).is_err(), "bit {bit}");
    }
    for index in [0, 2, 1] {
        let mut packet = wire[index].clone();
        assert_eq!(receiver.unprotect_rtcp(&mut packet), Ok(report.len()));
        assert_eq!(packet[..report.len()], report);
        assert_eq!(receiver.unprotect_rtcp(&mut wire[index].clone()), Err(SrtpError::Replayed));
    }
}

#[test]
fn no_key_shows() {
    let text = format!("{:?} {:?} {:?}", SrtpKey::new(KEY), sender(KEY), receiver(KEY));
    assert!(!text.contains("7, 7") && text.contains("redacted"), "{text}");
}

proptest! {
    #[test]
    fn what_is_protected_is_read(ssrc: u32, first: u16, steps in proptest::collection::vec(1u64..2_000, 1..60),
                                 payload in proptest::collection::vec(any::<u8>(), 0..600), short: bool,
                                 first_octet in 0u8..16) {
        let suite = SrtpSuite::ALL[usize::from(short)];
        let (mut sender, mut receiver) =
            (SrtpSender::new(suite, &SrtpKey::new(KEY)), SrtpReceiver::new(suite, &SrtpKey::new(KEY)));
        let mut index = u64::from(first);
        for step in steps {
            let mut packet = plain(ssrc, index as u16);
            packet.truncate(HEADER_LEN);
            packet[0] |= first_octet;
            packet.extend([0; 60]);
            packet.extend(&payload);
            let wire = protected(&mut sender, &packet);
            prop_assert_eq!(wire.len(), packet.len() + suite.tag_len());
            prop_assert_eq!(take(&mut receiver, &wire), Ok(packet));
            index += step;
        }
    }

    #[test]
    fn junk_is_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), looks_right: bool) {
        if looks_right && !bytes.is_empty() {
            bytes[0] = 0x80 | bytes[0] & 0x3f;
        }
        let mut receiver = receiver(KEY);
        prop_assert!(receiver.unprotect(&mut bytes).is_err());
        prop_assert!(receiver.unprotect_rtcp(&mut bytes).is_err());
        let len = bytes.len().saturating_sub(20);
        let _ = sender(KEY).protect(&mut bytes, len);
        let _ = sender(KEY).protect_rtcp(&mut bytes, len);
    }
}
