//! What the sessions of one call are set up with: the same for all of them, save what they know of the call already.

use super::{access::Access, continuity::Dial, family::Family, options::GeminiOptions, wire::setup::Setup};
use crate::{
    Brief, Utterance,
    realtime::instruction::{self, renewal},
    tools::Toolbox,
};
use jiff::Zoned;

#[derive(Debug)]
pub struct Plan {
    /// Its full name.
    model: String,
    pub family: Family,
    vertex: bool,
    instruction: String,
    voice: Option<String>,
    language_code: Option<String>,
    tools: Toolbox,
    end_of_speech_ms: u32,
    temperature: Option<f64>,
}

impl Plan {
    /// `now`: when the call began.
    pub fn new(brief: &Brief, options: &GeminiOptions, now: &Zoned) -> Self {
        let model = model(brief, options);
        // The protocol has a double; the shortest decimal is what was meant.
        let temperature = brief.temperature.and_then(|temperature| temperature.to_string().parse().ok());
        Self {
            family: Family::of(model),
            model: options.access.qualified(model),
            vertex: matches!(options.access, Access::Vertex(_)),
            instruction: instruction::system(brief, now),
            voice: brief.voice.clone(),
            language_code: brief.language.clone().filter(|_| options.send_language_code),
            tools: brief.tools.clone(),
            end_of_speech_ms: options.end_of_speech_ms,
            temperature: temperature.or(options.temperature),
        }
    }

    /// The whole message. `said`: what was said in the call so far.
    pub fn setup(&self, dial: &Dial, said: &[Utterance]) -> String {
        let told = dial.handle.is_none() && !said.is_empty();
        let instruction = match (told, dial.plain) {
            (false, _) => self.instruction.clone(),
            (true, false) => self.instruction.clone() + &renewal::under_way(&[]),
            (true, true) => self.instruction.clone() + &renewal::under_way(said),
        };
        Setup {
            model: &self.model,
            vertex: self.vertex,
            instruction: &instruction,
            voice: self.voice.as_deref(),
            language_code: self.language_code.as_deref(),
            tools: &self.tools,
            end_of_speech_ms: self.end_of_speech_ms,
            temperature: self.temperature,
            resume: dial.handle.as_deref(),
            history: told && !dial.plain,
        }
        .message()
    }
}

/// The user's, or else the server's.
pub fn model<'a>(brief: &'a Brief, options: &'a GeminiOptions) -> &'a str {
    brief.model.as_deref().map(str::trim).filter(|model| !model.is_empty()).unwrap_or(&options.model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemini::conversation::tests::brief;
    use callie_domain::Secret;
    use serde_json::Value;

    fn setup(brief: &Brief, options: &GeminiOptions, dial: &Dial, said: &[Utterance]) -> Value {
        let plan = Plan::new(brief, options, &Zoned::now());
        let message: Value = serde_json::from_str(&plan.setup(dial, said)).expect("JSON");
        message["setup"].clone()
    }

    #[test]
    fn the_calls_temperature_goes_before_the_servers() {
        let options = GeminiOptions { temperature: Some(0.5), ..GeminiOptions::new(Secret::new("k")) };
        let fresh = Dial { handle: None, plain: false };
        for (temperature, expected) in [(None, 0.5), (Some(1.3), 1.3)] {
            let brief = Brief { temperature, ..brief(false) };
            assert_eq!(setup(&brief, &options, &fresh, &[])["generationConfig"]["temperature"], expected);
        }
    }

    #[test]
    fn a_session_knows_the_call_by_handle_or_history_or_instruction() {
        let options = GeminiOptions::new(Secret::new("k"));
        let said = [Utterance { by_agent: true, text: "Hello, Maria.".into() }];
        let of = |handle: Option<&str>, plain| {
            let dial = Dial { handle: handle.map(str::to_owned), plain };
            let setup = setup(&brief(false), &options, &dial, &said);
            let instruction = setup["systemInstruction"]["parts"][0]["text"].as_str().expect("text");
            (
                setup["sessionResumption"]["handle"].is_string(),
                setup["historyConfig"].is_object(),
                instruction.contains("under way"),
                instruction.contains("Hello, Maria."),
            )
        };
        assert_eq!(of(Some("h"), false), (true, false, false, false));
        assert_eq!(of(None, false), (false, true, true, false));
        assert_eq!(of(None, true), (false, false, true, true));
    }
}
