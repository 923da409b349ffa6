//! Stories through the front door, and what holds the house together.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]
#![expect(clippy::print_stderr, reason = "what is not run is named")]

mod architecture;
mod author;
mod backstage;
mod dashboard;
mod docs;
mod doctor;
mod events;
mod files_agree;
mod house;
mod http;
mod intake;
#[cfg(feature = "kafka")]
mod kafka;
mod library;
mod portal;
mod sandbox_github;
mod secrets;
mod setup;
mod several;
mod simulation;
mod store;
mod stories;
mod support;
mod templates;
mod traces;
mod ways;
mod world;
