//! The claims of one call beside what its tools did, from its events as they come.
//!
//! A tool counts wherever in the call it was used: models speak before a tool has answered, and after. Tools of the product are known by
//! name; of a user's own tools the name tells at most whether it only reads.

use super::{Said, claims_in};
use crate::record::{CallFact, Claim, ClaimKind, ClaimStanding, Speaker, ToolEnd, Turn};
use std::collections::BTreeMap;

/// Claims of a call that are kept.
const MOST_CLAIMS: usize = 100;
/// Uses of tools that are remembered.
const MOST_USES: usize = 500;

/// Of one call.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// By turn: a turn that is told again replaces what it said before.
    said: BTreeMap<u32, Vec<Said>>,
    uses: Vec<Use>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Use {
    tool: String,
    has_worked: bool,
}

impl Claims {
    pub fn take(&mut self, fact: &CallFact) {
        match fact {
            CallFact::Turn { turn } if turn.speaker == Speaker::Agent => self.take_turn(turn),
            CallFact::ToolUsed { name, outcome, .. } => {
                self.used(name, outcome.is_none_or(|outcome| outcome == ToolEnd::Result));
            }
            // The operator's orders, and what the line does without a tool.
            CallFact::TransferStarted { .. } => self.used("transfer_call", true),
            CallFact::MessageTaken { .. } => self.used("take_message", true),
            _ => {}
        }
    }

    /// All claims, in the order of the turns.
    pub fn close(self) -> Vec<Claim> {
        let Self { said, uses } = self;
        let all = said.into_iter().flat_map(|(turn, said)| said.into_iter().map(move |said| (turn, said)));
        all.take(MOST_CLAIMS).map(|(turn, said)| judged(turn, said, &uses)).collect()
    }

    fn take_turn(&mut self, turn: &Turn) {
        let said = claims_in(&turn.text);
        if said.is_empty() {
            self.said.remove(&turn.index);
        } else if self.said.len() < MOST_CLAIMS || self.said.contains_key(&turn.index) {
            self.said.insert(turn.index, said);
        }
    }

    fn used(&mut self, tool: &str, has_worked: bool) {
        if self.uses.len() < MOST_USES {
            self.uses.push(Use { tool: tool.to_owned(), has_worked });
        }
    }
}

fn judged(turn: u32, said: Said, uses: &[Use]) -> Claim {
    let fitting = |worked: bool| {
        let able = uses.iter().filter(|used| used.has_worked == worked);
        let fit = able.filter_map(|used| Some((fitness(&said, &used.tool)?, used)));
        fit.max_by_key(|(fitness, _)| *fitness).map(|(_, used)| used.tool.clone())
    };
    let (standing, tool) = match (fitting(true), fitting(false)) {
        (Some(tool), _) => (ClaimStanding::Supported, Some(tool)),
        (None, Some(tool)) => (ClaimStanding::Failed, Some(tool)),
        (None, None) => (ClaimStanding::Unsupported, None),
    };
    Claim { kind: said.kind, standing, turn, text: said.sentence, tool }
}

/// How well a tool could have done it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fitness {
    /// A tool of the user's, whatever it does.
    Perhaps,
    /// Its name says so.
    Named,
}

