//! The names of all settings, in the order they are shown. Those of the first version stand in [`first_version::KEYS`].

use super::first_version;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// In the environment; in the file it is in lowercase, without `CALLIE_`.
    pub name: &'static str,
    /// As somebody would write it; empty where the default is to have none.
    pub default: &'static str,
    /// Never shown.
    pub secret: bool,
    pub about: &'static str,
}

pub(super) const fn key(name: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { name, default, secret: false, about }
}

pub(super) const fn secret(name: &'static str, about: &'static str) -> Key {
    Key { name, default: "", secret: true, about }
}

pub const KEYS: [Key; 75] = [
    key("CALLIE_DATA_DIR", "./data", "folder of database, recordings and key file"),
    key(
        "CALLIE_HTTP_LISTEN",
        "127.0.0.1:8080",
        "address of the HTTP API; on another than a loopback address nobody gets in without a key",
    ),
    key(
        "CALLIE_HTTP_TLS_CERTIFICATE",
        "",
        "certificate of the HTTP API with those that lead to its authority, a PEM file; read again when it changes",
    ),
    key("CALLIE_HTTP_TLS_KEY", "", "the certificate's key, a PEM file"),
    key("CALLIE_PUBLIC_URL", "", "address that browsers reach the API under, such as https://calls.example.org"),
    key("CALLIE_TRUSTED_PROXIES", "", "addresses or nets of proxies whose X-Forwarded-For is believed"),
    key(
        "CALLIE_AUTHENTICATION",
        "auto",
        "who needs a key: required: everybody; auto: everybody, save programs on this machine while there is no key and the address is a loopback one",
    ),
    key("CALLIE_RATE_LIMIT", "50", "requests a second of one key or person"),
    secret("CALLIE_API_KEY", "key that callie's own commands show to a running server: callie doctor"),
    key(
        "CALLIE_OIDC_ISSUER",
        "",
        "identity provider whose tokens are taken, such as https://accounts.google.com or https://securetoken.google.com/PROJECT",
    ),
    key("CALLIE_OIDC_CLIENT_ID", "", "this server's name there; with it people sign in to the dashboard there"),
    secret("CALLIE_OIDC_CLIENT_SECRET", "its secret there, where it has one"),
    key("CALLIE_OIDC_AUDIENCE", "", "whom tokens must be for; CALLIE_OIDC_CLIENT_ID when not set"),
    key("CALLIE_OIDC_KEYS_URL", "", "where the provider publishes its keys; where it says itself when not set"),
    key("CALLIE_OIDC_CLAIMS", "callie_role,callie_user", "claims that hold the role (admin, operator, user) and the user's id"),
    key("CALLIE_OIDC_ADMINS", "", "verified e-mail addresses or subjects that are admins, separated by commas"),
    key("CALLIE_SIP_LISTEN", "0.0.0.0:5060", "address of SIP, UDP and TCP"),
    key("CALLIE_SIP_TLS_LISTEN", "", "address of SIP over TLS for peers that connect to us; without it only we connect"),
    key("CALLIE_SIP_TLS_CERTIFICATE", "", "its certificate with those that lead to its authority, a PEM file"),
    key("CALLIE_SIP_TLS_KEY", "", "the certificate's key, a PEM file"),
    key("CALLIE_EXTERNAL_ADDRESS", "", "IP address others reach this server under, behind a fixed NAT mapping"),
    key("CALLIE_SIP_STRANGERS", "ignore", "what those hear who call or probe without being a line's provider: ignore or refuse"),
    key("CALLIE_SIP_HOSTS", "", "names resolved here instead of in the DNS: name=address:port, …"),
    key("CALLIE_DNS_SERVERS", "", "name servers, address or address:port, …; those of the system when not set"),
    key("CALLIE_REGISTRAR_AVOID", "300", "seconds that a registrar which failed is avoided, where there are others"),
    key("CALLIE_LINE_ALERT_AFTER", "300", "seconds without a registration after which a line is an alert"),
    key("CALLIE_RTP_PORTS", "10000-20000", "UDP ports for audio of users without a range of their own"),
    key("CALLIE_RTP_TIMEOUT", "30", "seconds without audio after which a call is over"),
    key("CALLIE_MEDIA_THREADS", "", "threads for audio; half the cores when not set"),
    key("CALLIE_MEDIA_REALTIME", "auto", "real-time priority of these threads: auto or off"),
    key("CALLIE_RECORDINGS", "on", "record calls: on, off, or where to: a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX"),
    key("CALLIE_RECORDINGS_ENDPOINT", "", "address of a service like S3 that the bucket is in, instead of Amazon's or Google's"),
    key("AWS_ACCESS_KEY_ID", "", "who reads and writes the bucket of s3://; as AWS's own programs find it when not set"),
    secret("AWS_SECRET_ACCESS_KEY", "its key"),
    secret("AWS_SESSION_TOKEN", "its token, where it has one for a time"),
    key("AWS_REGION", "", "region of the bucket; us-east-1 when not set"),
    key("CALLIE_MAX_CALLS_PER_USER", "10", "concurrent calls of one user"),
    key("CALLIE_SILENCE_PROMPT", "10", "seconds without a word after which the agent asks whether the caller is there"),
    key("CALLIE_PRICES_FILE", "", "price table of models and carrier, a JSON file, instead of the one that is built in"),
    key("CALLIE_ALLOW_PRIVATE_TARGETS", "", "hosts, addresses or nets that are not public and that users' webhooks may reach"),
    key(
        "CALLIE_ENGINE",
        "auto",
        "who talks unless the user says: local, gemini, openai, or auto: the first of the last two that has a key",
    ),
    secret("GEMINI_API_KEY", "key of the Gemini API"),
    key("GEMINI_VERTEX_PROJECT", "", "Google Cloud project that Gemini is used through (Vertex), instead of a key"),
    key("GEMINI_VERTEX_LOCATION", "us-central1", "its region, or global"),
    key("GEMINI_MODEL", "gemini-3.8-live", "Gemini's model of users who name none; another on Vertex"),
    key("GEMINI_BASE_URL", "wss://generativelanguage.googleapis.com", "scheme and host of the Gemini API, ws or wss"),
    secret("OPENAI_API_KEY", "key of OpenAI, or of a service that speaks its Realtime protocol"),
    key("OPENAI_MODEL", "", "its model of users who name none; the dialect's when not set"),
    key("OPENAI_BASE_URL", "", "its address up to /v1; the dialect's when not set"),
    key("OPENAI_DIALECT", "openai", "how it differs from OpenAI: openai, azure, xai, qwen, localai, generic"),
    key("OPENAI_TURN_DETECTION", "server_vad", "how it tells that the caller has finished: server_vad or semantic_vad"),
    key("CALLIE_MODELS_DIR", "", "folder of the offline engine's weights; ./models, or models in the data folder, when not set"),
    key(
        "CALLIE_LOCAL_VOICE",
        "flite",
        "voice of the offline engine: flite, kokoro, or auto: kokoro where it is there and fast enough",
    ),
    key("CALLIE_CHAT_URL", "", "OpenAI-compatible API up to /v1 that gives the offline engine its words"),
    key("CALLIE_CHAT_MODEL", "", "its model"),
    secret("CALLIE_CHAT_KEY", "its key, where it wants one"),
    key("CALLIE_KEYRING_FILE", "", "key file that seals passwords; keyring.json in the data folder when not set"),
    secret("CALLIE_MASTER_KEY", "key that seals passwords, 32 bytes in base64, instead of a key file"),
    key("CALLIE_KMS_ENDPOINT", "", "key service that unwraps wrapped keys; Google Cloud KMS when not set"),
    key("CALLIE_STORE", "auto", "where users live: sqlite, firestore, or auto: firestore when its credentials are given"),
    key("FIREBASE_SERVICE_ACCOUNT_PATH", "", "service account key of the Firebase project, a JSON file"),
    key("GOOGLE_APPLICATION_CREDENTIALS", "", "the same by Google's own name for it (Application Default Credentials)"),
    key("FIREBASE_PROJECT_ID", "", "Firebase project; the one of the credentials when not set"),
    key("CALLIE_FIRESTORE_DATABASE", "(default)", "database of the project"),
    key("FIRESTORE_EMULATOR_HOST", "", "address of a Firestore emulator, instead of Google's service"),
    key("CALLIE_LOG", "info", "level, or directives such as info,callie_sip=debug"),
    key("CALLIE_LOG_FORMAT", "text", "text or json"),
    key("OTEL_EXPORTER_OTLP_ENDPOINT", "", "collector that traces of calls are sent to (OTLP over HTTP), up to /v1/traces"),
    key("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "", "the same, with its whole path"),
    key("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "how it is spoken to: http/protobuf"),
    secret("OTEL_EXPORTER_OTLP_HEADERS", "headers of these requests: name=value,name=value, percent-encoded"),
    key("OTEL_SERVICE_NAME", "callie", "who we are to the collector"),
    key("OTEL_RESOURCE_ATTRIBUTES", "", "more of that: name=value,name=value, such as deployment.environment.name=production"),
    key("OTEL_TRACES_SAMPLER", "always_on", "which calls are traced: always_on, always_off, traceidratio"),
    key("OTEL_TRACES_SAMPLER_ARG", "1", "share of the last, 0 to 1"),
];

/// Names of the first version that are known, and do nothing.
pub const LATER: [&str; 2] = ["FLASK_DEBUG", "TEST_CALL_NUMBER"];

const PREFIX: &str = "CALLIE_";

impl Key {
    pub fn of(name: &str) -> Option<&'static Self> {
        KEYS.iter().chain(&first_version::KEYS).find(|key| key.name == name)
    }

    /// As it is written in the file.
    pub fn file_name(&self) -> String {
        self.name.trim_start_matches(PREFIX).to_ascii_lowercase()
    }
}

/// The environment's name of a name in the file.
pub fn from_file_name(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if is_ours(&upper) || LATER.contains(&upper.as_str()) { upper } else { format!("{PREFIX}{upper}") }
}

/// Whether a variable of the environment is meant for us.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || Key::of(name).is_some()
}

/// The known setting that an unknown name most resembles, if it does at all.
pub fn nearest(name: &str) -> Option<&'static Key> {
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_owned();
    let likeness = |key: &Key| strsim::jaro_winkler(&bare(name), &bare(key.name));
    KEYS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|key| likeness(key) > 0.8)
}
