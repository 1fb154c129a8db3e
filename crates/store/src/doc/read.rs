//! Document → user. The fields themselves are parsed by the domain's [`UserInput`], so that a document and a client's
//! request obey one set of rules; here is what only documents have: defaults, sealed passwords, times, unknown fields.

use super::{Home, MAPS, PASSWORD, SecretField, TLS_CLIENT_KEY, tools, webhooks};
use crate::DocFault;
use crate::seal::{AtRest, Keyring, classify};
use aws_lc_rs::digest::{SHA256, digest};
use callie_domain::user::input::UserInput;
use callie_domain::{Faults, MacAddress, Secret, User, UserId};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value, json};

/// Fields that the `sqlite3` shell writes as 0 and 1, because its `json_set` knows no booleans.
const SWITCHES: [&str; 7] =
    ["is_active", "connect", "use_fixed_rtp_port", "protect_greeting", "barge_in", "sips", "accept_refer"];

/// Times of the map `sip`.
const TIMES: [&str; 2] = ["created_at", "updated_at"];

/// Reads the document named `id`. [`DocFault::Fields`] names every faulty field by its path in the document.
pub fn read(id: &UserId, doc: &Value, keyring: &Keyring) -> Result<User, DocFault> {
    let map = doc.as_object().ok_or_else(|| DocFault::Malformed("it must be a JSON object".to_owned()))?;
    let mut faults = Faults::default();
    let mut settings = known_fields(map, &mut faults);
    check_names(id, &settings, &mut faults);
    let [password, client_key] = [PASSWORD, TLS_CLIENT_KEY].map(|field| take_sealed(&mut settings, field));
    let hook_secrets = webhooks::take_sealed(&mut settings);
    let tool_headers = tools::take_sealed(&mut settings, &mut faults);
    require(&settings, password.is_some(), &mut faults);
    let [created_at, updated_at] = TIMES.map(|field| time(map, field, &mut faults));
    let input = UserInput::from_json(&Value::Object(settings)).map_err(|more| faults.0.extend(more.0)).ok();
    let (Some(input), true) = (input, faults.is_empty()) else { return Err(DocFault::Fields(faults)) };

    let password = password.map(|text| open(id, PASSWORD.path, &text, keyring)).transpose()?;
    let mut line = input.line;
    if let Some(sealed) = client_key {
        let opened = open(id, TLS_CLIENT_KEY.path, &sealed, keyring)?;
        line.take_opened_key(&opened).map_err(|problem| DocFault::Fields(Faults::one(TLS_CLIENT_KEY.path, problem)))?;
    }
    let mut hooks = input.webhooks;
    webhooks::put_back(id, hooks.as_deref_mut().unwrap_or_default(), hook_secrets, keyring)?;
    let mut tools = input.tools;
    tools::put_back(id, tools.as_mut(), tool_headers, keyring)?;
    let input = UserInput {
        line,
        tools,
        webhooks: hooks,
        user_id: Some(id.clone()),
        display_name: input.display_name.or_else(|| Some(id.to_string())),
        sip_password: password.or(input.sip_password),
        ..input
    };
    let created_at = created_at.or(updated_at).unwrap_or(Timestamp::UNIX_EPOCH);
    let user = input.create(created_at, derived_mac(id)).map_err(|faults| DocFault::Fields(in_document(faults)))?;
    Ok(User { updated_at: updated_at.unwrap_or(created_at), ..user })
}

/// The document with nothing in it but what [`read`] looks at. What somebody put elsewhere, a password among it, is left out.
pub fn essence(doc: &Value) -> Value {
    let Some(map) = doc.as_object() else { return Value::Null };
    let mut kept = known_fields(map, &mut Faults::default());
    if let (Some(Value::Object(sip)), Some(stored)) = (kept.get_mut("sip"), doc.get("sip")) {
        let times = TIMES.iter().filter_map(|field| Some(((*field).to_owned(), stored.get(*field)?.clone())));
        sip.extend(times);
    }
    Value::Object(kept)
}

