//! A change by pull request, from its opening to its end.

use super::*;

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
