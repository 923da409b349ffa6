//! A world to tell stories in: the whole service, a GitHub and a portal that keep state, a clock
//! that can be moved. Nothing sleeps: a story waits for a condition.

mod checker;
mod contracts;
mod memory;
mod relay;
mod service;
mod setup;
mod time;

use std::net::SocketAddr;

use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use towpath::clock::Clock;
use towpath::config::{AgentSettings, KafkaSettings, Settings};
use towpath::domain::RunId;
use towpath::sandbox::github::{
    Limits, Sandbox, SandboxConfig, SandboxGitHub, SandboxPull, SandboxRepository, SandboxRun,
};
use towpath::sandbox::portal::{KafkaAccess, Options, SandboxPort, Trigger};
use towpath::source::Keeper;
use towpath::store::Store;
use towpath::template::Templates;
use towpath::worker::Worker;

use contracts::Contracts;
use service::Running;
pub(crate) use setup::{
    DISPATCHED, add_blueprints, add_button, infrastructure, service_repository,
};

/// What GitHub's webhooks are signed with.
const WEBHOOK_SECRET: &str = "the sandbox's webhook secret";

/// The template that the stories use.
pub(crate) const TEMPLATE: &str = include_str!("template.yml");

/// The file of that template.
pub(crate) const MAIN: &str = include_str!("main.tf.tera");

/// The world of one story.
pub(crate) struct World {
    pub(crate) github: SandboxGitHub,
    pub(crate) portal: SandboxPort,
    pub(crate) infrastructure: SandboxRepository,
    pub(crate) shop: SandboxRepository,
    pub(crate) clock: Clock,
    settings: Settings,
    templates: Templates,
    by_hand: bool,
    running: Option<Box<Running>>,
    contracts: Contracts,
    folder: tempfile::TempDir,
}

/// What a world may be like.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Kind {
    /// GitHub Enterprise Server before 3.21.
    pub(crate) legacy_dispatch: bool,
    /// How much GitHub takes.
    pub(crate) limits: Limits,
    /// Nothing reaches the service from outside: it fetches runs from the portal, for this
    /// installation, and looks at GitHub.
    pub(crate) polls_for: Option<&'static str>,
    /// Runs come by Kafka, read so, with what the portal knows of it.
    pub(crate) kafka: Option<(KafkaSettings, KafkaAccess)>,
    /// How actions are delivered inside the network.
    pub(crate) agent: AgentSettings,
    /// Opens inputs that are encrypted on the client's side: PEM.
    pub(crate) inputs_private_key: Option<&'static str>,
    /// Without a GitHub App.
    pub(crate) without_app: bool,
    /// Without a commercial portal.
    pub(crate) embedded_portal: bool,
    /// People sign in by GitHub: members of acme look, its team devops runs, olga does everything.
    pub(crate) sign_in: bool,
    /// The service receives, and does nothing: the story drives its worker.
    pub(crate) by_hand: bool,
    /// Files of the template, beside `template.yml`: name, text, whether it is executable.
    pub(crate) files: Vec<(String, String, bool)>,
    /// `template.yml`.
    pub(crate) template: String,
    /// `TOWPATH_TEMPLATES`, where the template lies in the folder `portal` of `acme/templates`.
    pub(crate) templates_from: Option<String>,
}

impl Default for Kind {
    fn default() -> Self {
        let main = MAIN.to_owned();
        Self {
            legacy_dispatch: false,
            limits: Limits::Hourly,
            polls_for: None,
            kafka: None,
            agent: AgentSettings::default(),
            without_app: false,
            inputs_private_key: None,
            embedded_portal: false,
            sign_in: false,
            by_hand: false,
            files: vec![("main.tf.tera".to_owned(), main, false)],
            template: TEMPLATE.to_owned(),
            templates_from: None,
        }
    }
}

impl Kind {
    /// With this part of `template.yml` replaced.
    pub(crate) fn with(mut self, part: &str, by: &str) -> Self {
        assert!(self.template.contains(part), "no {part} in the template");
        self.template = self.template.replace(part, by);
        self
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
        config.limits = kind.limits;
        let github = Sandbox::start(config).await.unwrap();
        let kafka = kind.kafka.as_ref().map(|(_, access)| access.clone()).unwrap_or_default();
        let options = Options { clock: clock.clone(), kafka, ..Options::default() };
        let portal = SandboxPort::start(options).await.unwrap();
        let address = service::free_address();
        let contracts = Contracts::start(&github.url(), &portal.url(), address);
        let infrastructure = setup::infrastructure(&github, "acme/infrastructure");
        let shop = setup::service_repository(&github, "acme/shop");
        let templates = setup::templates(&kind, &github);
        if kind.polls_for.is_none() {
            github.set_webhook_url(&contracts.webhooks);
        }
        let has_agent = kind.polls_for.is_some() || kind.kafka.is_some();
        setup::portal_content(&portal, address, has_agent);
        let database = memory::new_database(folder.path());
        let mut world = Self {
            settings: setup::settings(&kind, &contracts, &portal, address, database),
            templates,
            by_hand: kind.by_hand,
            github,
            portal,
            infrastructure,
            shop,
            clock,
            running: None,
            contracts,
            folder,
        };
        if kind.sign_in {
            // Where people sign in is no part of the API that the contracts describe.
            world.settings.github_api_url = world.github.url();
        }
        world.start_service().await;
        world
    }

    /// What keeps the templates of repositories fresh.
    pub(crate) fn keeper(&self) -> &Keeper {
        &self.running.as_ref().expect("the service runs").keeper
    }

