//! The states, inputs, outputs and timers of a call, and the transitions between them.

use crate::record::{Direction, EndReason, Termination};
use std::time::Duration;

/// Limits a call begins with; a later change of the user's configuration does not touch them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    pub max_duration: Duration,
    /// How long an outbound call may ring.
    pub answer_timeout: Duration,
    /// How long media and agent may take before an inbound call is answered or given up.
    pub setup_timeout: Duration,
    /// How long the last words may take to play once the agent has said goodbye.
    pub drain_timeout: Duration,
}

impl Policy {
    pub const SETUP_TIMEOUT: Duration = Duration::from_secs(10);
    pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
}

/// A message on an answering machine that takes longer is ended.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(150);

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// An INVITE for this call came in (inbound), or the API asked for a call (outbound).
    Begin,
    /// The call cannot be taken; decided before any resource was opened.
    Refuse(EndReason),
    MediaOpened,
    MediaFailed(Termination),
    /// The engine is connected and could speak now.
    AgentReady,
    AgentFailed(String),
    /// The called party sent 101–199.
    RemoteRinging,
    /// The called party answered and its SDP was taken.
    RemoteAnswered,
    /// The INVITE that we sent ended with an error; the termination says which.
    RemoteRefused(Termination),
    /// ACK for our 200 came.
    Acknowledged,
    /// CANCEL for an INVITE that we had not answered.
    RemoteCancelled,
    RemoteHungUp,
    /// The signalling of an established call broke (no ACK, no answer to a request).
    SignallingFailed(Termination),
    /// No RTP for longer than the watchdog allows.
    RtpLost,
    /// The agent has said its last words and wants to hang up.
    AgentGoodbye,
    /// Nobody speaks any more; a goodbye that follows is because of that.
    CallerSilent,
    PlayoutDrained,
    /// What was heard on the line of a call that we placed ends it: a tone, a machine.
    Recognised(Termination),
    /// The agent is told to leave a message on an answering machine; its goodbye follows.
    LeavesMessage,
    /// A transfer has ended the call, or ends it now.
    TransferEnded(Termination),
    HangUp,
    Shutdown,
    Timer(TimerKind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimerKind {
    Setup,
    Answer,
    MaxDuration,
    Drain,
    /// The message on an answering machine has not been spoken to its end.
    Message,
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send 180.
    Ring,
    OpenMedia,
    ConnectAgent,
    /// Send 200 with our SDP.
    Answer,
    /// Send this final error response.
    Reject {
        code: u16,
    },
    SendInvite,
    CancelInvite,
    /// The line is open: the agent may speak.
    StartAgent,
    /// Tell the bridge to report when everything queued was played.
    DrainPlayout,
    SendBye,
    StartTimer(TimerKind, Duration),
    StopTimer(TimerKind),
    /// The call is over. Always the last output.
    Finish(Termination),
}

/// Where the call stands, for people and for the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    New,
    /// Inbound: ringing at us. Outbound: media is being opened.
    Setup,
    /// Outbound: our INVITE is under way.
    Dialling,
    /// 200 sent or received.
    Talking,
    /// The agent's last words play.
    Draining,
    Ended,
}

/// The machine.
#[derive(Debug)]
pub struct Call {
    direction: Direction,
    policy: Policy,
    phase: Phase,
    media_open: bool,
    agent_ready: bool,
    /// Why we hang up once the playout has drained.
    draining_for: EndReason,
}

impl Call {
    pub fn new(direction: Direction, policy: Policy) -> Self {
        Self { direction, policy, phase: Phase::New, media_open: false, agent_ready: false, draining_for: EndReason::AgentEnded }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        match self.phase {
            Phase::Ended => Vec::new(),
            Phase::New | Phase::Setup => self.before_answer(input),
            Phase::Dialling => self.dialling(input),
            Phase::Talking | Phase::Draining => self.answered(input),
        }
    }