/// `None` when it cannot have done it.
fn fitness(said: &Said, tool: &str) -> Option<Fitness> {
    use ClaimKind::*;
    let own = match tool {
        "transfer_call" => return (said.kind == Transfer).then_some(Fitness::Named),
        "take_message" => return matches!(said.kind, Message | Note).then_some(Fitness::Named),
        "send_dtmf" => return (said.kind == Keys).then_some(Fitness::Named),
        "lookup_contact" => return (said.kind == LookedUp).then_some(Fitness::Named),
        "end_call" | "current_time" | "calculate" => return None,
        own => own.to_ascii_lowercase(),
    };
    let names: &[&str] = match said.kind {
        Transfer => &["transfer", "connect", "forward", "handover"],
        Message => &["message", "voicemail", "note", "notify", "send"],
        Note => &["note", "save", "log", "record", "store", "write", "create", "add", "message", "update"],
        Sent => &["send", "mail", "sms", "text", "notify", "confirm", "alert"],
        Booked => &["book", "schedul", "reserv", "appoint", "order", "create", "add", "event"],
        Changed => &["cancel", "update", "change", "resched", "move", "delete", "remove", "edit", "modify"],
        Called => &["call", "dial", "phone"],
        Paid => &["pay", "refund", "charge", "transfer"],
        LookedUp => &[],
        Keys => &["dtmf", "key", "press", "dial"],
    };
    const READING: &[&str] =
        &["list", "get", "find", "lookup", "look_up", "search", "check", "read", "show", "fetch", "query", "whoami"];
    let only_reads = READING.iter().any(|word| own.split(['_', '-', '.']).any(|part| part == *word) || own.starts_with(word));
    let is_named = names.iter().any(|name| own.contains(name));
    match (only_reads, is_named) {
        // To say how things are, looking is enough.
        (true, _) => (said.is_state || said.kind == LookedUp).then_some(Fitness::Perhaps),
        (false, true) => Some(Fitness::Named),
        (false, false) => (!matches!(said.kind, Transfer | Keys)).then_some(Fitness::Perhaps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClaimStanding::*;

    fn says(index: u32, text: &str) -> CallFact {
        let (started_ms, ended_ms) = (0, 0);
        let (speaker, text) = (Speaker::Agent, text.to_owned());
        CallFact::Turn { turn: Turn { index, speaker, started_ms, ended_ms, text, interrupted: false, latency: None } }
    }

    fn uses(name: &str, outcome: ToolEnd) -> CallFact {
        let (arguments, result) = ("{}".to_owned(), "{}".to_owned());
        CallFact::ToolUsed { name: name.to_owned(), arguments, result, outcome: Some(outcome), took_ms: None, requests: vec![] }
    }

    fn close(facts: &[CallFact]) -> Vec<Claim> {
        let mut claims = Claims::default();
        facts.iter().for_each(|fact| claims.take(fact));
        claims.close()
    }

    #[test]
    fn a_claim_stands_by_a_tool_that_could_have_done_it() {
        for (text, tool, outcome, want) in [
            ("I'm transferring you.", "transfer_call", ToolEnd::Result, Supported),
            ("I'm transferring you.", "transfer_call", ToolEnd::Error, Failed),
            ("I'm transferring you.", "book_table", ToolEnd::Result, Unsupported),
            ("I've noted that.", "take_message", ToolEnd::Result, Supported),
            ("I've noted that.", "end_call", ToolEnd::Result, Unsupported),
            ("I've booked it.", "cal_book", ToolEnd::Result, Supported),
            ("I've booked it.", "cal_book", ToolEnd::Timeout, Failed),
            ("I've booked it.", "cal_book", ToolEnd::Cancelled, Failed),
            ("I've booked it.", "list_bookings", ToolEnd::Result, Unsupported),
            ("Your table is booked.", "list_bookings", ToolEnd::Result, Supported),
            ("I've booked it.", "take_message", ToolEnd::Result, Unsupported),
            ("I've booked it.", "crm", ToolEnd::Result, Supported),
            ("I've checked the calendar.", "cal_list_events", ToolEnd::Result, Supported),
            ("I've checked the calendar.", "current_time", ToolEnd::Result, Unsupported),
            ("I've sent you an SMS.", "send_dtmf", ToolEnd::Result, Unsupported),
        ] {
            let claims = close(&[uses(tool, outcome), says(1, text)]);
            assert_eq!(claims.len(), 1, "{text}");
            assert_eq!(claims[0].standing, want, "{text} {tool} {outcome:?}");
            assert_eq!(claims[0].tool.as_deref(), (want != Unsupported).then_some(tool), "{text} {tool}");
        }
    }

    #[test]
    fn the_best_tool_is_named_and_the_order_does_not_matter() {
        let facts = [uses("crm", ToolEnd::Result), says(3, "I've booked it."), uses("book_table", ToolEnd::Result)];
        assert_eq!(close(&facts)[0].tool.as_deref(), Some("book_table"));
    }

    #[test]
    fn what_the_line_does_counts_and_the_callers_words_do_not() {
        let mut by_caller = says(0, "I've sent it.");
        if let CallFact::Turn { turn } = &mut by_caller {
            turn.speaker = Speaker::Caller;
        }
        assert_eq!(close(&[by_caller]), []);
        let started = CallFact::TransferStarted { mode: crate::user::TransferMode::Blind, target: "sales".to_owned() };
        assert_eq!(close(&[says(1, "I'm connecting you."), started])[0].standing, Supported);
    }

    #[test]
    fn a_turn_that_is_told_again_replaces_what_it_said() {
        let facts = [says(1, "I've sent"), says(1, "I've sent it and booked it."), says(2, "I've sent it."), says(2, "I have")];
        let kinds: Vec<_> = close(&facts).iter().map(|claim| (claim.turn, claim.kind)).collect();
        assert_eq!(
            kinds,
            [(1, ClaimKind::Booked), (1, ClaimKind::Sent)].map(|(t, k)| (t, k)).into_iter().rev().collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_call_without_end_keeps_a_bounded_list() {
        let facts: Vec<_> =
            (0..1_000).flat_map(|n| [says(n, "I've sent it. I've booked it."), uses("crm", ToolEnd::Error)]).collect();
        assert_eq!(close(&facts).len(), MOST_CLAIMS);
    }
}
