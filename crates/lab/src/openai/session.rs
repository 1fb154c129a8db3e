//! One connection that was let in: a loop that carries what comes in to the conversation and what it says out.

use super::conversation::{Conversation, Instead};
use super::event::Reply;
use super::fault::{Act, Moment};
use super::input::{Ear, Input, read};
use super::record::Sent;
use super::terms::{Refusal, Terms};
use super::upgrade::Door;
use super::{OpenAi, Session};
use crate::realtime::endpoint::{Endpoint, Voice};
use crate::realtime::{self, End, Line, Office};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tokio_tungstenite::tungstenite::Message;

/// A session in progress.
pub(super) struct Call<'a> {
    office: &'a Arc<Office<OpenAi>>,
    session: &'a Session,
    model: String,
    terms: Terms,
    updated: bool,
    conversation: Conversation,
    ear: Ear,
    endpoint: Endpoint,
    heard_samples: u64,
    /// Acts whose time will come.
    timed: Vec<(Instant, Act)>,
    expires: Instant,
    /// The running response has been heard.
    audible: bool,
}

impl<'a> Call<'a> {
    pub fn new(office: &'a Arc<Office<OpenAi>>, session: &'a Session, door: &Door) -> Self {
        let terms = Terms::default();
        Self {
            office,
            session,
            model: door.model.clone(),
            updated: false,
            conversation: Conversation::new(office.state().memory.clone()),
            ear: Ear::new(),
            endpoint: Endpoint::new(terms.silence),
            terms,
            heard_samples: 0,
            timed: Vec::new(),
            expires: realtime::now() + office.options.session_life,
            audible: false,
        }
    }

    pub async fn run(mut self, line: &mut Line<OpenAi>, mut wishes: mpsc::Receiver<Act>) -> End {
        let created = self.shown("session.created", Sent::Created);
        if let Err(end) = put(line, created).await {
            return end;
        }
        loop {
            let wake = self.wake().unwrap_or(self.expires).min(self.expires);
            let passed = tokio::select! {
                message = line.receive() => match message {
                    Ok(message) => self.take(&message, line).await,
                    Err(end) => Err(end),
                },
                Some(wish) = wishes.recv() => self.act(wish, line, realtime::now()).await,
                () = sleep_until(wake.into()) => self.tick(line).await,
            };
            if let Err(end) = passed {
                return end;
            }
        }
    }

    fn wake(&self) -> Option<Instant> {
        self.timed.iter().map(|(at, _)| *at).chain(self.conversation.wake()).min()
    }

    fn shown(&mut self, kind: &str, sent: Sent) -> Reply {
        let life = self.expires.saturating_duration_since(realtime::now());
        let expires_at = (SystemTime::now() + life).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut session = self.terms.shown();
        (session["type"], session["object"]) = (json!("realtime"), json!("realtime.session"));
        (session["id"], session["model"], session["expires_at"]) = (json!("sess_1"), json!(self.model), json!(expires_at));
        self.conversation.events.event(kind, json!({"session": session}), sent)
    }

    async fn take(&mut self, message: &[u8], line: &mut Line<OpenAi>) -> Result<(), End> {
        let now = realtime::now();
        match read(message) {
            Ok(Input::Audio(audio)) => self.hear(&audio, now, line).await,
            Ok(Input::Event { kind, event }) => {
                self.session.note(|log| log.receive(event.clone(), now));
                let id = event["event_id"].as_str().map(str::to_owned);
                match self.on_event(&kind, event, now, line).await? {
                    Ok(()) => self.tick(line).await,
                    Err(refusal) => self.refuse(&refusal, id.as_deref(), line).await,
                }
            }
            Err((refusal, id)) => self.refuse(&refusal, id.as_deref(), line).await,
        }
    }

    async fn refuse(&mut self, refusal: &Refusal, id: Option<&str>, line: &mut Line<OpenAi>) -> Result<(), End> {
        let error = self.conversation.events.error("invalid_request_error", refusal, id);
        put(line, error).await
    }

