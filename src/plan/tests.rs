//! Outcomes, by literals: what was seen goes in, what the portal is told comes out.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::decision::Answer;
use super::step::{After, Explanation, PlanSummary, Step};
use super::{
    Decision, answered, cancel, cannot_be_cancelled, check_given_up, check_refused, dispatched,
    not_cancelled, outcome, proposed,
};
use crate::domain::action_run::RunKind;
use crate::domain::check::{Check, OwnCheck};
use crate::domain::observation::*;
use crate::domain::run::*;
use crate::domain::*;

mod parts;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn run(work: Work) -> Run {
    let request = ActionRun {
        id: RunId::new("r_1").unwrap(),
        kind: RunKind::Action,
        action: ActionId::new("add_database").unwrap(),
        action_title: None,
        operation: Some(Operation::Create),
        inputs: Map::new(),
        entity: None,
        user: User::default(),
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    };
    Run { work: Some(work), ..Run::received(request, NOW) }
}

fn repository() -> RepositoryName {
    "acme/infrastructure".parse().unwrap()
}

fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

fn workflow() -> Run {
    let run = run(Work::Workflow(Box::new(WorkflowWork {
        repository: repository(),
        workflow: "rollback.yml".to_owned(),
        reference: Some("main".to_owned()),
        inputs: Map::new(),
        report_status: true,
        entity: None,
        context: json!({}),
        conclusions: Vec::new(),
        workflow_run: None,
    })));
    dispatched(run, WorkflowRunId(7), "https://github/runs/7", NOW).run
}

fn workflow_run(attempt: u32, status: &str, conclusion: Option<&str>) -> Observation {
    Observation::WorkflowRun(WorkflowRunSeen {
        repository: repository(),
        id: WorkflowRunId(7),
        attempt,
        status: RunPhase::parse(status),
        conclusion: conclusion.map(Conclusion::parse),
        file: "rollback.yml".to_owned(),
        title: None,
        event: "workflow_dispatch".to_owned(),
        branch: Some("main".to_owned()),
        head_sha: sha('a'),
        html_url: "https://github/runs/7".to_owned(),
        actor: None,
        created_at: None,
    })
}

fn job(status: &str, environment: Option<&str>) -> Observation {
    Observation::WorkflowJob(WorkflowJobSeen {
        repository: repository(),
        workflow_run: WorkflowRunId(7),
        attempt: 1,
        job: 70,
        name: "deploy".to_owned(),
        status: RunPhase::parse(status),
        conclusion: None,
        environment: environment.map(str::to_owned),
    })
}

fn pull_request(state: PullRequestState) -> PullRequestSeen {
    PullRequestSeen {
        is_of_an_open_one: false,
        repository: repository(),
        number: PullRequestNumber(12),
        node_id: None,
        html_url: "https://github/pull/12".to_owned(),
        state,
        draft: false,
        conflicts: None,
        head: BranchName::new("towpath/add_database/r_1").unwrap(),
        head_sha: sha('b'),
        base: BranchName::new("main").unwrap(),
        merge_commit: (state == PullRequestState::Merged).then(|| sha('c')),
        ended_by: Some("octocat".to_owned()),
    }
}

fn change(apply: ApplySignal) -> Run {
    let mapping = json!({
        "blueprint": "database", "identifier": "orders", "title": "orders",
        "properties": {"engine": "DocumentDB"}, "relations": {},
    });
    let run = run(Work::PullRequest(Box::new(PullRequestWork {
        template: TemplateName::new("database").unwrap(),
        repository: repository(),
        base: None,
        branch: BranchName::new("towpath/add_database/r_1").unwrap(),
        part: None,
        behind: None,
        new_repository: None,
        rendered_on: None,
        path: None,
        context: json!({}),
        plan: Some("plan.yml".to_owned()),
        apply,
        entity: Some(EntityPlan::Upsert { mapping }),
        pull_request: None,
        planned: None,
        plan_summary: None,
        applies: Vec::new(),
        own_check: None,
        cancelled_by: None,
    })));
    open(run).run
}

