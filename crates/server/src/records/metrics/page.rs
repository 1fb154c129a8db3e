//! What `/metrics` says: series of the catalogue, in the text format of Prometheus 0.0.4.

use super::catalogue::{CATALOGUE, Kind, Metric};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Values of a metric's labels, in its order.
pub type Labels = Vec<String>;

/// Counts by bucket, the last above every bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets {
    pub counts: Vec<u64>,
    pub sum: f64,
}

impl Buckets {
    pub fn add(&mut self, bounds: &[f64], value: f64) {
        self.counts.resize(bounds.len() + 1, 0);
        let at = bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum += value;
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Sample {
    Number(f64),
    Buckets(Buckets),
}

/// All series at one moment.
#[derive(Debug, Clone, Default)]
pub struct Page(BTreeMap<(&'static str, Labels), Sample>);

impl Page {
    pub fn number(&mut self, metric: &'static Metric, labels: &[&str], value: f64) {
        self.put(metric, labels.iter().map(|label| (*label).to_owned()).collect(), Sample::Number(value));
    }

    pub fn count(&mut self, metric: &'static Metric, labels: &[&str], value: u64) {
        self.number(metric, labels, value as f64);
    }

    pub fn buckets(&mut self, metric: &'static Metric, labels: Labels, buckets: Buckets) {
        self.put(metric, labels, Sample::Buckets(buckets));
    }

    pub(super) fn raw(&mut self, metric: &'static Metric, labels: Labels, value: f64) {
        self.put(metric, labels, Sample::Number(value));
    }

    fn put(&mut self, metric: &'static Metric, labels: Labels, sample: Sample) {
        debug_assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
        self.0.insert((metric.name, labels), sample);
    }

    /// Each metric of the catalogue is described, whether there is a series of it or not.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for metric in CATALOGUE {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {} {}\n# TYPE {0} {}", metric.name, escaped(metric.help), metric.kind.as_str());
            let mut own = self.0.range((metric.name, Vec::new())..).take_while(|((name, _), _)| *name == metric.name).peekable();
            // A counter that begins with its first event would hide it: Prometheus sees no rise from nothing.
            if own.peek().is_none() && metric.labels.is_empty() && metric.kind == Kind::Counter {
                write_sample(&mut text, metric, &[], &Sample::Number(0.0));
            }
            own.for_each(|((_, labels), sample)| write_sample(&mut text, metric, labels, sample));
        }
        text
    }
}

fn write_sample(text: &mut String, metric: &Metric, labels: &[String], sample: &Sample) {
    let labels: Vec<(&str, &str)> = metric.labels.iter().copied().zip(labels.iter().map(String::as_str)).collect();
    let (name, own) = (metric.name, braced(&labels));
    match (sample, metric.kind) {
        (Sample::Buckets(buckets), Kind::Histogram(bounds)) => {
            let mut sum = 0;
            let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
            for (count, bound) in buckets.counts.iter().zip(bounds) {
                sum += count;
                let with: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
                let _ = writeln!(text, "{name}_bucket{} {sum}", braced(&with));
            }
            let _ = writeln!(text, "{name}_sum{own} {}\n{name}_count{own} {sum}", buckets.sum);
        }
        (Sample::Number(value), _) => drop(writeln!(text, "{name}{own} {value}")),
        (Sample::Buckets(_), Kind::Counter | Kind::Gauge) => {}
    }
}

fn braced(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let list: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value).replace('"', "\\\""))).collect();
    format!("{{{}}}", list.join(","))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;

    #[test]
    fn series_are_written_under_their_metric() {
        let mut page = Page::default();
        page.count(&catalogue::CALLS, &["inbound", "completed", "say \"bye\"\\\n"], 3);
        page.number(&catalogue::CALLS_ACTIVE, &[], 1.5);
        let mut buckets = Buckets::default();
        for value in [0.0, 0.02, 0.021, 9.0] {
            buckets.add(&[0.02, 0.05], value);
        }
        assert_eq!(buckets.counts, [2, 1, 1]);
        let text = page.text();
        let wanted = "# TYPE callie_calls_active gauge\ncallie_calls_active 1.5\n";
        assert!(text.contains(wanted), "{text}");
        let wanted = r#"callie_calls_total{direction="inbound",result="completed",reason="say \"bye\"\\\n"} 3"#;
        assert!(text.contains(wanted), "{text}");
        assert_eq!(text.matches("# HELP ").count(), CATALOGUE.len());
        assert!(text.contains("\ncallie_record_lost_entries_total 0\n"), "the first loss is a rise: {text}");
    }
}
