//! A GitHub and a Port that keep state and refuse what the real ones refuse: for the demo, for
//! trying out one's own templates, and for the tests. No product room knows them.

pub mod actions;
pub mod github;
pub mod portal;
pub mod runner;