fn open(run: Run) -> Decision {
    proposed(run, &pull_request(PullRequestState::Open), &sha('b'), None, &[], NOW)
}

fn by_workflow() -> ApplySignal {
    ApplySignal::Workflow("apply.yml".to_owned())
}

fn file_run(file: &str, id: u64, at: char, status: &str, end: Option<&str>) -> Observation {
    let Observation::WorkflowRun(seen) = workflow_run(1, status, end) else { unreachable!() };
    let plans = file == "plan.yml";
    Observation::WorkflowRun(WorkflowRunSeen {
        id: WorkflowRunId(id),
        file: file.to_owned(),
        event: if plans { "pull_request" } else { "push" }.to_owned(),
        branch: Some(if plans { "towpath/add_database/r_1" } else { "main" }.to_owned()),
        head_sha: sha(at),
        ..seen
    })
}

fn after(run: Run, seen: &[Observation]) -> Run {
    seen.iter().fold(run, |run, seen| outcome(run, seen, NOW).run)
}

fn kinds(decision: &Decision) -> Vec<&'static str> {
    decision.steps.iter().map(Step::kind).collect()
}

#[test]
fn a_dispatched_workflow_is_followed_to_its_end() {
    let run = workflow();
    assert_eq!((run.stage, run.label.as_str()), (Stage::Dispatched, "Queued"));
    let run = after(run, &[workflow_run(1, "in_progress", None), job("in_progress", None)]);
    assert_eq!((run.stage, run.label.as_str()), (Stage::Running, "Running: deploy"));
    let run = after(run, &[job("waiting", Some("production"))]);
    assert_eq!(run.label, "Waiting for approval of production");
    let end = outcome(run, &workflow_run(1, "completed", Some("success")), NOW);
    assert_eq!((end.run.status, end.run.label.as_str()), (Status::Success, "Succeeded"));
    assert_eq!(kinds(&end), ["end"]);
    let again = outcome(end.run, &workflow_run(1, "completed", Some("success")), NOW);
    assert_eq!(kinds(&again), [""; 0]);
}

#[test]
fn every_conclusion_has_its_end() {
    for (word, good, label) in [
        ("success", true, "Succeeded"),
        ("neutral", true, "Neutral"),
        ("skipped", true, "Skipped"),
        ("failure", false, "Failed"),
        ("cancelled", false, "Cancelled"),
        ("timed_out", false, "Timed out"),
        ("startup_failure", false, "Could not start"),
        ("stale", false, "Stale"),
    ] {
        let seen = outcome(workflow(), &workflow_run(1, "completed", Some(word)), NOW);
        let end = if good {
            seen
        } else {
            assert_eq!(kinds(&seen), ["explain"], "{word}");
            let then = After::EndWorkflow(Conclusion::parse(word));
            answered(
                seen.run,
                &Answer::Explained { explanation: Explanation::default(), then },
                NOW,
            )
        };
        let status = if good { Status::Success } else { Status::Failure };
        assert_eq!((end.run.status, end.run.label.as_str()), (status, label), "{word}");
    }
    let required = after(workflow(), &[workflow_run(1, "completed", Some("action_required"))]);
    assert_eq!((required.status, required.stage), (Status::InProgress, Stage::Waiting));
}

#[test]
fn a_rerun_that_began_before_the_failure_was_explained_keeps_the_run_open() {
    let failed = outcome(workflow(), &workflow_run(1, "completed", Some("failure")), NOW).run;
    let rerun = after(failed, &[workflow_run(2, "in_progress", None)]);
    let then = After::EndWorkflow(Conclusion::Failure);
    let answer = Answer::Explained { explanation: Explanation::default(), then };
    assert_eq!(answered(rerun, &answer, NOW).run.status, Status::InProgress);
}

