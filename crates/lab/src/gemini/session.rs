//! One connection: upgrade, setup, then a loop that carries what comes in to the conversation and what it says out.

mod input;
mod line;

use super::conversation::Conversation;
use super::endpoint::{Endpoint, Voice};
use super::fault::{Act, Moment};
use super::office::{Office, Resume};
use super::record::{Sent, Session};
use super::reply::Reply;
use super::script::{Converse, Exchange, Script, TurnEnd};
use super::setup::Terms;
use super::stream::Stream;
use super::upgrade::{Door, WRONG_KEY, answer};
use super::wire::{self, Refusal};
use input::{Input, Reader};
use line::{End, Line};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves until it is dropped.
pub(super) async fn accept(listener: TcpListener, office: Arc<Office>, tracker: TaskTracker, token: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let serving = serve(stream, Arc::clone(&office));
                tracker.spawn(token.clone().run_until_cancelled_owned(serving));
            }
            Err(error) => tracing::warn!(%error, "the fake could not accept a connection"),
        }
    }
}

async fn serve(stream: TcpStream, office: Arc<Office>) {
    let (session, wishes, _seat) = office.open();
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let Some((mut line, door)) = upgrade(stream, &office, &session).await else {
        return;
    };
    let end = match Call::set_up(&mut line, &door, &office, &session).await {
        Ok(call) => call.run(&mut line, wishes).await,
        Err(end) => end,
    };
    line.end(end).await;
}

async fn upgrade(mut stream: TcpStream, office: &Office, session: &Session) -> Option<(Line, Door)> {
    let mut forced = None;
    let acts = office.state().faults.take(Moment::Upgrade);
    for act in acts {
        match act {
            Act::Refuse { status, body } => forced = Some((status, body)),
            Act::Stall => return wait_for_end(&mut stream).await,
            _ => return None,
        }
    }
    let mut door = Door::default();
    let options = &office.options;
    #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
    let callback = |request: &Request, response: Response| {
        door = Door::of(request);
        session.note(|log| door.note(log));
        answer(forced.or_else(|| door.refusal(&options.api_key, options.wrong_key_is_http)), response)
    };
    // Small buffers: there are hundreds of sessions in one process.
    let config = WebSocketConfig::default().read_buffer_size(8 << 10).write_buffer_size(8 << 10);
    let socket = accept_hdr_async_with_config(stream, callback, Some(config)).await.ok()?;
    Some((Line::new(socket, session.clone()), door))
}

/// Reads on until the client gives up.
async fn wait_for_end<T>(stream: &mut TcpStream) -> Option<T> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
    None
}

/// A session that is set up.
struct Call<'a> {
    office: &'a Arc<Office>,
    session: &'a Session,
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
}

impl<'a> Call<'a> {
    async fn set_up(line: &mut Line, door: &Door, office: &'a Arc<Office>, session: &'a Session) -> Result<Self, End> {
        let (name, setup) = wire::read(&line.receive().await?)?;
        if !door.has_key(&office.options.api_key) {
            return Err(Refusal::invalid(WRONG_KEY).into());
        }
        if name != "setup" {
            return Err(Refusal::invalid(format!("the first message must be setup, not {name}")).into());
        }
        session.note(|log| log.setup = setup.clone());
        let terms = Terms::read(&setup, &office.options.models, &door.version)?;
        session.note(|log| log.model.clone_from(&terms.model));
        let mut call = Self::new(office, session, terms)?;
        let acts = office.state().faults.take(Moment::Setup);
        for act in acts {
            call.act(act, line, Instant::now()).await?;
        }
        // The real service is not instant either, and who speaks too early is caught.
        if let Ok(early) = timeout(office.options.setup_time, line.receive()).await {
            let (name, _) = wire::read(&early?)?;
            return Err(Refusal::invalid(format!("{name} was sent before setupComplete")).into());
        }
        line.send(&Reply::setup_complete()).await?;
        call.begun(line).await?;
        Ok(call)
    }

