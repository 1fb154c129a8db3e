//! The loop: takes the calls that wait, asks the text model, and puts down what came of it.

use super::question::{self, Findings};
use crate::exchange::LiveEvent;
use crate::records::LiveFeed;
use callie_ai::Usage;
use callie_ai::chat::letter::{Question, Writer};
use callie_domain::prices::{Cost, PriceTable, Use};
use callie_domain::record::{AfterCallReport, AfterCallState, Cdr, TokenCounts};
use callie_domain::{User, UserId};
use callie_store::after_call::{Step, Unwritten};
use callie_store::{AfterCallStore, RecordStore, StoreError, UserView};
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Calls that are written about at once.
const AT_ONCE: u32 = 4;
/// Without news the queue is looked at so often.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// After a fault of the store.
const PAUSE: Duration = Duration::from_secs(1);
/// Of one answer.
const MOST_TOKENS: u32 = 2_000;
/// As in price tables.
const ENGINE: &str = "chat";

/// How patient we are with the model.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Until the second attempt; each further wait is four times as long.
    pub first: SignedDuration,
    pub longest: SignedDuration,
    /// From the end of the call to the last attempt.
    pub patience: SignedDuration,
    /// Attempts that a model has which answers, but not what was asked.
    pub nonsense: u32,
    /// For one answer.
    pub answer: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: SignedDuration::from_secs(10),
            longest: SignedDuration::from_secs(3_600),
            patience: SignedDuration::from_hours(24),
            nonsense: 3,
            answer: Duration::from_secs(90),
        }
    }
}

/// Is told what a user's call cost.
pub type Spend = Arc<dyn Fn(&UserId, &Cost) + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub struct Summariser {
    pub queue: Arc<dyn AfterCallStore>,
    pub records: Arc<dyn RecordStore>,
    pub view: watch::Receiver<Arc<UserView>>,
    /// `None` when the server has no text model.
    pub writer: Option<Writer>,
    pub prices: Arc<PriceTable>,
    pub spend: Spend,
    pub feed: LiveFeed,
    pub pace: Pace,
}

