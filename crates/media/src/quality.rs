//! How a call sounds, estimated from loss and delay: the E-model of ITU-T G.107 (06/2015), and its scale of opinion.
//!
//! Everything that is not measured has the value of G.107's table 2, so the best there is, is R = 93.2 and a score of 4.41. The
//! narrowband scale is used for all codecs, so that calls compare; a clean wideband call sounds better than its 4.41 says.
//!
//! ```text
//! R = 93.2 − Id(delay) − Ie,eff(codec, loss)        1 ≤ MOS ≤ 4.5
//! ```

use crate::codec::Codec;
use std::{fmt, time::Duration};

/// R without delay and loss, less the listener's echo of 0.15 that belongs to [`delay_impairment`].
const BEST_R: f64 = 93.35;
/// Basic signal-to-noise ratio with the defaults.
const RO: f64 = 94.77;
/// Talker echo loudness rating and weighted echo path loss, decibels: the defaults.
const TELR: f64 = 65.0;
const WEPL: f64 = 110.0;

/// A mean opinion score in hundredths: 1.00 is bad, 4.50 excellent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mos(u16);

impl Mos {
    /// Of a rating R (G.107 annex B).
    #[must_use]
    pub fn of_rating(r: f64) -> Self {
        let score = match r {
            r if r <= 0.0 => 1.0,
            r if r >= 100.0 => 4.5,
            r => 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6,
        };
        Self((score.clamp(1.0, 4.5) * 100.0).round() as u16)
    }

    /// What a listener would say of speech that comes through this codec with so much of it lost and so late.
    #[must_use]
    pub fn estimate(codec: Codec, loss: f64, mouth_to_ear: Duration) -> Self {
        Self::of_rating(BEST_R - delay_impairment(mouth_to_ear) - equipment_impairment(codec, loss))
    }

    #[must_use]
    pub fn hundredths(self) -> u16 {
        self.0
    }

    #[must_use]
    pub fn score(self) -> f32 {
        f32::from(self.0) / 100.0
    }
}

impl fmt::Display for Mos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.score())
    }
}

/// The average and the worst of the windows of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MosSpan {
    pub average: Mos,
    pub least: Mos,
    pub windows: u32,
}

impl MosSpan {
    pub(crate) fn with(span: Option<Self>, mos: Mos) -> Self {
        let Self { average, least, windows } = span.unwrap_or(Self { average: mos, least: mos, windows: 0 });
        let sum = u64::from(average.0) * u64::from(windows) + u64::from(mos.0);
        let windows = windows.saturating_add(1);
        let average = Mos(((sum + u64::from(windows) / 2) / u64::from(windows)) as u16);
        Self { average, least: least.min(mos), windows }
    }
}

/// Id (G.107 §7.4): talker's echo, listener's echo, and the delay itself, in a connection that is alike both ways.
fn delay_impairment(mouth_to_ear: Duration) -> f64 {
    let ta = mouth_to_ear.as_secs_f64() * 1_000.0;
    let terv = TELR - 40.0 * ((1.0 + ta / 10.0) / (1.0 + ta / 150.0)).log10() + 6.0 * (-0.3 * ta * ta).exp();
    let re = 80.0 + 2.5 * (terv - 14.0);
    let talker = ((RO - re) / 2.0 + ((RO - re).powi(2) / 4.0 + 100.0).sqrt() - 1.0) * (1.0 - (-ta).exp());
    let rle = 10.5 * (WEPL + 7.0) * (2.0 * ta + 1.0).powf(-0.25);
    let listener = (RO - rle) / 2.0 + ((RO - rle).powi(2) / 4.0 + 169.0).sqrt();
    let absolute = if ta <= 100.0 {
        0.0
    } else {
        let x = (ta / 100.0).log2();
        25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
    };
    talker + listener + absolute
}

/// Ie,eff (G.107 §7.5) for random loss (BurstR = 1).
fn equipment_impairment(codec: Codec, loss: f64) -> f64 {
    let (ie, bpl) = robustness(codec);
    let percent = loss.clamp(0.0, 1.0) * 100.0;
    ie + (95.0 - ie) * percent / (percent + bpl)
}

/// Ie and Bpl. G.711 with packet loss concealment: G.113 (11/2007) appendix I, table I.4. For the others G.113 has values on the
/// wideband scale only, or none; ours are approximations: on the narrowband scale a wideband codec takes nothing away, G.722
/// conceals somewhat worse than G.711 because its predictors must recover, and Opus about as well.
fn robustness(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcmu | Codec::Pcma => (0.0, 25.1),
        Codec::G722 => (0.0, 20.0),
        Codec::Opus => (0.0, 25.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(loss_percent: f64, delay_ms: u64) -> f32 {
        Mos::estimate(Codec::Pcmu, loss_percent / 100.0, Duration::from_millis(delay_ms)).score()
    }

    fn rating(delay_ms: u64) -> f64 {
        BEST_R - delay_impairment(Duration::from_millis(delay_ms))
    }

    #[test]
    fn the_defaults_give_the_values_of_the_recommendation() {
        assert!((rating(0) - 93.2).abs() < 0.05, "{}", rating(0));
        assert_eq!(Mos::of_rating(93.2).to_string(), "4.41");
        // G.107 annex B: 90, 80, 70, 60, 50 are the limits of the classes of quality.
        for (r, mos) in
            [(90.0, "4.34"), (80.0, "4.02"), (70.0, "3.60"), (60.0, "3.10"), (50.0, "2.58"), (0.0, "1.00"), (120.0, "4.50")]
        {
            assert_eq!(Mos::of_rating(r).to_string(), mos, "{r}");
        }
    }

    #[test]
    fn delay_hurts_little_at_first_and_then_much() {
        // Against the straight lines that Cole and Rosenbluth fitted to the model (2001): 0.024 a millisecond, and 0.11 more beyond
        // 177.3 ms.
        for delay_ms in [50, 100, 150, 200, 250, 300, 350, 400] {
            let ms = delay_ms as f64;
            let fitted = 93.2 - 0.024 * ms - 0.11 * (ms - 177.3).max(0.0);
            assert!((rating(delay_ms) - fitted).abs() < 3.5, "{delay_ms} ms: {}, fitted {fitted}", rating(delay_ms));
        }
        // Echo that comes at once is no echo, so the model dips a little at first.
        assert!((10..1_000).all(|ms| rating(ms) >= rating(ms + 1)));
    }

    #[test]
    fn loss_hurts_by_what_the_codec_makes_of_it() {
        // One percent of G.711 with concealment costs 95/26.1 points.
        assert!((equipment_impairment(Codec::Pcma, 0.01) - 3.64).abs() < 0.01);
        assert!(score(0.0, 40) > 4.35 && score(1.0, 40) > 4.2 && score(5.0, 40) < 3.95 && score(20.0, 40) < 2.6);
        assert_eq!(score(100.0, 40), Mos::estimate(Codec::Pcmu, 7.0, Duration::from_millis(40)).score());
        assert!(score(3.0, 40) > score(3.0, 300));
    }

    #[test]
    fn a_span_is_the_average_and_the_worst() {
        let span = [441, 441, 300, 421].map(Mos).into_iter().fold(None, |span, mos| Some(MosSpan::with(span, mos)));
        assert_eq!(span, Some(MosSpan { average: Mos(401), least: Mos(300), windows: 4 }));
    }
}
