//! Which Firestore, and how to prove who we are: options and key files into an [`Endpoint`] that connects. What is wrong with
//! them is told here, with the remedy, before anything runs.

use super::client::Connection;
use super::fault::{self, Fault, Place};
use crate::StoreError;
use gcloud_sdk::error::{Error, ErrorKind};
use gcloud_sdk::google::firestore::v1::firestore_client::FirestoreClient;
use gcloud_sdk::google_cloud_auth::credentials::service_account::AccessSpecifier;
use gcloud_sdk::google_cloud_auth::credentials::{
    Builder, CacheableResource, Credentials as Token, CredentialsProvider, EntityTag, external_account, impersonated,
    service_account, user_account,
};
use gcloud_sdk::google_cloud_auth::{build_errors, errors::CredentialsError};
use gcloud_sdk::tonic::Extensions;
use gcloud_sdk::{GCP_DEFAULT_SCOPES, GoogleApi, GoogleEnvironment, HeaderMap};
use hyper::header::HeaderValue;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long finding the project, the first token or the first connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

const DEFAULT_DATABASE: &str = "(default)";
const GOOGLE: &str = "https://firestore.googleapis.com";
/// The project of an emulator when none is named. It need not exist.
const EMULATORS_PROJECT: &str = "callie-local";

/// How to prove who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The key file of a service account, as Google's console writes it.
    ServiceAccount(PathBuf),
    /// Application Default Credentials: the file, or else gcloud's login or the machine's own account.
    ApplicationDefault(Option<PathBuf>),
    /// An emulator at `host:port`, which asks for none.
    Emulator(String),
}

/// Which Firestore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirestoreAccess {
    pub credentials: Credentials,
    /// `None`: the one that the credentials name.
    pub project: Option<String>,
    /// `None`: `(default)`.
    pub database: Option<String>,
}

/// Where requests go and what they carry.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub place: Place,
    url: String,
    token: Token,
}

impl Endpoint {
    /// [`StoreError::Setup`], with the remedy, when the credentials cannot be used at all.
    pub async fn find(access: &FirestoreAccess) -> Result<Self, StoreError> {
        crate::tls::ensure_provider();
        let (token, named) = match &access.credentials {
            Credentials::Emulator(_) => (Token::from(EmulatorToken::default()), Some(EMULATORS_PROJECT.to_owned())),
            Credentials::ServiceAccount(path) => service_account(path, &read_key(path)?)?,
            Credentials::ApplicationDefault(Some(path)) => of_file(path)?,
            Credentials::ApplicationDefault(None) => of_machine(access.project.is_some()).await?,
        };
        let project = access.project.clone().or(named).ok_or_else(|| {
            StoreError::Setup(
                "the credentials for Firestore name no project: set FIREBASE_PROJECT_ID to your project's id".to_owned(),
            )
        })?;
        let url = match &access.credentials {
            Credentials::Emulator(address) => format!("http://{address}"),
            _ => GOOGLE.to_owned(),
        };
        let database = access.database.clone().filter(|name| !name.is_empty());
        let database = database.unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        let found = Self { place: Place { project, database, server: url.clone() }, url, token };
        found.check_token(access).await?;
        Ok(found)
    }

    /// Makes one token, so that a key that cannot sign or was withdrawn is found before anything runs. A token server that
    /// does not answer is no fault of the key.
    async fn check_token(&self, access: &FirestoreAccess) -> Result<(), StoreError> {
        match tokio::time::timeout(PATIENCE, self.token.headers(Extensions::new())).await {
            Ok(Err(error)) if !error.is_transient() => Err(refused_token(access, &error)),
            _ => Ok(()),
        }
    }

    /// A client on a connection of its own. It connects again by itself when the connection is lost.
    pub async fn connect(&self) -> Result<Connection, Fault> {
        let (database, token) = (self.place.path(), self.token.clone());
        // The larger client on top of this one keeps a text of why it cannot connect, and not the causes.
        let connecting = GoogleApi::from_function_with_credentials(FirestoreClient::new, &self.url, Some(database), token);
        match tokio::time::timeout(PATIENCE, Box::pin(connecting)).await {
            Ok(connected) => connected.map_err(|error| Fault::Unreachable(why(&error))),
            Err(_) => Err(Fault::Unreachable(format!("no connection within {} s", PATIENCE.as_secs()))),
        }
    }
}

/// Google's error says what went wrong, and what caused that only to those who open it.
fn why(error: &Error) -> String {
    match error.kind() {
        ErrorKind::GrpcStatus(cause) => fault::with_causes(cause),
        _ => fault::with_causes(error),
    }
}

type Found = (Token, Option<String>);

