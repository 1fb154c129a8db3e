//! The early dialogs of one INVITE of ours: a proxy may let several telephones ring, each with a To tag of its own (RFC 3261
//! §12.1.2), each with provisional responses that want a PRACK (RFC 3262 §4).

use super::extension;
use super::session::{Ask, Session};
use crate::stack::{Incoming, Method, Reply, tag_of};
use std::sync::Arc;

/// Telephones that may ring at once; what further ones say is heard but not acknowledged.
const BRANCHES: usize = 8;

#[derive(Default)]
pub(super) struct Branches(Vec<Branch>);

struct Branch {
    tag: String,
    session: Arc<Session>,
    /// Of the last provisional response that was acknowledged.
    rseq: u32,
    /// It has answered our offer reliably: either side may offer anew by UPDATE (RFC 3311 §5.1).
    is_described: bool,
}

impl Branches {
    /// Takes a provisional response in, and acknowledges a reliable one. `false` for a copy, and for one that has overtaken
    /// another: it will be repeated.
    pub fn heard(&mut self, reply: &Reply, invite_cseq: u32, session: impl FnOnce() -> Arc<Session>) -> bool {
        let rseq = reply.header("RSeq").and_then(|value| value.trim().parse::<u32>().ok());
        let Some(rseq) = rseq.filter(|_| extension::has(reply.headers("Require"), "100rel")) else { return true };
        let Some(tag) = reply.to_tag() else { return false };
        let branch = match self.0.iter().position(|branch| branch.tag == tag) {
            Some(known) => {
                let branch = &mut self.0[known];
                if branch.rseq.checked_add(1) != Some(rseq) {
                    return false;
                }
                branch.rseq = rseq;
                branch.session.dialog().retarget_by(reply);
                branch
            }
            None if self.0.len() < BRANCHES => {
                let session = session();
                self.0.push(Branch { tag: tag.to_owned(), session, rseq, is_described: false });
                let last = self.0.len() - 1;
                &mut self.0[last]
            }
            None => return true,
        };
        branch.is_described |= !reply.body.is_empty();
        branch.session.heard_description(&reply.body);
        acknowledge(branch.session.clone(), rseq, invite_cseq);
        true
    }

    /// The branch that this response ends (199, RFC 6228) rings no more.
    pub fn ended(&mut self, reply: &Reply) {
        self.drop_where(|branch| Some(branch.tag.as_str()) == reply.to_tag());
    }

    /// The branch that has answered; the others are over.
    pub fn answered(&mut self, reply: &Reply) -> Option<Arc<Session>> {
        let found = self.0.iter().position(|branch| Some(branch.tag.as_str()) == reply.to_tag());
        let session = found.map(|at| self.0.swap_remove(at).session);
        self.clear();
        session
    }

    pub fn clear(&mut self) {
        self.drop_where(|_| true);
    }

    /// The branch that spoke last and may be offered something.
    pub fn described(&self) -> Option<&Arc<Session>> {
        self.0.iter().rev().find(|branch| branch.is_described).map(|branch| &branch.session)
    }

    /// The branch that a request comes from, when the peer may offer there.
    pub fn of(&self, request: &Incoming) -> Option<&Arc<Session>> {
        let tag = request.header("From").and_then(tag_of)?;
        self.0.iter().find(|branch| branch.tag == tag && branch.is_described).map(|branch| &branch.session)
    }

    fn drop_where(&mut self, is_over: impl Fn(&Branch) -> bool) {
        self.0.retain(|branch| {
            let over = is_over(branch);
            if over {
                branch.session.over.cancel();
            }
            !over
        });
    }
}

impl Drop for Branches {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The PRACK goes out beside the call; its transaction repeats it, and a copy of the response needs no second one.
fn acknowledge(session: Arc<Session>, rseq: u32, invite_cseq: u32) {
    let asking = session.clone();
    session.beside(async move {
        let prack = Ask::new(Method::Prack).with("RAck", format!("{rseq} {invite_cseq} INVITE"));
        if let Err(error) = asking.ask(&prack).await {
            tracing::debug!(%error, "prack not sent");
        }
    });
}
