//! How the service does.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{Badge, GitHub, Moment, Named, Tone, duration, run_href};
use crate::domain::github_view::Budget;
use crate::domain::{Door, Run, Stage};
use crate::store::{Counts, Heard, ParkedMessage, ParkedStep};

/// From when on the longest due step tells that the workers do not keep up. Steps are done within
/// seconds; a lease is longer than this only while a step runs.
const SLOW: TimeDelta = TimeDelta::minutes(1);

/// The stages in the order of a run's life.
const STAGES: [Stage; 11] = [
    Stage::Received,
    Stage::Dispatched,
    Stage::Running,
    Stage::Waiting,
    Stage::Behind,
    Stage::Proposed,
    Stage::Merged,
    Stage::Done,
    Stage::Failed,
    Stage::Refused,
    Stage::Declined,
];

/// The queue, the runs by stage, and what is parked.
#[derive(Debug, Serialize)]
pub(in super::super) struct HealthView {
    verdict: Badge,
    sentence: String,
    steps_waiting: u64,
    steps_parked: u64,
    queue_age: Option<String>,
    oldest_due: Option<Moment>,
    stages: Vec<StageRow>,
    runs: u64,
    parked: Vec<ParkedRow>,
    /// Parked steps that are not shown.
    parked_elsewhere: u64,
    budgets: Vec<BudgetRow>,
    doors: Vec<DoorRow>,
    last_run: Option<Moment>,
    last_delivery: Option<Moment>,
    messages: Vec<MessageRow>,
}

/// What is known of how messages come in.
pub(in super::super) struct WaysIn {
    /// The ways.
    pub(in super::super) doors: Vec<Door>,
    /// When something came last.
    pub(in super::super) heard: Heard,
    /// What could not be taken, the newest first.
    pub(in super::super) left_aside: Vec<ParkedMessage>,
}

#[derive(Debug, Serialize)]
struct DoorRow {
    name: &'static str,
    badge: Badge,
    says: String,
}

#[derive(Debug, Serialize)]
struct MessageRow {
    source: String,
    reason: String,
    at: Moment,
}

/// What an installation may still ask of GitHub.
#[derive(Debug, Serialize)]
struct BudgetRow {
    owner: Named,
    resource: String,
    left: i64,
    of: i64,
    /// Of the whole, 0 to 100.
    percent: i64,
    tone: Tone,
    resets: Moment,
}

#[derive(Debug, Serialize)]
struct StageRow {
    badge: Badge,
    runs: u64,
    /// Of the fullest stage, 0 to 100.
    percent: u64,
}

#[derive(Debug, Serialize)]
struct ParkedRow {
    run: String,
    run_href: String,
    title: String,
    step: String,
    error: String,
    attempt: u32,
    at: Moment,
}

/// The state of the service as it is shown.
pub(in super::super) fn view(
    counts: &Counts,
    parked: &[(Run, ParkedStep)],
    budgets: Vec<Budget>,
    ways_in: WaysIn,
    now: DateTime<Utc>,
    github: GitHub<'_>,
) -> HealthView {
    let age = counts.oldest_due.map(|due| now - due);
    let (verdict, sentence) = verdict(counts, age);
    let parked: Vec<_> = parked.iter().map(|(run, step)| row(run, step)).collect();
    let shown = u64::try_from(parked.len()).unwrap_or(u64::MAX);
    HealthView {
        verdict,
        sentence,
        steps_waiting: counts.steps_waiting,
        steps_parked: counts.steps_parked,
        queue_age: age.map(duration),
        oldest_due: counts.oldest_due.map(Moment::from),
        stages: stages(counts),
        runs: counts.runs.iter().map(|(_, runs)| runs).sum(),
        parked,
        budgets: budgets.into_iter().map(|of| budget(of, github)).collect(),
        parked_elsewhere: counts.steps_parked.saturating_sub(shown),
        doors: ways_in.doors.into_iter().map(door).collect(),
        last_run: ways_in.heard.run.map(Moment::from),
        last_delivery: ways_in.heard.delivery.map(Moment::from),
        messages: ways_in.left_aside.into_iter().map(message).collect(),
    }
}