    /// The templates come from elsewhere at the next start.
    pub(crate) fn set_templates(&mut self, setting: &str) {
        setting.clone_into(&mut self.settings.templates);
    }

    /// The service's memory.
    pub(crate) fn store(&self) -> &Store {
        &self.running.as_ref().expect("the service runs").store
    }

    /// The service's worker, where the story drives it.
    pub(crate) fn worker(&self) -> &Worker {
        &self.running.as_ref().expect("the service runs").worker
    }

    /// Where the service listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.settings.listen
    }

    /// The address of the service's memory, for commands beside it.
    pub(crate) fn database_url(&self) -> String {
        self.settings.database_url.expose_secret().to_owned()
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

    /// Somebody ends a run in the portal, by its API.
    pub(crate) async fn end_in_the_portal(&self, run: &RunId) {
        let url = format!("{}/v1/actions/runs/{run}", self.portal.url());
        let token = self.portal.token().expect("the service has a token");
        let body = json!({"status": "FAILURE"});
        let told = reqwest::Client::new().patch(url).bearer_auth(token).json(&body).send().await;
        assert!(told.unwrap().status().is_success());
    }

    /// Puts a button into the portal whose message carries the invocation itself.
    pub(crate) fn add_invocation(&self, action: &str, method: &Value) {
        setup::add_invocation(&self.portal, self.address(), action, method);
    }

    /// A database that stands: made, reviewed, merged and applied.
    pub(crate) async fn with_database(&self, name: &str) {
        let run = self.press("add_database", json!({"name": name}), Some("shop")).await;
        self.rest().await;
        self.newest_pull().merge("octocat", towpath::sandbox::github::MergeMethod::Squash);
        self.rest().await;
        newest_run(&self.infrastructure, "apply.yml").complete("success");
        self.rest().await;
        self.until_portal(&run, "SUCCESS", "Applied").await;
    }

    /// The pull request that was opened last.
    pub(crate) fn newest_pull(&self) -> SandboxPull {
        let numbers = self.infrastructure.pull_numbers();
        self.infrastructure.pull_request(*numbers.last().expect("a pull request"))
    }

    /// The page of a pull request to the infrastructure.
    pub(crate) fn pull_url(&self, number: u64) -> String {
        format!("/{}/pull/{number}", self.infrastructure.full_name())
    }

    /// The label of a run.
    pub(crate) async fn label(&self, run: &RunId) -> String {
        self.store().run(run).await.unwrap().expect("the run is there").label
    }

    /// What was asked of GitHub since the list was last emptied, without tokens and look-ups of
    /// installations, which are kept for an hour.
    pub(crate) fn asked_of_github(&self) -> Vec<String> {
        let all = self.github.requests();
        let asked = all.iter().map(towpath::sandbox::github::RecordedRequest::operation);
        asked.filter(|asked| !asked.contains("/app") && !asked.contains("/installation")).collect()
    }

    /// What was asked of the portal since the list was last emptied.
    pub(crate) fn asked_of_portal(&self) -> Vec<String> {
        self.portal.requests().iter().map(towpath::sandbox::portal::Request::call).collect()
    }

    /// Empties both lists.
    pub(crate) fn forget_requests(&self) {
        self.github.reset_requests();
        self.portal.forget_requests();
    }

    /// The lines of a run's history.
    pub(crate) async fn history(&self, run: &RunId) -> String {
        let events = self.store().events(run, 0).await.unwrap();
        events.iter().map(|event| event.message.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The log of a run as the portal shows it.
    pub(crate) fn portal_log(&self, run: &RunId) -> String {
        let shown = self.portal.run(run.as_str()).expect("the portal has the run");
        shown.log.iter().map(|line| line.message.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Everything that the service has written to its disk.
    pub(crate) fn on_disk(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let bytes = files.filter_map(|file| std::fs::read(file).ok());
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    /// Ends the story: everything that was begun is done, nothing is parked, and neither side broke
    /// the other's contract, nor asked for what it was refused.
    pub(crate) async fn end(self) {
        for request in self.github.requests() {
            let refused = (400..500).contains(&request.status);
            assert!(!refused, "GitHub refused {} with {}", request.operation(), request.status);
        }
        self.end_with_refusals().await;
    }

    /// The same for a story in which GitHub is asked for what it has to refuse.
    pub(crate) async fn end_with_refusals(self) {
        self.end_with_violations(&[]).await;
    }

    /// The same for a story that breaks a contract on purpose, in these ways and no other.
    pub(crate) async fn end_with_violations(self, kinds: &[&str]) {
        let ahead = self.clock.now() - Clock::system().now();
        self.finish().await.assert_kept_but_for(kinds, ahead).await;
    }

    async fn finish(mut self) -> Contracts {
        if self.by_hand {
            // What was the last to come in is worked off, too.
            self.github.webhooks_delivered().await;
            Box::pin(self.worker().run_until_idle()).await.unwrap();
        }
        self.rest().await;
        let counts = self.store().counts().await.unwrap();
        assert_eq!(counts.steps_parked, 0, "a step was parked");
        self.stop().await;
        drop(self.folder);
        self.contracts
    }
}

/// The newest run of a workflow file.
pub(crate) fn newest_run(repository: &SandboxRepository, file: &str) -> SandboxRun {
    let runs = repository.workflow_runs().into_iter();
    let newest = runs.filter(|run| run.path.ends_with(file)).map(|run| run.id).max();
    repository.workflow_run(newest.unwrap_or_else(|| panic!("no run of {file}")))
}

/// The zip of an artifact with one file of JSON.
pub(crate) fn artifact(file: &str, content: &Value) -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(file, zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(content.to_string().as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}
