//! The world's numbering plans, as far as limits of calls need them: what a dialled text means, whom it would cost how, and what time
//! it is where it rings. The facts are in `plan.json`, with their source and date.
//!
//! What somebody dials may be read in more than one way (`01150123` is abroad for an American and next door for a Peruvian). All
//! readings that a provider may have are kept: a call is refused when any of them is not allowed.

mod plan;
mod reading;

pub use plan::{Code, Home, Plan, plan};
pub use reading::{Dialled, Reading};
