//! The ways in that need no inbound connection: runs that are fetched from the portal.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use towpath::cli::polling::PortOffers;
use towpath::clock::Clock;
use towpath::domain::RunId;
use towpath::intake::Intake;
use towpath::intake::polling::{Polling, Trouble};
use towpath::plan::Step;
use towpath::portal::{Installation, Port, Streamer};
use towpath::sandbox::portal::{Fault, FaultKind, Options, SandboxPort, Trigger};
use towpath::seal::SealingKey;
use towpath::store::{RunFilter, Store};

const CLAIM: &str = "/v1/actions/runs/claim-pending";
const ACK: &str = "/v1/actions/runs/ack";
const AGENT: &str = "_PORT_EXEC_AGENT";
const OWN: &str = "my-github";

struct World {
    sandbox: SandboxPort,
    clock: Clock,
    store: Store,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let clock = Clock::system();
        let options = Options { clock: clock.clone(), ..Options::default() };
        let sandbox = SandboxPort::start(options).await.unwrap();
        sandbox.add_action(json!({
            "identifier": "deploy", "title": "Deploy",
            "trigger": {"type": "self-service", "operation": "CREATE"},
            "invocationMethod": {
                "type": "WEBHOOK", "agent": true, "url": "https://towpath.local/hooks/port",
                "body": {"action": "deploy", "run": {"id": "{{ .run.id }}"}, "inputs": {}},
            },
        }));
        sandbox.add_action(json!({
            "identifier": "dispatch", "title": "Dispatch",
            "trigger": {"type": "self-service", "operation": "CREATE"},
            "invocationMethod": {
                "type": "INTEGRATION_ACTION", "installationId": OWN,
                "integrationActionType": "dispatch_workflow",
                "integrationActionExecutionProperties": {
                    "org": "acme", "repo": "shop", "workflow": "deploy.yml",
                },
            },
        }));
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Store::open(&url, clock.clone()).await.unwrap();
        Self { sandbox, clock, store, _folder: folder }
    }

    fn poller(&self, installation: &str) -> Polling<PortOffers> {
        self.poller_on(&self.store, installation)
    }

    fn poller_on(&self, store: &Store, installation: &str) -> Polling<PortOffers> {
        self.poller_every(Duration::from_millis(100), store, installation)
    }

    fn poller_every(
        &self,
        interval: Duration,
        store: &Store,
        installation: &str,
    ) -> Polling<PortOffers> {
        let secret = SecretString::from(self.sandbox.client_secret());
        let url = self.sandbox.url();
        let port = Port::new(&url, self.sandbox.client_id(), secret.clone(), self.clock.clone());
        let offers =
            PortOffers { port: port.unwrap(), installation: Installation::new(installation) };
        let intake = Intake {
            store: store.clone(),
            clock: self.clock.clone(),
            github_secrets: Vec::new(),
            portal_key: Some(secret.clone()),
            sealing_key: SealingKey::of(&secret).unwrap(),
            secret_names: Arc::new(|_| Vec::new()),
            access_changed: Arc::new(|| {}),
            seen: Arc::new(|_| ()),
        };
        Polling::new(intake, offers, interval)
    }

    async fn press(&self, action: &str) -> RunId {
        let trigger = Trigger { action: action.to_owned(), ..Trigger::default() };
        RunId::new(self.sandbox.trigger(trigger).await.unwrap().0).unwrap()
    }

    /// The steps of a run that is here; `None` where it is not.
    async fn steps(&self, run: &RunId) -> Option<Vec<Step>> {
        self.store.run(run).await.unwrap()?;
        let steps = self.store.steps_of(run).await.unwrap();
        Some(steps.into_iter().map(|recorded| recorded.step).collect())
    }

    fn fault(&self, method: &str, path: &str, kind: FaultKind) {
        let (method, path) = (method.to_owned(), path.to_owned());
        self.sandbox.inject(Fault { method, path, times: 1, kind });
    }

    fn bodies(&self, path: &str) -> Vec<Value> {
        let requests = self.sandbox.requests();
        let of_path = requests.into_iter().filter(|request| request.path == path);
        of_path.filter_map(|request| request.body).collect()
    }
}

