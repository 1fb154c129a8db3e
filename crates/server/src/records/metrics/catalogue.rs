//! Every metric there is: its name, its labels, what it means, and what to do when it moves. `docs/METRICS.md` is written from this.

/// How a metric grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only up, until the server starts anew.
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// Their values come from closed lists, so that there are few series.
    pub labels: &'static [&'static str],
    pub help: &'static str,
    /// What whoever runs the server does when it moves.
    pub advice: &'static str,
}

macro_rules! catalogue {
    ($($name:ident: $kind:expr, $text:literal, [$($label:literal),*], $help:literal, $advice:literal;)*) => {
        $(pub static $name: Metric =
            Metric { name: $text, kind: $kind, labels: &[$($label),*], help: $help, advice: $advice };)*

        /// In the order they are shown.
        pub static CATALOGUE: &[&Metric] = &[$(&$name),*];
    };
}

/// As `callie_domain::record::BOUNDS_MS`, in seconds.
const ANSWERS: &[f64] = &[0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0];
const CALLS_LAST: &[f64] = &[5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0];
const SETUP: &[f64] = &[0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0];
const MOS: &[f64] = &[2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.3, 4.4, 4.5];
const SHARES: &[f64] = &[0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5];
const PACKETS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5];
const REQUESTS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

use Kind::{Counter, Gauge, Histogram};

