//! What the dashboard has done by GitHub and by what makes changes: it knows neither itself.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::cli::doctor::examined;
use crate::config::Settings;
use crate::doctor::Patient;
use crate::domain::github_view::{Budget, JobView};
use crate::domain::{ActionRun, Door, Finding, Group, Person, RepositoryName, WorkflowRunId};
use crate::effects::Effects;
use crate::github::{self, Client, GitHub, Grant, sign_in_address};
use crate::http::dashboard::{Awaited, Backstage, Identity, Proof};
use crate::plan::Preview;

/// What is behind the dashboard of a service.
pub(crate) struct Behind {
    pub(crate) effects: Effects,
    pub(crate) settings: Settings,
}

impl Backstage for Behind {
    fn preview(&self, request: ActionRun) -> Awaited<Preview> {
        let effects = self.effects.clone();
        Box::pin(async move {
            effects.preview(request).await.map_err(|error| sentence(&error.to_string()))
        })
    }

    fn examine(&self) -> BoxFuture<'static, Vec<Finding>> {
        let (effects, settings) = (self.effects.clone(), self.settings.clone());
        Box::pin(async move {
            let patient = Patient {
                github: Ok(effects.github),
                has_webhook_secret: !settings.github_webhook_secrets.is_empty(),
                public_url: settings.public_url,
                portal: Ok(effects.portal),
                kafka: settings.intake.kafka,
                store: Ok(effects.store),
                templates: Ok(effects.templates.now()),
            };
            examined(&patient).await
        })
    }

    fn jobs(&self, repository: &RepositoryName, run: WorkflowRunId) -> Awaited<Vec<JobView>> {
        let (github, repository) = (self.effects.github.clone(), repository.clone());
        Box::pin(async move {
            let jobs = github.look_at_jobs(&repository, run).await;
            jobs.map_err(|error| sentence(&error.sentence()))
        })
    }

    fn budgets(&self) -> Vec<Budget> {
        self.effects.github.budgets()
    }

    fn doors(&self) -> Vec<Door> {
        doors(&self.settings)
    }
}

/// The ways in, as they are set.
fn doors(settings: &Settings) -> Vec<Door> {
    let open = |name, says: String| Door { name, is_open: true, says };
    let every = |interval: Duration| format!("{} s", interval.as_secs());
    let github = if settings.github_webhook_secrets.is_empty() {
        let says = format!(
            "Closed: GITHUB_WEBHOOK_SECRET is not set. GitHub is asked how open runs stand, every \
             {} at most.",
            every(settings.reconcile_interval)
        );
        Door { name: "GitHub's webhooks", is_open: false, says }
    } else {
        open("GitHub's webhooks", "At /hooks/github, signed.".to_owned())
    };
    let intake = &settings.intake;
    let webhook = (intake.webhook && settings.port.is_some())
        .then(|| open("The portal's webhooks", "At /hooks/port, signed.".to_owned()));
    let kafka = intake.kafka.as_ref().map(|kafka| {
        let brokers = kafka.brokers.as_deref().unwrap_or("brokers that the portal names");
        open("Kafka", format!("The topic {} at {brokers}.", kafka.topic))
    });
    let polling = intake.polling.as_ref().map(|polling| {
        let every = every(polling.interval);
        open("Polling", format!("Every {every}, as {}.", polling.installation))
    });
    let others =
        if settings.api_token.is_some() { "and to whoever has its token" } else { "alone" };
    let api = open("The API", format!("Open to this machine {others}."));
    [Some(github), webhook, kafka, polling, Some(api)].into_iter().flatten().collect()
}

/// Who people are, by GitHub.
pub(crate) struct ByGitHub {
    pub(crate) github: GitHub,
    pub(crate) client: Client,
    /// GitHub's address for people.
    pub(crate) web: String,
    /// Where GitHub sends them back.
    pub(crate) redirect: String,
}

impl Identity for ByGitHub {
    fn address(&self, state: &str, challenge: &str) -> String {
        sign_in_address(&self.web, &self.client, &self.redirect, state, challenge)
    }

    fn person(&self, proof: Proof) -> Awaited<Person> {
        let (github, client) = (self.github.clone(), self.client.clone());
        let Proof { code, verifier } = proof;
        let grant = Grant { code, verifier, redirect: self.redirect.clone() };
        Box::pin(
            async move { github.signed_in(&client, &grant).await.map_err(|error| told(&error)) },
        )
    }

    fn belongs(&self, person: &Person, group: &Group) -> Awaited<bool> {
        let (github, login, group) = (self.github.clone(), person.login.clone(), group.clone());
        Box::pin(async move { github.belongs(&login, &group).await.map_err(|error| told(&error)) })
    }
}

fn told(error: &github::Error) -> String {
    tracing::warn!(%error, "a sign-in");
    sentence(&error.sentence())
}

/// A reason as a sentence of its own.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    let text = first.unwrap_or_default() + letters.as_str();
    if text.ends_with('.') { text } else { text + "." }
}
