//! The settings: read once, at the start, from environment variables and flags. [`RawSettings`] is
//! what was written, [`Settings`] what the program uses; only [`RawSettings::check`] joins them, and
//! it says in one sentence what is wrong and how to mend it.

mod agent;
mod app_file;
mod check;
mod parse;
mod raw;
mod settings;
mod sign_in;

use std::fmt;

pub use agent::{AgentSettings, RawAgentSettings};
pub use app_file::AppFile;
pub use raw::{DatabaseSetting, RawSettings};
pub use settings::{
    EventsSettings, GitHubApp, Intake, KafkaSettings, LogFormat, PollingSettings, PortSettings,
    Settings,
};
pub use sign_in::{RawSignIn, SignInSettings};

/// A setting that is wrong or missing, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(String);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

type Checked<T> = Result<T, SettingsError>;

fn wrong<T>(text: impl Into<String>) -> Checked<T> {
    Err(SettingsError(text.into()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
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
            (&["--lease", "500ms"], "TOWPATH_LEASE"),
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