#[test]
fn a_workflow_that_reports_itself_is_not_ended_in_the_portal() {
    let mut run = workflow();
    let Some(Work::Workflow(work)) = &mut run.work else { unreachable!() };
    work.report_status = false;
    let end = outcome(run, &workflow_run(1, "completed", Some("success")), NOW);
    assert_eq!(kinds(&end), ["progress"]);
}

#[test]
fn a_change_ends_when_it_is_applied_and_the_catalog_is_told_first() {
    let run = change(by_workflow());
    assert_eq!((run.stage, run.label.as_str()), (Stage::Proposed, "Waiting for review"));
    assert_eq!(run.links, ["https://github/pull/12"]);
    let planned = outcome(run, &file_run("plan.yml", 20, 'b', "completed", Some("success")), NOW);
    assert_eq!(kinds(&planned), ["read_plan", "progress"]);
    let plan = PlanSummary { add: 2, ..PlanSummary::default() };
    let run = answered(planned.run, &Answer::Planned(Some(plan)), NOW).run;
    assert_eq!(run.label, "Planned +2 ~0 -0");
    let run = after(run, &[Observation::PullRequest(pull_request(PullRequestState::Merged))]);
    assert_eq!((run.stage, run.label.as_str()), (Stage::Merged, "Applying"));
    let end = outcome(run, &file_run("apply.yml", 30, 'c', "completed", Some("success")), NOW);
    assert_eq!((kinds(&end), end.run.status), (vec!["upsert", "progress"], Status::InProgress));
    let refused = Answer::Catalog(Err("No such blueprint.".to_owned()));
    let refused = answered(end.run.clone(), &refused, NOW).run;
    assert_eq!((refused.status, refused.label.as_str()), (Status::Failure, "Catalog not updated"));
    let end = answered(end.run, &Answer::Catalog(Ok(())), NOW);
    assert_eq!((kinds(&end), end.run.status), (vec!["end"], Status::Success));
    assert_eq!(end.run.label, "Applied");
}

#[test]
fn a_closed_pull_request_is_declined_and_a_late_merge_still_reaches_the_catalog() {
    let closed = Observation::PullRequest(pull_request(PullRequestState::Closed));
    let declined = outcome(change(by_workflow()), &closed, NOW);
    assert_eq!((declined.run.status, declined.run.label.as_str()), (Status::Failure, "Declined"));
    assert_eq!(kinds(&declined), ["end"]);
    let late = [
        Observation::PullRequest(pull_request(PullRequestState::Merged)),
        file_run("apply.yml", 30, 'c', "in_progress", None),
    ];
    let run = after(declined.run, &late);
    let end = outcome(run, &file_run("apply.yml", 30, 'c', "completed", Some("success")), NOW);
    let [Step::Upsert(upsert)] = end.steps.as_slice() else { panic!("{:?}", end.steps) };
    assert!(!upsert.with_run, "the portal takes no run id after the end");
    assert_eq!(end.run.label, "Declined");
}

#[test]
fn an_apply_on_a_later_commit_counts_when_it_contains_the_merge() {
    let merged = Observation::PullRequest(pull_request(PullRequestState::Merged));
    let cancelled = file_run("apply.yml", 30, 'c', "completed", Some("cancelled"));
    let run = after(change(by_workflow()), &[merged]);
    let seen = outcome(run, &cancelled, NOW);
    assert_eq!(kinds(&seen), ["look", "explain"], "a newer one may be on its way");
    let later = outcome(seen.run, &file_run("apply.yml", 31, 'd', "in_progress", None), NOW);
    assert_eq!(kinds(&later), ["compare"]);
    let run = answered(later.run, &Answer::Contains { head: sha('d'), contains: true }, NOW).run;
    let then = After::EndApply(Conclusion::Cancelled);
    let explained = Answer::Explained { explanation: Explanation::default(), then };
    let run = answered(run, &explained, NOW).run;
    assert_eq!(run.status, Status::InProgress, "a newer apply is under way");
    let end = outcome(run, &file_run("apply.yml", 31, 'd', "completed", Some("success")), NOW);
    let end = answered(end.run, &Answer::Catalog(Ok(())), NOW);
    assert_eq!((end.run.status, end.run.label.as_str()), (Status::Success, "Applied"));
}

