//! The offline conversation as a pure machine: greeting → prompt and tone → the caller's message → thanks → hang up.
//!
//! Its clock is the caller's audio: one [`Input::Frame`] is 20 ms.

/// Silence after speech that ends the message, in frames of 20 ms: 2.4 s.
const END_OF_MESSAGE: u32 = 120;
/// Silence without any speech after the tone that ends the wait: 6 s.
const NO_MESSAGE: u32 = 300;
/// The longest message: 2 minutes.
const LONGEST_MESSAGE: u32 = 6_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The line is open.
    Start,
    /// 20 ms of the caller went by.
    Frame { speech: bool },
    /// All that was said has been played.
    Drained,
}

/// What to say next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Greet,
    Say(&'static str),
    /// The tone after which the caller speaks.
    Tone,
    Goodbye,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Greeting,
    Prompting,
    Listening { spoken: bool, silent_frames: u32, frames: u32 },
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Script {
    stage: Stage,
    outbound: bool,
}

impl Script {
    pub fn new(outbound: bool) -> Self {
        Self { stage: Stage::Waiting, outbound }
    }

    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        match (self.stage, input) {
            (Stage::Waiting, Input::Start) => {
                self.stage = Stage::Greeting;
                vec![Output::Greet]
            }
            (Stage::Greeting, Input::Drained) => {
                self.stage = Stage::Prompting;
                let prompt = if self.outbound {
                    "If you would like to reply, please speak after the tone."
                } else {
                    "Please leave your message after the tone."
                };
                vec![Output::Say(prompt), Output::Tone]
            }
            (Stage::Prompting, Input::Drained) => {
                self.stage = Stage::Listening { spoken: false, silent_frames: 0, frames: 0 };
                Vec::new()
            }
            (Stage::Listening { spoken, silent_frames, frames }, Input::Frame { speech }) => {
                self.listen(spoken || speech, if speech { 0 } else { silent_frames + 1 }, frames + 1)
            }
            _ => Vec::new(),
        }
    }

    fn listen(&mut self, spoken: bool, silent_frames: u32, frames: u32) -> Vec<Output> {
        let last_words = if frames >= LONGEST_MESSAGE {
            "I have to stop here. Thank you for your message. Goodbye."
        } else if spoken && silent_frames >= END_OF_MESSAGE {
            "Thank you. Your message has been recorded. Goodbye."
        } else if !spoken && silent_frames >= NO_MESSAGE {
            "I did not hear anything. Thank you for calling. Goodbye."
        } else {
            self.stage = Stage::Listening { spoken, silent_frames, frames };
            return Vec::new();
        };
        self.stage = Stage::Over;
        vec![Output::Say(last_words), Output::Goodbye]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening() -> Script {
        let mut script = Script::new(false);
        assert_eq!(script.handle(Input::Start), [Output::Greet]);
        assert_eq!(script.handle(Input::Drained).len(), 2);
        assert_eq!(script.handle(Input::Drained), []);
        script
    }

    /// Feeds frames and returns after how many the script said its last words.
    fn frames_until_goodbye(script: &mut Script, speech: impl Fn(u32) -> bool) -> Option<u32> {
        (0..10_000).find(|&i| script.handle(Input::Frame { speech: speech(i) }).contains(&Output::Goodbye))
    }

    #[test]
    fn a_message_ends_after_a_pause() {
        assert_eq!(frames_until_goodbye(&mut listening(), |i| (50..200).contains(&i)), Some(319));
    }

    #[test]
    fn a_pause_in_the_message_does_not_end_it() {
        let end = frames_until_goodbye(&mut listening(), |i| (10..100).contains(&i) || (180..300).contains(&i));
        assert_eq!(end, Some(419));
    }

    #[test]
    fn silence_and_endless_talk_both_end() {
        assert_eq!(frames_until_goodbye(&mut listening(), |_| false), Some(NO_MESSAGE - 1));
        assert_eq!(frames_until_goodbye(&mut listening(), |_| true), Some(LONGEST_MESSAGE - 1));
    }

    #[test]
    fn talking_during_the_greeting_is_not_the_message() {
        let mut script = Script::new(true);
        script.handle(Input::Start);
        assert_eq!(script.handle(Input::Frame { speech: true }), []);
        assert!(matches!(script.handle(Input::Drained)[..], [Output::Say(_), Output::Tone]));
    }
}
