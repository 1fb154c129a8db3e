//! Which voice speaks in a call: Flite, which is always there, or Kokoro, where it was asked for and the machine is up to it.

use super::{
    kokoro::{Choice, DEFAULT_VOICE, Keep, KokoroWeights, Sentence, Standing, Studio},
    synthesiser::Synthesiser,
};
use crate::EngineError;
use std::path::{Path, PathBuf};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Users' name for the built-in voice.
const FLITE: &str = "flite";

/// The voices of the process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Voices {
    flite: Synthesiser,
    /// Or why there is none; nothing when nobody asked for it.
    kokoro: Option<Result<(Studio, Vec<String>), String>>,
}

impl Voices {
    /// Kokoro is loaded and measured in the background.
    pub fn start(choice: Choice, models: Option<&Path>, keep: Option<PathBuf>) -> Result<Self, EngineError> {
        let flite = Synthesiser::start()?;
        if choice == Choice::Flite {
            return Ok(Self { flite, kokoro: None });
        }
        let weights = match models {
            None => Err("no folder for its weights is set".to_owned()),
            Some(models) => KokoroWeights::find(models).map_err(|e| e.to_string()),
        };
        if let Err(why) = &weights {
            tracing::warn!("the kokoro voice is not used: {why}");
        }
        let open = |weights: KokoroWeights| {
            let names = weights.voices().to_vec();
            (Studio::start(weights, choice, keep.map(Keep::new), flite.clone()), names)
        };
        let kokoro = Some(weights.map(open));
        Ok(Self { flite, kokoro })
    }

    /// What users may ask for, the voice of those who ask for none first.
    pub fn names(&self) -> Vec<String> {
        let Some(Ok((_, kokoro))) = &self.kokoro else { return vec![FLITE.to_owned()] };
        let first = kokoro.iter().filter(|name| *name == DEFAULT_VOICE);
        let others = kokoro.iter().filter(|name| *name != DEFAULT_VOICE);
        first.chain(others).cloned().chain([FLITE.to_owned()]).collect()
    }

    /// What speaks, for people, with what keeps Kokoro from it.
    pub fn describe(&self) -> String {
        match &self.kokoro {
            None => "flite kal voice".to_owned(),
            Some(Err(why)) => format!("flite kal voice (kokoro: {why})"),
            Some(Ok((studio, _))) => match studio.standing() {
                Standing::Speaks { speed, .. } => format!("kokoro voice ({speed})"),
                standing => format!("flite kal voice (kokoro: {})", standing.lack().unwrap_or_default()),
            },
        }
    }

    /// Waits until it is known which voice speaks.
    pub async fn settled(&self) {
        if let Some(Ok((studio, _))) = &self.kokoro {
            studio.settled().await;
        }
    }

    /// The voice of a call whose user wants `wanted`, and why it is another one.
    pub fn for_call(&self, wanted: Option<&str>) -> (Voice, Option<String>) {
        let flite = |why: Option<String>| {
            let said = wanted.zip(why).map(|(name, why)| format!("the voice {name} is not used: {why}; flite speaks"));
            (Voice::from(self.flite.clone()), said)
        };
        if wanted == Some(FLITE) {
            return flite(None);
        }
        let (studio, names) = match &self.kokoro {
            None => return flite(Some("set CALLIE_LOCAL_VOICE to auto or kokoro for other voices than flite".to_owned())),
            Some(Err(why)) => return flite(Some(why.clone())),
            Some(Ok(kokoro)) => kokoro,
        };
        let (name, said) = name_of(wanted, names);
        let standing = studio.standing();
        let manner = match &standing {
            Standing::Speaks { places, .. } => match places.clone().try_acquire_owned() {
                Ok(place) => Manner::Always { _place: place },
                Err(_) => {
                    tracing::warn!("as many calls as the machine is fast enough for speak with kokoro; another one has flite");
                    let why = "as many calls as this machine is fast enough for speak with kokoro; flite speaks".to_owned();
                    return (Voice::from(self.flite.clone()), Some(why));
                }
            },
            Standing::Greets { .. } => Manner::Greetings,
            Standing::Trying | Standing::Out(_) => return flite(standing.lack()),
        };
        let said = said.or_else(|| wanted.zip(standing.lack()).map(|(name, why)| format!("the voice {name} is used for {why}")));
        (Voice { flite: self.flite.clone(), kokoro: Some(Hired { studio: studio.clone(), name, manner }) }, said)
    }
}

