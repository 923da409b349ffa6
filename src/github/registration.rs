//! Registering the App: the code that the browser brings back from GitHub becomes an App.

use http::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::connection::transport::Transport;
use super::connection::{Call, encoded};
use super::{Error, SetupError};
use crate::clock::Clock;
use crate::domain::RegisteredApp;

/// GitHub's host, before there is an App to be there.
#[derive(Debug)]
pub struct Registry {
    transport: Transport,
}

#[derive(Deserialize)]
struct Conversion {
    id: u64,
    slug: String,
    html_url: String,
    client_id: String,
    client_secret: SecretString,
    webhook_secret: Option<SecretString>,
    pem: SecretString,
}

impl Registry {
    /// Prepares to ask the API at this address. Needs a Tokio runtime.
    pub fn new(api_url: &str, clock: Clock) -> Result<Self, SetupError> {
        Ok(Self { transport: Transport::new(api_url, clock)? })
    }

    /// The App of a code, with its secrets. A code is good once and for an hour, so that an answer
    /// that is lost ([`Error::Unclear`]) is lost with the App's key.
    pub async fn register(&self, code: &str) -> Result<RegisteredApp, Error> {
        let path = format!("/app-manifests/{}/conversions", encoded(code));
        let call = Call::write(Method::POST, "registering the app", path, json!({}));
        let made: Conversion = self.transport.send_as_nobody(&call).await?.json(call.doing())?;
        Ok(RegisteredApp {
            id: made.id,
            slug: made.slug,
            html_url: made.html_url.trim_end_matches('/').to_owned(),
            client_id: made.client_id,
            client_secret: made.client_secret,
            webhook_secret: made.webhook_secret,
            private_key: made.pem,
        })
    }
}
