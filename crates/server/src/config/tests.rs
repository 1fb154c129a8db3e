//! Cases: what is said in the three sources, and what comes of it.

use super::engines::Vertex;
use super::*;
use std::path::Path;

fn sources(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Sources {
    Sources {
        file: (!file.is_empty()).then(|| (PathBuf::from("callie.toml"), Ok(file.to_owned()))),
        dotenv: Some(Ok(dotenv.to_owned())),
        environment: environment.iter().map(|(n, v)| (n.into(), v.into())).collect(),
        models_here: false,
    }
}

pub fn loaded(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Loaded {
    resolve(sources(file, dotenv, environment)).unwrap_or_else(|faults| panic!("{faults}"))
}

pub fn faults(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Vec<String> {
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
    assert!(config.media.realtime && config.media.recordings.is_on() && config.media.threads >= 1);
    assert_eq!((config.limits.calls_per_user, config.limits.silence_prompt), (10, Duration::from_secs(10)));
    assert_eq!(config.engines.default, DefaultEngine::Local);
    assert_eq!(config.engines.models_dir.as_deref(), Some(Path::new("./data/models")));
    assert_eq!((config.engines.voice, config.engines.voice_dir.as_deref()), (LocalVoice::Flite, Some(Path::new("./data/voice"))));
    assert!(config.engines.gemini.is_none() && config.engines.chat.is_none());
    assert_eq!(config.store, StoreChoice::Sqlite);
    assert_eq!(config.log.filter, "info,rsipstack=warn,gcloud_sdk=off,firestore=off,rmcp=off,callie=info");
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
    assert!(!loaded.config.media.recordings.is_on());
    assert_eq!(
        loaded.config.log.filter, "info,rsipstack=warn,gcloud_sdk=off,firestore=off,rmcp=off,callie=info",
        "empty is not said"
    );
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
        "http_listen = '0.0.0.0'\nrtp_ports = '20000-10000'\nnonsense_indeed = 1",
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
}

#[test]
fn faulty_values_say_what_would_be_right() {
    for (name, value) in [
        ("CALLIE_HTTP_LISTEN", "8080"),
        ("CALLIE_PUBLIC_URL", "calls.example.org"),
        ("CALLIE_PUBLIC_URL", "https://calls.example.org/callie"),
        ("CALLIE_TRUSTED_PROXIES", "my.proxy"),
        ("CALLIE_AUTHENTICATION", "none"),
        ("CALLIE_RATE_LIMIT", "0"),
        ("CALLIE_OIDC_ISSUER", "http://accounts.example.org"),
        ("CALLIE_OIDC_ISSUER", "accounts.example.org"),
        ("CALLIE_OIDC_CLAIMS", "role"),
        ("CALLIE_EXTERNAL_ADDRESS", "my.host"),
        ("CALLIE_EXTERNAL_ADDRESS", "0.0.0.0"),
        ("CALLIE_RTP_PORTS", "80-90"),
        ("CALLIE_RTP_PORTS", "10000"),
        ("CALLIE_RTP_PORTS", "10000-99999"),
        ("CALLIE_DNS_SERVERS", "ns.example.com"),
        ("CALLIE_DNS_SERVERS", "192.0.2.53, 192.0.2.54:"),
        ("CALLIE_LINE_ALERT_AFTER", "0"),
        ("CALLIE_SIP_STRANGERS", "drop"),
        ("CALLIE_SIP_HOSTS", "sip.zoho.com"),
        ("CALLIE_SIP_HOSTS", "a b=127.0.0.1:1"),
        ("CALLIE_SIP_HOSTS", "a=127.0.0.1"),
        ("CALLIE_MEDIA_THREADS", "0"),
        ("CALLIE_RECORDINGS", "maybe"),
        ("CALLIE_RTP_TIMEOUT", "-1"),
        ("CALLIE_LOG", "callie=loud"),
        ("CALLIE_SILENCE_PROMPT", "0"),
        ("CALLIE_KMS_ENDPOINT", "cloudkms.googleapis.com"),
        ("CALLIE_KMS_ENDPOINT", "http://kms.example"),
        ("CALLIE_KMS_ENDPOINT", "http://127.example:80"),
        ("CALLIE_KMS_ENDPOINT", "https://"),
        ("CALLIE_ENGINE", "claude"),
        ("GEMINI_API_KEY", "two words"),
        ("GEMINI_MODEL", "two words"),
        ("GEMINI_VERTEX_PROJECT", "p/q"),
        ("GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
        ("GEMINI_BASE_URL", "wss://host/ws"),
        ("GEMINI_BASE_URL", "wss://host?key=x"),
        ("GEMINI_BASE_URL", "wss://user@host"),
        ("GEMINI_BASE_URL", "wss://"),
        ("GEMINI_BASE_URL", "generativelanguage.googleapis.com"),
        ("OPENAI_API_KEY", "two words"),
        ("OPENAI_BASE_URL", "api.openai.com/v1"),
        ("OPENAI_BASE_URL", "wss://api.openai.com/v1/realtime"),
        ("OPENAI_BASE_URL", "wss://api.openai.com/v1?key=x"),
        ("OPENAI_DIALECT", "klingon"),
    ] {
        let found = faults("", "", &[(name, value)]);
        assert!(found.len() == 1 && found[0].starts_with(name) && found[0].contains("must be"), "{name}={value}: {found:?}");
    }
}

#[test]
fn a_listener_of_tls_has_an_address_a_certificate_and_a_key() {
    let (listen, certificate) = (("CALLIE_SIP_TLS_LISTEN", "127.0.0.1:5061"), ("CALLIE_SIP_TLS_CERTIFICATE", "/c.pem"));
    let found = faults("", "", &[listen, certificate]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("CALLIE_SIP_TLS_KEY: is missing"), "{}", found[0]);
    assert!(loaded("", "", &[]).config.sip.tls.is_none());
    let tls = loaded("", "", &[listen, certificate, ("CALLIE_SIP_TLS_KEY", "/k.pem")]).config.sip.tls.expect("complete");
    assert_eq!((tls.listen.port(), tls.key.display().to_string()), (5061, "/k.pem".to_owned()));
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
    let loaded = loaded("flask_debug = 1", "", &[("TEST_CALL_NUMBER", "canary")]);
    assert_eq!(loaded.warnings.len(), 2);
    assert!(loaded.warnings.iter().all(|w| w.contains("later version") && !w.contains("canary")));
}

#[test]
fn who_has_a_key_talks_unless_told_otherwise() {
    let key = ("GEMINI_API_KEY", "k");
    let other = ("OPENAI_API_KEY", "k");
    for (environment, want) in [
        (vec![], DefaultEngine::Local),
        (vec![key], DefaultEngine::Gemini),
        (vec![key, ("CALLIE_ENGINE", "auto")], DefaultEngine::Gemini),
        (vec![key, ("CALLIE_ENGINE", "local")], DefaultEngine::Local),
        (vec![key, ("CALLIE_ENGINE", "gemini")], DefaultEngine::Gemini),
        (vec![("GEMINI_MODEL", "x")], DefaultEngine::Local),
        (vec![other], DefaultEngine::OpenAi),
        (vec![key, other], DefaultEngine::Gemini),
        (vec![key, other, ("CALLIE_ENGINE", "openai")], DefaultEngine::OpenAi),
        (vec![("OPENAI_DIALECT", "localai")], DefaultEngine::OpenAi),
        (vec![("OPENAI_DIALECT", "xai")], DefaultEngine::Local),
        (vec![("OPENAI_MODEL", "x")], DefaultEngine::Local),
    ] {
        assert_eq!(loaded("", "", &environment).config.engines.default, want, "{environment:?}");
    }
    let found = faults("engine = 'gemini'", "", &[]);
    assert!(
        found.len() == 1 && found[0].starts_with("engine in callie.toml: ") && found[0].contains("GEMINI_API_KEY"),
        "{found:?}"
    );
    let found = faults("engine = 'openai'", "", &[]);
    assert!(found.len() == 1 && found[0].contains("OPENAI_API_KEY"), "{found:?}");
}

#[test]
fn a_dialect_is_asked_for_what_everybody_has_another_of() {
    let key = ("OPENAI_API_KEY", "k");
    for (environment, missing) in [
        (vec![key, ("OPENAI_DIALECT", "azure")], 2),
        (vec![key, ("OPENAI_DIALECT", "azure"), ("OPENAI_MODEL", "my-deployment")], 1),
        (vec![("OPENAI_DIALECT", "generic"), ("OPENAI_BASE_URL", "ws://127.0.0.1/v1")], 1),
        (vec![key, ("OPENAI_DIALECT", "xai"), ("OPENAI_TURN_DETECTION", "semantic_vad")], 1),
    ] {
        assert_eq!(faults("", "", &environment).len(), missing, "{environment:?}");
    }
    let azure =
        [key, ("OPENAI_DIALECT", "azure"), ("OPENAI_MODEL", "d"), ("OPENAI_BASE_URL", "https://r.openai.azure.com/openai/v1/")];
    let openai = loaded("", "", &azure).config.engines.openai.expect("there");
    assert_eq!((openai.base_url.as_deref(), openai.dialect.as_str()), (Some("https://r.openai.azure.com/openai/v1"), "azure"));
}

#[test]
fn gemini_may_be_reached_through_a_project() {
    let project = ("GEMINI_VERTEX_PROJECT", "p-1");
    let gemini = |environment: &[(&str, &str)]| loaded("", "", environment).config.engines;
    let engines = gemini(&[project, ("GEMINI_API_KEY", "k"), ("FIREBASE_SERVICE_ACCOUNT_PATH", "/f.json")]);
    assert_eq!(engines.default, DefaultEngine::Gemini);
    let found = engines.gemini.expect("there");
    assert_eq!(found.model, "gemini-live-2.5-flash-native-audio");
    assert_eq!(found.base_url, "wss://us-central1-aiplatform.googleapis.com");
    let vertex = |gemini: Gemini| match gemini.access {
        GeminiAccess::Vertex(vertex) => vertex,
        GeminiAccess::Key(_) => panic!("the project goes first"),
    };
    let expected = Vertex { project: "p-1".into(), location: "us-central1".into(), credentials: Some("/f.json".into()) };
    assert_eq!(vertex(found), expected);

    let all = [
        project,
        ("GEMINI_VERTEX_LOCATION", "global"),
        ("GEMINI_MODEL", "gemini-3.8-live"),
        ("GEMINI_BASE_URL", "ws://127.0.0.1:1"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/g.json"),
        ("FIREBASE_SERVICE_ACCOUNT_PATH", "/f.json"),
    ];
    let found = gemini(&all).gemini.expect("there");
    assert_eq!((found.model.as_str(), found.base_url.as_str()), ("gemini-3.8-live", "ws://127.0.0.1:1"));
    assert_eq!(vertex(found).credentials.as_deref(), Some(Path::new("/g.json")));
    assert!(gemini(&[("GEMINI_VERTEX_LOCATION", "global")]).gemini.is_none());
}

#[test]
fn engines_have_their_settings() {
    let file = "gemini_api_key = 'k'\ngemini_base_url = 'ws://127.0.0.1:9000/'\nchat_url = 'http://[::1]:11434/v1/'";
    let loaded =
        loaded(file, "CALLIE_CHAT_MODEL=qwen3:4b", &[("CALLIE_MODELS_DIR", "/srv/models"), ("CALLIE_LOCAL_VOICE", "auto")]);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let engines = loaded.config.engines;
    let gemini = engines.gemini.expect("there");
    assert_eq!((gemini.model.as_str(), gemini.base_url.as_str()), ("gemini-3.8-live", "ws://127.0.0.1:9000"));
    assert!(matches!(gemini.access, GeminiAccess::Key(key) if key == Secret::new("k")));
    let chat = engines.chat.expect("there");
    assert_eq!((chat.url.as_str(), chat.model.as_str(), chat.key), ("http://[::1]:11434/v1", "qwen3:4b", None));
    assert_eq!(engines.models_dir.as_deref(), Some(Path::new("/srv/models")));
    assert_eq!(engines.voice, LocalVoice::Auto);
    let here = resolve(Sources { models_here: true, ..Sources::default() }).expect("valid");
    assert_eq!(here.config.engines.models_dir.as_deref(), Some(Path::new("./models")));
}

#[test]
fn a_chat_endpoint_is_given_whole_or_not_at_all() {
    let (url, model, key) = (("CALLIE_CHAT_URL", "http://h/v1"), ("CALLIE_CHAT_MODEL", "m"), ("CALLIE_CHAT_KEY", "k"));
    for (environment, want) in [
        (vec![url, model], ""),
        (vec![url, model, key], ""),
        (vec![("CALLIE_CHAT_URL", "https://models.example/v1"), model, key], ""),
        (vec![url], "CALLIE_CHAT_URL"),
        (vec![model], "CALLIE_CHAT_MODEL"),
        (vec![key], "CALLIE_CHAT_KEY"),
        (vec![("CALLIE_CHAT_URL", "ws://h/v1"), model], "CALLIE_CHAT_URL"),
        (vec![("CALLIE_CHAT_URL", "http://h/v1/chat/completions"), model], "CALLIE_CHAT_URL"),
        (vec![("CALLIE_CHAT_URL", "http://h/v1?key=k"), model], "CALLIE_CHAT_URL"),
        (vec![("CALLIE_CHAT_URL", "h:11434/v1"), model], "CALLIE_CHAT_URL"),
    ] {
        let found = resolve(sources("", "", &environment)).err().map(|faults| faults.0).unwrap_or_default();
        let places: Vec<_> = found.iter().map(|fault| fault.place.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(places.join(" "), want, "{environment:?}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let secret = "canary-4711";
    let secrets =
        [("CALLIE_MASTER_KEY", secret), ("GEMINI_API_KEY", secret), ("OPENAI_API_KEY", secret), ("CALLIE_CHAT_KEY", secret)];
    let chat = "chat_url = 'http://h/v1'\nchat_model = 'm'";
    let loaded = loaded(chat, "", &secrets);
    let shown = show::table(&loaded);
    for (name, _) in secrets {
        assert!(shown.contains(&format!("{name}=********")), "{shown}");
    }
    let address = faults("", "", &[("GEMINI_BASE_URL", "wss://h/?key=canary-4711"), ("GEMINI_API_KEY", "canary-4711 x")]);
    assert!(address.len() == 2 && !address.concat().contains(secret), "{address:?}");
    for text in [shown, format!("{loaded:?}")] {
        assert!(!text.contains(secret));
    }
    let both = faults("", "CALLIE_KEYRING_FILE=k", &[("CALLIE_MASTER_KEY", secret)]);
    assert!(both.len() == 1 && !both[0].contains(secret), "{both:?}");
    let broken = faults("", "CALLIE_MASTER_KEY='canary-4711\n", &[]);
    assert!(broken.len() == 1 && broken[0].contains("line 1") && !broken[0].contains(secret), "{broken:?}");
}

#[test]
fn what_is_shown_can_be_used_as_dotenv() {
    let line = "ZOHO_SIP_SERVER=sip.example.com\nZOHO_SIP_USERNAME=me\nZOHO_SIP_PASSWORD=p\n";
    for greeting in ["It's me", "a # b", "\"quoted\" \\ n", "# first"] {
        let said = loaded("", line, &[("DEFAULT_GREETING", greeting)]);
        let shown = show::table(&said);
        assert!(shown.lines().all(|line| line.contains(" # ")), "a line for each: {shown}");
        let again = loaded("", &shown, &[]);
        let user = again.config.first_version.primary.clone().expect("a line");
        assert_eq!(user.calls.default_greeting, greeting, "{shown}");
        assert_eq!(again.config.http.listen, said.config.http.listen);
    }
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
    assert!(shown.contains("CALLIE_ENGINE=local ") && shown.contains("GEMINI_MODEL=gemini-3.8-live "), "{shown}");
}

#[test]
fn addresses_that_others_reach_are_warned_of() {
    for (address, is_here) in [
        ("127.0.0.1:8080", true),
        ("[::1]:0", true),
        ("127.0.0.2:1", true),
        ("localhost:80", true),
        ("0.0.0.0:8080", false),
        ("[::]:8080", false),
        ("192.168.0.1:80", false),
        ("[::ffff:127.0.0.1]:80", false),
    ] {
        let loaded = resolve(sources("", "", &[("CALLIE_HTTP_LISTEN", address)])).expect("usable");
        assert_eq!(loaded.warnings.is_empty(), is_here, "{address}");
    }
}

#[test]
fn a_plain_level_is_meant_for_our_crates() {
    for (text, want) in [
        ("info", "info,rsipstack=warn,gcloud_sdk=off,firestore=off,rmcp=off,callie=info"),
        ("DEBUG", "info,rsipstack=warn,gcloud_sdk=off,firestore=off,rmcp=off,callie=debug"),
        ("warn", "warn,gcloud_sdk=off,firestore=off,rmcp=off"),
        ("info,callie_sip=trace", "info,callie_sip=trace"),
    ] {
        assert_eq!(loaded("", "", &[("CALLIE_LOG", text)]).config.log.filter, want, "{text}");
    }
}

#[test]
fn firestore_holds_the_users_when_there_are_credentials_for_it() {
    use FirestoreCredentials::{ApplicationDefault, Emulator, ServiceAccount};
    let (key, adc) = (("FIREBASE_SERVICE_ACCOUNT_PATH", "/k.json"), ("GOOGLE_APPLICATION_CREDENTIALS", "/a.json"));
    let emulator = ("FIRESTORE_EMULATOR_HOST", "http://localhost:8087/");
    let service_account = || Some(ServiceAccount { file: "/k.json".into() });
    let default = |file: Option<&str>| Some(ApplicationDefault { file: file.map(PathBuf::from) });
    for (environment, want) in [
        (vec![], None),
        (vec![key], service_account()),
        (vec![adc], default(Some("/a.json"))),
        (vec![key, adc], service_account()),
        (vec![key, adc, emulator], Some(Emulator { address: "localhost:8087".to_owned() })),
        (vec![key, ("CALLIE_STORE", "sqlite")], None),
        (vec![key, ("CALLIE_STORE", "auto")], service_account()),
        (vec![("CALLIE_STORE", "firestore")], default(None)),
    ] {
        let store = loaded("", "", &environment).config.store;
        let credentials = match store {
            StoreChoice::Sqlite => None,
            StoreChoice::Firestore(firestore) => Some(firestore.credentials),
        };
        assert_eq!(credentials, want, "{environment:?}");
    }
}

#[test]
fn firestore_has_its_settings() {
    let file = "firebase_service_account_path = '/k.json'\nfirebase_project_id = 'calls-4711'\nfirestore_database = 'eu'";
    let StoreChoice::Firestore(firestore) = loaded(file, "", &[]).config.store else { panic!("must be Firestore") };
    assert_eq!((firestore.project.as_deref(), firestore.database.as_str()), (Some("calls-4711"), "eu"));
    for (name, value) in [
        ("CALLIE_STORE", "mongodb"),
        ("FIREBASE_PROJECT_ID", "a/b"),
        ("CALLIE_FIRESTORE_DATABASE", "(other)"),
        ("FIRESTORE_EMULATOR_HOST", "localhost"),
        ("FIRESTORE_EMULATOR_HOST", "https://h/path:1"),
    ] {
        let found = faults("", "", &[(name, value)]);
        assert!(found.len() == 1 && found[0].starts_with(name) && found[0].contains("must be"), "{name}={value}: {found:?}");
    }
}

/// A file of the repository.
fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines `#NAME=value` of the example.
fn examples(text: &str) -> Vec<(&str, &str)> {
    let settings = text.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    settings.filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())).collect()
}

#[test]
fn the_example_of_settings_can_be_used_as_it_stands() {
    let text = repository(".env.example");
    let examples = examples(&text);
    assert!(examples.len() > 15, "{examples:?}");
    assert!(loaded("", &text, &[]).given.is_empty(), "nothing is set before somebody changes it");
    for (name, value) in &examples {
        let key = keys::Key::of(name).unwrap_or_else(|| panic!("{name} is not a setting"));
        let example = value.is_empty() || value.starts_with("/path/to/") || key.default.is_empty();
        assert!(example || *value == key.default, "{name}: what is commented out is the default, {:?}", key.default);
    }
    // The first version's line wants three values together, and has two blanks to fill in.
    let whole: String = examples
        .iter()
        .map(|(name, value)| {
            let filled = if name.starts_with("ZOHO_SIP_") && value.is_empty() { "filled-in" } else { value };
            format!("{name}={filled}\n")
        })
        .collect();
    let all = loaded("", &whole, &[]);
    assert!(all.warnings.is_empty(), "{:?}", all.warnings);
    // So does a listener of TLS.
    let alone = |name: &str| !["ZOHO_SIP_", "CALLIE_SIP_TLS_"].iter().any(|together| name.starts_with(together));
    for (name, value) in examples.iter().filter(|(name, _)| alone(name)) {
        if keys::KEYS.iter().any(|key| key.name == *name) {
            loaded("", &format!("{name}={value}\n"), &[]);
        }
    }
}

#[test]
fn every_setting_is_in_a_table_of_the_operators_manual() {
    let manual = repository("docs/OPERATING.md");
    let rows: Vec<&str> = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next()).collect();
    let missing: Vec<&str> = keys::KEYS
        .iter()
        .map(|key| key.name)
        .filter(|name| !rows.iter().any(|row| row.split('`').any(|word| word == *name)))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "not in docs/OPERATING.md");
}

#[test]
fn who_is_let_in() {
    let http = |environment: &[(&str, &str)]| loaded("", "", environment).config.http;
    let plain = http(&[]);
    assert!(!plain.closed && !plain.is_secure() && plain.oidc.is_none());
    let behind_a_proxy =
        [("CALLIE_PUBLIC_URL", "https://calls.example.org/"), ("CALLIE_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")];
    let behind_a_proxy = http(&behind_a_proxy);
    assert!(behind_a_proxy.is_secure() && behind_a_proxy.trusted_proxies.len() == 2);
    let issuer = ("CALLIE_OIDC_ISSUER", "https://accounts.example.org");
    let oidc = http(&[issuer, ("CALLIE_OIDC_AUDIENCE", "callie"), ("CALLIE_OIDC_ADMINS", "a@b.example, c@d.example")]).oidc;
    let oidc = oidc.expect("configured");
    assert_eq!((oidc.audience.as_str(), oidc.client_id, oidc.admins.len()), ("callie", None, 2));
    assert_eq!((oidc.role_claim.as_str(), oidc.user_claim.as_str()), ("callie_role", "callie_user"));
    let client = ("CALLIE_OIDC_CLIENT_ID", "callie");
    let oidc = http(&[issuer, client, ("CALLIE_PUBLIC_URL", "https://calls.example.org")]).oidc.expect("configured");
    assert_eq!(oidc.audience, "callie", "it is the client's where nothing else is said");

    for (environment, want) in [
        (vec![issuer], "CALLIE_OIDC_AUDIENCE"),
        (vec![issuer, client], "CALLIE_PUBLIC_URL"),
        (vec![client], "CALLIE_OIDC_ISSUER"),
        (vec![("CALLIE_HTTP_TLS_KEY", "key.pem")], "CALLIE_HTTP_TLS_CERTIFICATE"),
        (vec![("CALLIE_HTTP_TLS_CERTIFICATE", "cert.pem")], "CALLIE_HTTP_TLS_KEY"),
    ] {
        let found = faults("", "", &environment);
        assert!(found.iter().all(|fault| fault.starts_with(want)) && found.len() == 1, "{found:?}");
    }
    let warnings = loaded("", "", &[("CALLIE_HTTP_LISTEN", "0.0.0.0:8080")]).warnings;
    assert!(warnings.concat().contains("without TLS"), "{warnings:?}");
    let tls = [("CALLIE_HTTP_TLS_CERTIFICATE", "cert.pem"), ("CALLIE_HTTP_TLS_KEY", "key.pem")];
    assert!(loaded("", "", &[&[("CALLIE_HTTP_LISTEN", "0.0.0.0:8080")], &tls[..]].concat()).warnings.is_empty());
}
