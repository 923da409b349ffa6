//! The service, put together.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpListener;

use crate::agent::{self, Agent};
use crate::cli::backstage::{Behind, ByGitHub};
#[cfg(feature = "kafka")]
use crate::cli::kafka::consume;
use crate::cli::polling::poll;
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::domain::BlueprintId;
use crate::effects::{Effects, Looks, RunPages, TemplatesInForce};
use crate::github::{self, Client, GitHub, web_address};
use crate::http::dashboard::{CookieKey, DashboardState, SignIn};
use crate::http::{self, AppState};
use crate::intake::Intake;
use crate::intake::lost::LostDeliveries;
use crate::lifecycle::Lifecycle;
use crate::listener::Listener;
use crate::portal::Port;
use crate::seal::SealingKey;
use crate::source::{self, Keeper, Origin};
use crate::store::Store;
use crate::template::Templates;
use crate::worker::{House, Sweep, Worker};

/// What is given to a service from outside.
pub struct Surroundings {
    /// Where it listens.
    pub listener: TcpListener,
    /// The time.
    pub clock: Clock,
    /// Its tasks, and the word to stop.
    pub lifecycle: Lifecycle,
    /// What counts.
    pub metrics: PrometheusHandle,
}

/// A service that runs.
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it remembers.
    pub store: Store,
    /// The templates in force.
    pub templates: TemplatesInForce,
    /// Keeps those of repositories fresh.
    pub keeper: Keeper,
    /// Works off what is to be done.
    pub worker: Worker,
    /// Asks about what was silent too long.
    pub sweep: Sweep,
    /// Takes in what GitHub could not deliver.
    pub lost_deliveries: LostDeliveries<GitHub>,
}

impl Service {
    /// Starts everything: routes, worker, sweep, the reading of the delivery log. It runs until the lifecycle is told to stop.
    pub async fn start(
        settings: &Settings,
        templates: Templates,
        surroundings: Surroundings,
    ) -> anyhow::Result<Self> {
        let lifecycle = surroundings.lifecycle.clone();
        let service = Self::receive(settings, templates, surroundings).await?;
        lifecycle.spawn(service.worker.clone().run(lifecycle.token()));
        lifecycle.spawn(service.sweep.clone().run(lifecycle.token()));
        lifecycle.spawn(service.store.clone().share_changes(lifecycle.token()));
        lifecycle.spawn(service.store.clone().keep_checkpointing(lifecycle.token()));
        let house = House::new(service.store.clone(), settings.keep_runs);
        lifecycle.spawn(house.run(lifecycle.token()));
        lifecycle.spawn(service.lost_deliveries.clone().run(lifecycle.token()));
        Ok(service)
    }

