//! Runs that come by Kafka: on a real broker, where one was built, and on librdkafka's own stand-in
//! for a cluster.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod agent;
mod broker;
mod secured;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use secrecy::SecretString;
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use towpath::clock::Clock;
use towpath::domain::{ActionId, RunId};
use towpath::intake::Intake;
use towpath::intake::kafka::{Connection, Consumer, Ended};
use towpath::plan::step::Lane;
use towpath::plan::{Decision, Step};
use towpath::seal::SealingKey;
use towpath::store::{RunFilter, Store};
use tracing::instrument::WithSubscriber as _;

use broker::{Broker, Way};

const TOPIC: &str = "org_1.runs";
const GROUP: &str = "org_1.towpath";
const KEY: &str = "a client secret of 32 characters or more";
const PARTITIONS: i32 = 6;
/// How long a member may be silent: the shortest that a broker takes.
const SESSION: Duration = Duration::from_secs(6);
/// Makes a process of this test a member of the group: brokers, store, and their authority.
const MEMBER: &str = "TOWPATH_TEST_KAFKA_MEMBER";

/// What the topic is in.
enum Cluster {
    StandIn(MockCluster<'static, DefaultProducerContext>),
    Real(Broker),
}

impl Cluster {
    fn stand_in(partitions: i32) -> Self {
        let cluster = MockCluster::new(3).unwrap();
        cluster.create_topic(TOPIC, partitions, 3).unwrap();
        Self::StandIn(cluster)
    }

    fn real_or_stand_in(partitions: i32) -> Self {
        Broker::start(partitions).map_or_else(|| Self::stand_in(partitions), Self::Real)
    }

    fn way(&self) -> Way {
        match self {
            Self::StandIn(cluster) => Way { brokers: cluster.bootstrap_servers(), authority: None },
            Self::Real(broker) => {
                Way { brokers: broker.address().to_owned(), authority: Some(broker.authority()) }
            }
        }
    }
}

struct World {
    cluster: Cluster,
    way: Way,
    producer: FutureProducer<DefaultClientContext>,
    store: Store,
    url: String,
    tasks: TaskTracker,
    heard: Heard,
    _folder: TempDir,
}

/// The actions of the runs that were about to be written down, in their order.
type Heard = watch::Sender<Vec<ActionId>>;

impl World {
    async fn start(partitions: i32) -> Self {
        Self::on(Cluster::stand_in(partitions)).await
    }

    /// `None` where no broker was built.
    async fn on_a_real_broker(partitions: i32) -> Option<Self> {
        Some(Self::on(Cluster::Real(Broker::start(partitions)?)).await)
    }

    async fn on(cluster: Cluster) -> Self {
        let way = cluster.way();
        let producer = way.client().create().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Store::open(&url, Clock::system()).await.unwrap();
        let (tasks, heard) = (TaskTracker::new(), Heard::default());
        Self { cluster, way, producer, store, url, tasks, heard, _folder: folder }
    }

    fn broker(&mut self) -> &mut Broker {
        match &mut self.cluster {
            Cluster::Real(broker) => broker,
            Cluster::StandIn(_) => panic!("the broker is none"),
        }
    }

    fn member(&self, store: &Store) -> Consumer {
        let connection = self.way.connection();
        Consumer::new(intake(store, &self.heard), &connection).unwrap().with_backlog(u64::MAX)
    }

    /// A member of the group; it leaves when its token is cancelled.
    fn join(&self, store: &Store) -> CancellationToken {
        let stop = CancellationToken::new();
        self.tasks.spawn(self.member(store).run(stop.clone()));
        stop
    }