catalogue! {
    BUILD: Gauge, "callie_build_info", ["version"], "Always 1; the version is its label.", "compare versions after an upgrade";
    STARTED: Gauge, "process_start_time_seconds", [], "When the process began, Unix time.", "it jumped without an upgrade: look into the log of before";
    MEMORY: Gauge, "process_resident_memory_bytes", [], "Memory of the process.", "it grows for days while calls do not: report it";
    HEALTH: Gauge, "callie_health_status", ["check"], "A check of /health/ready: 0 passed, 1 warning, 2 failed.", "ask /health/ready: it has the reason and the remedy";
    DISK_FREE: Gauge, "callie_disk_free_bytes", [], "Free where the database and recordings are.", "make room, or set calls.retention_days, before it is below 1 GiB";
    CERTIFICATE: Gauge, "callie_certificate_expiry_timestamp_seconds", [], "When the first of the certificates that are shown ends, Unix time.", "renew it within its last two weeks";

    CALLS_ACTIVE: Gauge, "callie_calls_active", [], "Calls that are up.", "plan machines and port ranges by its peaks";
    CALLS: Counter, "callie_calls_total", ["direction", "result", "reason"], "Calls that ended, by how.", "failed or rejected ones grow: the reason says which section of OPERATING.md helps";
    CALL_DURATION: Histogram(CALLS_LAST), "callie_call_duration_seconds", ["direction"], "From answer to end, of answered calls.", "many very short ones: callers hang up on what they hear";
    CALL_SETUP: Histogram(SETUP), "callie_call_setup_seconds", ["direction"], "From INVITE to answer.", "inbound ones beyond 2 s: engines connect slowly, see callie_engine_failures_total";
    DIAL_REFUSALS: Counter, "callie_dial_refusals_total", ["limit"], "Calls that a user's limits did not allow.", "it jumps: somebody tries to dial what they must not; GET /audit and the calls say who";
    TRANSFERS: Counter, "callie_transfers_total", ["mode"], "Callers who were to be handed over.", "it falls to none: agents lost their targets";

    ANSWER_LATENCY: Histogram(ANSWERS), "callie_answer_latency_seconds", ["engine", "part"], "From the caller's last voiced packet to the first audible one of the answer, both at the RTP socket (part total), and its parts, which add up to it: ear (jitter buffer, chunking), uplink (until the speech had left for the service), engine (network, end of turn, model), playout.", "p95 of total beyond 2 s: the part that grew says where";
    DEAD_AIR: Counter, "callie_dead_air_steps_total", ["step"], "What was done because a caller heard nothing.", "renew or take_over grow: an engine's service is unwell";
    BARGE_INS: Counter, "callie_barge_ins_total", ["outcome"], "Callers who spoke over the agent.", "resumed is most of them: noise on the lines stops agents";
    CLAIMS: Counter, "callie_claims_total", ["kind", "standing"], "What agents said they did.", "unsupported ones grow: a tool is missing or refuses, or the instructions promise too much";

    ENGINE_READY: Counter, "callie_engine_sessions_total", ["engine"], "Engines that were ready to talk in a call.", "the local one grows while others do not: they fail";
    ENGINE_FAILURES: Counter, "callie_engine_failures_total", ["engine", "cause"], "Engines that failed in a call; another took over, or the call ended.", "the cause has its remedy in engine_failures of GET /calls/{id}";
    ENGINE_CHANGES: Counter, "callie_engine_session_changes_total", ["engine", "resumed"], "Engines that went on in another session.", "it grows faster than calls: sessions break; the calls' events have the reasons";
    ENGINE_READY_AT: Gauge, "callie_engine_last_ready_timestamp_seconds", ["engine"], "When an engine was last ready in a call, Unix time.", "older than its last failure: the engine does not work now";
    ENGINE_FAILED_AT: Gauge, "callie_engine_last_failure_timestamp_seconds", ["engine"], "When an engine last failed in a call, Unix time.", "see above";
    COST: Counter, "callie_cost_total", ["engine", "currency"], "What calls cost, as their records have it, in units of the currency; carrier is an engine here. Summaries are not in it.", "it grows faster than calls: compare limits of users";

    TOOL_USES: Counter, "callie_tool_uses_total", ["outcome"], "Uses of tools by agents.", "error or timeout grow: GET /calls shows which tool, callie_tool_requests_total why";
    TOOL_DURATION: Histogram(REQUESTS), "callie_tool_duration_seconds", ["outcome"], "How long they took.", "beyond a second callers hear fillers: make the service faster";
    TOOL_REQUESTS: Counter, "callie_tool_requests_total", ["protocol", "result"], "Requests of tools: http or mcp; a class of status codes (2xx), ok, or why there was no answer.", "unreachable or timeout: the services of users; guarded: somebody aims inside the network";
    SUMMARIES: Counter, "callie_summaries_total", ["state"], "Calls whose user wants a summary or fields, when that was settled.", "failed grows: the text model behind CALLIE_CHAT_URL";

    MEDIA_MOS: Histogram(MOS), "callie_media_mos", ["codec"], "How the other side sounds here by the E-model (ITU-T G.107), 1 to 4.5, average of a call.", "the lower end fills: loss and jitter say whether it is the network";
    MEDIA_LOSS: Histogram(SHARES), "callie_media_loss_ratio", ["codec"], "Share of the other side's packets that never came, of a call.", "beyond 0.02: the network before this machine";
    MEDIA_JITTER: Histogram(PACKETS), "callie_media_jitter_seconds", ["codec"], "Interarrival jitter at the end of a call (RFC 3550).", "beyond 0.03: the network before this machine";
    MEDIA_RTT: Histogram(PACKETS), "callie_media_round_trip_seconds", ["codec"], "Round trip as RTCP last measured it.", "beyond 0.2 conversations stumble: a nearer provider or region";
    MEDIA_PACKETS: Counter, "callie_media_packets_total", ["event"], "RTP packets of calls that ended: received, sent, lost, late, rejected, unauthentic.", "unauthentic grows: strangers, or a peer that ignores SRTP";
    MEDIA_TICKS: Counter, "callie_media_ticks_total", [], "Beats of the media threads, 200 a second each.", "its rate falls: the machine is overloaded";
    MEDIA_LATE: Counter, "callie_media_late_ticks_total", [], "Beats that began more than 2 ms late.", "more than 1 % of the beats: fewer calls, more cores, or real-time priority";
    MEDIA_WORST: Gauge, "callie_media_worst_lateness_seconds", [], "The latest beat since the start.", "beyond 0.02 packets left unevenly at that moment";

    LINES: Gauge, "callie_lines", ["state"], "Lines by the state of their registration.", "wrong_password or retrying grow: callie doctor NAME";
    LINES_DOWN: Gauge, "callie_lines_down", [], "Lines that have been down for longer than CALLIE_LINE_ALERT_AFTER.", "GET /users has the reasons; many at once: a provider, or this machine's network";
    LINES_LAPSE: Gauge, "callie_line_longest_lapse_seconds", [], "How long the line that has been down longest has been so.", "see above";
    USERS: Gauge, "callie_users", ["state"], "Documents of users: good, or faulty.", "faulty: config_state of GET /users says what is wrong";
    REGISTRATION_CHANGES: Counter, "callie_registration_changes_total", ["state"], "Lines that changed to a state.", "it grows steadily: registrations flap, often NAT";
    REGISTRATION_ALERTS: Counter, "callie_registration_alerts_total", [], "Lines that were down for too long.", "see callie_lines_down";

    SIP_DATAGRAMS: Counter, "callie_signalling_datagrams_total", [], "SIP datagrams that came.", "it jumps: scanners; nothing needs to be done";
    SIP_GARBAGE: Counter, "callie_signalling_garbage_total", [], "What was no SIP message.", "the same";
    SIP_REFUSED: Counter, "callie_signalling_refused_total", ["reason"], "Messages that were turned away.", "not_provider grows while calls are missing: accept_from of the user; no_room: calls whose ACK never comes";
    SIP_REFUSED_CONNECTIONS: Counter, "callie_signalling_refused_connections_total", [], "Connections of strangers that were turned away.", "scanners; nothing needs to be done";
    SIP_CONNECTIONS: Gauge, "callie_signalling_connections", [], "Open SIP connections, TCP and TLS.", "it falls to none: providers reached by TCP are gone";
    SIP_SETTING_UP: Gauge, "callie_signalling_setting_up", [], "Calls that wait for their ACK.", "hundreds: an attack, or peers who do not hear our 200";

    HOOK_ATTEMPTS: Counter, "callie_webhook_attempts_total", ["outcome"], "Attempts to tell receivers: delivered, retried, given_up, dropped, guarded.", "given_up: a receiver was away for a day; guarded: its address is not public";
    HOOK_QUEUE: Gauge, "callie_webhook_queue_deliveries", [], "Deliveries that wait.", "it grows: receivers are away or slow, GET /users/{id}/webhooks/deliveries shows which";
    HOOK_OVERFLOW: Counter, "callie_webhook_overflowed_total", [], "Not taken, because too much of a user waited.", "that user's receiver has been away for long";

    RECORDING_PENDING: Gauge, "callie_recordings_pending", ["what"], "Recordings that wait for their bucket: upload, deletion.", "it grows: the bucket is away, GET /admin/status says why; watch the disk";
    RECORDING_UPLOADED: Counter, "callie_recordings_uploaded_total", [], "Recordings that moved into the bucket.", "it stands still while calls end: the bucket";
    RECORDING_FAILED: Counter, "callie_recordings_failed_attempts_total", [], "Attempts to upload or delete that failed and are repeated.", "GET /admin/status has the reason";

    RECORD_QUEUE: Gauge, "callie_record_queue_entries", [], "Entries that wait to be written into the record store.", "it stays above a hundred: the disk is slow";
    RECORD_WRITES: Histogram(REQUESTS), "callie_record_write_seconds", [], "How long the record store took to write what waited.", "p95 beyond 0.25 s: the disk is slow, or another program holds the database";
    RECORD_RETRIES: Counter, "callie_record_retries_total", [], "Writes that were tried again because the record store was not available.", "the log has the reason";
    RECORD_LOST: Counter, "callie_record_lost_entries_total", [], "Entries of records that were given up.", "page somebody: records are lost; disk full or broken";

    HTTP_RESPONSES: Counter, "callie_http_responses_total", ["code"], "Answers of the API by status.", "401, 403: who is let in; 429: a limit of requests; 5xx: the log";
    HTTP_DURATION: Histogram(REQUESTS), "callie_http_request_duration_seconds", [], "Until the API's answer began.", "p95 beyond 1 s: the disk, or a list that is asked for too broadly";

    TRACE_EXPORTED: Counter, "callie_trace_spans_exported_total", [], "Spans that the collector took.", "it stands still while calls end: the collector";
    TRACE_DROPPED: Counter, "callie_trace_spans_dropped_total", ["reason"], "Spans that were lost: queue_full, refused, unreachable, stopped.", "the collector is away or refuses; calls are not affected";
    TRACE_MISSED: Counter, "callie_trace_missed_calls_total", [], "Calls without a trace, because too many ended at once or their records could not be read.", "a lower OTEL_TRACES_SAMPLER_ARG";
    TRACE_QUEUE: Gauge, "callie_trace_queue_spans", [], "Spans that wait.", "it stays high: the collector is slow";
    MISSED_EVENTS: Counter, "callie_metrics_missed_events_total", [], "Events that were not counted, because too many came at once.", "the other counters are too low by so many events";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// https://prometheus.io/docs/practices/naming/, as far as a test can hold to it.
    #[test]
    fn names_are_as_prometheus_has_them() {
        let names: BTreeSet<_> = CATALOGUE.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), CATALOGUE.len(), "each name once");
        for metric in CATALOGUE {
            let name = metric.name;
            assert!(name.starts_with("callie_") || name.starts_with("process_"), "{name}: its program comes first");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}: counters, and they alone, end in _total");
            for unit in ["_ms", "_millis", "_percent", "_minutes", "_count", "_sum", "_bucket", "_kb", "_mb"] {
                assert!(!name.ends_with(unit), "{name}: base units, and no suffix of a histogram");
            }
            for label in metric.labels {
                assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_') && *label != "le", "{name}{{{label}}}");
                assert!(
                    !["user", "user_id", "call", "call_id", "number", "url", "host"].contains(label),
                    "{name}: {label} has no end"
                );
            }
            assert!(metric.help.ends_with('.') && !metric.advice.ends_with('.') && !metric.help.contains('|'), "{name}");
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{name}: bounds rise");
            }
        }
    }
}
