//! A workflow is dispatched, and followed to its end.

use serde_json::{Map, Value, json};
use towpath::domain::RunId;
use towpath::sandbox::github::{SandboxRun, WorkflowRun};

use crate::world::{DISPATCHED, Kind, World, newest_run};

/// `acme/shop` is rolled back, and its workflow is queued.
async fn dispatched(world: &World) -> (RunId, SandboxRun) {
    let run = rollback(world, "please").await;
    world.rest().await;
    (run, newest_run(&world.shop, "rollback.yml"))
}

/// A template's action that dispatches a workflow. Its portal entity is in the blueprint `service`.
async fn rollback(world: &World, note: &str) -> RunId {
    world.press("rollback_service", json!({"note": note}), Some("shop")).await
}

/// The message of a button carries the invocation; its one workflow run.
async fn invoked(world: &World, method: Value, inputs: Value) -> (RunId, WorkflowRun) {
    world.add_invocation("by_message", &method);
    let run = world.press("by_message", inputs, None).await;
    world.rest().await;
    let runs = world.shop.workflow_runs();
    let told = world.portal_log(&run);
    let [one] = runs.as_slice() else { panic!("{} runs\n{told}", runs.len()) };
    (run, one.clone())
}

fn github(more: &Value) -> Value {
    let mut method =
        json!({"type": "GITHUB", "org": "acme", "repo": "shop", "workflow": "rollback.yml"});
    let more = more.as_object().cloned().unwrap_or_default();
    method.as_object_mut().expect("it is an object").extend(more);
    method
}

#[tokio::test]
async fn the_page_of_a_runs_jobs_shows_them_as_they_stand_on_github() {
    let world = World::start().await;
    let (run, workflow) = dispatched(&world).await;
    workflow.start();
    workflow.job_started("deploy");
    workflow.job_completed("deploy", "failure");
    workflow.complete("failure");
    world.rest().await;
    let page = reqwest::get(format!("http://{}/runs/{run}/jobs", world.address())).await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("<strong>deploy</strong>") && page.contains("failed"), "{page}");
    world.end().await;
}

#[tokio::test]
async fn an_action_of_a_template_runs_a_workflow_to_its_end() {
    let world = World::start().await;
    let (run, workflow) = dispatched(&world).await;
    assert_eq!(Value::Object(workflow.now().inputs), json!({"note": "please"}));
    let shown = world.until_portal(&run, "IN_PROGRESS", "Queued").await;
    let id = workflow.id;
    assert_eq!(shown.external_run_id, Some(format!("acme/shop/actions/runs/{id}")));
    assert!(
        shown.links[0].ends_with(&format!("/acme/shop/actions/runs/{id}")),
        "{:?}",
        shown.links
    );
    workflow.start();
    workflow.job_started("deploy");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Running: deploy").await;
    workflow.job_completed("deploy", "success");
    workflow.complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.end().await;
}

#[tokio::test]
async fn each_conclusion_is_the_end_that_people_expect() {
    for (conclusion, status, label) in [
        ("success", "SUCCESS", "Succeeded"),
        ("neutral", "SUCCESS", "Neutral"),
        ("skipped", "SUCCESS", "Skipped"),
        ("failure", "FAILURE", "Failed"),
        ("cancelled", "FAILURE", "Cancelled"),
        ("timed_out", "FAILURE", "Timed out"),
        ("stale", "FAILURE", "Stale"),
        ("startup_failure", "FAILURE", "Could not start"),
    ] {
        let world = World::start().await;
        let (run, workflow) = dispatched(&world).await;
        workflow.complete(conclusion);
        world.rest().await;
        world.until_portal(&run, status, label).await;
        world.end().await;
    }
}

#[tokio::test]
async fn an_action_that_is_required_is_no_end() {
    let world = World::start().await;
    let (run, workflow) = dispatched(&world).await;
    workflow.complete("action_required");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for approval").await;
    world.end().await;
}