/// The key file of a service account.
fn service_account(path: &Path, key: &Value) -> Result<Found, StoreError> {
    if let Some(other) = key_type(key).filter(|name| *name != "service_account") {
        return Err(unusable(path, &format!("is not the key of a service account (its type is {other:?})")));
    }
    let missing: Vec<_> = ["type", "project_id", "private_key_id", "private_key", "client_email"]
        .into_iter()
        .filter(|name| !key[*name].is_string())
        .collect();
    if !missing.is_empty() {
        return Err(unusable(path, &format!("is not the key of a service account (it has no {})", missing.join(", no "))));
    }
    let builder = service_account::Builder::new(key.clone());
    let token = builder.with_access_specifier(AccessSpecifier::from_scopes(GCP_DEFAULT_SCOPES.iter())).build();
    let token = token.map_err(|error| unbuilt(path, &error))?;
    Ok((token, key["project_id"].as_str().map(str::to_owned)))
}

/// A file of Application Default Credentials, which may be of several types.
fn of_file(path: &Path) -> Result<Found, StoreError> {
    let key = read_key(path)?;
    let scopes = GCP_DEFAULT_SCOPES.iter();
    let token = match key_type(&key) {
        Some("authorized_user") => user_account::Builder::new(key.clone()).with_scopes(scopes).build(),
        Some("external_account") => external_account::Builder::new(key.clone()).with_scopes(scopes).build(),
        Some("impersonated_service_account") => impersonated::Builder::new(key.clone()).with_scopes(scopes).build(),
        _ => return service_account(path, &key),
    };
    let project = key["project_id"].as_str().or(key["quota_project_id"].as_str()).map(str::to_owned);
    Ok((token.map_err(|error| unbuilt(path, &error))?, project))
}

/// What this machine has: gcloud's login, or the account of the virtual machine it is.
async fn of_machine(project_is_named: bool) -> Result<Found, StoreError> {
    let token =
        Builder::default().with_scopes(GCP_DEFAULT_SCOPES.iter()).build().map_err(|error| no_default(&error.to_string()))?;
    if project_is_named {
        return Ok((token, None));
    }
    let project = tokio::time::timeout(PATIENCE, GoogleEnvironment::detect_google_project_id()).await;
    Ok((token, project.ok().flatten()))
}

fn read_key(path: &Path) -> Result<Value, StoreError> {
    let text = std::fs::read(path).map_err(|error| {
        StoreError::Setup(format!(
            "the key file {} for Firestore cannot be read ({error}): put the service account's key there, readable by this user, \
             or name the file where it is in FIREBASE_SERVICE_ACCOUNT_PATH",
            path.display()
        ))
    })?;
    // serde's text could quote a value; where it stands is enough.
    serde_json::from_slice(&text)
        .map_err(|error| unusable(path, &format!("is not valid JSON (line {}, column {})", error.line(), error.column())))
}

fn key_type(key: &Value) -> Option<&str> {
    key["type"].as_str()
}

fn unusable(path: &Path, problem: &str) -> StoreError {
    StoreError::Setup(format!(
        "the key file {} for Firestore {problem}: make a new key in Google's console \
         (IAM & Admin, Service Accounts, Keys, Add key, JSON) and put it there unchanged",
        path.display()
    ))
}

fn unbuilt(path: &Path, error: &build_errors::Error) -> StoreError {
    // The library's text could quote the file.
    let problem = if error.is_unknown_type() { "is of a type that is not known" } else { "cannot be used" };
    unusable(path, problem)
}

fn refused_token(access: &FirestoreAccess, error: &CredentialsError) -> StoreError {
    match &access.credentials {
        Credentials::ServiceAccount(path) | Credentials::ApplicationDefault(Some(path)) => {
            unusable(path, "holds a key that cannot be used: it is damaged, was withdrawn, or this machine's clock is wrong")
        }
        _ => no_default(&fault::with_causes(error)),
    }
}

fn no_default(cause: &str) -> StoreError {
    StoreError::Setup(format!(
        "no credentials for Firestore were found on this machine ({cause}): name a service account's key file in \
         FIREBASE_SERVICE_ACCOUNT_PATH, or run: gcloud auth application-default login"
    ))
}

/// What Firebase's tools send to an emulator: all rights.
#[derive(Debug, Default)]
struct EmulatorToken {
    tag: EntityTag,
}

impl CredentialsProvider for EmulatorToken {
    async fn headers(&self, extensions: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        if extensions.get::<EntityTag>() == Some(&self.tag) {
            return Ok(CacheableResource::NotModified);
        }
        let mut data = HeaderMap::new();
        data.insert("authorization", HeaderValue::from_static("Bearer owner"));
        Ok(CacheableResource::New { entity_tag: self.tag.clone(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests;
