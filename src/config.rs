//! The settings: read once, at the start, from environment variables and flags. [`RawSettings`] is
//! what was written, [`Settings`] what the program uses; only [`RawSettings::check`] joins them, and
//! it says in one sentence what is wrong and how to mend it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

mod agent;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use secrecy::SecretString;

use crate::domain::RegisteredApp;

mod app_file;
mod sign_in;

pub use agent::{AgentSettings, RawAgentSettings};
pub use app_file::AppFile;
pub use sign_in::{RawSignIn, SignInSettings};

/// The settings as they were written. Each is an environment variable and a flag.
#[derive(Args, Clone)]
pub struct RawSettings {
    /// Address and port to listen on. Put a proxy with TLS in front of anything but this machine.
    #[arg(long, env = "TOWPATH_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: String,

    /// Where runs are remembered.
    #[command(flatten)]
    pub database: DatabaseSetting,

    /// The folder with the templates, or `github:owner/repo[/path][@ref]`. Several places stand with
    /// commas between them.
    #[arg(long, env = "TOWPATH_TEMPLATES", default_value = "templates")]
    pub templates: String,

    /// GitHub's REST API. On GitHub Enterprise Server `https://HOST/api/v3`; the GraphQL address is
    /// derived from it.
    #[arg(long, env = "GITHUB_API_URL", default_value = "https://api.github.com")]
    pub github_api_url: String,

    /// The GitHub App's id or client id.
    #[arg(long, env = "GITHUB_APP_ID")]
    pub github_app_id: Option<String>,

    /// The App's private key: PEM, or the PEM in base64 where line breaks are a nuisance.
    #[arg(
        long,
        env = "GITHUB_APP_PRIVATE_KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub github_app_private_key: Option<String>,

    /// A file with the App's private key, instead of the key itself.
    #[arg(long, env = "GITHUB_APP_PRIVATE_KEY_FILE")]
    pub github_app_private_key_file: Option<PathBuf>,

    /// Where `towpath setup` keeps the App that it registers: id, key and secrets, for whoever owns
    /// the file. Read where `GITHUB_APP_ID` is not set.
    #[arg(long, env = "TOWPATH_APP_FILE", default_value = "github-app.json")]
    pub app_file: PathBuf,

    /// The address at which browsers and GitHub reach this service: `https://towpath.acme.example`.
    #[arg(long, env = "TOWPATH_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// The secret of GitHub's webhooks; without it `/hooks/github` refuses everything. While
    /// rotating, the new and the old one, separated by a comma.
    #[arg(long, env = "GITHUB_WEBHOOK_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub github_webhook_secret: Option<String>,

    /// Port's API, without `/v1`. In the US region `https://api.us.port.io`.
    #[arg(long, env = "PORT_API_URL", default_value = "https://api.port.io")]
    pub port_api_url: String,

    /// Port's client id. Without it and the secret, the embedded portal is used.
    #[arg(long, env = "PORT_CLIENT_ID")]
    pub port_client_id: Option<String>,

    /// Port's client secret. It is also the key of `X-Port-Signature` and of encrypted inputs.
    #[arg(long, env = "PORT_CLIENT_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub port_client_secret: Option<String>,

    /// The private key of inputs that are encrypted on the client's side: RSA, PKCS#8 in PEM, or
    /// that in base64.
    #[arg(
        long,
        env = "PORT_INPUTS_PRIVATE_KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub port_inputs_private_key: Option<String>,

    /// A file with that key, instead of the key itself.
    #[arg(long, env = "PORT_INPUTS_PRIVATE_KEY_FILE")]
    pub port_inputs_private_key_file: Option<PathBuf>,

    /// Port's organisation id (`org_…`). Needed for Kafka, whose topic is named after it.
    #[arg(long, env = "PORT_ORG_ID")]
    pub port_org_id: Option<String>,

