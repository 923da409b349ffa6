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

mod any_order;
mod cancelling;
mod changes;
mod own_check;
mod parts;
mod workflows;

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
