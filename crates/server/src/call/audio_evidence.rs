//! What a call's record says of its audio: the figures at its end, and a warning when it goes one way.

use callie_domain::record::MediaSummary;
use callie_media::{engine::MediaStats, quality::Mos};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The figures of one leg. `announced` is ours in SDP, `sdp` theirs.
pub fn summary(stats: &MediaStats, announced: SocketAddr, sdp: SocketAddr) -> MediaSummary {
    let rtcp = &stats.rtcp;
    MediaSummary {
        codec: stats.codec.name().to_owned(),
        local_port: announced.port(),
        local_address: Some(announced.to_string()),
        sdp_address: Some(sdp.to_string()),
        remote_address: stats.latched.map(|address| address.to_string()),
        packets_received: stats.received,
        packets_sent: stats.sent,
        packets_lost: stats.lost,
        packets_late: stats.late,
        packets_rejected: stats.junk + stats.refused,
        packets_unauthentic: stats.unauthentic,
        jitter_ms: milliseconds(stats.jitter),
        frames_concealed: stats.concealed,
        srtp: stats.srtp.map(|suite| suite.name().to_owned()),
        rtcp: rtcp.received > 0,
        rtcp_address: rtcp.source.map(|address| address.to_string()),
        rtt_ms: rtcp.round_trip.map(milliseconds),
        mos: stats.mos.map(|span| span.average).map(Mos::score),
        mos_min: stats.mos.map(|span| span.least).map(Mos::score),
        remote_loss_percent: rtcp.remote.map(|view| view.loss() * 100.0),
        remote_jitter_ms: rtcp.remote.map(|view| milliseconds(view.jitter)),
        remote_mos: rtcp.remote_mos.map(|span| span.average).map(Mos::score),
    }
}

/// For the record when an answered call gets no packet: where each side was told to send, and what to do about it.
pub fn one_way(silent_for: Duration, announced: SocketAddr, sdp: SocketAddr, sending_to: Option<SocketAddr>) -> String {
    let seconds = silent_for.as_secs();
    let ours = match sending_to {
        Some(address) if address == sdp => format!("we send to {address}, as its SDP says"),
        Some(address) => format!("we send to {address}; its SDP says {sdp}"),
        None => format!("its SDP ({sdp}) names nowhere to send to"),
    };
    let remedy = match (is_private(announced.ip()), is_private(sdp.ip())) {
        (true, false) => "our address is a private one: set external_address to the public address, and open the RTP ports (UDP)",
        (false, true) => {
            "its address is a private one: the provider must send to us first, or mend addresses behind NAT; look for a SIP ALG in between"
        }
        _ => "open the RTP ports (UDP) in the firewall, and switch off any SIP ALG in between",
    };
    format!("no audio from the other side in {seconds} s: {ours}, and our SDP says {announced}; {remedy}")
}

/// An address that the public network does not know.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            // 100.64.0.0/10 is between a provider and its NAT (RFC 6598).
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified(),
    }
}

fn milliseconds(time: Duration) -> f32 {
    time.as_secs_f32() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_audio_names_the_addresses_and_the_remedy() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let public = address("198.51.100.7:4000");
        let after = Duration::from_millis(2_010);
        for (ours, theirs, sending_to, said) in [
            ("192.168.1.5:10000", "198.51.100.7:4000", Some(public), "external_address"),
            ("203.0.113.1:10000", "10.0.0.9:4000", Some(address("10.0.0.9:4000")), "10.0.0.9:4000, as its SDP says"),
            ("203.0.113.1:10000", "100.64.0.9:4000", None, "mend addresses behind NAT"),
            ("203.0.113.1:10000", "198.51.100.7:4000", Some(public), "firewall"),
            ("[fd00::1]:10000", "[2001:db8::1]:4000", Some(public), "external_address"),
        ] {
            let text = one_way(after, address(ours), address(theirs), sending_to);
            assert!(text.contains(said) && text.contains(theirs) && text.contains(ours) && text.contains("in 2 s"), "{text}");
        }
    }
}
