//! The topic of action runs: where the organisation's agent reads Kafka, what waits for it lies there
//! and not in a claim. The sandbox is no broker: whoever plays one takes the messages from here.

use serde_json::{Value, json};

use super::trigger::signature;
use super::world::World;
use super::{SandboxPort, polling};

/// What `GET /v1/kafka-credentials` answers.
#[derive(Debug, Clone)]
pub struct KafkaAccess {
    /// Hosts and ports.
    pub brokers: Vec<String>,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Default for KafkaAccess {
    fn default() -> Self {
        Self {
            brokers: vec!["127.0.0.1:9092".to_owned()],
            username: "sandbox".to_owned(),
            password: "sandbox".to_owned(),
        }
    }
}

impl SandboxPort {
    /// What was put into the topic since this was asked last, in its order.
    pub fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.world().topic)
    }
}

impl World {
    /// Whether what waits for the agent is put into the topic: the agent has said so.
    fn agent_reads_kafka(&self) -> bool {
        self.organization
            .get("settings")
            .is_some_and(|settings| settings["portAgentStreamerName"] == "KAFKA")
    }

    /// Puts a run that waits for the agent into the topic, if that is where the agent looks. The
    /// author's body lies at the root; the portal adds its own.
    pub(super) fn put_run_into_topic(&mut self, secret: &str, id: &str) {
        if !self.agent_reads_kafka() {
            return;
        }
        let Some(run) = self.runs.get_mut(id) else { return };
        if run.pending.take_if(|it| it.installation == polling::AGENT).is_none() {
            return;
        }
        let mut invocation = run.payload.clone();
        let body = invocation.as_object_mut().and_then(|method| method.shift_remove("body"));
        let mut message = body.filter(Value::is_object).unwrap_or(json!({}));
        add(&mut message, &invocation, id);
        self.put_into_topic(secret, message);
    }

    /// The same for the run of a workflow's node.
    pub(super) fn put_node_into_topic(&mut self, secret: &str, id: &str) {
        if !self.agent_reads_kafka() {
            return;
        }
        let Some(node) = self.nodes.get_mut(id) else { return };
        if node.pending.take_if(|it| it.installation == polling::AGENT).is_none() {
            return;
        }
        let mut message = json!({});
        add(&mut message, &node.config.clone(), id);
        self.put_into_topic(secret, message);
    }

    /// Signs a message inside itself: over everything else, its own headers among it.
    fn put_into_topic(&mut self, secret: &str, mut message: Value) {
        let timestamp = self.clock.now().timestamp();
        let signature = signature(secret, timestamp, &message.to_string());
        message["headers"]["X-Port-Signature"] = json!(signature);
        message["headers"]["X-Port-Timestamp"] = json!(timestamp);
        self.topic.push(message.to_string());
    }
}

/// What the portal adds to what the author has mapped.
fn add(message: &mut Value, invocation: &Value, run: &str) {
    message["payload"]["action"]["invocationMethod"] = invocation.clone();
    message["context"]["runId"] = json!(run);
    message["headers"] = invocation.get("headers").cloned().unwrap_or(json!({}));
}