    /// A member of the group in a process of its own, so that it can be killed.
    fn join_elsewhere(&self) -> Child {
        let authority = self.way.authority.clone().unwrap_or_default();
        let authority = authority.display();
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kafka::a_member_that_is_killed_by_another_test", "--nocapture"])
            .env(MEMBER, format!("{} {} {authority}", self.way.brokers, self.url))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
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

    async fn run_count(&self) -> usize {
        let all = RunFilter { limit: 100_000, ..RunFilter::default() };
        self.store.runs(&all).await.unwrap().len()
    }

    /// Settles what waits to be done.
    async fn work_off(&self) {
        let lease = Duration::from_mins(1);
        for claimed in self.store.claim(&[Lane::Work], 100, lease).await.unwrap() {
            let decision = Decision::unchanged(claimed.run.clone());
            self.store.settle(&claimed, &decision, None).await.unwrap();
        }
    }

    async fn until_tried(&self, count: usize) {
        self.heard.subscribe().wait_for(|heard| heard.len() >= count).await.unwrap();
    }

    /// The numbers of the runs that were about to be written down, in their order.
    fn order(&self) -> Vec<i32> {
        self.heard.borrow().iter().map(|id| id.as_str()[2..].parse().unwrap()).collect()
    }

    /// Up to where a partition counts as read.
    async fn read_up_to(&self, partition: i32) -> Option<i64> {
        let mut config = self.way.client();
        config.set("group.id", GROUP);
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

    /// Until every partition counts as read to its end. Not at once: while partitions move, no offset
    /// is taken.
    async fn until_counted_as_read(&self, runs: i32) {
        for partition in 0..PARTITIONS {
            let sent = (0..runs).filter(|number| number % PARTITIONS == partition).count();
            while self.read_up_to(partition).await != i64::try_from(sent).ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
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

/// A message as Port signs it; its action is called like its run.
fn signed(run: &str) -> String {
    let mut message = json!({
        "action": run, "context": {"runId": run}, "payload": {"properties": {}},
        "headers": {},
    });
    let timestamp = 1_713_277_889;
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.{message}").as_bytes());
    let signature = format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()));
    message["headers"] = json!({"X-Port-Signature": signature, "X-Port-Timestamp": timestamp});
    message.to_string()
}

/// The connection to brokers that let everybody in.
fn plain(brokers: &str) -> Connection {
    Connection {
        brokers: brokers.to_owned(),
        security_protocol: "PLAINTEXT".to_owned(),
        sasl_mechanism: String::new(),
        credentials: None,
        ca_location: None,
        topic: TOPIC.to_owned(),
        group: GROUP.to_owned(),
        session_timeout: SESSION,
    }
}

fn intake(store: &Store, heard: &Heard) -> Intake {
    let (key, heard) = (SecretString::from(KEY), heard.clone());
    Intake {
        store: store.clone(),
        clock: Clock::system(),
        github_secrets: Vec::new(),
        portal_key: Some(key.clone()),
        sealing_key: SealingKey::of(&key).unwrap(),
        secret_names: Arc::new(move |action| {
            heard.send_modify(|heard| heard.push(action.clone()));
            Vec::new()
        }),
        access_changed: Arc::new(|| {}),
        seen: Arc::new(|_| ()),
    }
}

/// Does nothing, except in a process that [`World::join_elsewhere`] has started: there it is a
/// member of the group until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_killed_by_another_test() {
    #[expect(clippy::disallowed_methods, reason = "how one process of a test tells another")]
    let Ok(told) = std::env::var(MEMBER) else { return };
    let told: Vec<_> = told.split(' ').collect();
    let [brokers, url, authority] = told.as_slice() else { panic!("{told:?}") };
    let authority = Some(PathBuf::from(authority)).filter(|file| file.is_file());
    let way = Way { brokers: (*brokers).to_owned(), authority };
    let store = Store::open(url, Clock::system()).await.unwrap();
    let intake = intake(&store, &Heard::default());
    let consumer = Consumer::new(intake, &way.connection()).unwrap();
    consumer.with_backlog(u64::MAX).run(CancellationToken::new()).await;
}

async fn soon<T>(story: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(5), story).await.expect("it takes too long")
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
        world.until_counted_as_read(2000).await;
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
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_runs_each_is_taken_once_although_one_of_three_members_is_killed() {
    const RUNS: i32 = 10_000;
    soon(async {
        let world = World::on(Cluster::real_or_stand_in(PARTITIONS)).await;
        let mut killed = world.join_elsewhere();
        let _elsewhere = world.join_elsewhere();
        let members = [world.join(&world.store)];
        world.send_runs(0..RUNS / 2).await;
        while world.run_count().await < world.order().len() + 1_000 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        killed.start_kill().unwrap();
        killed.wait().await.unwrap();
        world.send_runs(RUNS / 2..RUNS).await;
        world.until_so_many_runs(usize::try_from(RUNS).unwrap()).await;
        world.until_counted_as_read(RUNS).await;
        world.stop(members).await;

        let filter = RunFilter { limit: 100_000, ..RunFilter::default() };
        let runs = world.store.runs(&filter).await.unwrap();
        let ids: BTreeSet<_> = runs.iter().map(|run| run.id.clone()).collect();
        assert_eq!(ids.len(), usize::try_from(RUNS).unwrap());
        let counts = world.store.counts().await.unwrap();
        assert_eq!(counts.steps_waiting, u64::try_from(RUNS).unwrap(), "one step each");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_is_read_while_much_waits_to_be_done() {
    soon(async {
        let world = World::start(1).await;
        for number in 0..20 {
            world.send(0, &signed(&format!("r_{number}"))).await;
        }
        let (stop, said) = (CancellationToken::new(), Said::default());
        let member = world.member(&world.store).with_backlog(5);
        world.tasks.spawn(member.run(stop.clone()).with_subscriber(said.log()));
        said.until("much work waits").await;
        assert!((5..8).contains(&world.run_count().await), "{}", world.run_count().await);
        while world.run_count().await < 20 {
            let waiting = world.store.counts().await.unwrap().steps_waiting;
            assert!(waiting < 8, "{waiting} wait");
            world.work_off().await;
        }
        world.stop([stop]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_a_partition_says_what_to_ask_for() {
    soon(async {
        let world = World::start(1).await;
        let said = Said::default();
        let first = world.join(&world.store);
        world.send(0, &signed("r_0")).await;
        world.until_so_many_runs(1).await;
        let stop = CancellationToken::new();
        let idle = world.member(&world.store).with_patience(Duration::from_millis(300));
        world.tasks.spawn(idle.run(stop.clone()).with_subscriber(said.log()));
        said.until("no partition of the topic is assigned to this process").await;
        said.until("ask Port's support to enable Kafka").await;
        first.cancel();
        world.send(0, &signed("r_1")).await;
        world.until_so_many_runs(2).await;
        world.stop([stop]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_not_let_in_ends_so_that_it_can_come_with_other_credentials() {
    soon(async {
        let world = World::start(1).await;
        let refused = Connection {
            security_protocol: "SASL_PLAINTEXT".to_owned(),
            sasl_mechanism: "SCRAM-SHA-512".to_owned(),
            credentials: Some(("towpath".to_owned(), "an old password".into())),
            ..plain(&world.way.brokers)
        };
        let member = Consumer::new(intake(&world.store, &world.heard), &refused).unwrap();
        let said = Said::default();
        let run = member.run(CancellationToken::new()).with_subscriber(said.log());
        assert_eq!(run.await, Ended::Refused);
        assert!(!said.all().contains("an old password"));
    })
    .await;
}

/// What a member logs.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn log(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false).finish()
    }

    fn all(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    async fn until(&self, words: &str) {
        while !self.all().contains(words) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Said {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
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
