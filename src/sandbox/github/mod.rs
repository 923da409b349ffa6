//! A GitHub to run against: a real HTTP server with real git repositories on disk, that keeps
//! state and refuses what GitHub refuses. REST under `/` and `/api/v3`, GraphQL under `/graphql`
//! and `/api/graphql`, webhooks with a delivery log, and an in-process side in people's words for
//! the demo and the tests (`create_repository`, `approve`, `merge`).

mod admin;
mod auth;
mod body;
mod check_runs;
mod checks;
mod connection;
mod faults;
mod git;
mod graphql;
mod limits;
mod pulls;
mod pump;
mod references;
mod refusal;
mod requests;
mod rest;
mod run_control;
mod runner;
mod server;
mod sign_in;
mod state;
mod webhooks;
mod workflows;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use admin::{Installed, PullRequest, SandboxPull, SandboxRepository};
pub use auth::SANDBOX_APP_KEY;
pub use check_runs::SandboxCheck;
pub use faults::Fault;
pub use limits::{Hourly, Limits, Patience};
pub use pulls::MergeMethod;
pub use requests::RecordedRequest;
pub use run_control::{HeldWebhook, SandboxRun, WorkflowRun};
pub use runner::{Report, RunReporter, WorkflowJobRequest, WorkflowRunner};
pub use sign_in::SANDBOX_CLIENT_SECRET;

use crate::clock::Clock;
use faults::Faults;
use sign_in::SignIns;
use state::{AccountKind, App, World};
use webhooks::Hooks;

/// The id of the sandbox's App.
pub const SANDBOX_APP_ID: u64 = 4242;
/// Its client id, which GitHub recommends as the issuer of a JWT.
pub const SANDBOX_CLIENT_ID: &str = "Iv23liSandboxTowpath";
/// Its slug; its bot is `towpath[bot]`.
pub const SANDBOX_APP_SLUG: &str = "towpath";

/// What the App asks for, as in `app-manifest.yml`, and a little more for tests.
const PERMISSIONS: [(&str, &str); 14] = [
    ("actions", "write"),
    ("administration", "read"),
    ("checks", "write"),
    ("contents", "write"),
    ("deployments", "write"),
    ("environments", "write"),
    ("issues", "write"),
    ("members", "read"),
    ("merge_queues", "read"),
    ("metadata", "read"),
    ("pull_requests", "write"),
    ("secrets", "write"),
    ("statuses", "write"),
    ("workflows", "write"),
];

/// The events that the App listens to unless told otherwise.
const EVENTS: [&str; 13] = [
    "check_run",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "merge_group",
    "pull_request",
    "pull_request_review",
    "push",
    "status",
    "workflow_dispatch",
    "workflow_job",
    "workflow_run",
];

/// How a sandbox is set up.
pub struct SandboxConfig {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where webhooks go; can be set later.
    pub webhook_url: Option<String>,
    /// What they are signed with.
    pub webhook_secret: Option<String>,
    /// The events that the App subscribes to; `installation` events always come.
    pub events: BTreeSet<String>,
    /// The permissions that installations grant, name to level.
    pub permissions: BTreeMap<String, String>,
    /// The time.
    pub clock: Clock,
    /// Where the git repositories, workspaces and Terraform states are.
    pub directory: PathBuf,
    /// Answer `return_run_details` as GHES before 3.21 does: with 422.
    pub legacy_dispatch: bool,
    /// How much it takes.
    pub limits: Limits,
    /// How long its hour is, and how much it takes in one.
    pub hourly: Hourly,
    /// What executes workflows. `None`: runs stay queued until somebody drives them by hand.
    pub runner: Option<Arc<dyn WorkflowRunner>>,
}

impl SandboxConfig {
    /// The ordinary sandbox: all permissions and events, no webhook address, runs by hand.
    pub fn new(directory: PathBuf, clock: Clock) -> Self {
        let owned = |(name, level): (&str, &str)| (name.to_owned(), level.to_owned());
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            webhook_url: None,
            webhook_secret: None,
            events: EVENTS.map(str::to_owned).into(),
            permissions: PERMISSIONS.map(owned).into(),
            clock,
            directory,
            legacy_dispatch: false,
            limits: Limits::Hourly,
            hourly: Hourly::default(),
            runner: None,
        }
    }
}

