//! The fake without sockets and clock, for tests whose time jumps: hours of a call in seconds. The same sessions, the same
//! strictness, the same faults; what belongs to a socket (frames, pings, HTTP) is not there.

use super::fault::{Act, Moment};
use super::session::attendant::{Attendant, Out, Trick};
use super::{Desk, FakeGeminiOptions, Gemini, Session};
use crate::realtime::{Closed, End, Log, Seat, Side};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Deref;
use std::time::Instant;
use tokio::sync::mpsc;

/// The service. Its connections are [`StillLine`]s.
#[derive(Debug)]
pub struct StillGemini {
    desk: Desk,
}

/// What comes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    Message(Bytes),
    /// By the service; without a code the connection broke. Nothing follows.
    Closed {
        code: Option<u16>,
        reason: String,
    },
}

/// One connection: upgraded with the right key, and its setup sent.
pub struct StillLine {
    session: Session,
    wishes: mpsc::Receiver<Act>,
    attendant: Option<Attendant>,
    /// When `setupComplete` goes out.
    complete_at: Option<Instant>,
    words: VecDeque<Word>,
    stalled: bool,
    _seat: Seat<Gemini>,
}

impl StillGemini {
    pub fn new(options: FakeGeminiOptions) -> Self {
        Self { desk: Desk::new(options) }
    }

    /// A connection with this setup, a whole message; the HTTP status when the upgrade is refused, 0 when it breaks.
    pub fn dial(&self, setup: &[u8], now: Instant) -> Result<StillLine, u16> {
        let office = self.desk.office();
        let (session, wishes, seat) = office.open(now);
        let acts = office.state().faults.take(Moment::Upgrade);
        if let Some(act) = acts.into_iter().next() {
            session.note(|log| log.close(Closed { at: now, by: Side::Fake, code: None, reason: String::new() }));
            return Err(if let Act::Refuse { status, .. } = act { status } else { 0 });
        }
        let set_up = Attendant::set_up(office, &session, setup, Ok("v1beta"), now);
        let mut line = StillLine {
            session,
            wishes,
            attendant: None,
            complete_at: None,
            words: VecDeque::new(),
            stalled: false,
            _seat: seat,
        };
        match set_up {
            Ok(attendant) => {
                line.complete_at = Some(now + attendant.setup_time());
                line.attendant = Some(attendant);
                line.after(Ok(()), now);
            }
            Err(end) => line.after(Err(end), now),
        }
        Ok(line)
    }
}

impl Deref for StillGemini {
    type Target = Desk;

    fn deref(&self) -> &Desk {
        &self.desk
    }
}

impl StillLine {
    pub fn send(&mut self, message: &[u8], now: Instant) {
        let Some(attendant) = &mut self.attendant else { return };
        let passed = match self.complete_at {
            Some(_) => Err(Attendant::too_early(message)),
            None => attendant.take(message, now),
        };
        self.after(passed, now);
    }

    /// What has come by now.
    pub fn next_word(&mut self, now: Instant) -> Option<Word> {
        self.tick(now);
        self.words.pop_front()
    }

    /// When something may come by itself.
    pub fn wake(&self) -> Option<Instant> {
        self.complete_at.or_else(|| self.attendant.as_ref().and_then(Attendant::wake))
    }

    pub fn hang_up(self, now: Instant) {
        self.close(now, Side::Client, None, "");
    }

    fn tick(&mut self, now: Instant) {
        while let Ok(wish) = self.wishes.try_recv() {
            let Some(attendant) = &mut self.attendant else { return };
            let passed = attendant.act(wish, now);
            self.after(passed, now);
        }
        if self.wake().is_none_or(|wake| wake > now) {
            return;
        }
        let is_complete = self.complete_at.take().is_some();
        let Some(attendant) = &mut self.attendant else { return };
        let passed = if is_complete { attendant.begin(now) } else { attendant.tick(now) };
        self.after(passed, now);
    }

    /// What was said goes out, and then the end if this was it.
    fn after(&mut self, passed: Result<(), End>, now: Instant) {
        for out in self.attendant.as_mut().map(Attendant::take_out).unwrap_or_default() {
            match out {
                Out::Say(reply) if !self.stalled => {
                    self.session.note(|log| log.sent(now, reply.sent));
                    self.words.push_back(Word::Message(reply.body));
                }
                Out::Trick(Trick::Text(text)) if !self.stalled => self.words.push_back(Word::Message(text.into())),
                Out::Trick(Trick::Stall) => self.stalled = true,
                Out::Say(_) | Out::Trick(_) => {}
            }
        }
        let Err(end) = passed else { return };
        self.attendant = None;
        self.complete_at = None;
        let (code, reason) = match end {
            End::Closes { code, reason } => (Some(code), reason),
            End::Left | End::Dropped => (None, String::new()),
        };
        self.close(now, Side::Fake, code, &reason);
        self.words.push_back(Word::Closed { code, reason });
    }

    fn close(&self, at: Instant, by: Side, code: Option<u16>, reason: &str) {
        self.session.note(|log| log.close(Closed { at, by, code, reason: reason.to_owned() }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::client::setup;
    use super::*;
    use crate::gemini::{Converse, Exchange, Fault, Script, Speech};
    use crate::realtime::callers::caller;
    use crate::samples::Line;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn said(line: &mut StillLine, now: &mut Instant, length: Duration) -> String {
        let mut words = String::new();
        let end = *now + length;
        while *now < end {
            while let Some(Word::Message(message)) = line.next_word(*now) {
                let message: Value = serde_json::from_slice(&message).expect("JSON");
                words += message.pointer("/serverContent/outputTranscription/text").and_then(Value::as_str).unwrap_or_default();
            }
            *now += Duration::from_millis(10);
        }
        words
    }

    #[test]
    fn an_hour_passes_at_once() {
        let tone = |words| Speech::tone(words, 500.0, Duration::from_secs(2));
        let script =
            Converse { greeting: Some(tone("Hello.")), exchanges: vec![Exchange::new("", tone("Yes."))], ..Converse::default() };
        let fake = StillGemini::new(FakeGeminiOptions { script: Script::Converse(script), ..FakeGeminiOptions::default() });
        fake.fault(Fault::new(Moment::After(Duration::from_secs(3_600)), Act::close(1011, "Deadline expired")));
        let mut now = Instant::now();
        let mut line = fake.dial(setup().to_string().as_bytes(), now).expect("upgraded");
        assert_eq!(said(&mut line, &mut now, Duration::from_secs(1)), "");
        line.send(json!({"realtimeInput": {"text": "Greet."}}).to_string().as_bytes(), now);
        assert_eq!(said(&mut line, &mut now, Duration::from_secs(5)), "Hello.");
        let bytes: Vec<u8> = caller(Line::Tom2).iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        let audio = json!({"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}});
        line.send(audio.to_string().as_bytes(), now);
        assert_eq!(said(&mut line, &mut now, Duration::from_secs(5)), "Yes.");
        assert_eq!(said(&mut line, &mut now, Duration::from_secs(3_600)), "");
        assert_eq!(
            fake.latest().map(|session| session.look(|log| log.closed.as_ref().and_then(|closed| closed.code))),
            Some(Some(1011))
        );
    }
}
