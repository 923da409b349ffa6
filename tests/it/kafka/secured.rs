//! On a real broker with TLS and a password: that it is let in, that it says so when it is not, that a
//! broker may go and come, and the settings by their names.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use towpath::intake::kafka::{Connection, Consumer, Ended, Obstacle, look};
use towpath::sandbox::portal::{KafkaAccess, Options, SandboxPort};
use tracing::instrument::WithSubscriber as _;

use super::broker::{Broker, PASSWORD, USER};
use super::{GROUP, KEY, PARTITIONS, Said, TOPIC, World, intake, signed, soon};
use crate::support::process::{Environment, Process};

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_read_in_order_although_the_broker_is_killed_and_comes_back() {
    soon(async {
        let Some(mut world) = World::on_a_real_broker(PARTITIONS).await else { return };
        let members = [world.join(&world.store), world.join(&world.store)];
        world.send_runs(0..600).await;
        world.until_so_many_runs(100).await;
        world.broker().kill();
        world.broker().start_again();
        world.send_runs(600..1200).await;
        world.until_so_many_runs(1200).await;
        world.until_counted_as_read(1200).await;
        world.stop(members).await;

        let filter = towpath::store::RunFilter { limit: 100_000, ..Default::default() };
        assert_eq!(world.store.runs(&filter).await.unwrap().len(), 1200);
        assert_eq!(world.store.counts().await.unwrap().steps_waiting, 1200, "one step each");
        for partition in 0..PARTITIONS {
            let of_partition = |number: &i32| number % PARTITIONS == partition;
            let sent: Vec<_> = (0..1200).filter(of_partition).collect();
            let mut taken = world.order();
            taken.retain(of_partition);
            // What was read and not yet counted as read is read again, and changes nothing.
            let mut known = std::collections::BTreeSet::new();
            taken.retain(|number| known.insert(*number));
            assert_eq!(taken, sent, "partition {partition}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_and_told_to_nobody() {
    soon(async {
        let Some(world) = World::on_a_real_broker(1).await else { return };
        let wrong = Connection {
            credentials: Some((USER.to_owned(), "an old password".into())),
            ..world.way.connection()
        };
        assert_eq!(look(&wrong).await, Err(Obstacle::Refused));
        let said = Said::default();
        let member = Consumer::new(intake(&world.store, &world.heard), &wrong).unwrap();
        let run = member.run(CancellationToken::new()).with_subscriber(said.log());
        assert_eq!(run.await, Ended::Refused);
        assert!(said.all().contains("Correct KAFKA_USERNAME and KAFKA_PASSWORD"), "{}", said.all());
        assert!(!said.all().contains("an old password"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_somebody_else_is_named_and_nothing_is_sent_there() {
    soon(async {
        let Some(mut world) = World::on_a_real_broker(1).await else { return };
        world.send(0, &signed("r_0")).await;
        let stranger = world.broker().stranger();
        let trusting_another = Connection {
            ca_location: Some(stranger.display().to_string()),
            ..world.way.connection()
        };
        assert_eq!(look(&trusting_another).await, Err(Obstacle::Untrusted));
        let (stop, said) = (CancellationToken::new(), Said::default());
        let member = Consumer::new(intake(&world.store, &world.heard), &trusting_another).unwrap();
        let run = member.run(stop.clone()).with_subscriber(said.log());
        let running = world.tasks.spawn(run);
        said.until("Name the file with the brokers' authority in KAFKA_SSL_CA_LOCATION").await;
        stop.cancel();
        assert_eq!(running.await.unwrap(), Ended::Stopped, "it goes on trying until it is told");
        assert_eq!(world.run_count().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_there_is_told_from_one_that_is_not() {
    soon(async {
        let Some(world) = World::on_a_real_broker(3).await else { return };
        assert_eq!(look(&world.way.connection()).await, Ok(3));
        let another = Connection { topic: "org_2.runs".to_owned(), ..world.way.connection() };
        assert_eq!(look(&another).await, Err(Obstacle::NoTopic("org_2.runs".to_owned())));
    })
    .await;
}

/// The settings of a service that reads this broker's topic.
fn environment(broker: &Broker, portal: &SandboxPort, database: &str) -> Environment {
    Environment::from([
        ("TOWPATH_DATABASE_URL", database.to_owned()),
        ("TOWPATH_TEMPLATES", "templates".to_owned()),
        ("GITHUB_API_URL", "http://127.0.0.1:9".to_owned()),
        ("PORT_API_URL", portal.url()),
        ("PORT_CLIENT_ID", portal.client_id().to_owned()),
        ("PORT_CLIENT_SECRET", portal.client_secret().to_owned()),
        ("PORT_ORG_ID", "org_1".to_owned()),
        ("TOWPATH_INTAKE", "kafka".to_owned()),
        ("KAFKA_SSL_CA_LOCATION", broker.authority().display().to_string()),
    ])
}

async fn portal_with(broker: &Broker, password: &str) -> SandboxPort {
    let kafka = KafkaAccess {
        brokers: vec![broker.address().to_owned()],
        username: USER.to_owned(),
        password: password.to_owned(),
    };
    let options = Options { client_secret: KEY.to_owned(), kafka, ..Options::default() };
    SandboxPort::start(options).await.unwrap()
}

/// What the doctor finds of Kafka that is not well, or all that is well.
async fn doctor(environment: &Environment) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    let told = command.args(["doctor", "--format", "json"]).env_clear().envs(environment);
    let Output { stdout, stderr, .. } = told.stdin(Stdio::null()).output().await.unwrap();
    let found: Vec<Value> = serde_json::from_slice(&stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
    found.into_iter().filter(|finding| finding["about"] == "Kafka").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_user_and_password_come_from_the_portal_or_from_the_settings_by_their_names() {
    soon(async {
        let Some(mut world) = World::on_a_real_broker(1).await else { return };
        let database = world.url.clone();
        let portal = portal_with(world.broker(), PASSWORD).await;
        let from_portal = environment(world.broker(), &portal, &database);
        let without = portal_with(world.broker(), "not this one").await;
        let mut from_settings = environment(world.broker(), &without, &database);
        from_settings.extend([
            ("KAFKA_BROKERS", world.broker().address().to_owned()),
            ("KAFKA_RUNS_TOPIC", TOPIC.to_owned()),
            ("KAFKA_GROUP_ID", GROUP.to_owned()),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL".to_owned()),
            ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
            ("KAFKA_USERNAME", USER.to_owned()),
            ("KAFKA_PASSWORD", PASSWORD.to_owned()),
        ]);
        for (number, environment) in [from_portal, from_settings].iter().enumerate() {
            let service = Process::serve_after(":", environment).await;
            world.send(0, &signed(&format!("r_{number}"))).await;
            world.until_so_many_runs(number + 1).await;
            let found = doctor(environment).await;
            let says: Vec<_> = found.iter().map(|finding| finding["says"].as_str()).collect();
            let read = "org_1.runs is read by org_1.towpath; it has 1 partition.";
            assert_eq!(says, [Some("Every broker is reached."), Some(read)]);
            service.stop();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_and_the_doctor_say_which_setting_keeps_the_topic_from_being_read() {
    soon(async {
        let Some(mut world) = World::on_a_real_broker(1).await else { return };
        let database = world.url.clone();
        let portal = portal_with(world.broker(), "not this one").await;
        let refused = environment(world.broker(), &portal, &database);
        let mut corrected = refused.clone();
        corrected.extend([
            ("KAFKA_USERNAME", USER.to_owned()),
            ("KAFKA_PASSWORD", "nor this one".to_owned()),
        ]);
        let mut untrusted = refused.clone();
        let stranger = world.broker().stranger().display().to_string();
        untrusted.extend([("KAFKA_SSL_CA_LOCATION", stranger)]);
        for (environment, log, setting) in [
            (&refused, "Port is asked for the present ones", "KAFKA_PASSWORD"),
            (
                &corrected,
                "refuse KAFKA_USERNAME and KAFKA_PASSWORD; correct them",
                "KAFKA_PASSWORD",
            ),
            (&untrusted, "authority in KAFKA_SSL_CA_LOCATION", "KAFKA_SSL_CA_LOCATION"),
        ] {
            let service = Process::serve_after(":", environment).await;
            while !service.log().contains(log) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let log = service.stop();
            assert!(!log.contains("this one"), "a password is told: {log}");
            let found = doctor(environment).await;
            let [reached, ill] = found.as_slice() else { panic!("{found:?}") };
            assert_eq!(reached["verdict"], "good");
            assert_eq!(ill["verdict"], "bad");
            assert!(ill["remedy"].as_str().unwrap().contains(setting), "{ill}");
        }
    })
    .await;
}