    /// How action runs come in: a comma list of `webhook`, `kafka` and `polling`.
    #[arg(long, env = "TOWPATH_INTAKE", default_value = "webhook")]
    pub intake: String,

    /// Kafka's brokers, comma-separated. Without them, brokers and credentials come from Port.
    #[arg(long, env = "KAFKA_BROKERS")]
    pub kafka_brokers: Option<String>,

    /// The topic of action runs. Without it `<org>.runs`.
    #[arg(long, env = "KAFKA_RUNS_TOPIC")]
    pub kafka_runs_topic: Option<String>,

    /// The consumer group. Without it `<org>.towpath`.
    #[arg(long, env = "KAFKA_GROUP_ID")]
    pub kafka_group_id: Option<String>,

    /// Kafka's security protocol.
    #[arg(long, env = "KAFKA_SECURITY_PROTOCOL", default_value = "SASL_SSL")]
    pub kafka_security_protocol: String,

    /// Kafka's SASL mechanism.
    #[arg(long, env = "KAFKA_SASL_MECHANISM", default_value = "SCRAM-SHA-512")]
    pub kafka_sasl_mechanism: String,

    /// Kafka's user name. Without it and the password, they come from Port.
    #[arg(long, env = "KAFKA_USERNAME")]
    pub kafka_username: Option<String>,

    /// Kafka's password.
    #[arg(long, env = "KAFKA_PASSWORD", hide_env_values = true, allow_hyphen_values = true)]
    pub kafka_password: Option<String>,

    /// A file with the certificate authority of Kafka's brokers, where it is not a public one.
    #[arg(long, env = "KAFKA_SSL_CA_LOCATION")]
    pub kafka_ssl_ca_location: Option<PathBuf>,

    /// For whom polling claims runs: the execution agent's, or an integration's own id.
    #[arg(long, env = "PORT_INSTALLATION_ID", default_value = "_PORT_EXEC_AGENT")]
    pub port_installation_id: String,

    /// How often polling asks for runs (`10s`, `1m`).
    #[arg(long, env = "PORT_POLL_INTERVAL", default_value = "10s")]
    pub port_poll_interval: String,

    /// Delivery inside the network, in the place of Port's agent.
    #[command(flatten)]
    pub agent: RawAgentSettings,

    /// Where events of runs and entities are sent, for a portal other than Port: signed CloudEvents.
    #[arg(long, env = "TOWPATH_EVENTS_URL")]
    pub events_url: Option<String>,

    /// The secret that events are signed with: any text, or `whsec_…`.
    #[arg(long, env = "TOWPATH_EVENTS_SECRET", hide_env_values = true, allow_hyphen_values = true)]
    pub events_secret: Option<String>,

    /// The token with which other machines may use the API. Without it, only this machine may.
    #[arg(long, env = "TOWPATH_API_TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    pub api_token: Option<String>,

    /// How people sign in to the dashboard.
    #[command(flatten)]
    pub sign_in: RawSignIn,

    /// How often runs that have been silent too long are looked at on GitHub, and GitHub's delivery
    /// log for what did not arrive (`60s`, `5m`).
    #[arg(long, env = "TOWPATH_RECONCILE_INTERVAL", default_value = "60s")]
    pub reconcile_interval: String,

    /// How long a run and its history are kept after its end (`90d`); at least 30 days. Entities stay.
    #[arg(long, env = "TOWPATH_KEEP_RUNS", default_value = "365d")]
    pub keep_runs: String,

    /// What is logged: `error`, `warn`, `info`, `debug`, or by module (`info,towpath::github=debug`).
    #[arg(long, env = "TOWPATH_LOG", default_value = "info")]
    pub log: String,

    /// The form of the log: `text` for people, `json` for machines.
    #[arg(long, env = "TOWPATH_LOG_FORMAT", default_value = "text")]
    pub log_format: String,

    /// Where traces are sent with OTLP. Without it there are none.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otel_exporter_otlp_endpoint: Option<String>,
}

