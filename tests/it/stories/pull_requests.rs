//! A change is proposed, reviewed, merged and applied, or not.

use serde_json::{Value, json};
use towpath::domain::{RunId, Stage, Status};
use towpath::sandbox::github::{MergeMethod, SandboxRun};

use crate::world::{Kind, World, artifact, newest_run};

/// A database is asked for, and its pull request is open.
async fn proposed(world: &World) -> RunId {
    let inputs = json!({"name": "orders", "note": "for | the <shop> @octocat"});
    let run = world.press("add_database", inputs, Some("shop")).await;
    world.rest().await;
    run
}

/// The same, and merged.
async fn merged(world: &World) -> RunId {
    let run = proposed(world).await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    run
}

fn apply_of(world: &World) -> SandboxRun {
    newest_run(&world.infrastructure, "apply.yml")
}

async fn assert_applied(world: &World, run: &RunId) {
    world.rest().await;
    let shown = world.until_portal(run, "SUCCESS", "Applied").await;
    assert!(shown.links.iter().any(|link| link.ends_with("/pull/1")), "{:?}", shown.links);
    let entity = world.portal.entity("database", "orders").expect("the entity is there");
    assert_eq!(entity["properties"]["size"], json!(10));
}

#[tokio::test]
async fn a_database_is_made_by_a_reviewed_pull_request() {
    let world = World::start().await;
    let run = proposed(&world).await;
    world.until_label(&run, "Waiting for review").await;
    let pull = world.infrastructure.only_pull_request();
    pull.approve("octocat");
    world.until_label(&run, "Approved").await;
    pull.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    world.until_label(&run, "Applying").await;
    assert_eq!(world.portal.entity("database", "orders"), None, "not before the apply");
    apply_of(&world).complete("success");
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn the_pull_request_says_what_was_asked_by_whom_and_for_whom_to_look() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let pull = world.infrastructure.only_pull_request().now();
    assert_eq!(pull.title, "Add Database: orders");
    assert_eq!(pull.labels, ["self-service"], "a label that was missing is made");
    assert_eq!(pull.reviewers, ["octocat"]);
    for part in ["`jane`", "orders", "`10`", run.as_str(), "databases/orders"] {
        assert!(pull.body.contains(part), "no {part} in:\n{}", pull.body);
    }
    let typed = "`for ¦ the <shop> @octocat`";
    assert!(pull.body.contains(typed), "what is typed is shown, and inert:\n{}", pull.body);
    let file = world.infrastructure.file_at(&pull.head_sha, "databases/orders/main.tf").unwrap();
    assert!(file.contains("name = \"orders\""), "{file}");
    let shown = world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    assert_eq!(shown.external_run_id.as_deref(), Some("acme/infrastructure#1"));
    world.end().await;
}

#[tokio::test]
async fn a_reviewer_whom_github_does_not_know_or_refuses_is_a_line_in_the_log() {
    let template = Kind::default()
        .with("reviewers: [octocat]", "reviewers: [nobody, stranger, \"@acme/ghosts\", octocat]");
    let world = World::of(template).await;
    // Somebody who exists and may not see the repository: GitHub refuses the whole request.
    let elsewhere = world.github.create_repository("acme/elsewhere", &[("README.md", "x")]);
    elsewhere.add_collaborator("stranger", "read");
    let run = proposed(&world).await;
    let log = world.portal_log(&run);
    for missing in ["nobody", "@acme/ghosts", "stranger"] {
        assert!(log.contains(missing), "{missing} is not named in:\n{log}");
    }
    assert_eq!(world.infrastructure.only_pull_request().now().reviewers, ["octocat"]);
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_team_is_asked_for_a_review() {
    let world = World::of(Kind::default().with("[octocat]", "[\"@acme/devops\"]")).await;
    world.github.add_team("acme", "devops", &["acme/infrastructure"]);
    proposed(&world).await;
    assert_eq!(world.infrastructure.only_pull_request().now().team_reviewers, ["devops"]);
    world.end().await;
}

#[tokio::test]
async fn a_plan_with_an_artifact_tells_what_it_would_change() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let plan = newest_run(&world.infrastructure, "plan.yml");
    let change =
        |address: &str, actions: Value| json!({"address": address, "change": {"actions": actions}});
    let json = json!({"resource_changes": [
        change("a.one", json!(["create"])), change("a.two", json!(["create"])),
        change("a.three", json!(["delete", "create"])), change("a.four", json!(["no-op"])),
        change("data.five", json!(["read"])),
    ]});
    plan.artifact("towpath-plan", artifact("plan.json", &json));
    plan.complete("success");
    world.rest().await;
    let shown = world.until_portal(&run, "IN_PROGRESS", "Planned +3 ~0 -1").await;
    assert!(world.portal_log(&run).contains("a.three"));
    assert!(shown.links.iter().any(|link| link.contains("/actions/runs/")), "{:?}", shown.links);
    world.end().await;
}

