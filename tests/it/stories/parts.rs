//! Files in several repositories in one action: a pull request in each, one run, one entity.

use serde_json::{Value, json};
use towpath::domain::RunId;
use towpath::sandbox::github::{MergeMethod, SandboxPull, SandboxRepository};
use towpath::store::RunFilter;

use super::restarts::{Trial, work_off};
use crate::world::{Kind, World, artifact, infrastructure, newest_run};

const CONFIG: &str = "acme/config";

/// The template of the stories, with its files in two repositories.
pub(super) fn kind() -> Kind {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned(), false);
    let targets = "\
targets:
  - name: infra
    repository: acme/infrastructure
    path: \"databases/{{ inputs.name }}\"
    plan: {workflow: plan.yml}
    apply: {workflow: apply.yml}
  - name: config
    repository: acme/config
    path: \"apps/{{ inputs.name }}\"
";
    let mut kind = Kind::default()
        .with(
            "target:\n  repository: acme/infrastructure\n  path: \"databases/{{ inputs.name }}\"\nfiles: files\n",
            targets,
        )
        .with("plan: {workflow: plan.yml}\napply: {workflow: apply.yml}\nentity:", "entity:")
        .with("PostgreSQL, size: \"{{ inputs.size }}\"", "PostgreSQL, size: \"{{ inputs.size }}\", endpoint: \"{{ outputs.endpoint | default(value='none') }}\"");
    let main = kind.files.remove(0).1;
    kind.files = vec![
        file("infra/main.tf.tera", &main),
        file("config/app.yml.tera", "# {{ inputs.note }}\nsize: {{ inputs.size }}\n"),
    ];
    kind
}

/// A world with both repositories.
pub(super) struct Two {
    pub(super) world: World,
    pub(super) config: SandboxRepository,
}

impl Two {
    pub(super) async fn start() -> Self {
        Self::of(kind()).await
    }

    pub(super) async fn of(kind: Kind) -> Self {
        let world = World::of(kind).await;
        let config = infrastructure(&world.github, CONFIG);
        Self { world, config }
    }

    pub(super) async fn create(&self) -> RunId {
        let run = self.world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
        self.world.rest().await;
        run
    }

    pub(super) async fn press(&self, action: &str, inputs: Value) -> RunId {
        let run = self.world.press(action, inputs, Some("orders")).await;
        self.world.rest().await;
        run
    }

    pub(super) fn newest_config(&self) -> SandboxPull {
        self.config.pull_request(*self.config.pull_numbers().last().expect("a pull request"))
    }

    /// Merges the newest pull request of each, and applies.
    pub(super) async fn land(&self) {
        self.newest_config().merge("octocat", MergeMethod::Squash);
        self.world.newest_pull().merge("octocat", MergeMethod::Squash);
        self.world.rest().await;
        newest_run(&self.world.infrastructure, "apply.yml").complete("success");
        self.world.rest().await;
    }

    pub(super) async fn with_database(&self) {
        let run = self.create().await;
        self.land().await;
        self.world.until_portal(&run, "SUCCESS", "Applied").await;
    }

    /// The run as the API shows it.
    async fn shown(&self, run: &RunId) -> Value {
        let address = format!("http://{}/api/v1/runs/{run}", self.world.address());
        reqwest::get(address).await.unwrap().json().await.unwrap()
    }

    async fn page(&self, run: &RunId) -> String {
        let address = format!("http://{}/runs/{run}", self.world.address());
        reqwest::get(address).await.unwrap().text().await.unwrap()
    }

