//! Templates from repositories: read at a commit, checked, put in force, and refreshed.
//!
//! What is in force only ever changes as a whole, and only to a set that was checked. The last good
//! one is kept in the database, so that a start needs no GitHub, and so that the processes that
//! share it hear of a new one. A commit that is no good leaves the old one in force; a check run on
//! it says why. Does not know about: runs, the portal.

mod address;
mod judgement;
mod keeper;
mod look;
mod snapshot;

pub use address::{Address, Origin, origins};
pub use keeper::{Error, Given, Keeper};
pub use snapshot::read;
