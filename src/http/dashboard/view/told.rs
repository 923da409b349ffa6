//! What was reported of a run: what the portal and its catalog were told and when, what they are still
//! to be told, and what they refuse.

use serde::Serialize;

use super::text::{Part, parts};
use super::{Badge, Moment, Named, Tone, entity_href, without_scheme};
use crate::domain::action_run::RunKind;
use crate::domain::run::Work;
use crate::domain::{EntityRef, Run};
use crate::plan::Step;
use crate::plan::step::{End, Progress, Response};
use crate::store::{RecordedStep, StepState};

/// All that was reported, in the order in which it was decided.
#[derive(Debug, Serialize)]
pub(super) struct ToldView {
    rows: Vec<ToldRow>,
    /// Whether a portal is told of the run; else it was asked for here.
    has_portal: bool,
    waiting: usize,
    refused: usize,
}

#[derive(Debug, Serialize)]
struct ToldRow {
    badge: Badge,
    at: Moment,
    /// The words of the status, where it is told.
    status: Option<String>,
    label: Option<String>,
    entity: Option<EntityTold>,
    links: Vec<Named>,
    lines: Vec<Vec<Part>>,
    /// Name and value of what else is told.
    more: Vec<(&'static str, Named)>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct EntityTold {
    what: &'static str,
    entity: Named,
}

/// What was reported of a run.
pub(super) fn told(run: &Run, steps: &[RecordedStep], known: &[EntityRef]) -> ToldView {
    let rows: Vec<_> = steps.iter().filter_map(|step| row(run, step, known)).collect();
    let count = |tones: &[Tone]| rows.iter().filter(|row| tones.contains(&row.badge.tone)).count();
    ToldView {
        has_portal: run.request.kind != RunKind::Own,
        waiting: count(&[Tone::Waits, Tone::Goes]),
        refused: count(&[Tone::Bad]),
        rows,
    }
}

/// The entities that the catalog was told of.
pub(in super::super) fn entities_of(steps: &[RecordedStep]) -> impl Iterator<Item = &EntityRef> {
    steps.iter().filter_map(|recorded| match &recorded.step {
        Step::Upsert(told) => Some(&told.entity.entity),
        Step::Delete(told) => Some(&told.entity),
        _ => None,
    })
}

fn row(run: &Run, step: &RecordedStep, known: &[EntityRef]) -> Option<ToldRow> {
    let refuses_entity = run.label == "Catalog not updated";
    let empty = ToldRow {
        badge: badge(step),
        at: step.settled_at.unwrap_or(step.due_at).into(),
        status: None,
        label: None,
        entity: None,
        links: Vec::new(),
        lines: Vec::new(),
        more: Vec::new(),
        error: step.last_error.clone().filter(|_| step.state != StepState::Done),
    };
    Some(match &step.step {
        Step::Progress(told) => progress(empty, run, told),
        Step::End(told) => end(empty, run, told),
        Step::Upsert(told) => {
            let entity = named(&told.entity.entity, known);
            entity_row(empty, "Entity written", entity, refuses_entity)
        }
        Step::Delete(told) => {
            entity_row(empty, "Entity removed", named(&told.entity, known), refuses_entity)
        }
        _ => return None,
    })
}

/// An entity; with its page, where it has one.
fn named(entity: &EntityRef, known: &[EntityRef]) -> Named {
    let name = format!("{}/{}", entity.blueprint, entity.identifier);
    if known.contains(entity) {
        Named::new(name, entity_href(&entity.blueprint, &entity.identifier))
    } else {
        Named::plain(name)
    }
}

/// The work outside, by the name under which the portal keeps it; with its page.
fn external(run: &Run, name: &str) -> Named {
    let page = match &run.work {
        Some(Work::PullRequest(work)) => work.pull_request.as_ref().map(|facts| &facts.html_url),
        Some(Work::Workflow(work)) => work.workflow_run.as_ref().map(|facts| &facts.html_url),
        Some(Work::Delivery(_) | Work::Parts(_)) | None => None,
    };
    Named::outside(name, page.map_or("", String::as_str))
}

fn badge(step: &RecordedStep) -> Badge {
    match step.state {
        StepState::Ready if step.last_error.is_some() => {
            Badge::new(Tone::Waits, "will be tried again")
        }
        StepState::Ready => Badge::new(Tone::Goes, "waiting"),
        StepState::Claimed => Badge::new(Tone::Goes, "being told"),
        StepState::Done => Badge::new(Tone::Good, "told"),
        StepState::Parked => Badge::new(Tone::Bad, "refused"),
    }
}

fn progress(row: ToldRow, run: &Run, told: &Progress) -> ToldRow {
    let links = told.links.as_deref();
    let row = ToldRow { label: told.label.clone(), ..row };
    let external = told.external_run_id.as_ref().map(|name| external(run, name));
    with(row, &told.log, links, (&told.summary, external, &told.response))
}

fn end(row: ToldRow, run: &Run, told: &End) -> ToldRow {
    let status = Some(told.status.as_str().to_owned());
    let row = ToldRow { status, label: Some(told.label.clone()), ..row };
    let external = told.external_run_id.as_ref().map(|name| external(run, name));
    with(row, &told.log, told.links.as_deref(), (&told.summary, external, &told.response))
}

fn with(
    row: ToldRow,
    log: &[String],
    links: Option<&[String]>,
    (summary, external, response): (&Option<String>, Option<Named>, &Option<Response>),
) -> ToldRow {
    let summary = summary.as_ref().map(Named::plain);
    let answered =
        response.as_ref().map(|response| Named::plain(format!("status {}", response.status)));
    let more = [("Summary", summary), ("External run", external), ("Answer", answered)];
    ToldRow {
        links: links
            .unwrap_or_default()
            .iter()
            .map(|link| Named::outside(without_scheme(link), link))
            .collect(),
        lines: log.iter().map(|line| parts(line)).collect(),
        more: more.into_iter().filter_map(|(name, text)| Some((name, text?))).collect(),
        ..row
    }
}

fn entity_row(row: ToldRow, what: &'static str, entity: Named, is_refused: bool) -> ToldRow {
    let badge = if is_refused { Badge::new(Tone::Bad, "refused") } else { row.badge };
    ToldRow { badge, entity: Some(EntityTold { what, entity }), ..row }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::domain::{ActionRun, Status};
    use crate::store::StepId;

    fn run(kind: &str) -> Run {
        let request: ActionRun = serde_json::from_value(json!({
            "id": "r_1", "kind": kind, "action": "a", "inputs": {}, "user": {},
            "encrypted": [], "invocation": "template",
        }))
        .unwrap();
        Run::received(request, DateTime::UNIX_EPOCH)
    }

    fn recorded(step: Step, state: StepState, error: Option<&str>) -> RecordedStep {
        RecordedStep {
            id: StepId(1),
            step,
            state,
            attempt: 1,
            due_at: DateTime::UNIX_EPOCH,
            last_error: error.map(str::to_owned),
            created_at: DateTime::UNIX_EPOCH,
            settled_at: None,
        }
    }

    #[test]
    fn what_was_told_what_waits_and_what_is_refused_are_told_apart() {
        let progress = Step::Progress(Progress {
            log: vec!["Pull request #1 is open: https://x/1.".to_owned()],
            label: Some("Waiting for review".to_owned()),
            links: Some(vec!["https://x/1".to_owned()]),
            ..Progress::default()
        });
        let end = Step::End(End {
            status: Status::Success,
            label: "Applied".to_owned(),
            log: Vec::new(),
            summary: None,
            links: None,
            response: None,
            external_run_id: None,
        });
        let steps = [
            recorded(progress.clone(), StepState::Done, None),
            recorded(progress, StepState::Ready, Some("the portal answers 503")),
            recorded(Step::Look, StepState::Done, None),
            recorded(end, StepState::Parked, Some("the portal answers 422")),
        ];
        let told = told(&run("action"), &steps, &[]);
        let words: Vec<_> = told.rows.iter().map(|row| row.badge.word).collect();
        assert_eq!(words, ["told", "will be tried again", "refused"]);
        assert_eq!((told.waiting, told.refused, told.has_portal), (1, 1, true));
        let (first, last) = (&told.rows[0], &told.rows[2]);
        assert_eq!(first.label.as_deref(), Some("Waiting for review"));
        assert_eq!(first.links, [Named::outside("x/1", "https://x/1")]);
        assert!(first.lines[0].len() > 1, "the address in the line can be followed");
        assert_eq!(last.status.as_deref(), Some("SUCCESS"));
        assert_eq!(last.error.as_deref(), Some("the portal answers 422"));
    }

    #[test]
    fn of_a_run_that_was_asked_for_here_no_portal_is_told() {
        assert!(!told(&run("own"), &[], &[]).has_portal);
    }
}
