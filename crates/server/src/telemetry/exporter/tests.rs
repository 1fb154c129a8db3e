//! The exporter against collectors of every manner.

use super::*;
use crate::telemetry::SpanId;
use callie_domain::Secret;
use callie_lab::collector::{Collector, Seen};
use callie_lab::receiver::Manner;
use jiff::Timestamp;
use tokio::task::JoinHandle;

const WAIT: Duration = Duration::from_secs(20);

struct Bench {
    tracer: Tracer,
    end: CancellationToken,
    running: JoinHandle<()>,
}

#[expect(clippy::disallowed_methods, reason = "the test awaits it")]
fn run(endpoint: &str) -> Bench {
    let settings = TraceSettings {
        endpoint: format!("{endpoint}/v1/traces").parse().expect("an address"),
        headers: vec![("x-team".to_owned(), Secret::new("s3cr3t"))],
        resource: vec![("service.name".to_owned(), "callie".to_owned())],
        sampler: Sampler::AlwaysOn,
    };
    let (tracer, exporter) = Exporter::new(settings).expect("a client");
    let end = CancellationToken::new();
    Bench { tracer, running: tokio::spawn(exporter.run(end.clone())), end }
}

impl Bench {
    fn counts(&self) -> Exported {
        self.tracer.counts().expect("it exports")
    }

    async fn until(&self, mut wanted: impl FnMut(Exported) -> bool) -> Exported {
        let waiting = async {
            while !wanted(self.counts()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(WAIT, waiting).await;
        self.counts()
    }

    /// How long it took.
    async fn stop(self) -> (Duration, Exported) {
        let begun = Instant::now();
        self.end.cancel();
        timeout(WAIT, self.running).await.expect("it ends").expect("no panic");
        (begun.elapsed(), self.tracer.counts().expect("it exports"))
    }
}

fn span(number: u64) -> Span {
    let trace = TraceId::of(CallId::new(Timestamp::UNIX_EPOCH, 7));
    Span::new(trace, SpanId::from(number + 1), format!("span {number}"), Timestamp::UNIX_EPOCH)
}

fn spans(count: u64) -> impl Iterator<Item = Span> {
    (0..count).map(span)
}

fn names(seen: &[Seen]) -> usize {
    seen.iter().map(|seen| seen.id.as_str()).collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test]
async fn spans_arrive_once_with_who_sent_them_and_the_header_is_shown() {
    let collector = Collector::start().await.expect("a port");
    let bench = run(&collector.endpoint());
    bench.tracer.tell([span(1).with("a", 7u16).with("b", true).with("c", "x").failed("busy")]);
    let seen = collector.wait_until(|seen| !seen.is_empty(), WAIT).await;
    let [seen] = &seen[..] else { panic!("{seen:#?}") };
    assert_eq!((seen.name.as_str(), seen.kind.as_str(), seen.is_error), ("span 1", "Internal", true));
    assert_eq!([seen.attribute("a"), seen.attribute("b"), seen.attribute("c")], [Some("7"), Some("true"), Some("x")]);
    assert_eq!(seen.resource["service.name"], "callie");
    let request = collector.requests().remove(0);
    assert_eq!((request.line.as_str(), request.header("x-team")), ("POST /v1/traces", Some("s3cr3t")));
    assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
    let counts = bench.until(|counts| counts.exported == 1).await;
    assert_eq!(counts, Exported { exported: 1, ..Exported::default() });
}

#[tokio::test]
async fn what_a_collector_cannot_take_now_is_sent_again_and_what_it_does_not_want_is_not() {
    let collector = Collector::start().await.expect("a port");
    collector.behave_next([Manner::with_header(503, "Retry-After", "0"), Manner::Die, Manner::status(200), Manner::status(400)]);
    let bench = run(&collector.endpoint());
    bench.tracer.tell([span(1)]);
    assert_eq!(bench.until(|counts| counts.exported == 1).await.exported, 1);
    assert_eq!((collector.requests().len(), names(&collector.spans())), (3, 1));
    bench.tracer.tell([span(2)]);
    let counts = bench.until(|counts| counts.refused == 1).await;
    assert_eq!(counts, Exported { exported: 1, refused: 1, ..Exported::default() });
    assert_eq!(collector.requests().len(), 4, "a 400 is not asked again");
}

/// Whoever tells of spans never waits, and what there is no room for is counted.
#[tokio::test]
async fn a_collector_that_hangs_costs_spans_and_nothing_else() {
    let collector = Collector::start().await.expect("a port");
    collector.behave(Manner::Hang);
    let bench = run(&collector.endpoint());
    bench.tracer.tell([span(0)]);
    collector.wait_until(|seen| !seen.is_empty(), WAIT).await;
    let many = QUEUE as u64 + 1_000;
    let begun = Instant::now();
    bench.tracer.tell(spans(many));
    assert!(begun.elapsed() < Duration::from_secs(1), "told within {:?}", begun.elapsed());
    assert_eq!(bench.counts().queue_full, 1_000);
    let (took, counts) = bench.stop().await;
    assert!(took < FLUSH + Duration::from_secs(1), "stopped after {took:?}");
    assert_eq!(counts.stopped, QUEUE as u64 + 1, "{counts:?}");
}

#[tokio::test]
async fn what_waits_is_sent_when_the_server_stops() {
    let collector = Collector::start().await.expect("a port");
    let bench = run(&collector.endpoint());
    bench.tracer.tell(spans(1_300));
    let (took, counts) = bench.stop().await;
    assert!(took < FLUSH, "stopped after {took:?}");
    assert_eq!(counts, Exported { exported: 1_300, ..Exported::default() });
    assert_eq!(names(&collector.spans()), 1_300);
}

#[tokio::test]
async fn a_collector_that_is_away_is_found_again() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("an address");
    let bench = run(&format!("http://{address}"));
    bench.tracer.tell([span(1)]);
    // The first attempt, which comes to nothing.
    let attempt = timeout(WAIT, nobody.accept()).await.expect("in time").expect("accepted");
    drop((attempt, nobody));
    assert_eq!(bench.counts().exported, 0);
    let collector = Collector::start_at(address).await.expect("the same port");
    assert_eq!(bench.until(|counts| counts.exported == 1).await.exported, 1);
    assert_eq!(names(&collector.spans()), 1);
}

#[test]
fn without_a_collector_nobody_is_told_anything() {
    let tracer = Tracer::default();
    tracer.tell([span(1)]);
    let call = CallId::new(Timestamp::UNIX_EPOCH, 1);
    assert_eq!((tracer.parent(call), tracer.wants(call), tracer.counts()), (None, false, None));
}
