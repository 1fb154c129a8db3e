//! Whole conversations: audio in, audio and words out, on a clock of frames. With the scripted recogniser they run
//! everywhere; with the real one where its weights are installed.

use super::*;
use crate::chat::{
    ChatClient,
    tests::{Reply, serve},
};
use crate::local::{
    lines::{cough, heard, silence, weights},
    recogniser::Transcriber,
    synthesiser::Synthesiser,
    tests::brief,
};
use callie_lab::samples::Line;
use std::future::poll_fn;

const FRAME: usize = 320;
/// 8 kHz samples played in a frame.
const PLAYED: usize = 160;

/// A call with an ideal line: what the agent says is played in real time of the frames.
struct Call {
    session: Conversation,
    events: Vec<EngineEvent>,
    unplayed: usize,
    frames: usize,
    /// Sentences that were said before the last look.
    known: usize,
}

impl Call {
    async fn begin(transcriber: Transcriber, talk: Option<Talk>, brief: Brief) -> Self {
        let mouth = Mouth::new(Synthesiser::start().expect("built in"));
        let mut session = Conversation::open(mouth, Listening::new(transcriber), talk, brief).await.expect("opens");
        session.start();
        let mut call = Self { session, events: Vec::new(), unplayed: 0, frames: 0, known: 0 };
        call.settle().await;
        call
    }

    /// Polls until nothing is under way: computing takes no time on this clock.
    async fn settle(&mut self) {
        loop {
            let session = &mut self.session;
            let event = poll_fn(|cx| match session.poll_event(cx) {
                Poll::Ready(event) => Poll::Ready(Some(event)),
                Poll::Pending if session.is_waiting() => Poll::Pending,
                Poll::Pending => Poll::Ready(None),
            });
            let event = tokio::time::timeout(std::time::Duration::from_secs(20), event).await.expect("no deadlock");
            match event {
                None => return,
                Some(EngineEvent::Audio(samples)) => self.unplayed += samples.len(),
                Some(event) => {
                    if event == EngineEvent::Interrupted {
                        self.unplayed = 0;
                    }
                    self.events.push(event);
                }
            }
        }
    }

    async fn hear(&mut self, audio: &[i16]) {
        for frame in audio.chunks(FRAME) {
            self.frames += 1;
            self.session.hear(frame);
            self.settle().await;
            let playing = self.unplayed > 0;
            self.unplayed = self.unplayed.saturating_sub(PLAYED);
            if playing && self.unplayed == 0 {
                self.session.playout_drained();
                self.settle().await;
            }
        }
    }

    /// Silence until the agent has said something more and fallen silent.
    async fn listen(&mut self) {
        let began = self.frames;
        while self.said().len() == self.known || self.unplayed > 0 {
            self.hear(&silence(20)).await;
            assert!(self.frames - began < 2_000, "the agent stays silent: {:?}", self.events);
        }
        self.hear(&silence(300)).await;
        self.known = self.said().len();
    }

    fn said(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| if let EngineEvent::Said(text) = event { Some(text.as_str()) } else { None })
            .collect()
    }

    fn heard(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| if let EngineEvent::Heard(text) = event { Some(text.as_str()) } else { None })
            .collect()
    }

    fn all_said(&self) -> String {
        self.said().join(" ")
    }

    fn message(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match event {
            EngineEvent::ToolUsed(tool) if tool.name == "take_message" => Some(tool.arguments.as_str()),
            _ => None,
        })
    }

    fn count(&self, wanted: &EngineEvent) -> usize {
        self.events.iter().filter(|event| *event == wanted).count()
    }
}

impl Conversation {
    fn is_waiting(&self) -> bool {
        self.mouth.is_waiting() || self.listening.is_waiting() || self.talk.as_ref().is_some_and(Talk::is_waiting)
    }
}