    /// What the dashboard's form shows as what would come of an action.
    async fn preview(&self, action: &str, fields: &[(&str, &str)]) -> String {
        let address = format!("http://{}/actions/{action}", self.world.address());
        let form = reqwest::get(&address).await.unwrap();
        let cookie = form.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split_once(';').unwrap().0.to_owned();
        let form = form.text().await.unwrap();
        let hidden = |name: &str| {
            let (_, rest) = form.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
            (name.to_owned(), rest.split_once('"').unwrap().0.to_owned())
        };
        let typed = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields: Vec<_> =
            [hidden("form_token"), hidden("request")].into_iter().chain(typed).collect();
        let body =
            fields.iter().map(|(name, value)| format!("{name}={}", value.replace('=', "%3D")));
        let client = reqwest::Client::new().post(&address).header("cookie", cookie);
        let client = client.header("content-type", "application/x-www-form-urlencoded");
        let answer = client.body(body.collect::<Vec<_>>().join("&")).send().await.unwrap();
        assert_eq!(answer.status(), reqwest::StatusCode::OK);
        answer.text().await.unwrap()
    }

    pub(super) fn nothing_was_opened(&self) {
        for repository in [&self.world.infrastructure, &self.config] {
            assert_eq!(repository.pull_numbers(), Vec::<u64>::new());
            assert_eq!(repository.branches(), ["main"]);
        }
    }
}

#[tokio::test]
async fn one_action_is_a_pull_request_in_each_repository_and_ends_when_all_are_applied() {
    let two = Two::start().await;
    let (world, config) = (&two.world, &two.config);
    let run = two.create().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review: 0 of 2 merged").await;
    let (infra, conf) = (world.infrastructure.only_pull_request(), config.only_pull_request());
    let head = conf.now().head_sha;
    assert_eq!(config.file_at(&head, "apps/orders/app.yml").unwrap(), "# \nsize: 10\n");
    let manifest = config.file_at(&head, "apps/orders/.towpath.yml").unwrap();
    assert!(manifest.contains("target: config"), "{manifest}");
    let bodies = [infra.now().body, conf.now().body];
    assert!(bodies[0].contains(CONFIG), "{}", bodies[0]);
    assert!(bodies[1].contains("acme/infrastructure"), "{}", bodies[1]);
    assert!(bodies.iter().all(|body| body.contains(&format!("[Run {run}]("))), "{bodies:?}");
    let shown = world.until_portal(&run, "IN_PROGRESS", "Waiting for review: 0 of 2 merged").await;
    let told = format!("{shown:?}");
    assert!(told.contains("/acme/infrastructure/pull/1") && told.contains("/acme/config/pull/1"));

    conf.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review: 1 of 2 merged").await;
    infra.merge("octocat", MergeMethod::Squash);
    world.rest().await;
    world.until_portal(&run, "IN_PROGRESS", "Applying: 1 of 2 applied").await;
    assert_eq!(world.portal.entity("database", "orders"), None, "not everything is applied");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    assert!(world.portal.entity("database", "orders").is_some());
    let history = world.history(&run).await;
    assert_eq!(history.matches("written to the catalog").count(), 1, "{history}");
    assert!(history.contains("acme/config: Pull request #1 is open"), "{history}");
    two.world.end().await;
}

#[tokio::test]
async fn the_parts_are_shown_with_the_run_and_nowhere_else() {
    let two = Two::start().await;
    let run = two.create().await;
    let shown = two.shown(&run).await;
    assert_eq!(shown["pull_request"], Value::Null);
    let parts = shown["parts"].as_array().unwrap();
    let names: Vec<_> = parts.iter().map(|part| part["repository"].as_str().unwrap()).collect();
    assert_eq!(names, ["acme/infrastructure", CONFIG]);
    assert!(parts.iter().all(|part| part["pull_request"]["number"] == 1), "{shown}");
    let all = RunFilter { limit: 10, ..RunFilter::default() };
    let listed = two.world.store().runs(&all).await.unwrap();
    assert_eq!(
        listed.iter().map(|run| run.id.clone()).collect::<Vec<_>>(),
        std::slice::from_ref(&run)
    );
    for name in ["acme/infrastructure", CONFIG] {
        let of = RunFilter { repository: Some(name.parse().unwrap()), ..all.clone() };
        assert_eq!(two.world.store().runs(&of).await.unwrap().len(), 1, "{name}");
    }
    let counts = two.world.store().counts().await.unwrap();
    assert_eq!(counts.runs.iter().map(|(_, runs)| runs).sum::<u64>(), 1);
    let part = two.shown(&run.part(0)).await;
    assert!(part["error"]["message"].as_str().unwrap().contains("There is no run"), "{part}");
    let page = two.page(&run.part(0)).await;
    let (_, proposed) = page.split_once("<span class=\"stop\">Proposed</span>").unwrap();
    assert!(proposed.trim_start().starts_with("<time "), "when it was proposed: {proposed}");
    for what in [
        "/acme/infrastructure/pull/1",
        "/acme/config/pull/1",
        "Pull request for config",
        "The change as proposed for infra",
    ] {
        assert!(page.contains(what), "no {what} in {page}");
    }
    two.world.end().await;
}

