//! Delivers actions inside the network, in the place of Port's execution agent: a message becomes a
//! request by the agent's mapping file, is signed as the agent signs it, and what the answer means
//! for the run is read from it.
//!
//! Knows what port-agent does (`app/invokers/webhook_invoker.py`). Does not know about: the store,
//! plans, Port's API, when a delivery is repeated.

mod jq;
mod mapping;
mod network;
mod report;
mod request;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::clock::Clock;
use crate::domain::RunId;
use crate::seal::Secrets;
use jq::Environment;
use mapping::Mappings;
use network::Network;

pub use report::Answered;
pub use request::SendError;

/// How an agent is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The mapping file. `None`: what port-agent does without one of its own.
    pub mapping: Option<PathBuf>,
    /// Private addresses, ranges and hosts that may be called.
    pub allow: Vec<String>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whether certificates are looked at.
    pub verify_certificates: bool,
    /// Certificate authorities beside the system's: a file of PEM.
    pub authorities: Option<PathBuf>,
    /// Whether a request is sent again whose answer was lost, whatever its method.
    pub resend: bool,
    /// What expressions see as `env`.
    pub environment: BTreeMap<String, String>,
}

/// Why a message cannot be delivered. A sentence for the person who pressed the button.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undeliverable(pub String);

/// An agent. Clones share the connections.
#[derive(Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

struct Inner {
    mappings: Mappings,
    environment: Environment,
    network: Network,
    client: reqwest::Client,
    /// Signs requests: the portal's client secret.
    key: Option<SecretString>,
    resend: bool,
    clock: Clock,
}

/// A request that is ready to be sent. It may hold secrets: it is never stored and never logged.
pub struct Prepared {
    request: request::Request,
    mapping: mapping::Mapping,
    mapped: mapping::Mapped,
    message: Value,
    /// What was opened for it.
    secrets: Vec<SecretString>,
    repeatable: bool,
}

impl Agent {
    /// An agent that signs with the portal's client secret. Nothing is sent yet.
    ///
    /// # Errors
    /// One line that names the setting that is wrong.
    pub fn new(
        settings: &Settings,
        key: Option<SecretString>,
        clock: Clock,
    ) -> Result<Self, String> {
        let mappings = match &settings.mapping {
            None => Mappings::default_ones(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| error.to_string())
                .and_then(|text| Mappings::parse(&text))
                .map_err(|error| {
                    format!("CONTROL_THE_PAYLOAD_CONFIG_PATH is {}: {error}", file.display())
                })?,
        };
        let network = Network::parse(&settings.allow)
            .map_err(|error| format!("TOWPATH_AGENT_ALLOW: {error}"))?;
        let client = request::client(settings, &network)?;
        let environment = Environment::new(settings.environment.clone());
        let resend = settings.resend;
        let inner = Inner { mappings, environment, network, client, key, resend, clock };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes the request of a message. `open` opens ciphertext.
    pub async fn prepare(
        &self,
        run: &RunId,
        message: &Value,
        open: impl Fn(&str) -> Option<SecretString>,
    ) -> Result<Prepared, Undeliverable> {
        let mapping = {
            let (inner, message) = (Arc::clone(&self.inner), message.clone());
            computed(move || inner.mappings.for_message(&message, &inner.environment).cloned())
        };
        let mapping = mapping.await?.ok_or_else(|| {
            Undeliverable(
                "No entry of the agent's mapping file is enabled for this action. Correct \
                 `enabled` in the file that CONTROL_THE_PAYLOAD_CONFIG_PATH names."
                    .to_owned(),
            )
        })?;
        let mut clear = message.clone();
        let mut secrets = Vec::new();
        for path in &mapping.encrypted {
            let Some(place) = mapping::place(&mut clear, path) else { continue };
            let Some(opened) = place.as_str().and_then(&open) else {
                return Err(Undeliverable(format!(
                    "{path} is named in `fieldsToDecryptPaths`, and cannot be opened with the \
                     portal's client secret."
                )));
            };
            *place = Value::from(opened.expose_secret());
            secrets.push(opened);
        }
        let mapped = {
            let (inner, mapping) = (Arc::clone(&self.inner), mapping.clone());
            computed(move || mapping.apply(&clear, &inner.environment)).await?
        };
        let request = request::Request::of(&mapped, run)?;
        self.inner
            .network
            .check(&request.url)
            .map_err(|reason| Undeliverable(reason.to_string()))?;
        let repeatable = self.inner.resend || request.is_idempotent();
        let message = message.clone();
        Ok(Prepared { request, mapping, mapped, message, secrets, repeatable })
    }

    /// Sends a request, and reads what its answer means.
    pub async fn send(&self, prepared: Prepared) -> Result<Answered, SendError> {
        let inner = Arc::clone(&self.inner);
        let key = inner.key.as_ref();
        let answer = prepared.request.send(&inner.client, key, inner.clock.now()).await.map_err(
            |error| {
                let secrets = Secrets::new(&prepared.secrets);
                error.cleaned(&secrets)
            },
        )?;
        let inner = Arc::clone(&self.inner);
        computed(move || report::read(&prepared, &answer, &inner.environment))
            .await
            .map_err(|Undeliverable(reason)| SendError::Lost(reason))
    }
}

impl Prepared {
    /// The method and the address, without what may be secret in it.
    pub fn shown(&self) -> String {
        self.request.shown()
    }

    /// Whether it may be sent again when its answer was lost: its method says so, or the settings.
    pub fn is_repeatable(&self) -> bool {
        self.repeatable
    }
}

/// How long the expressions of one message may take.
const COMPUTING: Duration = Duration::from_secs(10);

/// Expressions can take long, or for ever: not where others wait.
async fn computed<T: Send + 'static>(
    compute: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Undeliverable> {
    let computed = tokio::time::timeout(COMPUTING, tokio::task::spawn_blocking(compute)).await;
    match computed {
        Ok(Ok(value)) => Ok(value),
        _ => Err(Undeliverable(
            "The expressions of the agent's mapping file do not come to an end for this action."
                .to_owned(),
        )),
    }
}
