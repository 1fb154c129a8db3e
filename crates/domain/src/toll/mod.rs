//! What a line may dial: the one decision behind every call that costs somebody something, whether a program asks for it, an operator, or an
//! agent that a caller has talked into it. Time is an argument, and so is what has been dialled so far.
//!
//! ```text
//!  dialled ─▶ destination ─▶ do-not-call ─▶ window ─▶ counters ─▶ go, for so long at most
//!                 └──────────────┴────────────┴──────────┴──────▶ Refusal: which limit, and why
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`destination`] | where to |
//! | [`window`] | when, on the clock of those who are called |
//! | [`counter`] | how much |
//! | [`refusal`] | why not |

pub mod counter;
pub mod destination;
pub mod refusal;
pub mod window;

pub use counter::{Counters, Grant, Spent};
pub use destination::{Destination, numbers_of};
pub use refusal::{Limit, Refusal};
