//! Lines follow documents: one reconciler turns the view of all users into running accounts.
//!
//! Boot, `PUT`, connect and disconnect, an edit in the database by another process: all come in as a new view, and all go
//! through [`callie_domain::account::diff`]. Nobody else starts or stops an account.

mod directory;
mod reconciler;

pub use directory::LineDirectory;
pub use reconciler::Reconciler;