#[tokio::test]
async fn a_plan_without_an_artifact_is_read_from_its_log() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let plan = newest_run(&world.infrastructure, "plan.yml");
    plan.start();
    plan.job_started("plan");
    plan.log("plan", "Plan: 2 to add, 0 to change, 0 to destroy.");
    plan.job_completed("plan", "success");
    plan.complete("success");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Planned +2 ~0 -0").await;
    world.end().await;
}

#[tokio::test]
async fn a_failed_plan_does_not_end_the_run_and_a_push_mends_it() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let plan = newest_run(&world.infrastructure, "plan.yml");
    plan.job_started("plan");
    plan.step("plan", "terraform plan", 2, "failure");
    plan.log("plan", "Error: no such instance class");
    plan.log("plan", "##[error]Process completed with exit code 1.");
    plan.job_completed("plan", "failure");
    plan.complete("failure");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Plan failed").await;
    let log = world.portal_log(&run);
    for part in ["terraform plan", "no such instance class"] {
        assert!(log.contains(part), "{log}");
    }
    let branch = world.newest_pull().now().head;
    let file = [("databases/orders/main.tf", Some("# mended\n"))];
    world.infrastructure.push("octocat", &branch, &file, "Mend it");
    world.rest().await;
    assert!(world.portal_log(&run).contains("pushed"), "{}", world.portal_log(&run));
    newest_run(&world.infrastructure, "plan.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Planned").await;
    world.end().await;
}

#[tokio::test]
async fn changes_that_are_requested_end_nothing() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let pull = world.newest_pull();
    pull.request_changes("octocat", "Smaller, please");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Changes requested").await;
    pull.approve("octocat");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Approved").await;
    world.end().await;
}

#[tokio::test]
async fn it_does_not_matter_how_a_pull_request_is_merged() {
    for method in [MergeMethod::Merge, MergeMethod::Squash, MergeMethod::Rebase] {
        let world = World::start().await;
        let run = proposed(&world).await;
        // The base has moved on meanwhile: all three methods make new commits.
        world.infrastructure.push("octocat", "main", &[("OTHER.md", Some("x"))], "Other");
        world.newest_pull().merge("octocat", method);
        world.rest().await;
        world.until_label(&run, "Applying").await;
        apply_of(&world).complete("success");
        assert_applied(&world, &run).await;
        world.end().await;
    }
}

#[tokio::test]
async fn a_merge_queue_may_give_a_pull_request_back_and_merge_it_later() {
    let world = World::start().await;
    world.infrastructure.require_merge_queue();
    let run = proposed(&world).await;
    let pull = world.newest_pull();
    pull.enqueue("octocat");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "In the merge queue").await;
    pull.drop_from_queue("CI_FAILURE");
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    pull.enqueue("octocat");
    pull.merge_from_queue();
    world.rest().await;
    world.until_label(&run, "Applying").await;
    apply_of(&world).complete("success");
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_pull_request_that_is_closed_declines_the_run() {
    let world = World::start().await;
    let run = proposed(&world).await;
    world.newest_pull().close("octocat");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Declined").await;
    assert!(world.portal_log(&run).contains("octocat"), "{}", world.portal_log(&run));
    assert_eq!(world.portal.entity("database", "orders"), None);
    world.end().await;
}

#[tokio::test]
async fn a_declined_change_that_is_merged_after_all_still_reaches_the_catalog() {
    let world = World::start().await;
    let run = proposed(&world).await;
    let pull = world.newest_pull();
    pull.close("octocat");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Declined").await;
    pull.reopen("octocat");
    pull.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    apply_of(&world).complete("success");
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some());
    world.until_portal(&run, "FAILURE", "Declined").await;
    world.end().await;
}

