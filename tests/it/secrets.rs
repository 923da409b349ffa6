//! Where a secret input goes: to GitHub, sealed or as an input of a workflow, and nowhere else. The
//! program itself is run, and everything that it has said, sent and written down is searched.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use towpath::clock::Clock;
use towpath::sandbox::github::{
    SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, Sandbox, SandboxConfig, SandboxGitHub, SandboxRepository,
};
use towpath::sandbox::portal::{Options, Run, SandboxPort, Trigger};

const VECTORS: &str = include_str!("fixtures/port/client-side-vectors.json");
/// With what JSON, addresses and shells would escape.
const SECRET: &str = "hunter2 \"é\" $HOME";

const TEMPLATE: &str = r#"
title: Secrets
inputs:
  type: object
  additionalProperties: false
  required: [name]
  properties:
    name: {type: string, pattern: "^[A-Z][A-Z0-9_]*$"}
    value: {type: string, secret: true}
actions:
  store_secret:
    operation: create
    secret: {repository: acme/shop, name: "{{ inputs.name }}", value: "{{ inputs.value }}"}
  store_environment_secret:
    operation: create
    secret: {repository: acme/shop, environment: production, name: "{{ inputs.name }}", value: "{{ inputs.value }}"}
  run_with_secret:
    operation: create
    workflow:
      repository: acme/shop
      file: rotate.yml
      ref: main
      inputs: {name: "{{ inputs.name }}", value: "{{ inputs.value }}"}
  propose_beside_it:
    operation: create
target: {repository: acme/shop, path: "notes/{{ inputs.name }}"}
files: files
pull_request: {title: "{{ action.title }}: {{ inputs.name }}"}
"#;

/// What went by on the way to GitHub or to the portal: method and path, and the bytes of the body.
type Seen = Arc<Mutex<Vec<(String, Bytes)>>>;

/// Stands between the program and another, and keeps what is sent.
async fn between(upstream: String) -> (String, Seen) {
    let seen = Seen::default();
    let app = axum::Router::new().fallback(pass).with_state((upstream, Arc::clone(&seen)));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(socket, app).await });
    (url, seen)
}