async fn once(poller: &Polling<PortOffers>) -> Result<bool, Trouble> {
    poller.once(&CancellationToken::new()).await
}

fn begun() -> Vec<Step> {
    vec![Step::Begin]
}

fn held() -> Vec<Step> {
    Vec::new()
}

#[tokio::test]
async fn the_agent_s_runs_are_claimed_acknowledged_and_begun() {
    let world = World::start().await;
    let (run, other) = (world.press("deploy").await, world.press("dispatch").await);
    let node = json!({"type": "WEBHOOK", "agent": true, "body": {"action": "deploy"}});
    let node = RunId::new(world.sandbox.reach_node(node)).unwrap();

    assert_eq!(once(&world.poller(AGENT)).await, Ok(false));
    assert_eq!(world.steps(&run).await, Some(begun()));
    assert_eq!(world.steps(&node).await, Some(begun()));
    assert_eq!(world.steps(&other).await, None, "it waits for somebody else");
    assert_eq!(
        world.bodies(CLAIM),
        [json!({"installationId": AGENT, "limit": 100, "invocationMethod": "WEBHOOK"})]
    );
    assert_eq!(world.bodies(ACK), [json!({"runIds": [run]})]);
}

#[tokio::test]
async fn an_integration_s_own_runs_are_claimed_in_its_own_form() {
    let world = World::start().await;
    let (other, run) = (world.press("deploy").await, world.press("dispatch").await);
    let node = json!({
        "type": "INTEGRATION_ACTION", "installationId": OWN,
        "integrationInvocationType": "dispatch_workflow",
        "integrationActionExecutionProperties": {"org": "a", "repo": "b", "workflow": "c.yml"},
    });
    let node = RunId::new(world.sandbox.reach_node(node)).unwrap();

    assert_eq!(once(&world.poller(OWN)).await, Ok(false));
    assert_eq!(world.steps(&run).await, Some(begun()));
    assert_eq!(world.steps(&node).await, Some(begun()));
    assert_eq!(world.steps(&other).await, None);
    let claim = json!({"installationId": OWN, "limit": 100, "visibilityTimeoutMs": 60_000});
    assert_eq!(world.bodies(CLAIM), [claim]);
    assert_eq!(world.bodies(ACK), [json!({"runId": run})]);
}

#[tokio::test]
async fn a_refused_acknowledgement_leaves_the_run_alone() {
    for installation in [AGENT, OWN] {
        let world = World::start().await;
        let run = world.press(if installation == AGENT { "deploy" } else { "dispatch" }).await;
        let poller = world.poller(installation);
        let refusal = FaultKind::Answer { status: 409, headers: Vec::new() };
        world.fault("PATCH", ACK, refusal);
        once(&poller).await.unwrap();
        assert_eq!(world.steps(&run).await, None);
    }
}

#[tokio::test]
async fn a_refused_acknowledgement_of_a_node_leaves_it_alone() {
    let world = World::start().await;
    let node = json!({"type": "WEBHOOK", "agent": true, "body": {"action": "deploy"}});
    let node = RunId::new(world.sandbox.reach_node(node)).unwrap();
    let refusal = FaultKind::Answer { status: 409, headers: Vec::new() };
    world.fault("PATCH", "/v1/workflows/runs/ack", refusal);
    once(&world.poller(AGENT)).await.unwrap();
    assert_eq!(world.steps(&node).await, None);
}

