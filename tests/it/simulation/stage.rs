//! What a simulation is played on: a GitHub and a portal that keep state, and the program in one
//! process or in three.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;
use towpath::clock::Clock;
use towpath::sandbox::github::{
    Hourly, Sandbox, SandboxConfig, SandboxGitHub, SandboxRepository, WorkflowRun,
};
use towpath::sandbox::portal::{Options, SandboxPort};
use towpath::store::{RunFilter, Store};

use super::Simulation;
use super::front::{self, Living};
use crate::support::postgres;
use crate::support::process::{Environment, Process};
use crate::world;

/// What people press: the action, its operation, and what it is pressed on.
const BUTTONS: [(&str, &str, &str); 4] = [
    ("add_database", "CREATE", "service"),
    ("resize_database", "DAY-2", "database"),
    ("delete_database", "DELETE", "database"),
    ("rollback_service", "DAY-2", "service"),
];

/// How often somebody looks.
pub(super) const GLANCE: Duration = Duration::from_millis(200);

/// GitHub's hour, in which each account has so little that it is used up again and again.
const HOURLY: Hourly = Hourly { budget: 120, hour: TimeDelta::seconds(20) };

/// How many people share an account.
const SHARE: usize = 5;

/// Which database, and so how many processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    Sqlite,
    Postgres,
}

/// Whether there is such a database here.
pub(super) fn has(memory: Memory) -> bool {
    memory == Memory::Sqlite || postgres::new_database().is_some()
}

/// What is seen on GitHub, as of the last glance.
#[derive(Default)]
pub(super) struct Seen {
    /// The pull requests by the last part of their branch: the run's id.
    pub(super) pulls: HashMap<String, Vec<u64>>,
    /// The workflow runs of each person's infrastructure and service.
    pub(super) runs: Vec<[Vec<WorkflowRun>; 2]>,
    newest_pulls: HashMap<usize, u64>,
}

/// What belongs to one person.
pub(super) struct Place {
    pub(super) infrastructure: SandboxRepository,
    pub(super) shop: SandboxRepository,
}

pub(super) struct Stage {
    pub(super) github: SandboxGitHub,
    pub(super) portal: SandboxPort,
    pub(super) places: Vec<Place>,
    pub(super) processes: tokio::sync::Mutex<Vec<Option<Process>>>,
    pub(super) living: Living,
    pub(super) seen: Mutex<Seen>,
    environment: Environment,
    database: String,
    seed: u64,
    logs: Mutex<Vec<String>>,
    _folder: TempDir,
}

