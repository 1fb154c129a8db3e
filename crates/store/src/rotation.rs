//! Rotation of keys: which key seals what, and sealing everything anew with the primary one.
//!
//! ```text
//!  add a key everywhere ─▶ make it primary everywhere ─▶ sweep ─▶ census: nothing left under the old one ─▶ drop it
//! ```
//!
//! A sweep writes each document under the revision that it read, at a bounded rate, and may be stopped and begun again at any
//! time: what is sealed with the primary key already costs a look.

use crate::document::Pages;
use crate::seal::{AtRest, classify};
use crate::{DocumentStore, Resealed, StoreError, StoredDocument, doc};
use callie_domain::UserId;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How the secrets of all documents lie at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    pub documents: usize,
    /// Secrets by the name of the key that sealed them.
    pub sealed: BTreeMap<String, usize>,
    /// Documents with a secret in clear.
    pub in_clear: Vec<String>,
    /// Documents whose secret has a form that is not known.
    pub unknown: Vec<String>,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    pub looked_at: usize,
    pub resealed: usize,
    /// Documents whose secrets do not open, with the reason. They stay as they are.
    pub undecryptable: Vec<(String, String)>,
}

/// Looks at every document.
pub async fn census(store: &dyn DocumentStore) -> Result<Census, StoreError> {
    let mut census = Census::default();
    let mut pages = Pages::default();
    while let Some(page) = pages.next(store).await? {
        page.iter().for_each(|document| census.count(document));
    }
    Ok(census)
}

/// Seals everything with the primary key, at most `per_second` writes a second. `progress` is told after each page.
pub async fn sweep(
    store: &dyn DocumentStore,
    per_second: NonZeroU32,
    mut progress: impl FnMut(&Swept) + Send,
) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    let mut pages = Pages::default();
    let mut pace = interval(Duration::from_secs(1) / per_second.get());
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(page) = pages.next(store).await? {
        for document in &page {
            swept.looked_at += 1;
            let (Some(_), Ok(id)) = (secrets_of(document).next(), document.name.parse::<UserId>()) else { continue };
            match store.reseal(&id).await {
                Ok(Resealed::Done) => {
                    swept.resealed += 1;
                    pace.tick().await;
                }
                // Deleted since the page was read.
                Ok(Resealed::Current) | Err(StoreError::NotFound(_)) => {}
                Ok(Resealed::Undecryptable(reason)) => swept.undecryptable.push((document.name.clone(), reason)),
                Err(fault) => return Err(fault),
            }
        }
        progress(&swept);
    }
    Ok(swept)
}

impl Census {
    /// Secrets that a key sealed.
    pub fn sealed_with(&self, kid: &str) -> usize {
        self.sealed.get(kid).copied().unwrap_or(0)
    }

    fn count(&mut self, document: &StoredDocument) {
        self.documents += 1;
        let (mut is_unknown, mut is_in_clear) = (false, false);
        for secret in secrets_of(document) {
            match classify(secret) {
                AtRest::Sealed { kid: Some(kid) } => *self.sealed.entry(kid.to_owned()).or_default() += 1,
                AtRest::Sealed { kid: None } => is_unknown = true,
                AtRest::Plain => is_in_clear = true,
            }
        }
        for (list, belongs) in [(&mut self.unknown, is_unknown), (&mut self.in_clear, is_in_clear)] {
            if belongs {
                list.push(document.name.clone());
            }
        }
    }
}

