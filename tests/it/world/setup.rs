//! What stands in a world before its story begins: templates, blueprints, buttons.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use towpath::config::{
    AppFile, GitHubApp, Intake, LogFormat, PollingSettings, PortSettings, Settings, SignInSettings,
};
use towpath::domain::Rules;
use towpath::sandbox::github::{
    SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, SandboxGitHub, SandboxRepository,
};
use towpath::sandbox::portal::SandboxPort;
use towpath::template::{SourceFile, Templates};

use super::contracts::Contracts;
use super::{Kind, WEBHOOK_SECRET};

/// How long a claim of the service holds: longer than a story moves the clock to what is near.
const LEASE: Duration = Duration::from_mins(2);

/// A workflow that nobody executes: stories play its runs by hand.
const WORKFLOW: &str = "on: {push: {branches: [main]}, pull_request: {}, workflow_dispatch: {}}\n\
                        jobs: {only: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n";

/// The same for one that is only dispatched, and takes what the stories send.
pub(crate) const DISPATCHED: &str = "on: {workflow_dispatch: {inputs: {note: , run: , version: , count: , deep: , port_payload: , v: , o: , text: }}}\n\
                                     jobs: {only: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n";

/// Where the databases are described.
pub(crate) fn infrastructure(github: &SandboxGitHub, name: &str) -> SandboxRepository {
    let plan = WORKFLOW.replace("push: {branches: [main]}, ", "");
    let apply = WORKFLOW.replace("pull_request: {}, ", "");
    let files = [
        (".github/workflows/plan.yml", plan.as_str()),
        (".github/workflows/apply.yml", apply.as_str()),
        ("README.md", "Infrastructure\n"),
    ];
    let repository = github.create_repository(name, &files);
    repository.add_collaborator("octocat", "write");
    repository
}

/// A service with a workflow of its own.
pub(crate) fn service_repository(github: &SandboxGitHub, name: &str) -> SandboxRepository {
    github.create_repository(name, &[(".github/workflows/rollback.yml", DISPATCHED)])
}

/// The settings of a service in this world.
pub(super) fn settings(
    kind: &Kind,
    contracts: &Contracts,
    portal: &SandboxPort,
    address: SocketAddr,
    database: String,
) -> Settings {
    let api = if kind.legacy_dispatch { "/api/v3" } else { "" };
    Settings {
        listen: address,
        database_url: database.into(),
        templates: kind.templates_from.clone().unwrap_or_else(|| "given".to_owned()),
        github_api_url: format!("{}{api}", contracts.github),
        github_app: (!kind.without_app).then(|| GitHubApp {
            id: SANDBOX_CLIENT_ID.to_owned(),
            private_key: SANDBOX_APP_KEY.into(),
        }),
        app_file: AppFile::at("no folder/github-app.json"),
        public_url: None,
        github_webhook_secrets: match kind.polls_for {
            None => vec![WEBHOOK_SECRET.into()],
            Some(_) => Vec::new(),
        },
        port: (!kind.embedded_portal).then(|| PortSettings {
            api_url: contracts.portal.clone(),
            client_id: portal.client_id().to_owned(),
            client_secret: portal.client_secret().into(),
        }),
        inputs_private_key: kind.inputs_private_key.map(Into::into),
        port_org_id: None,
        intake: Intake {
            webhook: kind.polls_for.is_none() && kind.kafka.is_none(),
            kafka: kind.kafka.as_ref().map(|(settings, _)| settings.clone()),
            polling: kind.polls_for.map(|installation| PollingSettings {
                installation: installation.to_owned(),
                interval: Duration::from_millis(100),
            }),
        },
        agent: kind.agent.clone(),
        events: None,
        api_token: None,
        sign_in: kind.sign_in.then(|| SignInSettings {
            client_id: SANDBOX_CLIENT_ID.to_owned(),
            client_secret: SANDBOX_CLIENT_SECRET.into(),
            rules: Rules {
                view: vec!["acme".parse().unwrap()],
                run: vec!["acme/devops".parse().unwrap()],
                administer: vec!["@olga".parse().unwrap()],
            },
        }),
        reconcile_interval: Duration::from_hours(1),
        lease: LEASE,
        keep_runs: Duration::from_hours(365 * 24),
        log: "warn".to_owned(),
        log_format: LogFormat::Text,
        otlp_endpoint: None,
    }
}