#[tokio::test]
async fn after_a_full_batch_the_next_is_asked_for_at_once() {
    let world = World::start().await;
    // Of two actions: much of a single one would be left in the portal.
    world.sandbox.add_action(json!({
        "identifier": "restart",
        "trigger": {"type": "self-service", "operation": "CREATE"},
        "invocationMethod": {
            "type": "WEBHOOK", "agent": true, "url": "https://towpath.local/hooks/port",
            "body": {"action": "restart", "run": {"id": "{{ .run.id }}"}, "inputs": {}},
        },
    }));
    for _ in 0..60 {
        world.press("deploy").await;
        world.press("restart").await;
    }
    let stop = CancellationToken::new();
    let seldom = world.poller_every(Duration::from_hours(1), &world.store, AGENT);
    let story = async {
        let all = RunFilter { limit: 1000, ..RunFilter::default() };
        while world.store.runs(&all).await.unwrap().len() < 120 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
    };
    let both = futures_util::future::join(seldom.run(stop.clone()), story);
    tokio::time::timeout(Duration::from_mins(1), both).await.expect("nobody waits for the hour");
    let claims = world.bodies(CLAIM);
    let limits: Vec<_> = claims.iter().map(|claim| claim["limit"].as_u64().unwrap()).collect();
    assert_eq!(limits, [100, 100], "the second batch is the last, and the hour begins");
}

#[tokio::test]
async fn five_who_fetch_at_once_take_each_run_once() {
    let world = World::start().await;
    let mut runs = Vec::new();
    for _ in 0..120 {
        runs.push(world.press("deploy").await);
    }
    let pollers: Vec<_> = (0..5).map(|_| world.poller(AGENT)).collect();
    let fetched = futures_util::future::join_all(pollers.iter().map(once)).await;
    assert!(fetched.contains(&Ok(true)), "a full batch asks for more at once");
    for run in &runs {
        assert_eq!(world.steps(run).await, Some(begun()));
    }
    assert_eq!(world.bodies(ACK).len(), runs.len());
}

#[tokio::test]
async fn of_two_services_with_a_store_each_one_has_the_run() {
    let world = World::start().await;
    let run = world.press("deploy").await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("t.db").display());
    let other = Store::open(&url, world.clock.clone()).await.unwrap();
    // The first cannot acknowledge, and by the time it looks again the second has the run.
    let lost = FaultKind::Answer { status: 503, headers: Vec::new() };
    world.sandbox.inject(Fault {
        method: "PATCH".to_owned(),
        path: ACK.to_owned(),
        times: 2,
        kind: lost,
    });
    once(&world.poller(AGENT)).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(held()));

    world.clock.advance(Duration::from_secs(61));
    once(&world.poller_on(&other, AGENT)).await.unwrap();
    assert_eq!(other.steps_of(&run).await.unwrap().len(), 1);
    let secret = SecretString::from(world.sandbox.client_secret());
    let port =
        Port::new(&world.sandbox.url(), world.sandbox.client_id(), secret, world.clock.clone());
    let patch = towpath::portal::PatchRun { label: Some("Running".into()), ..Default::default() };
    let kind = towpath::domain::action_run::RunKind::Action;
    port.unwrap().patch_run(&run, kind, &patch).await.unwrap();

    world.clock.advance(Duration::from_secs(61));
    once(&world.poller(AGENT)).await.unwrap();
    assert_eq!(world.steps(&run).await, None, "it is left to the other");
}

#[tokio::test]
async fn a_run_that_was_stored_before_a_crash_is_claimed_again_and_begun_once() {
    let world = World::start().await;
    let run = world.press("deploy").await;
    // Between the claim and the acknowledgement everything stops.
    let away = FaultKind::Answer { status: 503, headers: Vec::new() };
    world.sandbox.inject(Fault {
        method: "PATCH".to_owned(),
        path: ACK.to_owned(),
        times: 2,
        kind: away,
    });
    once(&world.poller(AGENT)).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(held()), "it is on disk, and nothing is done");
    assert!(world.store.runs_to_look_at(10).await.unwrap().is_empty());

    let restarted = world.poller(AGENT);
    once(&restarted).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(held()), "the claim still hides it");
    world.clock.advance(Duration::from_secs(61));
    once(&restarted).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(begun()));
    once(&restarted).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(begun()));
}

