//! The portal: the only room that knows Port's API.
//!
//! Each method is one request with a plain answer. What is to be said and in what order is decided
//! by [`report`]; whether and when to try again is the worker's business, and [`Error`] tells it
//! what it needs for that. Does not know about: GitHub, the store, plans.

pub mod definition;
mod entity;
pub mod error;
pub mod limit;
mod polling;
pub mod report;
mod run;
mod token;
mod transport;

use secrecy::SecretString;

use crate::clock::Clock;
use transport::Transport;

pub use error::Error;
pub use polling::{Installation, KafkaCredentials, Streamer};
pub use run::{PatchRun, RunSeen};

/// A client of Port's API. Clones share the connections and the token.
#[derive(Clone)]
pub struct Port {
    transport: std::sync::Arc<Transport>,
}

impl Port {
    /// A client for the API below `<base_url>/v1`, with the credentials of one organisation.
    /// Nothing is sent yet.
    pub fn new(
        base_url: &str,
        client_id: impl Into<String>,
        client_secret: SecretString,
        clock: Clock,
    ) -> Result<Self, Error> {
        let transport = Transport::new(base_url, client_id.into(), client_secret, clock)?;
        Ok(Self { transport: std::sync::Arc::new(transport) })
    }
}