#[tokio::test]
async fn the_form_shows_what_would_come_of_it_in_each_repository_and_does_nothing() {
    let two = Two::start().await;
    let typed = [("in.name", "orders"), ("in.size", "20"), ("do", "preview")];
    let page = two.preview("add_database", &typed).await;
    for part in [
        "/acme/infrastructure\">acme/infrastructure</a>: A pull request into main would change",
        "/acme/config\">acme/config</a>: A pull request into main would change",
        "<code>databases/orders/main.tf</code>",
        "<code>apps/orders/app.yml</code>",
        "<code>size: 20</code>",
    ] {
        assert_eq!(page.matches(part).count(), 1, "{part} once in {page}");
    }
    assert_eq!(page.matches("Nothing was done yet.").count(), 1);
    two.nothing_was_opened();

    two.with_database().await;
    let page = two.preview("add_database", &typed).await;
    let refused = "This would be refused, and nothing would be begun.";
    assert_eq!(page.matches(refused).count(), 2, "{page}");
    assert!(page.contains("databases/orders") && page.contains("apps/orders"), "{page}");
    two.world.end().await;
}

#[tokio::test]
async fn what_stands_in_several_repositories_is_changed_and_deleted() {
    let two = Two::start().await;
    two.with_database().await;
    two.world.forget_requests();
    let run = two.press("resize_database", json!({"size": 20})).await;
    two.world.until_portal(&run, "IN_PROGRESS", "Waiting for review: 0 of 2 merged").await;
    let head = two.newest_config().now().head_sha;
    let file = two.config.file_at(&head, "apps/orders/app.yml").unwrap();
    assert!(file.contains("size: 20"), "{file}");
    two.land().await;
    two.world.until_portal(&run, "SUCCESS", "Applied").await;
    let entity = two.world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["properties"]["size"], json!(20));

    let run = two.press("delete_database", json!({})).await;
    two.land().await;
    two.world.until_portal(&run, "SUCCESS", "Applied").await;
    assert_eq!(two.world.portal.entity("database", "orders"), None);
    let left = two.config.files_at("main");
    assert!(!left.iter().any(|path| path.starts_with("apps/")), "{left:?}");
    two.world.end().await;
}

#[tokio::test]
async fn each_folder_is_found_in_git_where_nothing_is_remembered() {
    let mut two = Two::start().await;
    two.with_database().await;
    two.world.stop().await;
    two.world.empty_the_database();
    two.world.start_service().await;
    let run = two.press("resize_database", json!({"size": 20})).await;
    two.land().await;
    two.world.until_portal(&run, "SUCCESS", "Applied").await;
    let entity = two.world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["properties"]["size"], json!(20));
    two.world.end().await;
}

#[tokio::test]
async fn a_change_without_effect_anywhere_ends_well_without_a_pull_request() {
    let two = Two::start().await;
    two.with_database().await;
    let run = two.press("resize_database", json!({"size": 10})).await;
    two.world.until_portal(&run, "SUCCESS", "Nothing to change").await;
    assert_eq!(two.config.pull_numbers(), [1]);
    two.world.end().await;
}

