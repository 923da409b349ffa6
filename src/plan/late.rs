//! Deadlines: a run that has been at a stage for too long says so, and ends if its template wants
//! that. Decided when GitHub was looked at, and never blindly: what has ended there is heard first.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::deadline::{Deadline, Deadlines, Wait};
use crate::domain::run::{Event, Run, Stage, Work};

use super::decision::Decision;
use super::draft::Draft;

/// A decision, and what follows from the deadline of the stage at which it leaves the run.
pub fn in_time(decision: Decision, deadlines: &Deadlines, now: DateTime<Utc>) -> Decision {
    match late(&decision.run, deadlines, now) {
        Some((wait, deadline)) => {
            let said = say(decision.run.clone(), wait, deadline, now);
            decision.and(said)
        }
        None => decision,
    }
}

/// Whether a deadline has something to say of a run.
pub fn is_due(run: &Run, deadlines: &Deadlines, now: DateTime<Utc>) -> bool {
    late(run, deadlines, now).is_some()
}

/// What a run has waited for too long, if that was not said.
fn late(run: &Run, deadlines: &Deadlines, now: DateTime<Utc>) -> Option<(Wait, Deadline)> {
    // Of a run that writes to several repositories each part has its own.
    let is_whole = matches!(run.work, Some(Work::Parts(_)));
    let wait = Wait::at(run.stage).filter(|_| !run.status.is_end() && !run.is_late && !is_whole)?;
    let deadline = deadlines.of(wait);
    (now - run.stage_since >= deadline.after).then_some((wait, deadline))
}

fn say(run: Run, wait: Wait, deadline: Deadline, now: DateTime<Utc>) -> Decision {
    let line = line(&run, wait, deadline);
    let mut draft = Draft::of(run);
    draft.run.is_late = true;
    if deadline.ends {
        draft.say(Event::failure(line.clone()));
        draft.end(Stage::Failed, label(wait), Some(line));
    } else {
        draft.say(Event::warning(line));
    }
    draft.finish(now)
}

fn label(wait: Wait) -> &'static str {
    match wait {
        Wait::Queued => "Not started in time",
        Wait::Running => "Not ended in time",
        Wait::Approval => "Not approved in time",
        Wait::Turn => "Its turn did not come in time",
        Wait::Review => "Not reviewed in time",
        Wait::Apply => "Not applied in time",
    }
}

/// What has not happened, and the way out.
fn line(run: &Run, wait: Wait, deadline: Deadline) -> String {
    let time = words_of(deadline.after);
    let page = page(run).map(|page| format!(": {page}")).unwrap_or_default();
    let (what, way_out) = match wait {
        Wait::Queued => (
            format!("The workflow has not begun for {time}{page}."),
            "See whether a runner with its labels is there, or cancel it on GitHub.",
        ),
        Wait::Running => (
            format!("The workflow has not ended for {time}{page}."),
            "See what it does, or cancel it on GitHub.",
        ),
        Wait::Approval => (
            format!("Nobody has approved the workflow for {time}{page}."),
            "Ask the reviewers of the environment, or cancel it on GitHub.",
        ),
        Wait::Turn => (
            format!("What came first for the same folder has been in the way for {time}{page}."),
            "Have it merged or closed.",
        ),
        Wait::Review => (
            format!("The pull request has been open for {time}{page}."),
            "Ask the reviewers, or close it if it is not wanted any more.",
        ),
        Wait::Apply => (
            format!("The change was merged, and nothing has applied it for {time}{page}."),
            "See whether the apply has run for the merge commit, and run it.",
        ),
    };
    let then = match (deadline.ends, wait) {
        (false, _) => "This run waits on.",
        (true, Wait::Turn) => "This run has ended, and changes nothing; run the action again.",
        (true, Wait::Review) => {
            "This run has ended; the pull request stays open, and the catalog is still told if it is \
             merged and applied."
        }
        (true, _) => "This run has ended; the catalog is still told of a later success.",
    };
    format!("{what} {way_out} {then}")
}

/// Where people see what the run waits for.
fn page(run: &Run) -> Option<&str> {
    match run.work.as_ref()? {
        Work::PullRequest(work) if run.stage == Stage::Behind => work.behind.as_deref(),
        _ => run.links.first().map(String::as_str),
    }
}

/// `30 days`, `6 hours`, `90 minutes`.
fn words_of(time: TimeDelta) -> String {
    let units = [
        (time.num_days(), TimeDelta::days as fn(i64) -> TimeDelta, "day"),
        (time.num_hours(), TimeDelta::hours, "hour"),
        (time.num_minutes(), TimeDelta::minutes, "minute"),
    ];
    let whole = units.iter().find(|(count, of, _)| *count > 0 && of(*count) == time);
    let (count, unit) =
        whole.map_or((time.num_seconds(), "second"), |(count, _, unit)| (*count, *unit));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_its_largest_whole_unit() {
        assert_eq!(words_of(TimeDelta::days(30)), "30 days");
        assert_eq!(words_of(TimeDelta::hours(1)), "1 hour");
        assert_eq!(words_of(TimeDelta::minutes(90)), "90 minutes");
        assert_eq!(words_of(TimeDelta::seconds(75)), "75 seconds");
    }
}