/// The setting of every command that works with the database.
#[derive(Args, Clone)]
pub struct DatabaseSetting {
    /// Where runs are remembered: `sqlite://FILE`, or `postgres://…` for several replicas.
    #[arg(long, env = "TOWPATH_DATABASE_URL", default_value = "sqlite://towpath.db")]
    #[arg(hide_env_values = true)]
    pub database_url: String,
}

impl DatabaseSetting {
    /// The address, if it is one. It may hold a password.
    pub fn check(self) -> Result<SecretString, SettingsError> {
        parse_database_url(self.database_url)
    }
}

/// The settings as the program uses them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The store's address. It may hold a password.
    pub database_url: SecretString,
    /// Folder, or `github:owner/repo[/path][@ref]`.
    pub templates: String,
    /// GitHub's REST API, without a slash at the end.
    pub github_api_url: String,
    /// The GitHub App; `None` where it is not set.
    pub github_app: Option<GitHubApp>,
    /// Where a registered App is kept.
    pub app_file: AppFile,
    /// This service's address for browsers and for GitHub, without a slash at the end.
    pub public_url: Option<String>,
    /// The secrets of GitHub's webhooks; with none, nothing is accepted.
    pub github_webhook_secrets: Vec<SecretString>,
    /// Port; `None` for the embedded portal.
    pub port: Option<PortSettings>,
    /// Opens inputs that are encrypted on the client's side: PEM.
    pub inputs_private_key: Option<SecretString>,
    /// The organisation's id.
    pub port_org_id: Option<String>,
    /// How action runs come in.
    pub intake: Intake,
    /// How actions are delivered inside the network.
    pub agent: AgentSettings,
    /// Who else wants to hear of runs and entities.
    pub events: Option<EventsSettings>,
    /// With what other machines may use the API.
    pub api_token: Option<SecretString>,
    /// How people sign in to the dashboard; `None`: it answers on its own machine only.
    pub sign_in: Option<SignInSettings>,
    /// How often silent runs are looked at.
    pub reconcile_interval: Duration,
    /// How long a run is kept after its end.
    pub keep_runs: Duration,
    /// What is logged.
    pub log: String,
    /// The form of the log.
    pub log_format: LogFormat,
    /// Where traces are sent.
    pub otlp_endpoint: Option<String>,
}

/// Who this program is on GitHub.
#[derive(Debug, Clone)]
pub struct GitHubApp {
    /// App id or client id.
    pub id: String,
    /// PEM.
    pub private_key: SecretString,
}

/// Port's API and credentials.
#[derive(Debug, Clone)]
pub struct PortSettings {
    /// Without `/v1`, without a slash at the end.
    pub api_url: String,
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: SecretString,
}

/// Where events are sent.
#[derive(Debug, Clone)]
pub struct EventsSettings {
    /// The address.
    pub url: String,
    /// What they are signed with.
    pub secret: SecretString,
}

/// How action runs come in. At least one way is open.
#[derive(Debug, Clone)]
pub struct Intake {
    /// `POST /hooks/port`.
    pub webhook: bool,
    /// Kafka.
    pub kafka: Option<KafkaSettings>,
    /// Claim and acknowledge.
    pub polling: Option<PollingSettings>,
}

/// Where and how Kafka is read.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// `None`: brokers and credentials come from Port.
    pub brokers: Option<String>,
    /// The topic of action runs.
    pub topic: String,
    /// The consumer group. `None`: it is called like the user, as that of Port's agent.
    pub group: Option<String>,
    /// Port's agent was here before: the runs that wait for it are to come this way.
    pub is_agent: bool,
    /// `SASL_SSL`, …
    pub security_protocol: String,
    /// `SCRAM-SHA-512`, …
    pub sasl_mechanism: String,
    /// User name and password, where they do not come from Port.
    pub credentials: Option<(String, SecretString)>,
    /// The brokers' certificate authority.
    pub ca_location: Option<PathBuf>,
}