#[tokio::test]
async fn a_delete_that_was_half_declined_can_be_asked_for_again() {
    let two = Two::start().await;
    two.with_database().await;
    let run = two.press("delete_database", json!({})).await;
    two.newest_config().close("octocat");
    two.world.newest_pull().merge("octocat", MergeMethod::Squash);
    two.world.rest().await;
    newest_run(&two.world.infrastructure, "apply.yml").complete("success");
    two.world.rest().await;
    two.world.until_portal(&run, "FAILURE", "Declined").await;
    assert!(two.world.portal.entity("database", "orders").is_some());

    let run = two.press("delete_database", json!({})).await;
    two.world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
    two.newest_config().merge("octocat", MergeMethod::Squash);
    two.world.rest().await;
    two.world.until_portal(&run, "SUCCESS", "Applied").await;
    assert_eq!(two.world.portal.entity("database", "orders"), None);
    two.world.end().await;
}

#[tokio::test]
async fn where_one_is_declined_the_run_ends_and_names_what_is_still_open() {
    let two = Two::start().await;
    let (world, config) = (&two.world, &two.config);
    let run = two.create().await;
    config.only_pull_request().close("octocat");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Declined").await;
    let log = world.portal_log(&run);
    assert!(log.contains("Still open: acme/infrastructure#1"), "{log}");
    assert!(world.infrastructure.only_pull_request().now().is_open);

    // What is applied after all is told to the catalog, without the run.
    config.only_pull_request().reopen("octocat");
    two.land().await;
    assert!(world.portal.entity("database", "orders").is_some());
    world.until_portal(&run, "FAILURE", "Declined").await;
    two.world.end().await;
}

#[tokio::test]
async fn an_apply_that_fails_ends_the_run_and_a_rerun_still_brings_the_entity() {
    let two = Two::start().await;
    let world = &two.world;
    let run = two.create().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    let apply = newest_run(&world.infrastructure, "apply.yml");
    apply.complete("failure");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Apply failed").await;
    let log = world.portal_log(&run);
    assert!(log.contains("Still open: acme/config#1"), "{log}");
    two.config.only_pull_request().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    assert_eq!(world.portal.entity("database", "orders"), None);
    apply.rerun("octocat");
    apply.complete("success");
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some());
    two.world.end().await;
}

#[tokio::test]
async fn a_decline_waits_for_an_apply_that_is_under_way() {
    let two = Two::start().await;
    let world = &two.world;
    let run = two.create().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    two.config.only_pull_request().close("octocat");
    world.rest().await;
    assert!(!world.store().run(&run).await.unwrap().unwrap().status.is_end());
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Declined").await;
    let log = world.portal_log(&run);
    assert!(log.contains("Applied already: acme/infrastructure"), "{log}");
    two.world.end().await;
}

#[tokio::test]
async fn what_one_target_refuses_is_opened_nowhere() {
    let two = Two::start().await;
    let mine = [("apps/orders/app.yml", Some("# mine\n"))];
    two.config.push("octocat", "main", &mine, "Mine");
    let run = two.create().await;
    two.world.until_portal(&run, "FAILURE", "Refused").await;
    let log = two.world.portal_log(&run);
    assert!(log.contains("acme/config: ") && log.contains("apps/orders"), "{log}");
    two.nothing_was_opened();

    // Nobody holds a turn at a folder any more.
    two.config.push("octocat", "main", &[("apps/orders/app.yml", None)], "Not mine");
    two.with_database().await;
    two.world.end().await;
}

#[tokio::test]
async fn what_cannot_be_rendered_for_one_is_opened_nowhere() {
    let two = Two::start().await;
    let inputs = json!({"name": "orders", "note": "a\nsize: 99"});
    let run = two.world.press("add_database", inputs, Some("shop")).await;
    two.world.rest().await;
    two.world.until_portal(&run, "FAILURE", "Refused").await;
    let log = two.world.portal_log(&run);
    assert!(log.contains("database/files/config/app.yml.tera"), "{log}");
    two.nothing_was_opened();
    two.world.end().await;
}

