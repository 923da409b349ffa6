//! The settings of the agent, by the names that Port's agent has for them, and its names for what is
//! called otherwise here: who runs that agent today only changes the image.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::parse::{given, split};
use super::{Checked, RawSettings, wrong};

/// Where port-agent looks for its mapping file, and where its image has it.
const MAPPING_FILE: &str = "control_the_payload_config.json";
/// The longest wait for an answer that fits into the lease of a step.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(90);
/// What of the environment the mapping file does not see: secrets of this program.
const HIDDEN: [&str; 8] = [
    "GITHUB_APP_PRIVATE_KEY",
    "GITHUB_WEBHOOK_SECRET",
    "KAFKA_PASSWORD",
    "PORT_CLIENT_SECRET",
    "PORT_INPUTS_PRIVATE_KEY",
    "TOWPATH_API_TOKEN",
    "TOWPATH_DATABASE_URL",
    "TOWPATH_EVENTS_SECRET",
];

/// As they were written.
#[derive(Args, Clone)]
pub struct RawAgentSettings {
    /// Private addresses that actions with `agent: true` may call: a comma list of addresses, ranges
    /// (`10.0.0.0/8`) and hosts (`jenkins.local`, `*.svc.cluster.local`). Without it, none.
    #[arg(long = "agent-allow", env = "TOWPATH_AGENT_ALLOW")]
    pub allow: Option<String>,

    /// Sends a request to such an address again when its answer was lost, whatever its method. It
    /// carries an `Idempotency-Key`.
    #[arg(long = "agent-resend", env = "TOWPATH_AGENT_RESEND", default_value = "false")]
    pub resend: String,

    /// The mapping file of Port's agent. Without it `control_the_payload_config.json`, if there is
    /// one; else messages are passed on as they came.
    #[arg(long, env = "CONTROL_THE_PAYLOAD_CONFIG_PATH")]
    pub control_the_payload_config_path: Option<PathBuf>,

    /// How many seconds such an address may take to answer; at most 90.
    #[arg(long, env = "WEBHOOK_INVOKER_TIMEOUT", default_value = "30")]
    pub webhook_invoker_timeout: String,

    /// Whether its certificate is looked at.
    #[arg(long, env = "WEBHOOK_VERIFY_SSL", default_value = "true")]
    pub webhook_verify_ssl: String,

    /// A file with certificate authorities for such addresses, beside the system's.
    #[arg(long, env = "REQUESTS_CA_BUNDLE")]
    pub requests_ca_bundle: Option<PathBuf>,

    #[arg(long, env = "STREAMER_NAME", hide = true)]
    streamer_name: Option<String>,
    #[arg(long, env = "LOG_LEVEL", hide = true)]
    log_level: Option<String>,
    #[arg(long, env = "PORT_API_BASE_URL", hide = true)]
    port_api_base_url: Option<String>,
    #[arg(long, env = "POLLING_INTERVAL_SECONDS", hide = true)]
    polling_interval_seconds: Option<String>,
    #[arg(long, env = "KAFKA_CONSUMER_GROUP_ID", hide = true)]
    kafka_consumer_group_id: Option<String>,
    #[arg(long, env = "KAFKA_CONSUMER_BOOTSTRAP_SERVERS", hide = true)]
    kafka_consumer_bootstrap_servers: Option<String>,
    #[arg(long, env = "KAFKA_CONSUMER_SECURITY_PROTOCOL", hide = true)]
    kafka_consumer_security_protocol: Option<String>,
    #[arg(long, env = "KAFKA_CONSUMER_AUTHENTICATION_MECHANISM", hide = true)]
    kafka_consumer_authentication_mechanism: Option<String>,
}

/// As the program uses them.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Port's agent was here before: no GitHub App is wanted.
    pub needs_no_app: bool,
    /// Private addresses, ranges and hosts that may be called.
    pub allow: Vec<String>,
    /// Whether a request is sent again whose answer was lost, whatever its method.
    pub resend: bool,
    /// The mapping file. `None`: messages are passed on as they came.
    pub mapping: Option<PathBuf>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whether certificates are looked at.
    pub verify_certificates: bool,
    /// Certificate authorities beside the system's: a file of PEM.
    pub authorities: Option<PathBuf>,
    /// The environment, as the mapping file sees it.
    pub environment: BTreeMap<String, String>,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            needs_no_app: false,
            allow: Vec::new(),
            resend: false,
            mapping: None,
            timeout: Duration::from_secs(30),
            verify_certificates: true,
            authorities: None,
            environment: BTreeMap::new(),
        }
    }
}

impl RawAgentSettings {
    /// Whether the settings are those of Port's agent.
    pub(super) fn was_in_its_place(&self) -> bool {
        given(self.streamer_name.clone()).is_some()
    }

    pub(super) fn check(self) -> Checked<AgentSettings> {
        Ok(AgentSettings {
            needs_no_app: self.was_in_its_place(),
            allow: split(self.allow.as_deref()).map(str::to_owned).collect(),
            resend: parse_switch("TOWPATH_AGENT_RESEND", &self.resend)?,
            mapping: mapping_file(self.control_the_payload_config_path),
            timeout: parse_seconds("WEBHOOK_INVOKER_TIMEOUT", &self.webhook_invoker_timeout)?,
            verify_certificates: parse_switch("WEBHOOK_VERIFY_SSL", &self.webhook_verify_ssl)?,
            authorities: self.requests_ca_bundle.filter(|file| !file.as_os_str().is_empty()),
            environment: visible(std::env::vars()),
        })
    }
}

