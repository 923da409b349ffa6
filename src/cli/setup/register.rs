//! From a code of GitHub to an App that is kept, or a sentence about what went wrong.

use std::sync::Arc;

use crate::domain::RegisteredApp;
use crate::github::{Error, Registry};
use crate::http::dashboard::setup::{Asked, Register};

type Done = anyhow::Result<()>;

/// How an App is kept.
#[derive(Clone)]
pub(in crate::cli) struct Keep {
    /// Whether it can be: asked before GitHub is, because a code is good once.
    pub(in crate::cli) prepare: Arc<dyn Fn() -> Done + Send + Sync>,
    /// Keeps it.
    pub(in crate::cli) keep: Arc<dyn Fn(&RegisteredApp) -> Done + Send + Sync>,
}

/// What the page does with a code.
pub(in crate::cli) fn register(registry: Registry, asked: &Asked, keep: Keep) -> Register {
    let registry = Arc::new(registry);
    // Of an organisation that was named on the page only, the person knows the way from here.
    let apps = match &asked.organization {
        Some(owner) => format!("{}/organizations/{owner}/settings/apps", asked.github_url),
        None => format!("{}/settings/apps", asked.github_url),
    };
    Arc::new(move |code| {
        let (registry, keep, apps) = (Arc::clone(&registry), keep.clone(), apps.clone());
        Box::pin(async move {
            (keep.prepare)().map_err(|error| format!("Nothing was registered: {error:#}."))?;
            let app = registry.register(&code).await.map_err(|error| sentence(&error, &apps))?;
            (keep.keep)(&app).map_err(|error| {
                format!(
                    "The App {} is registered, but its key could not be kept ({error:#}), and GitHub \
                     gives it once. Delete the App at {apps}, mend that, and start again.",
                    app.slug
                )
            })?;
            tracing::info!(app = app.slug, "registered the GitHub App");
            Ok(app.installation_page())
        })
    })
}

fn sentence(error: &Error, apps: &str) -> String {
    match error {
        Error::Unclear { .. } => format!(
            "GitHub's answer was lost, and with it the App's key, which GitHub gives once. If the \
             App stands at {apps}, delete it there. Then start again."
        ),
        Error::NotFound { .. } | Error::Invalid { .. } => format!(
            "GitHub does not know this code: a code is good once, and for an hour. If the App stands \
             at {apps} without its key being kept here, delete it there. Then start again."
        ),
        error => format!("{} Reload this page to try again.", error.sentence()),
    }
}