    async fn on_event(
        &mut self,
        kind: &str,
        event: Value,
        now: Instant,
        line: &mut Line<OpenAi>,
    ) -> Result<Result<(), Refusal>, End> {
        let mut out = Vec::new();
        let result = match kind {
            "session.update" => return self.update(&event["session"], line).await,
            "conversation.item.create" => self.conversation.create(&event, &mut out),
            "conversation.item.truncate" => self.truncate(&event, now, &mut out),
            "conversation.item.delete" => self.conversation.items.delete(event["item_id"].as_str().unwrap_or_default()),
            "response.create" => {
                self.session.note(|log| log.unanswered.extend(self.conversation.items.unanswered()));
                Box::pin(self.moment(Moment::Response, line)).await?;
                let begun = self.conversation.respond(&event, &self.terms, now, &mut out);
                self.send(out, line).await?;
                return Ok(begun);
            }
            "response.cancel" => self.conversation.cancel_by_client(now, &mut out),
            "input_audio_buffer.commit" => {
                Err(Refusal::new("input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small."))
            }
            _ => Ok(()),
        };
        self.send(out, line).await?;
        Ok(result)
    }

    async fn update(&mut self, session: &Value, line: &mut Line<OpenAi>) -> Result<Result<(), Refusal>, End> {
        let mut terms = self.terms.clone();
        if let Err(refusal) = terms.update(session) {
            return Ok(Err(refusal));
        }
        self.session.note(|log| {
            if log.setup.is_null() {
                log.setup = session.clone();
            }
        });
        if !self.updated {
            let mut setup_time = self.office.options.setup_time;
            let acts = self.office.state().faults.take(Moment::Setup);
            for act in acts {
                match act {
                    Act::SlowSetup(longer) => setup_time += longer,
                    act => self.act(act, line, realtime::now()).await?,
                }
            }
            // The real service is not instant either, and who speaks too early is caught: what waits in the socket is heard
            // with the old terms.
            let until = realtime::now() + setup_time;
            while let Ok(early) = tokio::time::timeout_at(until.into(), line.receive()).await {
                if let Ok(Input::Audio(_)) = read(&early?) {
                    self.session.note(|log| log.misread += 1);
                }
            }
            self.endpoint = Endpoint::new(terms.silence);
        }
        self.terms = terms;
        let updated = self.shown("session.updated", Sent::Updated);
        put(line, updated).await?;
        if !std::mem::replace(&mut self.updated, true) {
            let now = realtime::now();
            self.session.note(|log| log.ready = (!line.stalled).then_some(now));
            let timed = self.office.state().faults.take_timed();
            self.timed.extend(timed.into_iter().map(|(delay, act)| (now + delay, act)));
        }
        Ok(Ok(()))
    }

    fn truncate(&mut self, event: &Value, now: Instant, out: &mut Vec<Reply>) -> Result<(), Refusal> {
        let item = event["item_id"].as_str().unwrap_or_default();
        let end = event["audio_end_ms"].as_u64();
        let end_ms = self.conversation.items.truncate(item, event["content_index"].as_u64(), end)?;
        let fields = json!({"item_id": item, "content_index": 0, "audio_end_ms": end_ms});
        out.push(self.conversation.events.event("conversation.item.truncated", fields, Sent::Truncated));
        self.session.note(|log| log.truncated.push((now, item.to_owned(), end_ms)));
        Ok(())
    }

