//! What the dashboard has done by GitHub and by what makes changes: it knows neither itself.

use futures_util::future::BoxFuture;

use crate::config::Settings;
use crate::doctor::{Patient, examine};
use crate::domain::{ActionRun, Finding};
use crate::effects::Effects;
use crate::http::dashboard::{Awaited, Backstage};
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
            examine(&patient).await
        })
    }
}

/// A reason as a sentence of its own.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    let text = first.unwrap_or_default() + letters.as_str();
    if text.ends_with('.') { text } else { text + "." }
}
