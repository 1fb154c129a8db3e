//! An agent that never stops talking: 100 ms chunks at 24 kHz, and hears all that the caller says.

use callie_media::engine::Media;
use std::{hint::black_box, time::Duration};

/// A chunk as speech models send them.
const CHUNK_SAMPLES: usize = 2_400;
/// Speech said ahead of time.
const AHEAD: Duration = Duration::from_millis(300);

pub async fn converse(mut media: Media) {
    let mut phase = 0.0_f32;
    loop {
        media.ear.ready().await;
        let mut energy = 0_u64;
        while let Some(frame) = media.ear.pop() {
            energy += frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum::<u64>();
        }
        black_box(energy);
        while media.voice.queued() < AHEAD {
            let mut chunk = media.voice.recycled().unwrap_or_default();
            chunk.extend((0..CHUNK_SAMPLES).map(|_| {
                phase = (phase + 0.013) % 2.0;
                // Louder and softer triangles: cheap, and no two samples in a row alike.
                ((phase - 1.0).abs() * 16_000.0) as i16 - 8_000
            }));
            if media.voice.say(chunk).is_err() {
                break;
            }
        }
    }
}
