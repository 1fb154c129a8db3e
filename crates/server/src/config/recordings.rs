//! Where recordings are kept: nowhere, in a folder, or in a bucket.

use super::parse::Reader;
use callie_domain::Secret;
use std::fmt;
use std::path::PathBuf;
use url::Url;

/// What `CALLIE_RECORDINGS` says.
#[derive(Debug, Clone, Default)]
pub enum RecordingsPlace {
    Off,
    /// In the data folder.
    #[default]
    DataDir,
    Folder(PathBuf),
    Bucket(Box<Bucket>),
}

/// A bucket, and how it is reached.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub kind: BucketKind,
    pub name: String,
    /// Before the names of recordings; without a slash at its ends.
    pub prefix: String,
    /// Instead of Amazon's or Google's own address.
    pub endpoint: Option<Url>,
    pub credentials: BucketCredentials,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketKind {
    S3,
    Gcs,
}

/// By the standard names; what is not here is looked for where the environment's machine keeps it.
#[derive(Debug, Clone, Default)]
pub struct BucketCredentials {
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<Secret>,
    pub session_token: Option<Secret>,
    pub region: Option<String>,
    /// Google's service account key, a JSON file.
    pub service_account: Option<PathBuf>,
}

impl RecordingsPlace {
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }
}

/// As it is written.
impl fmt::Display for RecordingsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::DataDir => f.write_str("on"),
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            BucketKind::S3 => "s3",
            BucketKind::Gcs => "gs",
        };
        write!(f, "{scheme}://{}", self.name)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

pub(super) fn read(reader: &mut Reader) -> RecordingsPlace {
    let place = reader.read("CALLIE_RECORDINGS", place).unwrap_or_default();
    let endpoint = reader.read("CALLIE_RECORDINGS_ENDPOINT", endpoint);
    let text = |reader: &mut Reader, name| reader.read(name, |text| Ok(text.to_owned()));
    let secret = |reader: &mut Reader, name| reader.read(name, |text| Ok(Secret::new(text)));
    let credentials = BucketCredentials {
        access_key_id: text(reader, "AWS_ACCESS_KEY_ID"),
        secret_access_key: secret(reader, "AWS_SECRET_ACCESS_KEY"),
        session_token: secret(reader, "AWS_SESSION_TOKEN"),
        region: text(reader, "AWS_REGION"),
        service_account: reader.path("GOOGLE_APPLICATION_CREDENTIALS"),
    };
    match place {
        RecordingsPlace::Bucket(bucket) => RecordingsPlace::Bucket(Box::new(Bucket { endpoint, credentials, ..*bucket })),
        place => {
            if endpoint.is_some() {
                reader.fault("CALLIE_RECORDINGS_ENDPOINT", "stands beside no bucket: CALLIE_RECORDINGS names none".to_owned());
            }
            place
        }
    }
}

fn place(text: &str) -> Result<RecordingsPlace, String> {
    let bucket = |kind, rest: &str| bucket(kind, rest).map(Box::new).map(RecordingsPlace::Bucket).ok_or_else(|| problem(text));
    match text {
        "on" | "true" | "yes" | "1" => Ok(RecordingsPlace::DataDir),
        "off" | "false" | "no" | "0" => Ok(RecordingsPlace::Off),
        _ => match text.split_once("://") {
            Some(("s3", rest)) => bucket(BucketKind::S3, rest),
            Some(("gs", rest)) => bucket(BucketKind::Gcs, rest),
            None if text.starts_with('/') || text.starts_with("./") => Ok(RecordingsPlace::Folder(text.into())),
            _ => Err(problem(text)),
        },
    }
}

fn bucket(kind: BucketKind, rest: &str) -> Option<Bucket> {
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_');
    let is_prefix = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'/');
    let fits = (3..=222).contains(&name.len()) && name.bytes().all(is_name) && prefix.bytes().all(is_prefix);
    let has_odd_part = !prefix.is_empty() && prefix.split('/').any(|part| matches!(part, "" | "." | ".."));
    (fits && !has_odd_part).then(|| Bucket {
        kind,
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: None,
        credentials: BucketCredentials::default(),
    })
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some());
    url.ok_or_else(|| format!("must be an address such as https://minio.example.org:9000, is {text:?}"))
}

fn problem(text: &str) -> String {
    format!("must be on, off, a folder that begins with / or ./, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX, is {text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for (text, shown) in [
            ("on", "on"),
            ("off", "off"),
            ("/mnt/recordings", "/mnt/recordings"),
            ("./rec", "./rec"),
            ("s3://calls", "s3://calls"),
            ("s3://calls/", "s3://calls"),
            ("s3://calls/a/b/", "s3://calls/a/b"),
            ("gs://my-calls.example.org/x", "gs://my-calls.example.org/x"),
        ] {
            assert_eq!(place(text).expect(text).to_string(), shown);
        }
        for bad in [
            "maybe",
            "recordings",
            "s3://",
            "s3://B/x",
            "s3://ab",
            "gs://calls/../x",
            "gs://calls/a//b",
            "az://calls",
            "s3://calls/a b",
        ] {
            assert!(place(bad).is_err_and(|problem| problem.contains("s3://BUCKET")), "{bad}");
        }
    }
}