#[tokio::test]
async fn a_part_that_waits_for_its_turn_holds_up_no_other_and_is_given_up_with_the_run() {
    let two = Two::start().await;
    two.with_database().await;
    let first = two.press("resize_database", json!({"size": 20})).await;
    let second = two.press("resize_database", json!({"size": 30})).await;
    two.world.until_portal(&second, "IN_PROGRESS", "Waiting").await;
    two.newest_config().merge("octocat", MergeMethod::Squash);
    two.world.rest().await;
    two.world.until_portal(&second, "IN_PROGRESS", "Waiting for review: 0 of 2 merged").await;
    assert_eq!(two.config.pull_numbers(), [1, 2, 3]);
    two.newest_config().close("octocat");
    two.world.rest().await;
    two.world.until_portal(&second, "FAILURE", "Declined").await;
    let log = two.world.portal_log(&second);
    assert!(log.contains("Not begun, and left: acme/infrastructure"), "{log}");
    two.world.newest_pull().merge("octocat", MergeMethod::Squash);
    two.world.rest().await;
    newest_run(&two.world.infrastructure, "apply.yml").complete("success");
    two.world.rest().await;
    two.world.until_portal(&first, "SUCCESS", "Applied").await;
    assert_eq!(two.world.infrastructure.pull_numbers(), [1, 2], "nothing was opened for it");
    two.world.end().await;
}

#[tokio::test]
async fn outputs_of_every_apply_are_read_for_the_entity() {
    let two = Two::start().await;
    let run = two.create().await;
    two.config.only_pull_request().merge("octocat", MergeMethod::Squash);
    two.world.newest_pull().merge("octocat", MergeMethod::Squash);
    two.world.rest().await;
    let apply = newest_run(&two.world.infrastructure, "apply.yml");
    let outputs = json!({"endpoint": {"value": "orders.db", "sensitive": false}});
    apply.artifact("towpath-outputs", artifact("outputs.json", &outputs));
    apply.complete("success");
    two.world.rest().await;
    two.world.until_portal(&run, "SUCCESS", "Applied").await;
    let entity = two.world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["properties"]["endpoint"], json!("orders.db"));
    two.world.end().await;
}

#[tokio::test]
async fn a_proposal_is_two_requests_and_a_check_for_each_repository() {
    const CHECK: &str = "POST /repos/{owner}/{repo}/check-runs";
    const LOOK: &str = "graphql repository";
    const MAKE: &str = "graphql createRef+createCommitOnBranch+createPullRequest";
    // The parts go side by side.
    let asked = |world: &World| {
        let mut asked = world.asked_of_github();
        asked.sort();
        asked
    };
    let wanted = [CHECK, CHECK, MAKE, MAKE, LOOK, LOOK];
    let undecorated = || kind().with("  reviewers: [octocat]\n  labels: [self-service]\n", "");
    let two = Two::of(undecorated()).await;
    two.world.press("rollback_service", json!({}), Some("shop")).await;
    two.world.rest().await;
    two.world.forget_requests();
    two.create().await;
    assert_eq!(asked(&two.world), wanted);
    two.land().await;
    two.world.forget_requests();
    two.press("resize_database", json!({"size": 20})).await;
    assert_eq!(asked(&two.world), wanted);
    two.world.end().await;
}

async fn story_with(trial: Trial) {
    let two = Two::of(Kind { by_hand: true, ..kind() }).await;
    let world = &two.world;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    work_off(world, trial).await;
    two.config.only_pull_request().merge("octocat", MergeMethod::Squash);
    work_off(world, trial).await;
    world.infrastructure.only_pull_request().merge("octocat", MergeMethod::Rebase);
    work_off(world, trial).await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    work_off(world, trial).await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let history = world.history(&run).await;
    for line in ["acme/config: Pull request #1 is open", "Everything is applied", "written to the"]
    {
        assert_eq!(history.matches(line).count(), 1, "{line} once in:\n{history}");
    }
    assert_eq!(world.portal.entities("database").len(), 1);
    let run = world.press("delete_database", json!({}), Some("orders")).await;
    work_off(world, trial).await;
    two.newest_config().close("octocat");
    work_off(world, trial).await;
    world.until_portal(&run, "FAILURE", "Declined").await;
    assert_eq!(
        (two.config.pull_numbers().len(), world.infrastructure.pull_numbers().len()),
        (2, 2)
    );
    two.world.end_with_violations(&["run-ended-twice", "run-exhausted"]).await;
}