/// A running sandbox. Clones are handles to the same one.
#[derive(Clone)]
pub struct SandboxGitHub(Arc<Inner>);

pub(crate) struct Inner {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    requests: Mutex<Vec<RecordedRequest>>,
    runner: Option<Arc<dyn WorkflowRunner>>,
    address: SocketAddr,
    work: Notify,
    changed: Notify,
    released: tokio::sync::watch::Sender<()>,
    stop: CancellationToken,
    tasks: TaskTracker,
    schema: std::sync::OnceLock<graphql::Schema>,
}

/// The sandbox GitHub as `towpath sandbox` starts it.
pub struct Sandbox;

impl Sandbox {
    /// Starts a sandbox on a free port of 127.0.0.1.
    pub async fn start(config: SandboxConfig) -> std::io::Result<SandboxGitHub> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        std::fs::create_dir_all(&config.directory)?;
        let runner = config.runner.clone();
        let sandbox = SandboxGitHub(Arc::new(Inner {
            world: Mutex::new(new_world(config, &format!("http://{address}"))),
            faults: Mutex::default(),
            requests: Mutex::default(),
            runner,
            address,
            work: Notify::new(),
            changed: Notify::new(),
            released: tokio::sync::watch::Sender::new(()),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            schema: std::sync::OnceLock::new(),
        }));
        let tasks = &sandbox.0.tasks;
        tasks.spawn(server::serve(sandbox.clone(), listener));
        tasks.spawn(pump::run(sandbox.clone()));
        Ok(sandbox)
    }
}

fn new_world(config: SandboxConfig, base_url: &str) -> World {
    let created_at = config.clock.now();
    let mut world = World {
        clock: config.clock,
        directory: config.directory,
        base_url: base_url.to_owned(),
        legacy_dispatch: config.legacy_dispatch,
        limits: config.limits,
        hourly: config.hourly,
        told: limits::Told::default(),
        app: App {
            id: SANDBOX_APP_ID,
            client_id: SANDBOX_CLIENT_ID.to_owned(),
            slug: SANDBOX_APP_SLUG.to_owned(),
            bot: 0,
            owner: 0,
            permissions: config.permissions,
            setup_url: None,
            created_at,
        },
        accounts: Vec::new(),
        teams: Vec::new(),
        repositories: Vec::new(),
        installations: Vec::new(),
        tokens: HashMap::new(),
        pending: HashMap::new(),
        sign_ins: SignIns::default(),
        hooks: Hooks {
            url: config.webhook_url,
            secret: config.webhook_secret,
            events: config.events,
            log: Vec::new(),
            queue: VecDeque::new(),
            held: None,
            delay: Duration::ZERO,
            in_flight: false,
        },
        downloads: HashMap::new(),
        unstarted: Vec::new(),
        last_id: 10_000,
    };
    world.app.bot = world.account(&format!("{SANDBOX_APP_SLUG}[bot]"), AccountKind::Bot);
    world.app.owner = world.account("sandbox-owner", AccountKind::User);
    world
}

impl SandboxGitHub {
    /// Where it listens: the value for `GITHUB_API_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// The same address as a GHES would have it, with GraphQL under `/api/graphql`.
    pub fn enterprise_url(&self) -> String {
        format!("{}/api/v3", self.url())
    }

    /// Stops the server and the deliveries.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Works on the state, then lets the deliveries and runs that this gave go on.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let result = work(&mut lock(&self.0.world));
        self.0.work.notify_one();
        self.0.changed.notify_waiters();
        result
    }

    /// Looks at the state. Whoever waits for a change looks by this: working would be one.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&lock(&self.0.world))
    }

    /// Resolves at the next change of the state. Take it before looking.
    pub(crate) fn changed(&self) -> std::pin::Pin<Box<tokio::sync::futures::Notified<'_>>> {
        let mut changed = Box::pin(self.0.changed.notified());
        changed.as_mut().enable();
        changed
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, Vec<RecordedRequest>> {
        lock(&self.requests)
    }
}

/// A panic of one request must not end the sandbox for the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
