//! Templates that come from a repository: pushed, proposed, broken, away.

use serde_json::json;
use towpath::domain::observation::CheckAgainAsked;
use towpath::domain::{CommitSha, Observation};
use towpath::github::{GitHub, Settings};
use towpath::sandbox::github::{
    Fault, MergeMethod, SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, SandboxCheck, SandboxRepository,
};
use towpath::source::{Keeper, Origin, origins};

use crate::world::{Kind, World};

const SOURCE: &str = "github:acme/templates/portal@main";
const MAIN: &str = "portal/database/files/main.tf.tera";
const YAML: &str = "portal/database/template.yml";

async fn start() -> World {
    start_with(SOURCE).await
}

async fn start_with(setting: &str) -> World {
    World::of(Kind { templates_from: Some(setting.to_owned()), ..Kind::default() }).await
}

fn templates(world: &World) -> SandboxRepository {
    world.github.repository("acme/templates")
}

fn push(world: &World, branch: &str, file: &str, text: &str) -> String {
    templates(world).push("ada", branch, &[(file, Some(text))], "Change")
}

/// The check run on a commit of the templates, once it has ended.
async fn check(world: &World, sha: &str) -> SandboxCheck {
    let repository = templates(world);
    let ended = || repository.checks(sha).first().is_some_and(|it| it.conclusion.is_some());
    world.eventually("a check run on the templates", ended).await;
    let checks = repository.checks(sha);
    assert_eq!(checks.len(), 1, "{checks:?}");
    checks.into_iter().next().unwrap()
}

/// The file that the action writes now.
async fn written(world: &World, name: &str) -> String {
    let run = world.press("add_database", json!({"name": name}), Some("shop")).await;
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    let head = world.newest_pull().now().head;
    world.infrastructure.file_at(&head, &format!("databases/{name}/main.tf")).unwrap()
}

#[tokio::test]
async fn a_push_puts_templates_in_force_and_says_so() {
    let world = start().await;
    assert!(written(&world, "before").await.starts_with("# Made for before."));
    world.forget_requests();
    let sha = push(&world, "main", MAIN, "# Now for {{ inputs.name }}.\n");
    let check = check(&world, &sha).await;
    assert_eq!(check.conclusion.as_deref(), Some("success"));
    assert_eq!((&*check.name, &*check.title), ("Towpath templates", "1 template, nothing wrong"));
    assert_eq!(written(&world, "after").await, "# Now for after.\n");
    let asked = world.asked_of_github();
    assert_eq!(asked[..2], ["graphql repository", "graphql repository"], "the commit, the files");
    world.end().await;
}

#[tokio::test]
async fn a_broken_push_leaves_the_old_ones_in_force_and_is_shown_at_its_lines() {
    let world = start().await;
    let sha =
        push(&world, "main", MAIN, "ok = 1\nx = \"{{ inputs.nam }}\"\ny = {{ inputs.sise }}\n");
    let found = check(&world, &sha).await;
    assert_eq!(found.conclusion.as_deref(), Some("failure"));
    let errors: Vec<_> = found.annotations.iter().filter(|it| it.contains("input")).collect();
    assert_eq!(
        errors,
        [
            &format!("{MAIN}:2: there is no input `nam`\ndid you mean `name`?"),
            &format!("{MAIN}:3: there is no input `sise`\ndid you mean `size`?"),
        ]
    );
    assert!(written(&world, "orders").await.starts_with("# Made for orders."));

    let mended = push(&world, "main", MAIN, "# Mended.\n");
    assert_eq!(check(&world, &mended).await.conclusion.as_deref(), Some("success"));
    assert_eq!(written(&world, "mended").await, "# Mended.\n");
    world.end().await;
}

