//! Kafka, put together: what the settings do not say comes from Port.

use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::screen::count;
use crate::config::KafkaSettings;
use crate::domain::Finding;
use crate::intake::Intake;
use crate::intake::kafka::{Connection, Consumer, Ended, look};
use crate::portal::{Port, Streamer};

/// How long to wait before Port is asked again for brokers and credentials.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// After how long of silence a member of the group is taken for dead: as Port's agent has it.
const SESSION_TIMEOUT: Duration = Duration::from_secs(45);

/// Reads the topic of action runs until the service stops. What is wrong is said, and tried again;
/// with new credentials, where Port has them and the old ones are refused.
pub(super) async fn consume(
    port: Port,
    intake: Intake,
    settings: KafkaSettings,
    stop: CancellationToken,
) {
    if settings.is_agent
        && let Err(error) = port.announce(Streamer::Kafka).await
    {
        tracing::warn!(%error, "Port could not be told that runs are read from Kafka; it may keep them to be polled");
    }
    while !stop.is_cancelled() {
        match consumer(&port, intake.clone(), &settings).await {
            Ok(consumer) => match consumer.run(stop.clone()).await {
                Ended::Stopped => return,
                Ended::Refused if settings.credentials.is_some() => tracing::error!(
                    "Kafka's brokers refuse KAFKA_USERNAME and KAFKA_PASSWORD; correct them"
                ),
                Ended::Refused => tracing::warn!(
                    "Kafka's brokers refuse the credentials; Port is asked for the present ones"
                ),
            },
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

/// What a reader of the topic would meet, for the doctor.
pub(super) async fn look_at(port: &Port, settings: &KafkaSettings) -> Finding {
    let connection = match connection(port, settings).await {
        Ok(connection) => connection,
        Err(error) => {
            let remedy = "Port's support enables Kafka for an organisation.";
            return Finding::bad("Kafka", format!("{error:#}."), remedy);
        }
    };
    let Connection { topic, group, .. } = &connection;
    match look(&connection).await {
        Ok(partitions) => {
            let partitions = count(partitions, "partition");
            Finding::good("Kafka", format!("{topic} is read by {group}; it has {partitions}."))
        }
        Err(obstacle) => {
            Finding::bad("Kafka", format!("It cannot be read: {obstacle}."), obstacle.remedy())
        }
    }
}

async fn connection(port: &Port, settings: &KafkaSettings) -> anyhow::Result<Connection> {
    let mut brokers = settings.brokers.clone();
    let mut credentials = settings.credentials.clone();
    let mut group = settings.group.clone();
    let has_login = settings.security_protocol.to_ascii_uppercase().starts_with("SASL");
    if brokers.is_none() || (credentials.is_none() && has_login) || group.is_none() {
        let known = port.kafka_credentials().await.context("asking Port for its Kafka")?;
        brokers.get_or_insert_with(|| known.brokers.join(","));
        group.get_or_insert_with(|| known.username.clone());
        credentials.get_or_insert((known.username, known.password));
    }
    Ok(Connection {
        brokers: brokers.unwrap_or_default(),
        security_protocol: settings.security_protocol.clone(),
        sasl_mechanism: settings.sasl_mechanism.clone(),
        credentials: credentials.filter(|_| has_login),
        ca_location: settings.ca_location.as_ref().map(|file| file.display().to_string()),
        topic: settings.topic.clone(),
        group: group.unwrap_or_default(),
        session_timeout: SESSION_TIMEOUT,
    })
}
