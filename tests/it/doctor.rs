//! The doctor: a world in which everything is well, and each sickness by itself.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;
use tempfile::TempDir;
use towpath::clock::Clock;
use towpath::doctor::{Patient, examine};
use towpath::domain::{Finding, Verdict};
use towpath::github::{GitHub, Settings};
use towpath::portal::Port;
use towpath::sandbox::github::{
    SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, Sandbox, SandboxConfig, SandboxGitHub, SandboxRepository,
};
use towpath::sandbox::portal::{Options, SandboxPort};
use towpath::store::Store;
use towpath::template::{SourceFile, Templates};

const TEMPLATE: &str = r#"
title: Database
inputs:
  type: object
  additionalProperties: false
  required: [name]
  properties:
    name: {type: string, pattern: "^[a-z]{2,20}$"}
    size: {type: integer, default: 1}
actions:
  add_database: {operation: create}
  restart_database:
    operation: day-2
    inputs: [size]
    workflow: {repository: acme/shop, file: restart.yml, inputs: {size: "{{ inputs.size }}"}}
target: {repository: acme/infrastructure, path: "databases/{{ inputs.name }}"}
files: files
plan: {workflow: plan.yml}
apply: {workflow: apply.yml}
"#;

const FOLLOWED: &str = "on: {push: {}}\njobs: {only: {runs-on: x, steps: [{run: 'true'}]}}\n";
const RESTART: &str = "on: {workflow_dispatch: {inputs: {size: {type: number}}}}\n\
                       jobs: {only: {runs-on: x, steps: [{run: 'true'}]}}\n";
const SERVICE: &str = "https://towpath.acme.example";

struct World {
    github: SandboxGitHub,
    portal: SandboxPort,
    infrastructure: SandboxRepository,
    shop: SandboxRepository,
    patient: Patient,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let mut config = SandboxConfig::new(folder.path().join("github"), clock.clone());
        config.webhook_secret = Some("a secret of the sandbox".to_owned());
        config.webhook_url = Some(format!("{SERVICE}/hooks/github"));
        let github = Sandbox::start(config).await.unwrap();
        // Nobody is at that address.
        github.hold_webhooks();
        let workflows =
            [(".github/workflows/plan.yml", FOLLOWED), (".github/workflows/apply.yml", FOLLOWED)];
        let infrastructure = github.create_repository("acme/infrastructure", &workflows);
        let shop =
            github.create_repository("acme/shop", &[(".github/workflows/restart.yml", RESTART)]);
        let portal = SandboxPort::start(Options::default()).await.unwrap();
        for action in ["add_database", "restart_database"] {
            portal.add_action(json!({
                "identifier": action,
                "trigger": {"type": "self-service", "operation": "CREATE"},
                "invocationMethod": {"type": "WEBHOOK", "url": SERVICE},
            }));
        }
        let database = format!("sqlite://{}", folder.path().join("towpath.db").display());
        let patient = Patient {
            github: Ok(app(&github, SANDBOX_CLIENT_ID, &clock)),
            has_webhook_secret: true,
            public_url: Some(SERVICE.to_owned()),
            portal: Ok(Some(port(&portal, portal.client_secret()))),
            kafka: None,
            store: Ok(Store::open(&database, clock.clone()).await.unwrap()),
            templates: Ok(templates(TEMPLATE)),
        };
        Self { github, portal, infrastructure, shop, patient, _folder: folder }
    }

    /// Everything that is not well.
    async fn complaints(&self) -> Vec<Finding> {
        let found = examine(&self.patient).await;
        found.into_iter().filter(|finding| finding.verdict != Verdict::Good).collect()
    }

    /// There is one thing that is not well: so serious, and with these words.
    async fn has(&self, verdict: Verdict, words: &str) {
        let complaints = self.complaints().await;
        let [complaint] = complaints.as_slice() else { panic!("not one: {complaints:#?}") };
        assert_eq!(complaint.verdict, verdict, "{complaint:#?}");
        assert!(complaint.says.contains(words), "{complaint:#?}");
        assert!(complaint.remedy.as_ref().is_some_and(|remedy| !remedy.is_empty()));
    }
}

