//! The setup message: what each family of models refuses, and what the session takes from it.

use super::wire::Refusal;
use super::{FakeGeminiOptions, FakeVertex};
use serde_json::Value;
use std::time::Duration;

/// Models that understand the same fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Live38,
    Live38Thinking,
    Live31,
    Native25,
    Translate,
    Other,
}

impl Family {
    pub fn of(model: &str) -> Self {
        let has = |part| model.contains(part);
        match () {
            () if has("extended-thinking") => Self::Live38Thinking,
            () if has("live-translate") => Self::Translate,
            () if has("3.8") => Self::Live38,
            () if has("3.1") => Self::Live31,
            () if has("2.5") => Self::Native25,
            () => Self::Other,
        }
    }

    fn is_38(self) -> bool {
        matches!(self, Self::Live38 | Self::Live38Thinking)
    }
}

/// What a session goes by.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub model: String,
    pub family: Family,
    pub vertex: bool,
    pub detects_activity: bool,
    /// After so much received silence the caller's turn is over.
    pub silence: Duration,
    pub interrupts: bool,
    pub transcribes_input: bool,
    pub transcribes_output: bool,
    /// Handles are wanted; the one to resume by, if any.
    pub resumption: Option<Option<String>>,
    /// The first `clientContent` is history; nothing else may come before it.
    pub seeded: bool,
    tools: Vec<Tool>,
}

#[derive(Clone, Debug)]
struct Tool {
    name: String,
    blocking: bool,
}

const DEFAULT_SILENCE: Duration = Duration::from_millis(500);

impl Terms {
    /// `setup` has passed `wire`; `version` is the API's, such as `v1beta`.
    pub fn read(setup: &Value, options: &FakeGeminiOptions, version: &str) -> Result<Self, Refusal> {
        let vertex = options.vertex.as_ref();
        let model = model(setup, options, version)?;
        let family = Family::of(&model);
        check_generation(setup, family, version)?;
        check_session(setup, family, version, vertex.is_some())?;
        let tools = tools(setup, family, vertex.is_some())?;
        let detection = setup.pointer("/realtimeInputConfig/automaticActivityDetection");
        let silence_ms = detection.and_then(|detection| detection.get("silenceDurationMs")).and_then(Value::as_u64);
        let handling = setup.pointer("/realtimeInputConfig/activityHandling").and_then(Value::as_str);
        let handle = |resumption: &Value| resumption.get("handle").and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            model,
            family,
            vertex: vertex.is_some(),
            detects_activity: !flag(detection, "/disabled"),
            silence: silence_ms.map_or(DEFAULT_SILENCE, Duration::from_millis),
            interrupts: handling != Some("NO_INTERRUPTION"),
            transcribes_input: setup.get("inputAudioTranscription").is_some(),
            transcribes_output: setup.get("outputAudioTranscription").is_some(),
            resumption: setup.get("sessionResumption").map(handle),
            seeded: flag(Some(setup), "/historyConfig/initialHistoryInClientContent"),
            tools,
        })
    }

    /// Does the model wait for this tool's answer? 3.8 waits only where it is told to.
    pub fn is_blocking(&self, tool: &str) -> bool {
        self.tools.iter().find(|known| known.name == tool).map_or(!self.family.is_38(), |known| known.blocking)
    }
}

fn flag(value: Option<&Value>, pointer: &str) -> bool {
    value.and_then(|value| value.pointer(pointer)).and_then(Value::as_bool).unwrap_or_default()
}

fn model(setup: &Value, options: &FakeGeminiOptions, version: &str) -> Result<String, Refusal> {
    let name = setup.get("model").and_then(Value::as_str).unwrap_or_default();
    let prefix = match &options.vertex {
        None => "models/".to_owned(),
        Some(FakeVertex { project, location, .. }) => {
            format!("projects/{project}/locations/{location}/publishers/google/models/")
        }
    };
    let Some(bare) = name.strip_prefix(&prefix).filter(|bare| !bare.is_empty()) else {
        return Err(Refusal::invalid("* BidiGenerateContentRequest.setup.model: unexpected model name format"));
    };
    if options.models.iter().any(|known| known == bare) {
        return Ok(bare.to_owned());
    }
    let reason = format!("{name} is not found for API version {version}, or is not supported for bidiGenerateContent.");
    Err(Refusal { code: 1008, reason })
}

