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
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    // The folder itself is in the repository, so that this does not run again for want of it.
    println!("cargo::rerun-if-changed={}", web.display());
    println!("cargo::rerun-if-changed=build.rs");
    let root = web.join("dashboard");
    let mut files = Vec::new();
    if root.join("index.html").is_file() {
        collect(&root, &mut files)?;
    }
    files.sort();
    let copies = out.join("dashboard");
    fs::create_dir_all(&copies)?;
    let rows = files.iter().map(|file| row(&root, file, &copies)).collect::<io::Result<String>>()?;
    fs::write(out.join("dashboard.rs"), format!("&[\n{rows}]\n"))
}

/// All files that are served; compressed forms are found beside them.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if !path.extension().is_some_and(|e| e == "br" || e == "gz") {
            files.push(path);
        }
    }
    Ok(())
}

/// What is compiled is a copy: the next build of the dashboard may come while the compiler still reads.
fn row(root: &Path, file: &Path, copies: &Path) -> io::Result<String> {
    let path = file.strip_prefix(root).map_err(io::Error::other)?.to_string_lossy().replace('\\', "/");
    let flat = path.replace('/', "_");
    let included = |ending: &str| -> io::Result<Option<String>> {
        let source = PathBuf::from(format!("{}{ending}", file.display()));
        if !source.is_file() {
            return Ok(None);
        }
        let copy = copies.join(format!("{flat}{ending}"));
        fs::copy(&source, &copy)?;
        Ok(Some(format!("include_bytes!({copy:?})")))
    };
    let plain = included("")?.ok_or_else(|| io::Error::other("the dashboard is being built at this moment"))?;
    let optional = |form: Option<String>| form.map_or_else(|| "None".to_owned(), |form| format!("Some({form})"));
    let (brotli, gzip) = (optional(included(".br")?), optional(included(".gz")?));
    Ok(format!("    Asset {{ path: {path:?}, plain: {plain}, brotli: {brotli}, gzip: {gzip} }},\n"))
}
