//! The lab's Firestore for the demo: where the users live, and the hand of somebody at Firebase's console.

use crate::config::{Firestore as Settings, FirestoreCredentials, StoreChoice};
use anyhow::Context;
use callie_lab::firestore::{Document, Firestore, FirestoreOptions, Value, ValueType};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

const COLLECTION: &str = "user_configs";
/// What a sealed password begins with.
const SEALED: &str = "callie-enc:v1:";

pub struct Cloud {
    firestore: Firestore,
}

impl Cloud {
    pub async fn start() -> anyhow::Result<Self> {
        let firestore = Firestore::start(FirestoreOptions::default()).await.context("the lab's Firestore does not start")?;
        Ok(Self { firestore })
    }

    /// How the server reaches it.
    pub fn settings(&self) -> StoreChoice {
        StoreChoice::Firestore(Settings {
            credentials: FirestoreCredentials::Emulator { address: self.firestore.address().to_string() },
            project: Some(self.firestore.project().to_owned()),
            database: "(default)".to_owned(),
        })
    }

    /// Where it is, for people.
    pub fn words(&self) -> String {
        let (address, project) = (self.firestore.address(), self.firestore.project());
        format!("Firestore in memory at {address}, project {project}, collection {COLLECTION}")
    }

    /// The document as it lies there, the sealed password shown by its beginning alone.
    pub fn shown(&self, user: &str) -> anyhow::Result<String> {
        let mut document = json_of_fields(self.document(user)?.fields);
        if let Some(password) = document.pointer_mut("/sip/sip_password") {
            let sealed = password.as_str().is_some_and(|text| text.starts_with(SEALED));
            *password = json!(if sealed { format!("{SEALED}…") } else { "(not sealed!)".to_owned() });
        }
        Ok(serde_json::to_string_pretty(&document)?)
    }

    /// Types a greeting into the document, as somebody at the console would: all other fields stay.
    pub fn type_greeting(&self, user: &str, greeting: &str) -> anyhow::Result<()> {
        let mut fields = self.document(user)?.fields;
        let calls = fields.get_mut("calls").and_then(|calls| match &mut calls.value_type {
            Some(ValueType::MapValue(map)) => Some(&mut map.fields),
            _ => None,
        });
        let text = Value { value_type: Some(ValueType::StringValue(greeting.to_owned())) };
        calls.context("the document has no map calls")?.insert("default_greeting".to_owned(), text);
        self.firestore.put(&path(user), fields).context("the greeting cannot be typed in")
    }

    pub async fn stop(self) {
        self.firestore.stop().await;
    }

    fn document(&self, user: &str) -> anyhow::Result<Document> {
        self.firestore.document(&path(user)).with_context(|| format!("{user} has no document in Firestore"))
    }
}

fn path(user: &str) -> String {
    format!("{COLLECTION}/{user}")
}

fn json_of_fields(fields: HashMap<String, Value>) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name, json_of(value))).collect::<Map<_, _>>())
}

/// What a user's document is made of; anything else reads as null.
fn json_of(value: Value) -> Json {
    match value.value_type {
        Some(ValueType::StringValue(text)) => json!(text),
        Some(ValueType::BooleanValue(yes)) => json!(yes),
        Some(ValueType::IntegerValue(number)) => json!(number),
        Some(ValueType::DoubleValue(number)) => json!(number),
        Some(ValueType::TimestampValue(at)) => json!(Timestamp::new(at.seconds, at.nanos).map(|at| at.to_string()).ok()),
        Some(ValueType::ArrayValue(array)) => array.values.into_iter().map(json_of).collect(),
        Some(ValueType::MapValue(map)) => json_of_fields(map.fields),
        _ => Json::Null,
    }
}
