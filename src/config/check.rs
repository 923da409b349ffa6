//! From what was written to what the program uses, or the first thing that is wrong.

use secrecy::SecretString;

use super::parse::{
    given, key_of, parse_api_token, parse_duration, parse_keep_runs, parse_lease, parse_listen,
    parse_log_format, parse_url, split,
};
use super::{
    AppFile, Checked, EventsSettings, GitHubApp, Intake, KafkaSettings, PollingSettings,
    PortSettings, RawSettings, Settings, wrong,
};
use crate::domain::RegisteredApp;

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
            lease: parse_lease(&self.lease)?,
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
