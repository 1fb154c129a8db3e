//! What a client says of the line beyond the account: transport security, upkeep, media. `null` gives back the default.

use super::super::SipSettings;
use super::super::field::{Field, private_key};
use super::set;
use crate::audio::{AudioCodec, DtmfMode, LineMedia, SrtpPolicy};
use crate::{AcceptFrom, Faults, HostPort, Secret, TlsSettings, Transport};
use std::net::IpAddr;

/// `None` where the client said nothing, `Some(None)` where it asked for the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineInput {
    pub sips: Option<bool>,
    pub backup_server: Option<Option<HostPort>>,
    pub tls_ca: Option<Option<String>>,
    pub tls_client_certificate: Option<Option<String>>,
    pub tls_client_key: Option<Option<Secret>>,
    pub tls_server_name: Option<Option<String>>,
    pub accept_from: Option<Option<AcceptFrom>>,
    pub registration_expires: Option<Option<u32>>,
    pub keepalive: Option<Option<u32>>,
    pub session_expires: Option<Option<u32>>,
    pub external_address: Option<Option<IpAddr>>,
    pub stun_server: Option<Option<HostPort>>,
    pub srtp: Option<Option<SrtpPolicy>>,
    pub codecs: Option<Option<Vec<AudioCodec>>>,
    pub dtmf: Option<Option<DtmfMode>>,
}

impl LineInput {
    /// `false` when the field is none of these.
    pub(super) fn read_field(&mut self, key: &str, field: &Field<'_>, faults: &mut Faults) -> bool {
        match key {
            "sips" => self.sips = field.boolean(faults),
            "backup_server" => self.backup_server = field.optional(|f| f.parsed(faults, "text")),
            "tls_ca" => self.tls_ca = field.optional(|f| f.certificates(faults)),
            "tls_client_certificate" => self.tls_client_certificate = field.optional(|f| f.certificates(faults)),
            "tls_client_key" => self.tls_client_key = read_key(field, faults),
            "tls_server_name" => self.tls_server_name = field.optional(|f| server_name(f, faults)),
            "accept_from" => self.accept_from = field.optional(|f| f.word(faults, "provider or anyone")),
            "registration_expires" => self.registration_expires = field.optional(|f| f.number(faults, 60, 86_400)),
            "keepalive" => self.keepalive = field.optional(|f| f.number_or_off(faults, 5, 600)),
            "session_expires" => self.session_expires = field.optional(|f| f.number_or_off(faults, 90, 86_400)),
            "external_address" => self.external_address = field.optional(|f| f.address(faults)),
            "stun_server" => self.stun_server = field.optional(|f| f.parsed(faults, "text")),
            "srtp" => self.srtp = field.optional(|f| f.word(faults, "off, optional or required")),
            "codecs" => self.codecs = field.optional(|f| f.codecs(faults)),
            "dtmf" => self.dtmf = field.optional(|f| f.word(faults, "auto, rfc4733, info or inband")),
            _ => return false,
        }
        true
    }

    /// Takes a client key that was sealed; what was typed and sealed may be no key.
    ///
    /// # Errors
    /// What is wrong with it, without any of it.
    pub fn take_opened_key(&mut self, key: &Secret) -> Result<(), String> {
        self.tls_client_key = Some(Some(private_key(key.expose())?));
        Ok(())
    }

    /// What contradicts in a user that is nothing but this.
    pub(super) fn unfit_for_creation(&self, transport: Transport, faults: &mut Faults) {
        let tls = TlsSettings {
            client_certificate: self.tls_client_certificate.clone().flatten(),
            client_key: self.tls_client_key.clone().flatten(),
            ..TlsSettings::default()
        };
        contradictions(transport, self.sips.unwrap_or_default(), &tls, faults);
    }