/// A button whose message carries the invocation, as a v1 backend gets it.
pub(super) fn add_invocation(
    portal: &SandboxPort,
    address: SocketAddr,
    action: &str,
    method: &Value,
) {
    let body = json!({
        "action": action, "resourceType": "run", "status": "TRIGGERED", "trigger": "{{ .trigger }}",
        "context": {"runId": "{{ .run.id }}", "entity": null, "blueprint": "service"},
        "payload": {
            "entity": null, "properties": "{{ .inputs }}",
            "action": {"identifier": action, "trigger": "CREATE", "invocationMethod": method},
        },
    });
    portal.add_action(json!({
        "identifier": action,
        "trigger": {"type": "self-service", "operation": "CREATE", "blueprintIdentifier": "service"},
        "invocationMethod":
            {"type": "WEBHOOK", "url": format!("http://{address}/hooks/port"), "body": body},
    }));
}

/// The templates that the service is given; none, where they come from a repository, which is made.
pub(super) fn templates(kind: &Kind, github: &SandboxGitHub) -> Templates {
    let own = ("template.yml".to_owned(), kind.template.clone(), false);
    let files = kind
        .files
        .iter()
        .map(|(name, text, executable)| (format!("files/{name}"), text.clone(), *executable));
    let files: Vec<_> = [own].into_iter().chain(files).collect();
    if kind.templates_from.is_some() {
        let files = files.iter().map(|(name, text, _)| (format!("portal/database/{name}"), text));
        let files: Vec<_> = files.collect();
        let files: Vec<_> = files.iter().map(|(name, text)| (&**name, text.as_str())).collect();
        github.create_repository("acme/templates", &files).add_collaborator("ada", "write");
        return Templates::default();
    }
    let files = files.into_iter().map(|(name, text, executable)| SourceFile {
        path: format!("database/{name}"),
        contents: text.into_bytes(),
        executable,
    });
    Templates::load(&files.collect::<Vec<_>>()).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<String>())
    })
}

/// `agent`: the runs of its buttons wait to be fetched.
pub(super) fn portal_content(portal: &SandboxPort, address: SocketAddr, agent: bool) {
    add_blueprints(portal);
    portal.add_entity("service", json!({"identifier": "shop", "title": "Shop"}));
    for (action, operation, blueprint) in [
        ("add_database", "CREATE", "service"),
        ("resize_database", "DAY-2", "database"),
        ("delete_database", "DELETE", "database"),
        ("rollback_service", "DAY-2", "service"),
        ("unknown_action", "CREATE", "service"),
    ] {
        add_button(portal, address, agent, (action, operation, blueprint));
    }
}

pub(crate) fn add_blueprints(portal: &SandboxPort) {
    for blueprint in ["service", "database"] {
        portal.add_blueprint(json!({
            "identifier": blueprint, "title": blueprint,
            "schema": {"properties": {
                "engine": {"type": "string"}, "size": {"type": "number"},
                "endpoint": {"type": "string"},
            }},
            "relations": if blueprint == "database" {
                json!({"service": {"target": "service", "many": false, "required": false}})
            } else {
                json!({})
            },
        }));
    }
}

/// A button whose message is the one that `towpath portal export` writes.
pub(crate) fn add_button(
    portal: &SandboxPort,
    address: SocketAddr,
    agent: bool,
    (action, operation, blueprint): (&str, &str, &str),
) {
    let body = json!({
        "action": "{{ .action.identifier }}", "run": {"id": "{{ .run.id }}"},
        "inputs": "{{ .inputs }}", "entity": "{{ .entity }}", "trigger": "{{ .trigger }}",
        "encrypted": "{{ .action.encryptedProperties }}",
    });
    portal.add_action(json!({
        "identifier": action,
        "trigger": {"type": "self-service", "operation": operation, "blueprintIdentifier": blueprint},
        "invocationMethod":
            {"type": "WEBHOOK", "agent": agent, "url": format!("http://{address}/hooks/port"),
             "body": body},
    }));
}
