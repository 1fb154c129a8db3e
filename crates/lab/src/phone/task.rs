//! One call of one telephone: waits for SIP, RTP, the next 20 ms or an order, and carries out what follows.

use super::dialog::{Dialog, Fact, Output};
use super::ear::Ear;
use super::loudspeaker::Room;
use super::refer::{Following, OnRefer, Referred};
use super::report::{Ending, PhoneReport};
use super::script::{Cue, Player, Script, Sense};
use super::sdp::{Direction, RemoteSdp};
use super::voice::Mouth;
use super::{Order, PhoneCall, PhoneOptions, PhoneState, Progress};
use crate::line::LossyWay;
use crate::message::Message;
use crate::wire::{Flow, Heard, Wire};
use callie_media::{FRAME, FRAME_SAMPLES, codec::G711};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

/// After its end a call still answers what comes late: a BYE that crossed ours, a repeated 200.
const LINGER: Duration = Duration::from_secs(2);

pub(super) struct CallTask {
    wire: Arc<Wire>,
    rtp: UdpSocket,
    way_out: LossyWay<Vec<u8>>,
    way_in: LossyWay<Vec<u8>>,
    dialog: Dialog,
    player: Player,
    ear: Ear,
    mouth: Option<Mouth>,
    room: Option<Room>,
    remote_rtp: Option<SocketAddr>,
    progress: watch::Sender<Progress>,
    shown_dialog: Option<watch::Sender<Option<String>>>,
    options: PhoneOptions,
    following: Following,
    tracker: TaskTracker,
    begun: Instant,
    longest: Duration,
    called: bool,
    /// That was agreed on.
    codec: Option<G711>,
    event_type: Option<u8>,
    /// Its lines are heard before the answer.
    early: bool,
    silenced: bool,
    rtp_sent: u64,
    final_status: Option<u16>,
    ringing_at: Option<Instant>,
    answered_at: Option<Instant>,
    ending: Option<Ending>,
    trace: Vec<String>,
}

/// What a call begins with.
pub(super) struct Beginning {
    pub wire: Arc<Wire>,
    pub rtp: UdpSocket,
    pub options: PhoneOptions,
    pub dialog: Dialog,
    pub script: Script,
    pub progress: watch::Sender<Progress>,
    /// Tells the call's `Replaces` once it is up.
    pub shown_dialog: Option<watch::Sender<Option<String>>>,
    /// The INVITE that called us.
    pub invite: Option<Message>,
    /// Of the calls that a REFER has begun, which outlive this one.
    pub tracker: TaskTracker,
}

impl CallTask {
    pub fn new(beginning: Beginning, now: Instant) -> Self {
        let Beginning { wire, rtp, options, dialog, script, progress, shown_dialog, invite, tracker } = beginning;
        let [way_out, way_in] = options.line.ways();
        let longest = options.longest;
        let trace = invite.iter().map(|invite| format!("+0 ms < {}", invite.summary())).collect();
        Self {
            wire,
            rtp,
            way_out,
            way_in,
            dialog,
            player: Player::new(script, now),
            ear: Ear::new(now),
            mouth: None,
            room: options.loudspeaker.map(Room::new),
            remote_rtp: None,
            progress,
            shown_dialog,
            options,
            following: Following::Nothing,
            tracker,
            begun: now,
            longest,
            called: invite.is_some(),
            codec: None,
            event_type: None,
            early: false,
            silenced: false,
            rtp_sent: 0,
            final_status: None,
            ringing_at: None,
            answered_at: None,
            ending: None,
            trace,
        }
    }

    /// Runs the call to its end and reports, then goes on answering for a moment.
    pub async fn run(mut self, inbox: &mut mpsc::Receiver<Heard>, orders: &mut mpsc::Receiver<Order>) -> (PhoneReport, Linger) {
        let mut ticks = tokio::time::interval(FRAME);
        // A late frame is made up for at once: the other side's clock does not wait.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut datagram = [0; 2048];
        while self.ending.is_none() {
            tokio::select! {
                _ = ticks.tick() => self.next_frame(Instant::now()),
                Ok((length, _)) = self.rtp.recv_from(&mut datagram) => {
                    self.way_in.send(datagram.get(..length).unwrap_or_default().to_vec(), Instant::now());
                }
                () = arrival(&self.way_out, &self.way_in) => {}
                heard = inbox.recv() => match heard {
                    Some(heard) => self.hear(heard),
                    None => self.ending = Some(Ending::Stopped),
                },
                Some(order) = orders.recv() => self.obey(order),
                outcome = self.following.outcome() => self.tell_outcome(outcome),
            }
            self.carry_packets(Instant::now());
            self.carry_out();
        }
        self.finish()
    }