/// How Port is polled.
#[derive(Debug, Clone)]
pub struct PollingSettings {
    /// For whom runs are claimed.
    pub installation: String,
    /// How often.
    pub interval: Duration,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A setting that is wrong or missing, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

/// The fewest characters of a token that opens the API to other machines.
const SHORTEST_TOKEN: usize = 24;

const MILLIS_PER_DAY: u64 = 86_400_000;

type Checked<T> = Result<T, SettingsError>;

fn wrong<T>(text: impl Into<String>) -> Checked<T> {
    Err(SettingsError(text.into()))
}

impl RawSettings {
    /// What the program can work with, or the first thing that is wrong. Reads the file of the
    /// private key or that of a registered App, and nothing else.
    pub fn check(mut self) -> Checked<Settings> {
        self.take_over_names_of_the_agent();
        let port = self.port()?;
        let intake = self.intake(port.is_some())?;
        let events = self.events()?;
        let github_api_url = parse_url("GITHUB_API_URL", &self.github_api_url)?;
        let app_file = AppFile::at(&self.app_file);
        let mut webhook_secrets: Vec<SecretString> =
            split(self.github_webhook_secret.as_deref()).map(SecretString::from).collect();
        let mut github_app = self.github_app()?;
        let mut kept_secret = None;
        if github_app.is_none()
            && let Some(kept) = kept_app(&app_file, &github_api_url)?
        {
            if webhook_secrets.is_empty() {
                webhook_secrets.extend(kept.webhook_secret);
            }
            github_app = Some(GitHubApp { id: kept.client_id, private_key: kept.private_key });
            kept_secret = Some(kept.client_secret);
        }
        let inputs_private_key = key_of(
            ("PORT_INPUTS_PRIVATE_KEY", self.port_inputs_private_key.as_ref()),
            ("PORT_INPUTS_PRIVATE_KEY_FILE", self.port_inputs_private_key_file.as_ref()),
        )?;
        let app_id = github_app.as_ref().map(|app| app.id.as_str());
        let sign_in = self.sign_in.check(app_id, kept_secret)?;
        Ok(Settings {
            listen: parse_listen(&self.listen)?,
            github_api_url,
            github_app,
            app_file,
            public_url: given(self.public_url)
                .map(|url| parse_url("TOWPATH_PUBLIC_URL", &url))
                .transpose()?,
            github_webhook_secrets: webhook_secrets,
            reconcile_interval: parse_duration(
                "TOWPATH_RECONCILE_INTERVAL",
                &self.reconcile_interval,
            )?,
            keep_runs: parse_keep_runs(&self.keep_runs)?,
            log_format: parse_log_format(&self.log_format)?,
            database_url: self.database.check()?,
            templates: self.templates,
            port,
            agent: self.agent.check()?,
            inputs_private_key,
            port_org_id: given(self.port_org_id),
            intake,
            events,
            sign_in,
            api_token: parse_api_token(self.api_token)?,
            log: self.log,
            otlp_endpoint: given(self.otel_exporter_otlp_endpoint),
        })
    }

    fn github_app(&self) -> Checked<Option<GitHubApp>> {
        let id = given(self.github_app_id.clone());
        let key = key_of(
            ("GITHUB_APP_PRIVATE_KEY", self.github_app_private_key.as_ref()),
            ("GITHUB_APP_PRIVATE_KEY_FILE", self.github_app_private_key_file.as_ref()),
        )?;
        match (id, key) {
            (None, None) => Ok(None),
            (Some(id), Some(private_key)) => Ok(Some(GitHubApp { id, private_key })),
            (Some(_), None) => wrong(
                "GITHUB_APP_ID is set without a key; set GITHUB_APP_PRIVATE_KEY or GITHUB_APP_PRIVATE_KEY_FILE too.",
            ),
            (None, Some(_)) => wrong(
                "GITHUB_APP_PRIVATE_KEY is set without GITHUB_APP_ID; set the App's id or client id too.",
            ),
        }
    }

