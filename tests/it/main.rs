//! Stories through the front door, and what holds the house together.

mod architecture;
mod files_agree;
mod http;
mod intake;
mod portal;
mod store;
mod support;
mod templates;
