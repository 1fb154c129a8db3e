//! Ears on the caller lines of the lab, on noise and on coughs.

use super::*;
use crate::local::lines::{cough, heard, noise, silence};
use callie_lab::samples::Line;

/// What was noticed and in which frame.
fn listen(audio: &[Vec<i16>]) -> Vec<(usize, Notice)> {
    let mut ears = Ears::default();
    let audio = audio.concat();
    let frames = audio.chunks(FRAME).enumerate();
    frames.flat_map(|(n, frame)| ears.hear(frame).into_iter().map(move |notice| (n, notice))).collect()
}

fn kinds(noticed: &[(usize, Notice)]) -> Vec<&Notice> {
    noticed.iter().map(|(_, notice)| notice).collect()
}

/// `audio` between half a second of silence before and 1.5 s after.
fn alone(audio: Vec<i16>) -> Vec<Vec<i16>> {
    vec![silence(500), audio, silence(1_500)]
}

#[test]
fn every_line_is_one_turn() {
    for line in Line::ALL.into_iter().filter(|line| *line != Line::Hmm) {
        let noticed = listen(&alone(heard(line)));
        let kinds = kinds(&noticed);
        let without_pauses: Vec<_> = kinds.into_iter().filter(|n| !matches!(n, Notice::Paused | Notice::Resumed)).collect();
        assert_eq!(without_pauses, [&Notice::Began, &Notice::Sustained, &Notice::Ended], "{line:?}");
    }
}

#[test]
fn a_turn_ends_700_ms_after_the_last_word_and_pauses_before() {
    let speech = heard(Line::Tom2);
    let last_word = speech.iter().rposition(|s| s.unsigned_abs() > 300).expect("speech") / FRAME + 25;
    let noticed = listen(&alone(speech));
    let at = |kind: &Notice| noticed.iter().find(|(_, notice)| notice == kind).map(|(frame, _)| *frame).expect("noticed");
    let end = at(&Notice::Ended);
    assert!((last_word + 30..last_word + 48).contains(&end), "{end} after {last_word}");
    assert_eq!(end - at(&Notice::Paused), (END - PAUSE) as usize);
}

#[test]
fn the_first_words_are_not_cut_off() {
    let mut ears = Ears::default();
    let audio = [silence(500), heard(Line::Maria1)].concat();
    let first_word = audio.iter().position(|s| s.unsigned_abs() > 300).expect("speech");
    let began = audio.chunks(FRAME).position(|frame| ears.hear(frame).contains(&Notice::Began)).expect("began");
    let kept = ears.utterance().expect("an utterance").len();
    assert!((began + 1) * FRAME - kept < first_word, "the utterance begins before the first word");
}

#[test]
fn noises_do_not_interrupt() {
    let hole = silence(600);
    for (name, audio) in [
        ("silence", silence(2_000)),
        ("a knock", noise(20, 20_000.0)),
        ("hiss", noise(2_000, 3_000.0)),
        ("a cough", cough()),
        ("coughs", [cough(), hole.clone(), cough(), hole, cough()].concat()),
        ("hmm", heard(Line::Hmm)),
    ] {
        let noticed = listen(&alone(audio));
        assert!(!kinds(&noticed).contains(&&Notice::Sustained), "{name}: {noticed:?}");
    }
}

#[test]
fn speech_interrupts_within_half_a_second_even_in_noise() {
    for line in [Line::Maria2, Line::Tom3, Line::Human] {
        for amplitude in [0.0, 300.0] {
            let speech = heard(line);
            let first_word = speech.iter().position(|s| s.unsigned_abs() > 600).expect("speech") / FRAME + 150;
            let mut audio = [silence(3_000), speech, silence(1_500)].concat();
            for (sample, noise) in audio.iter_mut().zip(noise(20_000, amplitude)) {
                *sample = sample.saturating_add(noise);
            }
            let noticed = listen(&[audio]);
            let sustained = noticed.iter().find(|(_, n)| *n == Notice::Sustained).map(|(frame, _)| *frame);
            let sustained = sustained.unwrap_or_else(|| panic!("{line:?} in noise of {amplitude}: {noticed:?}"));
            assert!(sustained < first_word + 30, "{line:?} in noise of {amplitude}: {sustained} after {first_word}");
        }
    }
}

#[test]
fn patience_keeps_a_turn_open() {
    let mut ears = Ears::default();
    let audio = [silence(300), heard(Line::Tom2), silence(300), heard(Line::Tom3), silence(2_000)].concat();
    let mut noticed = Vec::new();
    for frame in audio.chunks(FRAME) {
        let now = ears.hear(frame);
        if now.contains(&Notice::Paused) {
            ears.be_patient(1_200);
        }
        noticed.extend(now);
    }
    let (resumed, ended) = (noticed.iter().filter(|n| **n == Notice::Resumed), noticed.iter().filter(|n| **n == Notice::Ended));
    assert_eq!((resumed.count(), ended.count()), (1, 1), "{noticed:?}");
}

#[test]
fn an_endless_talker_comes_in_pieces() {
    let line = heard(Line::Long);
    let loud = |s: &i16| s.unsigned_abs() > 300;
    let words = &line[line.iter().position(loud).expect("speech")..=line.iter().rposition(loud).expect("speech")];
    let audio = [words, &silence(300), words, &silence(300), words, &silence(1_500)].concat();
    let length = audio.len();
    let mut ears = Ears::default();
    let mut pieces = Vec::new();
    let mut last = 0;
    for frame in audio.chunks(FRAME) {
        for notice in ears.hear(frame) {
            if let Notice::Piece(samples) = notice {
                pieces.push(samples.len());
            }
        }
        last = ears.utterance().map_or(last, <[i16]>::len);
    }
    assert!(pieces.len() >= 2 && pieces.iter().all(|&piece| (PIECE..=LONGEST_PIECE).contains(&piece)), "{pieces:?}");
    assert!(pieces.iter().sum::<usize>() + last > length - 3 * SAMPLE_RATE as usize, "nothing is lost");
}

#[test]
fn odd_frames_are_survived() {
    let mut ears = Ears::default();
    for frame in [&[][..], &[i16::MAX; 7], &[i16::MIN; 4_000]] {
        for _ in 0..100 {
            ears.hear(frame);
        }
    }
}
