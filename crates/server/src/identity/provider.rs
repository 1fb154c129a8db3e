//! What an identity provider publishes: its addresses (OpenID Connect Discovery 1.0 §4) and the keys that it signs with
//! (RFC 7517). Both are read when they are needed, and kept.

use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Providers change their keys every few weeks, and keep the old ones good for hours.
const KEYS_GOOD_FOR: Duration = Duration::from_secs(3_600);
/// A token with an unknown key makes us look again, not more often than this: anybody can make up a key's name.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// Bytes; a provider's documents have a few thousand.
const LARGEST: usize = 1 << 20;

#[derive(Debug, Clone, thiserror::Error)]
#[error("the identity provider's {what} at {url} cannot be read: {why}")]
pub struct ProviderFault {
    what: &'static str,
    url: String,
    why: String,
}

/// The addresses that matter here.
#[derive(Debug, Clone, Deserialize)]
pub struct Addresses {
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
}

/// One provider.
#[derive(Debug)]
pub struct Provider {
    pub issuer: String,
    /// Where the keys are, when it is not where the provider says.
    keys_at: Option<String>,
    client: reqwest::Client,
    addresses: Mutex<Option<Addresses>>,
    keys: Mutex<Option<(Instant, Arc<JwkSet>)>>,
}

impl Provider {
    pub fn new(issuer: &str, keys_at: Option<String>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("callie/", env!("CARGO_PKG_VERSION")))
            .build()?;
        // Firebase's tokens are the one common case that is not found by discovery alone.
        let firebase = issuer.starts_with("https://securetoken.google.com/");
        const OF_FIREBASE: &str = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
        let keys_at = keys_at.or_else(|| firebase.then(|| OF_FIREBASE.to_owned()));
        Ok(Self { issuer: issuer.to_owned(), keys_at, client, addresses: Mutex::default(), keys: Mutex::default() })
    }

    pub async fn addresses(&self) -> Result<Addresses, ProviderFault> {
        let mut kept = self.addresses.lock().await;
        if let Some(addresses) = &*kept {
            return Ok(addresses.clone());
        }
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let read: Addresses = self.read("configuration", &url).await?;
        if read.issuer != self.issuer {
            let why = format!("it names {} as issuer, CALLIE_OIDC_ISSUER names {}", read.issuer, self.issuer);
            return Err(ProviderFault { what: "configuration", url, why });
        }
        *kept = Some(read.clone());
        Ok(read)
    }

    /// The key that signed a token, by the name in its header. With no name, the only key there is.
    pub async fn key(&self, kid: Option<&str>) -> Result<Option<Jwk>, ProviderFault> {
        let mut kept = self.keys.lock().await;
        if let Some((at, set)) = &*kept {
            let age = at.elapsed();
            let found = find(set, kid);
            if age < KEYS_GOOD_FOR && (found.is_some() || age < LOOK_AGAIN_AFTER) {
                return Ok(found);
            }
        }
        let url = match &self.keys_at {
            Some(url) => url.clone(),
            None => self.addresses().await?.jwks_uri,
        };
        match (self.read::<JwkSet>("keys", &url).await, &*kept) {
            (Ok(set), _) => {
                let found = find(&set, kid);
                *kept = Some((Instant::now(), Arc::new(set)));
                Ok(found)
            }
            // The provider is away: the keys that we have go on.
            (Err(fault), Some((_, set))) => {
                tracing::warn!(%fault, "an identity provider's keys are as they were read last");
                Ok(find(set, kid))
            }
            (Err(fault), None) => Err(fault),
        }
    }

    async fn read<T: DeserializeOwned>(&self, what: &'static str, url: &str) -> Result<T, ProviderFault> {
        let fault = |why: String| ProviderFault { what, url: url.to_owned(), why };
        let answer = self.client.get(url).send().await.and_then(reqwest::Response::error_for_status);
        let mut answer = answer.map_err(|error| fault(error.without_url().to_string()))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| fault(error.without_url().to_string()))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(fault(format!("it has more than {LARGEST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| fault(error.to_string()))
    }

    /// For the other requests to it.
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

fn find(set: &JwkSet, kid: Option<&str>) -> Option<Jwk> {
    match (kid, set.keys.as_slice()) {
        (Some(kid), _) => set.find(kid).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}
