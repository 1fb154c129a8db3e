//! `/presets`: the settings of providers that many have.

use axum::Json;
use callie_domain::user::preset::Preset;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub struct Presets {
    pub presets: Vec<PresetDocument>,
}

/// What is known of one provider or telephone system.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresetDocument {
    /// As it is written into `preset` of a new user.
    #[schema(example = "telnyx")]
    pub name: &'static str,
    #[schema(example = "Telnyx")]
    pub title: &'static str,
    /// Fields that the preset fills in, where the client does not say otherwise.
    #[schema(value_type = Object, example = json!({"sip_server": "sip.telnyx.com"}))]
    pub fields: &'static Map<String, Value>,
    /// Fields that remain to be given, and what belongs there.
    #[schema(value_type = Object)]
    pub give: &'static BTreeMap<String, String>,
    pub notes: &'static [String],
    pub sources: &'static [String],
}

/// Lists the presets. `POST /users` takes a name of theirs in `preset`.
#[utoipa::path(get, path = "/presets", operation_id = "list_presets", tag = "users", responses((status = 200, body = Presets)))]
pub async fn list() -> Json<Presets> {
    let document = |preset: &'static Preset| PresetDocument {
        name: &preset.name,
        title: &preset.title,
        fields: &preset.fields,
        give: &preset.give,
        notes: &preset.notes,
        sources: &preset.sources,
    };
    Json(Presets { presets: Preset::all().iter().map(document).collect() })
}
