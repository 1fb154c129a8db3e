//! Packets that libsrtp protected, for the tests: see the head of `vectors.txt`.

use super::{KEY_LEN, SrtpKey, SrtpSuite};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Rtp,
    Rtcp,
}

#[derive(Debug)]
pub struct Vector {
    pub suite: SrtpSuite,
    pub key: [u8; KEY_LEN],
    pub kind: Kind,
    pub plain: Vec<u8>,
    pub protected: Vec<u8>,
}

impl Vector {
    pub fn key(&self) -> SrtpKey {
        SrtpKey::new(self.key)
    }
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

pub fn libsrtp() -> Vec<Vector> {
    let lines = include_str!("vectors.txt").lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let columns: Vec<_> = line.split(' ').collect();
            let [suite, key, kind, plain, protected] = columns[..] else { panic!("five columns: {line}") };
            Vector {
                suite: SrtpSuite::ALL.into_iter().find(|known| known.name() == suite).expect("a suite of ours"),
                key: unhex(key).try_into().expect("thirty octets"),
                kind: if kind == "rtp" { Kind::Rtp } else { Kind::Rtcp },
                plain: unhex(plain),
                protected: unhex(protected),
            }
        })
        .collect()
}