fn door(door: Door) -> DoorRow {
    let badge = if door.is_open {
        Badge::new(Tone::Good, "open")
    } else {
        Badge::new(Tone::Waits, "closed")
    };
    DoorRow { name: door.name, badge, says: door.says }
}

fn message(message: ParkedMessage) -> MessageRow {
    MessageRow { source: message.source, reason: message.reason, at: message.parked_at.into() }
}

fn verdict(counts: &Counts, age: Option<TimeDelta>) -> (Badge, String) {
    if let Some(age) = age.filter(|age| *age > SLOW) {
        let sentence = format!(
            "The longest due step has waited for {}. Is a worker running, and does GitHub answer?",
            duration(age)
        );
        return (Badge::new(Tone::Bad, "Behind"), sentence);
    }
    if counts.steps_parked > 0 {
        let sentence = "The work goes on, but some steps were put aside for somebody to look at.";
        return (Badge::new(Tone::Waits, "Needs a look"), sentence.to_owned());
    }
    let sentence = "Everything that is due is being done.";
    (Badge::new(Tone::Good, "Well"), sentence.to_owned())
}

fn stages(counts: &Counts) -> Vec<StageRow> {
    let fullest = counts.runs.iter().map(|(_, runs)| *runs).max().unwrap_or(0).max(1);
    let row = |stage: Stage| {
        let runs = counts.runs.iter().find(|(known, _)| *known == stage);
        let runs = runs.map_or(0, |(_, runs)| *runs);
        // What is there is seen, however little it is.
        let percent = if runs == 0 { 0 } else { (runs * 100 / fullest).max(1) };
        StageRow { badge: Badge::of_stage(stage), runs, percent }
    };
    STAGES.into_iter().map(row).collect()
}

fn budget(budget: Budget, github: GitHub<'_>) -> BudgetRow {
    let percent = budget.left * 100 / budget.of.max(1);
    BudgetRow {
        owner: github.person(&budget.owner),
        resource: budget.resource,
        left: budget.left,
        of: budget.of,
        percent: percent.clamp(0, 100),
        tone: if percent < 10 { Tone::Bad } else { Tone::Good },
        resets: budget.resets_at.into(),
    }
}

fn row(run: &Run, step: &ParkedStep) -> ParkedRow {
    ParkedRow {
        run: run.id.to_string(),
        run_href: run_href(&run.id),
        title: run.request.title(),
        step: step.kind.replace('_', " "),
        error: step.reason.clone(),
        attempt: step.attempt,
        at: step.parked_at.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITHUB: GitHub<'_> = GitHub("https://github.com");

    fn nothing_heard() -> WaysIn {
        WaysIn { doors: Vec::new(), heard: Heard::default(), left_aside: Vec::new() }
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    #[test]
    fn a_step_that_waits_too_long_is_worse_than_one_that_is_parked() {
        let mut counts = Counts { steps_parked: 1, ..Counts::default() };
        assert_eq!(
            view(&counts, &[], Vec::new(), nothing_heard(), now(), GITHUB).verdict.word,
            "Needs a look"
        );
        counts.oldest_due = Some(now() - TimeDelta::seconds(59));
        assert_eq!(
            view(&counts, &[], Vec::new(), nothing_heard(), now(), GITHUB).verdict.word,
            "Needs a look"
        );
        counts.oldest_due = Some(now() - TimeDelta::seconds(61));
        let shown = view(&counts, &[], Vec::new(), nothing_heard(), now(), GITHUB);
        assert_eq!((shown.verdict.word, shown.queue_age.as_deref()), ("Behind", Some("1 min 1 s")));
        assert_eq!(shown.parked_elsewhere, 1);
    }

    #[test]
    fn one_run_among_many_is_still_seen() {
        let runs = vec![(Stage::Done, 99_999), (Stage::Failed, 1)];
        let shown = view(
            &Counts { runs, ..Counts::default() },
            &[],
            Vec::new(),
            nothing_heard(),
            now(),
            GITHUB,
        );
        let percents = shown.stages.iter().map(|row| row.percent).filter(|percent| *percent > 0);
        assert_eq!(percents.collect::<Vec<_>>(), [100, 1]);
        assert_eq!(shown.runs, 100_000);
    }
}
