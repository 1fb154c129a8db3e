//! Behind the caller music plays, or many people talk: the line takes none of it for a caller who speaks over the agent. What goes on for two
//! seconds the engine hears all the same (`call::withheld`), and may make of it what it likes: this one takes no notice.

use crate::overlap::{barge_ins, scale, sung};
use crate::speech::tone_seconds;
use crate::world::{Scene, converse};
use callie_domain::record::{BargeInOutcome, CallFact};
use callie_lab::analysis::SAMPLE_RATE_HZ;
use callie_lab::gemini::Converse;
use callie_lab::phone::Step;
use callie_lab::samples::Line;
use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

const SECONDS: usize = 9;

fn at_level(rms: f64, samples: &[f64]) -> Arc<[i16]> {
    let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64;
    samples.iter().map(|sample| (sample * rms / power.sqrt()) as i16).collect()
}

/// A tune over chords, a note each quarter of a second.
fn music() -> Vec<f64> {
    let chords = [[130.8, 164.8, 196.0], [110.0, 130.8, 164.8], [174.6, 220.0, 261.6], [98.0, 123.5, 146.8]];
    let tune = [392.0, 329.6, 261.6, 293.7, 329.6, 261.6, 220.0, 246.9];
    let overtones =
        |hz: f64, fall: f64, t: f64| (1..6).map(|n| fall.powi(n - 1) * (TAU * hz * f64::from(n) * t).sin()).sum::<f64>();
    let beat_samples = SAMPLE_RATE_HZ / 4;
    let sample = |i: usize| {
        let (beat, within) = (i / beat_samples, (i % beat_samples) as f64);
        let t = within / SAMPLE_RATE_HZ as f64;
        let fades = (-within / 2_500.0).exp() * (within / 40.0).min(1.0);
        let chord: f64 = chords[beat / 4 % 4].iter().map(|hz| overtones(*hz, 0.6, t)).sum();
        fades * (0.4 * chord + overtones(tune[beat % 8], 0.4, t))
    };
    (0..SECONDS * SAMPLE_RATE_HZ).map(sample).collect()
}

/// A dozen people at once, each with a voice of their own, over and over.
fn babble() -> Vec<f64> {
    let said = [Line::Maria2, Line::Tom1, Line::Tom3, Line::Number, Line::Human, Line::Long].map(Line::samples);
    let mut sum = vec![0.0; SECONDS * SAMPLE_RATE_HZ];
    for person in 0..12 {
        let voice = &said[person % said.len()];
        let power = voice.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / voice.len() as f64;
        let pace = 0.85 + 0.025 * person as f64;
        for (i, sum) in sum.iter_mut().enumerate() {
            let at = (i + person * 5_003) as f64 * pace;
            *sum += f64::from(voice[at as usize % voice.len()]) / power.sqrt();
        }
    }
    sum
}

/// It may pause for a moment to find out; it loses no word and gives way to nobody.
async fn the_agent_is_heard_to_its_end_over(background: Arc<[i16]>) {
    let words = scale(16);
    let script = Converse { stubborn: true, ..converse(sung(&words), vec![]) };
    let mut scene = Scene::of(script).await;
    let ended =
        scene.call([Step::WaitAnswer, Step::Pause(Duration::from_millis(600)), Step::Play(background), Step::HangUp]).await;
    let gave_way = barge_ins(&ended).iter().filter(|(_, outcome)| *outcome == BargeInOutcome::Interrupted).count();
    assert_eq!(gave_way, 0, "{:?}", barge_ins(&ended));
    for hz in &words {
        let heard = tone_seconds(ended.report.heard(), *hz);
        assert!(heard > 0.24, "{hz} Hz was heard for {heard} s only: {:?}", barge_ins(&ended));
    }
    assert!(!ended.facts.iter().any(|fact| matches!(fact, CallFact::EngineFailed { .. })), "{:#?}", ended.facts);
    scene.world.nothing_is_held().await;
}

/// 26 dB below the loudest.
pub async fn music_on_hold_does_not_stop_the_agent() {
    the_agent_is_heard_to_its_end_over(at_level(1_600.0, &music())).await;
}

/// 32 dB below the loudest.
pub async fn a_crowd_does_not_stop_the_agent() {
    the_agent_is_heard_to_its_end_over(at_level(800.0, &babble())).await;
}