#[tokio::test]
async fn a_pull_request_is_checked_before_it_is_merged() {
    let world = start().await;
    let wrong = push(&world, "change", YAML, "title: Database\n");
    let pull = templates(&world).open_pull_request("ada", "change", "Change");
    let found = check(&world, &wrong).await;
    assert_eq!(found.conclusion.as_deref(), Some("failure"));
    let told = format!("{YAML}:1: `template.yml` needs `actions`");
    assert!(found.annotations.contains(&told), "{found:?}");

    templates(&world).push(
        "ada",
        "change",
        &[(YAML, Some(crate::world::TEMPLATE)), (MAIN, Some("# Changed.\n"))],
        "Mend it",
    );
    let head = pull.now().head_sha;
    assert_eq!(check(&world, &head).await.conclusion.as_deref(), Some("success"));
    assert!(written(&world, "before").await.starts_with("# Made for before."));
    let merged = pull.merge("ada", MergeMethod::Squash);
    check(&world, &merged).await;
    assert_eq!(written(&world, "after").await, "# Changed.\n");
    world.end().await;
}

#[tokio::test]
async fn a_golden_test_of_which_something_else_comes_is_a_mistake() {
    let world = start().await;
    let test = "action: add_database\ninputs: {name: ab}\nfiles: {databases/ab/main.tf: other}\n";
    let sha = push(&world, "main", "portal/database/tests/add.yml", test);
    let found = check(&world, &sha).await;
    assert_eq!(found.conclusion.as_deref(), Some("failure"));
    let told = "tests/add.yml:1: something else comes than this test expects";
    assert!(found.annotations.iter().any(|it| it.contains(told)), "{found:?}");
    world.end().await;
}

/// The check runs on a commit, once there are so many and all of them have ended.
async fn checks(world: &World, sha: &str, count: usize) -> Vec<SandboxCheck> {
    let repository = templates(world);
    let ended = || {
        let checks = repository.checks(sha);
        checks.len() == count && checks.iter().all(|it| it.conclusion.is_some())
    };
    world.eventually("the check runs on the templates", ended).await;
    repository.checks(sha)
}

#[tokio::test]
async fn a_check_that_is_run_again_is_judged_again_and_answered_by_another() {
    let world = start().await;
    let sha = push(&world, "main", MAIN, "x = \"{{ inputs.nam }}\"\n");
    let first = check(&world, &sha).await;
    templates(&world).rerun_check("ada", first.id);
    let again = checks(&world, &sha, 2).await.remove(1);
    let told = |check: &SandboxCheck| (check.conclusion.clone(), check.annotations.clone());
    assert_eq!(told(&again), told(&first), "nothing has changed, and nothing is told twice");
    // Once more on the old one: it was answered.
    templates(&world).rerun_check("ada", first.id);
    templates(&world).rerun_check("ada", again.id);
    checks(&world, &sha, 3).await;
    templates(&world).rerun_checks("ada", &sha);
    checks(&world, &sha, 4).await;

    push(&world, "change", MAIN, "# Changed.\n");
    let head = templates(&world).open_pull_request("ada", "change", "Change").now().head_sha;
    let proposed = check(&world, &head).await;
    templates(&world).rerun_check("ada", proposed.id);
    assert_eq!(checks(&world, &head, 2).await[1].conclusion.as_deref(), Some("success"));
    assert!(written(&world, "orders").await.starts_with("# Made for orders."), "only proposed");
    world.end().await;
}

#[tokio::test]
async fn a_commit_that_is_not_there_is_not_judged_again() {
    let world = start().await;
    world.rest().await;
    world.forget_requests();
    world.keeper().hear(&Observation::CheckAgain(CheckAgainAsked {
        repository: "acme/templates".parse().unwrap(),
        commit: CommitSha::new("e".repeat(40)).unwrap(),
        check: None,
        asking: "1".to_owned(),
    }));
    world.eventually("it was looked for", || !world.asked_of_github().is_empty()).await;
    assert!(world.keeper().once().await, "it is not tried again");
    assert_eq!(world.asked_of_github(), ["graphql repository"]);
    world.end().await;
}

