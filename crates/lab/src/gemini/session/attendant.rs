//! One session without its socket: messages of the client in, replies and tricks of the line out. Pure: time is an argument.

use super::input::{Input, Reader};
use crate::gemini::conversation::Conversation;
use crate::gemini::fault::{Act, Moment};
use crate::gemini::memory::Resume;
use crate::gemini::record::Sent;
use crate::gemini::reply::Reply;
use crate::gemini::script::{Converse, Exchange, Script, TurnEnd};
use crate::gemini::setup::Terms;
use crate::gemini::stream::Stream;
use crate::gemini::wire::{self, Refusal};
use crate::gemini::{Gemini, Session};
use crate::realtime::endpoint::{Endpoint, Voice};
use crate::realtime::{End, Office};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the driver does, in order.
#[derive(Debug)]
pub(in crate::gemini) enum Out {
    Say(Reply),
    Trick(Trick),
}

/// How the line behaves from now on, or a frame that no message is in.
#[derive(Debug)]
pub(in crate::gemini) enum Trick {
    /// Nothing more is sent.
    Stall,
    /// Nothing more is read.
    Deaf,
    /// Messages go out in frames of so many bytes, with a pause after each.
    Drip(usize, Duration),
    /// A text frame.
    Text(String),
    Ping,
}

pub(in crate::gemini) struct Attendant {
    office: Arc<Office<Gemini>>,
    session: Session,
    terms: Terms,
    script: Script,
    conversation: Conversation,
    stream: Stream,
    reader: Reader,
    endpoint: Endpoint,
    /// Acts whose time will come.
    timed: Vec<(Instant, Act)>,
    /// The running turn has been heard.
    audible: bool,
    stalled: bool,
    /// Until `setupComplete`.
    setup_time: Duration,
    out: Vec<Out>,
}

impl Attendant {
    /// The first message has come; `has_key`: with the right key. [`Self::begin`] follows after [`Self::setup_time`].
    pub fn set_up(
        office: &Arc<Office<Gemini>>,
        session: &Session,
        first: &[u8],
        door: Result<&str, Refusal>,
        now: Instant,
    ) -> Result<Self, End> {
        let (name, setup) = wire::read(first)?;
        let version = door?;
        if name != "setup" {
            return Err(Refusal::invalid(format!("the first message must be setup, not {name}")).into());
        }
        session.note(|log| log.setup = setup.clone());
        let terms = Terms::read(&setup, &office.options, version)?;
        session.note(|log| log.model.clone_from(&terms.model));
        let mut attendant = Self::new(office, session, terms)?;
        for moment in attendant.moments_of_setup() {
            attendant.moment(moment, now)?;
        }
        Ok(attendant)
    }

    fn new(office: &Arc<Office<Gemini>>, session: &Session, terms: Terms) -> Result<Self, End> {
        let resume = resume(office, &terms)?;
        let script = match &resume {
            Some(resume) => resume.script.clone(),
            None => office.state().memory.next_script(),
        };
        let mut conversation = conversation(&script, &terms);
        if let Some(resume) = resume {
            session.note(|log| log.begins_greeted = resume.greeted);
            conversation.resume(&resume);
        }
        Ok(Self {
            office: Arc::clone(office),
            session: session.clone(),
            stream: Stream::of(&script),
            reader: Reader::new(&terms),
            endpoint: Endpoint::new(terms.silence),
            terms,
            script,
            conversation,
            timed: Vec::new(),
            audible: false,
            stalled: false,
            setup_time: office.options.setup_time,
            out: Vec::new(),
        })
    }

    fn moments_of_setup(&self) -> Vec<Moment> {
        let resumes = matches!(self.terms.resumption, Some(Some(_)));
        let seeds = self.terms.seeded;
        [(Moment::Setup, true), (Moment::Resume, resumes), (Moment::Seed, seeds)]
            .into_iter()
            .filter_map(|(moment, comes)| comes.then_some(moment))
            .collect()
    }

    /// Time between the setup and `setupComplete`.
    pub fn setup_time(&self) -> Duration {
        self.setup_time
    }

