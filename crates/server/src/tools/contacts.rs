//! The agent looks up whom its user knows.

use callie_ai::tools::{Behaviour, Object, Outcome, Tool, Work};
use callie_domain::{UserId, contact::find};
use callie_store::ContactStore;
use serde_json::{Value, json};
use std::{fmt, sync::Arc, time::Duration};

/// A caller is not told a telephone book.
const MOST: usize = 3;

/// In the list of one user, and in no other's.
pub struct LookupContact {
    store: Arc<dyn ContactStore>,
    user: UserId,
}

impl LookupContact {
    pub fn new(store: Arc<dyn ContactStore>, user: UserId) -> Self {
        Self { store, user }
    }
}

impl Tool for LookupContact {
    fn name(&self) -> &str {
        "lookup_contact"
    }

    fn description(&self) -> &str {
        "Looks up somebody whom the one you speak for knows, by name or telephone number: to know who is calling, or how somebody is \
         reached. Do not read out numbers of others to a caller."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {"who": {"type": "string", "description": "A name or a part of it, or a telephone number."}},
            "required": ["who"]
        })
    }

    fn behaviour(&self) -> Behaviour {
        Behaviour::Waits
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn call(&self, arguments: &Object) -> Work {
        let Some(who) = arguments.get("who").and_then(Value::as_str).map(str::to_owned) else {
            return Outcome::error("who must be a name or a telephone number", true).into();
        };
        let (store, user) = (self.store.clone(), self.user.clone());
        Work::Later(Box::pin(async move {
            match store.contacts(&user).await {
                Ok(contacts) => match find(&contacts, &who, MOST)[..] {
                    [] => Outcome::output("nobody of that name or number is in the list"),
                    ref found => Outcome::output(json!(found)),
                },
                Err(error) => {
                    tracing::warn!(user.id = %user, %error, "the contacts cannot be read");
                    Outcome::error("the list cannot be read right now", true)
                }
            }
        }))
    }
}

impl fmt::Debug for LookupContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupContact").field("user", &self.user).finish_non_exhaustive()
    }
}
