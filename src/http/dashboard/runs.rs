//! `/`: the runs.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::DashboardState;
use super::attention;
use super::page::{Frame, Section};
use super::problem::Problem;
use super::view::runs::{Asked, Found, STATES, view};
use super::visitor::Visitor;
use crate::domain::{ActionId, EntityRef, RepositoryName, Run, RunId};
use crate::store::{self, RunFilter};

/// How many runs a page has.
const PAGE: usize = 25;
/// How much of a text is looked for.
const LONGEST_TEXT: usize = 200;

/// The form, as it is sent. An empty field is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Form {
    state: String,
    action: String,
    repository: String,
    person: String,
    q: String,
    before: String,
}

/// The list of runs.
pub(super) async fn page(
    State(state): State<DashboardState>,
    visitor: Visitor,
    form: Result<Query<Form>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(form) = form?;
    let asked = asked(form);
    let frame = Frame::new("runs.html", "Runs", Section::Runs);
    let frame = if asked.before.is_empty() { frame.live("/live") } else { frame };
    let mut found = Found {
        asked: asked.clone(),
        misfit: None,
        attention: Vec::new(),
        runs: Vec::new(),
        has_more: false,
        known: Vec::new(),
    };
    match filter(&asked) {
        Ok(filter) => {
            found.runs = state.store.runs(&filter).await?;
            found.has_more = found.runs.len() > PAGE;
            found.runs.truncate(PAGE);
        }
        Err(misfit) => found.misfit = Some(misfit),
    }
    if !asked.is_filtered() && asked.before.is_empty() {
        found.attention = attention::runs(&state).await?;
    }
    let all = found.attention.iter().map(|urgent| &urgent.run).chain(&found.runs);
    found.known = known_of(&state, all).await?;
    Ok(frame.visited_by(&visitor).render(&view(found)))
}

/// What runs ran on, as far as it has a page.
pub(super) async fn known_of<'a>(
    state: &DashboardState,
    runs: impl Iterator<Item = &'a Run>,
) -> Result<Vec<EntityRef>, store::Error> {
    let among = runs.filter_map(|run| run.request.entity_ref()).collect();
    state.store.known_entities(among).await
}

fn asked(form: Form) -> Asked {
    let tidy = |text: String| text.trim().chars().take(LONGEST_TEXT).collect::<String>();
    Asked {
        state: tidy(form.state),
        action: tidy(form.action),
        repository: tidy(form.repository),
        person: tidy(form.person),
        q: tidy(form.q),
        before: tidy(form.before),
    }
}

/// What the store is asked for: one more than a page, to know whether there is another. Else what
/// cannot be looked for.
fn filter(asked: &Asked) -> Result<RunFilter, String> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let status = match asked.state.as_str() {
        "" => None,
        word => {
            let known = STATES.iter().find(|(known, ..)| *known == word);
            Some(known.ok_or_else(|| format!("“{word}” is no state of a run."))?.2)
        }
    };
    let action = given(&asked.action).map(ActionId::new).transpose();
    let action = action.map_err(|_| {
        format!("“{}” is no action's identifier: it has letters, digits and @_.+:=-", asked.action)
    })?;
    let repository = given(&asked.repository).map(RepositoryName::try_from).transpose();
    let repository = repository
        .map_err(|_| format!("“{}” is no repository: write owner/name.", asked.repository))?;
    let before = given(&asked.before).map(RunId::new).transpose();
    let before = before.map_err(|_| format!("“{}” is no run.", asked.before))?;
    let limit = u32::try_from(PAGE + 1).unwrap_or(u32::MAX);
    let (text, person) = (given(&asked.q), given(&asked.person));
    let rest = RunFilter::default();
    Ok(RunFilter { status, action, repository, person, text, before, limit, ..rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Status;

    #[test]
    fn an_empty_form_asks_for_everything() {
        let filter = filter(&asked(Form::default())).unwrap();
        assert!(filter.status.is_none() && filter.action.is_none() && filter.text.is_none());
    }

    #[test]
    fn what_cannot_be_looked_for_is_said() {
        let fit = |state: &str, repository: &str| {
            let form =
                Form { state: state.into(), repository: repository.into(), ..Form::default() };
            filter(&asked(form))
        };
        assert_eq!(fit(" failure ", "acme/infra").unwrap().status, Some(Status::Failure));
        assert_eq!(fit("odd", "").unwrap_err(), "“odd” is no state of a run.");
        assert_eq!(fit("", "infra").unwrap_err(), "“infra” is no repository: write owner/name.");
    }
}