    /// What has come to the end of the line: out to the network, in to the ear.
    fn carry_packets(&mut self, now: Instant) {
        while let Some(packet) = self.way_in.arrival(now) {
            self.ear.hear(&packet, now);
        }
        let voice = self.ear.has_spoken();
        self.progress.send_if_modified(|progress| voice && !std::mem::replace(&mut progress.heard_voice, true));
        while let Some(packet) = self.way_out.arrival(now) {
            let Some(to) = self.remote_rtp else { continue };
            // A full buffer or a closed port loses the packet, as a network would.
            self.rtp_sent += u64::from(self.rtp.try_send_to(&packet, to).is_ok());
        }
    }

    fn hear(&mut self, heard: Heard) {
        if let Heard::Message(flow, message) = heard
            && message.call_id() == self.dialog.call_id()
        {
            self.note('<', &message);
            self.dialog.handle(*message, flow, Instant::now());
        }
    }

    fn take_refer(&mut self, referred: Referred) {
        let now = Instant::now();
        match self.options.on_refer.clone() {
            OnRefer::NotAllowed => self.dialog.answer_refer(405),
            OnRefer::Refuse(code) => self.dialog.answer_refer(code),
            OnRefer::Silent => self.dialog.answer_refer(202),
            OnRefer::Fail(code) => {
                self.dialog.answer_refer(202);
                self.dialog.notify(100, false, now);
                self.dialog.notify(code, true, now);
            }
            OnRefer::Follow(script) => {
                self.dialog.answer_refer(202);
                self.dialog.notify(100, false, now);
                self.following = Following::begin(&self.options, referred, script);
            }
        }
    }

    /// The call that was asked for goes on by itself.
    fn tell_outcome(&mut self, outcome: Result<PhoneCall, u16>) {
        let code = outcome.as_ref().err().copied().unwrap_or(200);
        self.dialog.notify(code, true, Instant::now());
        if let Ok(call) = outcome {
            self.tracker.spawn(call.finished());
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::HangUp => self.dialog.hang_up(Instant::now()),
            Order::Vanish => self.ending = Some(Ending::Vanished),
        }
    }

    fn next_frame(&mut self, now: Instant) {
        self.dialog.tick(now);
        let sense = Sense {
            answered: self.answered_at.is_some(),
            called: self.called,
            has_spoken: self.ear.has_spoken(),
            silent_for: self.ear.silent_for(now),
        };
        let mut frame = [0; FRAME_SAMPLES];
        match self.player.cue(now, sense) {
            Cue::Rest => {}
            Cue::Say(samples) => frame = samples,
            Cue::Key(key) => {
                if let Some(mouth) = &mut self.mouth {
                    mouth.press(key);
                }
            }
            Cue::Ring => self.dialog.ring(),
            Cue::EarlyMedia(codec) => {
                self.carry_out();
                self.early |= self.dialog.progress(codec);
                self.speak_with(codec);
            }
            Cue::Answer => {
                self.dialog.answer(now);
                self.speak_with(self.codec);
            }
            Cue::Refuse(code) => self.dialog.refuse(code, now),
            Cue::Hold => self.dialog.reinvite(Direction::SendOnly, now),
            Cue::Resume => self.dialog.reinvite(Direction::SendRecv, now),
            Cue::Refer(to) => self.dialog.refer(&to, now),
            Cue::HangUp => self.dialog.hang_up(now),
            Cue::Cancel => self.dialog.cancel(now),
            Cue::Vanish => self.ending = Some(Ending::Vanished),
            Cue::StopRtp => self.silenced = true,
            Cue::ForgetSpoken => self.ear.forget_spoken(),
        }
        if let Some(room) = &mut self.room {
            room.mix(self.ear.heard(), &mut frame);
        }
        self.speak(&frame);
        if now.duration_since(self.begun) > self.longest {
            self.dialog.hang_up(now);
            self.ending = Some(Ending::TooLong);
        }
    }

    fn speak_with(&mut self, codec: Option<G711>) {
        if let (Some(mouth), Some(codec)) = (&mut self.mouth, codec.filter(|_| self.early)) {
            mouth.set_codec(codec, self.event_type);
        }
    }

