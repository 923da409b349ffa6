//! Runs that lie in a Kafka topic: read in order, written down, and only then counted as read.
//!
//! An offset is given to the group after the transaction that holds the run. A message that cannot
//! be taken is parked with its offset, and its partition goes on. While nothing can be written down,
//! or more waits here than is worked off, nothing more is read, and the place in the group is kept.

mod connection;
mod look;

use std::collections::VecDeque;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{Consumer as _, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::accept::{Answer, Intake};

pub use connection::{Connection, Obstacle};
pub use look::look;

/// How long to wait before a message is tried again that could not be written down.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long nothing may be assigned before it is said, and how often it is said.
const NOTHING_ASSIGNED: Duration = Duration::from_mins(1);

/// How much due work may wait here before nothing more is read. A topic keeps what it has: more than
/// what is soon worked off need not be here.
const BACKLOG: u64 = 3_000;
/// How often that is looked at: after so long, or after a part of it was read.
const LOOK_AT_BACKLOG: (Duration, u64) = (Duration::from_secs(1), 10);

/// Why a consumer reads no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// The brokers refuse its user name and password.
    Refused,
}

/// Reads a topic as a member of its group.
pub struct Consumer {
    intake: Intake,
    stream: StreamConsumer<Said>,
    topic: String,
    group: String,
    /// Read, and not yet written down: one, or more while nothing can be written.
    waiting: VecDeque<Message>,
    /// How much due work may wait before nothing more is read.
    backlog: u64,
    looked_at_backlog: Instant,
    read_since: u64,
    /// How long nothing may be assigned before it is said.
    patience: Duration,
    refused: CancellationToken,
}

impl Consumer {
    /// A member of the group. It reads once it runs.
    pub fn new(intake: Intake, connection: &Connection) -> Result<Self, KafkaError> {
        let refused = CancellationToken::new();
        let said = Said { refused: refused.clone() };
        let stream: StreamConsumer<Said> = connection.config().create_with_context(said)?;
        stream.subscribe(&[&connection.topic])?;
        Ok(Self {
            intake,
            stream,
            topic: connection.topic.clone(),
            group: connection.group.clone(),
            waiting: VecDeque::new(),
            backlog: BACKLOG,
            looked_at_backlog: Instant::now(),
            read_since: 0,
            patience: NOTHING_ASSIGNED,
            refused,
        })
    }

    /// With another limit of the work that may wait here.
    #[must_use]
    pub fn with_backlog(mut self, steps: u64) -> Self {
        self.backlog = steps;
        self
    }

