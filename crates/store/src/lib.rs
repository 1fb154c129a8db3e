//! Where users and records live: two traits, their backends, and the sealing of secrets.
//!
//! | module | holds |
//! |---|---|
//! | [`access`] | [`AccessStore`]: API keys and sessions |
//! | [`audit`] | [`AuditStore`]: who did what, in a chain |
//! | [`config`] | [`ConfigStore`]: the users' documents, with revisions and a live view |
//! | [`record`] | [`RecordStore`]: call detail records and events |
//! | [`after_call`] | [`AfterCallStore`]: calls of which a summary is still to be written |
//! | [`analytics`] | [`AnalyticsStore`]: sums of calls, and how long lines were registered |
//! | [`contact`] | [`ContactStore`]: whom the users know |
//! | [`order`] | [`OrderStore`]: calls that are tried again, and keys that make an order good for one call |
//! | [`delivery`] | [`DeliveryStore`]: what is told to users' receivers, and what became of it |
//! | [`migration`] | carrying all documents to another store |
//! | [`retention`] | [`RetentionStore`]: what was said, deleted |
//! | [`rotation`] | which key seals what, and sealing anew |
//! | [`seal`] | [`Keyring`]: passwords at rest |
//! | [`doc`] | the stored form of a user |
//! | [`document`] | [`DocumentStore`]: documents as they lie there, for migration and rotation |
//! | [`firestore`] | the backend for several servers and Google's console |
//! | [`toll`] | [`TollStore`]: what lines have dialled and spent, and whom they are not to call |
//! | [`sqlite`] | [`SqliteStore`]: the embedded backend |
//! | [`vault`] | [`VaultStore`]: the keys of recordings, and how these are sealed |
//! | [`version`] | [`VersionStore`]: what the users' documents were |
//! | [`suite`] | the tests that every backend must pass |

pub mod access;
pub mod after_call;
pub mod analytics;
pub mod audit;
pub mod config;
pub mod contact;
pub mod delivery;
pub mod doc;
pub mod document;
pub mod error;
pub mod firestore;
pub mod migration;
pub mod order;
pub mod record;
pub mod retention;
pub mod rotation;
pub mod seal;
pub mod sqlite;
pub mod suite;
mod tls;
pub mod toll;
pub mod vault;
pub mod version;

pub use access::AccessStore;
pub use after_call::AfterCallStore;
pub use analytics::AnalyticsStore;
pub use audit::AuditStore;
pub use config::{ConfigStore, DocFault, Entry, Revision, StoredUser, UserView};
pub use contact::ContactStore;
pub use delivery::{Delivery, DeliveryFilter, DeliveryState, DeliveryStore, NewDelivery};
pub use document::{Adopted, DocumentStore, Resealed, StoredDocument};
pub use error::StoreError;
pub use order::{NewOrder, Order, OrderState, OrderStore};
pub use record::{CallFilter, CallPage, RecordEntry, RecordStore};
pub use retention::RetentionStore;
pub use seal::Keyring;
pub use sqlite::SqliteStore;
pub use toll::TollStore;
pub use vault::VaultStore;
pub use version::VersionStore;
