//! A run that writes to several repositories. Each target is a part: a run of its own, which goes its
//! way as any other and tells the whole how it stands, where another would tell the portal.
//!
//! Nothing is opened before all parts were looked at and rendered. New repositories are made before
//! anything refers to them.

mod hear;
mod report;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::observation::Link;
use crate::domain::parts::{PartFacts, PartOf, PartState, PartsWork};
use crate::domain::run::{EntityPlan, PullRequestWork, Run, Stage, Work};
use crate::domain::{BranchName, RepositoryName, RunId};
use crate::template::{ActionOf, Target};

use super::begin::{Refusal, change_to, refuse};
use super::decision::Decision;
use super::draft::Draft;
use super::step::Step;

pub use hear::heard;
pub(crate) use hear::{catalog_answered, outputs_read};
pub(crate) use report::report;

/// Another part of the same action, for those who review one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Where it writes.
    pub repository: RepositoryName,
    /// Number and page of its pull request, once that is open.
    pub pull_request: Option<(u64, String)>,
}

/// What belongs together with a run, of all the parts.
pub fn beside(run: &Run, parts: &[Run]) -> Vec<Beside> {
    let beside = |other: &Run| {
        let facts = other.pull_request();
        Some(Beside {
            repository: other.repository()?.clone(),
            pull_request: facts.map(|facts| (facts.number.0, facts.html_url.clone())),
        })
    };
    parts.iter().filter(|other| other.id != run.id).filter_map(beside).collect()
}

/// What a look at the target of a part has come to.
#[derive(Debug)]
pub enum Checked {
    /// It can be done, at this path.
    Fine {
        /// From the repository's root.
        path: String,
    },
    /// What is to be deleted is not there.
    Gone(Refusal),
    /// It cannot.
    Refused(Refusal),
}

/// The parts of a run, each of which waits to be told to begin.
pub(super) struct Split {
    pub(super) work: PartsWork,
    pub(super) parts: Vec<Decision>,
}

/// Makes a run of each target.
pub(super) fn split(
    run: &Run,
    action: &ActionOf,
    targets: &[&Target],
    context: &Value,
    entity: Option<EntityPlan>,
    title: &str,
) -> Result<Split, Refusal> {
    let mut parts: Vec<Decision> = Vec::with_capacity(targets.len());
    let mut facts = Vec::with_capacity(targets.len());
    let mut reasons = Vec::new();
    for (place, target) in targets.iter().enumerate() {
        let Some(name) = target.name.clone() else { continue };
        let id = run.id.part(place);
        let branch = BranchName::of_run(&run.request.action, &id);
        let change = match change_to(action, target, context, branch) {
            Ok(change) => change,
            Err(Refusal(why)) => {
                reasons.extend(why.into_iter().map(|reason| format!("Target {name}: {reason}")));
                continue;
            }
        };
        facts.push(PartFacts {
            run: id.clone(),
            target: name.clone(),
            repository: change.repository.clone(),
            makes_repository: change.new_repository.is_some(),
            has_begun: false,
            is_told_to_cancel: false,
            heard: 0,
            state: PartState::received(),
        });
        let part = PartOf { whole: run.id.clone(), target: name, has_begun: false, told: 0 };
        parts.push(part_run(run, title, PullRequestWork { part: Some(part), ..change }, id));
    }
    if !reasons.is_empty() {
        return Err(Refusal(reasons));
    }
    let work = PartsWork {
        template: action.template.name.clone(),
        context: context.clone(),
        context_of: None,
        entity,
        parts: facts,
        outputs: serde_json::Map::new(),
        outputs_awaited: 0,
    };
    Ok(Split { work, parts })
}

/// A part as it is written down. Its request is the whole's, by whose name people know it.
fn part_run(whole: &Run, title: &str, work: PullRequestWork, id: RunId) -> Decision {
    let links = vec![Link::branch(&work.repository, &work.branch)];
    let mut request = whole.request.clone();
    request.action_title = Some(title.to_owned());
    let run = Run {
        id,
        operation: whole.operation,
        work: Some(Work::PullRequest(Box::new(work))),
        ..Run::received(request, whole.created_at)
    };
    Decision { links, ..Decision::unchanged(run) }
}

/// All targets were looked at: the parts begin, or, where one cannot be done, none does.
pub fn checked(run: Run, found: Vec<Checked>, now: DateTime<Utc>) -> Decision {
    let Some(Work::Parts(work)) = &run.work else { return Decision::unchanged(run) };
    let is_all_gone = found.iter().all(|checked| matches!(checked, Checked::Gone(_)));
    let mut reasons = Vec::new();
    let mut folders = Vec::new();
    for (checked, part) in found.into_iter().zip(&work.parts) {
        match checked {
            Checked::Refused(Refusal(why)) => {
                reasons.extend(why.iter().map(|reason| format!("{}: {reason}", part.repository)));
            }
            Checked::Gone(Refusal(why)) if is_all_gone => reasons.extend(why),
            Checked::Fine { path } => {
                let folder = (part.repository.key(), path);
                if folders.contains(&folder) {
                    let (repository, target) = (&part.repository, &part.target);
                    reasons.push(format!(
                        "{repository}: the target {target} is the same folder as another one."
                    ));
                }
                folders.push(folder);
            }
            Checked::Gone(_) => {}
        }
    }
    if !reasons.is_empty() {
        return refuse(run, &Refusal(reasons), now);
    }
    let begin = |draft: &mut Draft, work: &mut PartsWork| {
        let makes_any = work.parts.iter().any(|part| part.makes_repository);
        begin_those(draft, work, |part| part.makes_repository == makes_any);
    };
    Draft::of(run).on_parts(begin).finish(now)
}

fn begin_those(draft: &mut Draft, work: &mut PartsWork, is_it: impl Fn(&PartFacts) -> bool) {
    let waits = |part: &PartFacts| !part.has_begun && !part.state.status.is_end();
    for part in work.parts.iter_mut().filter(|part| waits(part) && is_it(part)) {
        part.has_begun = true;
        draft.tell(part.run.clone(), Step::BeginPart);
    }
}

/// It is the turn of a part.
pub fn begin_part(run: Run, now: DateTime<Utc>) -> Decision {
    let begin = |draft: &mut Draft, work: &mut PullRequestWork| {
        let Some(part) = &mut work.part else { return };
        if !std::mem::replace(&mut part.has_begun, true) {
            draft.then(match work.new_repository {
                Some(_) => Step::CreateRepository,
                None => Step::Propose,
            });
        }
    };
    Draft::of(run).on_pull_request(begin).finish(now)
}

/// The whole has ended before this part had anything on GitHub.
pub fn withdraw(run: Run, now: DateTime<Utc>) -> Decision {
    let mut draft = Draft::of(run);
    let waits = draft.run.part_of().is_some_and(|part| !part.has_begun);
    if waits || draft.run.stage == Stage::Behind {
        draft.end(Stage::Refused, "Withdrawn", None);
    }
    draft.finish(now)
}

/// Whether a run may look for its turn at a folder: a part only after it was told to begin.
pub fn may_propose(run: &Run) -> bool {
    !run.status.is_end() && run.part_of().is_none_or(|part| part.has_begun)
}
