//! Files that appear whole or not at all, readable by their owner alone (mode 0600).

use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Makes the file unless it is there: written beside it, synced, then linked, which fails when somebody was quicker.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |temporary| match fs::hard_link(temporary, path) {
        // Another process made it in the meantime: its content counts.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        // A file system without hard links.
        Err(_) if !path.exists() => fs::rename(temporary, path),
        other => other,
    })
}

/// Puts the file in place of the one that is there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, |temporary| fs::rename(temporary, path))
}

fn put(path: &Path, bytes: &[u8], publish: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let temporary = beside(path);
    let published = write_new(&temporary, bytes).and_then(|()| publish(&temporary));
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != ErrorKind::NotFound => published.and(Err(e)),
        _ => published,
    }?;
    File::open(folder_of(path))?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name in the same folder that no other process uses at the same time.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let nanos = Timestamp::now().subsec_nanosecond();
    path.with_file_name(format!(".{name}.{}.{nanos}.tmp", std::process::id()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