async fn scripted(texts: &[&'static str]) -> Call {
    Call::begin(Transcriber::scripted(texts), None, brief()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_leaves_a_message_by_voice() {
    let Some(weights) = weights() else { return };
    let transcriber = Transcriber::start(&weights).expect("loads");
    let mut call = Call::begin(transcriber, None, brief()).await;
    call.listen().await;
    for line in [Line::Maria1, Line::Maria2, Line::Maria3] {
        call.hear(&heard(line)).await;
        call.listen().await;
    }
    let heard = call.heard().join(" ").to_lowercase();
    for words in ["lopez", "invoice", "tuesday", "wrong address", "that is right"] {
        assert!(heard.contains(words), "{words:?} in {heard:?}");
    }
    let message = call.message().expect("a message was taken");
    assert!(message.contains("Lopez") && message.contains("invoice from last Tuesday"), "{message}");
    assert!(call.all_said().contains("You are calling about the invoice from last Tuesday."));
    assert_eq!((call.count(&EngineEvent::Goodbye), call.count(&EngineEvent::Interrupted)), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_answer_comes_soon_after_the_last_word() {
    let mut call = scripted(&["Hi, this is Maria Lopez."]).await;
    call.listen().await;
    let speech = heard(Line::Maria1);
    let last_word = speech.iter().rposition(|s| s.unsigned_abs() > 300).expect("speech");
    call.hear(&speech[..last_word]).await;
    let began = call.frames;
    while call.unplayed == 0 {
        call.hear(&silence(20)).await;
    }
    let delay = (call.frames - began) * 20;
    assert!((600..=1_000).contains(&delay), "{delay} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn speech_interrupts_the_agent_and_noises_do_not() {
    for (name, noise, interrupts) in
        [("a cough", cough(), false), ("hmm", heard(Line::Hmm), false), ("a sentence", heard(Line::Human), true)]
    {
        let greeting = "Hello, this is a rather long greeting, which goes on and on about many things of little interest to anybody \
                        who calls, and is not even over then, for there is always one more thing to be said.";
        let long = Brief { greeting: greeting.into(), ..brief() };
        let mut call = Call::begin(Transcriber::scripted(&["I would like to speak to a human, please."]), None, long).await;
        call.hear(&silence(500)).await;
        call.hear(&noise).await;
        assert_eq!(call.count(&EngineEvent::Interrupted), usize::from(interrupts), "{name}");
        assert_eq!(call.unplayed == 0, interrupts, "{name}");
        call.listen_out().await;
        assert_eq!(call.all_said().contains("nobody is available"), interrupts, "{name}: {:?}", call.events);
        assert_eq!(call.heard().is_empty(), !interrupts, "{name}");
    }
}

impl Call {
    /// Silence until the agent has nothing more to say.
    async fn listen_out(&mut self) {
        for _ in 0..3 {
            while self.unplayed > 0 {
                self.hear(&silence(20)).await;
            }
            self.hear(&silence(1_500)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cough_in_the_silence_gets_no_reply() {
    for noise in [cough(), heard(Line::Hmm)] {
        let mut call = scripted(&["Hammer."]).await;
        call.listen().await;
        let said = call.said().len();
        call.hear(&noise).await;
        call.hear(&silence(3_000)).await;
        assert_eq!((call.said().len(), call.heard().len()), (said, 0), "{:?}", call.events);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_goodbye_is_never_cut() {
    let mut call = scripted(&["Goodbye.", "Wait, one more thing."]).await;
    call.listen().await;
    call.hear(&heard(Line::Maria3)).await;
    while call.unplayed == 0 {
        call.hear(&silence(20)).await;
    }
    call.hear(&heard(Line::Long)).await;
    assert_eq!((call.count(&EngineEvent::Interrupted), call.count(&EngineEvent::Goodbye)), (0, 1));
    assert!(call.all_said().ends_with("Goodbye."), "{}", call.all_said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn when_we_called_the_other_side_has_the_first_word() {
    let outbound = Brief { greeting: "Your order is ready.".into(), outbound: true, ..brief() };
    let mut call = Call::begin(Transcriber::scripted(&["Hello?", "Thanks, I will come at five."]), None, outbound).await;
    call.hear(&heard(Line::Tom2)).await;
    assert_eq!(call.said(), [""; 0], "the hello is not talked over");
    call.listen().await;
    call.listen_out().await;
    assert_eq!(call.said(), ["Your order is ready.", "Would you like to leave a reply?"]);
    assert_eq!(call.heard(), ["Hello?"]);
    call.hear(&heard(Line::Tom3)).await;
    call.listen().await;
    assert!(call.message().is_some_and(|message| message.contains("come at five")), "{:?}", call.events);
    assert_eq!(call.count(&EngineEvent::Goodbye), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_line_asks_and_ends_in_silence() {
    let mut call = scripted(&[]).await;
    call.listen().await;
    call.session.prompt(Prompt::StillThere);
    call.listen().await;
    call.session.prompt(Prompt::SilenceGoodbye);
    call.listen().await;
    assert!(call.all_said().contains("Are you still there?") && call.all_said().ends_with("Goodbye."));
    assert_eq!(call.count(&EngineEvent::Goodbye), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn our_own_echo_is_not_the_caller() {
    for (text, over_agent, echo) in [
        ("How can I help?", true, true),
        ("How can I help?", false, false),
        ("Help", true, false),
        ("Can I help you with that?", true, false),
    ] {
        let heard = Heard { text: text.into(), over_agent, ..Heard::default() };
        assert_eq!(is_echo(&heard, "Hello there. How can I help? "), echo, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_chat_model_answers_in_its_words() {
    let (options, _requests) =
        serve(vec![Reply::Words(&["We sell", " lamps. Which", " one?"]), Reply::Words(&["Fine. Goodbye!\n[hang up]"])]).await;
    let talk = Talk::new(ChatClient::new(options).expect("an address"), &brief());
    let mut call = Call::begin(Transcriber::scripted(&["What do you sell?", "The red one."]), Some(talk), brief()).await;
    call.listen().await;
    for line in [Line::Maria2, Line::Tom2] {
        call.hear(&heard(line)).await;
        call.listen().await;
    }
    let want = ["Hello there.", "How can I help?", "We sell lamps.", "Which one?", "Fine.", "Goodbye!"];
    assert_eq!(call.said(), want);
    assert_eq!(call.heard(), ["What do you sell?", "The red one."]);
    assert_eq!((call.count(&EngineEvent::Goodbye), call.count(&EngineEvent::TurnComplete)), (1, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_receptionist_goes_on_where_the_chat_model_fails() {
    for reply in [Reply::Status(500, "out of memory"), Reply::BreaksOff(&["I think. That"])] {
        let (options, _requests) = serve(vec![reply.clone()]).await;
        let talk = Talk::new(ChatClient::new(options).expect("an address"), &brief());
        let texts = &["Hi, this is Maria Lopez.", "This is Maria Lopez, I lost my key."];
        let mut call = Call::begin(Transcriber::scripted(texts), Some(talk), brief()).await;
        call.listen().await;
        call.hear(&heard(Line::Maria1)).await;
        call.listen().await;
        call.hear(&heard(Line::Maria2)).await;
        call.listen().await;
        let notices =
            call.events.iter().filter(|event| matches!(event, EngineEvent::Notice(text) if text.contains("receptionist")));
        assert_eq!(notices.count(), 1, "{reply:?}: {:?}", call.events);
        assert!(call.all_said().ends_with("Thank you, Maria Lopez. You lost your key. Is that right?"), "{}", call.all_said());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_wants_a_human_is_handed_over_once() {
    let human = "I would like to speak to a human, please.";
    let with_targets = Brief { transfer_targets: vec!["sales".into(), "the boss".into()], ..brief() };
    let mut call = Call::begin(Transcriber::scripted(&[human, human]), None, with_targets).await;
    call.listen().await;
    call.hear(&heard(Line::Human)).await;
    call.listen().await;
    let transfer = EngineEvent::Transfer { target: "sales".into() };
    assert_eq!(call.count(&transfer), 1);
    assert!(call.all_said().ends_with("I am connecting you."), "{}", call.all_said());
    call.session.prompt(Prompt::TransferFailed { target: "sales".into(), reason: "486 Busy Here".into() });
    call.listen().await;
    assert!(call.all_said().contains("I could not reach sales, but I can take a message."), "{}", call.all_said());
    call.hear(&heard(Line::Human)).await;
    call.listen().await;
    assert_eq!(call.count(&transfer), 1);
    assert!(call.all_said().contains("there is really nobody here"), "{}", call.all_said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_the_human_says_is_not_the_callers() {
    let mut call = scripted(&["Hi, this is Maria Lopez."]).await;
    call.listen().await;
    call.session.prompt(Prompt::BriefHuman { target: "sales".into(), message: Some("Maria wants a lamp.".into()) });
    call.listen().await;
    assert!(call.all_said().ends_with("Maria wants a lamp. Press 1 to take the call, or 2 to decline."), "{}", call.all_said());
    call.hear(&heard(Line::Maria1)).await;
    call.hear(&silence(2_000)).await;
    assert!(call.heard().is_empty());
}