fn check_generation(setup: &Value, family: Family, version: &str) -> Result<(), Refusal> {
    let at = |pointer: &str| setup.pointer(&format!("/generationConfig/{pointer}"));
    let modalities = at("responseModalities").and_then(Value::as_array);
    if modalities.is_none_or(|list| list.len() != 1 || list.first().and_then(Value::as_str) != Some("AUDIO")) {
        return Err(Refusal::invalid("setup.generationConfig.responseModalities: only [\"AUDIO\"] is supported by this model"));
    }
    let thinking = |refused: &str| format!("setup.generationConfig.thinkingConfig{refused} is not supported by this model");
    match family {
        Family::Live38 if at("thinkingConfig").is_some() => return Err(Refusal::invalid(thinking(""))),
        Family::Live38Thinking | Family::Live31 if at("thinkingConfig/thinkingBudget").is_some() => {
            return Err(Refusal::invalid(thinking(".thinkingBudget")));
        }
        Family::Live38Thinking if at("thinkingConfig/thinkingLevel").is_some_and(is_minimal) => {
            return Err(Refusal::invalid(thinking(".thinkingLevel MINIMAL")));
        }
        Family::Native25 if at("thinkingConfig/thinkingLevel").is_some() => {
            return Err(Refusal::invalid(thinking(".thinkingLevel")));
        }
        _ => {}
    }
    if at("enableAffectiveDialog").is_some() && !knows_affect(family, version) {
        return Err(unknown("enableAffectiveDialog", "setup.generationConfig"));
    }
    if at("translationConfig").is_some() != (family == Family::Translate) {
        return Err(Refusal::invalid("setup.generationConfig.translationConfig does not fit this model"));
    }
    Ok(())
}

fn is_minimal(level: &Value) -> bool {
    level.as_str().is_some_and(|level| level.eq_ignore_ascii_case("minimal"))
}

/// Affective dialog and proactivity: 2.5 only, on the alpha version only.
fn knows_affect(family: Family, version: &str) -> bool {
    matches!(family, Family::Native25 | Family::Other) && version == "v1alpha"
}

fn check_session(setup: &Value, family: Family, version: &str, vertex: bool) -> Result<(), Refusal> {
    if setup.get("proactivity").is_some() && !knows_affect(family, version) {
        return Err(unknown("proactivity", "setup"));
    }
    if vertex && setup.get("labels").is_some_and(|labels| !labels.is_null()) {
        return Err(unknown("labels", "setup"));
    }
    let seeded = flag(Some(setup), "/historyConfig/initialHistoryInClientContent");
    if seeded && !(family.is_38() || matches!(family, Family::Live31 | Family::Other)) {
        return Err(Refusal::invalid("setup.historyConfig is not supported by this model"));
    }
    if !vertex && setup.pointer("/sessionResumption/transparent").is_some() {
        return Err(Refusal::invalid("setup.sessionResumption.transparent is not supported in the Gemini API"));
    }
    Ok(())
}

fn unknown(name: &str, path: &str) -> Refusal {
    Refusal::invalid(format!("Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."))
}

fn tools(setup: &Value, family: Family, vertex: bool) -> Result<Vec<Tool>, Refusal> {
    let tools = setup.get("tools").and_then(Value::as_array).into_iter().flatten();
    let declared = tools.filter_map(|tool| tool.get("functionDeclarations").and_then(Value::as_array)).flatten();
    declared.map(|function| tool(function, family, vertex)).collect()
}

fn tool(function: &Value, family: Family, vertex: bool) -> Result<Tool, Refusal> {
    let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
    if !is_function_name(name) {
        return Err(Refusal::invalid(format!("setup.tools.functionDeclarations.name: \"{name}\" is not a valid function name")));
    }
    if function.get("parameters").is_some() && function.get("parametersJsonSchema").is_some() {
        return Err(Refusal::invalid(format!("function {name}: parameters and parametersJsonSchema exclude each other")));
    }
    let behavior = function.get("behavior").and_then(Value::as_str);
    if family == Family::Live38Thinking && behavior == Some("BLOCKING") {
        return Err(Refusal::invalid(format!("function {name}: behavior BLOCKING is not supported by this model")));
    }
    if vertex && family == Family::Native25 && behavior.is_some() {
        return Err(unknown("behavior", "setup.tools.functionDeclarations"));
    }
    let blocking = behavior.map_or(!family.is_38(), |behavior| behavior == "BLOCKING");
    Ok(Tool { name: name.to_owned(), blocking })
}

