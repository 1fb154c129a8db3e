//! A telephone that is listened to from afar: what it hears goes through the room back into its microphone.

use callie_media::FRAME_SAMPLES;
use std::time::Duration;

/// How what is heard comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loudspeaker {
    pub delay: Duration,
    pub loss_db: f32,
}

/// Frames that are there before it begins, so that a packet which comes late is not missed.
const AHEAD: usize = 2;

#[derive(Debug)]
pub(super) struct Room {
    gain: f32,
    delay_samples: usize,
    /// The next sample of what was heard; nothing until there is enough.
    at: Option<usize>,
}

impl Room {
    pub fn new(loudspeaker: Loudspeaker) -> Self {
        let delay_samples = loudspeaker.delay.as_millis() as usize * 8;
        Self { gain: 10.0_f32.powf(-loudspeaker.loss_db / 20.0), delay_samples, at: None }
    }

    /// Adds to what is said in the next 20 ms what comes back of what was `heard` so far.
    pub fn mix(&mut self, heard: &[i16], said: &mut [i16; FRAME_SAMPLES]) {
        if self.at.is_none() && heard.len() >= AHEAD * FRAME_SAMPLES {
            self.at = Some(0);
        }
        let Some(at) = &mut self.at else { return };
        for (i, said) in (*at..).zip(said.iter_mut()) {
            let back = i.checked_sub(self.delay_samples).and_then(|i| heard.get(i)).copied().unwrap_or_default();
            *said = said.saturating_add((self.gain * f32::from(back)) as i16);
        }
        *at += FRAME_SAMPLES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_comes_back_later_and_softer() {
        let mut room = Room::new(Loudspeaker { delay: Duration::from_millis(25), loss_db: 20.0 });
        let heard: Vec<i16> = (0..1_600).map(|i| 10 * i).collect();
        let mut said = [7; FRAME_SAMPLES];
        room.mix(&heard[..160], &mut said);
        assert_eq!(said, [7; FRAME_SAMPLES], "too little was heard to begin with");
        let mut back = Vec::new();
        for frame in 2..10 {
            let mut said = [0; FRAME_SAMPLES];
            room.mix(&heard[..frame * 160], &mut said);
            back.extend(said);
        }
        assert!(back.iter().enumerate().all(|(i, back)| i32::from(*back) == i.saturating_sub(200) as i32), "{back:?}");
    }
}
