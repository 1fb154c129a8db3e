//! One attempt to register or to unregister: a REGISTER and its repetitions with digest, longer time or another target.

use super::{Output, Response, Step, Went};
use crate::digest::Verdict;
use crate::header::SipTarget;

/// Requests of one attempt, whatever the registrar answers.
const MAX_REQUESTS: u8 = 8;

#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub expires_s: u32,
    pub target: Option<SipTarget>,
    /// The binding to be removed.
    of: Option<Went>,
    first: Step,
    requests: u8,
    raised: bool,
    redirected: bool,
}

/// What a final response means for the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask again with what we have learnt.
    Again(Output),
    /// 2xx.
    Accepted,
    /// The credentials are refused.
    Refused,
    /// It will fail next time too, unless somebody changes something.
    Hopeless(&'static str),
    /// It may work later.
    Failed,
}

impl Exchange {
    /// For a binding, at the best place or at the next.
    pub fn new(expires_s: u32, first: Step) -> Self {
        Self { expires_s, target: None, of: None, first, requests: 0, raised: false, redirected: false }
    }

    /// To remove one.
    pub fn removal(of: Went, target: Option<SipTarget>) -> Self {
        Self { target, of: Some(of), ..Self::new(0, Step::First) }
    }

    /// The next request.
    pub fn send(&mut self) -> Output {
        let step = if self.requests == 0 { self.first } else { Step::Again };
        self.requests = self.requests.saturating_add(1);
        Output::SendRegister { expires_s: self.expires_s, step, target: self.target.clone(), of: self.of.clone() }
    }

    /// `longest_expires_s` bounds what a 423 may ask for.
    pub fn answered(&mut self, response: &Response, longest_expires_s: u32) -> Next {
        match response.code {
            200..=299 => Next::Accepted,
            300..=399 => self.redirect(response),
            401 | 407 => match response.verdict {
                Some(Verdict::Retry) => self.again(),
                Some(Verdict::Rejected) => Next::Refused,
                Some(Verdict::Unsupported) | None => Next::Hopeless("asks for an authentication that we do not have"),
            },
            403 | 404 => Next::Refused,
            423 => self.raise(response, longest_expires_s),
            _ => Next::Failed,
        }
    }

    /// RFC 3261 §10.2.8, once.
    fn raise(&mut self, response: &Response, longest_expires_s: u32) -> Next {
        let asked = response.min_expires_s.filter(|s| *s > self.expires_s && *s <= longest_expires_s);
        match asked {
            Some(seconds) if !self.raised && self.expires_s > 0 => {
                self.raised = true;
                self.expires_s = seconds;
                self.again()
            }
            _ => Next::Failed,
        }
    }

    /// RFC 3261 §8.1.3.4, once: a second redirection would be a loop.
    fn redirect(&mut self, response: &Response) -> Next {
        match response.targets.first() {
            Some(target) if !self.redirected => {
                self.redirected = true;
                self.target = Some(target.clone());
                self.again()
            }
            _ => Next::Failed,
        }
    }

    fn again(&mut self) -> Next {
        if self.requests < MAX_REQUESTS { Next::Again(self.send()) } else { Next::Failed }
    }
}
