//! Who said what and when, put together from marks of the RTP socket and words of the engine.
//!
//! Turns are ordered by the socket's clock alone. Words come when they come: the caller's often after the answer has begun, the
//! agent's in a burst long before they are heard. Pure: every input carries its time, in milliseconds since the call began.

use callie_ai::Utterance;
use callie_domain::record::{Speaker, Turn, TurnLatency};

/// Speech of the same side after a pause shorter than this goes on with its turn, if the other side said nothing between.
const SAME_TURN_PAUSE_MS: u64 = 1_500;

/// A turn counts as played when so little of its audio is left: pauses at its end are not heard.
const INAUDIBLE_END_MS: u64 = 500;

/// The agent is heard again so soon after it was let go on.
const RESUMES_WITHIN_MS: u64 = 500;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// First voiced packet at the socket, of either side.
    SpeechOn(Speaker),
    /// Last voiced packet.
    SpeechOff(Speaker),
    /// The caller's speech was handed to the engine so long after it had arrived.
    EarDelay {
        ms: u32,
    },
    /// It left for the engine's service so long after that.
    UplinkDelay {
        ms: u32,
    },
    /// The engine gave audio of this length.
    Audio {
        ms: u32,
    },
    Said(String),
    Heard(String),
    /// The engine has given the whole turn.
    TurnComplete,
    /// What was queued will not be played; nothing has been since this moment.
    Interrupted,
    /// The agent goes on with the turn in which it was stopped, and was silent since then.
    Resumed {
        since_ms: u64,
    },
}

/// Words of the agent with the place in the turn's audio at which they were given.
#[derive(Debug)]
struct Piece {
    audio_ms: u64,
    text: String,
}

/// What the agent has given and what has not been heard yet.
#[derive(Debug, Default)]
struct Answer {
    pieces: Vec<Piece>,
    audio_ms: u64,
    first_audio_at: Option<u64>,
    complete: bool,
}

#[derive(Debug)]
struct Open {
    turn: Turn,
    /// Still speaking, or not known to have ended.
    speaking: bool,
    /// For so long the agent was stopped in it.
    stopped_ms: u64,
    /// As it was told last.
    told: Option<Turn>,
}

impl Open {
    /// How much of the turn's audio has been played.
    fn played_ms(&self, at_ms: u64) -> u64 {
        at_ms.saturating_sub(self.turn.started_ms + self.stopped_ms)
    }

    /// The turn, unless it was told just so or has no words.
    fn news(&mut self) -> Option<Turn> {
        if self.turn.text.is_empty() || self.told.as_ref() == Some(&self.turn) {
            return None;
        }
        self.told = Some(self.turn.clone());
        self.told.clone()
    }
}

/// The transcript of one call while it grows.
#[derive(Debug, Default)]
pub struct Transcript {
    turns: Vec<Open>,
    answer: Answer,
    ear_delay_ms: u32,
    uplink_delay_ms: u32,
    /// Words of the caller came that were not told.
    hearing: bool,
    /// When the agent was to go on with its turn.
    resumed_at: Option<u64>,
    /// The agent has paused, and has more to say in the same turn, whatever the caller says meanwhile.
    pausing: bool,
}

