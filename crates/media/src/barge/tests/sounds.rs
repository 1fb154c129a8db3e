//! Sounds of the tests, all at 8 kHz: voices out of Flite and of the lab's recorded lines, and what is no voice out of noise and tones.

use crate::{codec::G711, resample::Down24To8, wav::Wav};
use flite_rs::Engine as Flite;
use std::{f32::consts::TAU, sync::LazyLock};

pub const HZ: usize = 8_000;
/// Full scale of a sine, which has a root mean square of 0 dBov less 3.
const FULL: f32 = 32_768.0;

/// The lab's lines: synthetic speech of Kokoro-82M, two women and two men (`crates/lab/samples/README.md`).
macro_rules! line {
    ($name:literal) => {
        read(include_bytes!(concat!("../../../../lab/samples/caller_", $name, ".wav")))
    };
}

pub fn maria() -> Vec<f32> {
    line!("maria_2")
}

pub fn tom() -> Vec<f32> {
    line!("tom_1")
}

pub fn tom_again() -> Vec<f32> {
    line!("tom_2")
}

pub fn number() -> Vec<f32> {
    line!("number")
}

pub fn human() -> Vec<f32> {
    line!("human")
}

pub fn neighbour() -> Vec<f32> {
    line!("long")
}

/// Two that pause after their first word.
pub fn hesitating() -> [Vec<f32>; 2] {
    [line!("maria_1"), line!("tom_3")]
}

pub fn hmm() -> Vec<f32> {
    line!("noise_word")
}

fn read(file: &[u8]) -> Vec<f32> {
    let wav = Wav::parse(file).expect("a wav file");
    let wide: Vec<f32> = wav.channel(0).map(f32::from).collect();
    let mut narrow = vec![0.0; wide.len() / 3];
    Down24To8::new().process(&wide, &mut narrow);
    trimmed(narrow)
}

/// Flite's voice.
pub fn flite(text: &str) -> Vec<f32> {
    static FLITE: LazyLock<Flite> = LazyLock::new(|| Flite::try_new().expect("the voice is built in"));
    trimmed(FLITE.synthesize(text).samples.into_iter().map(f32::from).collect())
}

/// A word as it is said in passing: Flite takes its time, nobody else does.
pub fn word(text: &str) -> Vec<f32> {
    const LONGEST: f32 = 0.48 * HZ as f32;
    let word = flite(text);
    shifted(&word, (word.len() as f32 / LONGEST).max(1.0))
}

/// Two hums through the nose, the second higher: "mhm".
pub fn mhm() -> Vec<f32> {
    let mut phase = 0.0_f32;
    let sample = |i: usize| {
        let t = i as f32 / HZ as f32;
        phase += (if t < 0.2 { 115.0 - 60.0 * t } else { 120.0 + 80.0 * t }) / HZ as f32;
        let strength = (TAU * 2.5 * t).sin().abs().min(0.5);
        strength * (1..5).map(|number| (TAU * number as f32 * phase).sin() / (number * number) as f32).sum::<f32>()
    };
    (0..HZ * 4 / 10).map(sample).collect()
}

/// Without the silence before and after.
fn trimmed(sound: Vec<f32>) -> Vec<f32> {
    let loud = |sample: &f32| sample.abs() > 0.03 * peak(&sound);
    let (first, last) = (sound.iter().position(loud).unwrap_or(0), sound.iter().rposition(loud).unwrap_or(0));
    sound[first..=last].to_vec()
}

fn peak(sound: &[f32]) -> f32 {
    sound.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
}

/// What an agent says for half a minute.
pub fn agent() -> Vec<f32> {
    let text = "Thank you for calling. Our office is open from nine in the morning until five in the afternoon, Monday to Friday. \
                If you would like to make an appointment, please tell me your name and the day that suits you best, and I will see \
                what is free. You can also send us a message by mail, and somebody will get back to you within two working days. \
                Before we go on, let me tell you about the new opening hours in December, because they are a little different from \
                what you may be used to, and about the parking behind the building, which is closed until the end of the month.";
    at_level(-16.0, flite(text))
}

/// As it is spoken by somebody smaller or larger: faster and higher, or slower and lower.
pub fn shifted(sound: &[f32], by: f32) -> Vec<f32> {
    let count = (sound.len() as f32 / by) as usize;
    let at = |i: usize| {
        let place = i as f32 * by;
        let (whole, part) = (place as usize, place.fract());
        let next = sound.get(whole + 1).copied().unwrap_or_default();
        sound.get(whole).copied().unwrap_or_default() * (1.0 - part) + next * part
    };
    (0..count).map(at).collect()
}

