//! A sealed recording as a WAV file: its length is known before anything is read but its end, and any part of it can be
//! had without what comes before.

use super::{Bucket, RecordingFault};
use bytes::{Bytes, BytesMut};
use callie_domain::CallId;
use callie_media::record::{HEADER_BYTES, header};
use callie_store::vault::format::HEADER_LEN;
use callie_store::vault::{Cut, DataKey, Opener, Standing};
use futures::stream::{BoxStream, Stream, StreamExt as _, TryStreamExt as _, try_unfold};
use std::io::{self, SeekFrom};
use std::ops::Range;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

/// Read from the disk at once.
const PIECE: usize = 64 * 1024;

/// A recording that has been opened.
pub struct Player {
    source: Source,
    opener: Opener,
    /// Full chunks.
    full: u64,
    /// What follows them, opened.
    end: Bytes,
    pub standing: Standing,
}

/// Where the sealed bytes are.
enum Source {
    File(File),
    Object(Bucket, String),
}

impl Source {
    /// The bytes of a range, in pieces.
    async fn pieces(self, range: Range<u64>) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        match self {
            Self::File(mut file) => {
                file.seek(SeekFrom::Start(range.start)).await?;
                Ok(ReaderStream::with_capacity(file.take(range.end - range.start), PIECE).boxed())
            }
            Self::Object(bucket, name) => bucket.pieces(&name, range).await,
        }
    }
}

impl Player {
    pub(super) async fn of_file(mut file: File, beginning: &[u8], key: &DataKey, call: CallId) -> Result<Self, RecordingFault> {
        let opener = Opener::new(beginning, key, call)?;
        let Cut { full, rest } = opener.cut(file.metadata().await?.len());
        file.seek(SeekFrom::Start(opener.place(full))).await?;
        let mut end = vec![0; rest as usize];
        file.read_exact(&mut end).await?;
        Ok(Self::new(Source::File(file), opener, full, &end))
    }

    pub(super) async fn of_object(bucket: Bucket, name: &str, key: &DataKey, call: CallId) -> Result<Self, RecordingFault> {
        let (beginning, size) = bucket.part(name, 0..HEADER_LEN as u64).await?;
        let opener = Opener::new(&beginning, key, call)?;
        let Cut { full, rest } = opener.cut(size);
        let place = opener.place(full);
        let end = if rest > 0 { bucket.part(name, place..place + rest).await?.0 } else { Bytes::new() };
        Ok(Self::new(Source::Object(bucket, name.to_owned()), opener, full, &end))
    }

    fn new(source: Source, opener: Opener, full: u64, end: &[u8]) -> Self {
        let (standing, end) = opener.open_end(full, end).unwrap_or((Standing::Open, Vec::new()));
        Self { source, opener, full, end: end.into(), standing }
    }

    /// Bytes of the WAV file.
    pub fn length(&self) -> u64 {
        HEADER_BYTES + self.samples_bytes()
    }

    fn samples_bytes(&self) -> u64 {
        self.full * self.opener.chunk() + self.end.len() as u64
    }

    /// A part of the WAV file. A chunk that does not open ends it with an error; one that comes first is told at once.
    pub async fn play(self, range: Range<u64>) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + 'static> {
        let head = Bytes::copy_from_slice(&header(self.samples_bytes()));
        let head = part(&head, &range, 0);
        let full_bytes = self.full * self.opener.chunk();
        let samples = range.start.saturating_sub(HEADER_BYTES)..range.end.saturating_sub(HEADER_BYTES);
        let tail = part(&self.end, &samples, full_bytes);
        let chunks = samples.start.min(full_bytes)..samples.end.min(full_bytes);
        let mut body = chunks_of(self.source, self.opener, chunks).await?;
        // A fault at the beginning can still be told as one.
        let first = body.try_next().await?.unwrap_or_default();
        let known = |bytes: Bytes| futures::stream::iter((!bytes.is_empty()).then_some(Ok(bytes)));
        Ok(known(head).chain(known(first)).chain(body).chain(known(tail)))
    }

    /// The whole WAV file.
    pub async fn wav(self) -> io::Result<Vec<u8>> {
        let whole = 0..self.length();
        let pieces: Vec<Bytes> = self.play(whole).await?.try_collect().await?;
        Ok(pieces.concat())
    }
}

/// What of `bytes`, which begin at `at`, lies within the range.
fn part(bytes: &Bytes, range: &Range<u64>, at: u64) -> Bytes {
    let within = |place: u64| place.saturating_sub(at).min(bytes.len() as u64) as usize;
    let (from, to) = (within(range.start), within(range.end));
    if from < to { bytes.slice(from..to) } else { Bytes::new() }
}

/// The samples of a range that lies in full chunks.
async fn chunks_of(source: Source, opener: Opener, samples: Range<u64>) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
    if samples.is_empty() {
        return Ok(futures::stream::empty().boxed());
    }
    let (first, behind) = (samples.start / opener.chunk(), samples.end.div_ceil(opener.chunk()));
    let pieces = source.pieces(opener.place(first)..opener.place(behind)).await?;
    let opening = Opening { pieces, opener, sealed: BytesMut::new(), next: first, behind, samples };
    Ok(try_unfold(opening, Opening::step).boxed())
}

/// Chunks on their way.
struct Opening {
    pieces: BoxStream<'static, io::Result<Bytes>>,
    opener: Opener,
    sealed: BytesMut,
    next: u64,
    /// The first that is not wanted.
    behind: u64,
    samples: Range<u64>,
}

impl Opening {
    /// What is whole of what has come.
    async fn step(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.next == self.behind {
            return Ok(None);
        }
        let size = self.opener.sealed_chunk() as usize;
        while self.sealed.len() < size {
            let piece = self.pieces.try_next().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.sealed.extend_from_slice(&piece);
        }
        let at = self.next * self.opener.chunk();
        let mut clear = Vec::with_capacity(self.sealed.len());
        while self.sealed.len() >= size && self.next < self.behind {
            let mut chunk = self.sealed.split_to(size);
            clear.extend_from_slice(self.opener.open(self.next, &mut chunk).map_err(io::Error::other)?);
            self.next += 1;
        }
        let wanted = part(&clear.into(), &self.samples, at);
        Ok(Some((wanted, self)))
    }
}
