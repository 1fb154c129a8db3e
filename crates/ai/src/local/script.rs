//! The offline conversation as a pure machine: greeting → prompt and tone → the caller's message → thanks → hang up.
//!
//! When we called, the other side is let finish its hello first.
//!
//! Its clock is the caller's audio: one [`Input::Frame`] is 20 ms.

use super::hello::Hello;

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
    /// Outbound: the other side answers with a hello, or with silence.
    Hello(Hello),
    Greeting,
    Prompting,
    Listening(Heard),
    Over,
}

/// What was heard since a stage began, in frames of 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Heard {
    spoken: bool,
    silent_frames: u32,
    frames: u32,
}

impl Heard {
    fn and(self, speech: bool) -> Self {
        Self {
            spoken: self.spoken || speech,
            silent_frames: if speech { 0 } else { self.silent_frames + 1 },
            frames: self.frames + 1,
        }
    }
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
            (Stage::Waiting, Input::Start) if self.outbound => {
                self.stage = Stage::Hello(Hello::default());
                Vec::new()
            }
            (Stage::Waiting, Input::Start) => self.greet(),
            (Stage::Hello(hello), Input::Frame { speech }) => self.await_hello(hello, speech),
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
                self.stage = Stage::Listening(Heard::default());
                Vec::new()
            }
            (Stage::Listening(heard), Input::Frame { speech }) => self.listen(heard.and(speech)),
            _ => Vec::new(),
        }
    }

    /// Something else is said instead of the rest.
    pub fn end(&mut self) {
        self.stage = Stage::Over;
    }

    fn greet(&mut self) -> Vec<Output> {
        self.stage = Stage::Greeting;
        vec![Output::Greet]
    }

    fn await_hello(&mut self, mut hello: Hello, speech: bool) -> Vec<Output> {
        if hello.is_over(speech) {
            return self.greet();
        }
        self.stage = Stage::Hello(hello);
        Vec::new()
    }

    fn listen(&mut self, heard: Heard) -> Vec<Output> {
        let last_words = if heard.frames >= LONGEST_MESSAGE {
            "I have to stop here. Thank you for your message. Goodbye."
        } else if heard.spoken && heard.silent_frames >= END_OF_MESSAGE {
            "Thank you. Your message has been recorded. Goodbye."
        } else if !heard.spoken && heard.silent_frames >= NO_MESSAGE {
            "I did not hear anything. Thank you for calling. Goodbye."
        } else {
            self.stage = Stage::Listening(heard);
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
        let mut script = Script::new(false);
        script.handle(Input::Start);
        assert_eq!(script.handle(Input::Frame { speech: true }), []);
        assert!(matches!(script.handle(Input::Drained)[..], [Output::Say(_), Output::Tone]));
    }

    #[test]
    fn an_outbound_call_lets_the_other_side_say_hello() {
        let mut script = Script::new(true);
        assert_eq!(script.handle(Input::Start), []);
        let greeted = (0..10_000).find(|&i| script.handle(Input::Frame { speech: i < 50 }) == [Output::Greet]);
        assert_eq!(greeted, Some(84));
    }
}
