//! Files that say the same thing twice, held together: what the image, Fly.io, Kubernetes, the
//! GitHub App and CI are told is what the program does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use towpath::github::permissions::{REGISTERED_FOR, events_for, permissions_for};
use towpath::intake::github_event::parse_github_event;

const PORT: u16 = 8080;
const LIVENESS: &str = "/healthz";
const READINESS: &str = "/readyz";
const METRICS: &str = "/metrics";
const GITHUB_HOOK: &str = "/hooks/github";

/// What the App may do: the least for what it is registered for, by the table of all its calls.
fn permissions() -> Vec<(&'static str, &'static str)> {
    let needed = permissions_for(&BTreeSet::from(REGISTERED_FOR));
    needed.into_iter().map(|(name, level)| (name, level.as_str())).collect()
}

/// What it hears for that, besides what GitHub sends to every App.
fn events() -> Vec<&'static str> {
    events_for(&BTreeSet::from(REGISTERED_FOR)).into_iter().collect()
}

#[derive(Deserialize)]
struct Manifest {
    url: String,
    hook_attributes: HookAttributes,
    default_permissions: BTreeMap<String, String>,
    default_events: Vec<String>,
}

#[derive(Deserialize)]
struct HookAttributes {
    url: String,
}

#[test]
fn the_app_asks_for_what_is_used_and_nothing_else() {
    let manifest: Manifest = parse_yaml(&read("app-manifest.yml"));

    let asked: Vec<_> = manifest
        .default_permissions
        .iter()
        .map(|(name, level)| (name.as_str(), level.as_str()))
        .collect();
    assert_eq!(asked, permissions());

    let mut events = manifest.default_events;
    events.sort();
    assert_eq!(events, self::events());
}

/// An event that is read refuses an empty object; one that is not read takes anything.
#[test]
fn the_app_hears_every_event_that_is_read_and_no_other() {
    let manifest: Manifest = parse_yaml(&read("app-manifest.yml"));
    let is_read = |event: &str| parse_github_event(event, b"{}").is_err();
    for event in &manifest.default_events {
        assert!(is_read(event), "{event} is heard and not read");
    }
    let others = [
        "branch_protection_rule",
        "create",
        "delete",
        "deployment",
        "deployment_review",
        "fork",
        "issue_comment",
        "issues",
        "label",
        "member",
        "merge_group",
        "milestone",
        "public",
        "pull_request_review_comment",
        "pull_request_review_thread",
        "release",
        "repository",
        "repository_dispatch",
        "star",
        "team",
        "watch",
        "workflow_dispatch",
    ];
    for event in others {
        assert!(!is_read(event), "{event} is read and not heard");
    }
}

#[test]
fn the_app_gives_a_reason_for_each_permission_and_event() {
    let text = read("app-manifest.yml");
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let granted = permissions().into_iter().map(|(name, level)| format!("{name}: {level}"));
    let heard = events().into_iter().map(|name| format!("- {name}"));
    for entry in granted.chain(heard) {
        let index = lines.iter().position(|line| *line == entry);
        let index = index.unwrap_or_else(|| panic!("app-manifest.yml has no line `{entry}`"));
        assert!(lines[index - 1].starts_with("# "), "`{entry}` has no reason above it");
    }
}

#[test]
fn the_app_sends_its_deliveries_to_the_route_that_takes_them() {
    let manifest: Manifest = parse_yaml(&read("app-manifest.yml"));
    assert_eq!(manifest.hook_attributes.url, format!("{}{GITHUB_HOOK}", manifest.url));
}

#[test]
fn kubernetes_reads_the_secret_that_setup_prints() {
    let deployment = read("deploy/kubernetes/deployment.yml");
    let printed = read("src/cli/setup/print.rs");
    let name = printed.split("const SECRET: &str = \"").nth(1).and_then(|it| it.split('"').next());
    let name = name.expect("the name of the secret");
    assert!(deployment.lines().any(|line| line.trim() == format!("name: {name}")), "{name}");
}

#[test]
fn fly_calls_the_port_and_the_routes_that_exist() {
    let fly = read("fly.toml");
    assert_eq!(values(&fly, "internal_port"), [PORT.to_string()]);
    assert_eq!(values(&fly, "port"), [PORT.to_string()]);
    assert_eq!(values(&fly, "TOWPATH_LISTEN"), [format!("0.0.0.0:{PORT}")]);
    assert_eq!(values(&fly, "path"), [LIVENESS, READINESS, METRICS]);
}

#[test]
fn fly_keeps_the_database_on_its_volume_and_the_machine_awake() {
    let fly = read("fly.toml");
    assert_eq!(values(&fly, "TOWPATH_DATABASE_URL"), ["sqlite:///data/towpath.db"]);
    assert_eq!(values(&fly, "TOWPATH_APP_FILE"), ["/data/github-app.json"]);
    assert_eq!(values(&fly, "destination"), ["/data"]);
    assert_eq!(values(&fly, "auto_stop_machines"), ["off"]);
    assert_eq!(values(&fly, "min_machines_running"), ["1"]);
}

