//! Spans on their way to the collector: a bounded queue, and one task that empties it. Whoever tells of a span never waits; a
//! collector that is away, hangs or says no costs spans, which are counted, and nothing else.

use super::otlp;
use super::span::Span;
use super::trace::{TraceId, TraceParent, is_sampled};
use crate::config::{Sampler, TraceSettings};
use callie_domain::CallId;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Spans that wait: of some two hundred calls that end at once; 10 MB at the most. What comes when it is full is dropped.
const QUEUE: usize = 16_384;
/// Spans of one request.
const BATCH: usize = 512;
/// So long others are waited for.
const LINGER: Duration = Duration::from_millis(500);
/// For one request, as OpenTelemetry has it.
const PATIENCE: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 5;
/// Before the second attempt; twice as long before each after it.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What is left when the server stops may take so long.
pub const FLUSH: Duration = Duration::from_secs(2);
const MOST_ANSWER_BYTES: usize = 65_536;

/// What became of spans since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    pub exported: u64,
    /// There was no room for them.
    pub queue_full: u64,
    /// The collector did not want them.
    pub refused: u64,
    /// The collector was not reached in time.
    pub unreachable: u64,
    /// The server stopped before they were sent.
    pub stopped: u64,
    /// Calls of which no span was made, because too many ended at once or their records could not be read.
    pub missed_calls: u64,
    pub waiting: usize,
}

#[derive(Debug, Default)]
struct Counts {
    exported: AtomicU64,
    queue_full: AtomicU64,
    refused: AtomicU64,
    unreachable: AtomicU64,
    stopped: AtomicU64,
    missed_calls: AtomicU64,
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

struct Shared {
    sampler: Sampler,
    queue: mpsc::Sender<Span>,
    counts: Arc<Counts>,
}

/// Where spans are told; without a collector nowhere. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Shared>>);

impl Tracer {
    /// What the requests of a call tell others; `None` where nothing is exported.
    pub fn parent(&self, call: CallId) -> Option<TraceParent> {
        let trace = TraceId::of(call);
        self.0.as_ref().map(|shared| TraceParent { trace, sampled: is_sampled(shared.sampler, trace) })
    }

    pub fn wants(&self, call: CallId) -> bool {
        self.parent(call).is_some_and(|parent| parent.sampled)
    }

    pub fn tell(&self, spans: impl IntoIterator<Item = Span>) {
        let Some(shared) = &self.0 else { return };
        let refused = spans.into_iter().filter_map(|span| shared.queue.try_send(span).err()).count();
        add(&shared.counts.queue_full, u64::try_from(refused).unwrap_or(u64::MAX));
    }

    /// So many calls have no trace.
    pub fn miss(&self, calls: u64) {
        if let Some(shared) = &self.0 {
            add(&shared.counts.missed_calls, calls);
        }
    }

