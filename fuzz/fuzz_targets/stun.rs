//! Any datagram as the answer of a STUN server: no panic, and an address only out of an answer.
#![no_main]

use callie_sip::stun;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    if let Some((_, address)) = stun::response(datagram) {
        assert!(stun::is_stun(datagram) && address.port() != 0);
    }
});
