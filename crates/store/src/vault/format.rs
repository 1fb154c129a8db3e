//! A sealed recording: a header, then chunks of which each is sealed by itself, as in STREAM (Hoang et al. 2015).
//!
//! ```text
//! header[28] = "callrec" ‖ 1 ‖ bytes of a chunk: u32 big-endian ‖ take[16]
//! chunk n    = AES-256-GCM(file key, nonce = 0[7] ‖ n: u32 big-endian ‖ kind, associated data = header) ‖ tag[16]
//! file key   = HKDF-SHA256(data key, salt = take, info = purpose and call)
//! kind       = 0: full, more follow · 1: the end, shorter than a full one · 2: the end, put there after a crash, empty
//! ```
//!
//! A chunk that is bent, moved, taken away or of another recording does not open; a recording without its end is told apart from a
//! complete one by its length and its last chunk alone. No nonce is used twice: a file begins with a take of its own, and a
//! number is used once for each kind, for the third with nothing in it.

use super::key::{DataKey, draw};
use crate::seal::SealError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use callie_domain::CallId;
use zeroize::Zeroizing;

pub const HEADER_LEN: usize = 28;
pub const TAG_LEN: usize = 16;
const MAGIC: &[u8; 8] = b"callrec\x01";
const PURPOSE: &[u8] = b"callie/recording/v1/";
/// 100 ms of both sides: what a crash may cost besides the time between two writes.
pub const CHUNK: u32 = 3_200;
/// Of a header that is believed: one chunk is held in memory.
const LARGEST_CHUNK: u32 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatFault {
    #[error("it is no sealed recording of a form that is known")]
    Foreign,
    #[error("its {0}th chunk is damaged, out of its place or not of this recording")]
    Damaged(u64),
    #[error("it is longer than a sealed recording can be")]
    TooLong,
    #[error(transparent)]
    Key(#[from] SealError),
}

/// How a recording ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it was ended.
    Complete,
    /// The process died; an end was put behind what there was.
    Mended,
    /// It has no end: it goes on, or something was cut off.
    Open,
}

/// What comes first in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header([u8; HEADER_LEN]);

impl Header {
    fn new(take: &[u8; 16]) -> Self {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&CHUNK.to_be_bytes());
        bytes[12..].copy_from_slice(take);
        Self(bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, FormatFault> {
        let bytes: [u8; HEADER_LEN] = bytes.get(..HEADER_LEN).and_then(|b| b.try_into().ok()).ok_or(FormatFault::Foreign)?;
        let header = Self(bytes);
        let is_ours = bytes.starts_with(MAGIC) && (1..=LARGEST_CHUNK).contains(&header.chunk());
        is_ours.then_some(header).ok_or(FormatFault::Foreign)
    }

    fn chunk(&self) -> u32 {
        let [.., a, b, c, d] = *self.0.first_chunk::<12>().expect("the header is longer");
        u32::from_be_bytes([a, b, c, d])
    }

    fn key(&self, data: &DataKey, call: CallId) -> LessSafeKey {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &self.0[12..]);
        let mut key = Zeroizing::new([0; 32]);
        let call = call.to_string();
        let info = [PURPOSE, call.as_bytes()];
        let prk = salt.extract(&*data.0);
        let okm = prk.expand(&info, &AES_256_GCM).expect("32 bytes are far below HKDF's limit");
        okm.fill(&mut *key).expect("the buffer has the length asked for");
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).expect("the key has the algorithm's length"))
    }
}

/// Whether the file begins as a sealed recording does.
pub fn is_sealed(beginning: &[u8]) -> bool {
    beginning.starts_with(b"callrec")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Full = 0,
    End = 1,
    Mend = 2,
}