impl RawSettings {
    /// What port-agent calls otherwise. Where both names are set, this program's own counts.
    pub(super) fn take_over_names_of_the_agent(&mut self) {
        let agent = self.agent.clone();
        let take = |own: &mut String, default: &str, theirs: Option<String>| {
            if let Some(theirs) = given(theirs).filter(|_| own == default) {
                *own = theirs;
            }
        };
        take(&mut self.intake, "webhook", agent.streamer_name.map(|name| name.to_lowercase()));
        take(&mut self.port_api_url, "https://api.port.io", agent.port_api_base_url);
        let interval = agent.polling_interval_seconds.map(|seconds| format!("{seconds}s"));
        take(&mut self.port_poll_interval, "10s", interval);
        let protocol = agent.kafka_consumer_security_protocol.map(|name| name.to_uppercase());
        take(&mut self.kafka_security_protocol, "SASL_SSL", protocol);
        let mechanism = agent.kafka_consumer_authentication_mechanism;
        take(&mut self.kafka_sasl_mechanism, "SCRAM-SHA-512", mechanism);
        let level = agent.log_level.map(|level| match level.to_lowercase().as_str() {
            "warning" => "warn".to_owned(),
            "critical" => "error".to_owned(),
            level => level.to_owned(),
        });
        take(&mut self.log, "info", level);
        let or = |own: &mut Option<String>, theirs| *own = given(own.take()).or(given(theirs));
        or(&mut self.kafka_group_id, agent.kafka_consumer_group_id);
        or(&mut self.kafka_brokers, agent.kafka_consumer_bootstrap_servers);
    }
}

fn mapping_file(named: Option<PathBuf>) -> Option<PathBuf> {
    let named = named.filter(|file| !file.as_os_str().is_empty());
    named.or_else(|| Some(PathBuf::from(MAPPING_FILE)).filter(|file| file.exists()))
}

fn visible(variables: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    variables.filter(|(name, _)| !HIDDEN.contains(&name.as_str())).collect()
}

fn parse_switch(name: &str, text: &str) -> Checked<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => wrong(format!("{name} is {text:?}; use true or false.")),
    }
}

fn parse_seconds(name: &str, text: &str) -> Checked<Duration> {
    let seconds = text.trim().parse().ok().and_then(|it| Duration::try_from_secs_f64(it).ok());
    match seconds.filter(|it| !it.is_zero() && *it <= LONGEST_TIMEOUT) {
        Some(seconds) => Ok(seconds),
        None => wrong(format!("{name} is {text:?}; use a number of seconds, at most 90.")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        settings: RawSettings,
    }

    fn raw(flags: &[&str]) -> RawSettings {
        let port = ["towpath", "--port-client-id", "id", "--port-client-secret", "s"];
        Command::try_parse_from(port.iter().chain(flags)).unwrap().settings
    }

    #[test]
    fn the_settings_of_port_s_agent_are_taken_over() {
        let settings = raw(&[
            "--streamer-name=POLLING",
            "--port-api-base-url=https://api.us.port.io",
            "--polling-interval-seconds=3",
            "--agent-allow=10.0.0.0/8, *.local",
            "--webhook-invoker-timeout=12.5",
            "--webhook-verify-ssl=False",
            "--log-level=WARNING",
        ]);
        let settings = settings.check().unwrap();
        assert_eq!(settings.port.unwrap().api_url, "https://api.us.port.io");
        assert!(!settings.intake.webhook);
        assert_eq!(settings.intake.polling.unwrap().interval, Duration::from_secs(3));
        assert_eq!(settings.agent.allow, ["10.0.0.0/8", "*.local"]);
        assert_eq!(settings.agent.timeout, Duration::from_millis(12_500));
        assert_eq!(settings.log, "warn");
        assert!(settings.agent.needs_no_app);
        assert!(!settings.agent.verify_certificates && !settings.agent.resend);
    }

    #[test]
    fn this_program_s_own_names_count_before_the_agent_s() {
        let both = ["--streamer-name=KAFKA", "--intake=polling", "--port-poll-interval=1m"];
        let settings = raw(&both).check().unwrap();
        assert!(settings.intake.kafka.is_none());
        assert_eq!(settings.intake.polling.unwrap().interval, Duration::from_mins(1));
    }

    #[test]
    #[cfg(feature = "kafka")]
    fn a_group_without_a_name_is_the_agent_s_own() {
        let agent = ["--streamer-name=KAFKA", "--port-org-id=org_1"];
        assert_eq!(raw(&agent).check().unwrap().intake.kafka.unwrap().group, None);
        let named = [&agent[..], &["--kafka-consumer-group-id=org_1.agent"]].concat();
        let kafka = raw(&named).check().unwrap().intake.kafka.unwrap();
        assert_eq!(kafka.group.as_deref(), Some("org_1.agent"));
    }

    #[test]
    fn a_wrong_setting_is_named() {
        for (flag, name) in [
            ("--webhook-invoker-timeout=0", "WEBHOOK_INVOKER_TIMEOUT"),
            ("--webhook-invoker-timeout=600", "WEBHOOK_INVOKER_TIMEOUT"),
            ("--webhook-verify-ssl=maybe", "WEBHOOK_VERIFY_SSL"),
            ("--agent-resend=", "TOWPATH_AGENT_RESEND"),
        ] {
            let complaint = raw(&[flag]).check().unwrap_err().to_string();
            assert!(complaint.starts_with(name), "{complaint}");
        }
    }

    #[test]
    fn the_mapping_file_does_not_see_this_program_s_secrets() {
        let all =
            HIDDEN.iter().chain(&["GITLAB_URL"]).map(|name| (name.to_string(), String::new()));
        assert_eq!(visible(all).into_keys().collect::<Vec<_>>(), ["GITLAB_URL"]);
    }
}