    pub(super) fn apply(self, sip: &mut SipSettings) {
        set(&mut sip.sips, self.sips);
        set(&mut sip.backup_server, self.backup_server);
        set(&mut sip.tls.ca_certificates, self.tls_ca);
        set(&mut sip.tls.client_certificate, self.tls_client_certificate);
        set(&mut sip.tls.client_key, self.tls_client_key);
        set(&mut sip.tls.server_name, self.tls_server_name);
        set(&mut sip.accept_from, self.accept_from.map(Option::unwrap_or_default));
        set(&mut sip.upkeep.registration_expires_s, self.registration_expires);
        set(&mut sip.upkeep.keepalive_s, self.keepalive);
        set(&mut sip.upkeep.session_expires_s, self.session_expires);
        set(&mut sip.upkeep.external_address, self.external_address);
        set(&mut sip.upkeep.stun_server, self.stun_server);
        let usual = LineMedia::default();
        set(&mut sip.media.srtp, self.srtp.map(|srtp| srtp.unwrap_or(usual.srtp)));
        set(&mut sip.media.codecs, self.codecs.map(|codecs| codecs.unwrap_or(usual.codecs)));
        set(&mut sip.media.dtmf, self.dtmf.map(|dtmf| dtmf.unwrap_or(usual.dtmf)));
    }
}

/// As with the password: an empty text keeps the stored one. `null` removes it.
fn read_key(field: &Field<'_>, faults: &mut Faults) -> Option<Option<Secret>> {
    let is_empty = field.value.as_str().is_some_and(|text| text.trim().is_empty());
    if is_empty { None } else { field.optional(|f| f.private_key(faults)) }
}

/// A host without a port.
fn server_name(field: &Field<'_>, faults: &mut Faults) -> Option<String> {
    let host: HostPort = field.parsed(faults, "text")?;
    if host.port.is_some() {
        faults.add(field.path, "must be a name without a port");
        return None;
    }
    Some(host.host)
}

/// Settings that cannot all be meant.
pub(super) fn contradictions(transport: Transport, sips: bool, tls: &TlsSettings, faults: &mut Faults) {
    if sips && transport != Transport::Tls {
        faults.add("sips", format!("needs transport tls, is with {}", transport.as_str()));
    }
    if tls.client_certificate.is_some() && tls.client_key.is_none() {
        faults.add("tls_client_key", "is required with tls_client_certificate");
    }
}

#[cfg(test)]
mod tests {
    use super::super::UserInput;
    use crate::{AcceptFrom, Faults, MacAddress, User};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIB\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqG\n-----END PRIVATE KEY-----\n";

    fn body(sip: Value) -> Value {
        let mut body = json!({"user_id": "a", "display_name": "A", "sip_username": "a", "sip_password": "p"});
        body["sip"] = sip;
        body
    }

    fn create(sip: Value) -> Result<User, Faults> {
        UserInput::from_new_json(&body(sip))?.create(Timestamp::UNIX_EPOCH, MacAddress::generate([1, 2, 3]))
    }