impl Transcript {
    /// Takes a mark; returns the turns that are over and worth telling: new, or with words that came late.
    pub fn take(&mut self, mark: Mark, at_ms: u64) -> Vec<Turn> {
        let mut news = Vec::new();
        if !matches!(mark, Mark::Heard(_)) && std::mem::take(&mut self.hearing) {
            news.extend(self.last_of_caller().and_then(Open::news));
        }
        if self.pausing && self.left_to_say(at_ms) == 0 {
            self.pausing = false;
            if self.answer.complete {
                self.give_words_to_agent();
            }
        }
        match mark {
            Mark::SpeechOn(speaker) => news.extend(self.speech_on(speaker, at_ms)),
            Mark::SpeechOff(speaker) => news.extend(self.speech_off(speaker, at_ms)),
            Mark::Heard(text) => self.heard(&text, at_ms),
            Mark::Interrupted => news.extend(self.interrupted(at_ms)),
            Mark::Resumed { since_ms } => {
                self.resumed_at = Some(at_ms);
                self.last_of_agent().into_iter().for_each(|open| open.stopped_ms += at_ms.saturating_sub(since_ms));
            }
            Mark::EarDelay { ms } => self.ear_delay_ms = ms,
            Mark::UplinkDelay { ms } => self.uplink_delay_ms = ms,
            Mark::Audio { ms } => {
                self.answer.first_audio_at.get_or_insert(at_ms);
                self.answer.audio_ms += u64::from(ms);
                self.answer.complete = false;
            }
            Mark::Said(text) => self.answer.pieces.push(Piece { audio_ms: self.answer.audio_ms, text }),
            Mark::TurnComplete => self.answer.complete = true,
        }
        news
    }

    /// The call is over: every turn that has words and was not told as it stands.
    pub fn close(mut self, at_ms: u64) -> Vec<Turn> {
        if let Some(open) = self.turns.last_mut()
            && open.speaking
        {
            open.turn.ended_ms = at_ms.max(open.turn.started_ms);
        }
        self.give_words_to_agent();
        self.turns.iter_mut().filter_map(Open::news).collect()
    }

    /// What was said so far, as far as there are words, oldest first.
    pub fn so_far(&self) -> Vec<Utterance> {
        let agents_last = self.turns.iter().rposition(|open| open.turn.speaker == Speaker::Agent);
        let words = |(at, open): (usize, &Open)| {
            let mut text = open.turn.text.trim().to_owned();
            if Some(at) == agents_last {
                self.answer.pieces.iter().for_each(|piece| append(&mut text, &piece.text));
            }
            (!text.is_empty()).then_some(Utterance { by_agent: open.turn.speaker == Speaker::Agent, text })
        };
        self.turns.iter().enumerate().filter_map(words).collect()
    }

    fn speech_on(&mut self, speaker: Speaker, at_ms: u64) -> Vec<Turn> {
        if speaker == Speaker::Agent {
            let resumed = self.resumed_at.take().is_some_and(|resumed| at_ms.saturating_sub(resumed) < RESUMES_WITHIN_MS);
            let goes_on = std::mem::take(&mut self.pausing) || resumed;
            if let Some(open) = self.last_of_agent().filter(|_| goes_on) {
                open.speaking = true;
                return Vec::new();
            }
        }
        if let Some(last) = self.turns.last_mut()
            && last.turn.speaker == speaker
            && (speaker == Speaker::Caller || at_ms.saturating_sub(last.turn.ended_ms) < SAME_TURN_PAUSE_MS)
        {
            last.speaking = true;
            return Vec::new();
        }
        if speaker == Speaker::Caller && !self.pausing && !self.turns.last().is_none_or(|last| last.speaking) {
            // The agent is over, whether or not its engine has said so.
            self.give_words_to_agent();
        }
        let latency = (speaker == Speaker::Agent).then(|| self.latency(at_ms)).flatten();
        let index = u32::try_from(self.turns.len()).unwrap_or(u32::MAX);
        let turn = Turn { index, speaker, started_ms: at_ms, ended_ms: at_ms, text: String::new(), interrupted: false, latency };
        let before = self.turns.last_mut().filter(|open| !open.speaking).and_then(Open::news);
        self.turns.push(Open { turn, speaking: true, stopped_ms: 0, told: None });
        before.into_iter().collect()
    }

