//! OAuth access tokens for Vertex, from the key file of a service account or what else Google's tools leave on a machine. Google's
//! own library makes and renews them; here the token is taken out of the header that it makes.

use anyhow::{Context, bail};
use async_trait::async_trait;
use callie_ai::{EngineCause, EngineError, gemini::TokenSource};
use callie_domain::Secret;
use gcloud_sdk::google_cloud_auth::credentials::service_account::AccessSpecifier;
use gcloud_sdk::google_cloud_auth::credentials::{
    Builder, Credentials, external_account, impersonated, service_account, user_account,
};
use gcloud_sdk::{GCP_DEFAULT_SCOPES, GoogleAuthHeaders};
use serde_json::Value;
use std::{fmt, path::Path, path::PathBuf};
use tokio::sync::OnceCell;

/// Cheap until it is first asked: whoever never calls Gemini needs no token.
pub struct GoogleTokens {
    /// The key, and where it was read; `None` is what the machine has.
    key: Option<(Value, PathBuf)>,
    headers: OnceCell<GoogleAuthHeaders>,
}

/// The key stays out of logs.
impl fmt::Debug for GoogleTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleTokens").field("file", &self.key.as_ref().map(|(_, path)| path)).finish_non_exhaustive()
    }
}

impl GoogleTokens {
    /// Reads the key file, so that a missing one is told at the start.
    pub fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let key = file.map(read_key).transpose()?;
        Ok(Self { key, headers: OnceCell::new() })
    }

    /// The library renews tokens in a task of its own, which wants a runtime.
    async fn headers(&self) -> Result<&GoogleAuthHeaders, EngineError> {
        let made = self.headers.get_or_try_init(|| async { self.credentials().map(GoogleAuthHeaders::from) });
        made.await
    }

    fn credentials(&self) -> Result<Credentials, EngineError> {
        let scopes = || GCP_DEFAULT_SCOPES.iter();
        let Some((key, path)) = &self.key else {
            let built = Builder::default().with_scopes(scopes()).build();
            return built.map_err(|error| {
                let remedy = "name a service account's key file in GOOGLE_APPLICATION_CREDENTIALS";
                EngineError::new(
                    EngineCause::Config,
                    format!("no credentials of Google Cloud on this machine ({error}): {remedy}"),
                )
            });
        };
        let built = match key["type"].as_str() {
            Some("authorized_user") => user_account::Builder::new(key.clone()).with_scopes(scopes()).build(),
            Some("external_account") => external_account::Builder::new(key.clone()).with_scopes(scopes()).build(),
            Some("impersonated_service_account") => impersonated::Builder::new(key.clone()).with_scopes(scopes()).build(),
            _ => {
                let builder = service_account::Builder::new(key.clone());
                builder.with_access_specifier(AccessSpecifier::from_scopes(scopes())).build()
            }
        };
        // The library's text could quote the file.
        built.map_err(|_| EngineError::new(EngineCause::Config, format!("the key file {} cannot be used", path.display())))
    }
}

#[async_trait]
impl TokenSource for GoogleTokens {
    async fn token(&self) -> Result<Secret, EngineError> {
        let headers = self.headers().await?.headers().await.map_err(|error| refused(&error))?;
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        match authorization.strip_prefix("Bearer ") {
            Some(token) if !token.is_empty() => Ok(Secret::new(token)),
            _ => Err(EngineError::new(EngineCause::KeyRefused, "Google's library gave no access token")),
        }
    }
}

fn refused(error: &gcloud_sdk::error::Error) -> EngineError {
    use gcloud_sdk::error::ErrorKind;
    let cause = match error.kind() {
        ErrorKind::Credentials(error) if error.is_transient() => EngineCause::Unreachable,
        _ => EngineCause::KeyRefused,
    };
    EngineError::new(cause, format!("no access token: {error}"))
}

fn read_key(path: &Path) -> anyhow::Result<(Value, PathBuf)> {
    let text = std::fs::read(path).with_context(|| {
        format!("the key file {} for Vertex cannot be read: name another in GOOGLE_APPLICATION_CREDENTIALS", path.display())
    })?;
    // serde's text could quote a value; where it stands is enough.
    let Ok(key) = serde_json::from_slice::<Value>(&text) else { bail!("the key file {} for Vertex is not JSON", path.display()) };
    if !key["type"].is_string() {
        bail!("the key file {} for Vertex is none of Google's: it has no type", path.display());
    }
    Ok((key, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::{
        encoding::{AsDer, Pkcs8V1Der},
        rsa::{KeyPair, KeySize},
    };
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde_json::json;

    const CANARY: &str = "canary-4711";

    fn key_file(folder: &tempfile::TempDir, private_key: &str) -> PathBuf {
        let path = folder.path().join("key.json");
        let key = json!({
            "type": "service_account", "project_id": "p-1", "private_key_id": CANARY, "private_key": private_key,
            "client_email": "callie@p-1.iam.gserviceaccount.com", "client_id": "1", "universe_domain": "googleapis.com",
            "auth_uri": "", "token_uri": "https://oauth2.googleapis.com/token",
        });
        std::fs::write(&path, key.to_string()).expect("written");
        path
    }

    fn private_key() -> String {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("encoded");
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()))
    }

    /// A service account signs its own tokens: nobody has to be asked.
    #[tokio::test]
    async fn a_service_account_has_tokens_that_stay_secret() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = GoogleTokens::read(Some(&key_file(&folder, &private_key()))).expect("read");
        let token = tokens.token().await.expect("a token");
        assert_eq!(token.expose().split('.').count(), 3, "a JWT");
        assert!(tokens.token().await.is_ok());
        assert!(!format!("{tokens:?} {token:?}").contains(CANARY));
    }

    #[tokio::test]
    async fn a_key_that_cannot_sign_is_refused_and_not_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = GoogleTokens::read(Some(&key_file(&folder, CANARY))).expect("read");
        let error = tokens.token().await.expect_err("refused");
        assert!(matches!(error.cause, EngineCause::KeyRefused | EngineCause::Config), "{error}");
        assert!(!error.detail.contains(CANARY), "{error}");
    }

    #[test]
    fn files_that_are_no_keys_are_told_at_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key.json");
        let told = || format!("{:#}", GoogleTokens::read(Some(&path)).expect_err("no key"));
        assert!(told().contains("cannot be read"));
        for (text, expected) in [(CANARY, "is not JSON"), ("{}", "has no type")] {
            std::fs::write(&path, text).expect("written");
            assert!(told().contains(expected) && !told().contains(CANARY), "{}", told());
        }
    }
}
