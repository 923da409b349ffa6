//! Decides, and does nothing: a request and what is known go in, steps or a refusal come out.
//!
//! Pure: no I/O, no async, no clock. Does not know about: GitHub's or the portal's API, the store.

pub mod step;

pub use step::{Answer, Decision, Step};