    /// A pause: between two sentences, or at the end of the turn.
    fn speech_off(&mut self, speaker: Speaker, at_ms: u64) -> Option<Turn> {
        let open = self.turns.iter_mut().rfind(|open| open.turn.speaker == speaker)?;
        open.speaking = false;
        open.turn.ended_ms = at_ms.max(open.turn.started_ms);
        let index = open.turn.index;
        if speaker == Speaker::Agent {
            self.pausing = self.left_to_say(at_ms) > INAUDIBLE_END_MS;
            if !self.answer.complete || self.pausing {
                return None;
            }
            self.give_words_to_agent();
        }
        self.turns.iter_mut().find(|open| open.turn.index == index).and_then(Open::news)
    }

    /// Pieces come in bursts: they are told with the next mark of another kind.
    fn heard(&mut self, text: &str, at_ms: u64) {
        if text.trim().is_empty() {
            return;
        }
        if self.last_of_caller().is_none() {
            // Words without speech at the socket: below the gate, but the engine understood them.
            self.speech_on(Speaker::Caller, at_ms);
        }
        if let Some(open) = self.last_of_caller() {
            append(&mut open.turn.text, text);
            self.hearing = true;
        }
    }

    fn last_of_caller(&mut self) -> Option<&mut Open> {
        self.turns.iter_mut().rfind(|open| open.turn.speaker == Speaker::Caller)
    }

    fn last_of_agent(&mut self) -> Option<&mut Open> {
        self.turns.iter_mut().rfind(|open| open.turn.speaker == Speaker::Agent)
    }

    /// Milliseconds of the answer that have not been played in the agent's last turn.
    fn left_to_say(&self, at_ms: u64) -> u64 {
        let last = self.turns.iter().rfind(|open| open.turn.speaker == Speaker::Agent && !open.turn.interrupted);
        last.map_or(0, |open| self.answer.audio_ms.saturating_sub(open.played_ms(at_ms)))
    }

    /// The words whose audio was not reached are not in the transcript: nobody heard them.
    fn interrupted(&mut self, at_ms: u64) -> Option<Turn> {
        // Who was stopped first has ceased to be heard by now.
        let pausing = std::mem::take(&mut self.pausing);
        let is_cut = |open: &&mut Open| open.speaking || pausing || open.turn.ended_ms >= at_ms;
        let open = self.turns.iter_mut().rfind(|open| open.turn.speaker == Speaker::Agent).filter(is_cut);
        let Some(open) = open else {
            self.answer = Answer::default();
            return None;
        };
        let played_ms = open.played_ms(at_ms);
        self.answer.pieces.retain(|piece| piece.audio_ms <= played_ms);
        open.turn.interrupted = true;
        open.turn.ended_ms = if pausing { open.turn.ended_ms.min(at_ms) } else { at_ms };
        open.speaking = false;
        let index = open.turn.index;
        self.give_words_to_agent();
        self.answer = Answer::default();
        self.turns.iter_mut().find(|open| open.turn.index == index).and_then(Open::news)
    }

    /// The agent's words so far go to its present turn.
    fn give_words_to_agent(&mut self) {
        let Some(open) = self.turns.iter_mut().rfind(|open| open.turn.speaker == Speaker::Agent) else { return };
        self.pausing = false;
        for piece in self.answer.pieces.drain(..) {
            append(&mut open.turn.text, &piece.text);
        }
        if self.answer.complete {
            self.answer = Answer::default();
        }
    }

    /// From the caller's last voiced packet to this first audible one of ours.
    fn latency(&self, at_ms: u64) -> Option<TurnLatency> {
        let question = self.turns.last().filter(|open| open.turn.speaker == Speaker::Caller && !open.speaking)?;
        let total_ms = u32::try_from(at_ms.checked_sub(question.turn.ended_ms)?).ok()?;
        let audio_after = u32::try_from(self.answer.first_audio_at?.checked_sub(question.turn.ended_ms)?).ok()?;
        let audio_after = audio_after.min(total_ms);
        let ear_ms = self.ear_delay_ms.min(audio_after);
        let uplink_ms = self.uplink_delay_ms.min(audio_after - ear_ms);
        let engine_ms = audio_after - ear_ms - uplink_ms;
        Some(TurnLatency { total_ms, ear_ms, uplink_ms, engine_ms, playout_ms: total_ms - audio_after })
    }
}