#[tokio::test]
async fn a_failure_names_job_and_step_and_carries_the_log_and_a_re_run_changes_nothing() {
    let world = World::start().await;
    let (run, workflow) = dispatched(&world).await;
    workflow.job_started("deploy");
    workflow.step("deploy", "kubectl rollout undo", 2, "failure");
    workflow.log("deploy", "error: deployment \"shop\" not found");
    workflow.log("deploy", "##[error]Process completed with exit code 1.");
    workflow.job_completed("deploy", "failure");
    workflow.complete("failure");
    world.rest().await;
    let shown = world.until_portal(&run, "FAILURE", "Failed").await;
    let log = world.portal_log(&run);
    for part in ["\"deploy\"", "\"kubectl rollout undo\"", "deployment \"shop\" not found"] {
        assert!(log.contains(part), "no {part} in:\n{log}");
    }
    assert!(shown.summary.is_some());
    workflow.rerun("octocat");
    workflow.complete("success");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Failed").await;
    world.end().await;
}

#[tokio::test]
async fn a_job_may_wait_for_the_approval_of_its_environment() {
    let world = World::start().await;
    world.shop.create_environment("production", true);
    let (run, workflow) = dispatched(&world).await;
    workflow.start();
    workflow.job_waiting("deploy", "production");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for approval of production").await;
    workflow.approve("production");
    workflow.job_started("deploy");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Running: deploy").await;
    workflow.complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.end().await;
}

#[tokio::test]
async fn an_approval_that_is_refused_ends_the_run() {
    let world = World::start().await;
    world.shop.create_environment("production", true);
    let (run, workflow) = dispatched(&world).await;
    workflow.job_waiting("deploy", "production");
    workflow.reject("production");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Failed").await;
    world.end().await;
}

