//! Puts the built dashboard into the binary. It looks whether `web/dist/dashboard` is there and builds nothing itself: a build
//! without Node works, and `/dashboard` then says how to get one (`make web`).
//!
//! The result is one file of Rust, a table sorted by path, which `src/ui` includes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let web = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("../../web/dist");
    // The folder itself is in the repository, so that this does not run again for want of it.
    println!("cargo::rerun-if-changed={}", web.display());
    println!("cargo::rerun-if-changed=build.rs");
    let root = web.join("dashboard");
    let mut files = Vec::new();
    if root.join("index.html").is_file() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let rows = files.iter().map(|file| row(&root, file)).collect::<io::Result<String>>()?;
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?).join("dashboard.rs");
    fs::write(out, format!("&[\n{rows}]\n"))
}

/// All files that are served; compressed forms are found beside them.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if !path.extension().is_some_and(|e| e == "br" || e == "gz") {
            files.push(path.canonicalize()?);
        }
    }
    Ok(())
}

fn row(root: &Path, file: &Path) -> io::Result<String> {
    let path = file.strip_prefix(root.canonicalize()?).map_err(io::Error::other)?;
    let compressed = |ending: &str| {
        let beside = PathBuf::from(format!("{}.{ending}", file.display()));
        if beside.is_file() { format!("Some(include_bytes!({beside:?}))") } else { "None".to_owned() }
    };
    let path = path.to_string_lossy().replace('\\', "/");
    Ok(format!(
        "    Asset {{ path: {path:?}, plain: include_bytes!({file:?}), brotli: {}, gzip: {} }},\n",
        compressed("br"),
        compressed("gz"),
    ))
}