/// Pieces may bring their own spaces (Gemini's do) or not.
fn append(text: &mut String, piece: &str) {
    let glued = text.is_empty()
        || text.ends_with(char::is_whitespace)
        || piece.starts_with(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
    if !glued {
        text.push(' ');
    }
    text.push_str(if text.is_empty() { piece.trim_start() } else { piece });
}

#[cfg(test)]
mod tests {
    use super::*;
    use Speaker::{Agent, Caller};

    /// All turns as they were told last.
    fn run(marks: &[(u64, Mark)], end_ms: u64) -> Vec<Turn> {
        let mut transcript = Transcript::default();
        let mut told = std::collections::BTreeMap::new();
        let taken: Vec<Turn> = marks.iter().flat_map(|(at, mark)| transcript.take(mark.clone(), *at)).collect();
        for turn in taken.into_iter().chain(transcript.close(end_ms)) {
            told.insert(turn.index, turn);
        }
        told.into_values().collect()
    }

    fn lines(turns: &[Turn]) -> Vec<(Speaker, u64, &str)> {
        turns.iter().map(|t| (t.speaker, t.started_ms, t.text.as_str())).collect()
    }

    fn said(text: &str) -> Mark {
        Mark::Said(text.into())
    }

    fn heard(text: &str) -> Mark {
        Mark::Heard(text.into())
    }

    #[test]
    fn late_words_of_the_caller_stand_where_they_were_spoken() {
        let marks = [
            (100, said("Hello.")),
            (110, Mark::Audio { ms: 500 }),
            (120, Mark::SpeechOn(Agent)),
            (700, Mark::SpeechOff(Agent)),
            (1_000, Mark::SpeechOn(Caller)),
            (2_000, Mark::SpeechOff(Caller)),
            (2_600, Mark::Audio { ms: 800 }),
            (2_610, said("Good")),
            (2_620, said(" morning.")),
            (2_650, Mark::SpeechOn(Agent)),
            (2_900, heard("this is")),
            (2_950, heard(" Maria")),
            (3_500, Mark::SpeechOff(Agent)),
        ];
        let turns = run(&marks, 4_000);
        let want = [(Agent, 120, "Hello."), (Caller, 1_000, "this is Maria"), (Agent, 2_650, "Good morning.")];
        assert_eq!(lines(&turns), want);
    }

    #[test]
    fn latency_is_split_into_parts_that_add_up() {
        let marks = [
            (1_000, Mark::SpeechOn(Caller)),
            (2_000, Mark::EarDelay { ms: 60 }),
            (2_000, Mark::UplinkDelay { ms: 20 }),
            (2_000, Mark::SpeechOff(Caller)),
            (2_700, Mark::Audio { ms: 100 }),
            (2_725, Mark::SpeechOn(Agent)),
            (2_800, said("Yes.")),
        ];
        let turns = run(&marks, 4_000);
        let latency = turns.last().and_then(|t| t.latency);
        assert_eq!(latency, Some(TurnLatency { total_ms: 725, ear_ms: 60, uplink_ms: 20, engine_ms: 620, playout_ms: 25 }));
    }

    #[test]
    fn an_interrupted_turn_holds_what_was_played() {
        let marks = [
            (0, said("First sentence.")),
            (10, Mark::Audio { ms: 1_000 }),
            (20, said("Second sentence.")),
            (30, Mark::Audio { ms: 1_000 }),
            (35, said("Third sentence.")),
            (40, Mark::SpeechOn(Agent)),
            (1_540, Mark::SpeechOn(Caller)),
            (1_600, Mark::Interrupted),
            (2_000, Mark::SpeechOff(Caller)),
        ];
        let turns = run(&marks, 3_000);
        assert_eq!(lines(&turns), [(Agent, 40, "First sentence. Second sentence.")]);
        assert!(turns[0].interrupted);
    }

    #[test]
    fn who_was_stopped_and_then_cut_off_has_said_what_was_heard_before() {
        let marks = [
            (0, said("First sentence.")),
            (10, Mark::Audio { ms: 1_000 }),
            (20, said("Second sentence.")),
            (30, Mark::Audio { ms: 1_000 }),
            (40, Mark::SpeechOn(Agent)),
            (400, Mark::SpeechOn(Caller)),
            (920, Mark::SpeechOff(Agent)),
            (900, Mark::Interrupted),
            (2_500, Mark::SpeechOff(Caller)),
            (2_600, heard("no, wait")),
        ];
        let turns = run(&marks, 3_000);
        assert_eq!(lines(&turns), [(Agent, 40, "First sentence."), (Caller, 400, "no, wait")]);
        assert!(turns[0].interrupted && turns[0].ended_ms == 900, "{turns:?}");
    }

    #[test]
    fn who_was_stopped_and_goes_on_says_one_turn() {
        let marks = [
            (0, said("First sentence.")),
            (10, Mark::Audio { ms: 1_000 }),
            (20, said("Second sentence.")),
            (30, Mark::Audio { ms: 1_000 }),
            (35, Mark::TurnComplete),
            (40, Mark::SpeechOn(Agent)),
            (400, Mark::SpeechOn(Caller)),
            (920, Mark::SpeechOff(Agent)),
            (950, Mark::SpeechOff(Caller)),
            (1_000, heard("mhm")),
            (1_800, Mark::Resumed { since_ms: 900 }),
            (1_830, Mark::SpeechOn(Agent)),
            (3_000, Mark::SpeechOff(Agent)),
            (5_000, Mark::SpeechOn(Agent)),
        ];
        let turns = run(&marks, 6_000);
        assert_eq!(lines(&turns), [(Agent, 40, "First sentence. Second sentence."), (Caller, 400, "mhm")]);
        assert!(!turns[0].interrupted && turns[0].ended_ms == 3_000, "{turns:?}");
    }

    /// Three sentences of a second; after the first the agent pauses.
    fn sentences() -> Vec<(u64, Mark)> {
        let said = |at, text: &str| [(at, said(text)), (at + 5, Mark::Audio { ms: 1_000 })];
        let words = [said(0, "One."), said(10, "Two."), said(20, "Three.")].concat();
        words.into_iter().chain([(35, Mark::TurnComplete), (40, Mark::SpeechOn(Agent))]).collect()
    }

    #[test]
    fn a_word_in_passing_does_not_split_what_the_agent_says_nor_give_it_words_that_were_not_heard() {
        for passing in [500, 900] {
            let marks = [
                (passing, Mark::SpeechOn(Caller)),
                (840, Mark::SpeechOff(Agent)),
                (1_050, Mark::SpeechOn(Agent)),
                (passing + 300, Mark::SpeechOff(Caller)),
                (1_300, heard("mhm")),
                (1_800, Mark::SpeechOn(Caller)),
                (1_900, Mark::Interrupted),
                (3_000, Mark::SpeechOff(Caller)),
                (3_100, heard("no, wait")),
            ];
            let mut marks = [sentences(), marks.to_vec()].concat();
            marks.sort_by_key(|(at, _)| *at);
            let turns = run(&marks, 4_000);
            assert_eq!(lines(&turns), [(Agent, 40, "One. Two."), (Caller, passing, "mhm no, wait")], "{turns:#?}");
            assert!(turns[0].interrupted && turns[0].ended_ms == 1_900, "{turns:#?}");
        }
    }

    #[test]
    fn what_is_said_after_a_stop_is_counted_from_where_it_was_stopped() {
        let marks = [
            (500, Mark::SpeechOn(Caller)),
            (820, Mark::SpeechOff(Agent)),
            (1_100, Mark::SpeechOff(Caller)),
            (2_000, Mark::Resumed { since_ms: 800 }),
            (2_020, Mark::SpeechOn(Agent)),
            (2_500, Mark::SpeechOn(Caller)),
            (2_600, Mark::Interrupted),
        ];
        let turns = run(&[sentences(), marks.to_vec()].concat(), 4_000);
        assert_eq!(lines(&turns), [(Agent, 40, "One. Two.")], "1,360 ms of it were played: {turns:#?}");
    }

    #[test]
    fn who_is_cut_off_while_pausing_has_said_what_was_heard() {
        let marks = [(840, Mark::SpeechOff(Agent)), (900, Mark::SpeechOn(Caller)), (960, Mark::Interrupted)];
        let turns = run(&[sentences(), marks.to_vec()].concat(), 4_000);
        assert_eq!(lines(&turns), [(Agent, 40, "One.")]);
        assert!(turns[0].interrupted && turns[0].ended_ms == 840, "{turns:#?}");
    }

    #[test]
    fn an_answer_whose_end_was_silent_does_not_run_into_the_next() {
        let marks = [
            (1_640, Mark::SpeechOff(Agent)),
            (4_000, Mark::SpeechOn(Caller)),
            (5_000, Mark::SpeechOff(Caller)),
            (5_500, said("Four.")),
            (5_510, Mark::Audio { ms: 9_000 }),
            (5_530, Mark::SpeechOn(Agent)),
        ];
        let turns = run(&[sentences(), marks.to_vec()].concat(), 6_000);
        assert_eq!(lines(&turns), [(Agent, 40, "One. Two. Three."), (Agent, 5_530, "Four.")]);
    }

    #[test]
    fn pauses_within_a_turn_do_not_split_it() {
        let marks = [
            (100, Mark::SpeechOn(Caller)),
            (500, Mark::SpeechOff(Caller)),
            (1_500, Mark::SpeechOn(Caller)),
            (2_000, Mark::SpeechOff(Caller)),
            (2_100, heard("one two")),
        ];
        assert_eq!(lines(&run(&marks, 3_000)), [(Caller, 100, "one two")]);
    }

    #[test]
    fn turns_are_told_when_they_are_over_and_again_when_words_come_late() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.take(Mark::SpeechOn(Caller), 100), []);
        assert_eq!(transcript.take(Mark::SpeechOff(Caller), 900), [], "no words yet");
        assert_eq!(transcript.take(heard("hel"), 1_200), [], "more may follow");
        transcript.take(heard("lo"), 1_210);
        let told = transcript.take(Mark::Audio { ms: 20 }, 1_220);
        assert_eq!((told[0].index, told[0].text.as_str(), told[0].ended_ms), (0, "hel lo", 900));
        transcript.take(heard("there"), 1_300);
        let again = transcript.take(Mark::Audio { ms: 20 }, 1_310);
        assert_eq!((again[0].index, again[0].text.as_str()), (0, "hel lo there"));
        assert_eq!(transcript.close(2_000), [], "nothing is told twice");
    }

    #[test]
    fn a_turn_of_several_sentences_is_told_once() {
        let mut transcript = Transcript::default();
        let marks = [
            (0, said("One.")),
            (5, Mark::Audio { ms: 500 }),
            (10, Mark::SpeechOn(Agent)),
            (500, Mark::SpeechOff(Agent)),
            (550, said("Two.")),
            (560, Mark::Audio { ms: 500 }),
            (570, Mark::TurnComplete),
            (700, Mark::SpeechOn(Agent)),
            (1_200, Mark::SpeechOff(Agent)),
        ];
        let told: Vec<Turn> = marks.iter().flat_map(|(at, mark)| transcript.take(mark.clone(), *at)).collect();
        assert_eq!(lines(&told), [(Agent, 10, "One. Two.")]);
    }
}
