//! What the whole makes of what its parts tell: it says it to the portal, writes the entity when
//! everything is applied, and ends.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::begin_those;
use crate::domain::parts::{PartFacts, PartOutcome, PartReport, PartsWork};
use crate::domain::run::{EntityPlan, Event, Run, Stage};
use crate::plan::Decision;
use crate::plan::conclude::{Success, catalog_refused, catalog_told, mentions_outputs, succeed};
use crate::plan::draft::Draft;
use crate::plan::step::{ReadOutputs, Step};

/// What the parts come to together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Something goes on by itself, or waits for people.
    UnderWay,
    /// Nothing was to be changed anywhere.
    Unchanged,
    /// Everything that was to be changed is applied.
    Applied,
    /// A part, by its place, has ended ill, and no other goes on by itself.
    Ill(usize),
}

/// A part tells how it stands. An older word than the last, or the same again, changes nothing.
pub fn heard(run: Run, report: &PartReport, now: DateTime<Utc>) -> Decision {
    let hear = |draft: &mut Draft, work: &mut PartsWork| {
        let before = verdict(work);
        let Some(place) = work.parts.iter().position(|part| part.run == report.run) else { return };
        if !merge(work, place, report) {
            return;
        }
        for page in report.links.iter().flatten().rev() {
            draft.run.add_link(page);
        }
        for event in &report.events {
            let message = format!("{}: {}", report.repository, event.message);
            draft.say(Event { kind: event.kind, message });
        }
        follow(draft, work, before);
    };
    Draft::of(run).on_parts(hear).finish(now)
}

/// Takes in what a part tells. Whether it is news.
fn merge(work: &mut PartsWork, place: usize, report: &PartReport) -> bool {
    let part = &mut work.parts[place];
    if report.number <= part.heard {
        return false;
    }
    let outcome = report.state.outcome.or(part.state.outcome);
    part.heard = report.number;
    part.repository = report.repository.clone();
    part.state = report.state.clone();
    part.is_told_to_cancel &= part.state.label != Run::CANCELLING;
    part.state.outcome = outcome;
    if let Some(context) = &report.context
        && work.context_of.is_none_or(|known| place <= known)
    {
        work.context = context.clone();
        work.context_of = Some(place);
    }
    true
}

fn verdict(work: &PartsWork) -> Verdict {
    let mut outcomes = work.parts.iter().map(|part| part.state.outcome);
    if outcomes.clone().all(|outcome| outcome == Some(PartOutcome::Unchanged)) {
        return Verdict::Unchanged;
    }
    if outcomes.all(|outcome| outcome.is_some()) {
        return Verdict::Applied;
    }
    let goes_on = |part: &PartFacts| !part.state.status.is_end() && !part.is_left_to_people();
    match work.parts.iter().position(PartFacts::is_ill) {
        Some(place) if !work.parts.iter().any(goes_on) => Verdict::Ill(place),
        _ => Verdict::UnderWay,
    }
}

/// Goes on from what the parts come to, if it is something else than before.
fn follow(draft: &mut Draft, work: &mut PartsWork, before: Verdict) {
    let mut made = work.parts.iter().filter(|part| part.makes_repository);
    let all_are_made = made.all(|part| part.state.has_landed);
    if all_are_made && !draft.was_over() {
        begin_those(draft, work, |_| true);
    }
    let now = verdict(work);
    if now == Verdict::UnderWay {
        return show(draft, work);
    }
    if now == before {
        return;
    }
    match now {
        Verdict::UnderWay => {}
        Verdict::Unchanged => draft.end(Stage::Done, "Nothing to change", None),
        Verdict::Applied => applied(draft, work),
        Verdict::Ill(place) => end_ill(draft, work, place),
    }
}

/// How far it is, as far as something is still to come of it.
fn show(draft: &mut Draft, work: &PartsWork) {
    if work.parts.iter().any(PartFacts::is_being_cancelled) {
        return draft.stage(draft.run.stage, Run::CANCELLING);
    }
    let counts =
        |part: &&PartFacts| part.state.outcome != Some(PartOutcome::Unchanged) && !part.is_ill();
    let parts: Vec<&PartFacts> = work.parts.iter().filter(counts).collect();
    let of = |count: usize, what: &str| match parts.len() {
        1 => String::new(),
        all => format!(": {count} of {all} {what}"),
    };
    let landed = parts.iter().filter(|part| part.state.has_landed).count();
    if landed == parts.len() {
        let unapplied = parts.iter().filter(|part| part.state.outcome.is_none());
        let special = unapplied.clone().find(|part| part.state.label != "Applying");
        let label = match special {
            Some(part) => format!("{}: {}", part.repository, part.state.label),
            None => format!("Applying{}", of(parts.len() - unapplied.count(), "applied")),
        };
        return draft.stage(Stage::Merged, &label);
    }
    if landed > 0 || parts.iter().any(|part| part.state.pull_request.is_some()) {
        let label = format!("Waiting for review{}", of(landed, "merged"));
        return draft.stage(Stage::Proposed, &label);
    }
    if parts.iter().any(|part| part.state.stage == Stage::Behind) {
        return draft.stage(Stage::Behind, "Waiting");
    }
    if let Some(first) = parts.iter().find(|part| part.state.label != "Received") {
        draft.stage(Stage::Received, &first.state.label);
    }
}

