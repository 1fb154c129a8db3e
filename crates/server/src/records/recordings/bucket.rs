//! A bucket of S3, of a service like it, or of Google Cloud Storage, and what is said when it does not do what it should.

use super::RecordingFault;
use crate::config::recordings::{Bucket as Settings, BucketKind};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{BackoffConfig, ClientOptions, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, RetryConfig};
use rand::random;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// Larger recordings (over four minutes) are uploaded in parts of this size, so that little of one is in memory; S3 takes 10,000 parts of
/// 5 MiB or more.
const PART: usize = 8 * 1024 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// One request, a part of an upload among them.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// What is in the way for longer is told, and tried again by us.
const RETRY_WITHIN: Duration = Duration::from_secs(10);

/// Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<dyn ObjectStore>,
    prefix: Arc<str>,
    /// As the setting is written.
    shown: Arc<str>,
    kind: BucketKind,
}

/// Why the bucket does not do.
#[derive(Debug, thiserror::Error)]
pub enum BucketFault {
    /// It will not get better by itself.
    #[error("{0}")]
    Refused(String),
    /// It may be back in a while.
    #[error("{0}")]
    Away(String),
}

impl Bucket {
    pub fn new(settings: &Settings) -> Result<Self, BucketFault> {
        let objects = build(settings).map_err(|error| {
            BucketFault::Refused(format!("the bucket {settings} (CALLIE_RECORDINGS) cannot be used: {}", short(&error)))
        })?;
        Ok(Self::of(objects, &settings.prefix, &settings.to_string(), settings.kind))
    }

    pub(super) fn of(objects: Arc<dyn ObjectStore>, prefix: &str, shown: &str, kind: BucketKind) -> Self {
        Self { objects, prefix: prefix.into(), shown: shown.into(), kind }
    }

    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Writes, reads and deletes something.
    pub async fn probe(&self) -> Result<(), BucketFault> {
        let path = self.path(&format!(".callie-probe-{:016x}", random::<u64>()));
        let said = Bytes::from_static(b"Callie was here");
        self.objects.put(&path, said.clone().into()).await.map_err(|error| self.fault("written to", &error))?;
        let read = match self.objects.get(&path).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        let deleted = self.objects.delete(&path).await;
        if read.map_err(|error| self.fault("read", &error))? != said {
            return Err(BucketFault::Refused(format!(
                "the bucket {self} (CALLIE_RECORDINGS) gives back other bytes than it was given"
            )));
        }
        deleted.map_err(|error| self.fault("deleted from", &error))
    }

    /// Uploads a file whole or not at all.
    pub async fn upload(&self, file: &Path, name: &str) -> Result<(), RecordingFault> {
        let mut file = tokio::fs::File::open(file).await?;
        let size = file.metadata().await?.len();
        let path = self.path(name);
        if size <= PART as u64 {
            let mut bytes = Vec::with_capacity(size as usize);
            file.read_to_end(&mut bytes).await?;
            self.objects.put(&path, bytes.into()).await.map_err(|error| self.fault("written to", &error))?;
            return Ok(());
        }
        let mut upload = self.objects.put_multipart(&path).await.map_err(|error| self.fault("written to", &error))?;
        let sent = async {
            loop {
                let mut part = Vec::with_capacity(PART);
                (&mut file).take(PART as u64).read_to_end(&mut part).await?;
                if part.is_empty() {
                    break;
                }
                upload.put_part(part.into()).await.map_err(|error| self.fault("written to", &error))?;
            }
            upload.complete().await.map_err(|error| self.fault("written to", &error))?;
            Ok::<_, RecordingFault>(())
        };
        let sent = sent.await;
        if sent.is_err() {
            // Parts that nobody completes cost money; a rule of the bucket takes those away that we cannot.
            let _ = upload.abort().await;
        }
        sent
    }

