//! What failures and refusals of the service lead to. Most are ours to bear; the caller is to notice as few as possible.
//!
//! | what | what comes of it |
//! |---|---|
//! | a response failed | asked again once, after the limit's own pause where it was a rate limit; then another session, or the end |
//! | no credit, a refused key, an unknown model | the end: another engine takes over |
//! | `session_expired`, `server_error` | another session |
//! | `conversation_already_has_active_response` | asked again when that one is over |
//! | nothing to cancel, to commit or to truncate | nothing: two sides spoke at the same time |
//! | anything else | noted once; the session lives on |

use super::{Conversation, responses::Wish};
use crate::{
    EngineCause,
    openai::{
        refusal::Ending,
        wire::{
            client::Purpose,
            server::{ErrorBody, RateLimit},
        },
    },
    realtime::instruction,
};
use std::time::{Duration, Instant};

/// After a rate limit, if the service does not say how long; and no shorter and no longer than this if it does.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(6));

/// Failed responses since the agent was heard last.
#[derive(Debug, Default)]
pub(super) struct Setbacks {
    count: u32,
    /// Until the narrowest limit is lifted.
    reset: Option<Duration>,
}

impl Setbacks {
    /// The agent can be heard.
    pub fn are_over(&mut self) {
        self.count = 0;
    }

    pub fn on_rate_limits(&mut self, limits: &[RateLimit]) {
        let used_up = limits.iter().filter(|limit| limit.remaining.is_some_and(|remaining| remaining <= 0.0));
        let seconds = used_up
            .filter_map(|limit| limit.reset_seconds)
            .fold(None, |longest: Option<f64>, seconds| Some(longest.map_or(seconds, |longest| longest.max(seconds))));
        self.reset = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    }

    fn pause(&self) -> Duration {
        self.reset.map_or(PAUSE, |reset| reset.clamp(PAUSES.0, PAUSES.1))
    }
}

impl Conversation {
    /// A response came to nothing.
    pub(super) fn on_failed(&mut self, error: ErrorBody, now: Instant) {
        let Ending { error, retry } = self.refusals.of_error(&error);
        if !retry {
            return self.fail(error);
        }
        self.setbacks.count += 1;
        match (self.setbacks.count, error.cause) {
            (1, EngineCause::QuotaExceeded) => {
                self.notice(format!("the service is at its rate limit; it is asked again in a moment ({})", error.detail));
                self.try_again(now + self.setbacks.pause());
            }
            (1, _) => {
                self.notice(format!("the service failed to answer; asked again ({})", error.detail));
                self.try_again(now);
            }
            (_, EngineCause::QuotaExceeded) => self.fail(error),
            _ => self.leave(error, now),
        }
    }

    /// The greeting is asked for with its words, all else is in the conversation already.
    fn try_again(&mut self, time: Instant) {
        if self.started && !self.has_spoken {
            self.instruct(&instruction::greet_again(&self.greeting_words.clone()));
        } else {
            self.responses.wish(Wish::Answer);
        }
        self.responses.not_before(time);
        self.vigil.asked_for_life(time);
    }

    /// Something that we sent was refused, or the service is in trouble.
    pub(super) fn on_error(&mut self, error: ErrorBody, now: Instant) {
        let purpose = Purpose::of(&error.event_id);
        match error.code.as_str() {
            "conversation_already_has_active_response" => return self.responses.refused_as_busy(now),
            "response_cancel_not_active" | "input_audio_buffer_commit_empty" => {
                return tracing::debug!(code = error.code, "both sides spoke at the same time");
            }
            _ => {}
        }
        if matches!(purpose, Some(Purpose::Truncate | Purpose::Cancel)) || error.code.starts_with("item_truncate") {
            return tracing::debug!(code = error.code, message = error.message, "the service could not take that back");
        }
        let Ending { error: ending, retry } = self.refusals.of_error(&error);
        match ending.cause {
            EngineCause::KeyRefused | EngineCause::ModelUnknown => self.fail(ending),
            EngineCause::QuotaExceeded if !retry => self.fail(ending),
            EngineCause::QuotaExceeded => {
                self.responses.refused();
                self.on_failed(error, now);
            }
            EngineCause::SessionExpired => self.leave(ending, now),
            EngineCause::ServiceFailed if error.kind == "server_error" => self.leave(ending, now),
            _ => {
                if purpose == Some(Purpose::Respond) {
                    self.responses.refused();
                }
                self.note_once(&format!("the service refuses something: {}", ending.detail));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_the_limits_own_within_reason() {
        let mut setbacks = Setbacks::default();
        assert_eq!(setbacks.pause(), PAUSE);
        let limit =
            |remaining, reset| RateLimit { name: "tokens".into(), remaining: Some(remaining), reset_seconds: Some(reset) };
        for (limits, pause) in [
            (vec![limit(0.0, 3.0), limit(5.0, 60.0)], Duration::from_secs(3)),
            (vec![limit(0.0, 1.0), limit(0.0, 900.0)], PAUSES.1),
            (vec![limit(-5.0, 0.001)], PAUSES.0),
            (vec![limit(0.0, f64::NAN)], PAUSE),
            (vec![limit(7.0, 2.0)], PAUSE),
            (vec![], PAUSE),
        ] {
            setbacks.on_rate_limits(&limits);
            assert_eq!(setbacks.pause(), pause, "{limits:?}");
        }
    }
}
