//! The server: the only crate that wires. It turns documents into registered lines, lines into calls, calls into records,
//! and shows all of it over HTTP.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`config`] | the process's configuration |
//! | [`telemetry`] | logs, and traces of calls |
//! | [`stores`] | where users and calls are kept |
//! | [`app`] | the composition root: build, run, drain |
//! | [`api`] | the HTTP API |
//! | [`ui`] | the dashboard's files |
//! | [`engines`] | the conversation engines, from the configuration |
//! | [`first_version`] | the line of the first version's environment, among the users of the store |
//! | [`exchange`] | lines and calls as the API sees them |
//! | [`switchboard`] | the exchange over the running parts |
//! | [`accounts`] | the reconciler: documents into running lines |
//! | [`call`] | calls: the task of each, and the bridge to its agent |
//! | [`doctor`] | proves a line, and says what to do about what is wrong |
//! | [`hooks`] | webhooks: who is told, and the queue to them |
//! | [`health`] | how well each part is |
//! | [`redial`] | calls that are tried again |
//! | [`summaries`] | what a text model makes of calls when they are over |
//! | [`identity`] | who is let in to the API |
//! | [`versions`] | keeps what the users' documents were |
//! | [`outside`] | requests to addresses that users name |
//! | [`tools`] | what agents can do with the call, the store and the network |
//! | [`records`] | what is kept of calls, and the live feed |

pub mod accounts;
pub mod api;
pub mod app;
pub mod call;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod engines;
pub mod exchange;
pub mod first_version;
pub mod health;
pub mod hooks;
pub mod identity;
pub mod outside;
pub mod records;
pub mod redial;
pub mod stores;
pub mod summaries;
pub mod switchboard;
pub mod telemetry;
pub mod tools;
pub mod ui;
pub mod versions;