fn secrets_of(document: &StoredDocument) -> impl Iterator<Item = &str> {
    document.body.iter().flat_map(doc::secrets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Adopted;
    use async_trait::async_trait;
    use serde_json::{Value, json};
    use std::sync::Mutex;

    /// Documents by name; a secret is resealed by writing `new` over it.
    struct Shelf(Mutex<BTreeMap<String, String>>);

    impl Shelf {
        fn of(secrets: impl IntoIterator<Item = (String, &'static str)>) -> Self {
            Self(Mutex::new(secrets.into_iter().map(|(name, secret)| (name, secret.to_owned())).collect()))
        }
    }

    #[async_trait]
    impl DocumentStore for Shelf {
        async fn documents(&self, after: Option<&str>, limit: usize) -> Result<Vec<StoredDocument>, StoreError> {
            let shelf = self.0.lock().expect("unpoisoned");
            let behind = shelf.iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after));
            let document = |(name, secret): (&String, &String)| {
                let body = Some(json!({"sip": {"sip_password": secret}}));
                StoredDocument { name: name.clone(), revision: 1, body }
            };
            Ok(behind.take(limit).map(document).collect())
        }
        async fn adopt(&self, _: &UserId, _: &Value) -> Result<Adopted, StoreError> {
            Err(StoreError::Setup("not asked for".to_owned()))
        }
        async fn reseal(&self, id: &UserId) -> Result<Resealed, StoreError> {
            let mut shelf = self.0.lock().expect("unpoisoned");
            let secret = shelf.get_mut(id.as_str()).ok_or_else(|| StoreError::NotFound(id.clone()))?;
            Ok(match secret.as_str() {
                NEW => Resealed::Current,
                LOST => Resealed::Undecryptable("the key lost is not in the keyring".to_owned()),
                _ => {
                    NEW.clone_into(secret);
                    Resealed::Done
                }
            })
        }
    }

    const NEW: &str = "callie-enc:v1:new:x";
    const OLD: &str = "callie-enc:v1:old:x";
    const LOST: &str = "callie-enc:v1:lost:x";

    fn shelf() -> Shelf {
        let numbered = (0..700).map(|n| (format!("user-{n:04}"), if n % 2 == 0 { OLD } else { NEW }));
        let odd = [("a", "typed"), ("b", LOST), ("c", "callie-enc:v9:x"), ("d", "")].map(|(name, s)| (name.to_owned(), s));
        Shelf::of(numbered.chain(odd))
    }

    #[tokio::test]
    async fn a_census_counts_every_document() {
        let census = census(&shelf()).await.expect("counted");
        assert_eq!(census.documents, 704);
        let sealed = [("lost", 1), ("new", 350), ("old", 350)].map(|(kid, n)| (kid.to_owned(), n));
        assert_eq!(census.sealed, BTreeMap::from(sealed));
        assert_eq!((census.in_clear, census.unknown), (vec!["a".to_owned()], vec!["c".to_owned()]));
    }

    #[test]
    fn every_secret_of_a_document_is_counted() {
        let mut census = Census::default();
        for (password, key) in [(OLD, OLD), (NEW, "typed"), ("typed", "typed"), (NEW, "callie-enc:v9:x"), (NEW, "")] {
            let body = Some(json!({"sip": {"sip_password": password, "tls_client_key": key}}));
            census.count(&StoredDocument { name: format!("{password} {key}"), revision: 1, body });
        }
        assert_eq!((census.sealed_with("old"), census.sealed_with("new")), (2, 3));
        assert_eq!(census.in_clear, [format!("{NEW} typed"), "typed typed".to_owned()]);
        assert_eq!(census.unknown, [format!("{NEW} callie-enc:v9:x")]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_seals_everything_that_opens_and_keeps_its_rate() {
        let shelf = shelf();
        let began = tokio::time::Instant::now();
        let mut told = Vec::new();
        let swept =
            sweep(&shelf, NonZeroU32::new(50).expect("not zero"), |so_far| told.push(so_far.looked_at)).await.expect("swept");
        // 350 under the old key, one typed in clear, and one of an unknown form, which this shelf reseals.
        assert_eq!((swept.looked_at, swept.resealed, swept.undecryptable.len()), (704, 352, 1));
        assert_eq!(told, [300, 600, 704]);
        assert!(began.elapsed() >= Duration::from_millis(351 * 20), "{:?}", began.elapsed());
        let after = census(&shelf).await.expect("counted");
        assert_eq!((after.sealed_with("old"), after.sealed_with("new")), (0, 702));
        let again = sweep(&shelf, NonZeroU32::MIN, |_| ()).await.expect("swept");
        assert_eq!(again.resealed, 0, "a second sweep finds nothing to do");
    }
}