#[test]
fn kubernetes_probes_the_port_and_the_routes_that_exist() {
    let deployment: serde_json::Value = parse_yaml(&read("deploy/kubernetes/deployment.yml"));
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let probed = |probe: &str| container[probe]["httpGet"]["path"].clone();

    assert_eq!(container["ports"][0]["containerPort"], PORT);
    assert_eq!(probed("startupProbe"), LIVENESS);
    assert_eq!(probed("livenessProbe"), LIVENESS);
    assert_eq!(probed("readinessProbe"), READINESS);
}

#[test]
fn the_image_is_built_with_the_oldest_rust_that_is_promised() {
    let cargo = read("Cargo.toml");
    let promised = &values(&cargo, "rust-version")[0];
    assert!(read("Containerfile").contains(&format!("/rust:{promised}-bookworm")));
    let workflow = read(".github/workflows/ci.yml");
    let containers = workflow.matches("container: ").count();
    assert_eq!(
        workflow.matches(&format!("container: rust:{promised}-bookworm")).count(),
        containers
    );
}

#[test]
fn the_image_listens_where_it_says_and_is_not_root() {
    let image = read("Containerfile");
    for line in [
        "USER 65532:65532".to_owned(),
        format!("EXPOSE {PORT}"),
        format!("ENV TOWPATH_LISTEN=0.0.0.0:{PORT} \\"),
        "VOLUME /data".to_owned(),
    ] {
        assert!(image.lines().any(|other| other == line), "Containerfile has no line `{line}`");
    }
}

#[test]
fn ci_runs_the_commands_of_the_readme() {
    let commands = shell_commands(&read("README.md"));
    assert!(
        commands.contains(&"cargo test --locked".to_owned()),
        "the README does not tell how to test"
    );

    let ci = read(".ci/run");
    for command in commands.iter().filter(|command| command.starts_with("cargo ")) {
        let run = ci.lines().map(str::trim).any(|line| {
            line.strip_prefix(command.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        assert!(run, "the README says `{command}`, which .ci/run does not run");
    }
}

#[test]
fn the_workflow_runs_every_step_of_ci() {
    let ci = read(".ci/run");
    let workflow = read(".github/workflows/ci.yml");
    let listed = ci
        .lines()
        .find_map(|line| line.strip_prefix("readonly STEPS=(")?.strip_suffix(')'))
        .expect("`.ci/run` lists its steps");
    let called: Vec<_> = workflow
        .lines()
        .filter_map(|line| line.trim().strip_prefix("steps: "))
        .flat_map(str::split_whitespace)
        .collect();
    for step in listed.split_whitespace() {
        assert!(ci.contains(&format!("\nstep_{step}() {{")), "`.ci/run` has no step `{step}`");
        assert!(called.contains(&step), "the workflow leaves out `{step}`");
    }
}

#[test]
fn every_action_is_pinned_to_a_commit() {
    let workflow = read(".github/workflows/ci.yml");
    let uses = workflow.lines().filter_map(|line| line.split_once("uses: "));
    for (_, action) in uses {
        let commit = action.split_once('@').and_then(|(_, rest)| rest.split(' ').next());
        let pinned = commit.is_some_and(|commit| {
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        assert!(pinned, "`{action}` can change under its tag");
    }
}

#[test]
fn every_alert_tells_what_to_do() {
    let operations = read("docs/operations.md");
    let alerts = read("deploy/prometheus/alerts.yml");
    let names: Vec<_> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!names.is_empty());
    for name in names {
        let row = operations.contains(&format!("\n| `{name}` |"));
        assert!(row, "docs/operations.md does not say what to do about {name}");
    }
}

#[test]
fn every_metric_that_is_looked_at_is_described() {
    let operations = read("docs/operations.md");
    for file in ["deploy/prometheus/alerts.yml", "deploy/grafana/dashboard.json"] {
        for name in metric_names(&read(file)) {
            let described = operations.contains(&format!("`{name}`"))
                || operations.contains(&format!("`{name}{{"));
            assert!(
                described,
                "{file} looks at {name}, which docs/operations.md does not describe"
            );
        }
    }
}

/// The program's metrics in a text; the parts of a histogram under its own name.
fn metric_names(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_')
        .filter(|word| word.starts_with("towpath_"))
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word))
        .collect()
}

/// The values of a key in a TOML file of plain lines, in their order, without quotes.
fn values(toml: &str, key: &str) -> Vec<String> {
    toml.lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .collect()
}

/// The lines of the README's `sh` blocks.
fn shell_commands(markdown: &str) -> Vec<String> {
    let blocks = markdown.split("```sh\n").skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .flat_map(str::lines)
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

fn parse_yaml<T: DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).expect("the file is YAML of the shape that is looked at")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