#[tokio::test]
async fn every_step_of_every_part_may_be_done_twice() {
    story_with(Trial::Twice).await;
}

#[tokio::test]
async fn a_crash_after_every_step_of_every_part_changes_nothing() {
    story_with(Trial::Crash).await;
}

#[tokio::test]
async fn what_happened_while_the_service_was_down_is_found_by_looking_at_the_parts() {
    let mut two = Two::start().await;
    let run = two.create().await;
    two.world.stop().await;
    two.config.only_pull_request().merge("octocat", MergeMethod::Squash);
    two.world.newest_pull().merge("octocat", MergeMethod::Squash);
    newest_run(&two.world.infrastructure, "apply.yml").complete("success");
    two.world.github.webhooks_delivered().await;
    two.world.start_service().await;
    two.world.look().await;
    two.world.rest().await;
    two.world.until_portal(&run, "SUCCESS", "Applied").await;
    // GitHub could not deliver.
    two.world.end_with_violations(&["no-answer"]).await;
}

/// A repository of its own, and an entry in another one.
pub(super) fn with_new_repository() -> Kind {
    let own = "repository: {create: \"acme/{{ inputs.name }}\"}\n";
    kind()
        .with(
            "repository: acme/infrastructure\n    path: \"databases/{{ inputs.name }}\"\n    plan: {workflow: plan.yml}\n    apply: {workflow: apply.yml}\n",
            own,
        )
}

#[tokio::test]
async fn a_repository_is_made_before_anything_refers_to_it() {
    let two = Two::of(with_new_repository()).await;
    let world = &two.world;
    world.github.grant("acme", "administration", Some("write"));
    let run = two.create().await;
    world.until_portal(&run, "IN_PROGRESS", "Waiting for review: 1 of 2 merged").await;
    let made = world.github.repository("acme/orders");
    assert!(made.file_at("main", "main.tf").is_some());
    let history = world.history(&run).await;
    let at = |what: &str| history.find(what).unwrap_or_else(|| panic!("no {what} in {history}"));
    assert!(at("Its files are written") < at("acme/config: Pull request #1 is open"));
    two.config.only_pull_request().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;

    // Afterwards it is left to its team.
    let head = made.head("main");
    let run = two.press("resize_database", json!({"size": 20})).await;
    two.newest_config().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let run = two.press("delete_database", json!({})).await;
    two.newest_config().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    assert_eq!(made.head("main"), head);
    // That the name is free is a 404.
    two.world.end_with_refusals().await;
}

#[tokio::test]
async fn where_a_repository_cannot_be_made_nothing_is_opened() {
    let two = Two::of(with_new_repository()).await;
    let taken = two.world.github.create_repository("acme/orders", &[("README.md", "Mine\n")]);
    let head = taken.head("main");
    let run = two.create().await;
    two.world.until_portal(&run, "FAILURE", "Refused").await;
    assert!(two.world.portal_log(&run).contains("acme/orders exists already"));
    assert_eq!(taken.head("main"), head);
    two.nothing_was_opened();

    // The App may not make one: that is known only when it tries.
    let inputs = json!({"name": "carts"});
    let run = two.world.press("add_database", inputs, Some("shop")).await;
    two.world.rest().await;
    two.world.until_portal(&run, "FAILURE", "Failed").await;
    let log = two.world.portal_log(&run);
    assert!(
        log.contains("administration") && log.contains("Not begun, and left: acme/config"),
        "{log}"
    );
    two.nothing_was_opened();
    two.world.end_with_refusals().await;
}
