//! A Port of one's own: catalog, actions, runs, the reporting API and claim-and-acknowledge polling,
//! with a state in memory and the refusals that Port gives. What people do in Port's pages (press a
//! button, approve, look at a run) is done with methods; everything else through HTTP.

mod answer;
mod catalog;
mod cut;
mod entities;
mod fault;
mod gate;
mod nodes;
mod polling;
mod runs;
mod template;
mod topic;
mod trigger;
mod world;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::routing::{get, patch, post};
use axum::{Router, middleware};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use world::World;

pub use fault::{Fault, FaultKind, Request};
pub use topic::KafkaAccess;
pub use trigger::{Delivered, Trigger};
pub use world::{NodeRun, Run};

/// What the sandbox is started with.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The client id that is taken.
    pub client_id: String,
    /// The client secret that is taken, that webhooks are signed with, and whose first 32 bytes
    /// encrypt secret inputs.
    pub client_secret: String,
    /// Kafka, as the organisation has it.
    pub kafka: KafkaAccess,
    /// The time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            client_id: "sandbox-client-id".to_owned(),
            client_secret: "sandbox-client-secret-0123456789abcdef".to_owned(),
            kafka: KafkaAccess::default(),
            clock: Clock::system(),
        }
    }
}

/// A sandbox portal that runs until it is dropped.
pub struct SandboxPort {
    shared: Arc<Shared>,
    address: SocketAddr,
    _stop: DropGuard,
}

/// What the handlers share.
struct Shared {
    world: Mutex<World>,
    options: Options,
    webhooks: reqwest::Client,
    tasks: TaskTracker,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        // A handler that panicked has changed at most one thing.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SandboxPort {
    /// Starts one.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let webhooks = reqwest::Client::builder()
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .map_err(io::Error::other)?;
        let world = Mutex::new(World::new(options.clock.clone()));
        let tasks = TaskTracker::new();
        let shared = Arc::new(Shared { world, options, webhooks, tasks: tasks.clone() });
        let stop = CancellationToken::new();
        let app = router(shared.clone()).into_make_service_with_connect_info::<cut::Connection>();
        let stopped = stop.clone().cancelled_owned();
        tasks.spawn(async move {
            let server = axum::serve(cut::Listener(listener), app);
            tokio::select! {
                _ = server => {}
                () = stopped => {}
            }
        });
        Ok(Self { shared, address, _stop: stop.drop_guard() })
    }

    /// The base of its API: `PORT_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `PORT_CLIENT_ID`.
    pub fn client_id(&self) -> &str {
        &self.shared.options.client_id
    }

    /// `PORT_CLIENT_SECRET`.
    pub fn client_secret(&self) -> &str {
        &self.shared.options.client_secret
    }

    /// Puts a blueprint into the catalog, in the form of `POST /v1/blueprints`.
    pub fn add_blueprint(&self, blueprint: Value) {
        self.shared.world().put_blueprint(blueprint);
    }

    /// Puts an action into the portal, in the form of `POST /v1/actions`.
    pub fn add_action(&self, action: Value) {
        self.shared.world().put_action(action);
    }

    /// Puts an entity into the catalog, without the checks of the API.
    pub fn add_entity(&self, blueprint: &str, entity: Value) {
        self.shared.world().put_entity(blueprint, entity);
    }

    /// An entity as it stands in the catalog.
    pub fn entity(&self, blueprint: &str, identifier: &str) -> Option<Value> {
        self.shared.world().entity(blueprint, identifier).cloned()
    }

    /// All entities of a blueprint, by identifier.
    pub fn entities(&self, blueprint: &str) -> Vec<Value> {
        self.shared.world().entities_of(blueprint).cloned().collect()
    }

    /// A run of an action as its page shows it.
    pub fn run(&self, id: &str) -> Option<Run> {
        self.shared.world().runs.get(id).cloned()
    }

    /// All runs of actions, the oldest first.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = self.shared.world().runs.values().cloned().collect();
        runs.sort_by_key(|run| run.number);
        runs
    }

    /// A run of a workflow's node.
    pub fn node_run(&self, id: &str) -> Option<NodeRun> {
        self.shared.world().nodes.get(id).cloned()
    }

    /// The access token that was handed out last.
    pub fn token(&self) -> Option<String> {
        self.shared.world().token.as_ref().map(|token| token.text.clone())
    }

    /// The access token is no longer taken, and the next one is another.
    pub fn revoke_token(&self) {
        self.shared.world().token = None;
    }

    /// From now on this fault happens, before those that were set up later.
    pub fn inject(&self, fault: Fault) {
        self.shared.world().faults.push(fault);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// The calls since the start or the last [`Self::forget_requests`], in their order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.world().requests.clone()
    }

    /// Empties the list of calls.
    pub fn forget_requests(&self) {
        self.shared.world().requests.clear();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let entities = "/v1/blueprints/{blueprint}/entities";
    Router::new()
        .route("/v1/auth/access_token", post(gate::access_token))
        .route("/v1/blueprints", get(catalog::blueprints).post(catalog::create_blueprint))
        .route(
            "/v1/blueprints/{blueprint}",
            get(catalog::blueprint)
                .put(catalog::change_blueprint)
                .patch(catalog::update_blueprint)
                .delete(catalog::delete_blueprint),
        )
        .route("/v1/actions", get(catalog::actions).post(catalog::create_action))
        .route(
            "/v1/actions/{action}",
            get(catalog::action).put(catalog::change_action).delete(catalog::delete_action),
        )
        .route("/v1/kafka-credentials", get(catalog::kafka_credentials))
        .route("/v1/organization", get(catalog::organization).patch(catalog::update_organization))
        .route(entities, get(entities::list).post(entities::create))
        .route(&format!("{entities}/bulk"), post(entities::create_many))
        .route(&format!("{entities}/search"), post(entities::search_blueprint))
        .route(
            &format!("{entities}/{{entity}}"),
            get(entities::get)
                .put(entities::change)
                .patch(entities::update)
                .delete(entities::delete),
        )
        .route("/v1/blueprints/{blueprint}/bulk/entities/delete", post(entities::delete_many))
        .route("/v1/entities/search", post(entities::search))
        .route("/v1/actions/{action}/runs", post(runs::execute))
        .route("/v1/actions/runs", get(runs::list))
        .route("/v1/actions/runs/{run}", get(runs::get).patch(runs::update))
        .route("/v1/actions/runs/{run}/logs", get(runs::logs).post(runs::add_log))
        .route("/v1/actions/runs/{run}/approval", patch(runs::approve))
        .route("/v1/actions/runs/{run}/response", patch(runs::respond))
        .route("/v1/actions/runs/claim-pending", post(polling::claim))
        .route("/v1/actions/runs/ack", patch(polling::acknowledge))
        .route("/v1/workflows/runs/claim-pending", post(polling::claim_nodes))
        .route("/v1/workflows/runs/ack", patch(polling::acknowledge_node))
        .route("/v1/workflows/nodes/runs", get(nodes::find))
        .route("/v1/workflows/nodes/runs/{node}", patch(nodes::update))
        .route("/v1/workflows/nodes/runs/{node}/logs", post(nodes::add_logs))
        .fallback(gate::unknown)
        .layer(middleware::from_fn_with_state(shared.clone(), gate::gate))
        .with_state(shared)
}
