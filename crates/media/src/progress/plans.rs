//! The tones of countries as data (ITU-T E.180 and its Supplement 2, ETSI TR 101 041-2, Telcordia GR-506).
//!
//! Where countries contradict one another the greater number counts: 425 Hz, 200–250 ms on and off, is congestion in most of Europe
//! and the busy tone of Spain and Sweden.

use super::spectrum::Pair;
use std::fmt;

/// What a tone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgressTone {
    /// The telephone rings.
    Ringback,
    /// The called line is in use.
    Busy,
    /// The network has no way there; reorder.
    Congestion,
}

/// One tone, or two at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pitch {
    /// From, to; hertz.
    Within(u16, u16),
    Pair(Pair),
}

/// A tone of some countries.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub tone: ProgressTone,
    pub countries: &'static str,
    pub pitch: Pitch,
    /// On, off, on, off …, over and over; milliseconds.
    pub cadence_ms: &'static [u16],
    /// Bursts until it is told: the fewer, the rarer its rhythm is elsewhere.
    pub bursts: usize,
}

/// 425 ± 15 Hz (E.180 §4), with 440 Hz of France and the 450 Hz of others beside it.
const EUROPE: Pitch = Pitch::Within(408, 458);
const BRITAIN: Pitch = Pitch::Within(390, 408);
const MOST: &str = "most of Europe";

macro_rules! plans {
    ($($tone:ident, $countries:expr, $pitch:expr, $cadence:expr, $bursts:literal;)*) => {
        &[$(Plan { tone: ProgressTone::$tone, countries: $countries, pitch: $pitch, cadence_ms: &$cadence, bursts: $bursts }),*]
    };
}

pub(super) static PLANS: &[Plan] = plans! {
    Ringback, MOST, EUROPE, [1_000, 4_000], 1;
    Ringback, "France", EUROPE, [1_500, 3_500], 1;
    Ringback, "Spain", EUROPE, [1_500, 3_000], 1;
    Busy, MOST, EUROPE, [500, 500], 3;
    Busy, "Germany, Austria, Switzerland", EUROPE, [480, 480], 3;
    Busy, "Czechia, Poland, Greece", EUROPE, [320, 320], 3;
    Congestion, MOST, EUROPE, [250, 250], 4;
    Congestion, "Germany", EUROPE, [240, 240], 4;
    Congestion, "Italy, Denmark, Finland", EUROPE, [200, 200], 4;
    Congestion, "Czechia", EUROPE, [165, 165], 4;
    Ringback, "North America", Pitch::Pair(Pair::F440F480), [2_000, 4_000], 1;
    Busy, "North America", Pitch::Pair(Pair::F480F620), [500, 500], 3;
    Congestion, "North America", Pitch::Pair(Pair::F480F620), [250, 250], 3;
    Congestion, "North America", Pitch::Pair(Pair::F480F620), [300, 200], 3;
    Ringback, "United Kingdom", Pitch::Pair(Pair::F400F450), [400, 200, 400, 2_000], 2;
    Busy, "United Kingdom", BRITAIN, [375, 375], 3;
    Congestion, "United Kingdom", BRITAIN, [400, 350, 225, 525], 3;
};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tone = match self.tone {
            ProgressTone::Ringback => "ringback",
            ProgressTone::Busy => "busy tone",
            ProgressTone::Congestion => "congestion tone",
        };
        let pitch = match self.pitch {
            Pitch::Within(from, to) => format!("{from}–{to} Hz"),
            Pitch::Pair(pair) => format!("{}+{} Hz", pair.hertz()[0], pair.hertz()[1]),
        };
        let cadence: Vec<_> = self.cadence_ms.iter().map(u16::to_string).collect();
        write!(f, "{tone} ({}: {pitch}, {} ms)", self.countries, cadence.join("/"))
    }
}