/// The maps with those fields that are settings and say something.
fn known_fields(doc: &Map<String, Value>, faults: &mut Faults) -> Map<String, Value> {
    let mut known = Map::new();
    for (name, fields) in MAPS {
        let map = match doc.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(map)) => map,
            Some(_) => {
                faults.add(name, "must be a map");
                continue;
            }
        };
        let kept = fields.iter().filter_map(|field| match map.get(*field)? {
            Value::Null => None,
            value => Some(((*field).to_owned(), switch(field, value).unwrap_or_else(|| value.clone()))),
        });
        known.insert(name.to_owned(), Value::Object(kept.collect()));
    }
    if let Some(settings) = known.get_mut("ai").and_then(|ai| ai.get_mut("tools")) {
        *settings = tools::known(settings);
    }
    if let Some(list) = doc.get("webhooks").filter(|list| !list.is_null()) {
        known.insert("webhooks".to_owned(), webhooks::known(list));
    }
    known
}

fn switch(field: &str, value: &Value) -> Option<Value> {
    match value.as_u64()? {
        on @ (0 | 1) if SWITCHES.contains(&field) => Some(json!(on == 1)),
        _ => None,
    }
}

/// Each map repeats the user's name. A document copied to another name must not pass for the first one's.
fn check_names(id: &UserId, settings: &Map<String, Value>, faults: &mut Faults) {
    for (map, _) in MAPS {
        if let Some(name) = settings.get(map).and_then(|m| m.get("user_id"))
            && name.as_str() != Some(id.as_str())
        {
            faults.add(format!("{map}.user_id"), format!("must be the document's name, {id}"));
        }
    }
}

/// Takes a sealed secret out, so that the parser of clear ones does not see it.
fn take_sealed(settings: &mut Map<String, Value>, secret: SecretField) -> Option<String> {
    let Home::Map(home) = secret.home else { return None };
    let home = settings.get_mut(home)?.as_object_mut()?;
    let sealed = secret.stored(home).filter(|text| classify(text) != AtRest::Plain)?.to_owned();
    home.remove(secret.field);
    Some(sealed)
}

fn require(settings: &Map<String, Value>, has_sealed: bool, faults: &mut Faults) {
    let has = |field: &str| settings.get("sip").and_then(|sip| sip.get(field)).is_some();
    for (field, present) in [("sip_username", has("sip_username")), ("sip_password", has_sealed || has("sip_password"))] {
        if !present {
            faults.add(format!("sip.{field}"), "is required");
        }
    }
}

pub(super) fn open(id: &UserId, path: &str, sealed: &str, keyring: &Keyring) -> Result<Secret, DocFault> {
    keyring.open(id, path, sealed).map_err(|fault| DocFault::SecretUndecryptable(fault.to_string()))
}

/// RFC 3339; a time without an offset, as the first version wrote it, is UTC.
fn time(doc: &Map<String, Value>, field: &str, faults: &mut Faults) -> Option<Timestamp> {
    let value = doc.get("sip")?.get(field).filter(|value| !value.is_null())?;
    let parsed = value.as_str().and_then(|text| {
        let plain = || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp());
        text.parse::<Timestamp>().ok().or_else(plain)
    });
    if parsed.is_none() {
        faults.add(format!("sip.{field}"), "must be a time such as 2026-01-15T10:30:00Z");
    }
    parsed
}

/// The MAC address of a user whose document names none: always the same for the same user.
pub fn derived_mac(id: &UserId) -> MacAddress {
    let hash = digest(&SHA256, id.as_str().as_bytes());
    MacAddress::generate(hash.as_ref().first_chunk::<3>().copied().unwrap_or_default())
}

/// The domain names a field of the whole user without its map.
fn in_document(mut faults: Faults) -> Faults {
    for fault in &mut faults.0 {
        if let Some((map, _)) = MAPS.iter().find(|(_, fields)| fields.contains(&fault.field.as_str())) {
            fault.field = format!("{map}.{}", fault.field);
        }
    }
    faults
}