#[tokio::test]
async fn what_stood_in_the_way_of_templates_is_gone_when_they_are_judged_again() {
    let own = "github:acme/own";
    let mut world = start().await;
    let yaml = crate::world::TEMPLATE
        .replace("_database:", "_queue:")
        .replace("rollback_service", "purge_queue");
    let files = [("queue/template.yml", yaml.as_str()), ("queue/files/a.txt", "own\n")];
    let repository = world.github.create_repository("acme/own", &files);
    world.stop().await;
    world.set_templates(&format!("{SOURCE},{own}"));
    world.start_service().await;

    // The action moves from the one to the other, and comes before it has left.
    let moved = yaml.replace("purge_queue", "rollback_service");
    let sha = repository.push("ada", "main", &[("queue/template.yml", Some(&moved))], "Move");
    let ended = |count: usize| repository.checks(&sha).len() == count;
    world.eventually("the clash is told", || ended(1)).await;
    let left = crate::world::TEMPLATE.replace("rollback_service", "restart_service");
    let other = push(&world, "main", YAML, &left);
    assert_eq!(check(&world, &other).await.conclusion.as_deref(), Some("success"));
    repository.rerun_check("ada", repository.checks(&sha)[0].id);
    world.eventually("it is judged again", || ended(2)).await;
    assert_eq!(repository.checks(&sha)[1].conclusion.as_deref(), Some("success"));
    let now = world.keeper().in_force().now();
    assert_eq!(
        now.action(&"rollback_service".parse().unwrap()).unwrap().template.name.as_str(),
        "queue"
    );
    world.end_with_refusals().await;
}

#[tokio::test]
async fn what_no_webhook_told_is_found_by_a_look() {
    let world = start().await;
    world.github.set_webhook_url("http://127.0.0.1:1/");
    push(&world, "change", YAML, "title: Database\n");
    let pull = templates(&world).open_pull_request("ada", "change", "Change");
    let sha = push(&world, "main", MAIN, "# Found.\n");
    assert!(world.keeper().look().await);
    assert_eq!(templates(&world).checks(&sha).len(), 1);
    assert_eq!(templates(&world).checks(&pull.now().head_sha).len(), 1);
    assert!(world.keeper().look().await);
    assert_eq!(templates(&world).checks(&sha).len(), 1, "once is enough");
    world.end().await;
}

#[tokio::test]
async fn a_start_needs_no_github_once_templates_were_good() {
    let mut world = start().await;
    let sha = push(&world, "main", MAIN, "# Kept.\n");
    let is_judged = || templates(&world).checks(&sha).len() == 1;
    world.eventually("the commit is looked at, as its push was heard of", is_judged).await;
    world.rest().await;
    world.stop().await;

    world.github.fail("*", 0, 1_000, Fault::AnswerBefore(502));
    world.start_service().await;
    world.github.clear_faults();
    assert_eq!(written(&world, "orders").await, "# Kept.\n");
    world.end().await;
}

#[tokio::test]
async fn a_start_without_github_and_without_a_memory_says_what_is_missing() {
    let mut world = start().await;
    world.stop().await;
    world.empty_the_database();
    world.github.fail("*", 0, 1_000, Fault::AnswerBefore(502));
    let error = world.try_to_start().await.unwrap_err();
    assert!(error.starts_with("TOWPATH_TEMPLATES: github:acme/templates/portal@main: "), "{error}");
    world.github.clear_faults();

    push(&world, "main", YAML, "title: Database\n");
    let error = world.try_to_start().await.unwrap_err();
    assert!(error.contains("database/template.yml:1:1: `template.yml` needs `actions`"), "{error}");
    push(&world, "main", YAML, crate::world::TEMPLATE);
    world.start_service().await;
    world.end().await;
}

#[tokio::test]
async fn a_start_with_broken_templates_keeps_to_those_that_were_good() {
    let mut world = start().await;
    world.stop().await;
    let sha = push(&world, "main", YAML, "title: Database\n");
    world.start_service().await;
    assert_eq!(templates(&world).checks(&sha)[0].conclusion.as_deref(), Some("failure"));
    assert!(written(&world, "orders").await.starts_with("# Made for orders."));
    world.end().await;
}

