//! A client, and what it stores.

use callie_lab::firestore::{Firestore, FirestoreOptions};
use firestore::errors::FirestoreError;
use firestore::{FirestoreDb, FirestoreDbOptions, FirestoreResult, FirestoreWritePrecondition};
use gcloud_sdk::HeaderMap;
use gcloud_sdk::google_cloud_auth::credentials::{CacheableResource, Credentials, CredentialsProvider, EntityTag};
use gcloud_sdk::google_cloud_auth::errors::CredentialsError;
use gcloud_sdk::tonic::Extensions;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub const USERS: &str = "users";
pub const SOON: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sip {
    pub server: String,
    pub port: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    pub visits: i64,
    pub active: bool,
    pub sip: Sip,
    pub tags: Vec<String>,
}

impl User {
    pub fn with_visits(visits: i64) -> Self {
        Self { visits, ..Self::default() }
    }
}

/// Whoever says so is the owner of an emulator's data.
#[derive(Debug, Default)]
struct Owner {
    tag: EntityTag,
}

impl CredentialsProvider for Owner {
    async fn headers(&self, _: Extensions) -> Result<CacheableResource<HeaderMap>, CredentialsError> {
        let data = HeaderMap::from_iter([("authorization".parse().unwrap(), "Bearer owner".parse().unwrap())]);
        Ok(CacheableResource::New { entity_tag: self.tag.clone(), data })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

/// A client with a project of its own: it sees nobody else's documents.
pub async fn connect(url: &str) -> FirestoreDb {
    static SERIAL: AtomicU32 = AtomicU32::new(1);
    connect_project(url, &format!("callie-test-{}", SERIAL.fetch_add(1, Ordering::Relaxed))).await
}

pub async fn connect_project(url: &str, project: &str) -> FirestoreDb {
    let options = FirestoreDbOptions::new(project.to_owned()).with_firebase_api_url(url.to_owned());
    FirestoreDb::with_options_auth(options, Credentials::from(Owner::default())).await.unwrap()
}

/// A server, and a client that shares its project.
pub async fn lab() -> (Firestore, FirestoreDb) {
    let firestore = Firestore::start(FirestoreOptions::default()).await.unwrap();
    let db = connect_project(&firestore.url(), firestore.project()).await;
    (firestore, db)
}

pub async fn put(db: &FirestoreDb, id: &str, user: &User) -> FirestoreResult<()> {
    let stored = db.fluent().update().in_col(USERS).document_id(id).object(user).execute::<User>().await?;
    assert_eq!(&stored, user);
    Ok(())
}

pub async fn get(db: &FirestoreDb, id: &str) -> FirestoreResult<Option<User>> {
    db.fluent().select().by_id_in(USERS).obj().one(id).await
}

pub async fn remove(db: &FirestoreDb, id: &str) -> FirestoreResult<()> {
    db.fluent().delete().from(USERS).document_id(id).execute().await
}

/// Changes `visits` alone, on a condition.
pub async fn set_visits(db: &FirestoreDb, id: &str, visits: i64, condition: FirestoreWritePrecondition) -> FirestoreResult<User> {
    let update = db.fluent().update().fields(["visits"]).in_col(USERS).precondition(condition);
    update.document_id(id).object(&User::with_visits(visits)).execute().await
}

/// Counts `visits` up by one in a transaction that tries as often as it needs.
pub async fn count_visit(db: &FirestoreDb, id: &'static str) -> FirestoreResult<()> {
    let options = firestore::FirestoreTransactionOptions::new().with_max_retries(40);
    let counting = db.run_transaction_with_options(
        move |db, transaction| {
            Box::pin(async move {
                let mut user = get(&db, id).await?.unwrap_or_default();
                user.visits += 1;
                db.fluent().update().in_col(USERS).document_id(id).object(&user).add_to_transaction(transaction)?;
                Ok(())
            })
        },
        options,
    );
    Box::pin(counting).await
}

/// The gRPC code of an error.
pub fn code<T: std::fmt::Debug>(result: FirestoreResult<T>) -> String {
    match result.unwrap_err() {
        FirestoreError::DatabaseError(error) => error.public.code,
        FirestoreError::DataConflictError(error) => error.public.code,
        FirestoreError::DataNotFoundError(error) => error.public.code,
        other => format!("{other:?}"),
    }
}
