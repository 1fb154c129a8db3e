//! The Firestore backend: users as documents of the collection `user_configs`, for several servers and a console at once.
//!
//! | module | holds |
//! |---|---|
//! | `value` | Firestore's values into JSON and back |

mod value;
