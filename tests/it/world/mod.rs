//! A world to tell stories in: the whole service, a GitHub and a portal that keep state, a clock
//! that can be moved. Nothing sleeps: a story waits for a condition.

mod contracts;

use std::net::SocketAddr;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use towpath::cli::service::{Service, Surroundings};
use towpath::clock::Clock;
use towpath::config::{GitHubApp, Intake, LogFormat, PortSettings, Settings};
use towpath::domain::{Run, RunId};
use towpath::lifecycle::Lifecycle;
use towpath::sandbox::github::{
    SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, Sandbox, SandboxConfig, SandboxGitHub, SandboxRepository,
    SandboxRun,
};
use towpath::sandbox::portal::{self, Options, SandboxPort, Trigger};
use towpath::store::Store;
use towpath::template::{SourceFile, Templates};

use contracts::Contracts;

/// How long a story waits for a condition before it fails. Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What GitHub's webhooks are signed with.
const WEBHOOK_SECRET: &str = "the sandbox's webhook secret";

/// The template that the stories use.
const TEMPLATE: &str = include_str!("template.yml");

/// A workflow that nobody executes: stories play its runs by hand.
const WORKFLOW: &str = "on: {push: {branches: [main]}, pull_request: {}, workflow_dispatch: {}}\n\
                        jobs: {only: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n";

/// The world of one story.
pub(crate) struct World {
    pub(crate) github: SandboxGitHub,
    pub(crate) portal: SandboxPort,
    pub(crate) infrastructure: SandboxRepository,
    pub(crate) shop: SandboxRepository,
    pub(crate) clock: Clock,
    settings: Settings,
    running: Option<Running>,
    contracts: Contracts,
    folder: tempfile::TempDir,
}

struct Running {
    service: Service,
    lifecycle: Lifecycle,
}

