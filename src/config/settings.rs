//! The settings as the program uses them: whole and valid.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::{AgentSettings, AppFile, SignInSettings};

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
    /// How long the steps of a process that ended wait.
    pub lease: Duration,
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