    /// `None` where nothing is exported.
    pub fn counts(&self) -> Option<Exported> {
        let shared = self.0.as_ref()?;
        let (read, counts) = (|counter: &AtomicU64| counter.load(Ordering::Relaxed), &shared.counts);
        Some(Exported {
            exported: read(&counts.exported),
            queue_full: read(&counts.queue_full),
            refused: read(&counts.refused),
            unreachable: read(&counts.unreachable),
            stopped: read(&counts.stopped),
            missed_calls: read(&counts.missed_calls),
            waiting: shared.queue.max_capacity() - shared.queue.capacity(),
        })
    }
}

/// A request that is ready to be sent.
struct Parcel {
    body: Vec<u8>,
    spans: u64,
}

/// Why it was not taken.
enum Failure {
    /// Another attempt may go better, after this.
    Later(String, Option<Duration>),
    Never(String),
}

/// See the module.
pub struct Exporter {
    settings: TraceSettings,
    headers: HeaderMap,
    http: Client,
    queue: mpsc::Receiver<Span>,
    counts: Arc<Counts>,
    is_failing: bool,
}

impl Exporter {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: TraceSettings) -> Result<(Tracer, Self), reqwest::Error> {
        let http = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).build()?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let shared = Shared { sampler: settings.sampler, queue: sender, counts: counts.clone() };
        let headers = headers(&settings);
        Ok((Tracer(Some(Arc::new(shared))), Self { settings, headers, http, queue, counts, is_failing: false }))
    }

    /// Runs until `end`, and sends what is left then, for [`FLUSH`] at most.
    pub async fn run(mut self, end: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut parcel = None;
        while !end.is_cancelled() {
            tokio::select! {
                () = end.cancelled() => break,
                is_open = self.fill(&mut batch) => if !is_open && batch.is_empty() { return },
            }
            let spans = u64::try_from(batch.len()).unwrap_or(0);
            parcel = Some(Parcel { body: otlp::body(&self.settings.resource, std::mem::take(&mut batch)), spans });
            self.deliver(&mut parcel, &end).await;
        }
        self.flush(batch, parcel).await;
    }

    /// `false` when nobody will tell of spans any more. Cancel safe: what has come is in the batch.
    async fn fill(&mut self, batch: &mut Vec<Span>) -> bool {
        if batch.is_empty() && self.queue.recv_many(batch, BATCH).await == 0 {
            return false;
        }
        let until = Instant::now() + LINGER;
        while batch.len() < BATCH {
            match timeout_at(until, self.queue.recv_many(batch, BATCH - batch.len())).await {
                Ok(0) => return false,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        true
    }

    /// Until it is taken or given up; it is left where `end` came first.
    async fn deliver(&mut self, parcel: &mut Option<Parcel>, end: &CancellationToken) {
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let Some(sent) = parcel.as_ref() else { return };
            let Some(outcome) = end.run_until_cancelled(self.post(sent)).await else { return };
            let wait = match outcome {
                Ok(rejected) => return self.taken(parcel, rejected),
                Err(Failure::Never(why)) => return self.lost(parcel, |counts| &counts.refused, &why),
                Err(Failure::Later(why, _)) if attempt == ATTEMPTS => {
                    return self.lost(parcel, |counts| &counts.unreachable, &why);
                }
                Err(Failure::Later(why, wait)) => {
                    self.complain(&why);
                    wait.unwrap_or(pause).min(LONGEST_PAUSE)
                }
            };
            if end.run_until_cancelled(sleep(wait)).await.is_none() {
                return;
            }
            pause *= 2;
        }
    }

    fn taken(&mut self, parcel: &mut Option<Parcel>, rejected: u64) {
        let spans = parcel.take().map_or(0, |parcel| parcel.spans);
        let rejected = rejected.min(spans);
        add(&self.counts.exported, spans - rejected);
        add(&self.counts.refused, rejected);
        if std::mem::take(&mut self.is_failing) {
            tracing::info!("the collector takes traces again");
        }
    }

    fn lost(&mut self, parcel: &mut Option<Parcel>, as_what: fn(&Counts) -> &AtomicU64, why: &str) {
        add(as_what(&self.counts), parcel.take().map_or(0, |parcel| parcel.spans));
        self.complain(why);
    }

    /// Once, until it goes well again.
    fn complain(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!("the collector of traces takes nothing ({why}); calls are not affected, spans may be lost");
        }
    }

    async fn post(&self, parcel: &Parcel) -> Result<u64, Failure> {
        let request = self.http.post(self.settings.endpoint.clone()).headers(self.headers.clone()).body(parcel.body.clone());
        let answer = request.send().await.map_err(|error| Failure::Later(told(&error), None))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(otlp::rejected(&read(answer).await));
        }
        let why = format!("it answered {}", status.as_u16());
        // Those that OTLP says to try again (OTLP specification, Failures).
        let again = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        Err(if again.contains(&status) { Failure::Later(why, wait) } else { Failure::Never(why) })
    }

    /// What waits when the server stops, as far as it goes.
    async fn flush(mut self, mut batch: Vec<Span>, mut parcel: Option<Parcel>) {
        let until = Instant::now() + FLUSH;
        self.queue.close();
        loop {
            if parcel.is_none() {
                while batch.len() < BATCH
                    && let Ok(span) = self.queue.try_recv()
                {
                    batch.push(span);
                }
                if batch.is_empty() {
                    return;
                }
                let spans = u64::try_from(batch.len()).unwrap_or(0);
                parcel = Some(Parcel { body: otlp::body(&self.settings.resource, std::mem::take(&mut batch)), spans });
            }
            let Some(sent) = parcel.as_ref() else { return };
            match timeout_at(until, self.post(sent)).await {
                Ok(Ok(rejected)) => self.taken(&mut parcel, rejected),
                Ok(Err(Failure::Never(why))) => self.lost(&mut parcel, |counts| &counts.refused, &why),
                Ok(Err(Failure::Later(why, _))) => break self.left(parcel, batch, &why),
                Err(_) => break self.left(parcel, batch, "it did not answer"),
            }
        }
    }

    fn left(self, parcel: Option<Parcel>, batch: Vec<Span>, why: &str) {
        let spans = parcel.map_or(0, |parcel| parcel.spans) + u64::try_from(batch.len() + self.queue.len()).unwrap_or(0);
        add(&self.counts.stopped, spans);
        tracing::warn!(spans, "the last spans are lost: the collector took them not in time ({why})");
    }
}

fn headers(settings: &TraceSettings) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    for (name, value) in &settings.headers {
        if let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.expose())) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    headers
}

/// Without the address: people put keys into it.
fn told(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection broke"
    };
    what.to_owned()
}

/// What of an answer matters; one that drips is not waited for.
async fn read(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            if body.len() + chunk.len() > MOST_ANSWER_BYTES {
                break;
            }
            body.extend_from_slice(&chunk);
        }
    };
    let _ = timeout(PATIENCE, reading).await;
    body
}

#[cfg(test)]
mod tests;