/// The voice's name, and why it is another one.
fn name_of(wanted: Option<&str>, names: &[String]) -> (String, Option<String>) {
    let Some(wanted) = wanted else { return (DEFAULT_VOICE.to_owned(), None) };
    if names.iter().any(|name| name == wanted) {
        return (wanted.to_owned(), None);
    }
    let said = format!("there is no voice {wanted} here, {DEFAULT_VOICE} speaks; there are flite, {}", names.join(", "));
    (DEFAULT_VOICE.to_owned(), Some(said))
}

/// One call's voice.
#[derive(Debug)]
pub struct Voice {
    flite: Synthesiser,
    kokoro: Option<Hired>,
}

/// Kokoro in one call.
#[derive(Debug)]
struct Hired {
    studio: Studio,
    name: String,
    manner: Manner,
}

#[derive(Debug)]
enum Manner {
    /// It says everything. The place is another call's when this one is over.
    Always { _place: OwnedSemaphorePermit },
    /// It says the greeting, once it is rendered.
    Greetings,
}

impl From<Synthesiser> for Voice {
    fn from(flite: Synthesiser) -> Self {
        Self { flite, kokoro: None }
    }
}

impl Voice {
    /// Queues one sentence; the samples (mono, 8 kHz) go to `reply`. `keep` what other calls will say again.
    pub fn speak(&self, text: String, keep: bool, reply: mpsc::Sender<Vec<i16>>) -> Result<(), EngineError> {
        let hired = self.kokoro.as_ref().filter(|hired| keep || matches!(hired.manner, Manner::Always { .. }));
        let Some(Hired { studio, name, .. }) = hired else { return self.flite.speak(text, reply) };
        match studio.speak(Sentence { text, voice: name.clone(), keep, reply: Some(reply) }) {
            Ok(()) => Ok(()),
            Err(Sentence { text, reply: Some(reply), .. }) => {
                tracing::warn!("too many sentences are waiting for the kokoro voice; one is spoken by flite");
                self.flite.speak(text, reply)
            }
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_weights_it_is_flite_and_the_reason_is_said() {
        let nowhere = PathBuf::from("nowhere");
        for (choice, models, want) in [
            (Choice::Flite, None, "CALLIE_LOCAL_VOICE"),
            (Choice::Auto, None, "no folder"),
            (Choice::Kokoro, Some(nowhere.as_path()), "scripts/models.sh kokoro"),
        ] {
            let voices = Voices::start(choice, models, None).expect("built in");
            assert!(voices.describe().starts_with("flite kal voice"), "{}", voices.describe());
            let (voice, said) = voices.for_call(Some("af_heart"));
            assert!(voice.kokoro.is_none() && said.as_ref().is_some_and(|said| said.contains(want)), "{said:?}");
            for wanted in [None, Some("flite")] {
                assert_eq!(voices.for_call(wanted).1, None, "nothing was wanted that is not there");
            }
        }
    }

    #[test]
    fn a_name_that_is_none_is_replaced() {
        let names = ["af_bella".to_owned(), DEFAULT_VOICE.to_owned()];
        assert_eq!(name_of(None, &names), (DEFAULT_VOICE.to_owned(), None));
        assert_eq!(name_of(Some("af_bella"), &names), ("af_bella".to_owned(), None));
        let (name, said) = name_of(Some("Kore"), &names);
        assert_eq!(name, DEFAULT_VOICE);
        assert!(said.is_some_and(|said| said.contains("Kore") && said.contains("af_bella")));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_call_beyond_the_last_place_has_flite() {
        use super::super::kokoro::tests::{fast, weights};
        let Some((_, weights)) = weights() else { return };
        let flite = Synthesiser::start().expect("built in");
        let names = weights.voices().to_vec();
        let studio = Studio::start_with(weights, Choice::Auto, None, flite.clone(), fast);
        let voices = Voices { flite, kokoro: Some(Ok((studio, names))) };
        voices.settled().await;
        assert!(voices.describe().contains("kokoro voice (0.40 s"), "{}", voices.describe());
        let mut speaking = Vec::new();
        let said = loop {
            let (voice, said) = voices.for_call(Some("am_michael"));
            if voice.kokoro.is_none() {
                break said;
            }
            assert_eq!(said, None);
            speaking.push(voice);
        };
        assert!(said.is_some_and(|said| said.contains("as many calls")) && !speaking.is_empty());
        speaking.pop();
        assert!(voices.for_call(None).0.kokoro.is_some(), "a call that is over leaves its place");
    }
}
