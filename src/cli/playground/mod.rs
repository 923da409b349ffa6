//! A sandbox GitHub, a sandbox portal and the service between them, in one process: what `demo`
//! plays in, and what `sandbox` offers for one's own templates.

mod content;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;

use crate::cli::service::{Service, Surroundings};
use crate::clock::Clock;
use crate::config::{AgentSettings, AppFile, GitHubApp, Intake, LogFormat, PortSettings, Settings};
use crate::lifecycle::{Drained, Lifecycle};
use crate::sandbox::github::{
    SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, Sandbox, SandboxConfig, SandboxGitHub, SandboxRepository,
};
use crate::sandbox::portal::{Options, SandboxPort};
use crate::sandbox::runner::Runner;
use crate::telemetry;
use crate::template::Templates;

/// What the sandbox's webhooks are signed with. Worthless: it is in the program's source.
const WEBHOOK_SECRET: &str = "the sandbox's webhook secret";

/// Where the parts of a playground listen and find each other. All are chosen by themselves.
#[derive(Args, Clone, Debug)]
pub struct PlaygroundArguments {
    /// Address and port of the service and its dashboard; a free port, if this one is taken.
    #[arg(long, env = "TOWPATH_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// The port of the sandbox GitHub.
    #[arg(long, env = "TOWPATH_SANDBOX_GITHUB_PORT", default_value_t = 0, hide = true)]
    pub github_port: u16,

    /// The port of the sandbox portal.
    #[arg(long, env = "TOWPATH_SANDBOX_PORTAL_PORT", default_value_t = 0, hide = true)]
    pub portal_port: u16,

    /// Where the sandbox GitHub sends its webhooks, instead of to the service itself.
    #[arg(long, env = "TOWPATH_SANDBOX_WEBHOOK_URL", hide = true)]
    pub webhook_url: Option<String>,

    /// Where the service finds GitHub, instead of at the sandbox itself.
    #[arg(long, env = "TOWPATH_DEMO_GITHUB_URL", hide = true)]
    pub github_url: Option<String>,

    /// Where the service finds the portal, instead of at the sandbox itself.
    #[arg(long, env = "TOWPATH_DEMO_PORTAL_URL", hide = true)]
    pub portal_url: Option<String>,

    /// What is logged, on standard error.
    #[arg(long, env = "TOWPATH_LOG", default_value = "error")]
    pub log: String,
}

/// Everything that runs.
pub struct Playground {
    /// The sandbox GitHub.
    pub github: SandboxGitHub,
    /// Its repository of infrastructure.
    pub infrastructure: SandboxRepository,
    /// Its repository of a service.
    pub shop: SandboxRepository,
    /// The sandbox portal.
    pub portal: SandboxPort,
    /// The service.
    pub service: Service,
    lifecycle: Lifecycle,
    folder: tempfile::TempDir,
}

impl Playground {
    /// Starts everything on loopback, with its files in a temporary folder.
    pub async fn start(
        arguments: &PlaygroundArguments,
        templates: Templates,
        lifecycle: Lifecycle,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("towpath-").tempdir()?;
        let clock = Clock::system();
        let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));

        let mut config = SandboxConfig::new(folder.path().join("github"), clock.clone());
        config.listen = local(arguments.github_port);
        config.webhook_secret = Some(WEBHOOK_SECRET.to_owned());
        config.runner = Some(Arc::new(Runner::default()));
        let github = Sandbox::start(config).await.context("starting the sandbox GitHub")?;
        let options = Options {
            listen: local(arguments.portal_port),
            clock: clock.clone(),
            ..Options::default()
        };
        let portal = SandboxPort::start(options).await.context("starting the sandbox portal")?;

        let listener = listen(arguments.listen).await?;
        let address = listener.local_addr()?;
        // Before anything is sent, which waits there until it is taken in: a delivery that failed is a
        // finding of the doctor.
        let hooks = format!("http://{address}/hooks/github");
        github.set_webhook_url(arguments.webhook_url.as_ref().unwrap_or(&hooks));
        let (infrastructure, shop) = content::repositories(&github);
        content::portal(&portal, &templates, address)?;
        let settings = settings(arguments, &github, &portal, address, folder.path());
        let surroundings = Surroundings {
            listener,
            clock,
            lifecycle: lifecycle.clone(),
            metrics: telemetry::start_metrics()?,
        };
        let service = Service::start(&settings, templates, surroundings).await?;
        Ok(Self { github, infrastructure, shop, portal, service, lifecycle, folder })
    }

    /// The folder in which everything lies, until the end.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where Terraform keeps the states of a repository's folders.
    pub fn state_of(&self, repository: &SandboxRepository) -> PathBuf {
        self.folder().join("github/state").join(repository.full_name())
    }

    /// Ends everything, and removes its files.
    pub async fn stop(self) {
        /// What still runs is a demonstration: nobody waits long for it.
        const PATIENCE: Duration = Duration::from_secs(5);
        self.lifecycle.stop();
        if self.lifecycle.drain(PATIENCE).await != Drained::Complete {
            tracing::warn!("stopped in the middle of something");
        }
        self.service.store.close().await;
        self.github.shutdown().await;
    }
}

/// The wanted port, or a free one.
async fn listen(wanted: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(wanted).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((wanted.ip(), 0))
            .await
            .with_context(|| format!("TOWPATH_LISTEN: {wanted} cannot be listened on")),
    }
}

fn settings(
    arguments: &PlaygroundArguments,
    github: &SandboxGitHub,
    portal: &SandboxPort,
    address: SocketAddr,
    folder: &Path,
) -> Settings {
    let given = |given: &Option<String>, own: String| given.clone().unwrap_or(own);
    Settings {
        listen: address,
        database_url: format!("sqlite://{}", folder.join("towpath.db").display()).into(),
        templates: "given".to_owned(),
        github_api_url: given(&arguments.github_url, github.url()),
        github_app: Some(GitHubApp {
            id: SANDBOX_CLIENT_ID.to_owned(),
            private_key: SANDBOX_APP_KEY.into(),
        }),
        app_file: AppFile::at(folder.join("github-app.json")),
        public_url: None,
        github_webhook_secrets: vec![WEBHOOK_SECRET.into()],
        port: Some(PortSettings {
            api_url: given(&arguments.portal_url, portal.url()),
            client_id: portal.client_id().to_owned(),
            client_secret: portal.client_secret().into(),
        }),
        inputs_private_key: None,
        port_org_id: None,
        intake: Intake { webhook: true, kafka: None, polling: None },
        agent: AgentSettings::default(),
        events: None,
        api_token: None,
        sign_in: None,
        reconcile_interval: Duration::from_mins(1),
        lease: Duration::from_secs(10),
        keep_runs: Duration::from_hours(365 * 24),
        log: arguments.log.clone(),
        log_format: LogFormat::Text,
        otlp_endpoint: None,
    }
}