    /// Something was sent before `setupComplete`.
    pub fn too_early(message: &[u8]) -> End {
        match wire::read(message) {
            Ok((name, _)) => Refusal::invalid(format!("{name} was sent before setupComplete")).into(),
            Err(refusal) => refusal.into(),
        }
    }

    /// The setup is complete: the clock of the session begins.
    pub fn begin(&mut self, now: Instant) -> Result<(), End> {
        self.out.push(Out::Say(Reply::setup_complete(self.terms.vertex)));
        self.session.note(|log| log.ready = (!self.stalled).then_some(now));
        let timed = self.office.state().faults.take_timed();
        self.timed.extend(timed.into_iter().map(|(delay, act)| (now + delay, act)));
        self.give_handle();
        self.tick(now)
    }

    /// What is to be done since it was asked last.
    pub fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    /// When [`Self::tick`] has something to do.
    pub fn wake(&self) -> Option<Instant> {
        let timed = self.timed.iter().map(|(at, _)| *at);
        timed.chain(self.conversation.wake()).chain(self.stream.wake()).min()
    }

    pub fn take(&mut self, message: &[u8], now: Instant) -> Result<(), End> {
        let mut out = Vec::new();
        match self.reader.read(message)? {
            Input::Audio(samples) => return self.hear(&samples, now),
            Input::Text(text) => {
                self.stream.begin(now);
                self.session.note(|log| log.text(now, &text));
                self.conversation.text(&text, now, &mut out);
            }
            Input::Activity(voice) => return self.voice(voice, now),
            Input::Content { content, asks } => {
                self.content(&content, asks, now, &mut out);
                self.session.note(|log| log.contents.push(content));
            }
            Input::ToolResponses(responses) => self.answered(responses, now, &mut out)?,
            Input::ContextUpdate(update) => self.session.note(|log| log.contents.push(update)),
            Input::Nothing => {}
        }
        self.say(out, now)
    }

    pub fn tick(&mut self, now: Instant) -> Result<(), End> {
        let (due, later) = std::mem::take(&mut self.timed).into_iter().partition(|(at, _)| *at <= now);
        self.timed = later;
        for (_, act) in Vec::<(Instant, Act)>::into_iter(due) {
            self.act(act, now)?;
        }
        let mut out = Vec::new();
        if let Some(exchange) = self.stream.tick(now, &mut out) {
            self.conversation.speak(exchange, now, &mut out);
        }
        self.conversation.tick(now, &mut out);
        self.say(out, now)
    }

    pub fn act(&mut self, act: Act, now: Instant) -> Result<(), End> {
        let mut out = Vec::new();
        match act {
            Act::Close { code, reason } => return Err(End::Closes { code, reason }),
            Act::Drop => return Err(End::Dropped),
            Act::Stall => {
                self.stalled = true;
                self.out.push(Out::Trick(Trick::Stall));
            }
            Act::GoAway { time_left, code, reason } => {
                self.timed.push((now + time_left, Act::Close { code, reason }));
                out.push(Reply::go_away(time_left));
            }
            Act::SlowSetup { by } => self.setup_time += by,
            Act::Raw(text) => self.out.push(Out::Trick(Trick::Text(text))),
            Act::Junk(bytes) => out.push(Reply::junk(bytes)),
            Act::Huge { bytes } => out.push(Reply::huge(bytes)),
            Act::Ping => self.out.push(Out::Trick(Trick::Ping)),
            Act::Drip { frame_bytes, pause } => self.out.push(Out::Trick(Trick::Drip(frame_bytes, pause))),
            Act::Deaf => self.out.push(Out::Trick(Trick::Deaf)),
            Act::EmptyTurn => self.conversation.instead = Some(TurnEnd::Complete),
            Act::RejectTurn => self.conversation.instead = Some(Exchange::rejected("").end),
            Act::Speak(exchange) => self.conversation.speak(*exchange, now, &mut out),
            Act::Follow(script) => self.follow(script),
            Act::Interrupt => self.conversation.interrupt(now, &mut out),
            Act::Refuse { .. } => {}
        }
        self.say(out, now)
    }

