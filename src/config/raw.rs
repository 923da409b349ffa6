//! The settings as they were written: the command line's own reference of them.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

use super::parse::parse_database_url;
use super::{RawAgentSettings, RawSignIn, SettingsError};

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

    /// How long the steps of a process that ended without a word wait until they are taken up again
    /// (`10s`); at least a second.
    #[arg(long, env = "TOWPATH_LEASE", default_value = "10s")]
    pub lease: String,

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