#[tokio::test]
async fn without_the_permission_templates_are_refreshed_and_nothing_is_said_on_the_commit() {
    let world = start().await;
    world.github.grant("acme", "checks", None);
    world.github.expire_tokens();
    let sha = push(&world, "main", MAIN, "# Silent.\n");
    assert!(world.keeper().look().await);
    assert_eq!(templates(&world).checks(&sha), []);
    assert_eq!(written(&world, "orders").await, "# Silent.\n");
    world.end_with_refusals().await;
}

#[tokio::test]
async fn github_in_trouble_is_asked_again() {
    let world = start().await;
    world.github.set_webhook_url("http://127.0.0.1:1/");
    let sha = push(&world, "main", MAIN, "# Later.\n");
    world.github.fail_next("POST /repos/{owner}/{repo}/check-runs", Fault::LoseAnswer);
    assert!(!world.keeper().look().await);
    assert!(world.keeper().look().await);
    assert_eq!(templates(&world).checks(&sha).len(), 1);
    world.end().await;
}

#[tokio::test]
async fn an_organisation_s_own_templates_stand_beside_the_shared_ones_and_may_not_clash() {
    let own = "github:acme/own";
    let mut world = start().await;
    let repository = world.github.create_repository(
        "acme/own",
        &[
            ("queue/template.yml", &crate::world::TEMPLATE.replace("_database:", "_queue:")),
            ("queue/files/a.txt", "own\n"),
        ],
    );
    world.stop().await;
    world.set_templates(&format!("{SOURCE},{own}"));
    // Two actions of the second have the name of one of the first.
    let error = world.try_to_start().await.unwrap_err();
    assert!(
        error.contains("The action `rollback_service` is in github:acme/templates/portal@main")
    );
    assert!(error.contains("and in github:acme/own: rename one of them."), "{error}");

    let yaml = crate::world::TEMPLATE
        .replace("_database:", "_queue:")
        .replace("rollback_service", "purge_queue");
    repository.push("ada", "main", &[("queue/template.yml", Some(&yaml))], "Rename");
    world.start_service().await;
    let actions = world.keeper().in_force().now();
    for action in ["add_database", "add_queue", "purge_queue"] {
        assert!(actions.action(&action.parse().unwrap()).is_some(), "{action}");
    }

    let clash = yaml.replace("purge_queue", "add_database");
    let sha = repository.push("ada", "main", &[("queue/template.yml", Some(&clash))], "Clash");
    world.eventually("the clash is told", || !repository.checks(&sha).is_empty()).await;
    let told = repository.checks(&sha).remove(0);
    assert_eq!(told.conclusion.as_deref(), Some("failure"));
    assert!(told.summary.contains("The action `add_database` is in"), "{}", told.summary);
    world.end_with_refusals().await;
}

#[tokio::test]
async fn another_process_on_the_same_database_takes_over_what_was_read() {
    let world = start().await;
    let settings = Settings {
        api_url: world.github.url(),
        app: SANDBOX_CLIENT_ID.to_owned(),
        private_key: SANDBOX_APP_KEY.into(),
    };
    let github = GitHub::new(&settings, world.clock.clone()).unwrap();
    let Origin::GitHub(address) = origins(SOURCE).unwrap().remove(0) else { panic!("no address") };
    let other =
        Keeper::start(github, world.store().clone(), Vec::new(), vec![address]).await.unwrap();
    let digest = |keeper: &Keeper| {
        let now = keeper.in_force().now();
        now.iter().next().unwrap().digest.clone()
    };
    let before = digest(&other);
    world.forget_requests();
    push(&world, "main", MAIN, "# Read once.\n");
    world.eventually("it is put in force", || digest(world.keeper()) != before).await;
    let is_judged =
        || world.asked_of_github().contains(&"POST /repos/{owner}/{repo}/check-runs".to_owned());
    world.eventually("GitHub is told what was found", is_judged).await;
    world.rest().await;
    world.forget_requests();
    assert!(other.once().await);
    assert_eq!(digest(&other), digest(world.keeper()));
    assert_eq!(world.asked_of_github(), [""; 0], "the database told it");
    world.end().await;
}
