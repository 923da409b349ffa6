//! Runs that come by Kafka, on librdkafka's own stand-in for a cluster.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use secrecy::SecretString;
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use towpath::clock::Clock;
use towpath::domain::RunId;
use towpath::intake::Intake;
use towpath::intake::kafka::{Connection, Consumer};
use towpath::plan::Step;
use towpath::seal::SealingKey;
use towpath::store::{RunFilter, Store};

const TOPIC: &str = "org_1.runs";
const GROUP: &str = "org_1.towpath";
const KEY: &str = "a client secret of 32 characters or more";
const PARTITIONS: i32 = 6;

struct World {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer<DefaultClientContext>,
    store: Store,
    url: String,
    tasks: TaskTracker,
    /// How often a run was about to be written down.
    tried: watch::Sender<usize>,
    _folder: TempDir,
}

impl World {
    async fn start(partitions: i32) -> Self {
        let cluster = MockCluster::new(3).unwrap();
        cluster.create_topic(TOPIC, partitions, 3).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.bootstrap_servers());
        let producer = config.create().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Store::open(&url, Clock::system()).await.unwrap();
        let (tasks, tried) = (TaskTracker::new(), watch::Sender::new(0));
        Self { cluster, producer, store, url, tasks, tried, _folder: folder }
    }

    /// A member of the group; it leaves when its token is cancelled.
    fn join(&self, store: &Store) -> CancellationToken {
        let connection = Connection {
            brokers: self.cluster.bootstrap_servers(),
            security_protocol: "PLAINTEXT".to_owned(),
            sasl_mechanism: String::new(),
            credentials: None,
            ca_location: None,
            topic: TOPIC.to_owned(),
            group: GROUP.to_owned(),
        };
        let key = SecretString::from(KEY);
        let tried = self.tried.clone();
        let intake = Intake {
            store: store.clone(),
            clock: Clock::system(),
            github_secrets: Vec::new(),
            portal_key: Some(key.clone()),
            sealing_key: SealingKey::of(&key).unwrap(),
            secret_names: Arc::new(move |_| {
                tried.send_modify(|count| *count += 1);
                Vec::new()
            }),
            access_changed: Arc::new(|| {}),
            seen: Arc::new(|_| ()),
        };
        let consumer = Consumer::new(intake, &connection).unwrap();
        let stop = CancellationToken::new();
        self.tasks.spawn(consumer.run(stop.clone()));
        stop
    }

    async fn send(&self, partition: i32, message: &str) {
        let record = FutureRecord::<(), _>::to(TOPIC).partition(partition).payload(message);
        self.producer.send(record, Duration::from_secs(30)).await.unwrap();
    }

    async fn send_runs(&self, numbers: std::ops::Range<i32>) {
        let sent = numbers.map(async |number| {
            self.send(number % PARTITIONS, &signed(&format!("r_{number}"))).await;
        });
        futures_util::future::join_all(sent).await;
    }

    async fn until_so_many_runs(&self, count: usize) {
        let mut changes = self.store.changes();
        loop {
            let filter = RunFilter { limit: 100_000, ..RunFilter::default() };
            if self.store.runs(&filter).await.unwrap().len() >= count {
                return;
            }
            // Only a look now and then: another store of the same file may have written it.
            let look_again = tokio::time::sleep(Duration::from_millis(100));
            tokio::select! {
                _ = changes.recv() => {}
                () = look_again => {}
            }
        }
    }

    async fn until_tried(&self, count: usize) {
        self.tried.subscribe().wait_for(|tried| *tried >= count).await.unwrap();
    }

    /// Up to where a partition counts as read.
    async fn read_up_to(&self, partition: i32) -> Option<i64> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers()).set("group.id", GROUP);
        tokio::task::spawn_blocking(move || {
            let looker: BaseConsumer = config.create().unwrap();
            let mut wanted = TopicPartitionList::new();
            wanted.add_partition(TOPIC, partition);
            let found = looker.committed_offsets(wanted, Duration::from_secs(30)).unwrap();
            match found.find_partition(TOPIC, partition).unwrap().offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            }
        })
        .await
        .unwrap()
    }

    async fn stop(&self, members: impl IntoIterator<Item = CancellationToken>) {
        members.into_iter().for_each(|member| member.cancel());
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn steps(&self, run: &str) -> usize {
        self.store.steps_of(&RunId::new(run).unwrap()).await.unwrap().len()
    }
}

