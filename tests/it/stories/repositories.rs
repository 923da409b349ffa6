//! A run that makes a repository: its files are there with the first commit, without a pull request.

use serde_json::json;
use towpath::domain::RunId;
use towpath::plan::step::Lane;
use towpath::sandbox::github::{Fault, SandboxRepository};

use crate::world::{Kind, World, newest_run};

const TEMPLATE: &str = r#"
title: Service
inputs:
  type: object
  additionalProperties: false
  required: [name]
  properties:
    name: {type: string, pattern: "^[a-z][a-z0-9-]{1,30}$", title: Name}
actions:
  add_database: {operation: create, title: Add service}
target:
  repository:
    create: "acme/{{ inputs.name }}"
    description: "The service {{ inputs.name }}"
files: files
apply: {workflow: deploy.yml}
entity:
  blueprint: service
  identifier: "{{ inputs.name }}"
  title: "{{ inputs.name }}"
"#;

const DEPLOY: &str = "on: {push: {branches: [main]}}\n\
                      jobs: {only: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n";

fn kind() -> Kind {
    let file = |name: &str, text: &str, executable| (name.to_owned(), text.to_owned(), executable);
    Kind {
        template: TEMPLATE.to_owned(),
        files: vec![
            file("README.md.tera", "# {{ inputs.name }}, a service\n", false),
            file(".github/workflows/deploy.yml", DEPLOY, false),
            file("bin/check.sh", "#!/bin/sh\nexit 0\n", true),
        ],
        ..Kind::default()
    }
}

async fn world_of(kind: Kind) -> World {
    let world = World::of(kind).await;
    world.github.grant("acme", "administration", Some("write"));
    world
}

async fn press(world: &World) -> RunId {
    world.press("add_database", json!({"name": "orders"}), Some("shop")).await
}

/// Nothing of the repository is missing, and nothing was made twice.
fn assert_made_once(repository: &SandboxRepository) {
    let mine = [".github/workflows/deploy.yml", ".towpath.yml", "README.md", "bin/check.sh"];
    assert_eq!(repository.files_at("main"), mine);
    assert_eq!(repository.file_at("main", "README.md").unwrap(), "# orders, a service\n");
    assert_eq!(repository.branches(), ["main"]);
    assert_eq!(repository.pull_numbers(), Vec::<u64>::new());
    assert_eq!(repository.description().unwrap(), "The service orders");
    assert_eq!(repository.commits("main"), 2, "GitHub's first commit, and the run's");
    assert!(repository.is_verified("main"), "signed by GitHub");
}

async fn apply(world: &World, run: &RunId) {
    newest_run(&world.github.repository("acme/orders"), "deploy.yml").complete("success");
    world.rest().await;
    world.until_portal(run, "SUCCESS", "Applied").await;
    assert!(world.portal.entity("service", "orders").is_some());
}

#[tokio::test]
async fn a_service_gets_a_repository_with_code_and_pipelines() {
    let world = world_of(kind()).await;
    let run = press(&world).await;
    world.rest().await;
    let shown = world.until_portal(&run, "IN_PROGRESS", "Applying").await;
    assert!(format!("{shown:?}").contains("/acme/orders"), "{shown:?}");
    assert_made_once(&world.github.repository("acme/orders"));
    assert_eq!(world.portal.entity("service", "orders"), None, "it is not applied yet");
    apply(&world, &run).await;
    // That the name is free is a 404.
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_repository_is_made_from_a_template_of_github() {
    let origin =
        "    create: \"acme/{{ inputs.name }}\"\n    from: acme/golden\n    visibility: public";
    let kind = kind()
        .with("    create: \"acme/{{ inputs.name }}\"", origin)
        .with("apply: {workflow: deploy.yml}\n", "");
    let world = world_of(kind).await;
    let files = [("LICENSE", "MIT\n"), ("README.md", "Replace me\n")];
    world.github.create_repository("acme/golden", &files).make_template();
    let run = press(&world).await;
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let repository = world.github.repository("acme/orders");
    assert_eq!(repository.file_at("main", "LICENSE").unwrap(), "MIT\n");
    assert_eq!(repository.file_at("main", "README.md").unwrap(), "# orders, a service\n");
    assert!(world.portal.entity("service", "orders").is_some());
    // That the name is free is a 404.
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_nothing_is_written() {
    let world = world_of(kind()).await;
    let taken = world.github.create_repository("acme/orders", &[("README.md", "Mine\n")]);
    let head = taken.head("main");
    let run = press(&world).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Refused").await;
    assert!(world.portal_log(&run).contains("acme/orders exists already"));
    assert_eq!(taken.head("main"), head);
    world.end().await;
}

#[tokio::test]
async fn without_the_permission_the_run_names_it() {
    let world = World::of(kind()).await;
    let run = press(&world).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Failed").await;
    let log = world.portal_log(&run);
    assert!(log.contains("administration"), "{log}");
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_lost_answer_at_every_request_makes_one_repository_and_one_commit() {
    // A look, the repository; a look, the base's tree, a tree, a commit, the branch, the text.
    for at in 0..8 {
        let world = world_of(kind()).await;
        world.press("unknown_action", json!({}), Some("shop")).await;
        world.rest().await;
        world.github.fail("*", at, 1, Fault::LoseAnswer);
        let run = press(&world).await;
        world.rest().await;
        world.github.clear_faults();
        assert_made_once(&world.github.repository("acme/orders"));
        apply(&world, &run).await;
        world.end_with_violations(&["no-answer"]).await;
    }
}

#[tokio::test]
async fn every_step_may_be_done_twice() {
    let world = world_of(Kind { by_hand: true, ..kind() }).await;
    let run = press(&world).await;
    loop {
        world.github.webhooks_delivered().await;
        let claimed = world.worker().claim(1).await.unwrap();
        for step in &claimed {
            let mut done = world.worker().execute(step).await;
            if step.step.lane() == Lane::Work {
                done = world.worker().execute(step).await;
            }
            world.worker().settle(step, done).await.unwrap();
        }
        if claimed.is_empty() {
            let Some(due) = world.store().next_due().await.unwrap() else { break };
            world.clock.advance((due - world.clock.now()).to_std().unwrap_or_default());
        }
    }
    assert_made_once(&world.github.repository("acme/orders"));
    assert_eq!(world.history(&run).await.matches("is made").count(), 1);
    // That the name is free is a 404.
    world.end_with_refusals().await;
}

#[tokio::test]
async fn what_happened_while_the_service_was_down_is_found_by_looking() {
    let mut world = world_of(kind()).await;
    let run = press(&world).await;
    world.rest().await;
    world.stop().await;
    newest_run(&world.github.repository("acme/orders"), "deploy.yml").complete("success");
    world.github.webhooks_delivered().await;
    world.start_service().await;
    world.look().await;
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    // That the name is free is a 404.
    world.end_with_refusals().await;
}

#[tokio::test]
async fn a_first_deployment_that_fails_is_told_and_mended_by_a_rerun() {
    let world = world_of(kind()).await;
    let run = press(&world).await;
    world.rest().await;
    let deploy = newest_run(&world.github.repository("acme/orders"), "deploy.yml");
    deploy.complete("failure");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Apply failed").await;
    assert!(world.portal_log(&run).contains("acme/orders was made, but not applied"));
    deploy.rerun("octocat");
    deploy.complete("success");
    world.rest().await;
    assert!(world.portal.entity("service", "orders").is_some());
    // That the name is free is a 404.
    world.end_with_refusals().await;
}
