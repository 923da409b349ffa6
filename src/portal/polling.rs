//! Calls of an agent: runs that wait for it are claimed, and acknowledged before they are done;
//! where its Kafka is.
//!
//! Port keeps these calls for its own clients: they are not in its API description. Their form is
//! read from those clients (port-agent, `app/port_client.py`; ocean, `clients/port/mixins`).

use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::transport::Call;
use super::{Error, Port};
use crate::domain::action_run::RunKind;
use crate::domain::{ActionId, RunId};

/// The installation of the execution agent, for which actions with `agent: true` wait.
const AGENT: &str = "_PORT_EXEC_AGENT";

/// How long a claim hides a run from others. Port's default; said where Port's client says it.
const HIDDEN_MILLIS: u64 = 60_000;

/// For whom runs are claimed: the execution agent, or an integration by its own id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation(String);

impl Installation {
    /// By its id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// Whether it is the execution agent, whose calls differ a little.
    pub fn is_agent(&self) -> bool {
        self.0 == AGENT
    }
}

/// How an organisation's execution agent takes its runs. There is one way at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streamer {
    /// Claimed and acknowledged.
    Polling,
    /// Read from the topic of action runs.
    Kafka,
}

/// Port's Kafka, for one organisation.
#[derive(Debug, Clone)]
pub struct KafkaCredentials {
    /// Addresses with ports.
    pub brokers: Vec<String>,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: SecretString,
}

impl Port {
    /// Says how runs for the execution agent are taken, so that Port keeps them for that.
    pub async fn announce(&self, streamer: Streamer) -> Result<(), Error> {
        let name = match streamer {
            Streamer::Polling => "POLLING",
            Streamer::Kafka => "KAFKA",
        };
        let settings = json!({"settings": {"portAgentStreamerName": name}});
        self.transport.write(Call::new(Method::PATCH, ["organization"]).body(settings)).await
    }

    /// Where the organisation's Kafka topics are, and as whom they are read.
    pub async fn kafka_credentials(&self) -> Result<KafkaCredentials, Error> {
        #[derive(Deserialize)]
        struct Found {
            credentials: Known,
        }
        #[derive(Deserialize)]
        struct Known {
            brokers: Vec<String>,
            username: String,
            password: String,
        }
        let call = Call::new(Method::GET, ["kafka-credentials"]);
        let Found { credentials: Known { brokers, username, password } } =
            self.transport.read(call).await?;
        Ok(KafkaCredentials { brokers, username, password: password.into() })
    }

    /// Claims up to so many waiting runs, none of these actions. For a minute nobody else gets
    /// them; if they are not acknowledged by then, they can be claimed again.
    pub async fn claim(
        &self,
        installation: &Installation,
        kind: RunKind,
        limit: u32,
        without: &[ActionId],
    ) -> Result<Vec<Value>, Error> {
        #[derive(Deserialize)]
        struct Claimed {
            #[serde(alias = "nodeRuns")]
            runs: Vec<Value>,
        }
        let path = match kind {
            RunKind::Action | RunKind::Own => ["actions", "runs", "claim-pending"],
            RunKind::WorkflowNode => ["workflows", "runs", "claim-pending"],
        };
        let body = claim_body(installation, kind, limit, without);
        let call = Call::new(Method::POST, path).reserved().body(body);
        let Claimed { runs } = self.transport.read(call).await?;
        Ok(runs)
    }

    /// Takes a claimed run for good. Whether it was still there to be taken.
    pub async fn acknowledge(
        &self,
        installation: &Installation,
        run: &RunId,
        kind: RunKind,
    ) -> Result<bool, Error> {
        let (path, body) = match kind {
            RunKind::Action if installation.is_agent() => {
                (["actions", "runs", "ack"], json!({"runIds": [run]}))
            }
            RunKind::Action | RunKind::Own => (["actions", "runs", "ack"], json!({"runId": run})),
            RunKind::WorkflowNode => {
                (["workflows", "runs", "ack"], json!({"nodeRunIdentifier": run}))
            }
        };
        let call = Call::new(Method::PATCH, path).reserved().body(body);
        match self.transport.read(call).await {
            Ok(answer) => Ok(is_taken(&answer)),
            Err(Error::Refused { status: 409, .. } | Error::NotFound(_) | Error::Exhausted) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn claim_body(
    installation: &Installation,
    kind: RunKind,
    limit: u32,
    without: &[ActionId],
) -> Value {
    let mut body = json!({"installationId": installation.0, "limit": limit});
    if !installation.is_agent() {
        body["visibilityTimeoutMs"] = json!(HIDDEN_MILLIS);
    } else if kind == RunKind::Action {
        body["invocationMethod"] = json!("WEBHOOK");
    }
    if !without.is_empty() {
        body["exclude"] = json!(without);
    }
    body
}

/// A success may still say that nothing was taken.
fn is_taken(answer: &Value) -> bool {
    answer["ackedCount"] != 0 && answer["acked"] != false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_the_form_of_the_client_in_whose_place_it_is_made() {
        let (agent, own) = (Installation::new(AGENT), Installation::new("my-github"));
        let busy = [ActionId::new("deploy").unwrap()];
        assert_eq!(
            claim_body(&agent, RunKind::Action, 100, &[]),
            json!({"installationId": AGENT, "limit": 100, "invocationMethod": "WEBHOOK"})
        );
        assert_eq!(
            claim_body(&agent, RunKind::WorkflowNode, 100, &[]),
            json!({"installationId": AGENT, "limit": 100})
        );
        assert_eq!(
            claim_body(&own, RunKind::Action, 7, &busy),
            json!({
                "installationId": "my-github", "limit": 7, "visibilityTimeoutMs": 60_000,
                "exclude": ["deploy"],
            })
        );
    }

    #[test]
    fn a_success_that_took_nothing_is_no_success() {
        assert!(is_taken(&json!({"ok": true, "ackedCount": 1})));
        assert!(is_taken(&json!({"acked": true})));
        assert!(is_taken(&json!({"ok": true})));
        assert!(!is_taken(&json!({"ackedCount": 0})));
        assert!(!is_taken(&json!({"acked": false})));
    }
}