#[test]
fn a_failed_apply_ends_the_run_and_a_rerun_still_brings_the_entity() {
    let merged = Observation::PullRequest(pull_request(PullRequestState::Merged));
    let failed = file_run("apply.yml", 30, 'c', "completed", Some("failure"));
    let seen = outcome(after(change(by_workflow()), &[merged]), &failed, NOW);
    let then = After::EndApply(Conclusion::Failure);
    let explanation = Explanation { job: Some("apply".to_owned()), ..Explanation::default() };
    let end = answered(seen.run, &Answer::Explained { explanation, then }, NOW);
    assert_eq!((end.run.status, end.run.label.as_str()), (Status::Failure, "Apply failed"));
    assert!(end.events[0].message.contains("in job \"apply\""));
    let Observation::WorkflowRun(again) =
        file_run("apply.yml", 30, 'c', "completed", Some("success"))
    else {
        unreachable!()
    };
    let again = Observation::WorkflowRun(WorkflowRunSeen { attempt: 2, ..again });
    let late = outcome(end.run, &again, NOW);
    assert_eq!(kinds(&late), ["upsert"]);
    assert_eq!(late.run.status, Status::Failure);
}

#[test]
fn an_applier_that_works_before_the_merge_is_waited_for_until_the_merge() {
    let mark = Observation::Signal(SignalSeen {
        repository: repository(),
        sha: sha('b'),
        kind: SignalKind::Status,
        name: "atlantis/apply".to_owned(),
        conclusion: Some(Conclusion::Success),
        url: None,
        description: None,
        id: 5,
    });
    let run = after(change(ApplySignal::Status("atlantis/apply".to_owned())), &[mark]);
    assert_eq!(run.stage, Stage::Proposed);
    let merged = Observation::PullRequest(pull_request(PullRequestState::Merged));
    assert_eq!(kinds(&outcome(run, &merged, NOW)), ["upsert", "progress"]);
}

#[test]
fn merged_is_applied_where_nothing_else_applies() {
    let merged = Observation::PullRequest(pull_request(PullRequestState::Merged));
    let end = outcome(change(ApplySignal::Merge), &merged, NOW);
    assert_eq!(kinds(&end), ["upsert", "progress"]);
}

#[test]
fn outputs_are_read_before_an_entity_that_wants_them() {
    let mut run = change(ApplySignal::Merge);
    let Some(Work::PullRequest(work)) = &mut run.work else { unreachable!() };
    let mapping = json!({
        "blueprint": "database", "identifier": "orders",
        "properties": {"endpoint": "{{ outputs.endpoint }}"},
    });
    work.entity = Some(EntityPlan::Upsert { mapping });
    let merged = Observation::PullRequest(pull_request(PullRequestState::Merged));
    let seen = outcome(run, &merged, NOW);
    assert_eq!(
        (kinds(&seen), seen.run.status),
        (vec!["read_outputs", "progress"], Status::InProgress)
    );
    let outputs = Map::from_iter([("endpoint".to_owned(), Value::from("db.local"))]);
    let end = answered(seen.run, &Answer::Outputs(outputs), NOW);
    let Step::Upsert(upsert) = &end.steps[0] else { panic!("{:?}", end.steps) };
    assert_eq!(upsert.entity.properties["endpoint"], "db.local");
}

