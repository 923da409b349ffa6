//! Kafka, put together: what the settings do not say comes from Port.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::config::KafkaSettings;
use crate::intake::Intake;
use crate::intake::kafka::{Connection, Consumer};
use crate::portal::Port;

/// How long to wait before Port is asked again for brokers and credentials.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// Reads the topic of action runs until the service stops. What is wrong is said, and tried again.
pub(super) async fn consume(
    port: Port,
    intake: Intake,
    settings: KafkaSettings,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        match consumer(&port, intake.clone(), &settings).await {
            Ok(consumer) => return consumer.run(stop).await,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "Kafka cannot be read yet");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
    }
}

async fn consumer(
    port: &Port,
    intake: Intake,
    settings: &KafkaSettings,
) -> anyhow::Result<Consumer> {
    let connection = connection(port, settings).await?;
    Consumer::new(intake, &connection).context("the settings of Kafka")
}

async fn connection(port: &Port, settings: &KafkaSettings) -> anyhow::Result<Connection> {
    let mut brokers = settings.brokers.clone();
    let mut credentials = settings.credentials.clone();
    let has_login = settings.security_protocol.to_ascii_uppercase().starts_with("SASL");
    if brokers.is_none() || (credentials.is_none() && has_login) {
        let known = port.kafka_credentials().await.context("asking Port for its Kafka")?;
        brokers.get_or_insert_with(|| known.brokers.join(","));
        credentials.get_or_insert((known.username, known.password));
    }
    Ok(Connection {
        brokers: brokers.unwrap_or_default(),
        security_protocol: settings.security_protocol.clone(),
        sasl_mechanism: settings.sasl_mechanism.clone(),
        credentials: credentials.filter(|_| has_login),
        ca_location: settings.ca_location.as_ref().map(|file| file.display().to_string()),
        topic: settings.topic.clone(),
        group: settings.group.clone(),
    })
}
