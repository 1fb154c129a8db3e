//! Cases: what a first version's environment says, and what comes of it.

use crate::config::tests::{faults, loaded};
use crate::config::{Loaded, show};
use callie_domain::User;

const LINE: [(&str, &str); 3] =
    [("ZOHO_SIP_SERVER", "sip.example.com"), ("ZOHO_SIP_USERNAME", "4711@example.com"), ("ZOHO_SIP_PASSWORD", "pa$word")];

fn with_line(more: &[(&str, &str)]) -> Loaded {
    loaded("", "", &[&LINE[..], more].concat())
}

fn primary(more: &[(&str, &str)]) -> User {
    with_line(more).config.first_version.primary.expect("a user")
}

/// What a level of ours comes to.
fn filter(level: &str) -> String {
    loaded("", "", &[("CALLIE_LOG", level)]).config.log.filter
}

#[test]
fn three_names_make_a_user_with_the_first_versions_defaults() {
    let user = primary(&[]);
    assert_eq!((user.id.as_str(), user.display_name.as_str()), ("primary", "4711"));
    assert_eq!((user.sip.server.to_string().as_str(), user.sip.port), ("sip.example.com", 5060));
    assert_eq!((user.sip.username.as_str(), user.sip.password.expose()), ("4711@example.com", "pa$word"));
    assert!(user.wants_line(), "registered at the start");
    assert_eq!((user.calls.max_call_duration, user.calls.answer_timeout), (1_800, 30));
    assert_eq!((user.calls.rtp_port_min, user.calls.rtp_port_max, user.calls.use_fixed_rtp_port), (10_000, 10_100, true));
    assert_eq!(user.calls.default_greeting, "Hello! This is an AI assistant. How can I help you today?");
    assert_eq!(user, primary(&[]), "the MAC address is the same at every start");
    assert!(user.user_agent().starts_with("Yealink SIP-T46S 66.85.0.5 ~00:15:65:"), "{}", user.user_agent());
    assert_eq!(loaded("", "", &[]).config.first_version.primary, None);
}

#[test]
fn every_name_has_its_field() {
    let user = primary(&[
        ("ZOHO_SIP_BACKUP_SERVER", "sip2.example.com:5080"),
        ("SIP_PORT", "5070"),
        ("ACCOUNT_LABEL", "Front Desk"),
        ("CUSTOM_USER_AGENT", "00-15-65-AB-CD-EF"),
        ("DEVICE_MODEL", "SIP-T42G"),
        ("DEVICE_FIRMWARE", "29.83.0.1"),
        ("MAX_CALL_DURATION", "600"),
        ("ANSWER_TIMEOUT", "20"),
        ("RTP_PORT_MIN", "12000"),
        ("RTP_PORT_MAX", "12010"),
        ("USE_FIXED_RTP_PORT", "False"),
    ]);
    assert_eq!(user.sip.backup_server.as_ref().map(ToString::to_string).as_deref(), Some("sip2.example.com:5080"));
    assert_eq!((user.sip.port, user.sip.account_label.as_str(), user.display_name.as_str()), (5070, "Front Desk", "Front Desk"));
    assert_eq!(user.calls.default_greeting, "Hello! This is Front Desk's AI assistant. How can I help you today?");
    assert_eq!(user.user_agent(), "Yealink SIP-T42G 29.83.0.1 ~00:15:65:ab:cd:ef");
    assert_eq!((user.calls.max_call_duration, user.calls.answer_timeout), (600, 20));
    assert_eq!((user.calls.rtp_port_min, user.calls.rtp_port_max, user.calls.use_fixed_rtp_port), (12_000, 12_010, false));
    let own = primary(&[("CUSTOM_USER_AGENT_OVERRIDE", "My Phone/1"), ("DEFAULT_GREETING", "Hi!"), ("USE_FIXED_RTP_PORT", "1")]);
    assert_eq!((own.user_agent().as_str(), own.calls.default_greeting.as_str()), ("My Phone/1", "Hi!"));
    assert!(own.calls.use_fixed_rtp_port);
}

