//! The Firestore backend on the lab's server, and on Google's emulator where it is installed.
//!
//! | module | holds |
//! |---|---|
//! | `bench` | a server and a store on it, and the documents behind the store's back |
//! | `json` | a second reading of Firestore's values, written apart from the store's |
//! | `conformance` | the suite that every backend must pass |
//! | `stored_form` | what lies in Firestore, to the type |
//! | `writers` | lost answers, contention, several servers |
//! | `refusals` | what is told when Firestore cannot be used |

mod bench;
mod conformance;
mod json;
mod refusals;
mod stored_form;
mod writers;