fn anything() -> impl Strategy<Value = Observation> {
    let state = prop::sample::select(vec![
        PullRequestState::Open,
        PullRequestState::Queued,
        PullRequestState::Closed,
        PullRequestState::Merged,
    ]);
    let status = prop::sample::select(vec!["queued", "waiting", "in_progress", "completed"]);
    let end = prop::sample::select(vec!["success", "failure", "cancelled", "action_required"]);
    let file = prop::sample::select(vec!["plan.yml", "apply.yml", "rollback.yml"]);
    let runs = (file, 7..33u64, prop::sample::select(vec!['b', 'c', 'd']), status, end);
    prop_oneof![
        state.prop_map(|state| Observation::PullRequest(pull_request(state))),
        runs.prop_map(|(file, id, at, status, end)| {
            file_run(file, id, at, status, (status == "completed").then_some(end))
        }),
        Just(()).prop_map(|()| job("in_progress", None)),
    ]
}

proptest! {
    /// Whatever is seen, in whatever order and however often: the portal gets one end at most, it
    /// is the last thing that it gets, and the run keeps it.
    #[test]
    fn a_run_ends_once(first in any::<bool>(), seen in prop::collection::vec(anything(), 0..25)) {
        let mut run = if first { workflow() } else { change(by_workflow()) };
        let mut ended = None;
        for seen in seen {
            let mut decisions = vec![outcome(run.clone(), &seen, NOW)];
            while let Some(decision) = decisions.pop() {
                run = decision.run.clone();
                for step in &decision.steps {
                    let ends = matches!(step, Step::End(_));
                    let reports = ends || matches!(step, Step::Progress(_));
                    prop_assert!(!(reports && ended.is_some()), "{step:?} after the end");
                    if ends {
                        ended = Some((run.status, run.label.clone()));
                    }
                    if let Step::Upsert(_) = step {
                        decisions.push(answered(run.clone(), &Answer::Catalog(Ok(())), NOW));
                    }
                    if let Step::Explain(explain) = step {
                        let answer = Answer::Explained { explanation: Explanation::default(), then: explain.then };
                        decisions.push(answered(run.clone(), &answer, NOW));
                    }
                }
            }
            prop_assert_eq!(run.status.is_end(), ended.is_some());
            if let Some(ended) = &ended {
                prop_assert_eq!(&(run.status, run.label.clone()), ended);
            }
        }
    }

    /// The same thing seen twice in a row does nothing the second time.
    #[test]
    fn what_is_seen_twice_is_done_once(seen in prop::collection::vec(anything(), 1..15)) {
        let mut run = change(by_workflow());
        for seen in seen {
            run = outcome(run, &seen, NOW).run;
            let again = outcome(run.clone(), &seen, NOW);
            prop_assert!(again.steps.is_empty() && again.events.is_empty(), "{:?}", again.steps);
            prop_assert_eq!(again.run, run.clone());
        }
    }
}

/// A change whose pull request is to carry a check.
fn checked() -> Run {
    let mut run = change(by_workflow());
    if let Some(Work::PullRequest(work)) = &mut run.work {
        work.own_check = Some(OwnCheck { request: "Asked.\n".to_owned(), ..OwnCheck::default() });
    }
    run
}

fn check_of(decision: &Decision) -> Option<Check> {
    decision.steps.iter().find_map(|step| match step {
        Step::Check(check) => Some((**check).clone()),
        _ => None,
    })
}

