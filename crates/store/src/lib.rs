//! Where users and records live: two traits, their backends, and the sealing of secrets.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | [`ConfigStore`]: the users' documents, with revisions and a live view |
//! | [`record`] | [`RecordStore`]: call detail records and events |

pub mod config;
pub mod error;
pub mod record;

pub use config::{ConfigStore, DocFault, Entry, Revision, StoredUser, UserView};
pub use error::StoreError;
pub use record::{CallFilter, CallPage, RecordStore};
