//! Any datagram on an RTP port: no panic, and what is read is what a header written from it says.
#![no_main]

use callie_media::rtp::header::HEADER_LEN;
use callie_media::rtp::{DtmfReceiver, RtpPacket, TelephoneEvent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let Ok(packet) = RtpPacket::parse(datagram) else { return };
    assert!(packet.payload.len() + HEADER_LEN <= datagram.len());

    let mut fixed = [0u8; HEADER_LEN];
    packet.header.write(&mut fixed);
    let rebuilt = [&fixed[..], packet.payload].concat();
    let again = RtpPacket::parse(&rebuilt).expect("we write what we read");
    assert_eq!((again.header, again.payload), (packet.header, packet.payload));

    let mut digits = DtmfReceiver::new(8_000, 8_000);
    for payload in packet.payload.chunks(4) {
        let _ = digits.receive(packet.header.timestamp, payload);
        if let Some(event) = TelephoneEvent::parse(payload) {
            assert_eq!(TelephoneEvent::parse(&event.write()), Some(event));
        }
    }
});
