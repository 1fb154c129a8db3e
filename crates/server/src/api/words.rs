//! The closed lists of the domain as schemas: the same words in the API, the records and the dashboard.

use super::openapi::word_list;
use super::users::query::LineQuery;
use callie_domain::audio::{AudioCodec, DtmfMode, SrtpPolicy};
use callie_domain::examination::{Outcome, Subject};
use callie_domain::identity::KeyState;
use callie_domain::prices::{Modality, Unit};
use callie_domain::record::{AfterCallState, AnsweredBy, CallResult, ClaimKind, ClaimStanding, Direction, EndReason, Speaker};
use callie_domain::registration::RegistrationState;
use callie_domain::retry::RetryOn;
use callie_domain::toll::Limit;
use callie_domain::user::tools::HttpMethod;
use callie_domain::user::{BuiltIn, ENGINES, HookEvent, RecordingPolicy, TransferMode, VoicemailPolicy};
use callie_domain::{AcceptFrom, Transport};
use callie_store::{DeliveryState, OrderState};
use utoipa::openapi::{RefOr, Schema};

macro_rules! word_schemas {
    ($($name:ident: $words:expr, $text:literal;)*) => {$(
        pub struct $name;
        impl utoipa::PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                word_list($words, $text)
            }
        }
        impl utoipa::ToSchema for $name {}
    )*};
}

word_schemas! {
    RoleWord: &["admin", "operator", "user"], "Everything; all users and their calls; one user with its calls";
    KeyStateWord: &[KeyState::Valid, KeyState::Expired, KeyState::Revoked], "Whether a key opens";
    DirectionWord: &[Direction::Inbound, Direction::Outbound], "Who called";
    CallResultWord: &results(), "The outcome in one word";
    EndReasonWord: EndReason::ALL, "Why a call ended";
    AnsweredByWord: &[AnsweredBy::Human, AnsweredBy::Machine, AnsweredBy::Unsure, AnsweredBy::Fax], "Who answered a call that we placed; who is unsure is treated as a human";
    RetryOnWord: RetryOn::ALL, "An outcome upon which a call is tried again: machine is one that answered and was left no message";
    OrderStateWord: &[OrderState::Calling, OrderState::Waiting], "Where a pending call stands: an attempt is under way, or the next has a time";
    VoicemailWord: VoicemailPolicy::ALL, "What is done when an answering machine takes a call that we placed: go on talking, hang up, or leave a message after the beep and hang up";
    AfterCallStateWord: AfterCallState::ALL, "What became of a call's summary and fields: still to be written, written, nothing to write or nobody to write it, given up";
    ClaimKindWord: ClaimKind::ALL, "What the agent said it did";
    ClaimStandingWord: ClaimStanding::ALL, "How a claim stands: a tool of the call did it, such a tool was used and failed, or none was used";
    RecordingWord: RecordingPolicy::ALL, "Whether calls are recorded, and whether the agent says so before the greeting";
    SpeakerWord: &[Speaker::Caller, Speaker::Agent], "Who speaks";
    TransferModeWord: TransferMode::ALL, "How a caller is handed over";
    EngineWord: &ENGINES, "A conversation engine";
    TransportWord: &[Transport::Udp, Transport::Tcp, Transport::Tls], "How SIP messages travel";
    AcceptFromWord: &[AcceptFrom::Provider, AcceptFrom::Anyone], "Whose INVITEs are taken: those of the provider's addresses, or anyone's who knows the Contact";
    SrtpWord: SrtpPolicy::ALL, "Whether media is encrypted (SRTP with keys in SDP)";
    CodecWord: AudioCodec::ALL, "An audio codec";
    DtmfWord: DtmfMode::ALL, "How keys are sent: by telephone events where negotiated and else INFO, by one of the two, or as tones";
    SubjectWord: Subject::ALL, "What was examined";
    BuiltInWord: BuiltIn::ALL, "A tool of our own";
    HttpMethodWord: HttpMethod::ALL, "How a web service is asked";
    ModalityWord: Modality::ALL, "A kind of tokens";
    UnitWord: Unit::ALL, "What is counted";
    LimitWord: Limit::ALL, "A limit of calls";
    HookEventWord: HookEvent::ALL, "What a receiver may be told";
    DeliveryStateWord: DeliveryState::ALL, "What became of a delivery";
    OutcomeWord: Outcome::ALL, "How it stands";
    LineWord: &LineWord::ALL.map(|(word, _)| word), "Where a line stands; failing is whatever somebody must see to: tried again, refused, or with a document that cannot be read";
    RegistrationStateWord: &REGISTRATION_STATES, "Where a registration stands";
}

impl LineWord {
    pub const ALL: [(&str, LineQuery); 7] = [
        ("failing", LineQuery::Failing),
        ("registered", LineQuery::At(RegistrationState::Registered)),
        ("registering", LineQuery::At(RegistrationState::Registering)),
        ("retrying", LineQuery::At(RegistrationState::Retrying)),
        ("wrong_password", LineQuery::At(RegistrationState::WrongPassword)),
        ("unregistering", LineQuery::At(RegistrationState::Unregistering)),
        ("off", LineQuery::At(RegistrationState::Off)),
    ];
}

const REGISTRATION_STATES: [RegistrationState; 6] = [
    RegistrationState::Off,
    RegistrationState::Registering,
    RegistrationState::Registered,
    RegistrationState::Retrying,
    RegistrationState::WrongPassword,
    RegistrationState::Unregistering,
];

/// Each result that a reason leads to, in the order of the reasons.
fn results() -> Vec<CallResult> {
    let mut results = Vec::new();
    for result in EndReason::ALL.iter().map(|reason| reason.result()) {
        if !results.contains(&result) {
            results.push(result);
        }
    }
    results
}
