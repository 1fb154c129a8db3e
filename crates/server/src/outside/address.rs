//! Which addresses are everybody's. The others are ours or our neighbours': a request from here reaches what one from outside
//! could not. By IANA's registries of special-purpose addresses (RFC 6890), and where clouds keep their metadata.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(first: u16, second: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), length)
}

const NOT_PUBLIC_V4: [Ipv4Net; 17] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    // Shared with the provider (RFC 6598); Alibaba's metadata is in it.
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // Link-local; the metadata of most clouds is in it.
    v4(169, 254, 0, 0, 16),
    // One address of Azure's own, reachable from its machines only.
    v4(168, 63, 129, 16, 32),
    v4(172, 16, 0, 0, 12),
    // Protocol assignments; Oracle's metadata is in it.
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 31, 196, 0, 24),
    v4(192, 52, 193, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    // Multicast and what is reserved, broadcast with it.
    v4(224, 0, 0, 0, 3),
];

/// All that is handed out at present (RFC 4291 §2.4); loopback, link-local, unique local and multicast are outside of it.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 3);

/// Within [`GLOBAL_UNICAST`]. 6to4 carries any IPv4 address.
const NOT_PUBLIC_V6: [Ipv6Net; 5] =
    [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x2002, 0, 16), v6(0x2620, 0x4f, 32), v6(0x3fff, 0, 20)];

/// Translated to IPv4 on the way (RFC 6052).
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 96);

pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => is_public(inner.into()),
            None => GLOBAL_UNICAST.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address)),
        },
    }
}

/// The IPv4 address that is really reached.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    address.to_ipv4_mapped().or_else(|| {
        let [.., a, b, c, d] = address.octets();
        NAT64.contains(&address).then(|| Ipv4Addr::new(a, b, c, d))
    })
}

/// Whether one of the nets holds it, as IPv4 also where it is written as IPv6.
pub fn is_in(address: IpAddr, nets: &[IpNet]) -> bool {
    let plain = match address {
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        address => address,
    };
    nets.iter().any(|net| net.contains(&plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_or_our_neighbours_is_not_public() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.5",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!is_public(address.parse().expect("an address")), "{address}");
        }
    }

    #[test]
    fn what_everybody_reaches_is_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.0.1",
            "100.128.0.1",
            "126.0.0.1",
            "128.0.0.1",
            "168.63.129.15",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(is_public(address.parse().expect("an address")), "{address}");
        }
    }

    #[test]
    fn a_net_of_ipv4_holds_what_is_written_as_ipv6() {
        let nets = ["10.0.0.0/8".parse().expect("a net"), "fd00::/8".parse().expect("a net")];
        for (address, inside) in
            [("10.1.1.1", true), ("::ffff:10.1.1.1", true), ("11.0.0.1", false), ("fd12::1", true), ("fe80::1", false)]
        {
            assert_eq!(is_in(address.parse().expect("an address"), &nets), inside, "{address}");
        }
    }
}
