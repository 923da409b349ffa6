//! From a view to HTML.

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use tera::{Context, Tera};

use super::asset;
use super::view::Named;
use super::view::runs::runs_of;
use super::visitor::Visitor;

/// The pages by name. The suffix `.html` is what makes Tera escape.
const TEMPLATES: [(&str, &str); 14] = [
    ("layout.html", include_str!("../../../templates/dashboard/layout.html")),
    ("parts.html", include_str!("../../../templates/dashboard/parts.html")),
    ("runs.html", include_str!("../../../templates/dashboard/runs.html")),
    ("run.html", include_str!("../../../templates/dashboard/run.html")),
    ("actions.html", include_str!("../../../templates/dashboard/actions.html")),
    ("action.html", include_str!("../../../templates/dashboard/action.html")),
    ("jobs.html", include_str!("../../../templates/dashboard/jobs.html")),
    ("catalog.html", include_str!("../../../templates/dashboard/catalog.html")),
    ("blueprint.html", include_str!("../../../templates/dashboard/blueprint.html")),
    ("entity.html", include_str!("../../../templates/dashboard/entity.html")),
    ("health.html", include_str!("../../../templates/dashboard/health.html")),
    ("doctor.html", include_str!("../../../templates/dashboard/doctor.html")),
    ("setup.html", include_str!("../../../templates/dashboard/setup.html")),
    ("problem.html", include_str!("../../../templates/dashboard/problem.html")),
];

static TERA: LazyLock<Tera> = LazyLock::new(|| {
    let mut tera = Tera::default();
    tera.add_raw_templates(TEMPLATES)
        .expect("the templates are part of the binary, and the tests render each of them");
    tera
});

/// Which part of the dashboard a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Section {
    Runs,
    Actions,
    Catalog,
    Health,
    None,
}

/// What surrounds a page.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    #[serde(skip)]
    template: &'static str,
    title: String,
    section: Section,
    /// Where the page hears that it has become old; `None` where it never does.
    live: Option<String>,
    style: String,
    script: String,
    icon: String,
    version: &'static str,
    /// Who has signed in.
    person: Option<Named>,
    /// What the page's forms carry.
    form_token: String,
}

impl Frame {
    /// Around a page that stays as it is.
    pub(super) fn new(template: &'static str, title: impl Into<String>, section: Section) -> Self {
        Self {
            template,
            title: title.into(),
            section,
            live: None,
            style: asset::STYLE.href(),
            script: asset::SCRIPT.href(),
            icon: asset::ICON.href(),
            version: env!("CARGO_PKG_VERSION"),
            person: None,
            form_token: String::new(),
        }
    }

    /// Listens at this address for changes.
    pub(super) fn live(self, address: impl Into<String>) -> Self {
        Self { live: Some(address.into()), ..self }
    }

    /// Says who looks at it, and lets forms be sent from it.
    pub(super) fn visited_by(self, visitor: &Visitor) -> Self {
        let person = visitor.person.as_ref().map(|person| runs_of(&person.login, &person.login));
        Self { person, form_token: visitor.form_token.clone(), ..self }
    }

    /// The whole page.
    pub(super) fn render(&self, view: &impl Serialize) -> Response {
        match self.html(view) {
            // A page is looked at again when somebody comes back to it, and is nobody else's.
            Ok(html) => {
                ([(header::CACHE_CONTROL, "private, no-cache")], Html(html)).into_response()
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, template = self.template, "rendering a page");
                let message = "This page could not be rendered. The service's log says why.";
                (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
            }
        }
    }

    pub(super) fn html(&self, view: &impl Serialize) -> tera::TeraResult<String> {
        let mut context = Context::from_serialize(view)?;
        context.insert("page", self);
        TERA.render(self.template, &context)
    }
}
