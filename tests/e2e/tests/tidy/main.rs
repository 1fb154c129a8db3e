//! The house rules that no compiler enforces: who imports whom, how long a file may be, and that each says what it is.
//!
//! It reads the sources as text, so it is quick and strict; `//` comments are not looked at.

mod imports;
mod shape;
mod sources;