    fn before_answer(&mut self, input: Input) -> Vec<Output> {
        let inbound = self.direction == Direction::Inbound;
        match input {
            Input::Begin if self.phase == Phase::New => {
                self.phase = Phase::Setup;
                let timer = Output::StartTimer(TimerKind::Setup, self.policy.setup_timeout);
                if inbound { vec![Output::Ring, timer, Output::OpenMedia] } else { vec![timer, Output::OpenMedia] }
            }
            Input::Refuse(reason) => self.refuse(Termination::new(reason)),
            Input::MediaOpened => {
                self.media_open = true;
                if inbound {
                    return vec![Output::ConnectAgent];
                }
                self.phase = Phase::Dialling;
                vec![
                    Output::StopTimer(TimerKind::Setup),
                    Output::StartTimer(TimerKind::Answer, self.policy.answer_timeout),
                    Output::SendInvite,
                    Output::ConnectAgent,
                ]
            }
            Input::MediaFailed(end) => self.refuse(end),
            Input::AgentReady => {
                self.agent_ready = true;
                self.begin_talk(Output::Answer)
            }
            Input::AgentFailed(detail) => self.refuse(Termination::because(EndReason::EngineFailed, detail)),
            Input::RemoteCancelled | Input::RemoteHungUp => self.finish(Termination::new(EndReason::CallerCancelled)),
            Input::SignallingFailed(end) => self.finish(end),
            Input::HangUp => self.refuse(Termination::new(EndReason::OperatorCancelled)),
            Input::Shutdown => self.refuse(Termination::new(EndReason::ShuttingDown)),
            Input::Timer(TimerKind::Setup) => {
                let what = if self.media_open { "the engine was not ready in time" } else { "media did not open in time" };
                self.refuse(Termination::because(EndReason::EngineFailed, what))
            }
            _ => Vec::new(),
        }
    }

    fn dialling(&mut self, input: Input) -> Vec<Output> {
        match input {
            Input::AgentReady => {
                self.agent_ready = true;
                Vec::new()
            }
            Input::RemoteAnswered => {
                let mut outputs = vec![Output::StopTimer(TimerKind::Answer)];
                self.phase = Phase::Talking;
                outputs.push(Output::StartTimer(TimerKind::MaxDuration, self.policy.max_duration));
                if self.agent_ready {
                    outputs.push(Output::StartAgent);
                }
                outputs
            }
            Input::RemoteRefused(end) | Input::SignallingFailed(end) => self.finish(end),
            Input::Timer(TimerKind::Answer) => self.cancel(Termination::new(EndReason::NoAnswer)),
            Input::HangUp => self.cancel(Termination::new(EndReason::OperatorCancelled)),
            Input::Shutdown => self.cancel(Termination::new(EndReason::ServerShutdown)),
            Input::AgentFailed(detail) => self.cancel(Termination::because(EndReason::EngineFailed, detail)),
            Input::Recognised(end) => self.cancel(end),
            Input::RemoteHungUp => self.finish(Termination::new(EndReason::RemoteHungUp)),
            _ => Vec::new(),
        }
    }

    fn answered(&mut self, input: Input) -> Vec<Output> {
        match input {
            Input::AgentReady if !self.agent_ready => {
                self.agent_ready = true;
                vec![Output::StartAgent]
            }
            Input::RemoteHungUp => self.finish(Termination::new(EndReason::RemoteHungUp)),
            // Their CANCEL came before our 200 went out: the answer that we wished for was never given (RFC 3261 §9.2).
            Input::RemoteCancelled => self.finish(Termination::new(EndReason::CallerCancelled)),
            Input::SignallingFailed(end) => self.hang_up(end),
            Input::TransferEnded(end) | Input::Recognised(end) => self.hang_up(end),
            Input::LeavesMessage if self.phase == Phase::Talking => {
                self.draining_for = EndReason::MessageLeft;
                vec![Output::StartTimer(TimerKind::Message, MESSAGE_TIMEOUT)]
            }
            Input::Timer(TimerKind::Message) => {
                self.hang_up(Termination::because(EndReason::EngineFailed, "the message was not spoken to its end"))
            }
            Input::RtpLost => self.hang_up(Termination::new(EndReason::RtpLost)),
            Input::HangUp => self.hang_up(Termination::new(EndReason::OperatorHungUp)),
            Input::Shutdown => self.hang_up(Termination::new(EndReason::ServerShutdown)),
            Input::Timer(TimerKind::MaxDuration) => self.hang_up(Termination::new(EndReason::MaxDuration)),
            Input::AgentFailed(detail) => self.hang_up(Termination::because(EndReason::EngineFailed, detail)),
            Input::CallerSilent => {
                self.draining_for = EndReason::CallerSilent;
                Vec::new()
            }
            Input::AgentGoodbye if self.phase == Phase::Talking => {
                self.phase = Phase::Draining;
                vec![Output::StartTimer(TimerKind::Drain, self.policy.drain_timeout), Output::DrainPlayout]
            }
            Input::PlayoutDrained | Input::Timer(TimerKind::Drain) if self.phase == Phase::Draining => {
                self.hang_up(Termination::new(self.draining_for))
            }
            _ => Vec::new(),
        }
    }

    /// Inbound and ready: answer.
    fn begin_talk(&mut self, answer: Output) -> Vec<Output> {
        self.phase = Phase::Talking;
        vec![
            Output::StopTimer(TimerKind::Setup),
            answer,
            Output::StartTimer(TimerKind::MaxDuration, self.policy.max_duration),
            Output::StartAgent,
        ]
    }