    /// Says sooner that no partition is assigned.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Reads until it is told to stop, or is not let in any more; then gives its partitions back.
    pub async fn run(mut self, stop: CancellationToken) -> Ended {
        let refused = self.refused.clone();
        while !stop.is_cancelled() && !refused.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = refused.cancelled() => {}
                () = self.read() => {}
            }
            self.write_down(&stop).await;
            self.wait_for_the_work(&stop).await;
        }
        // Leaving the group commits what was stored, and waits for the answer.
        let left = tokio::task::spawn_blocking(move || drop(self.stream)).await;
        if left.is_err() {
            tracing::warn!("the Kafka group was not left in order");
        }
        if stop.is_cancelled() { Ended::Stopped } else { Ended::Refused }
    }

    /// Waits for the next message.
    async fn read(&mut self) {
        let received = tokio::time::timeout(self.patience, self.stream.recv()).await;
        match received {
            Ok(Ok(message)) => {
                let message = Message::of(&message);
                self.waiting.push_back(message);
                self.read_since += 1;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, topic = self.topic, "Kafka cannot be read");
                tokio::time::sleep(TRY_AGAIN).await;
            }
            Err(_silence) => self.say_if_nothing_is_assigned(),
        }
    }

    /// Writes down what was read, in order. While the store does not take it, nothing more is read,
    /// but the group hears that this member lives.
    async fn write_down(&mut self, stop: &CancellationToken) {
        let mut is_paused = false;
        while let Some(message) = self.waiting.front() {
            if self.take(message).await {
                self.count_as_read(message);
                self.waiting.pop_front();
                continue;
            }
            is_paused = self.pause();
            if !self.stay_a_member(stop).await {
                return;
            }
        }
        if is_paused {
            self.resume();
        }
    }

    /// Reads nothing while too much of what was read waits to be done.
    async fn wait_for_the_work(&mut self, stop: &CancellationToken) {
        let (long, part) = LOOK_AT_BACKLOG;
        if self.looked_at_backlog.elapsed() < long && self.read_since < self.backlog / part {
            return;
        }
        let mut is_paused = false;
        while self.is_behind().await {
            if !is_paused {
                tracing::info!(
                    topic = self.topic,
                    "much work waits: no more messages are read for now"
                );
                is_paused = self.pause();
            }
            if !self.stay_a_member(stop).await {
                return;
            }
        }
        if is_paused {
            self.resume();
        }
    }

    async fn is_behind(&mut self) -> bool {
        (self.looked_at_backlog, self.read_since) = (Instant::now(), 0);
        let backlog = self.intake.store.backlog().await.unwrap_or_default();
        backlog.iter().map(|(_, steps)| steps).sum::<u64>() >= self.backlog
    }

    /// Whether the message needs not be read again: its run is on disk, or it is parked, or it
    /// means nothing here.
    async fn take(&self, message: &Message) -> bool {
        let Some(payload) = &message.payload else { return true };
        let answer = self.intake.kafka(payload).await;
        let reason = match &answer {
            Answer::Unproved => Some("The signature is wrong or missing."),
            Answer::NotUnderstood(reason) => Some(reason.as_str()),
            _ => None,
        };
        let mut outcome = outcome_of(&answer);
        if let Some(reason) = reason {
            let source = message.source();
            tracing::warn!(source, reason, "parked a message");
            if self.intake.store.park_message(&source, reason).await.is_err() {
                outcome = "unavailable";
            }
        }
        metrics::counter!(
            "towpath_deliveries_total", "source" => "kafka", "outcome" => outcome
        )
        .increment(1);
        outcome != "unavailable"
    }

    fn count_as_read(&self, message: &Message) {
        let Message { topic, partition, offset, .. } = message;
        // A partition that was taken away meanwhile is read again by its new holder.
        if let Err(error) = self.stream.store_offset(topic, *partition, *offset) {
            tracing::debug!(%error, source = message.source(), "the partition is somebody else's now");
        }
    }

    fn pause(&self) -> bool {
        let paused = self.stream.assignment().and_then(|all| self.stream.pause(&all));
        paused.is_ok()
    }

    fn resume(&self) {
        let resumed = self.stream.assignment().and_then(|all| self.stream.resume(&all));
        if let Err(error) = resumed {
            tracing::warn!(%error, "Kafka cannot be read on");
        }
    }

    /// Waits a little, and goes on asking for messages meanwhile: who does not ask for long is taken
    /// for dead. What comes from a partition that is new and so not paused has to wait, too. Whether
    /// to go on.
    async fn stay_a_member(&mut self, stop: &CancellationToken) -> bool {
        let until = Instant::now() + TRY_AGAIN;
        loop {
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep_until(until) => return true,
                received = self.stream.recv() => {
                    let Ok(message) = received.as_ref().map(Message::of) else { continue };
                    self.waiting.push_back(message);
                    self.pause();
                }
            }
        }
    }

    fn say_if_nothing_is_assigned(&self) {
        if !self.stream.assignment().is_ok_and(|all| all.count() == 0) {
            return;
        }
        tracing::warn!(
            topic = self.topic,
            group = self.group,
            "no partition of the topic is assigned to this process. If other replicas have them \
             all, more partitions are needed to use this one too; else ask Port's support to enable \
             Kafka for the organisation and to let this group read this topic"
        );
    }
}

fn outcome_of(answer: &Answer) -> &'static str {
    match answer {
        Answer::Run(_) | Answer::Recorded => "accepted",
        Answer::Ignored => "ignored",
        Answer::Unproved => "refused",
        Answer::NotUnderstood(_) => "invalid",
        Answer::Unavailable => "unavailable",
    }
}

/// A message, and where it stands.
struct Message {
    topic: String,
    partition: i32,
    offset: i64,
    payload: Option<Vec<u8>>,
}

impl Message {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            payload: message.payload().map(<[u8]>::to_vec),
        }
    }

    fn source(&self) -> String {
        format!("kafka:{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// Where librdkafka's own words go. They name brokers and reasons, never credentials.
struct Said {
    /// Cancelled when the brokers do not take the credentials.
    refused: CancellationToken,
}

impl ClientContext for Said {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, message, "Kafka"),
            _ => tracing::debug!(facility, message, "Kafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(obstacle) = Obstacle::of(&error, reason) else {
            tracing::warn!(%error, reason, "Kafka");
            return;
        };
        tracing::warn!(reason, "Kafka cannot be read: {obstacle}. {}", obstacle.remedy());
        if obstacle == Obstacle::Refused {
            self.refused.cancel();
        }
    }
}

impl ConsumerContext for Said {}