/// Why there is nothing, or not yet.
enum Without {
    Skipped(&'static str),
    /// The model could not be asked.
    Unasked(String),
    /// It answered something else.
    Nonsense(String),
}

impl Summariser {
    /// Runs until `end`. What is under way then is asked again after the next start.
    pub async fn run(self, end: CancellationToken) {
        let mut changed = self.queue.unwritten_changed();
        let mut running: FuturesUnordered<BoxFuture<'static, callie_domain::CallId>> = FuturesUnordered::new();
        let mut under_way = BTreeSet::new();
        loop {
            changed.mark_unchanged();
            let busy: Vec<_> = under_way.iter().copied().collect();
            let room = AT_ONCE.saturating_sub(u32::try_from(busy.len()).unwrap_or(AT_ONCE));
            let wake = match self.look(room, &busy).await {
                Ok((due, next)) => {
                    for waiting in due {
                        under_way.insert(waiting.call);
                        let own = self.clone();
                        running.push(Box::pin(async move {
                            own.attempt(&waiting).await;
                            waiting.call
                        }));
                    }
                    next
                }
                Err(error) => {
                    tracing::warn!(%error, "the calls to be summarised cannot be read; it is tried again");
                    Instant::now() + PAUSE
                }
            };
            tokio::select! {
                () = end.cancelled() => return,
                Some(done) = running.next() => drop(under_way.remove(&done)),
                _ = changed.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// What may be asked about now, and when to look again. Without room the end of an attempt gives it.
    async fn look(&self, room: u32, busy: &[callie_domain::CallId]) -> Result<(Vec<Unwritten>, Instant), StoreError> {
        let now = Timestamp::now();
        let later = Instant::now() + LOOK_AGAIN;
        if room == 0 {
            return Ok((Vec::new(), later));
        }
        let due = self.queue.unwritten(now, room, busy).await?;
        let busy: Vec<_> = busy.iter().copied().chain(due.iter().map(|waiting| waiting.call)).collect();
        let next = self.queue.next_unwritten(&busy).await?.filter(|next| *next > now);
        let until = |next: Timestamp| Duration::try_from(next.duration_since(now)).unwrap_or_default();
        Ok((due, next.map_or(later, |next| (Instant::now() + until(next)).min(later))))
    }

    async fn attempt(&self, waiting: &Unwritten) {
        let Err(error) = self.write(waiting).await else { return };
        tracing::error!(call.id = %waiting.call, %error, "a call's summary could not be put down; it is tried again");
        sleep(PAUSE).await;
    }

    async fn write(&self, waiting: &Unwritten) -> Result<(), StoreError> {
        let Some(cdr) = self.records.get(waiting.call).await? else { return Ok(()) };
        let user = self.view.borrow().users.get(&waiting.user_id).and_then(|entry| entry.usable()).map(|s| s.user.clone());
        let mut cost = None;
        let written = match user {
            Some(user) => self.ask(&user, &cdr, &mut cost).await?,
            None => Err(Without::Skipped("the user is gone")),
        };
        let step = self.step(waiting, &cdr, written, cost.clone());
        let Some(settled) = self.queue.settle_after_call(waiting.call, &step).await? else { return Ok(()) };
        if let Some(cost) = &cost {
            (self.spend)(&waiting.user_id, cost);
        }
        if step.again_at.is_none() {
            self.feed.publish(LiveEvent::CallSummarised { cdr: Box::new(settled) });
        }
        Ok(())
    }

    async fn ask(
        &self,
        user: &User,
        cdr: &Cdr,
        cost: &mut Option<Cost>,
    ) -> Result<Result<(Findings, String), Without>, StoreError> {
        let wanted = &user.ai.after_call;
        if !wanted.is_wanted() {
            return Ok(Err(Without::Skipped("the user's document asks for neither summary nor fields any more")));
        }
        let Some(writer) = &self.writer else {
            return Ok(Err(Without::Skipped("the server has no text model: set CALLIE_CHAT_URL and CALLIE_CHAT_MODEL")));
        };
        let turns = self.records.turns(cdr.id).await?;
        if turns.iter().all(|turn| turn.text.trim().is_empty()) {
            return Ok(Err(Without::Skipped("nothing was said that was understood")));
        }
        let model = wanted.model.as_deref().unwrap_or(writer.model());
        let mut request = question::request(cdr, &turns);
        let mut problem = String::new();
        // One that answers something else is told so once.
        for _ in 0..2 {
            let (system, within) = (question::system(user), self.pace.answer);
            let question = Question { model: Some(model), system, request: request.clone(), most_tokens: MOST_TOKENS, within };
            let written = match writer.write(question).await {
                Ok(written) => written,
                Err(error) => return Ok(Err(Without::Unasked(error.to_string()))),
            };
            *cost = self.with_cost(cost.take(), model, written.usage);
            match question::read(wanted, &written.text) {
                Ok(findings) => return Ok(Ok((findings, model.to_owned()))),
                Err(wrong) => problem = wrong,
            }
            request = question::again(&request, &problem);
        }
        Ok(Err(Without::Nonsense(format!("the model's answer cannot be used: {problem}"))))
    }

    fn with_cost(&self, cost: Option<Cost>, model: &str, usage: Usage) -> Option<Cost> {
        let used = Use { engine: ENGINE.to_owned(), model: model.to_owned(), tokens: counts(usage) };
        match (cost, Cost::of(&[used], &[], &self.prices)) {
            (Some(cost), Some(more)) => Some(cost.with(more)),
            (cost, more) => cost.or(more),
        }
    }

    fn step(&self, waiting: &Unwritten, cdr: &Cdr, written: Result<(Findings, String), Without>, cost: Option<Cost>) -> Step {
        let now = Timestamp::now();
        let attempts = waiting.attempts + 1;
        let report = |state, note: Option<String>| AfterCallReport {
            attempts,
            note,
            at: Some(now),
            ..AfterCallReport { state, ..cdr.after_call.clone().unwrap_or_else(AfterCallReport::waiting) }
        };
        let (call, user) = (&waiting.call, &waiting.user_id);
        let (note, may_go_on) = match written {
            Ok((Findings { summary, fields }, model)) => {
                let report = AfterCallReport { summary, fields, model: Some(model), ..report(AfterCallState::Done, None) };
                return Step { report, cost, again_at: None };
            }
            Err(Without::Skipped(why)) => {
                return Step { report: report(AfterCallState::Skipped, Some(why.to_owned())), cost, again_at: None };
            }
            Err(Without::Unasked(why)) => (why, true),
            Err(Without::Nonsense(why)) => (why, attempts < self.pace.nonsense),
        };
        let until = waiting.since.saturating_add(self.pace.patience).unwrap_or(Timestamp::MAX);
        if !may_go_on || now >= until {
            tracing::warn!(call.id = %call, user.id = %user, attempts, note, "a call is not summarised: given up");
            return Step { report: report(AfterCallState::Failed, Some(note)), cost, again_at: None };
        }
        let wait = self.pace.first.checked_mul(4i32.saturating_pow(waiting.attempts.min(10))).unwrap_or(self.pace.longest);
        let at = now.saturating_add(wait.min(self.pace.longest)).unwrap_or(until).min(until);
        tracing::info!(call.id = %call, user.id = %user, attempts, note, next = %at, "a call's summary is tried again");
        Step { report: report(AfterCallState::Waiting, Some(note)), cost, again_at: Some(at) }
    }
}

fn counts(usage: Usage) -> TokenCounts {
    TokenCounts {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        total_tokens: usage.total_tokens,
        text_input_tokens: usage.text_input_tokens,
        text_output_tokens: usage.text_output_tokens,
        cached_input_tokens: usage.cached_input_tokens,
        ..TokenCounts::default()
    }
}
