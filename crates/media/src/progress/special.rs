//! Tones that say what they are by themselves: special information tones (ITU-T E.180 §6, Telcordia SR-2275), fax machines
//! (ITU-T T.30), and the one beep after which an answering machine records.

use super::bursts::{Burst, Voice};

/// Pauses within a special information tone, ms: 30 by the book.
const SIT_PAUSE_MS: u32 = 60;
/// Of each of its three tones: 330 ± 70 ms.
const SIT_MS: std::ops::RangeInclusive<u32> = 230..=430;
/// Between short (274 ms) and long (380 ms).
const SIT_LONG_MS: u32 = 327;
/// Its frequencies, and what they may be off.
const SIT_HERTZ: [f32; 3] = [950.0, 1_400.0, 1_800.0];
const SIT_OFF_HERTZ: f32 = 55.0;
/// Low and high of the first and of the second, where they tell a class; as exact as ±1.2 %.
const SIT_LOW: [f32; 2] = [913.8, 1_370.6];
const SIT_HIGH: [f32; 2] = [985.2, 1_428.5];
const SIT_CLASS_OFF: f32 = 0.012;

/// 1,100 ± 38 Hz for 0.5 s ± 15 %, each 3 s (T.30 §4.3.3.3).
const CNG_HERTZ: std::ops::RangeInclusive<f32> = 1_058.0..=1_142.0;
const CNG_MS: std::ops::RangeInclusive<u32> = 405..=595;
/// 2,100 ± 15 Hz for 2.6–4 s (T.30 §4.3.3.2); from so long on it is no beep.
const CED_HERTZ: std::ops::RangeInclusive<f32> = 2_080.0..=2_120.0;
const CED_MS: u32 = 1_100;

/// A beep.
const BEEP_HERTZ: std::ops::RangeInclusive<f32> = 790.0..=2_520.0;
const BEEP_MS: std::ops::RangeInclusive<u32> = 65..=1_060;
/// Another tone so near is a melody.
const BEEP_ALONE_MS: u32 = 80;

/// What a special information tone says. The classes are North America's; elsewhere it is plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SitClass {
    /// The number cannot be reached; an announcement says why.
    Plain,
    /// Changed, or not in service.
    Intercept,
    /// There is no such number.
    VacantCode,
    /// Not dialled as it should be, or a fault of an exchange.
    Reorder,
    /// All ways there are in use.
    NoCircuit,
    /// One of the codes without a use.
    Reserved,
}

impl SitClass {
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "not reachable",
            Self::Intercept => "intercept",
            Self::VacantCode => "vacant code",
            Self::Reorder => "reorder",
            Self::NoCircuit => "no circuit",
            Self::Reserved => "reserved code",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Sit(SitClass),
    FaxCalling,
    FaxAnswering,
    Beep { hertz: u16, length_ms: u32 },
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Specials {
    /// The newest last.
    last: [Option<Burst>; 3],
    /// A beep, unless another tone follows at once.
    waiting: Option<Burst>,
    /// The tone that sounds was told already.
    told_running: bool,
}

impl Specials {
    /// Takes a tone that is over.
    pub fn hear(&mut self, burst: Burst) -> Option<Special> {
        let told = std::mem::take(&mut self.told_running);
        let waiting = self.waiting.take().filter(|waiting| burst.from_ms > waiting.to_ms + BEEP_ALONE_MS);
        self.last.rotate_left(1);
        let former = self.last[1];
        self.last[2] = Some(burst);
        let Voice::Hertz(hertz) = burst.voice else { return waiting.map(beep) };
        if let Some(class) = self.sit() {
            self.last = [None; 3];
            return Some(Special::Sit(class));
        }
        let alone = former.is_none_or(|former| burst.from_ms > former.to_ms + BEEP_ALONE_MS);
        let length = burst.length_ms();
        if alone && CNG_HERTZ.contains(&hertz) && CNG_MS.contains(&length) {
            return Some(Special::FaxCalling);
        }
        if alone && !told && BEEP_HERTZ.contains(&hertz) && BEEP_MS.contains(&length) {
            self.waiting = Some(burst);
        }
        waiting.map(beep)
    }

    /// Time passes: `running` is the tone that sounds.
    pub fn pass(&mut self, now_ms: u32, running: Option<Burst>) -> Option<Special> {
        if let Some(Burst { voice: Voice::Hertz(hertz), .. }) = running
            && running.is_some_and(|burst| burst.length_ms() >= CED_MS)
            && CED_HERTZ.contains(&hertz)
        {
            let told = std::mem::replace(&mut self.told_running, true);
            return (!told).then_some(Special::FaxAnswering);
        }
        let followed = |waiting: &Burst| running.is_some_and(|next| next.from_ms <= waiting.to_ms + BEEP_ALONE_MS);
        let due = self.waiting.filter(|waiting| now_ms > waiting.to_ms + BEEP_ALONE_MS)?;
        self.waiting = None;
        (!followed(&due)).then(|| beep(due))
    }

    fn sit(&self) -> Option<SitClass> {
        let [Some(first), Some(second), Some(third)] = self.last else { return None };
        let mut tones = [0.0; 3];
        for ((tone, burst), expected) in tones.iter_mut().zip([first, second, third]).zip(SIT_HERTZ) {
            let Voice::Hertz(hertz) = burst.voice else { return None };
            if (hertz - expected).abs() > SIT_OFF_HERTZ || !SIT_MS.contains(&burst.length_ms()) {
                return None;
            }
            *tone = hertz;
        }
        let joined = |a: Burst, b: Burst| b.from_ms <= a.to_ms + SIT_PAUSE_MS;
        if !joined(first, second) || !joined(second, third) {
            return None;
        }
        let is = |heard: f32, known: f32| (heard - known).abs() <= known * SIT_CLASS_OFF;
        let high = |at: usize| {
            if is(tones[at], SIT_HIGH[at]) { Some(true) } else { is(tones[at], SIT_LOW[at]).then_some(false) }
        };
        let long = [first, second].map(|burst| burst.length_ms() >= SIT_LONG_MS);
        let (Some(first), Some(second)) = (high(0), high(1)) else { return Some(SitClass::Plain) };
        Some(match ([first, second], long) {
            ([false, false], [false, false]) => SitClass::Intercept,
            ([true, false], [true, false]) => SitClass::VacantCode,
            ([false, true], [false, true]) | ([true, false], [false, true]) => SitClass::Reorder,
            ([true, true] | [false, false], [true, true]) => SitClass::NoCircuit,
            _ => SitClass::Reserved,
        })
    }
}

fn beep(burst: Burst) -> Special {
    let hertz = match burst.voice {
        Voice::Hertz(hertz) => hertz.round() as u16,
        Voice::Pair(_) => 0,
    };
    Special::Beep { hertz, length_ms: burst.length_ms() }
}
