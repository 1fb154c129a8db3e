//! Any bytes as a stream of SIP, in pieces of any length: no panic, no more kept than a message may have, and the same messages
//! however the bytes arrive.
#![no_main]

use callie_sip::framing::{Framed, Framer, LARGEST, Lost};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, PartialEq)]
enum Found {
    Message(Vec<u8>),
    Ping,
    Lost(Lost),
}

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (bytes, step) = input;
    let at_once = read(&bytes, bytes.len());
    let in_pieces = read(&bytes, usize::from(step));
    assert_eq!(at_once, in_pieces);
});

fn read(bytes: &[u8], step: usize) -> Vec<Found> {
    let (mut framer, mut found) = (Framer::default(), Vec::new());
    for chunk in bytes.chunks(step.max(1)) {
        framer.space().extend_from_slice(chunk);
        loop {
            match framer.next_framed() {
                Ok(Some(Framed::Message { bytes, .. })) => {
                    assert!(bytes.len() <= LARGEST);
                    found.push(Found::Message(bytes.to_vec()));
                }
                Ok(Some(Framed::Ping)) => found.push(Found::Ping),
                Ok(None) => break,
                Err(lost) => {
                    found.push(Found::Lost(lost));
                    return found;
                }
            }
        }
    }
    found
}
