//! Reading WAV files of 16-bit PCM (RIFF/WAVE), also those whose writer was killed: the sizes in such a file are zero or
//! reach beyond its end, and what is there counts.

/// Why bytes are not a WAV file that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    #[error("not a riff/wave file")]
    NotWave,
    #[error("wave file without a format chunk before its data")]
    NoFormat,
    #[error("wave file without a data chunk")]
    NoData,
    #[error("wave format {format}, {bits} bits, {channels} channels; only 16-bit pcm with one or two channels is read")]
    Unsupported { format: u16, bits: u16, channels: u16 },
}

/// `WAVE_FORMAT_PCM`.
const PCM: u16 = 1;
/// `WAVE_FORMAT_EXTENSIBLE`: the true format is the first word of the sub-format.
const EXTENSIBLE: u16 = 0xfffe;

/// A parsed file; the samples stay where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wav<'a> {
    pub sample_rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Little-endian samples, channels interleaved; whole sample groups only.
    pub data: &'a [u8],
}

impl<'a> Wav<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WavError> {
        let (riff, mut rest) = bytes.split_first_chunk::<12>().ok_or(WavError::NotWave)?;
        if !(riff.starts_with(b"RIFF") && riff.ends_with(b"WAVE")) {
            return Err(WavError::NotWave);
        }
        let mut format = None;
        while let Some((head, body)) = rest.split_first_chunk::<8>() {
            let &[a, b, c, d, s0, s1, s2, s3] = head;
            let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
            match &[a, b, c, d] {
                b"fmt " => format = Some(Format::parse(body.get(..size).unwrap_or(body))?),
                b"data" => return Ok(format.ok_or(WavError::NoFormat)?.with(body, size)),
                _ => {}
            }
            // Chunks begin at even places.
            rest = body.get(size.saturating_add(size & 1)..).unwrap_or_default();
        }
        Err(if format.is_some() { WavError::NoData } else { WavError::NoFormat })
    }

    /// The samples of one channel (0 is left); nothing for a channel that is not there.
    pub fn channel(&self, index: usize) -> impl Iterator<Item = i16> + 'a {
        let group = 2 * usize::from(self.channels).max(1);
        self.data.chunks_exact(group).filter_map(move |group| {
            let (samples, _) = group.as_chunks::<2>();
            samples.get(index).map(|&sample| i16::from_le_bytes(sample))
        })
    }
}

struct Format {
    sample_rate_hz: u32,
    channels: u16,
}

