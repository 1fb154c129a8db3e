//! What one request has been asked and has answered, over its repetitions.

use super::{AuthKind, Challenge};

/// Challenges of one realm that one attempt answers; more mean that nothing we say helps.
const MAX_ROUNDS: u8 = 2;
/// Refusals of any realms that one attempt answers: a peer may invent a new realm each time.
const MAX_REFUSALS: u8 = 6;

/// One request with its repetitions. Take a new one for each new registration attempt and for each call; a dialog keeps
/// that of its INVITE, so that BYE answers whoever challenged the INVITE.
#[derive(Debug, Clone, Default)]
pub struct AuthAttempt {
    realms: Vec<Asked>,
    /// 401 and 407 since the last success.
    refusals: u8,
}

#[derive(Debug, Clone)]
struct Asked {
    kind: AuthKind,
    realm: String,
    /// Whether it has ever challenged this attempt.
    challenged: bool,
    /// Challenges since the last success.
    rounds: u8,
    /// The nonce last answered, and whether that was the first use of it.
    answered: Option<(String, bool)>,
}

impl AuthAttempt {
    /// A request was let through (any final response but 401 and 407): its dialog's next one may be challenged anew.
    pub fn accepted(&mut self) {
        self.refusals = 0;
        for asked in &mut self.realms {
            asked.rounds = 0;
            if let Some((_, first_use)) = &mut asked.answered {
                *first_use = false;
            }
        }
    }

    /// Counts a 401 or 407; `false` when there were too many.
    pub(super) fn refused(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        self.refusals <= MAX_REFUSALS
    }

    /// Takes in a challenge; `false` when the answer before it has been refused for good.
    pub(super) fn ask(&mut self, kind: AuthKind, challenge: &Challenge) -> bool {
        let asked = self.realm(kind, &challenge.realm);
        asked.challenged = true;
        asked.rounds = asked.rounds.saturating_add(1);
        let refused = match &asked.answered {
            None => false,
            Some(_) if challenge.stale => false,
            // A nonce that has served before may just have run out; a new one that is refused at once has not.
            Some((nonce, first_use)) => *nonce == challenge.nonce || *first_use,
        };
        !refused && asked.rounds <= MAX_ROUNDS
    }

    /// Whether this realm has challenged this attempt.
    pub(super) fn was_asked(&self, kind: AuthKind, realm: &str) -> bool {
        self.realms.iter().any(|r| r.kind == kind && r.realm == realm && r.challenged)
    }

    pub(super) fn answer(&mut self, kind: AuthKind, challenge: &Challenge, first_use: bool) {
        self.realm(kind, &challenge.realm).answered = Some((challenge.nonce.clone(), first_use));
    }

    fn realm(&mut self, kind: AuthKind, realm: &str) -> &mut Asked {
        let index = match self.realms.iter().position(|r| r.kind == kind && r.realm == realm) {
            Some(index) => index,
            None => {
                self.realms.push(Asked { kind, realm: realm.to_owned(), challenged: false, rounds: 0, answered: None });
                self.realms.len() - 1
            }
        };
        &mut self.realms[index]
    }
}
