//! Where the topic is, as whom it is read, and what may stand in the way of that.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use secrecy::{ExposeSecret as _, SecretString};

/// Where the topic is, and as whom it is read.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The brokers, comma-separated.
    pub brokers: String,
    /// `SASL_SSL`, `PLAINTEXT`, …
    pub security_protocol: String,
    /// `SCRAM-SHA-512`, …
    pub sasl_mechanism: String,
    /// User name and password, where the protocol has them.
    pub credentials: Option<(String, SecretString)>,
    /// A file with the brokers' certificate authority, where it is not a public one.
    pub ca_location: Option<String>,
    /// The topic.
    pub topic: String,
    /// The consumer group. Its members share the partitions.
    pub group: String,
    /// After how long of silence a member is taken for dead, and its partitions are given to others.
    pub session_timeout: Duration,
}

impl Connection {
    pub(super) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("security.protocol", &self.security_protocol)
            .set("group.id", &self.group)
            .set("client.id", "towpath")
            .set("session.timeout.ms", self.session_timeout.as_millis().to_string())
            // What lay there before the first start is still to be done.
            .set("auto.offset.reset", "earliest")
            // Only what was stored by `store_offset` is committed: now and then, when a partition is
            // given away, and at the end.
            .set("enable.auto.offset.store", "false")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            // Partitions that stay are read on while others move.
            .set("partition.assignment.strategy", "cooperative-sticky");
        if let Some((username, password)) = &self.credentials {
            config
                .set("sasl.mechanism", &self.sasl_mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.expose_secret());
        }
        if let Some(file) = &self.ca_location {
            config.set("ssl.ca.location", file);
        }
        config
    }
}

/// What keeps a topic from being read until somebody mends a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// User name and password are not taken.
    #[error("the brokers refuse the user name and the password")]
    Refused,
    /// The brokers' certificate is of nobody who is trusted.
    #[error("the brokers' certificate is not signed by an authority that is trusted here")]
    Untrusted,
    /// The topic is not there, or may not be read.
    #[error("the brokers have no topic {0} that may be read")]
    NoTopic(String),
    /// Anything else, in the library's words.
    #[error("{0}")]
    Other(String),
}

impl Obstacle {
    /// What an error means to whoever wrote the settings; nothing where it may pass by itself.
    pub(super) fn of(error: &KafkaError, reason: &str) -> Option<Self> {
        match error.rdkafka_error_code()? {
            RDKafkaErrorCode::Authentication => Some(Self::Refused),
            RDKafkaErrorCode::SSL if reason.contains("certificate") => Some(Self::Untrusted),
            RDKafkaErrorCode::SSL => Some(Self::Other(reason.to_owned())),
            _ => None,
        }
    }

    /// What is to be done about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Refused => {
                "Correct KAFKA_USERNAME and KAFKA_PASSWORD, or leave both out to get them from Port."
            }
            Self::Untrusted => {
                "Name the file with the brokers' authority in KAFKA_SSL_CA_LOCATION; leave it out \
                 where the authority is a public one."
            }
            Self::NoTopic(_) => {
                "Check PORT_ORG_ID, which names the topic, and ask Port's support to enable Kafka for \
                 the organisation."
            }
            Self::Other(_) => "Check the settings that begin with KAFKA_.",
        }
    }
}
