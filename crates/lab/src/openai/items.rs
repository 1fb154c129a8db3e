//! The conversation as the fake remembers it, for as long as the session lives.

use super::terms::Refusal;
use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Entry {
    pub id: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Caller,
    /// Milliseconds of audio made; less after a truncation.
    Agent {
        audio_ms: u64,
    },
    Call {
        call_id: String,
        answered: bool,
    },
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Items {
    entries: Vec<Entry>,
    count: u64,
}

impl Items {
    /// A new id, as the service makes them.
    pub fn next_id(&mut self) -> String {
        self.count += 1;
        format!("item_{:04}", self.count)
    }

    /// The id of the last item.
    pub fn last(&self) -> Option<&str> {
        self.entries.last().map(|entry| entry.id.as_str())
    }

    pub fn add_caller(&mut self, id: &str) {
        self.entries.push(Entry { id: id.to_owned(), what: What::Caller });
    }

    pub fn add_agent(&mut self, id: &str) {
        self.entries.push(Entry { id: id.to_owned(), what: What::Agent { audio_ms: 0 } });
    }

    pub fn add_call(&mut self, id: &str, call_id: &str) {
        self.entries.push(Entry { id: id.to_owned(), what: What::Call { call_id: call_id.to_owned(), answered: false } });
    }

    /// Of the client's making. Gives the id.
    pub fn create(&mut self, item: &Value, previous: Option<&str>) -> Result<String, Refusal> {
        let call_id = item["call_id"].as_str().unwrap_or_default();
        let what = match item["type"].as_str() {
            Some("function_call") => What::Call { call_id: call_id.to_owned(), answered: false },
            Some("function_call_output") => {
                self.answer(call_id)?;
                What::Other
            }
            _ => What::Other,
        };
        let at = match previous {
            None => self.entries.len(),
            Some("root") => 0,
            Some(id) => self.entries.iter().position(|entry| entry.id == id).map(|at| at + 1).ok_or_else(|| not_found(id))?,
        };
        let id = item["id"].as_str().map_or_else(|| self.next_id(), str::to_owned);
        self.entries.insert(at, Entry { id: id.clone(), what });
        Ok(id)
    }

    fn answer(&mut self, wanted: &str) -> Result<(), Refusal> {
        let open = self.entries.iter_mut().find_map(|entry| match &mut entry.what {
            What::Call { call_id, answered } if call_id == wanted && !*answered => Some(answered),
            _ => None,
        });
        let open =
            open.ok_or_else(|| Refusal::new("invalid_tool_call_id", format!("No open tool call found with id '{wanted}'.")))?;
        *open = true;
        Ok(())
    }

    pub fn unanswered(&self) -> Vec<String> {
        let open = self.entries.iter().filter_map(|entry| match &entry.what {
            What::Call { call_id, answered: false } => Some(call_id.clone()),
            _ => None,
        });
        open.collect()
    }

    /// So much more audio of this item was made.
    pub fn spoke(&mut self, id: &str, ms: u64) {
        if let Some(What::Agent { audio_ms }) = self.find(id) {
            *audio_ms += ms;
        }
    }

    pub fn truncate(&mut self, id: &str, content_index: Option<u64>, end_ms: Option<u64>) -> Result<u64, Refusal> {
        let (Some(0), Some(end_ms)) = (content_index, end_ms) else {
            return Err(Refusal::new(
                "missing_required_parameter",
                "Missing required parameter: 'content_index' or 'audio_end_ms'.",
            ));
        };
        match self.find(id) {
            Some(What::Agent { audio_ms }) if end_ms <= *audio_ms => {
                *audio_ms = end_ms;
                Ok(end_ms)
            }
            Some(What::Agent { audio_ms }) => {
                let message = format!("Audio content of {audio_ms}ms is already shorter than {end_ms}ms");
                Err(Refusal::invalid("audio_end_ms", message))
            }
            Some(_) => Err(Refusal::invalid("item_id", "Only model output audio messages can be truncated.")),
            None => Err(not_found(id)),
        }
    }

    pub fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.id != id);
        if self.entries.len() == before { Err(not_found(id)) } else { Ok(()) }
    }

    fn find(&mut self, id: &str) -> Option<&mut What> {
        self.entries.iter_mut().find(|entry| entry.id == id).map(|entry| &mut entry.what)
    }
}

fn not_found(id: &str) -> Refusal {
    Refusal::new("item_not_found", format!("Item with item_id not found: {id}"))
}

/// A message item as events show it.
pub(super) fn message(id: &str, role: &str, status: &str, content: &Value) -> Value {
    json!({"id": id, "object": "realtime.item", "type": "message", "status": status, "role": role, "content": content})
}