#[tokio::test]
async fn a_commit_status_says_that_it_is_applied() {
    let world =
        World::of(Kind::default().with("{workflow: apply.yml}", "{status: atlantis/apply}")).await;
    let run = merged(&world).await;
    let merge = world.newest_pull().now().merge_commit.unwrap();
    world.infrastructure.set_status("atlantis", &merge, "atlantis/plan", "success");
    world.infrastructure.set_status("atlantis", &merge, "atlantis/apply", "pending");
    world.rest().await;
    world.until_label(&run, "Applying").await;
    world.infrastructure.set_status("atlantis", &merge, "atlantis/apply", "success");
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_status_on_the_head_before_the_merge_counts() {
    let world =
        World::of(Kind::default().with("{workflow: apply.yml}", "{status: atlantis/apply}")).await;
    let run = proposed(&world).await;
    let head = world.newest_pull().now().head_sha;
    world.infrastructure.set_status("atlantis", &head, "atlantis/apply", "success");
    world.rest().await;
    assert_eq!(world.portal.entity("database", "orders"), None, "it is not merged yet");
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_check_says_that_it_is_applied() {
    let world = World::of(Kind::default().with("{workflow: apply.yml}", "{check: apply}")).await;
    let run = merged(&world).await;
    let merge = world.newest_pull().now().merge_commit.unwrap();
    world.infrastructure.set_check(&merge, "apply", "success");
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_failed_check_fails_the_run_and_a_later_one_still_reaches_the_catalog() {
    let world = World::of(Kind::default().with("{workflow: apply.yml}", "{check: apply}")).await;
    let run = merged(&world).await;
    let merge = world.newest_pull().now().merge_commit.unwrap();
    world.infrastructure.set_check(&merge, "apply", "failure");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Apply failed").await;
    world.infrastructure.set_check(&merge, "apply", "success");
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some());
    world.end().await;
}

#[tokio::test]
async fn a_deployment_says_that_it_is_applied() {
    let world =
        World::of(Kind::default().with("{workflow: apply.yml}", "{deployment: production}")).await;
    let run = merged(&world).await;
    let merge = world.newest_pull().now().merge_commit.unwrap();
    world.infrastructure.deploy("octocat", &merge, "staging", "success");
    world.rest().await;
    world.until_label(&run, "Applying").await;
    world.infrastructure.deploy("octocat", &merge, "production", "success");
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_deployment_of_the_head_before_the_merge_counts() {
    let world =
        World::of(Kind::default().with("{workflow: apply.yml}", "{deployment: production}")).await;
    let run = proposed(&world).await;
    let head = world.newest_pull().now().head_sha;
    world.infrastructure.deploy("octocat", &head, "production", "success");
    world.rest().await;
    world.newest_pull().merge("octocat", MergeMethod::Merge);
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn where_nothing_applies_merged_is_applied() {
    let world = World::of(Kind::default().with("apply: {workflow: apply.yml}\n", "")).await;
    let run = merged(&world).await;
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn an_apply_that_was_cancelled_for_a_newer_one_is_no_end() {
    let world = World::start().await;
    let run = merged(&world).await;
    let first = apply_of(&world);
    world.infrastructure.push("octocat", "main", &[("OTHER.md", Some("x"))], "Other");
    first.complete("cancelled");
    world.rest().await;
    world.until_label(&run, "Applying").await;
    let second = apply_of(&world);
    assert_ne!(second.id, first.id);
    second.complete("success");
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_newer_apply_that_was_not_heard_of_is_looked_for() {
    let world = World::start().await;
    let run = merged(&world).await;
    let first = apply_of(&world);
    world.github.hold_webhooks();
    world.infrastructure.push("octocat", "main", &[("OTHER.md", Some("x"))], "Other");
    for held in world.github.held_webhooks() {
        world.github.lose_webhook(held.id);
    }
    world.github.release_all_webhooks();
    first.complete("cancelled");
    world.rest().await;
    world.until_label(&run, "Applying").await;
    apply_of(&world).complete("success");
    assert_applied(&world, &run).await;
    world.end().await;
}

#[tokio::test]
async fn a_failed_apply_is_told_with_job_step_and_log_and_a_re_run_still_counts() {
    let world = World::start().await;
    let run = merged(&world).await;
    let apply = apply_of(&world);
    apply.job_started("apply");
    apply.step("apply", "terraform apply", 3, "failure");
    apply.log("apply", "Error: quota is used up");
    apply.log("apply", "##[error]Process completed with exit code 1.");
    apply.job_completed("apply", "failure");
    apply.complete("failure");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Apply failed").await;
    let log = world.portal_log(&run);
    for part in ["\"apply\"", "\"terraform apply\"", "quota is used up"] {
        assert!(log.contains(part), "no {part} in:\n{log}");
    }
    assert_eq!(world.portal.entity("database", "orders"), None);
    world.forget_requests();
    apply.rerun("octocat");
    apply.complete("success");
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some());
    let upserts = world.portal.requests();
    let upsert = upserts.iter().find(|call| call.path.ends_with("/entities")).unwrap();
    assert!(!upsert.query.contains("run_id"), "{}", upsert.query);
    world.until_portal(&run, "FAILURE", "Apply failed").await;
    assert!(world.history(&run).await.contains("its end in the portal stays"));
    world.end().await;
}

#[tokio::test]
async fn the_outputs_of_the_apply_reach_the_catalog_without_sensitive_ones() {
    let endpoint = r#"size: "{{ inputs.size }}", endpoint: "{{ outputs.endpoint }}"}"#;
    let kind = Kind::default().with(r#"size: "{{ inputs.size }}"}"#, endpoint);
    let world = World::of(kind).await;
    let run = merged(&world).await;
    let apply = apply_of(&world);
    let outputs = json!({
        "endpoint": {"value": "orders.db.internal", "type": "string", "sensitive": false},
        "password": {"value": "hunter2", "type": "string", "sensitive": true},
    });
    apply.artifact("towpath-outputs", artifact("outputs.json", &outputs));
    apply.complete("success");
    assert_applied(&world, &run).await;
    let entity = world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["properties"]["endpoint"], json!("orders.db.internal"));
    world.end().await;
}

#[tokio::test]
async fn an_entity_that_needs_an_output_which_is_not_there_says_so() {
    let endpoint = r#"size: "{{ inputs.size }}", endpoint: "{{ outputs.endpoint }}"}"#;
    let kind = Kind::default().with(r#"size: "{{ inputs.size }}"}"#, endpoint);
    let world = World::of(kind).await;
    let run = merged(&world).await;
    apply_of(&world).complete("success");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Catalog not updated").await;
    assert!(world.portal_log(&run).contains("endpoint"), "{}", world.portal_log(&run));
    world.end().await;
}

#[tokio::test]
async fn an_executable_file_keeps_its_mode() {
    let mut kind = Kind::default();
    kind.files.push(("bin/check.sh".to_owned(), "#!/bin/sh\nexit 0\n".to_owned(), true));
    let world = World::of(kind).await;
    let run = proposed(&world).await;
    let head = world.newest_pull().now().head_sha;
    assert_eq!(mode_of(&world, &head, "databases/orders/bin/check.sh"), "100755");
    assert_eq!(mode_of(&world, &head, "databases/orders/main.tf"), "100644");
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    apply_of(&world).complete("success");
    assert_applied(&world, &run).await;
    world.end().await;
}

fn mode_of(world: &World, commit: &str, path: &str) -> String {
    let output = std::process::Command::new("git")
        .arg("--git-dir")
        .arg(world.infrastructure.git_directory())
        .args(["ls-tree", commit, path])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).split(' ').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_apply_waits_for_the_approval_of_its_environment() {
    let world = World::start().await;
    world.infrastructure.create_environment("production", true);
    let run = merged(&world).await;
    let apply = apply_of(&world);
    apply.job_waiting("apply", "production");
    world.rest().await;
    let waiting = world.until(&run, |run| run.label.starts_with("Waiting for approval")).await;
    assert_eq!((waiting.stage, waiting.status), (Stage::Merged, Status::InProgress));
    apply.approve("production");
    apply.complete("success");
    assert_applied(&world, &run).await;
    world.end().await;
}
