//! The canaries, and looking for them in whatever form.

use base64::Engine;
use md5::{Digest, Md5};
use sha2::Sha256;
use std::path::{Path, PathBuf};

/// In every canary, and nowhere else.
const SONG: &str = "xKanarienvogel7391x";

/// A secret with the song in it.
pub fn canary(name: &str) -> String {
    format!("{SONG}-{name}")
}

/// What must not be found anywhere.
pub struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    /// The song, plain and as any base64, hexadecimal or URL that it may be part of shows it, whatever stands before it.
    pub fn new() -> Self {
        let mut forms = vec![("plain".to_owned(), SONG.as_bytes().to_vec())];
        for before in 0..3 {
            let text = [&[0; 2][..before], SONG.as_bytes()].concat();
            let encoded = base64::engine::general_purpose::STANDARD.encode(&text[..text.len() / 3 * 3]);
            // The first characters hold bits of what stands before.
            let own = encoded[if before == 0 { 0 } else { before + 1 }..].to_owned();
            forms.push((format!("base64 behind {before}"), own.replace('+', "-").replace('/', "_").into_bytes()));
            forms.push((format!("base64 behind {before}"), own.into_bytes()));
        }
        let hex: String = SONG.bytes().map(|byte| format!("{byte:02x}")).collect();
        forms.push(("hexadecimal".to_owned(), hex.to_uppercase().into_bytes()));
        forms.push(("hexadecimal".to_owned(), hex.into_bytes()));
        forms.push(("UTF-16".to_owned(), SONG.bytes().flat_map(|byte| [byte, 0]).collect()));
        Self(forms)
    }

    /// The digest that is as good as the password (RFC 7616 §3.4.2), in its two algorithms.
    pub fn add_ha1(&mut self, user: &str, realm: &str, password: &str) {
        let secret = format!("{user}:{realm}:{password}");
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (name, digest) in [("MD5", hex(&Md5::digest(&secret))), ("SHA-256", hex(&Sha256::digest(&secret)))] {
            self.0.push((format!("HA1 by {name} of {user}"), digest.into_bytes()));
        }
    }

    /// Where a canary sings.
    pub fn found_in(&self, what: &str, bytes: &[u8]) -> Vec<String> {
        let heard = |(form, needle): &(String, Vec<u8>)| {
            let at = bytes.windows(needle.len()).position(|window| window == needle)?;
            let around = &bytes[at.saturating_sub(160)..bytes.len().min(at + 80)];
            Some(format!("{what}: {form}, byte {at}: {}", String::from_utf8_lossy(around)))
        };
        self.0.iter().filter_map(heard).collect()
    }

    /// In every file of the folder.
    pub fn found_below(&self, folder: &Path) -> Vec<String> {
        let searched = files(folder).into_iter().map(|file| {
            let bytes = std::fs::read(&file).expect("readable");
            self.found_in(&file.display().to_string(), &bytes)
        });
        searched.flatten().collect()
    }
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_search_finds_every_form() {
    let mut canaries = Canaries::new();
    canaries.add_ha1("alice", "realm", &canary("one"));
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    for text in [
        canary("one"),
        base64.encode(canary("one")),
        base64.encode(format!("alice:{}", canary("one"))),
        base64.encode(format!("al:{}", canary("one"))),
        base64.encode(format!("bob:{}", canary("one"))),
        // echo -n alice:realm:xKanarienvogel7391x-one | md5sum
        Md5::digest(format!("alice:realm:{}", canary("one"))).iter().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        assert!(!canaries.found_in("", format!("… {text} …").as_bytes()).is_empty(), "{text}");
    }
    assert_eq!(canaries.found_in("", b"a Kanarienvogel of another kind"), Vec::<String>::new());
}
