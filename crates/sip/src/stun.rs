//! STUN as far as a Binding goes (RFC 8489): what we ask, and what an answer says of our address. Pure; strangers wrote the
//! answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
const REQUEST: [u8; 2] = 0x0001_u16.to_be_bytes();
const SUCCESS: [u8; 2] = 0x0101_u16.to_be_bytes();
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const HEADER: usize = 20;

pub const DEFAULT_PORT: u16 = 3478;

/// What ties an answer to its request; nobody else can guess it.
pub type TransactionId = [u8; 12];

/// A Binding request without attributes (§5).
pub fn request(id: &TransactionId) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..2].copy_from_slice(&REQUEST);
    bytes[4..8].copy_from_slice(&COOKIE);
    bytes[8..].copy_from_slice(id);
    bytes
}

/// Whether a datagram is STUN and no SIP: its first two bits are zero, its cookie is right, its length is its own (§6.3).
pub fn is_stun(datagram: &[u8]) -> bool {
    let length = |d: &[u8]| d.get(2..4).and_then(|l| l.try_into().ok()).map(u16::from_be_bytes).map(usize::from);
    datagram.first().is_some_and(|first| first & 0xc0 == 0)
        && datagram.get(4..8) == Some(&COOKIE)
        && length(datagram).is_some_and(|length| length.is_multiple_of(4) && length + HEADER == datagram.len())
}

/// The transaction and the address of a success response to a Binding.
pub fn response(datagram: &[u8]) -> Option<(TransactionId, SocketAddr)> {
    if !is_stun(datagram) || datagram.get(..2) != Some(&SUCCESS) {
        return None;
    }
    let id: TransactionId = datagram.get(8..HEADER)?.try_into().ok()?;
    let mut rest = datagram.get(HEADER..)?;
    let mut plain = None;
    while let [kind_hi, kind_lo, len_hi, len_lo, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*len_hi, *len_lo]));
        let value = tail.get(..length)?;
        match u16::from_be_bytes([*kind_hi, *kind_lo]) {
            XOR_MAPPED_ADDRESS => return Some((id, address(value, &id, true)?)),
            // Of servers that only know RFC 3489.
            MAPPED_ADDRESS => plain = plain.or(address(value, &id, false)),
            _ => {}
        }
        rest = tail.get(length.next_multiple_of(4)..)?;
    }
    plain.map(|address| (id, address))
}

/// §14.1 and §14.2: the port is xored with the cookie, the address with cookie and transaction.
fn address(value: &[u8], id: &TransactionId, is_xored: bool) -> Option<SocketAddr> {
    let (&[_, family, port_hi, port_lo], bytes) = value.split_first_chunk::<4>()?;
    let mask: Vec<u8> = COOKIE.iter().chain(id).map(|byte| if is_xored { *byte } else { 0 }).collect();
    let unmasked: Vec<u8> = bytes.iter().zip(&mask).map(|(byte, mask)| byte ^ mask).collect();
    let ip: IpAddr = match (family, bytes.len()) {
        (1, 4) => Ipv4Addr::from(<[u8; 4]>::try_from(unmasked).ok()?).into(),
        (2, 16) => Ipv6Addr::from(<[u8; 16]>::try_from(unmasked).ok()?).into(),
        _ => return None,
    };
    let port = u16::from_be_bytes([port_hi ^ mask.first()?, port_lo ^ mask.get(1)?]);
    (port != 0 && !ip.is_unspecified()).then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The sample responses of RFC 5769 §2.2 and §2.3.
    const IPV4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
        002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
    const IPV6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
        002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex");
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn the_samples_of_rfc_5769_are_read() {
        for (sample, want) in [(IPV4, "192.0.2.1:32853"), (IPV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")] {
            let (id, address) = response(&bytes(sample)).expect(want);
            assert_eq!(address, want.parse::<SocketAddr>().expect("address"));
            assert_eq!(id, bytes("b7e7a701bc34d686fa87dfae")[..]);
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let good = bytes(IPV4);
        let changed = |at: usize, to: u8| {
            let mut bytes = good.clone();
            bytes[at] = to;
            bytes
        };
        for (what, datagram) in [
            ("nothing", Vec::new()),
            ("a SIP message", b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n".to_vec()),
            ("our own request", request(&[7; 12]).to_vec()),
            ("an error", changed(1, 0x11)),
            ("another cookie", changed(4, 0)),
            ("another length", changed(3, 0x38)),
            ("an attribute beyond the end", changed(23, 0xff)),
            ("an unknown family", changed(41, 9)),
            ("cut off", good[..40].to_vec()),
        ] {
            assert_eq!(response(&datagram), None, "{what}");
        }
        assert!(is_stun(&request(&[7; 12])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(mut datagram in prop::collection::vec(any::<u8>(), 0..200)) {
            response(&datagram);
            if datagram.len() >= HEADER {
                let length = u16::try_from(datagram.len() - HEADER).expect("short");
                datagram[..2].copy_from_slice(&SUCCESS);
                datagram[2..4].copy_from_slice(&length.to_be_bytes());
                datagram[4..8].copy_from_slice(&COOKIE);
                response(&datagram);
            }
        }
    }
}