async fn pass(
    State((upstream, seen)): State<(String, Seen)>,
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response {
    seen.lock().unwrap().push((format!("{method} {uri}"), body.clone()));
    headers.remove("host");
    let request = reqwest::Client::new().request(method, format!("{upstream}{uri}"));
    let answer = request.headers(headers).body(body).send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for of_the_connection in ["transfer-encoding", "connection", "content-length"] {
        headers.remove(of_the_connection);
    }
    (status, headers, answer.bytes().await.unwrap()).into_response()
}

struct World {
    github: SandboxGitHub,
    shop: SandboxRepository,
    portal: SandboxPort,
    to_github: Seen,
    to_portal: Seen,
    program: Child,
    folder: tempfile::TempDir,
}

impl World {
    /// `encryption`: of the form's secret input.
    async fn start(encryption: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let config = SandboxConfig::new(folder.path().join("github"), clock.clone());
        let github = Sandbox::start(config).await.unwrap();
        let workflow = "on: {workflow_dispatch: {inputs: {name: , value: }}}\n\
                        jobs: {only: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n";
        let files = [(".github/workflows/rotate.yml", workflow), ("README.md", "Shop\n")];
        let shop = github.create_repository("acme/shop", &files);
        shop.create_environment("production", false);
        let options = Options { clock, ..Options::default() };
        let portal = SandboxPort::start(options).await.unwrap();
        for action in
            ["store_secret", "store_environment_secret", "run_with_secret", "propose_beside_it"]
        {
            portal.add_action(button(action, encryption));
        }
        let (github_url, to_github) = between(github.url()).await;
        let (portal_url, to_portal) = between(portal.url()).await;
        let program = program(folder.path(), &github_url, &portal_url, &portal);
        Self { github, shop, portal, to_github, to_portal, program, folder }
    }

    async fn press(&self, action: &str) -> String {
        let inputs = json!({"name": "TOKEN", "value": SECRET});
        let trigger = Trigger {
            action: action.to_owned(),
            inputs: inputs.as_object().unwrap().clone(),
            ..Trigger::default()
        };
        self.portal.trigger(trigger).await.unwrap().0
    }

    async fn until(&self, run: &str, label: &str) {
        let shown = || -> Option<Run> { self.portal.run(run) };
        let there = async {
            while shown().and_then(|run| run.label).as_deref() != Some(label) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(1), there).await;
        waited.unwrap_or_else(|_| panic!("not {label}: {:#?}", shown()));
    }

    /// Ends the program, and answers what it has said and written down.
    async fn end(
        mut self,
    ) -> (String, Vec<(String, Bytes)>, Vec<(String, Bytes)>, SandboxRepository) {
        self.program.start_kill().unwrap();
        let status = self.program.wait().await.unwrap();
        assert!(!status.success());
        let mut said = std::fs::read(self.folder.path().join("log")).unwrap();
        for file in ["towpath.db", "towpath.db-wal"] {
            said.extend(std::fs::read(self.folder.path().join(file)).unwrap_or_default());
        }
        let taken = |seen: Seen| std::mem::take(&mut *seen.lock().unwrap());
        drop(self.github);
        let said = String::from_utf8_lossy(&said).into_owned();
        (said, taken(self.to_github), taken(self.to_portal), self.shop)
    }
}

fn button(action: &str, encryption: &Value) -> Value {
    let mut value = json!({"type": "string"});
    if !encryption.is_null() {
        value["encryption"] = encryption.clone();
    }
    json!({
        "identifier": action,
        "trigger": {
            "type": "self-service", "operation": "CREATE",
            "userInputs": {"properties": {"name": {"type": "string"}, "value": value}},
        },
        "invocationMethod": {
            "type": "WEBHOOK", "agent": true, "url": "https://towpath.local/hooks/port",
            "body": {
                "action": "{{ .action.identifier }}", "run": {"id": "{{ .run.id }}"},
                "inputs": "{{ .inputs }}", "trigger": "{{ .trigger }}",
                "encrypted": "{{ .action.encryptedProperties }}",
            },
        },
    })
}

/// The program, with everything logged.
fn program(folder: &Path, github: &str, portal: &str, credentials: &SandboxPort) -> Child {
    let template = folder.join("templates/secrets");
    std::fs::create_dir_all(template.join("files")).unwrap();
    std::fs::write(template.join("template.yml"), TEMPLATE).unwrap();
    std::fs::write(template.join("files/note.txt.tera"), "{{ inputs.name }}\n").unwrap();
    let key: Value = serde_json::from_str(VECTORS).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let listen: SocketAddr = ([127, 0, 0, 1], 0).into();
    Command::new(env!("CARGO_BIN_EXE_towpath"))
        .arg("serve")
        .current_dir(folder)
        .env_clear()
        .env("TOWPATH_LISTEN", listen.to_string())
        .env("TOWPATH_DATABASE_URL", "sqlite://towpath.db")
        .env("TOWPATH_LOG", "trace")
        .env("TOWPATH_INTAKE", "polling")
        .env("PORT_POLL_INTERVAL", "100ms")
        .env("GITHUB_API_URL", github)
        .env("GITHUB_APP_ID", SANDBOX_CLIENT_ID)
        .env("GITHUB_APP_PRIVATE_KEY", SANDBOX_APP_KEY)
        .env("PORT_API_URL", portal)
        .env("PORT_CLIENT_ID", credentials.client_id())
        .env("PORT_CLIENT_SECRET", credentials.client_secret())
        .env("PORT_INPUTS_PRIVATE_KEY", key["private_key"].as_str().unwrap())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// As it is, and as JSON, logs and addresses write it.
fn forms() -> Vec<String> {
    let json = Value::from(SECRET).to_string();
    let forms = [SECRET, json.trim_matches('"'), "hunter2"].map(str::to_owned);
    forms.into()
}

fn holds_secret(text: &str) -> bool {
    forms().iter().any(|form| text.contains(form))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_reaches_github_and_neither_log_nor_database_nor_portal() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let client_side = json!({"algorithm": "client-side", "key": vectors["public_key"]});
    for encryption in [json!("aes256-gcm"), client_side, Value::Null] {
        let world = World::start(&encryption).await;
        for (action, label) in [
            ("store_secret", "Stored"),
            ("store_environment_secret", "Stored"),
            ("run_with_secret", "Queued"),
            ("propose_beside_it", "Waiting for review"),
        ] {
            let run = world.press(action).await;
            world.until(&run, label).await;
        }
        let (said, to_github, to_portal, shop) = world.end().await;
        assert_eq!(shop.secret("TOKEN").as_deref(), Some(SECRET), "{encryption}");
        let of_environment = shop.environment_secret("production", "TOKEN");
        assert_eq!(of_environment.as_deref(), Some(SECRET));

        assert!(said.contains("run_with_secret"), "something is said and written down");
        assert!(!holds_secret(&said), "{encryption}: the log or the database holds it");
        for (request, body) in to_portal {
            assert!(!holds_secret(&String::from_utf8_lossy(&body)), "{encryption}: {request}");
        }
        let holding: Vec<String> = to_github
            .into_iter()
            .filter(|(_, body)| holds_secret(&String::from_utf8_lossy(body)))
            .map(|(request, _)| request)
            .collect();
        let dispatch = "POST /repos/acme/shop/actions/workflows/rotate.yml/dispatches";
        assert_eq!(holding, [dispatch], "{encryption}: the workflow's input alone is in clear");
    }
}