/// A message as Port signs it.
fn signed(run: &str) -> String {
    let mut message = json!({
        "action": "deploy", "context": {"runId": run}, "payload": {"properties": {}},
        "headers": {},
    });
    let timestamp = 1_713_277_889;
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.{message}").as_bytes());
    let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
    message["headers"] = json!({"X-Port-Signature": signature, "X-Port-Timestamp": timestamp});
    message.to_string()
}

async fn soon<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(2), story).await.expect("it takes too long")
}

#[tokio::test(flavor = "multi_thread")]
async fn three_members_take_each_run_once_although_one_leaves_and_one_comes() {
    soon(async {
        let world = World::start(PARTITIONS).await;
        let second = Store::open(&world.url, Clock::system()).await.unwrap();
        let leaver = world.join(&world.store);
        let mut members = vec![world.join(&second), world.join(&world.store)];
        world.send_runs(0..700).await;
        world.until_so_many_runs(300).await;
        leaver.cancel();
        world.send_runs(700..1400).await;
        world.until_so_many_runs(900).await;
        members.push(world.join(&world.store));
        world.send_runs(1400..2000).await;
        world.until_so_many_runs(2000).await;
        world.stop(members).await;

        let filter = RunFilter { limit: 100_000, ..RunFilter::default() };
        let runs = world.store.runs(&filter).await.unwrap();
        let ids: BTreeSet<_> = runs.iter().map(|run| run.id.clone()).collect();
        assert_eq!(ids.len(), 2000);
        for run in &ids {
            let steps = world.store.steps_of(run).await.unwrap();
            let steps: Vec<_> = steps.iter().map(|recorded| &recorded.step).collect();
            assert_eq!(steps, [&Step::Begin], "{run}");
        }
        for partition in 0..PARTITIONS {
            let sent = (0..2000).filter(|number| number % PARTITIONS == partition).count();
            assert_eq!(world.read_up_to(partition).await, i64::try_from(sent).ok());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_taken_is_parked_and_those_behind_it_go_on() {
    soon(async {
        let world = World::start(1).await;
        let change = json!({"action": "UPDATE", "resourceType": "entity", "diff": {"after": {}}});
        let changed_byte = signed("r_1").replace("r_1", "r_2");
        for message in ["no JSON", &changed_byte, &change.to_string(), &signed("r_3")] {
            world.send(0, message).await;
        }
        let member = world.join(&world.store);
        world.until_so_many_runs(1).await;
        world.stop([member]).await;

        assert_eq!(world.steps("r_3").await, 1);
        let parked = world.store.parked_messages(10).await.unwrap();
        let places: BTreeSet<_> = parked.iter().map(|message| message.source.as_str()).collect();
        assert_eq!(places, ["kafka:org_1.runs/0/0", "kafka:org_1.runs/0/1"].into());
        assert_eq!(world.store.count_parked_messages().await.unwrap(), 2);
        assert_eq!(world.read_up_to(0).await, Some(4));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_not_counted_as_read_and_waits_for_who_can() {
    soon(async {
        let world = World::start(1).await;
        let closed = Store::open(&world.url, Clock::system()).await.unwrap();
        closed.close().await;
        for number in 0..3 {
            world.send(0, &signed(&format!("r_{number}"))).await;
        }
        let sick = world.join(&closed);
        world.until_tried(2).await;
        assert_eq!(world.read_up_to(0).await, None);
        sick.cancel();
        let healthy = world.join(&world.store);
        world.until_so_many_runs(3).await;
        world.stop([healthy]).await;
        assert_eq!(world.read_up_to(0).await, Some(3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_goes_on_when_the_store_can_be_written_again() {
    soon(async {
        let world = World::start(1).await;
        for number in 0..3 {
            world.send(0, &signed(&format!("r_{number}"))).await;
        }
        // Somebody else holds the one write lock for longer than a writer waits for it.
        let pool = sqlx::SqlitePool::connect(&world.url).await.unwrap();
        let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let member = world.join(&world.store);
        world.until_tried(2).await;
        assert_eq!(world.read_up_to(0).await, None);
        lock.rollback().await.unwrap();
        world.until_so_many_runs(3).await;
        world.stop([member]).await;
        assert_eq!(world.read_up_to(0).await, Some(3));
    })
    .await;
}
