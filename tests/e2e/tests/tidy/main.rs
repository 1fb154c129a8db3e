//! The house rules that no compiler enforces: who imports whom, how long a file may be, that each says what it is, and that the
//! files for those who run the server fit each other.
//!
//! It reads the sources as text, so it is quick and strict; `//` comments are not looked at.

mod deploy;
mod imports;
mod shape;
mod sources;
