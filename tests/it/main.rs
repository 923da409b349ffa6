//! Stories through the front door, and what holds the house together.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod architecture;
mod author;
mod dashboard;
mod docs;
mod files_agree;
mod http;
mod intake;
mod portal;
mod sandbox_github;
mod store;
mod stories;
mod support;
mod templates;
mod world;