    fn port(&self) -> Checked<Option<PortSettings>> {
        let id = given(self.port_client_id.clone());
        let secret = given(self.port_client_secret.clone());
        match (id, secret) {
            (None, None) => Ok(None),
            (Some(client_id), Some(secret)) => Ok(Some(PortSettings {
                api_url: parse_url("PORT_API_URL", &self.port_api_url)?,
                client_id,
                client_secret: secret.into(),
            })),
            (Some(_), None) => wrong(
                "PORT_CLIENT_ID is set without PORT_CLIENT_SECRET; set both, or neither for the embedded portal.",
            ),
            (None, Some(_)) => wrong(
                "PORT_CLIENT_SECRET is set without PORT_CLIENT_ID; set both, or neither for the embedded portal.",
            ),
        }
    }

    fn events(&self) -> Checked<Option<EventsSettings>> {
        match (given(self.events_url.clone()), given(self.events_secret.clone())) {
            (None, None) => Ok(None),
            (Some(url), Some(secret)) => {
                let url = parse_url("TOWPATH_EVENTS_URL", &url)?;
                Ok(Some(EventsSettings { url, secret: secret.into() }))
            }
            (Some(_), None) => wrong(
                "TOWPATH_EVENTS_URL is set without TOWPATH_EVENTS_SECRET; set a secret too, with which the listener can prove what it hears.",
            ),
            (None, Some(_)) => wrong(
                "TOWPATH_EVENTS_SECRET is set without TOWPATH_EVENTS_URL; set both, or neither.",
            ),
        }
    }

    fn intake(&self, has_port: bool) -> Checked<Intake> {
        let mut intake = Intake { webhook: false, kafka: None, polling: None };
        let mut ways = 0;
        for way in split(Some(&self.intake)) {
            ways += 1;
            if matches!(way, "kafka" | "polling") && !has_port {
                return wrong(format!(
                    "TOWPATH_INTAKE has `{way}`, which needs Port; set PORT_CLIENT_ID and PORT_CLIENT_SECRET."
                ));
            }
            match way {
                "webhook" => intake.webhook = true,
                "kafka" => intake.kafka = Some(self.kafka()?),
                "polling" => intake.polling = Some(self.polling()?),
                other => {
                    return wrong(format!(
                        "TOWPATH_INTAKE has {other:?}; use a comma list of webhook, kafka and polling."
                    ));
                }
            }
        }
        if ways == 0 {
            return wrong(
                "TOWPATH_INTAKE is empty; use a comma list of webhook, kafka and polling.",
            );
        }
        Ok(intake)
    }

    fn kafka(&self) -> Checked<KafkaSettings> {
        if cfg!(not(feature = "kafka")) {
            return wrong(
                "TOWPATH_INTAKE has `kafka`, which this build cannot read; build it with `cargo build --features kafka`, or use webhook or polling.",
            );
        }
        let organization = given(self.port_org_id.clone());
        let named = |given: Option<String>, variable: &str, suffix: &str| match (
            given,
            &organization,
        ) {
            (Some(name), _) => Ok(name),
            (None, Some(organization)) => Ok(format!("{organization}.{suffix}")),
            (None, None) => wrong(format!(
                "TOWPATH_INTAKE has `kafka`, but neither PORT_ORG_ID nor {variable} is set; set PORT_ORG_ID."
            )),
        };
        let credentials = match (
            given(self.kafka_username.clone()),
            given(self.kafka_password.clone()),
        ) {
            (None, None) => None,
            (Some(username), Some(password)) => Some((username, password.into())),
            _ => {
                return wrong(
                    "Of KAFKA_USERNAME and KAFKA_PASSWORD only one is set; set both, or neither to get them from Port.",
                );
            }
        };
        Ok(KafkaSettings {
            brokers: given(self.kafka_brokers.clone()),
            topic: named(given(self.kafka_runs_topic.clone()), "KAFKA_RUNS_TOPIC", "runs")?,
            is_agent: self.agent.was_in_its_place(),
            group: match given(self.kafka_group_id.clone()) {
                None if self.agent.was_in_its_place() => None,
                group => Some(named(group, "KAFKA_GROUP_ID", "towpath")?),
            },
            security_protocol: self.kafka_security_protocol.clone(),
            sasl_mechanism: self.kafka_sasl_mechanism.clone(),
            credentials,
            ca_location: self.kafka_ssl_ca_location.clone(),
        })
    }