/// Scaled so that its loud parts have this level.
pub fn at_level(dbov: f32, mut sound: Vec<f32>) -> Vec<f32> {
    let mut powers: Vec<f32> = sound.chunks(160).map(|frame| frame.iter().map(|x| x * x).sum::<f32>() / 160.0).collect();
    powers.sort_by(|a, b| b.total_cmp(a));
    let loudest = powers.first().copied().unwrap_or(1.0);
    powers.retain(|power| *power > loudest / 100.0);
    let mean = powers.iter().sum::<f32>() / powers.len().max(1) as f32;
    let gain = FULL * 10.0_f32.powf(dbov / 20.0) / mean.sqrt();
    sound.iter_mut().for_each(|sample| *sample *= gain);
    sound
}

pub fn silence(ms: usize) -> Vec<f32> {
    vec![0.0; ms * HZ / 1_000]
}

pub fn mixed(a: &[f32], b: &[f32]) -> Vec<f32> {
    let long = a.len().max(b.len());
    (0..long).map(|i| a.get(i).unwrap_or(&0.0) + b.get(i).unwrap_or(&0.0)).collect()
}

pub fn through_mu_law(sound: &[f32]) -> Vec<f32> {
    let mut codes = vec![0; sound.len()];
    let mut decoded = vec![0.0; sound.len()];
    G711::Pcmu.encode(sound, &mut codes);
    G711::Pcmu.decode(&codes, &mut decoded);
    decoded
}

/// The same numbers every time.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to 1.
    pub fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }

    /// About normal, of variance 1.
    fn noise(&mut self) -> f32 {
        (0..6).map(|_| self.roll() - 0.5).sum::<f32>() * 2.0_f32.sqrt()
    }
}

/// White; `dull` takes the highs away: 0 none, 0.95 a car.
pub fn noise(ms: usize, dull: f32) -> Vec<f32> {
    let (mut dice, mut last) = (Dice::new(11), 0.0);
    let sample = |_| {
        last = dull * last + dice.noise();
        last
    };
    silence(ms).into_iter().map(sample).collect()
}

/// Eight people who talk in the background.
pub fn babble(ms: usize) -> Vec<f32> {
    let voices = [maria(), tom(), tom_again(), number(), human(), neighbour()];
    let mut dice = Dice::new(5);
    let mut sum = silence(ms);
    for person in 0..8 {
        let voice = shifted(&voices[person % voices.len()], 0.85 + 0.3 * dice.roll());
        let voice = at_level(-20.0, voice);
        let begin = (dice.roll() * voice.len() as f32) as usize;
        for (i, sample) in sum.iter_mut().enumerate() {
            *sample += voice[(begin + i) % voice.len()];
        }
    }
    sum
}

/// Noise that bursts and dies away, then a little voice; 300 ms.
pub fn cough(seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let (pitch, mut phase, mut memory) = (120.0 + 200.0 * dice.roll(), 0.0_f32, [0.0; 2]);
    let sample = |i: usize| {
        let t = i as f32 / HZ as f32;
        let burst = (-t / 0.03).exp() + 0.5 * (-((t - 0.12) / 0.06).powi(2)).exp();
        phase += pitch * (1.0 - 0.6 * t) / HZ as f32;
        let voice = 0.5 * (2.0 * phase.fract() - 1.0) * (-((t - 0.23) / 0.04).powi(2)).exp();
        let sound = burst * dice.noise() + voice + 1.2 * memory[0] - 0.7 * memory[1];
        memory = [sound, memory[0]];
        sound
    };
    (0..HZ * 3 / 10).map(sample).collect()
}

/// A bang that makes the room ring for a moment.
pub fn slam(seed: u64) -> Vec<f32> {
    let mut dice = Dice::new(seed);
    let (low, high) = (60.0 + 80.0 * dice.roll(), 150.0 + 150.0 * dice.roll());
    let sample = |i: usize| {
        let t = i as f32 / HZ as f32;
        let ring = 0.5 * (-t / 0.08).exp() * (TAU * low * t).sin() + 0.3 * (-t / 0.06).exp() * (TAU * high * t).sin();
        0.5 * (-t / 0.02).exp() * dice.noise() + ring
    };
    (0..HZ * 4 / 10).map(sample).collect()
}