    /// Deletes it; what is not there is deleted.
    pub async fn delete(&self, name: &str) -> Result<(), BucketFault> {
        match self.objects.delete(&self.path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.fault("deleted from", &error)),
        }
    }

    /// A part of an object, and how long the object is.
    pub(super) async fn part(&self, name: &str, range: Range<u64>) -> Result<(Bytes, u64), RecordingFault> {
        let found = self.get(name, range).await?;
        let size = found.meta.size;
        Ok((found.bytes().await.map_err(|error| self.fault("read", &error))?, size))
    }

    pub(super) async fn pieces(&self, name: &str, range: Range<u64>) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let found = self.get(name, range).await.map_err(io::Error::other)?;
        Ok(found.into_stream().map(|piece| piece.map_err(io::Error::from)).boxed())
    }

    async fn get(&self, name: &str, range: Range<u64>) -> Result<object_store::GetResult, RecordingFault> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        match self.objects.get_opts(&self.path(name), options).await {
            Ok(found) => Ok(found),
            Err(Error::NotFound { .. }) => Err(RecordingFault::Missing),
            Err(error) => Err(self.fault("read", &error).into()),
        }
    }

    fn path(&self, name: &str) -> ObjectPath {
        let prefix = self.prefix.as_ref();
        if prefix.is_empty() { ObjectPath::from(name) } else { ObjectPath::from(format!("{prefix}/{name}")) }
    }

    fn fault(&self, what: &str, error: &Error) -> BucketFault {
        let text = |cause: &str, remedy: &str| {
            format!("the bucket {self} (CALLIE_RECORDINGS) cannot be {what}: {cause} ({}): {remedy}", short(error))
        };
        let credentials = match self.kind {
            BucketKind::S3 => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may s3:PutObject, s3:GetObject and s3:DeleteObject there"
            }
            BucketKind::Gcs => "check GOOGLE_APPLICATION_CREDENTIALS, and that they have the role Storage Object User there",
        };
        match error {
            Error::NotFound { .. } => BucketFault::Refused(text("there is no such bucket", "make it, or name another one")),
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                BucketFault::Refused(text("its service refuses the credentials", credentials))
            }
            _ => BucketFault::Away(text(
                "its service does not answer as it should",
                "check the network, CALLIE_RECORDINGS_ENDPOINT and the credentials; it is tried again",
            )),
        }
    }
}

impl std::fmt::Display for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

fn build(settings: &Settings) -> Result<Arc<dyn ObjectStore>, Error> {
    let is_plain = settings.endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
    let client = ClientOptions::new().with_allow_http(is_plain).with_timeout(ANSWER_WITHIN).with_connect_timeout(CONNECT_WITHIN);
    let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: RETRY_WITHIN };
    let endpoint = settings.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let credentials = &settings.credentials;
    Ok(match settings.kind {
        BucketKind::S3 => {
            let mut builder = AmazonS3Builder::from_env().with_bucket_name(&settings.name);
            if let Some(region) = &credentials.region {
                builder = builder.with_region(region);
            }
            if let (Some(id), Some(key)) = (&credentials.access_key_id, &credentials.secret_access_key) {
                builder = builder.with_access_key_id(id).with_secret_access_key(key.expose());
            }
            if let Some(token) = &credentials.session_token {
                builder = builder.with_token(token.expose());
            }
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            // One by one: services like S3 do not all know the deletion of many.
            let builder = builder.with_disable_bulk_delete(true);
            Arc::new(builder.with_client_options(client).with_retry(retry).build()?)
        }
        BucketKind::Gcs => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&settings.name);
            if let Some(file) = &credentials.service_account {
                builder = builder.with_application_credentials(file.to_string_lossy());
            }
            if let Some(endpoint) = endpoint {
                builder = builder.with_base_url(&endpoint);
            }
            Arc::new(builder.with_client_options(client).with_retry(retry).build()?)
        }
    })
}

/// The cause at the bottom, on one line.
fn short(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let line: String = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(200).collect()
}