    fn polling(&self) -> Checked<PollingSettings> {
        let interval = parse_duration("PORT_POLL_INTERVAL", &self.port_poll_interval)?;
        Ok(PollingSettings { installation: self.port_installation_id.clone(), interval })
    }
}

/// A text with something in it: deployments set variables to nothing.
fn given(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn split(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn parse_listen(text: &str) -> Checked<SocketAddr> {
    text.parse().or_else(|_| {
        wrong(format!("TOWPATH_LISTEN is {text:?}; use an address and a port, as 127.0.0.1:8080."))
    })
}

fn parse_url(name: &str, text: &str) -> Checked<String> {
    let url = reqwest::Url::parse(text).ok();
    match url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => wrong(format!("{name} is {text:?}; use an address that starts with https://.")),
    }
}

/// The App that `towpath setup` has kept.
fn kept_app(file: &AppFile, api_url: &str) -> Checked<Option<RegisteredApp>> {
    let path = file.path().display();
    let kept = match file.read() {
        Ok(kept) => kept,
        Err(error) => {
            return wrong(format!(
                "TOWPATH_APP_FILE is {path}: {error:#}; restore it, or move it away and run `towpath setup` again."
            ));
        }
    };
    match kept {
        Some(kept) if kept.api_url != api_url => wrong(format!(
            "The App in {path} is registered at {}, but GITHUB_API_URL is {api_url}; set it to the same.",
            kept.api_url
        )),
        kept => Ok(kept.map(|kept| kept.app)),
    }
}

fn parse_database_url(text: String) -> Checked<SecretString> {
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(text.into());
    }
    // The value may hold a password, and is not repeated.
    wrong("TOWPATH_DATABASE_URL has to start with sqlite:// or postgres://.")
}

/// Long enough that it cannot be guessed.
fn parse_api_token(token: Option<String>) -> Checked<Option<SecretString>> {
    match given(token) {
        Some(token) if token.len() < SHORTEST_TOKEN => wrong(format!(
            "TOWPATH_API_TOKEN has fewer than {SHORTEST_TOKEN} characters; use a longer one, as `openssl rand -hex 32` makes it."
        )),
        token => Ok(token.map(SecretString::from)),
    }
}

fn parse_log_format(text: &str) -> Checked<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => wrong(format!("TOWPATH_LOG_FORMAT is {other:?}; use text or json.")),
    }
}

/// `10s`, `5m`, `1h`, `500ms`; at least a tenth of a second.
fn parse_duration(name: &str, text: &str) -> Checked<Duration> {
    let millis = millis(text);
    if (100..=MILLIS_PER_DAY).contains(&millis) {
        return Ok(Duration::from_millis(millis));
    }
    wrong(format!("{name} is {text:?}; use a number and a unit, as 10s, 5m or 1h, up to a day."))
}

/// Not less than a run may still be heard of: GitHub re-runs a workflow for 30 days, and the same
/// message of the portal must find its run.
fn parse_keep_runs(text: &str) -> Checked<Duration> {
    let millis = millis(text);
    if (30 * MILLIS_PER_DAY..=100_000 * MILLIS_PER_DAY).contains(&millis) {
        return Ok(Duration::from_millis(millis));
    }
    wrong(format!("TOWPATH_KEEP_RUNS is {text:?}; use a number of days from 30d on, as 365d."))
}