    fn new(office: &'a Arc<Office>, session: &'a Session, terms: Terms) -> Result<Self, End> {
        let resume = resume(office, &terms)?;
        let script = match &resume {
            Some(resume) => resume.script.clone(),
            None => {
                let mut state = office.state();
                state.queued.pop_front().unwrap_or_else(|| state.script.clone())
            }
        };
        let mut conversation = conversation(&script, &terms);
        if let Some(resume) = resume {
            (conversation.greeted, conversation.exchanges) = (resume.greeted, resume.exchanges);
        }
        Ok(Self {
            office,
            session,
            stream: Stream::of(&script),
            reader: Reader::new(&terms),
            endpoint: Endpoint::new(terms.silence),
            terms,
            script,
            conversation,
            timed: Vec::new(),
            audible: false,
        })
    }

    /// `setupComplete` is out: the clock of the session begins.
    async fn begun(&mut self, line: &mut Line) -> Result<(), End> {
        let now = Instant::now();
        self.session.note(|log| log.ready = (!line.is_stalled()).then_some(now));
        let timed = self.office.state().faults.take_timed();
        self.timed.extend(timed.into_iter().map(|(delay, act)| (now + delay, act)));
        self.give_handle(line).await
    }

    async fn run(mut self, line: &mut Line, mut wishes: mpsc::Receiver<Act>) -> End {
        loop {
            let wake = self.wake().unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            let passed = tokio::select! {
                message = line.receive() => match message {
                    Ok(message) => self.take(&message, line).await,
                    Err(end) => Err(end),
                },
                Some(wish) = wishes.recv() => self.act(wish, line, Instant::now()).await,
                () = sleep_until(wake.into()) => self.tick(line).await,
            };
            if let Err(end) = passed {
                return end;
            }
        }
    }

    fn wake(&self) -> Option<Instant> {
        let timed = self.timed.iter().map(|(at, _)| *at);
        timed.chain(self.conversation.wake()).chain(self.stream.wake()).min()
    }

    async fn take(&mut self, message: &[u8], line: &mut Line) -> Result<(), End> {
        let (now, mut out) = (Instant::now(), Vec::new());
        match self.reader.read(message)? {
            Input::Audio(samples) => return self.hear(&samples, now, line).await,
            Input::Text(text) => {
                self.stream.begin(now);
                self.conversation.text(&text, now, &mut out);
                self.session.note(|log| log.texts.push((now, text)));
            }
            Input::Activity(voice) => self.voice(voice, now, line, &mut out).await?,
            Input::Content { content, asks } => {
                self.content(&content, asks, now, &mut out);
                self.session.note(|log| log.contents.push(content));
            }
            Input::ToolResponses(responses) => self.answered(responses, now, &mut out)?,
            Input::ContextUpdate(update) => self.session.note(|log| log.contents.push(update)),
            Input::Nothing => {}
        }
        self.send(out, line).await
    }

    async fn hear(&mut self, samples: &[i16], now: Instant, line: &mut Line) -> Result<(), End> {
        let mut out = Vec::new();
        self.session.note(|log| log.uplink.hear(samples, now));
        self.stream.begin(now);
        self.stream.hear(samples, &mut out);
        for voice in self.endpoint.hear(samples) {
            if voice == Voice::Began {
                self.session.note(|log| log.uplink.voice_began(now));
            }
            if self.terms.detects_activity {
                self.voice(voice, now, line, &mut out).await?;
            }
        }
        self.send(out, line).await
    }

    async fn voice(&mut self, voice: Voice, now: Instant, line: &mut Line, out: &mut Vec<Reply>) -> Result<(), End> {
        match voice {
            Voice::Began => {
                self.conversation.voice_began(now, out);
                self.send(std::mem::take(out), line).await?;
                self.moment(Moment::Utterance, line).await
            }
            Voice::Ended => {
                self.conversation.voice_ended(now, out);
                Ok(())
            }
        }
    }

