//! Whether the topic can be read, without becoming a member of its group.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;

use super::connection::{Connection, Obstacle};

/// How long the brokers may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is looked whether they have refused, meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// How long is listened for it then. Not at all would be too short: the library's own lines are in
/// the same queue, and each of them ends such a listening.
const A_MOMENT: Duration = Duration::from_millis(100);

/// How many partitions the topic has, asked with the settings of a reader.
pub async fn look(connection: &Connection) -> Result<usize, Obstacle> {
    let (config, topic) = (connection.config(), connection.topic.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let heard = Heard::default();
        let asker: BaseConsumer<Heard> = config
            .create_with_context(heard.clone())
            .map_err(|error| Obstacle::Other(error.to_string()))?;
        ask(&asker, &heard, &topic)
    });
    looked.await.unwrap_or_else(|error| Err(Obstacle::Other(error.to_string())))
}

fn ask(asker: &BaseConsumer<Heard>, heard: &Heard, topic: &str) -> Result<usize, Obstacle> {
    let started = Instant::now();
    loop {
        let error = match asker.fetch_metadata(Some(topic), LOOK) {
            Ok(answer) => return partitions(&answer, topic),
            Err(error) => error,
        };
        // What went wrong meanwhile is only told to who asks for messages.
        while asker.poll(A_MOMENT).is_some() {}
        if let Some(obstacle) = heard.obstacle() {
            return Err(obstacle);
        }
        if started.elapsed() > PATIENCE {
            return Err(Obstacle::Other(format!("the brokers do not answer: {error}")));
        }
    }
}

fn partitions(answer: &rdkafka::metadata::Metadata, topic: &str) -> Result<usize, Obstacle> {
    let found = answer.topics().iter().find(|found| found.name() == topic);
    found
        .filter(|found| found.error().is_none())
        .map(|found| found.partitions().len())
        .filter(|partitions| *partitions > 0)
        .ok_or_else(|| Obstacle::NoTopic(topic.to_owned()))
}

/// The first error that says what is to be mended.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Option<Obstacle>>>);

impl Heard {
    fn obstacle(&self) -> Option<Obstacle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Heard {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "Kafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *first = first.take().or_else(|| Obstacle::of(&error, reason));
    }
}

impl ConsumerContext for Heard {}