    fn speak(&mut self, frame: &[i16; FRAME_SAMPLES]) {
        let (Some(mouth), Some(_)) = (&mut self.mouth, self.remote_rtp) else { return };
        if self.answered_at.is_none() && !self.early {
            return;
        }
        if self.silenced || self.ending.is_some() {
            return;
        }
        let now = Instant::now();
        for packet in mouth.speak(frame) {
            self.way_out.send(packet, now);
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.dialog.poll() {
            match output {
                Output::Send(flow, message) => {
                    self.note('>', &message);
                    self.wire.send(flow, message.to_bytes());
                }
                Output::Happened(fact) => self.take_note(fact),
            }
        }
    }

    fn take_note(&mut self, fact: Fact) {
        let now = Instant::now();
        match fact {
            Fact::Ringing => {
                self.ringing_at.get_or_insert(now);
                self.reach(PhoneState::Ringing);
            }
            Fact::Answered => {
                self.final_status = Some(200);
                self.answered_at = Some(now);
                if let Some(shown) = &self.shown_dialog {
                    shown.send_replace(Some(self.dialog.replaces()));
                }
                self.reach(PhoneState::Up);
            }
            Fact::Referred(referred) => self.take_refer(referred),
            Fact::Media(remote) => self.set_media(&remote),
            Fact::Refused(code) => {
                self.final_status = Some(code);
                self.ending = Some(Ending::Refused);
            }
            Fact::Cancelled => {
                self.final_status = Some(487);
                self.ending = Some(Ending::Cancelled);
            }
            Fact::NoAnswer => self.ending = Some(Ending::NoAnswer),
            Fact::RemoteHungUp => self.ending = Some(Ending::RemoteHungUp),
            Fact::HungUp => self.ending = self.ending.or(Some(Ending::HungUp)),
        }
    }

    fn reach(&self, state: PhoneState) {
        self.progress.send_modify(|progress| progress.state = state);
    }

    fn set_media(&mut self, remote: &RemoteSdp) {
        self.remote_rtp = Some(remote.rtp);
        self.ear.set_event_type(remote.event_type);
        let Some(codec) = remote.codecs.first().copied() else { return };
        (self.codec, self.event_type) = (Some(codec), remote.event_type);
        match &mut self.mouth {
            Some(mouth) => mouth.set_codec(codec, remote.event_type),
            None => self.mouth = Some(Mouth::new(codec, remote.event_type)),
        }
    }

    fn note(&mut self, direction: char, message: &Message) {
        let ms = self.begun.elapsed().as_millis();
        self.trace.push(format!("+{ms} ms {direction} {}", message.summary()));
    }

    fn finish(mut self) -> (PhoneReport, Linger) {
        let now = Instant::now();
        let since = |at: Option<Instant>| at.map(|at| at.duration_since(self.begun));
        let answered = self.answered_at.unwrap_or(now);
        let voiced = self.ear.take_voiced();
        let (heard, keys, rtp) = self.ear.finish();
        let ending = self.ending.unwrap_or(Ending::Stopped);
        let report = PhoneReport {
            call_id: self.dialog.call_id().to_owned(),
            peer: self.dialog.peer(),
            ending,
            final_status: self.final_status,
            ringing_after: since(self.ringing_at),
            answered_after: since(self.answered_at),
            talked: now.duration_since(answered),
            heard,
            voiced,
            keys,
            rtp,
            rtp_sent: self.rtp_sent + self.way_out.lost(),
            rtp_lost_on_the_way: self.way_out.lost(),
            played: self
                .player
                .played
                .iter()
                .map(|(from, to)| (from.duration_since(answered), to.duration_since(answered)))
                .collect(),
            trace: self.trace,
        };
        self.progress.send_modify(|progress| progress.state = PhoneState::Over);
        (report, Linger { wire: self.wire, rtp: self.rtp, dialog: self.dialog, deaf: ending == Ending::Vanished })
    }
}

/// The next packet's end of its way.
async fn arrival(out: &LossyWay<Vec<u8>>, back: &LossyWay<Vec<u8>>) {
    match [out.due(), back.due()].into_iter().flatten().min() {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// What is left of a call when it is over.
pub(super) struct Linger {
    wire: Arc<Wire>,
    /// Kept open and unread: a telephone that is gone sends no "port unreachable".
    rtp: UdpSocket,
    dialog: Dialog,
    deaf: bool,
}

impl Linger {
    /// Answers late messages for a moment; a telephone that has vanished stays deaf for ever.
    pub async fn run(mut self, inbox: &mut mpsc::Receiver<Heard>) {
        if self.deaf {
            std::future::pending::<()>().await;
        }
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let until = Instant::now() + LINGER;
        while Instant::now() < until {
            tokio::select! {
                _ = ticks.tick() => self.dialog.tick(Instant::now()),
                heard = inbox.recv() => match heard {
                    Some(Heard::Message(flow, message)) => self.answer(*message, flow),
                    Some(Heard::Closed(_)) => {}
                    None => return,
                },
            }
            while let Some(output) = self.dialog.poll() {
                if let Output::Send(flow, message) = output {
                    self.wire.send(flow, message.to_bytes());
                }
            }
        }
        drop(self.rtp);
    }

    fn answer(&mut self, message: Message, flow: Flow) {
        if message.call_id() == self.dialog.call_id() {
            self.dialog.handle(message, flow, Instant::now());
        }
    }
}
