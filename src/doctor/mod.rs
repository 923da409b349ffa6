//! Holds what is granted, reachable and configured against what the templates need. Reads, and
//! changes nothing.
//!
//! Does not know about: how findings are shown, how runs are worked off.

mod app;
mod needs;
mod surroundings;
mod targets;
mod workflow;

use crate::config::KafkaSettings;
use crate::domain::{Finding, Verdict};
use crate::github::GitHub;
use crate::portal::Port;
use crate::store::Store;
use crate::template::Templates;

use needs::Needs;

/// What is looked at. What could not even be prepared says so in a sentence.
pub struct Patient {
    /// The App on GitHub.
    pub github: Result<GitHub, String>,
    /// Whether there is a secret to prove webhooks with.
    pub has_webhook_secret: bool,
    /// This service's address for browsers and for GitHub.
    pub public_url: Option<String>,
    /// Port; none where the embedded portal is used.
    pub portal: Result<Option<Port>, String>,
    /// Kafka, where it is a way in.
    pub kafka: Option<KafkaSettings>,
    /// The database.
    pub store: Result<Store, String>,
    /// The templates.
    pub templates: Result<Templates, String>,
}

/// Everything that was found, the App first.
pub async fn examine(patient: &Patient) -> Vec<Finding> {
    let mut found = Vec::new();
    let needs = match &patient.templates {
        Ok(templates) => {
            found.push(surroundings::templates(templates));
            Needs::of(templates)
        }
        Err(reason) => {
            found.push(Finding::bad("Templates", reason, "`towpath check` names every mistake."));
            Needs::default()
        }
    };
    match &patient.github {
        Ok(github) => found.extend(on_github(github, patient, &needs).await),
        Err(reason) => {
            let remedy = "Register one: `towpath setup --help`.";
            found.push(Finding::bad("App", reason, remedy));
        }
    }
    found.extend(surroundings::portal(patient).await);
    found.extend(surroundings::kafka(patient).await);
    found.push(surroundings::database(patient).await);
    found
}

async fn on_github(github: &GitHub, patient: &Patient, needs: &Needs) -> Vec<Finding> {
    let clock = app::clock(github).await;
    let is_in_time = clock.verdict == Verdict::Good;
    let mut found = vec![clock];
    let app = match github.app().await {
        Ok(app) => app,
        // With a clock that is off, or without a way to GitHub, everything that follows is refused.
        Err(_) if !is_in_time => return found,
        Err(error) => {
            found.push(app::unknown(&error));
            return found;
        }
    };
    found.push(Finding::good("App", format!("GitHub knows it as {}.", app.name)));
    found.extend(app::webhook(github, patient).await);
    found.extend(app::installations(github, &app, needs).await);
    found.extend(targets::look(github, needs).await);
    found
}