/// A number and a unit; 0 for anything else.
fn millis(text: &str) -> u64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => MILLIS_PER_DAY,
        _ => 0,
    };
    number.parse::<u64>().unwrap_or(0).saturating_mul(millis_per_unit)
}

/// A private key that is given itself or by its file: the settings' names, and what they hold.
fn key_of(
    (name, key): (&str, Option<&String>),
    (file_name, file): (&str, Option<&PathBuf>),
) -> Checked<Option<SecretString>> {
    let file = file.filter(|file| !file.as_os_str().is_empty());
    match (given(key.cloned()), file) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => wrong(format!("{name} and {file_name} are both set; keep one.")),
        (Some(key), None) => parse_key(name, &key).map(Some),
        (None, Some(file)) => {
            let key = std::fs::read_to_string(file).or_else(|error| {
                wrong(format!(
                    "{file_name} is {}, which cannot be read ({error}); check path and permissions.",
                    file.display()
                ))
            })?;
            parse_key(file_name, &key).map(Some)
        }
    }
}

/// The PEM, also where it came in base64 or with `\n` for its line breaks.
fn parse_key(name: &str, text: &str) -> Checked<SecretString> {
    let text = text.trim();
    if text.starts_with("-----BEGIN") {
        return Ok(text.replace("\\n", "\n").into());
    }
    let compact: String = text.split_whitespace().collect();
    let decoded = STANDARD.decode(compact).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.filter(|pem| pem.trim_start().starts_with("-----BEGIN")) {
        Some(pem) => Ok(pem.trim().into()),
        None => wrong(format!(
            "{name} is no PEM and no PEM in base64; use the .pem file of the private key."
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: RawSettings,
    }

    fn raw(flags: &[&str]) -> RawSettings {
        let arguments = ["towpath"].into_iter().chain(flags.iter().copied());
        Command::try_parse_from(arguments).unwrap().settings
    }

    fn complaint(flags: &[&str]) -> String {
        let complaint = raw(flags).check().unwrap_err().to_string();
        assert_eq!(complaint.lines().count(), 1);
        complaint
    }

    const PORT: [&str; 4] = ["--port-client-id", "id", "--port-client-secret", "hush-hush"];
    const PEM: &str = "-----BEGIN RSA PRIVATE KEY-----\nhush-hush\n-----END RSA PRIVATE KEY-----";

    #[test]
    fn with_nothing_set_the_defaults_are_complete() {
        let settings = raw(&[]).check().unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.reconcile_interval, Duration::from_mins(1));
        assert!(settings.port.is_none() && settings.github_app.is_none());
        assert!(settings.intake.webhook && settings.github_webhook_secrets.is_empty());
    }

    #[test]
    fn a_wrong_or_missing_setting_is_named_with_the_way_out() {
        for (flags, name) in [
            (&["--listen", "8080"][..], "TOWPATH_LISTEN"),
            (&["--database-url", "mysql://hush-hush@h"], "TOWPATH_DATABASE_URL"),
            (&["--github-api-url", "api.github.com"], "GITHUB_API_URL"),
            (&["--github-app-id", "1"], "GITHUB_APP_PRIVATE_KEY"),
            (&["--github-app-private-key", PEM], "GITHUB_APP_ID"),
            (
                &["--github-app-id", "1", "--github-app-private-key", "hush-hush"],
                "GITHUB_APP_PRIVATE_KEY",
            ),
            (&["--github-app-private-key-file", "/nowhere"], "GITHUB_APP_PRIVATE_KEY_FILE"),
            (&["--port-client-id", "id"], "PORT_CLIENT_SECRET"),
            (&["--port-client-secret", "hush-hush"], "PORT_CLIENT_ID"),
            (&["--intake", "webhook,carrier-pigeon"], "TOWPATH_INTAKE"),
            (&["--intake", " , "], "TOWPATH_INTAKE"),
            (&["--intake", "polling"], "PORT_CLIENT_ID"),
            (&["--reconcile-interval", "60"], "TOWPATH_RECONCILE_INTERVAL"),
            (&["--reconcile-interval", "0s"], "TOWPATH_RECONCILE_INTERVAL"),
            (&["--keep-runs", "7d"], "TOWPATH_KEEP_RUNS"),
            (&["--keep-runs", "forever"], "TOWPATH_KEEP_RUNS"),
            (&["--log-format", "xml"], "TOWPATH_LOG_FORMAT"),
            (&["--events-url", "https://h"], "TOWPATH_EVENTS_SECRET"),
            (&["--events-secret", "hush-hush"], "TOWPATH_EVENTS_URL"),
            (&["--events-url", "h", "--events-secret", "hush-hush"], "TOWPATH_EVENTS_URL"),
            (&["--api-token", "hush-hush"], "TOWPATH_API_TOKEN"),
            (&["--public-url", "towpath.acme.example"], "TOWPATH_PUBLIC_URL"),
            (&["--app-file", "Cargo.toml"], "TOWPATH_APP_FILE"),
        ] {
            let complaint = complaint(flags);
            assert!(complaint.contains(name), "{flags:?}: {complaint}");
            assert!(!complaint.contains("hush-hush"), "{complaint}");
        }
    }

    #[test]
    #[cfg(not(feature = "kafka"))]
    fn a_build_without_kafka_says_so() {
        let complaint = complaint(&[&PORT[..], &["--intake", "kafka"]].concat());
        assert!(complaint.contains("--features kafka"), "{complaint}");
    }

    #[test]
    #[cfg(feature = "kafka")]
    fn kafka_is_named_after_the_organisation() {
        let kafka = [&PORT[..], &["--intake", "kafka,webhook"]].concat();
        assert!(complaint(&kafka).contains("PORT_ORG_ID"));
        let named = [&kafka[..], &["--port-org-id", "org_1"]].concat();
        let settings = raw(&named).check().unwrap();
        let kafka = settings.intake.kafka.unwrap();
        assert_eq!(
            (kafka.topic.as_str(), kafka.group.as_deref()),
            ("org_1.runs", Some("org_1.towpath"))
        );
        let half = [&named[..], &["--kafka-username", "u"]].concat();
        assert!(complaint(&half).contains("KAFKA_PASSWORD"));
    }

    #[test]
    fn a_key_may_come_as_pem_in_base64_or_with_written_line_breaks() {
        let encoded = STANDARD.encode(PEM);
        for key in [PEM, &encoded, &PEM.replace('\n', "\\n")] {
            let flags = ["--github-app-id", "Iv1.a", "--github-app-private-key", key];
            let app = raw(&flags).check().unwrap().github_app.unwrap();
            assert_eq!(app.private_key.expose_secret(), PEM);
        }
    }

    #[test]
    fn a_second_webhook_secret_is_taken_while_rotating() {
        let settings = raw(&["--github-webhook-secret", "new, old,"]).check().unwrap();
        let secrets = settings.github_webhook_secrets.iter().map(ExposeSecret::expose_secret);
        assert_eq!(secrets.collect::<Vec<_>>(), ["new", "old"]);
    }

    #[test]
    fn no_secret_is_shown() {
        let flags = ["--github-webhook-secret", "hush-hush", "--github-app-id", "1"];
        let more =
            ["--github-app-private-key", PEM, "--database-url", "postgres://u:hush-hush@h/d"];
        let settings = raw(&[&PORT[..], &flags, &more].concat()).check().unwrap();
        assert!(!format!("{settings:?}").contains("hush-hush"), "{settings:?}");
    }
}
