//! `callie openapi`: the description of the API on stdout, the very bytes of the committed `openapi.json`.

use super::terminal;
use crate::api::openapi::document_text;

pub fn print() -> anyhow::Result<()> {
    terminal::say(&document_text())
}