/// `[A-Za-z_][\w.:-]{0,127}`
fn is_function_name(name: &str) -> bool {
    let may_follow = |letter: char| letter.is_ascii_alphanumeric() || "_.:-".contains(letter);
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.len() <= 128
        && name.chars().all(may_follow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LIVE_38: &str = "gemini-3.8-live";
    const LIVE_31: &str = "gemini-3.1-flash-live-preview";
    const NATIVE_25: &str = "gemini-2.5-flash-native-audio-preview-12-2025";
    const THINKING_38: &str = "gemini-3.8-live-extended-thinking";

    /// `part` is put at `pointer` of a valid setup; the refusal must name `wanted`.
    fn check(model: &str, pointer: &str, part: Value, wanted: Option<&str>) {
        let mut setup = json!({"model": format!("models/{model}"), "generationConfig": {"responseModalities": ["AUDIO"]}});
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        setup.pointer_mut(parent).expect("a parent")[name] = part;
        let models = [LIVE_38, LIVE_31, NATIVE_25, THINKING_38].map(str::to_owned).to_vec();
        let read = Terms::read(&setup, &FakeGeminiOptions { models, ..FakeGeminiOptions::default() }, "v1beta");
        match wanted {
            None => assert!(read.is_ok(), "{read:?} for {setup}"),
            Some(wanted) => {
                let refusal = read.expect_err("refused");
                assert!(refusal.reason.contains(wanted), "{refusal:?} for {setup}");
            }
        }
    }

    #[test]
    fn each_family_refuses_what_it_does_not_know() {
        let (thinking, generation) = ("/generationConfig/thinkingConfig", "/generationConfig/responseModalities");
        check(LIVE_38, thinking, json!({"thinkingLevel": "LOW"}), Some("thinkingConfig"));
        check(LIVE_31, thinking, json!({"thinkingLevel": "MINIMAL"}), None);
        check(LIVE_31, thinking, json!({"thinkingBudget": 0}), Some("thinkingBudget"));
        check(THINKING_38, thinking, json!({"thinkingLevel": "low"}), None);
        check(THINKING_38, thinking, json!({"thinkingLevel": "MINIMAL"}), Some("MINIMAL"));
        check(NATIVE_25, thinking, json!({"thinkingBudget": 0}), None);
        check(NATIVE_25, thinking, json!({"thinkingLevel": "LOW"}), Some("thinkingLevel"));
        check(LIVE_38, "/generationConfig/enableAffectiveDialog", json!(false), Some("enableAffectiveDialog"));
        check(LIVE_38, "/proactivity", json!({"proactiveAudio": false}), Some("proactivity"));
        check(LIVE_38, "/sessionResumption", json!({"transparent": true}), Some("transparent"));
        let history = json!({"initialHistoryInClientContent": true});
        check(LIVE_38, "/historyConfig", history.clone(), None);
        check(NATIVE_25, "/historyConfig", history, Some("historyConfig"));
        check(LIVE_38, generation, json!(["TEXT"]), Some("responseModalities"));
        check(LIVE_38, generation, json!(null), Some("responseModalities"));
    }

    #[test]
    fn vertex_has_names_and_refusals_of_its_own() {
        const NATIVE: &str = "gemini-live-2.5-flash-native-audio";
        let vertex = FakeVertex { project: "p".into(), location: "l".into(), token: "t".into() };
        let options = FakeGeminiOptions { models: vec![NATIVE.into()], vertex: Some(vertex), ..FakeGeminiOptions::default() };
        let name = |project: &str| format!("projects/{project}/locations/l/publishers/google/models/{NATIVE}");
        let setup = |model: &str, more: (&str, Value)| {
            let mut setup = json!({"model": model, "generationConfig": {"responseModalities": ["AUDIO"]}});
            setup[more.0] = more.1;
            Terms::read(&setup, &options, "v1beta1").map(|terms| terms.model).map_err(|refusal| refusal.reason)
        };
        assert_eq!(setup(&name("p"), ("sessionResumption", json!({"transparent": true}))).as_deref(), Ok(NATIVE));
        let tool = json!([{"functionDeclarations": [{"name": "a", "behavior": "BLOCKING"}]}]);
        for (model, more, wanted) in [
            (format!("models/{NATIVE}"), ("labels", json!(null)), "model name format"),
            (name("q"), ("labels", json!(null)), "model name format"),
            (name("p"), ("labels", json!({"a": "b"})), "labels"),
            (name("p"), ("tools", tool), "behavior"),
        ] {
            let refused = setup(&model, (more.0, more.1.clone()));
            let is_refused = refused.as_ref().is_err_and(|reason| reason.contains(wanted));
            assert!(is_refused, "{refused:?} instead of {wanted}");
        }
    }

    #[test]
    fn models_and_functions_need_right_names() {
        check(LIVE_38, "/model", json!("models/gemini-9"), Some("models/gemini-9 is not found for API version v1beta"));
        check(LIVE_38, "/model", json!(LIVE_38), Some("unexpected model name format"));
        let function = |function: Value| json!([{"functionDeclarations": [function]}]);
        check(LIVE_38, "/tools", function(json!({"name": "end_call", "behavior": "BLOCKING"})), None);
        check(LIVE_38, "/tools", function(json!({"name": "end call"})), Some("end call"));
        check(LIVE_38, "/tools", function(json!({"name": "a", "parameters": {}, "parametersJsonSchema": {}})), Some("exclude"));
        check(THINKING_38, "/tools", function(json!({"name": "a", "behavior": "BLOCKING"})), Some("BLOCKING"));
    }
}