/// Everything is applied: the outputs, where the entity wants them, and the catalog.
fn applied(draft: &mut Draft, work: &mut PartsWork) {
    if let Some(EntityPlan::Upsert { mapping }) = &work.entity
        && mentions_outputs(mapping)
    {
        for part in &work.parts {
            if let Some(PartOutcome::Applied(Some(by))) = part.state.outcome {
                draft.then(Step::ReadOutputs(ReadOutputs {
                    repository: part.repository.clone(),
                    workflow_run: Some(by),
                }));
                work.outputs_awaited += 1;
            }
        }
    }
    if work.outputs_awaited == 0 {
        tell_catalog(draft, work);
    }
}

/// The outputs of one of the applies are known now.
pub(crate) fn outputs_read(draft: &mut Draft, work: &mut PartsWork, outputs: &Map<String, Value>) {
    for (name, value) in outputs {
        if !work.outputs.contains_key(name) {
            work.outputs.insert(name.clone(), value.clone());
        }
    }
    work.outputs_awaited = work.outputs_awaited.saturating_sub(1);
    if work.outputs_awaited == 0 {
        tell_catalog(draft, work);
    }
}

fn tell_catalog(draft: &mut Draft, work: &PartsWork) {
    let Some(first) = work.parts.first() else { return };
    let success = Success {
        entity: work.entity.as_ref(),
        context: &work.context,
        repository: &first.repository,
        workflow_run: None,
        label: "Applied",
        line: "Everything is applied.".to_owned(),
    };
    succeed(draft, success, Some(&work.outputs));
}

/// The catalog has answered.
pub(crate) fn catalog_answered(draft: &mut Draft, work: &PartsWork, told: &Result<(), String>) {
    match told {
        Ok(()) => catalog_told(draft, work.entity.as_ref(), "Applied"),
        Err(reason) => catalog_refused(draft, reason),
    }
}

/// Ends with the first part that has ended ill, and says how the others stand.
fn end_ill(draft: &mut Draft, work: &PartsWork, place: usize) {
    if draft.was_over() {
        return;
    }
    let ill = &work.parts[place];
    if work.parts.iter().all(|part| part.state.label == Run::CANCELLED) {
        draft.say(Event::progress("It is cancelled in each repository."));
        return draft.end(ill.state.stage, Run::CANCELLED, None);
    }
    let named = |is_it: &dyn Fn(&PartFacts) -> bool, show: &dyn Fn(&PartFacts) -> String| {
        let names: Vec<String> = work.parts.iter().filter(|part| is_it(part)).map(show).collect();
        names.join(", ")
    };
    let repository = |part: &PartFacts| part.repository.to_string();
    let mut line = format!(
        "Not everything was done: {}.",
        named(&PartFacts::is_ill, &|part| format!("{} ({})", part.repository, part.state.label))
    );
    let open = named(&PartFacts::is_open, &|part| match &part.state.pull_request {
        Some(pull) => format!("{}#{} ({})", part.repository, pull.number, pull.html_url),
        None => part.repository.to_string(),
    });
    let stands = |part: &PartFacts| matches!(part.state.outcome, Some(PartOutcome::Applied(_)));
    let done = named(&stands, &repository);
    let withdrawn = named(&PartFacts::may_be_withdrawn, &repository);
    for (says, which, then) in [
        ("Applied already", done, ""),
        ("Still open", open, " Merge it only if it is of use alone, else close it."),
        ("Not begun, and left", withdrawn, ""),
    ] {
        if !which.is_empty() {
            line.push_str(&format!(" {says}: {which}.{then}"));
        }
    }
    let may_be_applied = |part: &PartFacts| {
        let is_there = part.state.pull_request.is_some() || part.state.has_landed;
        is_there || part.state.outcome.is_some()
    };
    if work.parts.iter().all(may_be_applied) {
        line.push_str(" If everything comes to be applied after all, the catalog is still told.");
    }
    draft.say(Event::failure(line));
    let summary = format!("{}: {}", ill.repository, ill.state.label);
    draft.end(ill.state.stage, &ill.state.label, Some(summary));
}
