//! The way to GitHub: HTTP, the App's identity, installations and their tokens, GraphQL.
//!
//! Knows how a call is made, authorised and answered; not what any call is for.

pub(super) mod answer;
pub(super) mod call;
pub(super) mod graphql;
pub(super) mod identity;
pub(super) mod installations;
mod limits;
mod pace;
mod remembered;
pub(super) mod transport;

pub(super) use answer::Answer;
pub(super) use call::{Call, Reading, encoded, encoded_path};
pub(super) use graphql::{Graph, GraphqlError};