#[test]
fn a_dotenv_of_the_first_version_is_read_as_it_is() {
    let dotenv = "# Zoho\nexport ZOHO_SIP_SERVER=\"sip.example.com\"\nZOHO_SIP_USERNAME='4711'\nZOHO_SIP_PASSWORD=pa$word#1 # mine\n\
                  ACCOUNT_LABEL=Front Desk\nDEFAULT_GREETING=Hi there, it's \"me\"!\nOTHER_PROGRAM=x\nFLASK_PORT=8090\n";
    let loaded = loaded("", dotenv, &[("FLASK_PORT", "8091")]);
    let user = loaded.config.first_version.primary.as_ref().expect("a user");
    assert_eq!((user.sip.password.expose(), user.display_name.as_str()), ("pa$word#1", "Front Desk"));
    assert_eq!(user.calls.default_greeting, "Hi there, it's \"me\"!");
    assert_eq!(loaded.config.http.listen.to_string(), "127.0.0.1:8091", "the environment wins");
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn a_line_is_given_whole_or_not_at_all() {
    for (given, missing) in [
        (&LINE[..1], vec!["ZOHO_SIP_USERNAME", "ZOHO_SIP_PASSWORD"]),
        (&LINE[1..2], vec!["ZOHO_SIP_SERVER", "ZOHO_SIP_PASSWORD"]),
        (&LINE[..2], vec!["ZOHO_SIP_PASSWORD"]),
        (&LINE[1..], vec!["ZOHO_SIP_SERVER"]),
    ] {
        let found = faults("", "", given);
        assert!(found.len() == 1 && found[0].starts_with(given[0].0), "{found:?}");
        let told: Vec<_> = missing.into_iter().filter(|name| !found[0].contains(name)).collect();
        assert!(told.is_empty(), "{told:?} is not named: {found:?}");
    }
}

#[test]
fn faults_are_named_by_the_environments_names() {
    for (name, value, part) in [
        ("ZOHO_SIP_SERVER", "two words", ""),
        ("ZOHO_SIP_USERNAME", "a b@c", ""),
        ("SIP_PORT", "0", "65535"),
        ("SIP_PORT", "sip", "65535"),
        ("CUSTOM_USER_AGENT", "Yealink SIP-T46S", "CUSTOM_USER_AGENT_OVERRIDE"),
        ("DEVICE_MODEL", "a\u{7}b", "control"),
        ("MAX_CALL_DURATION", "half an hour", "whole number"),
        ("ANSWER_TIMEOUT", "301", "300"),
        ("RTP_PORT_MIN", "80", "1024"),
        ("RTP_PORT_MAX", "9000", "rtp_port_min"),
        ("USE_FIXED_RTP_PORT", "perhaps", "true or false"),
        ("FLASK_PORT", "http", "65535"),
        ("FLASK_HOST", "my.host", "address"),
        ("PUBLIC_IP", "auto", "IP address"),
        ("GEMINI_TEMPERATURE", "3", "0 to 2"),
        ("GEMINI_TEMPERATURE", "NaN", "0 to 2"),
        ("GEMINI_MAX_TOKENS", "0", "8192"),
    ] {
        let mut environment: Vec<_> = LINE.into_iter().filter(|(line, _)| *line != name).collect();
        environment.push((name, value));
        let found = faults("", "", &environment);
        let place = format!("{name} in the environment: ");
        assert!(found.len() == 1 && found[0].starts_with(&place) && found[0].contains(part), "{name}={value}: {found:?}");
    }
}

#[test]
fn names_that_describe_no_line_are_told() {
    // As Kubernetes sets it for a service named sip.
    let loaded = loaded("", "", &[("SIP_PORT", "tcp://10.0.0.1:5060"), ("DEVICE_MODEL", "x")]);
    assert_eq!(loaded.config.first_version.primary, None);
    assert!(loaded.warnings.len() == 2 && loaded.warnings.iter().all(|w| w.contains("ZOHO_SIP_SERVER")), "{:?}", loaded.warnings);
}

#[test]
fn names_that_mean_a_setting_of_ours_stand_in_for_it() {
    let old = [("FLASK_HOST", "localhost"), ("FLASK_PORT", "8090"), ("PUBLIC_IP", "203.0.113.5"), ("LOG_LEVEL", "WARNING")];
    let loaded_old = loaded("", "", &old);
    let config = &loaded_old.config;
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8090");
    assert_eq!(config.sip.external_address.map(|ip| ip.to_string()).as_deref(), Some("203.0.113.5"));
    assert_eq!(config.log.filter, filter("warn"));
    assert!(loaded_old.warnings.is_empty(), "{:?}", loaded_old.warnings);
    let shown = show::table(&loaded_old);
    for line in ["CALLIE_HTTP_LISTEN=127.0.0.1:8090", "CALLIE_EXTERNAL_ADDRESS=203.0.113.5", "CALLIE_LOG=warn"] {
        let line = shown.lines().find(|shown| shown.starts_with(line)).unwrap_or_else(|| panic!("{line} in {shown}"));
        assert!(
            ["FLASK_HOST and FLASK_PORT", "PUBLIC_IP", "LOG_LEVEL"].iter().any(|n| line.contains(&format!("# from {n}: "))),
            "{line}"
        );
    }
    let ours = [("CALLIE_HTTP_LISTEN", "127.0.0.1:1"), ("CALLIE_EXTERNAL_ADDRESS", "203.0.113.9"), ("CALLIE_LOG", "error")];
    let config = loaded("", "", &[&old[..], &ours].concat()).config;
    assert_eq!((config.http.listen.port(), config.log.filter), (1, filter("error")));
    assert_eq!(config.sip.external_address.map(|ip| ip.to_string()).as_deref(), Some("203.0.113.9"));
}

#[test]
fn every_interface_becomes_loopback_with_a_word_about_it() {
    for host in ["0.0.0.0", "192.168.1.5", "::"] {
        let loaded = loaded("", "", &[("FLASK_HOST", host), ("FLASK_PORT", "8080")]);
        assert_eq!(loaded.config.http.listen.to_string(), "127.0.0.1:8080");
        let warning = loaded.warnings.concat();
        for part in ["FLASK_HOST", host, "without authentication", "127.0.0.1:8080", "CALLIE_HTTP_LISTEN"] {
            assert!(warning.contains(part), "{part} in {warning}");
        }
    }
    assert_eq!(loaded("", "", &[("FLASK_HOST", "::1")]).config.http.listen.to_string(), "[::1]:8080");
}

#[test]
fn levels_of_other_programs_have_no_effect() {
    for (level, want, warnings) in [("DEBUG", "debug", 0), ("critical", "error", 0), ("verbose", "info", 1)] {
        let loaded = loaded("", "", &[("LOG_LEVEL", level)]);
        assert_eq!((loaded.config.log.filter, loaded.warnings.len()), (filter(want), warnings), "{level}");
    }
}

#[test]
fn a_text_model_does_not_talk() {
    for (model, want, warnings) in [
        ("gemini-2.0-flash-001", "gemini-3.8-live", 1),
        ("gemini-2.5-flash-native-audio-preview-12-2025", "gemini-2.5-flash-native-audio-preview-12-2025", 0),
        ("models/gemini-3.1-flash-live-preview", "models/gemini-3.1-flash-live-preview", 0),
    ] {
        let loaded = loaded("", "", &[("GEMINI_API_KEY", "k"), ("GEMINI_MODEL", model), ("GEMINI_TEMPERATURE", "0.7")]);
        assert_eq!(loaded.config.engines.gemini.as_ref().map(|gemini| gemini.model.as_str()), Some(want));
        assert_eq!(loaded.config.engines.temperature, Some(0.7));
        assert_eq!(loaded.warnings.len(), warnings, "{:?}", loaded.warnings);
        assert!(loaded.warnings.iter().all(|w| w.contains(model) && w.contains(want)));
    }
}

#[test]
fn the_table_shows_them_to_those_who_use_them() {
    let shown = show::table(&with_line(&[("GEMINI_MAX_TOKENS", "300")]));
    for line in ["ZOHO_SIP_SERVER=sip.example.com ", "ZOHO_SIP_PASSWORD=******** ", "GEMINI_MAX_TOKENS=300 "] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    assert!(!shown.contains("pa$word") && !format!("{:?}", with_line(&[])).contains("pa$word"));
    assert!(!show::table(&loaded("", "", &[])).contains("ZOHO"));
}