#[tokio::test]
async fn an_acknowledgement_that_arrived_is_believed_although_its_answer_was_lost() {
    let world = World::start().await;
    let run = world.press("deploy").await;
    world.fault("PATCH", ACK, FaultKind::LoseAnswer);
    once(&world.poller(AGENT)).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(begun()));
    assert_eq!(world.bodies(ACK).len(), 2, "it is looked at once more");
}

#[tokio::test]
async fn a_crash_after_the_acknowledgement_loses_no_run() {
    let world = World::start().await;
    let run = world.press("deploy").await;
    // It arrives, the answer is lost, and then the portal is away for a while.
    world.fault("PATCH", ACK, FaultKind::LoseAnswer);
    world.fault("PATCH", ACK, FaultKind::LoseRequest);
    once(&world.poller(AGENT)).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(held()));

    let restarted = world.poller(AGENT);
    once(&restarted).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(held()), "somebody may be in the middle of it");
    world.clock.advance(Duration::from_secs(121));
    once(&restarted).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(begun()));
}

#[tokio::test]
async fn a_run_that_also_comes_by_webhook_is_not_held_any_more() {
    let world = World::start().await;
    let run = world.press("deploy").await;
    world.fault("PATCH", ACK, FaultKind::LoseRequest);
    world.fault("PATCH", ACK, FaultKind::LoseRequest);
    once(&world.poller(AGENT)).await.unwrap();
    let request = world.store.run(&run).await.unwrap().unwrap().request;
    world.store.accept_run(&request).await.unwrap();
    assert_eq!(world.steps(&run).await, Some(begun()));
    assert!(!world.store.withdraw_run(&run).await.unwrap());
    assert_eq!(world.steps(&run).await, Some(begun()));
}

#[tokio::test]
async fn actions_with_much_work_waiting_are_left_in_the_portal() {
    let world = World::start().await;
    let poller = world.poller(OWN);
    for _ in 0..90 {
        world.press("dispatch").await;
    }
    once(&poller).await.unwrap();
    let next = world.press("dispatch").await;
    once(&poller).await.unwrap();
    assert_eq!(world.bodies(CLAIM).last().unwrap()["exclude"], json!(["dispatch"]));
    assert_eq!(world.steps(&next).await, None);
}

#[tokio::test]
async fn a_portal_that_is_away_is_asked_again_until_it_answers_and_a_stop_is_heard() {
    let world = World::start().await;
    let run = world.press("deploy").await;
    let busy = FaultKind::Answer { status: 503, headers: Vec::new() };
    world.fault("POST", CLAIM, busy);
    let stop = CancellationToken::new();
    let mut changes = world.store.changes();
    let polling = world.poller(AGENT).run(stop.clone());
    let story = async {
        assert_eq!(changes.recv().await.unwrap(), run);
        stop.cancel();
    };
    tokio::time::timeout(Duration::from_secs(30), futures_util::future::join(polling, story))
        .await
        .expect("it goes on, and ends when it is told to");
    assert_eq!(
        world.store.runs(&RunFilter { limit: 9, ..RunFilter::default() }).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn the_agent_says_that_it_polls_and_port_says_where_its_kafka_is() {
    let world = World::start().await;
    let secret = SecretString::from(world.sandbox.client_secret());
    let url = world.sandbox.url();
    let port = Port::new(&url, world.sandbox.client_id(), secret, world.clock.clone()).unwrap();
    port.announce(Streamer::Polling).await.unwrap();
    let said = json!({"settings": {"portAgentStreamerName": "POLLING"}});
    assert_eq!(world.bodies("/v1/organization"), [said]);
    let kafka = port.kafka_credentials().await.unwrap();
    assert_eq!((kafka.brokers.len(), kafka.username.as_str()), (1, "sandbox"));
    assert!(!format!("{kafka:?}").contains("password: \"sandbox"), "no secret is shown");
}
