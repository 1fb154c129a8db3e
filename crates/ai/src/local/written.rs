//! The offline engine in writing: a chat model, or the receptionist, answers text messages. It needs no voice and no ears.

use super::receptionist::{Input, Output, Receptionist};
use crate::chat::{ChatClient, ChatOptions, Delta, Message};
use crate::{Brief, EngineError};
use callie_domain::record::Speaker;
use futures::StreamExt;

/// Lines of the correspondence that the chat model is given.
const LINES: usize = 40;
/// What the receptionist says to a message that says nothing.
const NOTHING_SAID: &str = "I can take a message. What is it about, please?";

/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Correspondent {
    chat: Option<ChatClient>,
}

/// The answer, and why it is the receptionist's where a chat model should have given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub text: String,
    pub failure: Option<EngineError>,
}

impl Correspondent {
    /// `most_tokens` bounds one answer of the chat model.
    ///
    /// # Errors
    /// When the chat endpoint's address is none that can be asked.
    pub fn new(chat: Option<ChatOptions>, most_tokens: u32) -> Result<Self, EngineError> {
        let chat = chat.map(ChatClient::new).transpose()?;
        Ok(Self { chat: chat.map(|client| client.with_most_tokens(most_tokens)) })
    }

    /// Answers the last of `lines`, which is the other side's. Takes as long as the chat model does; the receptionist answers at
    /// once, and in its place when it fails.
    pub async fn answer(&self, brief: &Brief, lines: &[(Speaker, String)]) -> Reply {
        let failure = match &self.chat {
            None => None,
            Some(client) => match ask(client, brief, lines).await {
                Ok(text) if !text.is_empty() => return Reply { text, failure: None },
                Ok(_) => None,
                Err(error) => Some(error),
            },
        };
        Reply { text: receptionist(brief, lines), failure }
    }
}

async fn ask(client: &ChatClient, brief: &Brief, lines: &[(Speaker, String)]) -> Result<String, EngineError> {
    let system = Message { role: "system", content: system(brief) };
    let recent = lines.iter().skip(lines.len().saturating_sub(LINES));
    let said = recent.map(|(speaker, text)| {
        let role = if *speaker == Speaker::Caller { "user" } else { "assistant" };
        Message { role, content: text.clone() }
    });
    let messages: Vec<Message> = std::iter::once(system).chain(said).collect();
    let mut answer = String::new();
    let mut deltas = client.answer(&messages);
    while let Some(delta) = deltas.next().await {
        if let Delta::Text(text) = delta? {
            answer.push_str(&text);
        }
    }
    Ok(answer.trim().to_owned())
}

fn system(brief: &Brief) -> String {
    let name = &brief.display_name;
    let other: String = brief.remote_party.chars().filter(|c| !c.is_control()).take(80).collect();
    let instructions = brief.instructions.as_deref().unwrap_or("Take a message: find out who writes and why, and repeat both.");
    let language = match &brief.language {
        Some(code) => format!("Write in the language with the code {code}."),
        None => "Write in the language of the other side.".to_owned(),
    };
    format!(
        "You answer text messages for {name}. The other side is signalled as \"{other}\". Answer in one to three short plain \
         sentences without markup. You cannot look anything up or do anything but answer; say so when asked. {language}\n\n\
         {instructions}"
    )
}

/// What the receptionist makes of the correspondence so far. After its goodbye it begins anew.
fn receptionist(brief: &Brief, lines: &[(Speaker, String)]) -> String {
    let mut machine = begun(brief);
    let mut outputs = Vec::new();
    for (_, text) in lines.iter().filter(|(speaker, _)| *speaker == Speaker::Caller) {
        outputs = machine.handle(Input::Heard { text: text.clone(), sure: true });
        if outputs.contains(&Output::Goodbye) {
            machine = begun(brief);
        }
    }
    let said: Vec<String> = outputs.into_iter().filter_map(words).collect();
    if said.is_empty() { NOTHING_SAID.to_owned() } else { said.join(" ") }
}

/// Past the greeting: the other side has written first.
fn begun(brief: &Brief) -> Receptionist {
    let mut machine = Receptionist::new(brief.greeting.clone(), false);
    machine.take_over();
    machine
}

fn words(output: Output) -> Option<String> {
    match output {
        Output::Say(text) => Some(text),
        Output::Tone | Output::Took(_) | Output::Goodbye => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EngineCause;
    use crate::chat::tests::{Reply as Scripted, serve};

    fn brief() -> Brief {
        Brief {
            greeting: "Hello!".into(),
            display_name: "Alice".into(),
            instructions: None,
            model: None,
            voice: None,
            language: None,
            remote_party: "+1234567890".into(),
            outbound: false,
            transfer_targets: Vec::new(),
            tools: crate::tools::Toolbox::default(),
            temperature: None,
            history: Vec::new(),
        }
    }

    fn caller(texts: &[&str]) -> Vec<(Speaker, String)> {
        texts.iter().map(|text| (Speaker::Caller, (*text).to_owned())).collect()
    }

    #[tokio::test]
    async fn the_receptionist_takes_a_message_in_writing() {
        let correspondent = Correspondent::default();
        let first = ["The heating in the cellar is broken since yesterday"];
        let asked = correspondent.answer(&brief(), &caller(&first)).await;
        assert!(asked.text.contains("name"), "{asked:?}");
        let named = correspondent.answer(&brief(), &caller(&[first[0], "My name is Maria Keller"])).await;
        assert!(named.text.contains("Maria Keller") && named.text.contains("heating"), "{named:?}");
        let blank = correspondent.answer(&brief(), &caller(&["hm"])).await;
        assert_eq!(blank.text, NOTHING_SAID);
    }

    #[tokio::test]
    async fn a_chat_model_answers_with_the_whole_correspondence() {
        let (options, mut requests) = serve(vec![Scripted::Words(&["Tuesday ", "suits."]), Scripted::Status(500, "no")]).await;
        let correspondent = Correspondent::new(Some(options), 77).expect("an address");
        let mut lines = caller(&["May I come on Monday?"]);
        lines.push((Speaker::Agent, "Better on Tuesday.".into()));
        lines.extend(caller(&["Tuesday then?"]));
        let reply = correspondent.answer(&brief(), &lines).await;
        assert_eq!(reply, Reply { text: "Tuesday suits.".into(), failure: None });
        let request = requests.recv().await.expect("a request");
        for part in ["\"max_tokens\":77", "May I come on Monday?", "Better on Tuesday.", "+1234567890"] {
            assert!(request.contains(part), "{part} in {request}");
        }
        let failed = correspondent.answer(&brief(), &lines).await;
        assert_eq!(failed.failure.map(|error| error.cause), Some(EngineCause::ServiceFailed));
        assert!(!failed.text.is_empty(), "the receptionist answers instead");
    }
}
