//! What the dashboard has done by GitHub and by what makes changes: it knows neither itself.

use crate::domain::ActionRun;
use crate::effects::Effects;
use crate::http::dashboard::{Awaited, Backstage};
use crate::plan::Preview;

/// What is behind the dashboard of a service.
pub(crate) struct Behind {
    pub(crate) effects: Effects,
}

impl Backstage for Behind {
    fn preview(&self, request: ActionRun) -> Awaited<Preview> {
        let effects = self.effects.clone();
        Box::pin(async move {
            effects.preview(request).await.map_err(|error| sentence(&error.to_string()))
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
