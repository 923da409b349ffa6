//! `/actions` and below: what can be done, the form of each action, what would come of it, and its
//! start. This is the embedded portal.

mod request;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use self::request::{Asked, entity_of};
use super::DashboardState;
use super::form::{Filled, FormView, Shown, Typed};
use super::page::{Frame, Section};
use super::problem::Problem;
use super::submitted::Submitted;
use super::view::actions::{self as view, ActionPage};
use super::view::{GitHub, run_href};
use super::visitor::Visitor;
use crate::domain::{ActionId, Right};
use crate::intake::Answer;
use crate::template::form::form;
use crate::template::{ActionOf, Approval, InputFault};

/// What a form may begin with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Begin {
    /// The entity that the action is to run on.
    entity: String,
}

/// All actions.
pub(super) async fn list(State(state): State<DashboardState>, visitor: Visitor) -> Response {
    let frame = Frame::new("actions.html", "Actions", Section::Actions).visited_by(&visitor);
    let github = GitHub(&state.github_url);
    frame.render(&view::list(&(state.templates)(), &visitor, github))
}

/// The form of an action.
pub(super) async fn page(
    State(state): State<DashboardState>,
    visitor: Visitor,
    name: Result<Path<String>, PathRejection>,
    begin: Result<Query<Begin>, QueryRejection>,
) -> Result<Response, Problem> {
    let (Path(name), Query(begin)) = (name?, begin?);
    let action = find(&state, &name)?;
    must(&visitor, &action)?;
    let answered = Answered { identifier: begin.entity, ..Answered::default() };
    answered.show(&state, &visitor, &action).await
}

/// A form that was sent: to be looked at once more, or to be started.
pub(super) async fn submit(
    State(state): State<DashboardState>,
    name: Result<Path<String>, PathRejection>,
    Submitted { visitor, typed }: Submitted,
) -> Result<Response, Problem> {
    let Path(name) = name?;
    let action = find(&state, &name)?;
    must(&visitor, &action)?;
    let filled = Filled::read(&form(&action.template, &action.action), &typed);
    let asked = Asked::new(&state, &visitor, &action, &typed, filled).await?;
    let mut answered = Answered {
        identifier: asked.entity.clone(),
        sealed: asked.sealed(),
        faults: asked.faults.clone(),
        status: StatusCode::UNPROCESSABLE_ENTITY,
        typed: Some(typed),
        ..Answered::default()
    };
    if !answered.faults.is_empty() {
        return answered.show(&state, &visitor, &action).await;
    }
    let is_preview = answered.typed.as_ref().is_some_and(|typed| typed.one("do") != "start");
    if is_preview {
        answered.status = StatusCode::OK;
        let previewed = state.backstage.preview(asked.for_preview()).await;
        answered.trouble = previewed.as_ref().err().cloned();
        let github = GitHub(&state.github_url);
        answered.preview =
            previewed.map_or_else(|_| Vec::new(), |preview| view::preview(&preview, github));
        return answered.show(&state, &visitor, &action).await;
    }
    match state.intake.run(asked.request).await {
        Answer::Run(run) => Ok(Redirect::to(&run_href(&run)).into_response()),
        Answer::NotUnderstood(reason) => {
            answered.trouble = Some(reason);
            answered.show(&state, &visitor, &action).await
        }
        _ => Err(Problem::not_now()),
    }
}

/// What is shown of a form.
#[derive(Default)]
struct Answered {
    typed: Option<Typed>,
    identifier: String,
    faults: Vec<InputFault>,
    sealed: Vec<(String, String)>,
    preview: Vec<view::PreviewView>,
    trouble: Option<String>,
    status: StatusCode,
}

impl Answered {
    async fn show(
        self,
        state: &DashboardState,
        visitor: &Visitor,
        action: &ActionOf,
    ) -> Result<Response, Problem> {
        let form = form(&action.template, &action.action);
        let mut catalog = Vec::new();
        for blueprint in &(state.blueprints)() {
            catalog.push((blueprint.clone(), state.store.entities(blueprint).await?));
        }
        let blueprint = form.blueprint.as_ref();
        let entity = entity_of(state, blueprint, &self.identifier).await?;
        let shown = Shown {
            typed: self.typed.as_ref(),
            entity: entity.as_ref(),
            identifier: &self.identifier,
            catalog: &catalog,
            faults: &self.faults,
            sealed: &self.sealed,
        };
        let page = ActionPage {
            action: view::action(action, GitHub(&state.github_url)),
            form: FormView::new(&form, &shown),
            asks_for_email: visitor.person.is_none(),
            email: self.typed.as_ref().map_or("", |typed| typed.one("email")).to_owned(),
            request: match self.typed.as_ref().map_or("", |typed| typed.one("request")) {
                "" => super::cookie::random(),
                known => known.to_owned(),
            },
            preview: self.preview,
            trouble: self.trouble,
        };
        let frame = Frame::new("action.html", page.action.title.clone(), Section::Actions);
        Ok((self.status, frame.visited_by(visitor).render(&page)).into_response())
    }
}

fn find(state: &DashboardState, name: &str) -> Result<ActionOf, Problem> {
    let missing = || Problem::missing("action", name);
    let id = ActionId::new(name).map_err(|_| missing())?;
    (state.templates)().action(&id).cloned().ok_or_else(missing)
}

/// What a portal would ask an approval for, only an administrator starts here.
pub(super) fn right_for(action: &ActionOf) -> Right {
    if action.action.approval == Approval::None { Right::Run } else { Right::Administer }
}

fn must(visitor: &Visitor, action: &ActionOf) -> Result<(), Problem> {
    visitor.must(right_for(action))
}
