//! The App's settings for somewhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};

use crate::domain::RegisteredApp;

/// The Kubernetes secret that `deploy/kubernetes/deployment.yml` reads.
const SECRET: &str = "towpath-github-app";

/// For whom they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// `NAME=value` lines, as `fly secrets import` and env files have them.
    Env,
    /// A secret, for `kubectl apply -f -`.
    Kubernetes,
}

impl Form {
    /// The settings of `towpath serve`, secrets and all.
    pub(super) fn text(self, app: &RegisteredApp, api_url: &str) -> String {
        let settings = settings(app, api_url);
        match self {
            Self::Env => {
                let lines = settings.iter().map(|(name, value)| format!("{name}={value}"));
                lines.collect::<Vec<_>>().join("\n")
            }
            Self::Kubernetes => {
                let data: Map<_, _> = settings
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), Value::String(value)))
                    .collect();
                let secret = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                    "metadata": {"name": SECRET}, "stringData": data,
                });
                format!("{secret:#}")
            }
        }
    }
}

fn settings(app: &RegisteredApp, api_url: &str) -> Vec<(&'static str, String)> {
    // One line, wherever it goes.
    let key = STANDARD.encode(app.private_key.expose_secret());
    let mut settings = vec![
        ("GITHUB_API_URL", api_url.to_owned()),
        ("GITHUB_APP_ID", app.client_id.clone()),
        ("GITHUB_APP_PRIVATE_KEY", key),
    ];
    let secret = app.webhook_secret.as_ref();
    settings.extend(secret.map(|it| ("GITHUB_WEBHOOK_SECRET", it.expose_secret().to_owned())));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> RegisteredApp {
        RegisteredApp {
            id: 7,
            slug: "towpath".to_owned(),
            html_url: "https://github.com/apps/towpath".to_owned(),
            client_id: "Iv1.a".to_owned(),
            client_secret: "client".into(),
            webhook_secret: Some("hook".into()),
            private_key: "-----BEGIN RSA PRIVATE KEY-----\na\n".into(),
        }
    }

    #[test]
    fn each_setting_is_one_line_for_fly_and_one_entry_for_kubernetes() {
        let env = Form::Env.text(&app(), "https://api.github.com");
        let names: Vec<_> =
            env.lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect();
        let secret = Form::Kubernetes.text(&app(), "https://api.github.com");
        let secret: Value = serde_json::from_str(&secret).unwrap();
        let data = secret["stringData"].as_object().unwrap();
        assert_eq!(names, data.keys().cloned().collect::<Vec<_>>());
        assert_eq!(data["GITHUB_WEBHOOK_SECRET"], "hook");
    }
}
