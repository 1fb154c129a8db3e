//! Cost of the Gemini hot path for one message each way, at 20, 40 and 100 ms of audio: what a call pays 50, 25 or 10 times
//! a second beside TCP and TLS.

use base64_simd::STANDARD;
use callie_ai::gemini::wire::{downlink::Downlink, server, uplink::Uplink};
use divan::{Bencher, black_box};

const MILLISECONDS: [u32; 3] = [20, 40, 100];

fn main() {
    divan::main();
}

fn noise(samples: usize) -> Vec<i16> {
    (0..samples as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as i16).collect()
}

/// Frames of 20 ms in, one message out.
#[divan::bench(args = MILLISECONDS)]
fn up(bencher: Bencher, ms: u32) {
    let frame = noise(320);
    let mut uplink = Uplink::new(ms);
    bencher.bench_local(|| {
        for _ in 0..ms / 20 {
            uplink.push(black_box(&frame), |message| drop(black_box(message)));
        }
    });
}

/// One message in, samples out.
#[divan::bench(args = MILLISECONDS)]
fn down(bencher: Bencher, ms: u32) {
    let pcm: Vec<u8> = noise(ms as usize * 24).into_iter().flat_map(i16::to_le_bytes).collect();
    let data = STANDARD.encode_to_string(pcm);
    let frame = format!(
        "{{\n  \"serverContent\": {{\n    \"modelTurn\": {{\n      \"parts\": [\n        {{\n          \"inlineData\": {{\n            \
         \"mimeType\": \"audio/pcm;rate=24000\",\n            \"data\": \"{data}\"\n          }}\n        }}\n      ]\n    }}\n  }}\n}}\n"
    );
    let mut downlink = Downlink::default();
    bencher.bench_local(|| {
        let message = server::parse(black_box(frame.as_bytes())).expect("our own message");
        let part = message.server_content.and_then(|content| content.model_turn?.parts.into_iter().next());
        let audio = part.and_then(|part| part.inline_data).expect("audio");
        downlink.decode(&audio.mime_type, &audio.data).expect("audio")
    });
}
