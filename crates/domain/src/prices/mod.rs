//! What things cost: a table of data, with the date and the source of each price. What is not in it has no price, and the sums say so.
//!
//! | module | holds |
//! |---|---|
//! | [`table`] | the table: read, checked, searched |
//! | [`ledger`] | what a call used, from its events |
//! | [`bill`] | what that comes to |

pub mod bill;
pub mod ledger;
pub mod table;

pub use bill::{Cost, CostLine, Unit};
pub use ledger::{Ledger, Modality, Use};
pub use table::PriceTable;
