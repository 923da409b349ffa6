//! The GitHub and the portal that `demo`, `sandbox` and the tests run against. No product room
//! knows it.

pub mod actions;
