//! The models and voices of Gemini Live, as its documentation lists them.

use crate::offer::names;
use callie_domain::Offer;

/// Newest first; older ones are on their way out.
const MODELS: &[&str] = &[
    "gemini-3.8-live",
    "gemini-3.8-live-extended-thinking",
    "gemini-3.1-flash-live-preview",
    "gemini-2.5-flash-native-audio-preview-12-2025",
];
/// <https://ai.google.dev/gemini-api/docs/speech-generation#voices>
const VOICES: &[&str] = &[
    "Zephyr",
    "Puck",
    "Charon",
    "Kore",
    "Fenrir",
    "Leda",
    "Orus",
    "Aoede",
    "Callirrhoe",
    "Autonoe",
    "Enceladus",
    "Iapetus",
    "Umbriel",
    "Algieba",
    "Despina",
    "Erinome",
    "Algenib",
    "Rasalgethi",
    "Laomedeia",
    "Achernar",
    "Alnilam",
    "Schedar",
    "Gacrux",
    "Pulcherrima",
    "Achird",
    "Zubenelgenubi",
    "Vindemiatrix",
    "Sadachbia",
    "Sadaltager",
    "Sulafat",
];

/// With `model` for users who name none. Native-audio models speak any language that their instructions ask for.
pub fn offer(model: &str) -> Offer {
    let mut models = names(MODELS);
    if !MODELS.contains(&model) {
        models.insert(0, model.to_owned());
    }
    Offer {
        title: "Gemini Live".to_owned(),
        models,
        model: Some(model.to_owned()),
        voices: names(VOICES),
        listens: true,
        takes_hints: true,
        takes_temperature: true,
        ..Offer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemini::family::Family;

    #[test]
    fn the_model_of_the_server_is_among_them() {
        for (model, count) in [(MODELS[0], MODELS.len()), ("gemini-live-2.5-flash-native-audio", MODELS.len() + 1)] {
            let offer = offer(model);
            assert!(offer.models.iter().any(|each| each == model) && offer.models.len() == count, "{model}: {:?}", offer.models);
        }
    }

    #[test]
    fn every_model_is_of_a_family_that_is_known() {
        for model in MODELS {
            assert_ne!(Family::of(model), Family::Unknown, "{model}");
        }
    }
}
