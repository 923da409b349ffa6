//! A workflow that is dispatched.

use super::*;

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