    /// Ends a call that was not answered. An inbound caller is told with a status code.
    fn refuse(&mut self, end: Termination) -> Vec<Output> {
        self.phase = Phase::Ended;
        if self.direction == Direction::Outbound {
            return vec![Output::Finish(end)];
        }
        vec![Output::Reject { code: refusal_code(end.reason) }, Output::Finish(end)]
    }

    fn cancel(&mut self, end: Termination) -> Vec<Output> {
        self.phase = Phase::Ended;
        vec![Output::CancelInvite, Output::Finish(end)]
    }

    fn hang_up(&mut self, end: Termination) -> Vec<Output> {
        self.phase = Phase::Ended;
        vec![Output::SendBye, Output::Finish(end)]
    }

    fn finish(&mut self, end: Termination) -> Vec<Output> {
        self.phase = Phase::Ended;
        vec![Output::Finish(end)]
    }
}

/// The status code that tells an inbound caller why (RFC 3261 §21).
fn refusal_code(reason: EndReason) -> u16 {
    match reason {
        EndReason::UserInactive | EndReason::OperatorCancelled => 480,
        EndReason::TooManyCalls => 486,
        EndReason::NoCommonCodec | EndReason::BadAnswer => 488,
        EndReason::RtpPortsExhausted | EndReason::ShuttingDown => 503,
        EndReason::EngineFailed => 480,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy = Policy {
        max_duration: Duration::from_secs(60),
        answer_timeout: Duration::from_secs(30),
        setup_timeout: Policy::SETUP_TIMEOUT,
        drain_timeout: Policy::DRAIN_TIMEOUT,
    };

    /// Feeds the inputs and returns the names of all outputs.
    fn run(direction: Direction, inputs: &[Input]) -> Vec<Output> {
        let mut call = Call::new(direction, POLICY);
        inputs.iter().flat_map(|input| call.handle(input.clone())).collect()
    }

    fn end_of(outputs: &[Output]) -> Option<EndReason> {
        outputs.iter().find_map(|o| match o {
            Output::Finish(end) => Some(end.reason),
            _ => None,
        })
    }

    #[test]
    fn an_inbound_call_is_answered_only_when_the_agent_is_ready() {
        let outputs = run(Direction::Inbound, &[Input::Begin, Input::MediaOpened]);
        assert!(!outputs.contains(&Output::Answer));
        let outputs = run(Direction::Inbound, &[Input::Begin, Input::MediaOpened, Input::AgentReady]);
        let answer = outputs.iter().position(|o| *o == Output::Answer);
        let start = outputs.iter().position(|o| *o == Output::StartAgent);
        assert!(answer.is_some() && answer < start);
    }

    #[test]
    fn a_goodbye_is_played_to_its_end() {
        let talk = [Input::Begin, Input::MediaOpened, Input::AgentReady, Input::Acknowledged, Input::AgentGoodbye];
        let outputs = run(Direction::Inbound, &talk);
        assert!(outputs.contains(&Output::DrainPlayout) && !outputs.contains(&Output::SendBye));
        let outputs = run(Direction::Inbound, &[&talk[..], &[Input::PlayoutDrained]].concat());
        assert_eq!(end_of(&outputs), Some(EndReason::AgentEnded));
        assert!(outputs.contains(&Output::SendBye));
    }

    #[test]
    fn a_goodbye_after_silence_says_so() {
        let talk = [Input::Begin, Input::MediaOpened, Input::AgentReady, Input::CallerSilent, Input::AgentGoodbye];
        let outputs = run(Direction::Inbound, &[&talk[..], &[Input::PlayoutDrained]].concat());
        assert_eq!(end_of(&outputs), Some(EndReason::CallerSilent));
    }

    #[test]
    fn what_is_heard_on_the_line_ends_the_call() {
        let end = Input::Recognised(Termination::new(EndReason::CalleeBusy));
        let dialling = [Input::Begin, Input::MediaOpened, Input::RemoteRinging, end.clone()];
        let outputs = run(Direction::Outbound, &dialling);
        assert_eq!(end_of(&outputs), Some(EndReason::CalleeBusy));
        assert!(outputs.contains(&Output::CancelInvite));
        let outputs = run(Direction::Outbound, &[Input::Begin, Input::MediaOpened, Input::RemoteAnswered, end]);
        assert!(outputs.contains(&Output::SendBye) && end_of(&outputs) == Some(EndReason::CalleeBusy));
    }

    #[test]
    fn a_message_is_left_before_we_hang_up() {
        let leaving = [Input::Begin, Input::MediaOpened, Input::AgentReady, Input::RemoteAnswered, Input::LeavesMessage];
        let told = run(Direction::Outbound, &[&leaving[..], &[Input::AgentGoodbye, Input::PlayoutDrained]].concat());
        assert_eq!(end_of(&told), Some(EndReason::MessageLeft));
        let stuck = run(Direction::Outbound, &[&leaving[..], &[Input::Timer(TimerKind::Message)]].concat());
        assert_eq!(end_of(&stuck), Some(EndReason::EngineFailed));
    }

    #[test]
    fn a_transfer_that_ends_the_call_says_bye() {
        let talk = [Input::Begin, Input::MediaOpened, Input::AgentReady, Input::Acknowledged];
        let end = Input::TransferEnded(Termination::new(EndReason::Transferred));
        let outputs = run(Direction::Inbound, &[&talk[..], &[end]].concat());
        assert_eq!(end_of(&outputs), Some(EndReason::Transferred));
        assert!(outputs.contains(&Output::SendBye));
    }

    #[test]
    fn cancel_before_the_answer_sends_nothing_more() {
        let outputs = run(Direction::Inbound, &[Input::Begin, Input::RemoteCancelled, Input::MediaOpened, Input::AgentReady]);
        assert_eq!(end_of(&outputs), Some(EndReason::CallerCancelled));
        assert!(!outputs.contains(&Output::Answer));
    }

    #[test]
    fn cancel_that_overtakes_our_answer_is_a_cancelled_call() {
        let outputs = run(Direction::Inbound, &[Input::Begin, Input::MediaOpened, Input::AgentReady, Input::RemoteCancelled]);
        assert_eq!(end_of(&outputs), Some(EndReason::CallerCancelled));
        assert!(!outputs.contains(&Output::SendBye));
    }

    #[test]
    fn refusals_carry_their_status_code() {
        for (reason, code) in [
            (EndReason::UserInactive, 480),
            (EndReason::TooManyCalls, 486),
            (EndReason::NoCommonCodec, 488),
            (EndReason::RtpPortsExhausted, 503),
        ] {
            let outputs = run(Direction::Inbound, &[Input::Refuse(reason)]);
            assert_eq!(outputs, [Output::Reject { code }, Output::Finish(Termination::new(reason))]);
        }
    }

    #[test]
    fn an_unanswered_outbound_call_is_cancelled() {
        let outputs = run(Direction::Outbound, &[Input::Begin, Input::MediaOpened, Input::Timer(TimerKind::Answer)]);
        assert_eq!(end_of(&outputs), Some(EndReason::NoAnswer));
        assert!(outputs.contains(&Output::CancelInvite));
    }

    #[test]
    fn an_outbound_agent_speaks_once_answered_whatever_came_first() {
        for tail in [[Input::AgentReady, Input::RemoteAnswered], [Input::RemoteAnswered, Input::AgentReady]] {
            let outputs = run(Direction::Outbound, &[&[Input::Begin, Input::MediaOpened][..], &tail].concat());
            assert_eq!(outputs.iter().filter(|o| **o == Output::StartAgent).count(), 1);
        }
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::Begin),
            Just(Input::MediaOpened),
            Just(Input::AgentReady),
            Just(Input::AgentFailed("x".into())),
            Just(Input::RemoteRinging),
            Just(Input::RemoteAnswered),
            Just(Input::RemoteRefused(Termination::of_response(486, "Busy Here"))),
            Just(Input::Acknowledged),
            Just(Input::RemoteCancelled),
            Just(Input::RemoteHungUp),
            Just(Input::RtpLost),
            Just(Input::AgentGoodbye),
            Just(Input::CallerSilent),
            Just(Input::PlayoutDrained),
            Just(Input::TransferEnded(Termination::new(EndReason::Transferred))),
            Just(Input::Recognised(Termination::new(EndReason::Congestion))),
            Just(Input::LeavesMessage),
            Just(Input::HangUp),
            Just(Input::Shutdown),
            Just(Input::Timer(TimerKind::Setup)),
            Just(Input::Timer(TimerKind::Answer)),
            Just(Input::Timer(TimerKind::MaxDuration)),
            Just(Input::Timer(TimerKind::Drain)),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: at most one end, nothing after it, and never both an answer and a refusal.
        #[test]
        fn a_call_ends_once(inbound: bool, inputs in proptest::collection::vec(any_input(), 0..24)) {
            let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
            let outputs = run(direction, &inputs);
            let ends = outputs.iter().filter(|o| matches!(o, Output::Finish(_))).count();
            prop_assert!(ends <= 1);
            if ends == 1 {
                prop_assert!(matches!(outputs.last(), Some(Output::Finish(_))));
            }
            let answered = outputs.contains(&Output::Answer);
            let refused = outputs.iter().any(|o| matches!(o, Output::Reject { .. }));
            prop_assert!(!(answered && refused));
        }
    }
}