    fn fields(result: Result<impl std::fmt::Debug, Faults>) -> String {
        let faults = result.expect_err("faulty").0;
        faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn all() -> Value {
        json!({"transport": "tls", "sips": true, "backup_server": "b.example:5071", "tls_ca": CERTIFICATE,
            "tls_client_certificate": CERTIFICATE, "tls_client_key": KEY, "tls_server_name": "SIP.example",
            "accept_from": "anyone", "registration_expires": 600, "keepalive": 0, "session_expires": 90,
            "external_address": "203.0.113.7", "stun_server": "stun.example", "srtp": "required",
            "codecs": ["opus", "PCMA"], "dtmf": "info"})
    }

    #[test]
    fn every_setting_of_the_line_is_read() {
        let user = create(all()).expect("valid");
        insta::assert_debug_snapshot!((
            user.sip.sips,
            user.sip.backup_server,
            user.sip.tls,
            user.sip.accept_from,
            user.sip.upkeep,
            user.sip.media
        ));
    }

    #[test]
    fn null_gives_back_the_default() {
        let user = create(all()).expect("valid");
        let mut nothing = all();
        nothing.as_object_mut().expect("a map").values_mut().for_each(|value| *value = Value::Null);
        nothing["sips"] = json!(false);
        nothing["transport"] = json!("udp");
        let input = UserInput::from_json(&json!({ "sip": nothing })).expect("valid");
        let cleared = input.apply(&user, Timestamp::UNIX_EPOCH).expect("valid");
        assert_eq!(cleared, create(json!({})).expect("valid"));
    }

    #[test]
    fn an_empty_key_keeps_the_stored_one() {
        let user = create(all()).expect("valid");
        let input = UserInput::from_json(&json!({"tls_client_key": "", "accept_from": "provider"})).expect("valid");
        let changed = input.apply(&user, Timestamp::UNIX_EPOCH).expect("valid");
        assert_eq!((&changed.sip.tls, changed.sip.accept_from), (&user.sip.tls, AcceptFrom::Provider));
    }

    #[test]
    fn what_a_field_cannot_be_is_a_fault_of_that_field() {
        for (field, values) in [
            ("sips", json!(["yes", 1])),
            ("backup_server", json!(["a b", 5, "h:0"])),
            ("tls_ca", json!(["x", 1, KEY, "-----BEGIN CERTIFICATE-----\nMIIB"])),
            ("tls_client_certificate", json!([KEY, []])),
            ("tls_client_key", json!([CERTIFICATE, 5, "k".repeat(5_000)])),
            ("tls_server_name", json!(["a:5061", "a b"])),
            ("accept_from", json!(["nobody", true])),
            ("registration_expires", json!([0, 59, 86_401, "600"])),
            ("keepalive", json!([4, 601, -1])),
            ("session_expires", json!([89, 86_401])),
            ("external_address", json!(["example.com", "0.0.0.0", "224.0.0.1", "1.2.3"])),
            ("stun_server", json!(["stun:x", "stun://x"])),
            ("srtp", json!(["on", true])),
            ("codecs", json!(["pcmu", [], ["g729"], ["pcmu", "PCMU"], [1]])),
            ("dtmf", json!(["tones", 1])),
        ] {
            for value in values.as_array().expect("a list") {
                let mut sip = json!({});
                sip[field] = value.clone();
                let wrong = create(sip);
                assert!(!format!("{wrong:?}").contains("kkkk"), "no fault quotes a key");
                assert_eq!(fields(wrong), format!("sip.{field}"), "{value}");
            }
        }
    }

    #[test]
    fn contradictions_name_the_field() {
        for (sip, want) in [
            (json!({"sips": true}), "sip.sips"),
            (json!({"sips": true, "transport": "tcp"}), "sip.sips"),
            (json!({"sips": true, "transport": "x"}), "sip.transport"),
            (json!({"tls_client_certificate": CERTIFICATE}), "tls_client_key"),
            (json!({"tls_client_certificate": CERTIFICATE, "tls_client_key": ""}), "sip.tls_client_key"),
            (json!({"tls_client_certificate": CERTIFICATE, "tls_client_key": "x"}), "sip.tls_client_key"),
        ] {
            assert_eq!(fields(create(sip.clone())), want, "{sip}");
        }
        let user = create(all()).expect("valid");
        for (change, want) in
            [(json!({"transport": "udp"}), "sips"), (json!({"sip": {"tls_client_key": null}}), "tls_client_key")]
        {
            let input = UserInput::from_json(&change).expect("each is valid");
            assert_eq!(fields(input.apply(&user, Timestamp::UNIX_EPOCH)), want, "{change}");
        }
        assert!(create(json!({"tls_client_key": KEY})).is_ok(), "a key may be there first");
    }

    #[test]
    fn what_works_otherwise_than_expected_is_a_warning() {
        for (sip, want) in [
            (json!({}), ""),
            (all(), ""),
            (json!({"srtp": "optional"}), ""),
            (json!({"srtp": "required"}), "sip.srtp"),
            (
                json!({"transport": "tcp", "srtp": "required", "tls_ca": CERTIFICATE, "tls_server_name": "x"}),
                "sip.srtp sip.tls_ca sip.tls_server_name",
            ),
        ] {
            let warnings = create(sip.clone()).expect("valid").warnings();
            let fields: Vec<_> = warnings.iter().map(|warning| warning.field.as_str()).collect();
            assert_eq!(fields.join(" "), want, "{sip}");
        }
    }

    #[test]
    fn a_sealed_text_that_is_no_key_is_not_taken() {
        let mut line = super::LineInput::default();
        let fault = line.take_opened_key(&crate::Secret::new("CANARY")).expect_err("no key");
        assert!(!fault.contains("CANARY"));
        assert_eq!(line, super::LineInput::default());
    }
}