    fn hear(&mut self, samples: &[i16], now: Instant) -> Result<(), End> {
        let mut out = Vec::new();
        self.session.note(|log| log.hear(samples, now));
        self.stream.begin(now);
        self.stream.hear(samples, &mut out);
        self.say(out, now)?;
        for voice in self.endpoint.hear(samples) {
            if voice == Voice::Began {
                self.session.note(|log| log.uplink.voice_began(now));
            }
            if self.terms.detects_activity {
                self.voice(voice, now)?;
            }
        }
        Ok(())
    }

    fn voice(&mut self, voice: Voice, now: Instant) -> Result<(), End> {
        let mut out = Vec::new();
        match voice {
            Voice::Began => {
                self.conversation.voice_began(now, &mut out);
                self.say(out, now)?;
                self.moment(Moment::Utterance, now)
            }
            Voice::Ended => {
                self.moment(Moment::Question, now)?;
                self.conversation.voice_ended(now, &mut out);
                self.say(out, now)
            }
        }
    }

    /// `clientContent` stops what is being said. The history of a seeded session asks for nothing.
    fn content(&mut self, content: &Value, asks: bool, now: Instant, out: &mut Vec<Reply>) {
        self.conversation.interrupt(now, out);
        if !asks {
            self.session.note(|log| log.begins_greeted |= log.texts.is_empty());
            return self.conversation.remember(content);
        }
        let text = content.pointer("/turns/0/parts/0/text").and_then(Value::as_str).unwrap_or_default();
        self.session.note(|log| log.text(now, text));
        self.conversation.text(text, now, out);
    }

    fn answered(&mut self, responses: Vec<Value>, now: Instant, out: &mut Vec<Reply>) -> Result<(), End> {
        for response in responses {
            self.conversation.answered(&response)?;
            self.session.note(|log| log.tool_responses.push((now, response)));
        }
        self.conversation.tick(now, out);
        Ok(())
    }

    fn say(&mut self, replies: Vec<Reply>, now: Instant) -> Result<(), End> {
        for reply in replies {
            let sent = reply.sent.clone();
            self.out.push(Out::Say(reply));
            match sent {
                Sent::Audio { .. } if !self.audible => {
                    self.audible = true;
                    self.moment(Moment::Answer, now)?;
                }
                Sent::TurnComplete => {
                    self.audible = false;
                    self.give_handle();
                }
                Sent::Interrupted => self.audible = false,
                Sent::ToolCall(_) => self.moment(Moment::ToolCall, now)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn give_handle(&mut self) {
        if self.terms.resumption.is_none() {
            return;
        }
        let point = self.conversation.resume_point(&self.terms.model, &self.script);
        let handle = self.office.state().memory.handle(point, &self.session);
        self.out.push(Out::Say(Reply::resumption(&handle)));
    }

    fn follow(&mut self, script: Script) {
        self.conversation = conversation(&script, &self.terms);
        self.stream = Stream::of(&script);
        self.script = script;
    }

    fn moment(&mut self, at: Moment, now: Instant) -> Result<(), End> {
        let acts = self.office.state().faults.take(at);
        acts.into_iter().try_for_each(|act| self.act(act, now))
    }
}

fn conversation(script: &Script, terms: &Terms) -> Conversation {
    let converse = if let Script::Converse(converse) = script { converse.clone() } else { Converse::default() };
    // A measurement is not disturbed by what the caller says.
    let mut terms = terms.clone();
    terms.interrupts &= !matches!(script, Script::Turns { .. });
    Conversation::new(converse, terms)
}

/// What the handle of the setup stands for.
fn resume(office: &Office<Gemini>, terms: &Terms) -> Result<Option<Resume>, Refusal> {
    let Some(Some(handle)) = &terms.resumption else {
        return Ok(None);
    };
    let known = office.state().memory.handles.get(handle).cloned();
    let (resume, giver) =
        known.ok_or_else(|| Refusal::invalid("Invalid session resumption handle: it is unknown or has expired."))?;
    if resume.model != terms.model {
        return Err(Refusal::invalid("setup.sessionResumption: the model of a session cannot change"));
    }
    if office.options.one_at_a_time && giver.look(|log| log.closed.is_none()) {
        return Err(Refusal { code: 1008, reason: "The session is still in use.".to_owned() });
    }
    Ok(Some(resume))
}
