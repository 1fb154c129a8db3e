//! Where traces of calls go, by the names that OpenTelemetry has for it in every language.

use super::parse::Reader;
use callie_domain::Secret;
use std::net::IpAddr;
use url::Url;

/// What is exported, and to whom.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The whole address of traces.
    pub endpoint: Url,
    /// With each request; values are secrets.
    pub headers: Vec<(String, Secret)>,
    /// What we say of ourselves: `service.name` first.
    pub resource: Vec<(String, String)>,
    pub sampler: Sampler,
}

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampler {
    AlwaysOn,
    AlwaysOff,
    /// A share of them, 0 to 1.
    Ratio(f64),
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// `None` where nothing names a collector.
pub(super) fn read(reader: &mut Reader) -> Option<TraceSettings> {
    let base = reader.read(ENDPOINT, endpoint).map(|mut url| {
        url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
        url
    });
    let own = reader.read(TRACES_ENDPOINT, endpoint);
    let headers = reader.read(HEADERS, pairs).unwrap_or_default();
    let service = reader.read("OTEL_SERVICE_NAME", |text| Ok(text.to_owned())).unwrap_or_default();
    let resource = reader.read("OTEL_RESOURCE_ATTRIBUTES", pairs).unwrap_or_default();
    let wanted = reader.read("OTEL_TRACES_SAMPLER", sampler).unwrap_or(Sampler::AlwaysOn);
    let share = reader.read("OTEL_TRACES_SAMPLER_ARG", share).unwrap_or(1.0);
    reader.read("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
    let endpoint = own.or(base)?;
    if endpoint.scheme() == "http" && !is_here(&endpoint) && !headers.is_empty() {
        reader.warn(HEADERS, "goes to the collector in clear: its address begins with http://");
    }
    let named = [("service.name".to_owned(), service), ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let more = resource.into_iter().filter(|(key, _)| !named.iter().any(|(name, _)| name == key));
    Some(TraceSettings {
        endpoint,
        headers: headers.into_iter().map(|(name, value)| (name, Secret::new(&value))).collect(),
        resource: named.clone().into_iter().chain(more).collect(),
        sampler: if matches!(wanted, Sampler::Ratio(_)) { Sampler::Ratio(share) } else { wanted },
    })
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    let plain = url.filter(|url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    plain.ok_or_else(|| "must be a collector's address for OTLP over HTTP such as http://localhost:4318".to_owned())
}

/// As in W3C Baggage: `name=value,name=value`, values percent-encoded. What is wrong is not repeated: it may be a key.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let problem = || "must be name=value, separated by commas".to_owned();
    let pair = |item: &str| {
        let (name, value) = item.split_once('=').ok_or_else(problem)?;
        let name = name.trim();
        let value = decoded(value.trim()).filter(|value| value.chars().all(|c| !c.is_control())).ok_or_else(problem)?;
        let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&b));
        if fits { Ok((name.to_owned(), value)) } else { Err(problem()) }
    };
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            decoded.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Calls begin here: what a parent would say is what the sampler says.
fn sampler(text: &str) -> Result<Sampler, String> {
    match text {
        "always_on" | "parentbased_always_on" => Ok(Sampler::AlwaysOn),
        "always_off" | "parentbased_always_off" => Ok(Sampler::AlwaysOff),
        "traceidratio" | "parentbased_traceidratio" => Ok(Sampler::Ratio(1.0)),
        _ => Err(format!("must be always_on, always_off or traceidratio, each also with parentbased_ before it, is {text:?}")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("must be a share from 0 to 1, is {text:?}"))
}

fn protocol(text: &str) -> Result<(), String> {
    match text {
        "http/protobuf" => Ok(()),
        _ => Err(format!("must be http/protobuf, which collectors take at port 4318, is {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::sources::Sources;
    use crate::config::{Loaded, Sampler, resolve, show};

    fn loaded(environment: &[(&str, &str)]) -> Result<Loaded, String> {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        resolve(Sources { environment, ..Sources::default() }).map_err(|faults| faults.to_string())
    }

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

    #[test]
    fn a_collector_is_named_as_everywhere() {
        assert!(loaded(&[]).expect("valid").config.traces.is_none());
        for (environment, wanted) in [
            (vec![HERE], "http://localhost:4318/v1/traces"),
            (vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "https://otlp.example/base/")], "https://otlp.example/base/v1/traces"),
            (vec![HERE, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t.example/own")], "https://t.example/own"),
        ] {
            let traces = loaded(&environment).expect("valid").config.traces.expect("named");
            assert_eq!(traces.endpoint.as_str(), wanted);
            assert_eq!((traces.sampler, traces.resource[0].1.as_str()), (Sampler::AlwaysOn, "callie"));
        }
    }

    #[test]
    fn headers_are_decoded_and_shown_to_nobody() {
        let environment = [HERE, ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cr3t-t0ken, x-team=phones")];
        let loaded = loaded(&environment).expect("valid");
        let headers = loaded.config.traces.as_ref().expect("named").headers.clone();
        let shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(shown, [("authorization", "Bearer s3cr3t-t0ken"), ("x-team", "phones")]);
        let told = format!("{}{:?}", show::table(&loaded), loaded.config);
        assert!(!told.contains("s3cr3t"), "{told}");
        let far = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otlp.example"), environment[1]];
        assert!(self::loaded(&far).expect("valid").warnings.concat().contains("in clear"));
    }

    #[test]
    fn samplers_and_attributes_are_read_and_what_cannot_be_is_told() {
        let sampler = |name, share| {
            let environment = [HERE, ("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", share)];
            loaded(&environment).expect("valid").config.traces.expect("named").sampler
        };
        assert_eq!(sampler("parentbased_traceidratio", "0.25"), Sampler::Ratio(0.25));
        assert_eq!((sampler("always_off", "0.25"), sampler("always_on", "0.25")), (Sampler::AlwaysOff, Sampler::AlwaysOn));
        let attributes = [
            HERE,
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=x"),
            ("OTEL_SERVICE_NAME", "phones"),
        ];
        let resource = loaded(&attributes).expect("valid").config.traces.expect("named").resource;
        assert_eq!(resource[0], ("service.name".to_owned(), "phones".to_owned()));
        assert_eq!(resource[2..], [("deployment.environment.name".to_owned(), "test".to_owned())]);
        for (name, bad) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://me:pw@otlp.example"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=%zz-s3cr3t"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ] {
            let fault = loaded(&[(name, bad)]).expect_err("refused");
            assert!(fault.contains(name) && !fault.contains("s3cr3t") && !fault.contains("pw@"), "{fault}");
        }
    }
}
