//! The GitHub and the portal that `demo`, `sandbox` and the tests run against: real programs with a
//! state of their own, on this machine. No product room knows them.

pub mod portal;