    /// Starts what receives, and no more: nothing is done until somebody drives `worker`.
    pub async fn receive(
        settings: &Settings,
        templates: Templates,
        surroundings: Surroundings,
    ) -> anyhow::Result<Self> {
        let Surroundings { listener, clock, lifecycle, metrics } = surroundings;
        let address = listener.local_addr().context("the address to listen on")?;
        let url = settings.database_url.expose_secret();
        let store = Store::open(url, clock.clone()).await.context("opening the database")?;
        store.take().await.context("opening the database")?;
        lifecycle.spawn(store.clone().learn_links(lifecycle.token()));
        let github = github_of(settings, &clock)?;
        let sealing_key = sealing_key(settings)?;
        let keeper = keeper_of(settings, templates, &github, &store).await?;
        let templates = keeper.in_force();
        let portal = portal_of(settings, &clock)?;
        let effects = Effects {
            looks: Looks::default(),
            store: store.clone(),
            github: github.clone(),
            portal: portal.clone(),
            agent: agent_of(settings, &clock)?,
            listener: listener_of(settings, &clock)?,
            templates: templates.clone(),
            pages: pages(settings, address),
            sealing_key: sealing_key.clone(),
            clock: clock.clone(),
        };
        effects.keep_to_known_limits().await.context("reading the limits of GitHub")?;
        let intake = Intake {
            store: store.clone(),
            clock: clock.clone(),
            github_secrets: settings.github_webhook_secrets.clone(),
            portal_key: settings.port.as_ref().map(|port| port.client_secret.clone()),
            sealing_key,
            secret_names: secret_names(&templates),
            access_changed: {
                let github = github.clone();
                Arc::new(move || github.forget_installations())
            },
            seen: {
                let keeper = keeper.clone();
                Arc::new(move |seen| keeper.hear(seen))
            },
        };
        let lost_deliveries =
            LostDeliveries::new(intake.clone(), github, settings.reconcile_interval);
        if let Some(port) = portal {
            fetch(port, &intake, &settings.intake, &lifecycle);
        }
        let state = AppState {
            store: store.clone(),
            intake: Arc::new(intake.clone()),
            metrics,
            api_token: settings.api_token.clone(),
            takes_webhooks: settings.intake.webhook,
            stopping: lifecycle.token(),
        };
        let dashboard = DashboardState {
            store: store.clone(),
            clock: clock.clone(),
            github_url: web_address(&settings.github_api_url),
            blueprints: {
                let templates = templates.clone();
                Arc::new(move || blueprints(&templates.now()))
            },
            templates: templates_now(&templates),
            intake,
            backstage: Arc::new(Behind { effects: effects.clone(), settings: settings.clone() }),
            cookie_key: CookieKey::derived_from(&lasting_secret(settings)),
            sign_in: sign_in_of(settings, &effects.github, address),
            stop: lifecycle.token(),
        };
        let app = http::app(state, dashboard);
        lifecycle.spawn(serve(listener, app, lifecycle.clone()));
        lifecycle.spawn(keeper.clone().run(lifecycle.token()));
        let sweep = Sweep::new(effects.clone(), settings.reconcile_interval);
        lifecycle.spawn(effects.clone().share_limits(lifecycle.token()));
        let worker = Worker::new(effects, settings.lease);
        Ok(Self { address, store, templates, keeper, worker, sweep, lost_deliveries })
    }
}

/// Starts the ways in by which this program asks for runs itself.
fn fetch(port: Port, intake: &Intake, ways: &config::Intake, lifecycle: &Lifecycle) {
    #[cfg(feature = "kafka")]
    if let Some(kafka) = ways.kafka.clone() {
        lifecycle.spawn(consume(port.clone(), intake.clone(), kafka, lifecycle.token()));
    }
    if let Some(polling) = ways.polling.clone() {
        lifecycle.spawn(poll(port, intake.clone(), polling, lifecycle.token()));
    }
}