fn app(github: &SandboxGitHub, id: &str, clock: &Clock) -> GitHub {
    let settings =
        Settings { api_url: github.url(), app: id.to_owned(), private_key: SANDBOX_APP_KEY.into() };
    GitHub::new(&settings, clock.clone()).unwrap()
}

fn port(portal: &SandboxPort, secret: &str) -> Port {
    Port::new(&portal.url(), portal.client_id(), secret.to_owned().into(), Clock::system()).unwrap()
}

fn templates(template: &str) -> Templates {
    let file = |path: &str, text: &str| SourceFile {
        path: format!("database/{path}"),
        contents: text.as_bytes().to_vec(),
        executable: false,
    };
    let files =
        [file("template.yml", template), file("files/main.tf.tera", "# {{ inputs.name }}\n")];
    Templates::load(&files).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<String>())
    })
}

/// Whoever tries the program is greeted by no fault that is none.
#[tokio::test]
async fn the_sandbox_has_what_the_templates_of_the_demo_need() {
    let mut sandbox = Command::new(env!("CARGO_BIN_EXE_towpath"))
        .args(["sandbox", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines().map_while(Result::ok);
    let dashboard = lines.find_map(|line| Some(line.strip_prefix("Dashboard   ")?.to_owned()));
    let answer = reqwest::get(format!("{}doctor", dashboard.unwrap_or_default())).await;
    let page = match answer {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    let asked = Command::new("kill").arg(sandbox.id().to_string()).status().unwrap();
    assert!(asked.success() && sandbox.wait().unwrap().success());
    assert!(page.contains(">acme/infrastructure</a>"), "{page}");
    assert!(page.contains("badge good") && !page.contains("badge bad"), "{page}");
}

#[tokio::test]
async fn where_all_is_well_nothing_is_complained_about() {
    let world = World::start().await;
    assert_eq!(world.complaints().await, []);
    let about: Vec<_> = examine(&world.patient).await.into_iter().map(|it| it.about).collect();
    for looked_at in ["App", "Clock", "Webhook", "acme/infrastructure", "Portal", "Database"] {
        assert!(about.iter().any(|about| about == looked_at), "{looked_at}: {about:?}");
    }
}

#[tokio::test]
async fn an_app_that_github_does_not_know_or_does_not_believe_is_told_apart() {
    let mut world = World::start().await;
    world.patient.github = Ok(app(&world.github, "4711", &Clock::system()));
    world.has(Verdict::Bad, "knows no App with this id").await;
    let ahead = Clock::system();
    ahead.advance(std::time::Duration::from_mins(20));
    world.patient.github = Ok(app(&world.github, SANDBOX_CLIENT_ID, &ahead));
    world.has(Verdict::Bad, "s ahead of GitHub's").await;
    world.patient.github = Err("No App is configured.".to_owned());
    world.has(Verdict::Bad, "No App is configured").await;
}

#[tokio::test]
async fn a_webhook_that_goes_elsewhere_or_is_not_proved_is_found() {
    let mut world = World::start().await;
    world.patient.has_webhook_secret = false;
    world.has(Verdict::Bad, "no secret to prove webhooks with").await;
    world.patient.has_webhook_secret = true;
    world.github.set_webhook_url("https://elsewhere.example/hooks/github");
    world.has(Verdict::Bad, "https://elsewhere.example").await;
}

#[tokio::test]
async fn secrets_that_differ_show_in_the_last_delivery() {
    let mut world = World::start().await;
    let refuses = Router::new().fallback(|| async { StatusCode::UNAUTHORIZED });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, refuses).await });
    world.patient.public_url = Some(address.clone());
    world.github.set_webhook_url(&format!("{address}/hooks/github"));
    world.github.release_all_webhooks();
    world.github.webhooks_delivered().await;
    world.has(Verdict::Bad, "was answered with 401").await;
}

#[tokio::test]
async fn what_is_not_granted_is_missed_as_much_as_it_matters() {
    let world = World::start().await;
    world.github.grant("acme", "contents", Some("read"));
    world.has(Verdict::Bad, "contents: write is missing").await;
    world.github.grant("acme", "contents", Some("write"));
    // Without it a run goes on, and its pull request only lacks the App's own check.
    world.github.grant("acme", "checks", Some("read"));
    world.has(Verdict::Warning, "checks: write is missing").await;
    world.github.grant("acme", "checks", Some("write"));
    world.github.suspend("acme", true);
    let complaints = world.complaints().await;
    assert!(complaints.iter().any(|it| it.says == "It is suspended."), "{complaints:#?}");
}