#[test]
fn the_check_is_written_when_it_says_something_else_and_not_before() {
    let open = Observation::PullRequest(pull_request(PullRequestState::Open));
    let first = outcome(checked(), &open, NOW);
    let check = check_of(&first).expect("it was not written yet");
    assert_eq!(
        (check.title.as_str(), check.conclusion),
        ("Guardrails passed", Some(Conclusion::Success))
    );
    let again = outcome(first.run, &open, NOW);
    assert_eq!(check_of(&again), None, "it stands already");

    let plan = file_run("plan.yml", 8, 'b', "completed", Some("success"));
    let planned = outcome(again.run, &plan, NOW);
    let hostile = "a`b`\n# @octocat <img src=x>".to_owned();
    let summary = PlanSummary {
        add: 1,
        resources: vec![(hostile, "create".to_owned())],
        ..PlanSummary::default()
    };
    let planned = answered(planned.run, &Answer::Planned(Some(summary)), NOW);
    let check = check_of(&planned).expect("the plan is known");
    assert_eq!(check.title, "Guardrails passed, planned: +1 ~0 -0");
    assert!(
        check.summary.contains("- create ``a`b`↵# @octocat <img src=x>``\n"),
        "{}",
        check.summary
    );

    let pushed = PullRequestSeen { head_sha: sha('d'), ..pull_request(PullRequestState::Open) };
    let pushed = outcome(planned.run, &Observation::PullRequest(pushed), NOW);
    let check = check_of(&pushed).expect("another head");
    assert_eq!((check.commit, check.conclusion), (sha('d'), Some(Conclusion::Neutral)));
    assert!(check.summary.contains("Not known yet"), "the plan was of another commit");

    // What was given up is decided again by whatever comes next.
    let given_up = check_given_up(pushed.run);
    assert_eq!(kinds(&given_up), [""; 0]);
    let pushed = PullRequestSeen { head_sha: sha('d'), ..pull_request(PullRequestState::Open) };
    let again = outcome(given_up.run, &Observation::PullRequest(pushed), NOW);
    assert_eq!(kinds(&again), ["check"]);
    let refused = check_refused(again.run, "checks=write is missing.", NOW);
    assert_eq!(kinds(&refused), ["progress"], "it is said");
    let closed = outcome(
        refused.run,
        &Observation::PullRequest(pull_request(PullRequestState::Closed)),
        NOW,
    );
    assert_eq!(check_of(&closed), None, "and not tried again");
}

#[test]
fn cancelling_depends_on_how_far_the_run_is() {
    let begun = Run { work: None, ..workflow() };
    let ended = cancel(begun, "Jane", NOW);
    assert_eq!((ended.run.status, ended.run.label.as_str()), (Status::Failure, "Cancelled"));
    assert_eq!(kinds(&cancel(ended.run, "Jane", NOW)), [""; 0], "the first end stands");

    let stopping = cancel(workflow(), "Jane", NOW);
    assert_eq!(kinds(&stopping), ["stop_workflow", "progress"]);
    assert_eq!(
        (stopping.run.status, stopping.run.label.as_str()),
        (Status::InProgress, "Cancelling")
    );
    let completed = after(workflow(), &[workflow_run(1, "completed", Some("failure"))]);
    assert!(cannot_be_cancelled(&completed).is_some());

    let closing = cancel(change(by_workflow()), "Jane\n# @all", NOW);
    assert_eq!(kinds(&closing), ["close_pull_request", "progress"]);
    let Step::ClosePullRequest(step) = &closing.steps[0] else { panic!() };
    assert_eq!(step.comment, "Jane #\u{200b} @\u{200b}all cancelled the run r_1 that this is for.");
    let closed = Observation::PullRequest(pull_request(PullRequestState::Closed));
    let closed = outcome(closing.run.clone(), &closed, NOW);
    assert_eq!((closed.run.stage, closed.run.label.as_str()), (Stage::Failed, "Cancelled"));
    let merged = Observation::PullRequest(pull_request(PullRequestState::Merged));
    let merged = outcome(closing.run.clone(), &merged, NOW);
    assert_eq!((merged.run.stage, merged.run.label.as_str()), (Stage::Merged, "Applying"));
    let reason = cannot_be_cancelled(&merged.run).expect("it is merged");
    assert!(reason.contains("#12 is merged"), "{reason}");
    let open = not_cancelled(closing.run, "GitHub says no.", NOW);
    assert_eq!(open.run.label, "Waiting for review");
}
