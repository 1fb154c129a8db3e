//! What sealing a recording costs: a call-second is 32,000 bytes of samples, in five writes.

use callie_domain::CallId;
use callie_store::vault::{DataKey, Opener, Sealer};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

fn call() -> CallId {
    CallId::new(jiff::Timestamp::UNIX_EPOCH, 1)
}

#[divan::bench]
fn seal_a_call_second(bencher: Bencher) {
    let (key, piece) = (DataKey::draw().expect("drawn"), [7u8; 6_400]);
    let mut out = Vec::new();
    let mut sealer = Sealer::begin(&key, call(), &mut out).expect("begun");
    bencher.bench_local(|| {
        out.clear();
        (0..5).for_each(|_| sealer.seal(black_box(&piece), &mut out).expect("sealed"));
    });
}

#[divan::bench]
fn open_a_call_second(bencher: Bencher) {
    let key = DataKey::draw().expect("drawn");
    let mut file = Vec::new();
    let mut sealer = Sealer::begin(&key, call(), &mut file).expect("begun");
    sealer.seal(&[7; 32_000], &mut file).expect("sealed");
    let opener = Opener::new(&file, &key, call()).expect("ours");
    bencher.with_inputs(|| file.clone()).bench_local_refs(|file| {
        for number in 0..10 {
            let (from, to) = (opener.place(number) as usize, opener.place(number + 1) as usize);
            black_box(opener.open(number, &mut file[from..to]).expect("whole"));
        }
    });
}