#[tokio::test]
async fn an_account_without_the_app_and_a_repository_that_it_does_not_see_are_found() {
    let mut world = World::start().await;
    let elsewhere = TEMPLATE.replace("acme/infrastructure", "acme/nowhere");
    world.patient.templates = Ok(templates(&elsewhere));
    world.has(Verdict::Bad, "The App does not see it").await;
    let elsewhere = TEMPLATE.replace("acme/infrastructure", "umbrella/infrastructure");
    world.patient.templates = Ok(templates(&elsewhere));
    let complaints = world.complaints().await;
    assert!(complaints[0].says.contains("not installed on umbrella"), "{complaints:#?}");
}

#[tokio::test]
async fn each_of_several_targets_is_looked_at() {
    let mut world = World::start().await;
    let only = "target: {repository: acme/infrastructure, path: \"databases/{{ inputs.name }}\"}\nfiles: files\n";
    let several = "targets:\n  \
                   - {name: one, repository: acme/infrastructure, path: a, files: files}\n  \
                   - {name: two, repository: acme/shop, path: b, files: files, plan: {workflow: restart.yml}, apply: {workflow: none.yml}}\n";
    assert!(TEMPLATE.contains(only));
    world.patient.templates = Ok(templates(&TEMPLATE.replace(only, several)));
    world.has(Verdict::Bad, "none.yml, which the template database names, is not on main").await;
    let elsewhere = several.replace("none.yml", "restart.yml").replace("acme/shop", "acme/nowhere");
    world.patient.templates = Ok(templates(&TEMPLATE.replace(only, &elsewhere)));
    world.has(Verdict::Bad, "The App does not see it").await;
}

#[tokio::test]
async fn a_workflow_that_is_missing_or_takes_something_else_is_found() {
    let world = World::start().await;
    let path = ".github/workflows/plan.yml";
    world.infrastructure.push("octocat", "main", &[(path, None)], "no plan");
    world.has(Verdict::Bad, "is not on main").await;
    world.infrastructure.push("octocat", "main", &[(path, Some(FOLLOWED))], "a plan");
    let other = RESTART.replace("size:", "count:");
    let path = ".github/workflows/restart.yml";
    world.shop.push("octocat", "main", &[(path, Some(&other))], "another input");
    world.has(Verdict::Bad, "it has no input `size`").await;
    world.shop.push("octocat", "main", &[(path, Some(FOLLOWED))], "no dispatch");
    world.has(Verdict::Bad, "it has no `workflow_dispatch`").await;
}

#[tokio::test]
async fn a_rule_that_stops_the_app_or_the_merge_is_found() {
    let world = World::start().await;
    world.infrastructure.add_rule("towpath", "creation");
    world.has(Verdict::Bad, "nobody may make it").await;
    let world = World::start().await;
    world.infrastructure.add_rule("main", "update");
    world.has(Verdict::Warning, "nothing can be merged").await;
}

#[tokio::test]
async fn portal_database_and_templates_are_looked_at() {
    let mut world = World::start().await;
    let right = world.patient.portal;
    world.patient.portal = Ok(Some(port(&world.portal, "another secret that is as long")));
    world.has(Verdict::Bad, "refuses the client id and secret").await;
    world.patient.portal = right;
    let more =
        TEMPLATE.replace("  add_database:", "  grow_database: {operation: day-2}\n  add_database:");
    let known = std::mem::replace(&mut world.patient.templates, Ok(templates(&more)));
    world.has(Verdict::Warning, "no action grow_database").await;
    world.patient.templates = known;
    world.patient.store = Err("It is not there.".to_owned());
    world.has(Verdict::Bad, "It is not there.").await;
}

#[test]
fn the_command_ends_with_1_and_its_json_names_the_remedies() {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_towpath"))
        .args(["doctor", "--format", "json", "--github-api-url", "http://127.0.0.1:9"])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let app = found.as_array().unwrap().iter().find(|it| it["about"] == "App").unwrap();
    assert_eq!(app["verdict"], "bad");
    assert!(app["remedy"].as_str().unwrap().contains("towpath setup"));
}
