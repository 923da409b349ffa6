//! The program's own check on a pull request.

use super::*;

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
