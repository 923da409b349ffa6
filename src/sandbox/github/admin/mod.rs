//! The in-process side, in people's words: what the demo and the tests do as people of GitHub, and
//! what tests count and break.

mod controls;
mod git;
mod installations;
mod pull_request;
mod repository;

pub use installations::Installed;
pub use pull_request::{PullRequest, SandboxPull};
pub use repository::SandboxRepository;
