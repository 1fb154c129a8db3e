//! Google Cloud KMS as the [`KeyService`]: symmetric keys (`ENCRYPT_DECRYPT`) wrap and unwrap by `Encrypt` and `Decrypt` of
//! its gRPC API (google.cloud.kms.v1).

use super::wrap::KeyService;
use crate::StoreError;
use async_trait::async_trait;
use gcloud_sdk::google::cloud::kms::v1::DecryptRequest;
use gcloud_sdk::google::cloud::kms::v1::key_management_service_client::KeyManagementServiceClient;
use gcloud_sdk::proto_ext::kms::EncryptRequest;
use gcloud_sdk::tonic::transport::Channel;
use gcloud_sdk::tonic::{Code, Status};
use gcloud_sdk::{
    GCP_DEFAULT_SCOPES, GoogleApi, GoogleAuthHeaders, GoogleAuthMiddleware, GoogleAuthMiddlewareLayer, SecretValue,
};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

const GOOGLE: &str = "https://cloudkms.googleapis.com";
/// A start that waits for longer looks as if it hung.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bound to what we wrap, so that no other ciphertext of the same key passes for one of ours.
const PURPOSE: &[u8] = b"callie/master-key/v1";

/// Connects when it is first asked: a keyring without wrapped keys needs no service.
#[derive(Debug, Clone, Default)]
pub struct CloudKms {
    /// Instead of Google's; `http://` for one of this machine, which is told no credentials.
    pub endpoint: Option<String>,
    /// A service account key; Application Default Credentials when there is none.
    pub service_account: Option<PathBuf>,
}

enum Client {
    Google(GoogleApi<KeyManagementServiceClient<GoogleAuthMiddleware>>),
    Local(KeyManagementServiceClient<Channel>),
}

#[async_trait]
impl KeyService for CloudKms {
    async fn wrap(&self, name: &str, key: &[u8]) -> Result<Vec<u8>, StoreError> {
        let request = || EncryptRequest {
            name: name.to_owned(),
            plaintext: SecretValue::new(key.to_vec()),
            additional_authenticated_data: PURPOSE.to_vec(),
            ..EncryptRequest::default()
        };
        let answer = within_patience(name, async {
            match self.connect().await? {
                Client::Google(api) => api.get().encrypt(request()).await.map_err(|status| refusal(name, &status)),
                Client::Local(mut client) => client.encrypt(request()).await.map_err(|status| refusal(name, &status)),
            }
        });
        Ok(answer.await?.into_inner().ciphertext)
    }

    async fn unwrap(&self, name: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let request = || DecryptRequest {
            name: name.to_owned(),
            ciphertext: wrapped.to_vec(),
            additional_authenticated_data: PURPOSE.to_vec(),
            ..DecryptRequest::default()
        };
        let answer = within_patience(name, async {
            match self.connect().await? {
                Client::Google(api) => api.get().decrypt(request()).await.map_err(|status| refusal(name, &status)),
                Client::Local(mut client) => client.decrypt(request()).await.map_err(|status| refusal(name, &status)),
            }
        });
        Ok(Zeroizing::new(answer.await?.into_inner().plaintext.as_sensitive_bytes().to_vec()))
    }
}

impl CloudKms {
    async fn connect(&self) -> Result<Client, StoreError> {
        let endpoint = self.endpoint.as_deref().unwrap_or(GOOGLE);
        let failed = |fault: &dyn std::fmt::Display| {
            StoreError::Setup(format!("the key service at {endpoint} cannot be reached ({fault}): check network and credentials"))
        };
        if endpoint.starts_with("http://") {
            let channel = Channel::from_shared(endpoint.to_owned()).map_err(|e| failed(&e))?.connect().await;
            return Ok(Client::Local(KeyManagementServiceClient::new(channel.map_err(|e| failed(&e))?)));
        }
        crate::tls::ensure_provider();
        let headers = match &self.service_account {
            None => GoogleAuthHeaders::from_adc().await,
            Some(file) => {
                let text = std::fs::read(file).map_err(|e| failed(&format!("{}: {e}", file.display())))?;
                let key = serde_json::from_slice(&text).map_err(|_| failed(&format!("{} is not JSON", file.display())))?;
                GoogleAuthHeaders::from_service_account_key(key, GCP_DEFAULT_SCOPES.clone()).await
            }
        };
        let headers = headers.map_err(|e| failed(&e))?;
        let middleware = GoogleAuthMiddlewareLayer::new(headers, None).map_err(|e| failed(&e))?;
        let api = GoogleApi::from_function_with_middleware(KeyManagementServiceClient::new, endpoint, middleware).await;
        api.map(Client::Google).map_err(|e| failed(&e))
    }
}

async fn within_patience<T>(name: &str, asking: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| {
        Err(StoreError::Setup(format!(
            "the key service did not answer for {name} within {} s: check the network",
            PATIENCE.as_secs()
        )))
    })
}

fn refusal(name: &str, status: &Status) -> StoreError {
    let remedy = match status.code() {
        Code::PermissionDenied => "give this service account the role Cloud KMS CryptoKey Encrypter/Decrypter on it",
        Code::NotFound => "check its name: projects/P/locations/L/keyRings/R/cryptoKeys/K",
        Code::Unauthenticated => "check the service account key",
        Code::InvalidArgument => "the key file's wrapped key is not one of this key: restore the file from your copy",
        Code::FailedPrecondition => "enable the key's version that wrapped it",
        _ => "check that the key service is reachable",
    };
    StoreError::Setup(format!("the key service refuses {name} ({:?}: {}): {remedy}", status.code(), status.message()))
}