    /// `clientContent` stops what is being said. The history of a seeded session asks for nothing.
    fn content(&mut self, content: &Value, asks: bool, now: Instant, out: &mut Vec<Reply>) {
        self.conversation.interrupt(now, out);
        if !asks {
            self.conversation.greeted = true;
            return;
        }
        let text = content.pointer("/turns/0/parts/0/text").and_then(Value::as_str).unwrap_or_default();
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

    async fn tick(&mut self, line: &mut Line) -> Result<(), End> {
        let (now, mut out) = (Instant::now(), Vec::new());
        let (due, later) = std::mem::take(&mut self.timed).into_iter().partition(|(at, _)| *at <= now);
        self.timed = later;
        for (_, act) in Vec::<(Instant, Act)>::into_iter(due) {
            Box::pin(self.act(act, line, now)).await?;
        }
        if let Some(exchange) = self.stream.tick(now, &mut out) {
            self.conversation.speak(exchange, now, &mut out);
        }
        self.conversation.tick(now, &mut out);
        self.send(out, line).await
    }

    async fn send(&mut self, replies: Vec<Reply>, line: &mut Line) -> Result<(), End> {
        for reply in replies {
            line.send(&reply).await?;
            match reply.sent {
                Sent::Audio { .. } if !self.audible => {
                    self.audible = true;
                    Box::pin(self.moment(Moment::Answer, line)).await?;
                }
                Sent::TurnComplete => {
                    self.audible = false;
                    self.give_handle(line).await?;
                }
                Sent::Interrupted => self.audible = false,
                _ => {}
            }
        }
        Ok(())
    }

    async fn give_handle(&mut self, line: &mut Line) -> Result<(), End> {
        if self.terms.resumption.is_none() {
            return Ok(());
        }
        let handle = self.office.handle(Resume {
            model: self.terms.model.clone(),
            script: self.script.clone(),
            greeted: self.conversation.greeted,
            exchanges: self.conversation.exchanges,
        });
        line.send(&Reply::resumption(&handle)).await
    }

    fn follow(&mut self, script: Script) {
        self.conversation = conversation(&script, &self.terms);
        self.stream = Stream::of(&script);
        self.script = script;
    }

    async fn moment(&mut self, at: Moment, line: &mut Line) -> Result<(), End> {
        let acts = self.office.state().faults.take(at);
        for act in acts {
            self.act(act, line, Instant::now()).await?;
        }
        Ok(())
    }

    async fn act(&mut self, act: Act, line: &mut Line, now: Instant) -> Result<(), End> {
        let mut out = Vec::new();
        match act {
            Act::Close { code, reason } => return Err(End::Refused(Refusal { code, reason })),
            Act::Drop => return Err(End::Dropped),
            Act::Stall => line.stall(),
            Act::GoAway { time_left, code, reason } => {
                self.timed.push((now + time_left, Act::Close { code, reason }));
                out.push(Reply::go_away(time_left));
            }
            Act::Raw(text) => line.send_text(text).await?,
            Act::Junk(bytes) => line.send(&Reply::junk(bytes)).await?,
            Act::Huge { bytes } => out.push(Reply::huge(bytes)),
            Act::Ping => line.ping().await?,
            Act::Drip { frame_bytes, pause } => line.drip(frame_bytes, pause),
            Act::Deaf => line.deafen(),
            Act::EmptyTurn => self.conversation.instead = Some(TurnEnd::Complete),
            Act::RejectTurn => self.conversation.instead = Some(Exchange::rejected("").end),
            Act::Speak(exchange) => self.conversation.speak(*exchange, now, &mut out),
            Act::Follow(script) => self.follow(script),
            Act::Interrupt => self.conversation.interrupt(now, &mut out),
            Act::Refuse { .. } => {}
        }
        Box::pin(self.send(out, line)).await
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
fn resume(office: &Office, terms: &Terms) -> Result<Option<Resume>, Refusal> {
    let Some(Some(handle)) = &terms.resumption else {
        return Ok(None);
    };
    let known = office.state().handles.get(handle).cloned();
    let resume = known.ok_or_else(|| Refusal::invalid("Invalid session resumption handle: it is unknown or has expired."))?;
    if resume.model != terms.model {
        return Err(Refusal::invalid("setup.sessionResumption: the model of a session cannot change"));
    }
    Ok(Some(resume))
}
