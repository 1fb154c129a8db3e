//! What the first bytes of an Opus packet tell about the rest (RFC 6716 §3.1).

/// The longest packet there may be: 120 ms, in samples at 8 kHz (RFC 6716 §3.2.5, R5).
const LONGEST: u16 = 960;

/// Samples at 8 kHz in the packet; `None` when it is none.
pub fn duration(packet: &[u8]) -> Option<u16> {
    let toc = *packet.first()?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u16::from(packet.get(1)? & 0x3f),
    };
    let duration = frame_duration(toc >> 3) * frames;
    (1..=LONGEST).contains(&duration).then_some(duration)
}

/// Samples at 8 kHz in each frame of this configuration: SILK of 10 to 60 ms, hybrid of 10 or 20, CELT of 2.5 to 20.
fn frame_duration(configuration: u8) -> u16 {
    let step = configuration & 3;
    match configuration {
        ..12 => [80, 160, 320, 480][usize::from(step)],
        12..16 => [80, 160][usize::from(step & 1)],
        _ => 20 << step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_the_rfc() {
        let toc = |configuration: u8, frames: u8| configuration << 3 | frames;
        let cases: [(&[u8], Option<u16>); 14] = [
            (&[], None),
            (&[toc(0, 0)], Some(80)),
            (&[toc(1, 0), 1, 2], Some(160)),
            (&[toc(3, 0)], Some(480)),
            (&[toc(11, 1)], Some(960)),
            (&[toc(12, 0)], Some(80)),
            (&[toc(15, 2), 0], Some(320)),
            (&[toc(16, 0)], Some(20)),
            (&[toc(31, 0)], Some(160)),
            (&[toc(31, 3), 6], Some(960)),
            (&[toc(31, 3), 7], None),
            (&[toc(16, 3), 0x80 | 48], Some(960)),
            (&[toc(1, 3), 0], None),
            (&[toc(1, 3)], None),
        ];
        for (packet, want) in cases {
            assert_eq!(duration(packet), want, "{packet:?}");
        }
    }
}