/// What a world may be like.
pub(crate) struct Kind {
    /// GitHub Enterprise Server before 3.21.
    pub(crate) legacy_dispatch: bool,
    /// Without a commercial portal.
    pub(crate) embedded_portal: bool,
    /// Files of the template, beside `template.yml`.
    pub(crate) files: Vec<(&'static str, String, bool)>,
    /// `template.yml`.
    pub(crate) template: String,
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            legacy_dispatch: false,
            embedded_portal: false,
            files: vec![("main.tf.tera", include_str!("main.tf.tera").to_owned(), false)],
            template: TEMPLATE.to_owned(),
        }
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::of(Kind::default()).await
    }

    pub(crate) async fn of(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let mut config = SandboxConfig::new(folder.path().join("github"), clock.clone());
        config.webhook_secret = Some(WEBHOOK_SECRET.to_owned());
        config.legacy_dispatch = kind.legacy_dispatch;
        let github = Sandbox::start(config).await.unwrap();
        let options = Options { clock: clock.clone(), ..Options::default() };
        let portal = SandboxPort::start(options).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let contracts = Contracts::start(&github.url(), &portal.url(), address).await;

        let workflows: Vec<(&str, &str)> = ["plan.yml", "apply.yml", "rollback.yml"]
            .map(|name| match name {
                "plan.yml" => ".github/workflows/plan.yml",
                "apply.yml" => ".github/workflows/apply.yml",
                _ => ".github/workflows/rollback.yml",
            })
            .into_iter()
            .map(|path| (path, WORKFLOW))
            .collect();
        let infrastructure = github.create_repository("acme/infrastructure", &workflows);
        let shop = github.create_repository("acme/shop", &workflows[2..]);
        infrastructure.add_collaborator("octocat", "write");
        github.set_webhook_url(&contracts.webhooks);
        portal_content(&portal, address);

        let settings = Settings {
            listen: address,
            database_url: format!("sqlite://{}", folder.path().join("towpath.db").display()).into(),
            templates: "given".to_owned(),
            github_api_url: contracts.github.clone(),
            github_app: Some(GitHubApp {
                id: SANDBOX_CLIENT_ID.to_owned(),
                private_key: SANDBOX_APP_KEY.into(),
            }),
            github_webhook_secrets: vec![WEBHOOK_SECRET.into()],
            port: (!kind.embedded_portal).then(|| PortSettings {
                api_url: contracts.portal.clone(),
                client_id: portal.client_id().to_owned(),
                client_secret: portal.client_secret().into(),
            }),
            port_org_id: None,
            intake: Intake { webhook: true, kafka: None, polling: None },
            events: None,
            api_token: None,
            reconcile_interval: Duration::from_hours(1),
            log: "warn".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
        };
        let mut world = Self {
            github,
            portal,
            infrastructure,
            shop,
            clock,
            settings,
            running: None,
            contracts,
            folder,
        };
        world.run_with(templates(&kind), listener).await;
        world
    }

    async fn run_with(&mut self, templates: Templates, listener: TcpListener) {
        let lifecycle = Lifecycle::new();
        let surroundings = Surroundings {
            listener,
            clock: self.clock.clone(),
            lifecycle: lifecycle.clone(),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
        };
        let service = Service::start(&self.settings, templates, surroundings).await.unwrap();
        self.running = Some(Running { service, lifecycle });
    }

    /// The service's memory.
    pub(crate) fn store(&self) -> &Store {
        &self.running.as_ref().unwrap().service.store
    }

    /// Where the service listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.settings.listen
    }

    /// Somebody presses a button in the portal.
    pub(crate) async fn press(&self, action: &str, inputs: Value, entity: Option<&str>) -> RunId {
        let trigger = Trigger {
            action: action.to_owned(),
            inputs: object(inputs),
            entity: entity.map(str::to_owned),
            user: Some("jane@acme.example".to_owned()),
        };
        let (run, _) = self.portal.trigger(trigger).await.unwrap();
        RunId::new(run).unwrap()
    }

    /// Waits until a run is as it should be, and answers it.
    pub(crate) async fn until(&self, run: &RunId, what: impl Fn(&Run) -> bool) -> Run {
        let mut changes = self.store().changes();
        let waiting = async {
            loop {
                if let Some(found) = self.store().run(run).await.unwrap().filter(|run| what(run)) {
                    return found;
                }
                // A change between the look and this line is in the channel already.
                let _a_missed_change_is_looked_for =
                    tokio::time::timeout(Duration::from_millis(200), changes.recv()).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("{}", self.told(run).await),
        }
    }

    /// Waits until a run has this label.
    pub(crate) async fn until_label(&self, run: &RunId, label: &str) -> Run {
        self.until(run, |run| run.label == label).await
    }

    /// Waits until the portal shows a run with this status and label, and answers what it shows.
    pub(crate) async fn until_portal(&self, run: &RunId, status: &str, label: &str) -> portal::Run {
        let shown = || {
            let run = self.portal.run(run.as_str())?;
            (run.status == status && run.label.as_deref() == Some(label)).then_some(run)
        };
        let started = tokio::time::Instant::now();
        loop {
            if let Some(shown) = shown() {
                return shown;
            }
            if started.elapsed() > PATIENCE {
                let portal = self.portal.run(run.as_str());
                panic!("not {status} · {label}: {portal:#?}\n{}", self.told(run).await);
            }
            self.store().wake().changed().await.ok();
        }
    }

    /// Everything that is known of a run, for the message of a story that failed.
    async fn told(&self, run: &RunId) -> String {
        let row = self.store().run(run).await;
        let events = self.store().events(run, 0).await;
        let steps = self.store().steps_of(run).await;
        format!("{row:#?}\n{events:#?}\n{steps:#?}")
    }

    /// The lines of a run's history.
    pub(crate) async fn history(&self, run: &RunId) -> String {
        let events = self.store().events(run, 0).await.unwrap();
        events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Ends the story: everything that was begun is done, nothing is parked, and neither side broke
    /// the other's contract.
    pub(crate) async fn end(mut self) {
        let started = tokio::time::Instant::now();
        loop {
            let counts = self.store().counts().await.unwrap();
            assert_eq!(counts.steps_parked, 0, "a step was parked");
            if counts.steps_waiting == 0 {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{} steps are left over", counts.steps_waiting);
            tokio::time::timeout(Duration::from_millis(100), self.store().wake().changed())
                .await
                .ok();
        }
        self.stop().await;
        self.contracts.assert_kept().await;
        drop(self.folder);
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.lifecycle.stop();
            running.lifecycle.drain(PATIENCE).await;
            running.service.store.close().await;
        }
    }
}

/// The newest run of a workflow file.
pub(crate) fn newest_run(repository: &SandboxRepository, file: &str) -> SandboxRun {
    let runs = repository.workflow_runs().into_iter();
    let newest = runs.filter(|run| run.path.ends_with(file)).map(|run| run.id).max();
    repository.workflow_run(newest.unwrap_or_else(|| panic!("no run of {file}")))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn templates(kind: &Kind) -> Templates {
    let mut files = vec![SourceFile {
        path: "database/template.yml".to_owned(),
        contents: kind.template.clone().into_bytes(),
        executable: false,
    }];
    files.extend(kind.files.iter().map(|(name, text, executable)| SourceFile {
        path: format!("database/files/{name}"),
        contents: text.clone().into_bytes(),
        executable: *executable,
    }));
    Templates::load(&files).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<String>())
    })
}

fn portal_content(portal: &SandboxPort, address: SocketAddr) {
    let url = format!("http://{address}/hooks/port");
    for blueprint in ["service", "database"] {
        portal.add_blueprint(serde_json::json!({
            "identifier": blueprint, "title": blueprint,
            "schema": {"properties": {
                "engine": {"type": "string"}, "size": {"type": "number"},
                "endpoint": {"type": "string"},
            }},
            "relations": if blueprint == "database" {
                serde_json::json!({"service": {"target": "service", "many": false, "required": false}})
            } else {
                serde_json::json!({})
            },
        }));
    }
    portal.add_entity("service", serde_json::json!({"identifier": "shop", "title": "Shop"}));
    let body = serde_json::json!({
        "action": "{{ .action.identifier }}", "run": {"id": "{{ .run.id }}"},
        "inputs": "{{ .inputs }}", "entity": "{{ .entity }}", "trigger": "{{ .trigger }}",
        "encrypted": "{{ .action.encryptedProperties }}",
    });
    for (action, operation, blueprint) in [
        ("add_database", "CREATE", "service"),
        ("resize_database", "DAY-2", "database"),
        ("delete_database", "DELETE", "database"),
        ("rollback_service", "DAY-2", "service"),
        ("unknown_action", "CREATE", "service"),
    ] {
        portal.add_action(serde_json::json!({
            "identifier": action,
            "trigger": {"type": "self-service", "operation": operation, "blueprintIdentifier": blueprint},
            "invocationMethod": {"type": "WEBHOOK", "url": url, "body": body},
        }));
    }
}