impl Stage {
    pub(super) async fn set(simulation: Simulation) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut config = SandboxConfig::new(folder.path().join("github"), Clock::system());
        config.webhook_secret = Some("the sandbox's webhook secret".to_owned());
        config.hourly = HOURLY;
        let github = Sandbox::start(config).await.unwrap();
        let portal = SandboxPort::start(Options::default()).await.unwrap();
        let living = Living::default();
        let front = front::open(living.clone()).await;
        world::add_blueprints(&portal);
        let templates = folder.path().join("templates");
        let people = 0..simulation.people;
        let places =
            people.map(|person| place(&github, &portal, front, &templates, person)).collect();
        github.set_webhook_url(&format!("http://{front}/hooks/github"));
        let database = match simulation.memory {
            Memory::Sqlite => format!("sqlite://{}", folder.path().join("towpath.db").display()),
            Memory::Postgres => postgres::new_database().expect("it is there"),
        };
        let environment = Environment::from([
            ("TOWPATH_DATABASE_URL", database.clone()),
            ("TOWPATH_TEMPLATES", templates.display().to_string()),
            ("TOWPATH_RECONCILE_INTERVAL", "8s".to_owned()),
            ("TOWPATH_LEASE", "4s".to_owned()),
            ("GITHUB_API_URL", github.url()),
            ("PORT_API_URL", portal.url()),
            ("PORT_CLIENT_ID", portal.client_id().to_owned()),
            ("PORT_CLIENT_SECRET", portal.client_secret().to_owned()),
        ]);
        let count = if simulation.memory == Memory::Sqlite { 1 } else { 3 };
        let stage = Arc::new(Self {
            github,
            portal,
            places,
            processes: tokio::sync::Mutex::new((0..count).map(|_| None).collect()),
            living,
            seen: Mutex::default(),
            environment,
            database,
            seed: simulation.seed,
            logs: Mutex::default(),
            _folder: folder,
        });
        for number in 0..count {
            stage.start(number, None).await;
        }
        stage
    }

    /// Starts a process, at the address of the one before where there was one.
    pub(super) async fn start(&self, number: usize, at: Option<SocketAddr>) {
        let process = match at {
            None => Process::serve_after(":", &self.environment).await,
            Some(address) => Process::serve_at(address, ":", &self.environment).await,
        };
        self.living.add(process.address);
        self.processes.lock().await[number] = Some(process);
    }

    /// Ends a process in the middle of what it does, and answers where it was.
    pub(super) async fn kill(&self, number: usize) -> Option<SocketAddr> {
        let process = self.processes.lock().await[number].take()?;
        let address = process.address;
        self.living.remove(address);
        self.logs.lock().unwrap().push(process.log());
        process.kill();
        Some(address)
    }

    /// Waits for something that must come.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> Result<T, String> {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if began.elapsed() > patience {
                return Err(format!("{what} did not come"));
            }
            sleep(GLANCE).await;
        }
    }

    /// Looks at GitHub, for everybody.
    pub(super) fn glance(&self) {
        let mut seen = self.seen.lock().unwrap();
        let runs = self
            .places
            .iter()
            .map(|place| [place.infrastructure.workflow_runs(), place.shop.workflow_runs()]);
        seen.runs = runs.collect();
        for (person, place) in self.places.iter().enumerate() {
            let newest = seen.newest_pulls.get(&person).copied().unwrap_or(0);
            for number in place.infrastructure.pull_numbers() {
                if number > newest {
                    let head = place.infrastructure.pull_request(number).now().head;
                    let run = head.rsplit('/').next().unwrap_or_default().to_owned();
                    seen.pulls.entry(run).or_default().push(number);
                    seen.newest_pulls.insert(person, number);
                }
            }
        }
    }

    /// The program's memory, beside the processes.
    pub(super) async fn store(&self) -> Store {
        Store::open_existing(&self.database.as_str().into(), Clock::system()).await.unwrap()
    }

    /// Waits until nothing is left to be done.
    pub(super) async fn come_to_rest(&self, patience: Duration) {
        let store = self.store().await;
        let began = Instant::now();
        loop {
            self.github.webhooks_delivered().await;
            let counts = store.counts().await.unwrap();
            if counts.steps_waiting == 0 {
                break;
            }
            assert!(began.elapsed() < patience, "no rest: {counts:?}\n{}", self.logs());
            sleep(GLANCE).await;
        }
        store.close().await;
    }

    /// What the program knows of a run, for the message of a simulation that failed.
    pub(super) async fn told(&self, run: &str) -> String {
        let store = self.store().await;
        let id = towpath::domain::RunId::new(run).unwrap();
        let known = store.run(&id).await;
        let events = store.events(&id, 0).await;
        let steps = store.steps_of(&id).await;
        store.close().await;
        format!("{known:?}\n{events:#?}\n{steps:#?}\n{:#?}", self.portal.run(run))
    }

    /// How many steps have waited because GitHub takes no more.
    pub(super) async fn limited(&self) -> usize {
        let store = self.store().await;
        let all = RunFilter { limit: 1_000_000, ..RunFilter::default() };
        let mut limited = 0;
        for run in store.runs(&all).await.unwrap() {
            let steps = store.steps_of(&run.id).await.unwrap();
            let errors = steps.iter().filter_map(|step| step.last_error.as_deref());
            limited += errors.filter(|it| it.contains(": rate limited until ")).count();
        }
        store.close().await;
        limited
    }

    /// The runs that the program knows.
    pub(super) async fn known_runs(&self) -> usize {
        let store = self.store().await;
        let all = store.runs(&RunFilter { limit: 1_000_000, ..RunFilter::default() }).await;
        store.close().await;
        all.unwrap().len()
    }

    /// Where the logs of the processes are, kept for whoever reads of a failure.
    pub(super) fn logs(&self) -> String {
        let place = std::env::temp_dir().join(format!("towpath-simulation-{}", self.seed));
        let mut logs = self.logs.lock().unwrap().clone();
        if let Ok(processes) = self.processes.try_lock() {
            logs.extend(processes.iter().flatten().map(Process::log));
        }
        let written = std::fs::write(&place, logs.join("\n-- the next process\n"));
        format!("the logs: {} ({written:?})", place.display())
    }
}

/// What belongs to a person: a service, a repository for its infrastructure, a template for that,
/// and buttons. To each their own, because what becomes of a change also depends on those after it.
fn place(
    github: &SandboxGitHub,
    portal: &SandboxPort,
    front: SocketAddr,
    templates: &std::path::Path,
    person: usize,
) -> Place {
    let files = templates.join(format!("database-{person}")).join("files");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join("main.tf.tera"), world::MAIN).unwrap();
    let infrastructure = format!("acme/infrastructure-{person}");
    let mut template = world::TEMPLATE
        .replace("acme/infrastructure", &infrastructure)
        .replace("acme/", &format!("{}/", account(person)));
    for (action, operation, blueprint) in BUTTONS {
        let own = format!("{action}_{person}");
        template = template.replace(action, &own);
        world::add_button(portal, front, false, (&own, operation, blueprint));
    }
    std::fs::write(files.with_file_name("template.yml"), template).unwrap();
    let entity = json!({"identifier": shop(person), "title": "Shop"});
    portal.add_entity("service", entity);
    Place {
        infrastructure: world::infrastructure(
            github,
            &format!("{}/infrastructure-{person}", account(person)),
        ),
        shop: world::service_repository(github, &format!("{}/{}", account(person), shop(person))),
    }
}

/// The account of a person: some share one, and so its limits.
fn account(person: usize) -> String {
    format!("acme-{}", person / SHARE)
}

/// The service whose workflows a person runs.
pub(super) fn shop(person: usize) -> String {
    format!("shop-{person}")
}
