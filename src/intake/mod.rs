//! Bytes become accepted facts: a message is proved, read, and written down before anybody is told
//! that it was received.
//!
//! Does not know about: what follows from a message, the portal's and GitHub's APIs, HTTP.

pub mod accept;
pub mod github_event;
mod invocation;
mod json_text;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lost;
pub mod polling;
pub mod portal_message;
pub mod signature;

pub use accept::{Answer, GitHubHeaders, Intake, PortalHeaders};