    async fn hear(&mut self, audio: &str, now: Instant, line: &mut Line<OpenAi>) -> Result<(), End> {
        if !self.updated {
            self.session.note(|log| log.misread += 1);
        }
        let (raw, samples) = match self.ear.hear(audio, self.terms.input) {
            Ok(heard) => heard,
            Err(refusal) => return self.refuse(&refusal, None, line).await,
        };
        self.session.note(|log| log.hear(&raw, &samples, now));
        self.heard_samples += samples.len() as u64;
        let at_ms = self.heard_samples / 16;
        for voice in self.endpoint.hear(&samples) {
            let mut out = Vec::new();
            match voice {
                _ if !self.terms.detects => {}
                Voice::Began => {
                    self.session.note(|log| log.uplink.voice_began(now));
                    self.conversation.voice_began(at_ms, &self.terms, now, &mut out);
                    self.send(out, line).await?;
                    self.moment(Moment::Utterance, line).await?;
                }
                Voice::Ended => {
                    let exchange = self.conversation.voice_ended(at_ms, &self.terms, now, &mut out);
                    self.send(std::mem::take(&mut out), line).await?;
                    self.moment(Moment::Committed, line).await?;
                    if let Some(exchange) = exchange {
                        self.moment(Moment::Response, line).await?;
                        self.conversation.answer(exchange, &self.terms, now, &mut out);
                        self.send(out, line).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn tick(&mut self, line: &mut Line<OpenAi>) -> Result<(), End> {
        let (now, mut out) = (realtime::now(), Vec::new());
        if now >= self.expires {
            return Box::pin(self.act(Act::Expire, line, now)).await;
        }
        let (due, later) = std::mem::take(&mut self.timed).into_iter().partition(|(at, _)| *at <= now);
        self.timed = later;
        for (_, act) in Vec::<(Instant, Act)>::into_iter(due) {
            Box::pin(self.act(act, line, now)).await?;
        }
        self.conversation.begin_waiting(&self.terms, now, &mut out);
        self.conversation.tick(now, &mut out);
        self.send(out, line).await
    }

    async fn send(&mut self, replies: Vec<Reply>, line: &mut Line<OpenAi>) -> Result<(), End> {
        for reply in replies {
            let sent = reply.sent.clone();
            put(line, reply).await?;
            match sent {
                Sent::Audio { .. } if !self.audible => {
                    self.audible = true;
                    Box::pin(self.moment(Moment::Answer, line)).await?;
                }
                Sent::ResponseDone(_) => self.audible = false,
                _ => {}
            }
        }
        Ok(())
    }

    async fn moment(&mut self, at: Moment, line: &mut Line<OpenAi>) -> Result<(), End> {
        let acts = self.office.state().faults.take(at);
        for act in acts {
            self.act(act, line, realtime::now()).await?;
        }
        Ok(())
    }

    async fn act(&mut self, act: Act, line: &mut Line<OpenAi>, now: Instant) -> Result<(), End> {
        match act {
            Act::Close { code, reason } => return Err(End::Closes { code, reason }),
            Act::Drop => return Err(End::Dropped),
            Act::Expire => {
                let refusal = Refusal::new("session_expired", "Your session hit the maximum duration of 60 minutes.");
                let error = self.conversation.events.error("invalid_request_error", &refusal, None);
                put(line, error).await?;
                return Err(End::Closes { code: 1001, reason: refusal.message });
            }
            Act::Error { kind, code } => {
                let error = self.conversation.events.error(&kind, &Refusal::new(&code, "An error on cue."), None);
                put(line, error).await?;
            }
            Act::Stall => line.stalled = true,
            Act::Deaf => line.deaf = true,
            Act::Raw(text) => put(line, Reply::raw(text)).await?,
            Act::Junk(bytes) => line.send(Message::Binary(bytes.into()), |_| ()).await?,
            Act::Empty => self.conversation.instead = Some(Instead::Empty),
            Act::Fail { kind, code } => self.conversation.instead = Some(Instead::Fail { kind, code }),
            Act::Incomplete(reason) => self.conversation.instead = Some(Instead::Incomplete(reason)),
            Act::Speak(exchange) => self.conversation.speak(*exchange, now),
            Act::Refuse { .. } | Act::SlowSetup(_) => {}
        }
        Ok(())
    }
}

async fn put(line: &mut Line<OpenAi>, reply: Reply) -> Result<(), End> {
    line.send(Message::Text(reply.body.into()), |log| log.send(reply.sent, realtime::now())).await
}