/// Keys of a keyboard, five to ten a second.
pub fn typing(ms: usize) -> Vec<f32> {
    let mut dice = Dice::new(3);
    let mut sound = silence(ms);
    let mut at = 0;
    while at < sound.len() {
        let (loud, hz) = (0.2 + 0.8 * dice.roll(), 1_500.0 + 1_500.0 * dice.roll());
        for (i, sample) in sound[at..].iter_mut().take(240).enumerate() {
            let click = 0.6 * dice.noise() + 0.4 * (TAU * hz * i as f32 / HZ as f32).sin();
            *sample += loud * (-(i as f32) / 50.0).exp() * click;
        }
        at += ((0.1 + 0.1 * dice.roll()) * HZ as f32) as usize;
    }
    sound
}

/// Tones together, with overtones: `brightness` of each next one against the one before.
pub fn tones(ms: usize, hz: &[f32], brightness: f32) -> Vec<f32> {
    let partial =
        |i: usize, hz: f32, number: i32| brightness.powi(number - 1) * (TAU * hz * number as f32 * i as f32 / HZ as f32).sin();
    let sample = |i: usize| hz.iter().map(|hz| (1..6).map(|number| partial(i, *hz, number)).sum::<f32>()).sum();
    (0..ms * HZ / 1_000).map(sample).collect()
}

/// Music on hold: a tune over chords, with a drum.
pub fn music(ms: usize) -> Vec<f32> {
    let chords = [[130.8, 164.8, 196.0], [110.0, 130.8, 164.8], [174.6, 220.0, 261.6], [98.0, 123.5, 146.8]];
    let tune = [392.0, 329.6, 261.6, 293.7, 329.6, 261.6, 220.0, 246.9, 261.6, 349.2, 329.6, 293.7, 246.9, 293.7, 196.0, 261.6];
    let mut sound = Vec::new();
    for beat in 0..ms / 250 {
        let chord = tones(250, &chords[beat / 4 % 4], 0.6);
        let note = tones(250, &[tune[beat % 16]], 0.4);
        let mut drum = noise(250, 0.0);
        drum.iter_mut().enumerate().for_each(|(i, x)| *x *= if beat % 2 == 0 { 0.8 * (-(i as f32) / 200.0).exp() } else { 0.0 });
        let fades = |i: usize| (-(i as f32) / 2_500.0).exp() * (i as f32 / 40.0).min(1.0);
        sound.extend((0..chord.len()).map(|i| fades(i) * (0.4 * chord[i] + note[i]) + drum[i]));
    }
    sound
}

/// Breathing into the microphone.
pub fn breath(ms: usize) -> Vec<f32> {
    let swell = |i: usize| (TAU * 0.4 * i as f32 / HZ as f32).sin().max(0.0);
    noise(ms, 0.3).iter().enumerate().map(|(i, sample)| sample * swell(i)).collect()
}

/// How what is sent comes back: so late, so much softer, by way of a room whose sound dies away by 60 dB in this time, through
/// µ-law both ways.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub delay_ms: usize,
    pub loss_db: f32,
    pub dies_away_ms: usize,
}

impl Room {
    pub fn echo(self, sent: &[f32]) -> Vec<f32> {
        let mut dice = Dice::new(self.delay_ms as u64);
        // A small loudspeaker, and as much sound from the walls as straight from it.
        let mut ways = vec![(0, 1.0), (3, -0.4), (7, 0.2)];
        for _ in 0..if self.dies_away_ms > 0 { 60 } else { 0 } {
            let t = dice.roll() * self.dies_away_ms as f32 / 2.0;
            ways.push(((t * 8.0) as usize, 0.3 * dice.noise() * 10.0_f32.powf(-3.0 * t / self.dies_away_ms as f32)));
        }
        let power: f32 = ways.iter().map(|(_, part)| part * part).sum();
        let gain = 10.0_f32.powf(-self.loss_db / 20.0) / power.sqrt();
        let sent = through_mu_law(sent);
        let mut back = vec![0.0; sent.len()];
        for (late, part) in ways {
            for (back, sent) in back.iter_mut().skip(self.delay_ms * 8 + late).zip(&sent) {
                *back += gain * part * sent;
            }
        }
        back
    }
}
