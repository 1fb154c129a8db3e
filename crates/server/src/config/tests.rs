//! Cases: what is said in the three sources, and what comes of it.

use super::*;
use std::path::Path;

fn sources(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Sources {
    Sources {
        file: (!file.is_empty()).then(|| (PathBuf::from("callie.toml"), Ok(file.to_owned()))),
        dotenv: Some(Ok(dotenv.to_owned())),
        environment: environment.iter().map(|(n, v)| (n.into(), v.into())).collect(),
    }
}

fn loaded(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Loaded {
    resolve(sources(file, dotenv, environment)).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let faults = resolve(sources(file, dotenv, environment)).expect_err("faulty");
    faults.0.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_said_means_the_defaults() {
    let config = loaded("", "", &[]).config;
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!(config.keyring_file(), Path::new("./data/keyring.json"));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.sip.listen.to_string(), "0.0.0.0:5060");
    assert_eq!(config.media.rtp_ports, 10_000..=20_000);
    assert_eq!(config.media.rtp_timeout, Duration::from_secs(30));
    assert!(config.media.realtime && config.media.recordings && config.media.threads >= 1);
    assert_eq!(config.limits.calls_per_user, 10);
    assert_eq!(config.log.filter, "info,rsipstack=warn,callie=info");
    assert!(config.sip.external_address.is_none() && config.secrets.master_key.is_none());
}

#[test]
fn the_later_source_wins() {
    let file = "http_listen = '127.0.0.1:1'\nsip_listen = '127.0.0.1:1'\nrtp_timeout = 7\nrecordings = false";
    let dotenv = "CALLIE_HTTP_LISTEN=127.0.0.1:2\nCALLIE_SIP_LISTEN=127.0.0.1:2\n# a comment\nEDITOR=vi\n";
    let loaded = loaded(file, dotenv, &[("CALLIE_HTTP_LISTEN", "127.0.0.1:3"), ("CALLIE_LOG", ""), ("PATH", "x")]);
    assert_eq!(loaded.config.http.listen.port(), 3);
    assert_eq!(loaded.config.sip.listen.port(), 2);
    assert_eq!(loaded.config.media.rtp_timeout.as_secs(), 7);
    assert!(!loaded.config.media.recordings);
    assert_eq!(loaded.config.log.filter, "info,rsipstack=warn,callie=info", "empty is not said");
}

#[test]
fn unknown_names_are_faults_that_name_the_nearest() {
    for (file, dotenv, name, want) in [
        ("http_lisen = 'x'", "", "", "http_lisen in callie.toml: is not a known setting; did you mean http_listen?"),
        ("", "CALLIE_RTP_PORT=1-2", "", "CALLIE_RTP_PORT in .env: is not a known setting; did you mean CALLIE_RTP_PORTS?"),
        (
            "",
            "",
            "CALLIE_HTTP_LSITEN",
            "CALLIE_HTTP_LSITEN in the environment: is not a known setting; did you mean CALLIE_HTTP_LISTEN?",
        ),
        (
            "",
            "",
            "CALLIE_XYZZY_QQQQQQ",
            "CALLIE_XYZZY_QQQQQQ in the environment: is not a known setting; `callie config check` lists all settings",
        ),
        ("[http]\nlisten = 'x'", "", "", "http in callie.toml: must be a text, a number, a list of texts, true or false"),
    ] {
        let environment = if name.is_empty() { vec![] } else { vec![(name, "x")] };
        assert_eq!(faults(file, dotenv, &environment), [want]);
    }
}

#[test]
fn every_fault_is_found_at_once() {
    let found = faults(
        "http_listen = '0.0.0.0:8080'\nrtp_ports = '20000-10000'\nnonsense_indeed = 1",
        "CALLIE_MAX_CALLS_PER_USER=0\n",
        &[("CALLIE_SIP_LISTEN", "5060"), ("CALLIE_LOG_FORMAT", "xml"), ("CALLIE_MEDIA_REALTIME", "on")],
    );
    let places: Vec<_> = found.iter().map(|f| f.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        [
            "nonsense_indeed",
            "http_listen",
            "CALLIE_SIP_LISTEN",
            "rtp_ports",
            "CALLIE_MEDIA_REALTIME",
            "CALLIE_MAX_CALLS_PER_USER",
            "CALLIE_LOG_FORMAT"
        ]
    );
    assert!(found[1].contains("loopback") && found[1].contains("no authentication"), "{}", found[1]);
}

#[test]
fn faulty_values_say_what_would_be_right() {
    for (name, value) in [
        ("CALLIE_HTTP_LISTEN", "8080"),
        ("CALLIE_HTTP_LISTEN", "192.168.1.2:8080"),
        ("CALLIE_EXTERNAL_ADDRESS", "my.host"),
        ("CALLIE_EXTERNAL_ADDRESS", "0.0.0.0"),
        ("CALLIE_RTP_PORTS", "80-90"),
        ("CALLIE_RTP_PORTS", "10000"),
        ("CALLIE_RTP_PORTS", "10000-99999"),
        ("CALLIE_SIP_HOSTS", "sip.zoho.com"),
        ("CALLIE_SIP_HOSTS", "a b=127.0.0.1:1"),
        ("CALLIE_SIP_HOSTS", "a=127.0.0.1"),
        ("CALLIE_MEDIA_THREADS", "0"),
        ("CALLIE_RECORDINGS", "maybe"),
        ("CALLIE_RTP_TIMEOUT", "-1"),
        ("CALLIE_LOG", "callie=loud"),
    ] {
        let found = faults("", "", &[(name, value)]);
        assert!(found.len() == 1 && found[0].starts_with(name) && found[0].contains("must be"), "{name}={value}: {found:?}");
    }
}

#[test]
fn values_become_what_they_mean() {
    let config = loaded(
        "sip_hosts = ['sip.zoho.com=127.0.0.1:5070', 'b=[::1]:1']",
        "",
        &[("CALLIE_EXTERNAL_ADDRESS", "203.0.113.5"), ("CALLIE_HTTP_LISTEN", "localhost:0"), ("CALLIE_MEDIA_REALTIME", "off")],
    )
    .config;
    assert_eq!(config.sip.hosts["sip.zoho.com"].to_string(), "127.0.0.1:5070");
    assert_eq!(config.sip.hosts.len(), 2);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:0");
    assert!(!config.media.realtime);
}

#[test]
fn names_of_other_versions_are_warned_about() {
    let loaded = loaded("gemini_model = 'x'", "OPENAI_API_KEY=canary", &[("ZOHO_SIP_SERVER", "x"), ("GEMINI_API_KEY", "canary")]);
    assert_eq!(loaded.warnings.len(), 4);
    assert!(loaded.warnings.iter().all(|w| w.contains("later version") && !w.contains("canary")));
}

#[test]
fn secrets_are_never_shown() {
    let secret = "canary-4711";
    let loaded = loaded("", "", &[("CALLIE_MASTER_KEY", secret)]);
    let shown = show::table(&loaded);
    assert!(shown.contains("CALLIE_MASTER_KEY=********"), "{shown}");
    for text in [shown, format!("{loaded:?}")] {
        assert!(!text.contains(secret));
    }
    let both = faults("", "CALLIE_KEYRING_FILE=k", &[("CALLIE_MASTER_KEY", secret)]);
    assert!(both.len() == 1 && !both[0].contains(secret), "{both:?}");
    let broken = faults("", "CALLIE_MASTER_KEY='canary-4711\n", &[]);
    assert!(broken.len() == 1 && broken[0].contains("line 1") && !broken[0].contains(secret), "{broken:?}");
}

#[test]
fn a_file_that_is_not_toml_is_a_fault_of_its_own() {
    let found = faults("# first\nmaster_key = \"canary-4711\n", "", &[]);
    assert!(found.len() == 1 && found[0].starts_with("callie.toml: TOML parse error at line 2"), "{found:?}");
    assert!(!found[0].contains("canary"), "the faulty line is not quoted: {found:?}");
    let unreadable = Sources { file: Some(("gone.toml".into(), Err("no such file".into()))), ..Sources::default() };
    assert_eq!(resolve(unreadable).expect_err("faulty").0[0].to_string(), "gone.toml: no such file");
}

#[test]
fn the_table_names_every_setting_and_its_place() {
    let shown = show::table(&loaded("rtp_timeout = 5", "", &[]));
    assert_eq!(shown.lines().count(), keys::KEYS.len());
    assert!(shown.contains("CALLIE_RTP_TIMEOUT=5") && shown.contains("# from callie.toml: "), "{shown}");
}

#[test]
fn only_loopback_is_listened_on() {
    for (address, allowed) in [
        ("127.0.0.1:8080", true),
        ("[::1]:0", true),
        ("127.0.0.2:1", true),
        ("localhost:80", true),
        ("0.0.0.0:8080", false),
        ("[::]:8080", false),
        ("192.168.0.1:80", false),
        ("[::ffff:127.0.0.1]:80", false),
    ] {
        assert_eq!(resolve(sources("", "", &[("CALLIE_HTTP_LISTEN", address)])).is_ok(), allowed, "{address}");
    }
}

#[test]
fn a_plain_level_is_meant_for_our_crates() {
    for (text, want) in [
        ("info", "info,rsipstack=warn,callie=info"),
        ("DEBUG", "info,rsipstack=warn,callie=debug"),
        ("warn", "warn"),
        ("info,callie_sip=trace", "info,callie_sip=trace"),
    ] {
        assert_eq!(loaded("", "", &[("CALLIE_LOG", text)]).config.log.filter, want, "{text}");
    }
}