impl Format {
    fn parse(body: &[u8]) -> Result<Self, WavError> {
        let word = |at: usize| body.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes);
        let [Some(format), Some(channels), Some(rate_low), Some(rate_high), Some(bits)] = [0, 2, 4, 6, 14].map(word) else {
            return Err(WavError::NoFormat);
        };
        let true_format = if format == EXTENSIBLE { word(24).unwrap_or(format) } else { format };
        let sample_rate_hz = u32::from(rate_high) << 16 | u32::from(rate_low);
        if true_format != PCM || bits != 16 || !(1..=2).contains(&channels) || sample_rate_hz == 0 {
            return Err(WavError::Unsupported { format: true_format, bits, channels });
        }
        Ok(Self { sample_rate_hz, channels })
    }

    /// A size of zero, or of more than is there, was never filled in: the data then go on to the end.
    fn with(self, body: &[u8], size: usize) -> Wav<'_> {
        let data = if size == 0 { body } else { body.get(..size).unwrap_or(body) };
        let group = 2 * usize::from(self.channels);
        let whole = data.len() / group * group;
        Wav { sample_rate_hz: self.sample_rate_hz, channels: self.channels, data: data.get(..whole).unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk(id: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
        [&id[..], &size.to_le_bytes(), body].concat()
    }

    fn format(format: u16, channels: u16, hz: u32, bits: u16) -> Vec<u8> {
        let body = [&format.to_le_bytes()[..], &channels.to_le_bytes(), &hz.to_le_bytes(), &[0; 6], &bits.to_le_bytes()].concat();
        chunk(b"fmt ", 16, &body)
    }

    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WAVE", &chunks.concat()[..]].concat()
    }

    const SAMPLES: [u8; 8] = [1, 0, 2, 0, 0xff, 0xff, 4, 0];

    #[test]
    fn sizes_are_taken_with_a_grain_of_salt() {
        let check = |size, body: &[u8], want: &[i16]| {
            let bytes = file(&[format(1, 1, 8000, 16), chunk(b"data", size, body)]);
            let wav = Wav::parse(&bytes).unwrap_or_else(|e| panic!("{size}: {e}"));
            assert_eq!(wav.channel(0).collect::<Vec<_>>(), want, "{size} {body:?}");
        };
        check(8, &SAMPLES, &[1, 2, -1, 4]);
        check(4, &SAMPLES, &[1, 2]);
        check(0, &SAMPLES, &[1, 2, -1, 4]);
        check(u32::MAX, &SAMPLES, &[1, 2, -1, 4]);
        check(u32::MAX, &SAMPLES[..5], &[1, 2]);
        check(0, &[], &[]);
    }

    #[test]
    fn channels_are_parted_and_other_chunks_passed_over() {
        let odd = chunk(b"LIST", 3, &[9, 9, 9, 0]);
        let bytes = file(&[odd, format(1, 2, 24_000, 16), chunk(b"fact", 0, &[]), chunk(b"data", 8, &SAMPLES)]);
        let wav = Wav::parse(&bytes).expect("a stereo file");
        assert_eq!((wav.sample_rate_hz, wav.channels), (24_000, 2));
        assert_eq!(wav.channel(0).collect::<Vec<_>>(), [1, -1]);
        assert_eq!(wav.channel(1).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(wav.channel(2).count(), 0);
    }

    #[test]
    fn an_extensible_format_is_looked_into() {
        let mut body = format(0xfffe, 1, 16_000, 16)[8..].to_vec();
        body.extend_from_slice(&[22, 0, 16, 0, 4, 0, 0, 0, 1, 0]);
        body.extend_from_slice(&[0; 14]);
        let bytes = file(&[chunk(b"fmt ", 40, &body), chunk(b"data", 8, &SAMPLES)]);
        assert_eq!(Wav::parse(&bytes).map(|w| w.data.len()), Ok(8));
    }

    #[test]
    fn the_fault_is_named() {
        let data = chunk(b"data", 8, &SAMPLES);
        let unsupported = |format, bits, channels| WavError::Unsupported { format, bits, channels };
        for (bytes, want) in [
            (vec![], WavError::NotWave),
            (b"RIFF\0\0\0\0AVI ".to_vec(), WavError::NotWave),
            (file(&[]), WavError::NoFormat),
            (file(std::slice::from_ref(&data)), WavError::NoFormat),
            (file(&[format(1, 1, 8000, 16)]), WavError::NoData),
            (file(&[format(1, 1, 8000, 8), data.clone()]), unsupported(1, 8, 1)),
            (file(&[format(7, 2, 8000, 8), data.clone()]), unsupported(7, 8, 2)),
            (file(&[format(1, 6, 8000, 16), data.clone()]), unsupported(1, 16, 6)),
            (file(&[format(1, 0, 8000, 16), data.clone()]), unsupported(1, 16, 0)),
            (file(&[format(1, 1, 0, 16), data]), unsupported(1, 16, 1)),
        ] {
            assert_eq!(Wav::parse(&bytes), Err(want));
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics(body in proptest::collection::vec(any::<u8>(), 0..120), splice in any::<proptest::sample::Index>()) {
            let _ = Wav::parse(&body);
            let mut bytes = file(&[format(1, 2, 8000, 16), chunk(b"data", 8, &SAMPLES)]);
            let at = splice.index(bytes.len());
            bytes.splice(at.., body);
            if let Ok(wav) = Wav::parse(&bytes) {
                prop_assert!(wav.channel(1).count() * 4 <= bytes.len());
            }
        }
    }
}
