//! Actions that name an address inside the network, as they come by Kafka: to the delivery there, and
//! to the report in the portal.

use std::time::Duration;

use axum::http::StatusCode;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::json;
use towpath::config::KafkaSettings;
use towpath::domain::RunId;
use towpath::sandbox::portal::KafkaAccess;

use super::broker::{PASSWORD, USER};
use super::{Cluster, TOPIC, soon};
use crate::stories::agent::{Answer, Inner, add_button, allowing, press};
use crate::world::{Kind, World};

/// A world whose portal puts what waits for its agent into a topic.
struct ByKafka {
    world: World,
    producer: FutureProducer,
    _cluster: Cluster,
}

impl ByKafka {
    async fn start() -> Self {
        let cluster = Cluster::real_or_stand_in(2);
        let way = cluster.way();
        let is_secured = way.authority.is_some();
        let settings = KafkaSettings {
            // Brokers, group, user and password come from the portal.
            brokers: None,
            topic: TOPIC.to_owned(),
            group: None,
            is_agent: true,
            security_protocol: if is_secured { "SASL_SSL" } else { "PLAINTEXT" }.to_owned(),
            sasl_mechanism: "SCRAM-SHA-512".to_owned(),
            credentials: None,
            ca_location: way.authority.clone(),
        };
        let access = KafkaAccess {
            brokers: way.brokers.split(',').map(str::to_owned).collect(),
            username: USER.to_owned(),
            password: PASSWORD.to_owned(),
        };
        let kafka = Some((settings, access));
        let world = World::of(Kind { kafka, agent: allowing(), ..Kind::default() }).await;
        while !world.asked_of_portal().iter().any(|call| call == "PATCH /v1/organization") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { world, producer: way.client().create().unwrap(), _cluster: cluster }
    }

    /// What the portal has put into the topic is there.
    async fn carry(&self) -> Vec<String> {
        let messages = self.world.portal.take_messages();
        for message in &messages {
            let record = FutureRecord::<(), _>::to(TOPIC).partition(0).payload(message);
            self.producer.send(record, Duration::from_secs(30)).await.unwrap();
        }
        messages
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_comes_by_kafka_is_delivered_signed_and_its_answer_is_reported() {
    soon(Box::pin(async {
        let (inner, by_kafka) = (Inner::start().await, ByKafka::start().await);
        let world = &by_kafka.world;
        inner.answers(Answer::With(StatusCode::CREATED, json!({"restarted": ["é"]})));
        let headers = json!({"X-Team": "platform"});
        let more = json!({"synchronized": true, "method": "PUT", "headers": headers});
        add_button(world, &inner.url, &more);
        let run = press(world, json!({"name": "é漢😀", "count": 1.5})).await;
        let messages = by_kafka.carry().await;
        assert_eq!(messages.len(), 1, "the portal has put the run into the topic");
        let shown = world.until_portal(&run, "SUCCESS", "Succeeded").await;

        assert_eq!(shown.response, Some(json!({"restarted": ["é"]})));
        let got = inner.only();
        assert_eq!(got.method, "PUT");
        assert!(!got.headers.contains_key("x-team"), "the mapping file names the headers, as ever");
        assert_eq!(got.headers["idempotency-key"], run.as_str());
        got.assert_is_signed(world.portal.client_secret());
        let body = got.json();
        assert_eq!(body["context"], json!({"runId": run}));
        assert_eq!(body["payload"]["properties"], json!({"name": "é漢😀", "count": 1.5}));
        assert_eq!(body["headers"], headers, "without the signature that the message came with");
        assert!(world.portal_log(&run).contains("answered 201."));

        // The same message once more, as after a lost offset.
        let record = FutureRecord::<(), _>::to(TOPIC).partition(0).payload(&messages[0]);
        by_kafka.producer.send(record, Duration::from_secs(30)).await.unwrap();
        let next = press(world, json!({})).await;
        by_kafka.carry().await;
        world.until_portal(&next, "SUCCESS", "Succeeded").await;
        assert_eq!(inner.got().len(), 2, "one request for each run");
        by_kafka.world.end().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asynchronous_action_by_kafka_is_left_to_whoever_got_it_and_a_refusal_ends_it() {
    soon(Box::pin(async {
        let (inner, by_kafka) = (Inner::start().await, ByKafka::start().await);
        let world = &by_kafka.world;
        add_button(world, &inner.url, &json!({}));
        let run = press(world, json!({"token": "s3cr3t-t0ken"})).await;
        by_kafka.carry().await;
        world.until_portal(&run, "IN_PROGRESS", "Delivered").await;
        world.end_in_the_portal(&run).await;
        let ciphertext = inner.only().json()["payload"]["properties"]["token"].clone();
        assert!(ciphertext.as_str().is_some_and(|text| text.len() > 40), "{ciphertext}");

        inner.answers(Answer::With(StatusCode::CONFLICT, json!({"error": "busy"})));
        let refused = press(world, json!({})).await;
        by_kafka.carry().await;
        let shown = world.until_portal(&refused, "FAILURE", "Failed").await;
        assert!(shown.summary.unwrap().ends_with("answered 409."));
        let told = format!("{:?} {}", world.portal.requests(), world.on_disk());
        assert!(!told.contains("s3cr3t-t0ken"), "the secret is told");
        by_kafka.world.end().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_workflow_that_comes_by_kafka_is_delivered_and_its_answer_is_its_output() {
    soon(Box::pin(async {
        let (inner, by_kafka) = (Inner::start().await, ByKafka::start().await);
        let world = &by_kafka.world;
        inner.answers(Answer::With(StatusCode::OK, json!({"n": 1})));
        let config = json!({
            "type": "WEBHOOK", "agent": true, "url": inner.url, "synchronized": true,
            "headers": {"X-A": "b"},
        });
        let node = world.portal.reach_node(config);
        by_kafka.carry().await;
        world.until_label(&RunId::new(node.as_str()).unwrap(), "Succeeded").await;
        world.rest().await;
        let shown = world.portal.node_run(&node).unwrap();
        let end = (shown.status.as_str(), shown.result.as_deref());
        assert_eq!(end, ("COMPLETED", Some("SUCCESS")));
        assert_eq!(shown.output.unwrap()["response"], json!({"status": 200, "data": {"n": 1}}));
        assert_eq!(inner.only().json()["headers"], json!({"X-A": "b"}));
        by_kafka.world.end().await;
    }))
    .await;
}