fn nonce(number: u64, kind: Kind) -> Result<Nonce, FormatFault> {
    let number = u32::try_from(number).map_err(|_| FormatFault::TooLong)?;
    let mut bytes = [0; NONCE_LEN];
    bytes[7..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = kind as u8;
    Ok(Nonce::assume_unique_for_key(bytes))
}

fn seal(key: &LessSafeKey, header: &Header, number: u64, kind: Kind, clear: &[u8], out: &mut Vec<u8>) -> Result<(), FormatFault> {
    let at = out.len();
    out.extend_from_slice(clear);
    let body = out.get_mut(at..).unwrap_or_default();
    let tag = key
        .seal_in_place_separate_tag(nonce(number, kind)?, Aad::from(&header.0), body)
        .map_err(|_| FormatFault::Key(SealError::TooLong))?;
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Seals a recording from its beginning to its end.
pub struct Sealer {
    header: Header,
    key: LessSafeKey,
    number: u64,
    /// What does not fill a chunk yet.
    rest: Zeroizing<Vec<u8>>,
}

impl Sealer {
    /// `out` is given the header.
    pub fn begin(data: &DataKey, call: CallId, out: &mut Vec<u8>) -> Result<Self, FormatFault> {
        let header = Header::new(&*draw()?);
        out.extend_from_slice(&header.0);
        let key = header.key(data, call);
        Ok(Self { header, key, number: 0, rest: Zeroizing::new(Vec::with_capacity(CHUNK as usize)) })
    }

    /// `out` is given the chunks that are full.
    pub fn seal(&mut self, mut clear: &[u8], out: &mut Vec<u8>) -> Result<(), FormatFault> {
        while self.rest.len() + clear.len() >= CHUNK as usize {
            let (now, later) = clear.split_at(CHUNK as usize - self.rest.len());
            self.rest.extend_from_slice(now);
            seal(&self.key, &self.header, self.number, Kind::Full, &self.rest, out)?;
            self.rest.clear();
            self.number += 1;
            clear = later;
        }
        self.rest.extend_from_slice(clear);
        Ok(())
    }

    /// `out` is given the end. Nothing must be sealed after it.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), FormatFault> {
        seal(&self.key, &self.header, self.number, Kind::End, &self.rest, out)?;
        self.rest.clear();
        Ok(())
    }
}

/// Opens the chunks of a recording, in any order.
pub struct Opener {
    header: Header,
    key: LessSafeKey,
}

/// What a file's length says: so many full chunks, and so many bytes behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub full: u64,
    pub rest: u64,
}

impl Opener {
    /// `beginning`: the file's first [`HEADER_LEN`] bytes.
    pub fn new(beginning: &[u8], data: &DataKey, call: CallId) -> Result<Self, FormatFault> {
        let header = Header::parse(beginning)?;
        let key = header.key(data, call);
        Ok(Self { header, key })
    }

    /// Bytes that a full chunk holds.
    pub fn chunk(&self) -> u64 {
        self.header.chunk().into()
    }

    /// Bytes that a full chunk takes.
    pub fn sealed_chunk(&self) -> u64 {
        self.chunk() + TAG_LEN as u64
    }

    pub fn cut(&self, file_bytes: u64) -> Cut {
        let body = file_bytes.saturating_sub(HEADER_LEN as u64);
        Cut { full: body / self.sealed_chunk(), rest: body % self.sealed_chunk() }
    }

    /// Where chunk `number` begins in the file.
    pub fn place(&self, number: u64) -> u64 {
        HEADER_LEN as u64 + number * self.sealed_chunk()
    }

    /// Opens a full chunk in its place; gives what is in it.
    pub fn open<'a>(&self, number: u64, sealed: &'a mut [u8]) -> Result<&'a [u8], FormatFault> {
        let clear = self.open_as(number, Kind::Full, sealed)?;
        if clear.len() as u64 == self.chunk() { Ok(clear) } else { Err(FormatFault::Damaged(number)) }
    }

    /// Opens what follows the full chunks. `None`: it is no end.
    pub fn open_end(&self, number: u64, rest: &[u8]) -> Option<(Standing, Vec<u8>)> {
        for (kind, standing) in [(Kind::End, Standing::Complete), (Kind::Mend, Standing::Mended)] {
            let mut sealed = rest.to_vec();
            if let Ok(clear) = self.open_as(number, kind, &mut sealed) {
                return Some((standing, clear.to_vec()));
            }
        }
        None
    }

    /// The end of a recording whose process died, behind `number` full chunks.
    pub fn mend(&self, number: u64) -> Result<Vec<u8>, FormatFault> {
        let mut out = Vec::new();
        seal(&self.key, &self.header, number, Kind::Mend, &[], &mut out)?;
        Ok(out)
    }

    fn open_as<'a>(&self, number: u64, kind: Kind, sealed: &'a mut [u8]) -> Result<&'a [u8], FormatFault> {
        let clear = self.key.open_in_place(nonce(number, kind)?, Aad::from(&self.header.0), sealed);
        clear.map(|clear| &*clear).map_err(|_| FormatFault::Damaged(number))
    }
}
