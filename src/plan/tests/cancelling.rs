//! Cancelling, as far as a run has come.

use super::*;

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
