//! Playout against a virtual beat.

use super::*;
use crate::FRAME_SAMPLES;
use proptest::prelude::*;
use std::f32::consts::TAU;

const RATES: [SpeechRate; 3] = [SpeechRate::Hz8000, SpeechRate::Hz16000, SpeechRate::Hz24000];

fn playout(rate: SpeechRate) -> Playout {
    Playout::new(rate, LineRate::Hz8000, 1000)
}

/// `n` samples of a 300 Hz tone, from sample `from` on.
fn tone(rate: SpeechRate, from: usize, n: usize) -> Vec<i16> {
    (from..from + n).map(|i| (8000.0 * (TAU * 300.0 * i as f32 / rate.hz() as f32).sin()) as i16).collect()
}

fn pull(playout: &mut Playout) -> (Pulled, [f32; FRAME_SAMPLES]) {
    let mut frame = [f32::NAN; FRAME_SAMPLES];
    let pulled = playout.pull(&mut frame);
    (pulled, frame)
}

fn pull_many(playout: &mut Playout, frames: usize) -> Vec<f32> {
    (0..frames).flat_map(|_| pull(playout).1).collect()
}

/// The largest step between neighbours: a click is a large one. The tone itself takes steps of 1,900 at 8 kHz.
fn largest_step(samples: &[f32]) -> f32 {
    samples.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn bursts_leave_as_an_even_stream() {
    for rate in RATES {
        let mut playout = playout(rate);
        let speech = tone(rate, 0, rate.hz() as usize);
        for chunk in speech.chunks(777) {
            playout.push(chunk.to_vec()).expect("room");
        }
        playout.end_of_speech();
        assert_eq!(playout.queued(), Duration::from_secs(1));
        let heard = pull_many(&mut playout, 50);
        assert_eq!(playout.played_samples(), u64::from(rate.hz()));
        assert!(largest_step(&heard) < 2000.0, "{rate:?}");
        // The filters delay by 2 ms at most; compare where the tone has settled.
        let power = heard[400..7600].iter().map(|s| s * s).sum::<f32>() / 7200.0;
        assert!((power.sqrt() - 8000.0 / 2f32.sqrt()).abs() < 60.0, "{rate:?} {power}");
        assert_eq!(playout.queued(), Duration::ZERO);
        // The tone ended on a frame's edge: its fade comes in the next frame, then nothing.
        pull(&mut playout);
        assert!(playout.is_drained());
        assert_eq!(pull(&mut playout).0, Pulled::Silence);
        assert_eq!(playout.underruns(), 0);
    }
}

#[test]
fn nothing_pushed_is_silence() {
    for rate in RATES {
        assert_eq!(pull(&mut playout(rate)), (Pulled::Silence, [0.0; FRAME_SAMPLES]));
    }
}

#[test]
fn running_dry_fades_and_counts_only_in_the_middle_of_a_turn() {
    for rate in RATES {
        // 2.4 frames, so that the speech stops inside of one.
        let part = rate.frame_samples() * 12 / 5;
        let mut playout = playout(rate);
        let mut heard = vec![];
        playout.push(tone(rate, 0, part)).expect("room");
        heard.extend(pull_many(&mut playout, 5));
        assert_eq!(playout.underruns(), 0, "whether it was the end is not known yet");
        playout.push(tone(rate, part + 7, part)).expect("room");
        assert_eq!(playout.underruns(), 1);
        heard.extend(pull_many(&mut playout, 5));
        playout.end_of_speech();
        playout.push(tone(rate, 0, part)).expect("room");
        heard.extend(pull_many(&mut playout, 5));
        assert_eq!(playout.underruns(), 1, "{rate:?}: a new turn is no underrun");
        assert!(largest_step(&heard) < 2000.0, "{rate:?}: a click of {}", largest_step(&heard));
        assert_eq!(playout.played_samples(), 3 * part as u64);
    }
}

#[test]
fn a_frame_may_be_pieced_together_from_many_chunks() {
    let mut playout = playout(SpeechRate::Hz8000);
    let speech = tone(SpeechRate::Hz8000, 0, 640);
    for chunk in speech.chunks(7) {
        playout.push(chunk.to_vec()).expect("room");
    }
    let heard = pull_many(&mut playout, 4);
    assert!(heard.iter().zip(&speech).all(|(&a, &b)| a == f32::from(b)));
}

#[test]
fn a_short_beginning_waits_a_moment() {
    let mut playout = playout(SpeechRate::Hz8000);
    playout.push(vec![1000; 100]).expect("room");
    assert_eq!(pull(&mut playout).0, Pulled::Silence);
    playout.push(vec![1000; 100]).expect("room");
    assert_eq!(pull(&mut playout), (Pulled::Speech, [1000.0; FRAME_SAMPLES]));

    let mut alone = self::playout(SpeechRate::Hz8000);
    alone.push(vec![1000; 100]).expect("room");
    let pulled: Vec<_> = (0..4).map(|_| pull(&mut alone).0).collect();
    assert_eq!(pulled, [Pulled::Silence, Pulled::Silence, Pulled::Speech, Pulled::Silence]);

    let mut ended = self::playout(SpeechRate::Hz8000);
    ended.push(vec![1000; 100]).expect("room");
    ended.end_of_speech();
    assert_eq!(pull(&mut ended).0, Pulled::Speech);
}

#[test]
fn a_flush_is_silent_within_five_milliseconds() {
    for rate in RATES {
        let mut playout = playout(rate);
        for i in 0..100 {
            playout.push(tone(rate, i * rate.frame_samples(), rate.frame_samples())).expect("room");
        }
        let mut heard = pull_many(&mut playout, 10);
        let played = playout.played_samples();
        playout.flush();
        assert_eq!((playout.queued(), playout.is_drained()), (Duration::ZERO, false));
        let (_, frame) = pull(&mut playout);
        heard.extend(frame);
        assert!(largest_step(&heard) < 2000.0, "{rate:?}: a click of {}", largest_step(&heard));
        // 5 ms of fade and twice the filter's delay.
        assert!(frame[80..].iter().all(|s| s.abs() < 5.0), "{rate:?}");
        assert!(playout.is_drained());
        assert_eq!(playout.played_samples(), played);
        assert_eq!(std::iter::from_fn(|| playout.reclaim()).filter(Vec::is_empty).count(), 100);
        assert_eq!(pull(&mut playout).0, Pulled::Silence);
        assert_eq!(playout.underruns(), 0);
    }
}

/// Words of 200 ms with 60 ms of quiet between them, in chunks of 100 ms. Every word has a pitch of its own.
fn words(rate: SpeechRate, count: usize) -> Vec<Vec<i16>> {
    let (word, gap) = (rate.hz() as usize / 5, rate.hz() as usize * 6 / 100);
    let word = |number| {
        let step = TAU * (200.0 + 50.0 * number as f32) / rate.hz() as f32;
        (0..word).map(move |i| (8000.0 * (step * i as f32).sin()) as i16).chain((0..gap).map(|_| 0))
    };
    let speech: Vec<i16> = (0..count).flat_map(word).collect();
    speech.chunks(rate.hz() as usize / 10).map(<[i16]>::to_vec).collect()
}

#[test]
fn a_pause_is_silent_within_five_milliseconds_and_keeps_the_queue() {
    for rate in RATES {
        let mut playout = playout(rate);
        for i in 0..100 {
            playout.push(tone(rate, i * rate.frame_samples(), rate.frame_samples())).expect("room");
        }
        let mut heard = pull_many(&mut playout, 10);
        let (played, queued) = (playout.played_samples(), playout.queued());
        playout.pause(true);
        let (_, frame) = pull(&mut playout);
        heard.extend(frame);
        assert!(frame[80..].iter().all(|s| s.abs() < 5.0), "{rate:?}");
        for _ in 0..50 {
            assert_eq!(pull(&mut playout).0, Pulled::Silence);
        }
        playout.push(tone(rate, 0, 480)).expect("what is said meanwhile waits too");
        assert!(!playout.is_drained());
        assert_eq!(playout.played_samples(), played);
        assert_eq!(playout.queued(), queued + Duration::from_secs(480) / rate.hz());
        playout.pause(false);
        heard.extend(pull_many(&mut playout, 200));
        assert!(largest_step(&heard) < 2000.0, "{rate:?}: a click of {}", largest_step(&heard));
        assert_eq!(playout.played_samples(), 100 * rate.frame_samples() as u64 + 480, "what was heard twice counts once");
        assert_eq!((playout.underruns(), playout.is_drained()), (0, true));
    }
}

/// The agent is stopped 120 ms into its third word, silent for a while, and says that word again, whole.
#[test]
fn speech_goes_on_with_the_word_that_was_broken_off() {
    for rate in RATES {
        let mut whole = playout(rate);
        let mut stopped = playout(rate);
        for chunk in words(rate, 5) {
            whole.push(chunk.clone()).expect("room");
            stopped.push(chunk).expect("room");
        }
        let undisturbed = pull_many(&mut whole, 70);
        let mut before = pull_many(&mut stopped, 32);
        stopped.pause(true);
        before.extend(pull_many(&mut stopped, 10));
        stopped.pause(false);
        let after = pull_many(&mut stopped, 40);
        assert!(largest_step(&[before, after.clone()].concat()) < 4000.0, "{rate:?}");
        // The third word begins after 520 ms, so the quietest moment before it after 450 to 510.
        let from = (450..=510).step_by(10).map(|ms| 8 * ms).find(|from| {
            let pairs = after[80..].iter().zip(&undisturbed[from + 80..]);
            pairs.map(|(again, once)| (again - once).abs()).fold(0.0, f32::max) < 20.0
        });
        assert!(from.is_some(), "{rate:?}: it went on with something else");
        stopped.end_of_speech();
        pull_many(&mut stopped, 60);
        assert_eq!(stopped.played_samples(), rate.hz() as u64 * 13 / 10);
        assert_eq!(std::iter::from_fn(|| stopped.reclaim()).count(), 13, "every chunk comes back");
    }
}

#[test]
fn who_is_stopped_again_while_repeating_loses_nothing() {
    let rate = SpeechRate::Hz8000;
    let mut playout = playout(rate);
    words(rate, 5).into_iter().for_each(|chunk| playout.push(chunk).expect("room"));
    pull_many(&mut playout, 30);
    for _ in 0..4 {
        playout.pause(true);
        pull_many(&mut playout, 3);
        playout.pause(false);
        pull_many(&mut playout, 2);
    }
    assert_eq!(playout.played_samples(), 30 * 160);
    playout.end_of_speech();
    pull_many(&mut playout, 120);
    assert_eq!((playout.played_samples(), playout.is_drained()), (10_400, true));
}

#[test]
fn a_new_turn_never_repeats_the_last_one() {
    let mut playout = playout(SpeechRate::Hz8000);
    playout.push(vec![3000; 1600]).expect("room");
    playout.end_of_speech();
    pull_many(&mut playout, 12);
    playout.push(vec![1000; 1600]).expect("room");
    pull_many(&mut playout, 2);
    playout.pause(true);
    pull_many(&mut playout, 5);
    playout.pause(false);
    let heard = pull_many(&mut playout, 12);
    assert!(heard.iter().all(|s| *s <= 1000.0));
}

#[test]
fn a_pause_before_the_first_word_holds_it_back_whole() {
    let mut playout = playout(SpeechRate::Hz8000);
    playout.pause(true);
    playout.push(vec![1000; 800]).expect("room");
    assert!(pull_many(&mut playout, 10).iter().all(|s| *s == 0.0));
    playout.pause(false);
    let heard = pull_many(&mut playout, 8);
    assert_eq!(heard[..800], [1000.0; 800]);
    assert_eq!(playout.underruns(), 0);
}

#[test]
fn a_flush_ends_a_pause() {
    let mut playout = playout(SpeechRate::Hz8000);
    playout.push(vec![1000; 1600]).expect("room");
    pull(&mut playout);
    playout.pause(true);
    pull(&mut playout);
    playout.flush();
    assert!(playout.is_drained());
    assert_eq!(playout.queued(), Duration::ZERO);
    playout.push(vec![2000; 320]).expect("room");
    assert_eq!(pull(&mut playout), (Pulled::Speech, [2000.0; FRAME_SAMPLES]));
}

#[test]
fn where_nothing_is_kept_chunks_come_back_at_once() {
    let mut playout = Playout::never_paused(SpeechRate::Hz8000, LineRate::Hz8000, 3);
    for _ in 0..100 {
        let chunk = playout.reclaim().unwrap_or_default();
        playout.push([chunk, vec![1000; 160]].concat()).expect("room");
        playout.push(vec![1000; 160]).expect("room");
        pull_many(&mut playout, 1);
        assert!(playout.reclaim().is_some());
        pull_many(&mut playout, 1);
    }
}

#[test]
fn speech_after_a_flush_is_a_new_turn() {
    let mut playout = playout(SpeechRate::Hz8000);
    playout.push(vec![1000; 320]).expect("room");
    pull(&mut playout);
    playout.flush();
    playout.push(vec![2000; 320]).expect("room");
    let (_, frame) = pull(&mut playout);
    assert!(frame[..40].iter().all(|s| *s < 1000.0), "the fade comes first");
    assert!(frame[40..].iter().all(|s| *s == 2000.0), "and then the new speech, at once");
    assert_eq!(playout.underruns(), 0);
}

#[test]
fn a_full_queue_gives_the_chunk_back() {
    let mut playout = Playout::new(SpeechRate::Hz8000, LineRate::Hz8000, 2);
    assert!(playout.push(vec![1; 160]).is_ok());
    assert!(playout.push(vec![]).is_ok());
    assert!(playout.push(vec![2; 160]).is_ok());
    assert_eq!(playout.push(vec![3; 160]), Err(vec![3; 160]));
    pull(&mut playout);
    assert!(playout.push(vec![3; 160]).is_ok());
}

proptest! {
    /// Every sample is played once and in order, or flushed; every chunk comes back with its room.
    #[test]
    fn nothing_is_lost(rate in 0usize..3, steps in proptest::collection::vec((0u8..10, 0usize..1500), 0..120)) {
        let mut playout = Playout::new(RATES[rate], LineRate::Hz8000, 300);
        let (mut pushed, mut flushed, mut chunks, mut back) = (0u64, 0u64, 0, 0);
        for (kind, n) in steps {
            match kind {
                0..4 => { playout.push(vec![1000; n]).expect("room"); pushed += n as u64; chunks += 1; }
                4 => { playout.flush(); flushed = pushed - playout.played_samples(); }
                5 => playout.end_of_speech(),
                6 => back += usize::from(playout.reclaim().is_some_and(|c| c.is_empty())),
                7 => playout.pause(n % 2 == 0),
                _ => {
                    let (_, frame) = pull(&mut playout);
                    prop_assert!(frame.iter().all(|s| s.abs() < 1400.0));
                }
            }
            let waiting = pushed - flushed - playout.played_samples();
            prop_assert_eq!(playout.queued().as_nanos(), u128::from(waiting * 1_000_000_000 / u64::from(RATES[rate].hz())));
        }
        playout.pause(false);
        playout.end_of_speech();
        for _ in 0..(pushed / 160 + 24) { pull(&mut playout); }
        prop_assert!(playout.is_drained());
        prop_assert_eq!(playout.played_samples() + flushed, pushed);
        back += std::iter::from_fn(|| playout.reclaim()).count();
        prop_assert_eq!(back, chunks);
    }
}