#[tokio::test]
async fn a_re_run_that_begins_before_the_failure_is_explained_is_followed() {
    let world = World::start().await;
    let (run, workflow) = dispatched(&world).await;
    world.github.hold_webhooks();
    workflow.complete("failure");
    workflow.rerun("octocat");
    world.github.release_all_webhooks();
    world.rest().await;
    let now = world.store().run(&run).await.unwrap().unwrap();
    if !now.status.is_end() {
        workflow.complete("success");
        world.rest().await;
        world.until_portal(&run, "SUCCESS", "Succeeded").await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_v1_invocation_sends_all_inputs_and_the_message() {
    let world = World::start().await;
    let inputs = json!({"version": "1.2", "count": 3, "deep": {"a": [1]}});
    let (run, workflow) = invoked(&world, github(&json!({})), inputs).await;
    assert_eq!(
        (&workflow.inputs["version"], &workflow.inputs["count"]),
        (&json!("1.2"), &json!("3"))
    );
    assert_eq!(workflow.inputs["deep"], json!("{\"a\":[1]}"));
    let payload: Value =
        serde_json::from_str(workflow.inputs["port_payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["context"]["runId"], json!(run.as_str()));
    assert_eq!(workflow.branch, "main");
    world.shop.workflow_run(workflow.id).complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.end().await;
}

#[tokio::test]
async fn a_v1_invocation_may_leave_the_message_out() {
    let world = World::start().await;
    let method = github(&json!({"omitPayload": true}));
    let (_, workflow) = invoked(&world, method, json!({"version": "1.2"})).await;
    assert_eq!(Value::Object(workflow.inputs), json!({"version": "1.2"}));
    world.end().await;
}

#[tokio::test]
async fn a_v2_invocation_sends_exactly_what_it_says_on_the_branch_that_it_names() {
    let world = World::start().await;
    world.shop.create_branch("octocat", "release/1");
    let method = github(
        &json!({"workflowInputs": {"v": "{{ .inputs.version }}", "o": {"a": 1}, "ref": "release/1"}}),
    );
    let (_, workflow) = invoked(&world, method, json!({"version": "1.2", "other": "x"})).await;
    assert_eq!(Value::Object(workflow.inputs), json!({"v": "1.2", "o": "{\"a\":1}"}));
    assert_eq!(workflow.branch, "release/1");
    world.end().await;
}

#[tokio::test]
async fn an_integration_action_dispatches_a_workflow() {
    let world = World::start().await;
    let method = json!({
        "type": "INTEGRATION_ACTION", "installationId": "towpath",
        "integrationActionType": "dispatch_workflow",
        "integrationActionExecutionProperties": {
            "org": "acme", "repo": "shop", "workflow": "rollback.yml",
            "workflowInputs": {"v": "{{ .inputs.version }}"}, "reportWorkflowStatus": true,
        },
    });
    let (run, workflow) = invoked(&world, method, json!({"version": "1.2"})).await;
    assert_eq!(Value::Object(workflow.inputs), json!({"v": "1.2"}));
    world.shop.workflow_run(workflow.id).complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.end().await;
}

#[tokio::test]
async fn a_workflow_that_reports_its_own_end_is_linked_and_followed_only() {
    let world = World::start().await;
    let method = github(&json!({"reportWorkflowStatus": "false"}));
    let (run, workflow) = invoked(&world, method, json!({})).await;
    let workflow = world.shop.workflow_run(workflow.id);
    workflow.start();
    workflow.job_started("deploy");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Running: deploy").await;
    workflow.complete("success");
    world.rest().await;
    let shown = world.portal.run(run.as_str()).unwrap();
    assert_eq!((shown.status.as_str(), shown.external_run_id.is_some()), ("IN_PROGRESS", true));
    world.end().await;
}

#[tokio::test]
async fn an_old_server_does_not_tell_the_run_and_it_is_found() {
    let world = World::of(Kind { legacy_dispatch: true, ..Kind::default() }).await;
    let (run, workflow) = dispatched(&world).await;
    world.until_portal(&run, "IN_PROGRESS", "Queued").await;
    workflow.complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    // The server is remembered: no second try with what it does not know.
    world.forget_requests();
    let second = rollback(&world, "again").await;
    world.rest().await;
    let refused = world.github.requests().iter().filter(|asked| asked.status == 422).count();
    assert_eq!(refused, 0);
    newest_run(&world.shop, "rollback.yml").complete("failure");
    world.rest().await;
    world.until_portal(&second, "FAILURE", "Failed").await;
    assert_eq!(world.shop.workflow_runs().len(), 2);
    world.end_with_refusals().await;
}

#[tokio::test]
async fn two_dispatches_at_once_on_an_old_server_are_told_apart_by_what_they_are_called() {
    let kind = Kind { legacy_dispatch: true, ..Kind::default() }.with(
        "{note: \"{{ inputs.note }}\"}",
        "{note: \"{{ inputs.note }}\", run: \"{{ run.id }}\"}",
    );
    let world = World::of(kind).await;
    let named = format!(
        "run-name: \"Rollback ${{{{ inputs.run }}}}\"
{DISPATCHED}"
    );
    world.shop.push(
        "octocat",
        "main",
        &[(".github/workflows/rollback.yml", Some(named.as_str()))],
        "Name",
    );
    let (one, two) = tokio::join!(rollback(&world, "one"), rollback(&world, "two"));
    world.rest().await;
    assert_eq!(world.shop.workflow_runs().len(), 2);
    for (run, conclusion) in [(&one, "success"), (&two, "failure")] {
        let shown = world.until_portal(run, "IN_PROGRESS", "Queued").await;
        let external = shown.external_run_id.unwrap();
        let id: u64 = external.rsplit('/').next().unwrap().parse().unwrap();
        let workflow = world.shop.workflow_run(id);
        assert!(
            workflow.now().display_title.contains(run.as_str()),
            "{}",
            workflow.now().display_title
        );
        workflow.complete(conclusion);
    }
    world.rest().await;
    world.until_portal(&one, "SUCCESS", "Succeeded").await;
    world.until_portal(&two, "FAILURE", "Failed").await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn two_dispatches_at_once_on_an_old_server_are_never_mistaken_for_each_other() {
    let world = World::of(Kind { legacy_dispatch: true, ..Kind::default() }).await;
    let (one, two) = tokio::join!(rollback(&world, "one"), rollback(&world, "two"));
    world.rest().await;
    assert_eq!(world.shop.workflow_runs().len(), 2, "none is dispatched twice");
    let mut followed = Vec::new();
    for run in [&one, &two] {
        let shown = world.portal.run(run.as_str()).unwrap();
        if shown.status == "FAILURE" {
            assert!(world.portal_log(run).contains("may be the one"), "{}", world.portal_log(run));
        } else {
            followed.push(shown.external_run_id.unwrap());
        }
    }
    followed.dedup();
    assert!(
        followed.len() != 1 || world.portal.run(one.as_str()) != world.portal.run(two.as_str())
    );
    for run in world.shop.workflow_runs() {
        world.shop.workflow_run(run.id).complete("success");
    }
    world.rest().await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn too_many_and_too_long_inputs_are_refused_before_github_is_asked() {
    let world = World::start().await;
    let many: Map<String, Value> = (0..26).map(|n| (format!("i{n}"), json!(n))).collect();
    for (inputs, named) in
        [(Value::Object(many), "26 inputs"), (json!({"long": "x".repeat(65_530)}), "at most 65535")]
    {
        world.add_invocation("by_message", &github(&json!({"omitPayload": true})));
        let run = world.press("by_message", inputs, None).await;
        world.rest().await;
        world.until_portal(&run, "FAILURE", "Refused").await;
        let log = world.portal_log(&run);
        assert!(log.contains(named), "{log}");
    }
    assert_eq!(world.github.requests(), []);
    world.end().await;
}

#[tokio::test]
async fn what_github_does_not_have_ends_the_run_with_a_reason_that_names_it() {
    for (method, named) in [
        (json!({"repo": "nowhere"}), "acme/nowhere"),
        (json!({"workflow": "missing.yml"}), "missing.yml"),
        (json!({"org": "elsewhere"}), "elsewhere"),
        (json!({"workflowInputs": {"ref": "no-such-branch"}}), "no-such-branch"),
    ] {
        let world = World::start().await;
        world.add_invocation("by_message", &github(&method));
        let run = world.press("by_message", json!({}), None).await;
        world.rest().await;
        let shown = world.portal.run(run.as_str()).unwrap();
        let log = world.portal_log(&run);
        assert_eq!(shown.status, "FAILURE", "{named}: {log}");
        assert!(log.contains(named), "no {named} in:\n{log}");
        world.end_with_refusals().await;
    }
}

#[tokio::test]
async fn an_app_that_is_suspended_or_not_installed_is_said_in_plain_words() {
    let world = World::start().await;
    world.github.suspend("acme", true);
    let run = rollback(&world, "x").await;
    world.rest().await;
    let shown = world.portal.run(run.as_str()).unwrap();
    let log = world.portal_log(&run);
    assert_eq!(shown.status, "FAILURE");
    assert!(log.contains("suspended") && log.contains("acme"), "{log}");

    world.github.suspend("acme", false);
    world.rest().await;
    let run = rollback(&world, "x").await;
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Queued").await;

    world.github.uninstall("acme");
    world.rest().await;
    let run = rollback(&world, "x").await;
    world.rest().await;
    let log = world.portal_log(&run);
    assert_eq!(world.portal.run(run.as_str()).unwrap().status, "FAILURE");
    assert!(log.contains("installed") && log.contains("acme"), "{log}");
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_workflow_beside_files_leaves_the_catalog_alone() {
    let world = World::start().await;
    world.with_database("orders").await;
    let before = world.portal.entity("database", "orders");
    let (run, workflow) = dispatched(&world).await;
    workflow.complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    assert_eq!(world.portal.entity("database", "orders"), before);
    assert_eq!(world.infrastructure.pull_numbers().len(), 1);
    world.end().await;
}