async fn serve(listener: TcpListener, app: Router, lifecycle: Lifecycle) {
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let token = lifecycle.token();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(async move { token.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(error = %error, "the service cannot listen any more");
        lifecycle.stop();
    }
}

pub(super) fn github_of(settings: &Settings, clock: &Clock) -> anyhow::Result<GitHub> {
    let Some(app) = &settings.github_app else {
        ensure!(
            settings.agent.needs_no_app && settings.port.is_some(),
            "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY are not set: without them nothing can be \
             done on GitHub; `towpath setup --help` says how they are made"
        );
        tracing::warn!("no GitHub App is set up: only actions with an address can be delivered");
        let github = GitHub::without_app(&settings.github_api_url, clock.clone());
        return github.context("the address of GitHub");
    };
    let settings = github::Settings {
        api_url: settings.github_api_url.clone(),
        app: app.id.clone(),
        private_key: app.private_key.clone(),
    };
    GitHub::new(&settings, clock.clone()).context("the GitHub App")
}

/// The templates that are given, and those of the repositories that the settings name.
async fn keeper_of(
    settings: &Settings,
    given: Templates,
    github: &GitHub,
    store: &Store,
) -> anyhow::Result<Keeper> {
    let origins = source::origins(&settings.templates).map_err(anyhow::Error::msg);
    let addresses = origins.context("TOWPATH_TEMPLATES")?.into_iter();
    let addresses = addresses.filter_map(|origin| match origin {
        Origin::GitHub(address) => Some(address),
        Origin::Folder(_) => None,
    });
    let given = vec![("the folder of this machine".to_owned(), given)];
    let keeper = Keeper::start(github.clone(), store.clone(), given, addresses.collect()).await;
    keeper.context("TOWPATH_TEMPLATES")
}

pub(super) fn portal_of(settings: &Settings, clock: &Clock) -> anyhow::Result<Option<Port>> {
    let Some(port) = &settings.port else { return Ok(None) };
    let client_secret = port.client_secret.clone();
    let portal = Port::new(&port.api_url, &port.client_id, client_secret, clock.clone());
    portal.map(Some).context("the portal")
}

fn agent_of(settings: &Settings, clock: &Clock) -> anyhow::Result<Agent> {
    let agent = settings.agent.clone();
    let key = settings.port.as_ref().map(|port| port.client_secret.clone());
    let settings = agent::Settings {
        mapping: agent.mapping,
        allow: agent.allow,
        timeout: agent.timeout,
        verify_certificates: agent.verify_certificates,
        authorities: agent.authorities,
        resend: agent.resend,
        environment: agent.environment,
    };
    Agent::new(&settings, key, clock.clone()).map_err(anyhow::Error::msg)
}

fn listener_of(settings: &Settings, clock: &Clock) -> anyhow::Result<Option<Listener>> {
    let Some(events) = &settings.events else { return Ok(None) };
    let listener = Listener::new(&events.url, &events.secret, clock.clone());
    listener.map(Some).context("TOWPATH_EVENTS_URL")
}

fn sign_in_of(settings: &Settings, github: &GitHub, address: SocketAddr) -> Option<SignIn> {
    let given = settings.sign_in.as_ref()?;
    let public_url = public_url(settings, address);
    let identity = ByGitHub {
        github: github.clone(),
        client: Client { id: given.client_id.clone(), secret: given.client_secret.clone() },
        web: web_address(&settings.github_api_url),
        redirect: format!("{public_url}/sign-in/back"),
    };
    Some(SignIn::new(Arc::new(identity), given.rules.clone(), public_url))
}

/// Secrets are sealed with the portal's client secret, as the portal does it; without one, or with
/// one that is too short for a key, with a key made of the App's private key, or of that secret.
fn sealing_key(settings: &Settings) -> anyhow::Result<SealingKey> {
    let portal = settings.port.as_ref().map(|port| &port.client_secret);
    let key = match portal.map(SealingKey::of) {
        Some(Ok(key)) => key,
        _ => SealingKey::derived_from(&lasting_secret(settings)),
    };
    match &settings.inputs_private_key {
        None => Ok(key),
        Some(pem) => key.with_client_side(pem).context("PORT_INPUTS_PRIVATE_KEY"),
    }
}

/// A secret that outlives a restart: the App's private key, else the portal's client secret. One of
/// them is there: without an App the service takes runs from Port only.
fn lasting_secret(settings: &Settings) -> SecretString {
    let app = settings.github_app.as_ref().map(|app| &app.private_key);
    let portal = settings.port.as_ref().map(|port| &port.client_secret);
    app.or(portal).cloned().unwrap_or_default()
}

fn secret_names(templates: &TemplatesInForce) -> crate::intake::accept::SecretNames {
    let templates = templates.clone();
    Arc::new(move |action| {
        let now = templates.now();
        let names = now.action(action).map(|of| of.template.secret_inputs());
        names.into_iter().flatten().map(str::to_owned).collect()
    })
}

fn templates_now(templates: &TemplatesInForce) -> Arc<dyn Fn() -> Templates + Send + Sync> {
    let templates = templates.clone();
    Arc::new(move || templates.now())
}

/// What the catalog consists of: the blueprints that the templates write.
fn blueprints(templates: &Templates) -> Vec<BlueprintId> {
    let named = templates
        .iter()
        .filter_map(|template| template.entity.as_ref()?.get("blueprint")?.as_str()?.parse().ok());
    named.collect::<BTreeSet<BlueprintId>>().into_iter().collect()
}

/// The address at which browsers reach this service.
fn public_url(settings: &Settings, address: SocketAddr) -> String {
    settings.public_url.clone().unwrap_or_else(|| format!("http://{address}"))
}

/// Where people see a run: in the portal, or on this service's own page.
fn pages(settings: &Settings, address: SocketAddr) -> RunPages {
    // `https://api.port.io` belongs to `https://app.port.io`, `https://api.us.port.io` likewise.
    let web = settings.port.as_ref().map(|port| port.api_url.replacen("://api.", "://app.", 1));
    let own = public_url(settings, address);
    RunPages {
        portal: web.map(|web| format!("{web}/organization/run?runId=")),
        own: format!("{own}/runs/"),
    }
}
