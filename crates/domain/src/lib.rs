//! What the product is: users, their telephone accounts, calls and what is kept of them.
//!
//! Values and decisions only. Nothing here does IO, awaits, reads a clock or draws a random number: time and entropy
//! are arguments. Nothing here knows a vendor, a SIP stack or a database.
//!
//! | module | holds |
//! |---|---|
//! | [`ids`] | newtypes for every name: user, call, MAC address, contact token |
//! | [`identity`] | who asks, and what they may do |
//! | [`secret`] | passwords that never print themselves |
//! | [`fault`] | what is wrong with an input, field by field |
//! | [`user`] | the configuration document of one user, parsed |
//! | [`analytics`] | figures of many calls: groups of time, uptime of lines |
//! | [`audio`] | how a user's audio travels: codecs, encryption, keys |
//! | [`offer`] | what a conversation engine lets a user choose |
//! | [`numbering`] | numbering plans: what a dialled text means and may cost |
//! | [`pem`] | certificates and keys as texts: their shape |
//! | [`account`] | the telephone account derived from a user, and the difference between desired and running |
//! | [`prices`] | what things cost, and what a call came to |
//! | [`registration`] | the states a registration can be in, as shown to people |
//! | [`claims`] | what the agent said it did, against what its tools did |
//! | [`contact`] | whom a user knows |
//! | [`dial`] | what may be dialled |
//! | [`retry`] | calls that are tried again |
//! | [`examination`] | what is found when a line is examined |
//! | [`toll`] | what a line may dial, when, and how much |
//! | [`call`] | one call as a pure machine: inputs and time in, outputs out |
//! | [`record`] | what is kept of a call: events, the call detail record, how it ended |

pub mod account;
pub mod analytics;
pub mod audio;
pub mod call;
pub mod claims;
pub mod contact;
pub mod dial;
pub mod examination;
pub mod fault;
pub mod identity;
pub mod ids;
pub mod numbering;
pub mod offer;
pub mod pem;
pub mod prices;
pub mod record;
pub mod registration;
pub mod retry;
pub mod secret;
pub mod toll;
pub mod user;

pub use account::{AcceptFrom, Account, Change, HostPort, LineUpkeep, TlsSettings, Transport};
pub use contact::Contact;
pub use dial::DialTarget;
pub use fault::{Faults, FieldFault};
pub use identity::{ApiKey, Need, Role, Session};
pub use ids::{CallId, ContactToken, DeliveryId, MacAddress, OrderId, UserId};
pub use offer::Offer;
pub use secret::Secret;
pub use user::User;
