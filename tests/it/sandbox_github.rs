//! The sandbox GitHub over plain HTTP, as an app sees it.
//!
//! `SANDBOX_CONTRACT_DIR=<github-contract with node_modules>` puts the contract checker between
//! the client and the sandbox, and fails on every answer or webhook that GitHub would not send.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};
use towpath::clock::Clock;
use towpath::sandbox::github::{
    Fault, MergeMethod, Report, RunReporter, SANDBOX_APP_KEY, SANDBOX_CLIENT_ID, Sandbox,
    SandboxConfig, SandboxGitHub, SandboxRepository, WorkflowJobRequest, WorkflowRunner,
};

const WORKFLOW: &str = "name: Deploy\nrun-name: Deploy ${{ inputs.name }}\non:\n  workflow_dispatch:\n    inputs:\n      name: {required: true}\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo hello\n";

struct World {
    github: SandboxGitHub,
    infra: SandboxRepository,
    clock: Clock,
    client: reqwest::Client,
    token: String,
    received: Arc<Mutex<Vec<(String, Value)>>>,
    checker: Option<Checker>,
    _directory: tempfile::TempDir,
}

/// The contract checker, between the client and the sandbox.
struct Checker {
    url: String,
    hooks: String,
    _process: tokio::process::Child,
}

impl Checker {
    async fn start(folder: &str, upstream: &str, hooks: &str) -> Self {
        use tokio::io::{AsyncBufReadExt, BufReader};
        let mut process = tokio::process::Command::new("node")
            .current_dir(folder)
            .args([
                "github-contract.mjs",
                "--listen",
                "127.0.0.1:0",
                "--webhook-listen",
                "127.0.0.1:0",
            ])
            .args(["--upstream", upstream, "--webhook-target", hooks, "--webhook-secret", "secret"])
            // The description leaves this permission out, and wants an account that is a person
            // and an enterprise at once.
            .args(["--ignore", "unknown-field:server@GET /app/installations"])
            .args(["--ignore", "missing-field:server@GET /app/installations"])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // Its first two lines: `... ready ... URL -> upstream` and `... webhooks URL -> target`.
        let mut own = Vec::new();
        while own.len() < 2 {
            let line = lines.next_line().await.unwrap().expect("the checker says where it listens");
            let (before, _) = line.split_once(" -> ").expect("a line with an address");
            own.push(before.rsplit(' ').next().unwrap().to_owned());
        }
        Self { url: own[0].clone(), hooks: own[1].clone(), _process: process }
    }
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let mut config = SandboxConfig::new(directory.path().to_owned(), clock.clone());
        config.webhook_secret = Some("secret".to_owned());
        let received = Arc::<Mutex<Vec<(String, Value)>>>::default();
        let hooks = listen(received.clone()).await;
        let github = Sandbox::start(config).await.unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "a switch of this test, not a setting of the program"
        )]
        let checker = match std::env::var("SANDBOX_CONTRACT_DIR") {
            Ok(folder) => Some(Checker::start(&folder, &github.url(), &hooks).await),
            Err(_) => None,
        };
        github.set_webhook_url(checker.as_ref().map_or(&hooks, |it| &it.hooks));
        let infra = github.create_repository(
            "acme/infrastructure",
            &[("README.md", "hello\n"), (".github/workflows/deploy.yml", WORKFLOW)],
        );
        let mut world = Self {
            github,
            infra,
            clock,
            client: reqwest::Client::builder()
                .user_agent("test")
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            token: String::new(),
            received,
            checker,
            _directory: directory,
        };
        world.mint().await;
        world.github.webhooks_delivered().await;
        world.received.lock().unwrap().clear();
        world
    }

    fn jwt(&self) -> String {
        let now = self.clock.now().timestamp();
        let claims = json!({"iss": SANDBOX_CLIENT_ID, "iat": now - 60, "exp": now + 540});
        let key = EncodingKey::from_rsa_pem(SANDBOX_APP_KEY.as_bytes()).unwrap();
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
    }

    async fn as_app(&self, method: Method, path: &str) -> (u16, Value) {
        self.send(method, path, &self.jwt(), &Value::Null).await
    }

    async fn mint(&mut self) {
        let (status, installation) = self.as_app(Method::GET, "/orgs/acme/installation").await;
        assert_eq!(status, 200, "{installation}");
        let path = format!("/app/installations/{}/access_tokens", installation["id"]);
        let (status, token) = self.as_app(Method::POST, &path).await;
        assert_eq!(status, 201, "{token}");
        token["token"].as_str().unwrap().clone_into(&mut self.token);
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
        self.try_send(method, path, token, body).await.unwrap()
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: &Value,
    ) -> reqwest::Result<(u16, Value)> {
        let base = self.checker.as_ref().map_or_else(|| self.github.url(), |it| it.url.clone());
        let mut request = self
            .client
            .request(method, format!("{base}{path}"))
            .header("accept", "application/vnd.github+json")
            .bearer_auth(token);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").map(|it| json!(it.to_str().unwrap()));
        let bytes = answer.bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok((status, location.unwrap_or(body)))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(
            Method::GET,
            &format!("/repos/acme/infrastructure{path}"),
            &self.token,
            &Value::Null,
        )
        .await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, &format!("/repos/acme/infrastructure{path}"), &self.token, &body)
            .await
    }

    async fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = json!({"query": query, "variables": variables});
        let (status, answer) = self.send(Method::POST, "/graphql", &self.token, &body).await;
        assert_eq!(status, 200);
        answer
    }

    /// Branch, commit and pull request in one document.
    async fn propose(&self, branch: &str, path: &str) -> Value {
        let base = self.infra.head("main").unwrap();
        self.graphql(
            "mutation M($ref: CreateRefInput!, $commit: CreateCommitOnBranchInput!, $pull: CreatePullRequestInput!) {
                createRef(input: $ref) { ref { id name } }
                createCommitOnBranch(input: $commit) { commit { oid url } }
                createPullRequest(input: $pull) { pullRequest { id number url headRefOid } }
            }",
            json!({
                "ref": {"repositoryId": self.infra.node_id(), "name": format!("refs/heads/{branch}"), "oid": base},
                "commit": {
                    "branch": {"repositoryNameWithOwner": "acme/infrastructure", "branchName": branch},
                    "expectedHeadOid": base,
                    "message": {"headline": "Add a bucket"},
                    "fileChanges": {"additions": [{"path": path, "contents": "aGVsbG8K"}]},
                },
                "pull": {"repositoryId": self.infra.node_id(), "baseRefName": "main", "headRefName": branch, "title": "Add a bucket"},
            }),
        )
        .await
    }

    /// Nothing that the sandbox said contradicts GitHub's own descriptions.
    async fn end(&self) {
        self.github.webhooks_delivered().await;
        let Some(checker) = &self.checker else { return };
        let summary = format!("{}/__contract/summary", checker.url);
        let summary: Value = self.client.get(summary).send().await.unwrap().json().await.unwrap();
        let listed = summary["total"]["listed"].as_array().expect("the summary lists violations");
        let ours: Vec<String> =
            listed.iter().filter(|it| it["side"] == "server").map(Value::to_string).collect();
        assert!(ours.is_empty(), "{} violations:\n{}", ours.len(), ours.join("\n"));
    }

    async fn events(&self) -> Vec<String> {
        self.github.webhooks_delivered().await;
        let received = self.received.lock().unwrap();
        let name = |(event, payload): &(String, Value)| match payload["action"].as_str() {
            Some(action) => format!("{event}.{action}"),
            None => event.clone(),
        };
        received.iter().map(name).collect()
    }
}

async fn listen(received: Arc<Mutex<Vec<(String, Value)>>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let take = move |headers: axum::http::HeaderMap, body: String| async move {
        let event = headers["x-github-event"].to_str().unwrap().to_owned();
        received.lock().unwrap().push((event, serde_json::from_str(&body).unwrap()));
    };
    let router = Router::new().route("/hooks", post(take));
    #[expect(clippy::disallowed_methods, reason = "a test's listener ends with the test")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/hooks")
}

#[tokio::test(flavor = "multi_thread")]
async fn three_mutations_in_one_document_open_a_pull_request() {
    let world = World::start().await;
    let answer = world.propose("towpath/create/1", "infra/a.tf").await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    assert_eq!(answer["data"]["createPullRequest"]["pullRequest"]["number"], 1);
    assert_eq!(world.infra.file_at("towpath/create/1", "infra/a.tf").as_deref(), Some("hello\n"));
    let (_, first) = world.get("/pulls/1").await;
    let (_, second) = world.get("/pulls/1").await;
    assert_eq!((&first["mergeable"], &second["mergeable"]), (&Value::Null, &json!(true)));
    let pull = world.infra.only_pull_request();
    pull.approve("alice");
    let merged = pull.merge("alice", MergeMethod::Squash);
    assert_eq!(world.infra.head("main"), Some(merged.clone()));
    let (_, after) = world.get("/pulls/1").await;
    assert_eq!((&after["merged"], &after["merge_commit_sha"]), (&json!(true), &json!(merged)));
    let events = world.events().await;
    for expected in [
        "create",
        "push",
        "pull_request.opened",
        "pull_request_review.submitted",
        "pull_request.closed",
    ] {
        assert!(events.iter().any(|it| it == expected), "{expected} is not in {events:?}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_done_before_is_answered_in_part() {
    let world = World::start().await;
    world.propose("towpath/create/1", "a.tf").await;
    let again = world.propose("towpath/create/1", "a.tf").await;
    let errors = again["errors"].as_array().unwrap();
    let told: Vec<_> = errors
        .iter()
        .map(|it| (it["path"][0].as_str().unwrap(), it["type"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("createRef", "UNPROCESSABLE"),
            ("createCommitOnBranch", "STALE_DATA"),
            ("createPullRequest", "UNPROCESSABLE")
        ]
    );
    assert_eq!(errors[2]["message"], "A pull request already exists for acme:towpath/create/1.");
    assert_eq!(again["data"]["createRef"], Value::Null);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_finds_what_stands() {
    let world = World::start().await;
    world.propose("towpath/create/1", "infra/a.tf").await;
    let answer = world
        .graphql(
            r#"query Q($owner: String!, $name: String!) {
                repository(owner: $owner, name: $name) {
                    id nameWithOwner
                    defaultBranchRef { name target { oid } }
                    ref(qualifiedName: "refs/heads/towpath/create/1") {
                        target { oid }
                        associatedPullRequests(first: 5, states: [OPEN]) { nodes { number state merged mergeable reviewDecision mergeCommit { oid } mergedBy { login } } }
                    }
                    folder: object(expression: "towpath/create/1:infra") { ... on Tree { entries { name path mode type oid object { ... on Blob { oid byteSize isBinary isTruncated text } } } } }
                    missing: object(expression: "main:infra") { oid }
                    label(name: "none") { id name }
                }
                rateLimit { cost remaining resetAt }
            }"#,
            json!({"owner": "acme", "name": "infrastructure"}),
        )
        .await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let repository = &answer["data"]["repository"];
    assert_eq!(repository["folder"]["entries"][0]["object"]["text"], "hello\n");
    assert_eq!(repository["missing"], Value::Null);
    assert_eq!(repository["ref"]["associatedPullRequests"]["nodes"][0]["number"], 1);
    let gone =
        world.graphql("{ repository(owner: \"acme\", name: \"gone\") { id } }", json!({})).await;
    assert_eq!(gone["errors"][0]["type"], "NOT_FOUND");
    assert_eq!(gone["data"]["repository"], Value::Null);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatched_run_is_followed_to_its_end() {
    let world = World::start().await;
    let path = "/actions/workflows/deploy.yml/dispatches";
    let (status, refused) =
        world.post(path, json!({"ref": "main", "inputs": {"other": "x"}})).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (422, Some("Unexpected inputs provided: [\"other\"]"))
    );
    let body = json!({"ref": "main", "inputs": {"name": "web"}, "return_run_details": true});
    let (status, run) = world.post(path, body).await;
    assert_eq!(status, 200);
    let id = run["workflow_run_id"].as_u64().unwrap();
    let driven = world.infra.workflow_run(id);
    assert_eq!(driven.now().display_title, "Deploy web");
    driven.start();
    driven.job_queued("deploy");
    driven.job_waiting("deploy", "production");
    let (_, pending) = world.get(&format!("/actions/runs/{id}/pending_deployments")).await;
    assert_eq!(pending[0]["environment"]["name"], "production");
    driven.approve("production");
    driven.job_started("deploy");
    driven.log("deploy", "hello");
    driven.step("deploy", "Say hello", 1, "failure");
    driven.job_completed("deploy", "failure");
    driven.artifact("plan", b"PK".to_vec());
    driven.complete("failure");
    let (_, jobs) = world.get(&format!("/actions/runs/{id}/jobs?filter=latest")).await;
    let job = jobs["jobs"][0]["id"].as_u64().unwrap();
    let (status, link) = world.get(&format!("/actions/jobs/{job}/logs")).await;
    assert_eq!(status, 302);
    let link = link.as_str().unwrap();
    let log = world.client.get(link).send().await.unwrap().text().await.unwrap();
    assert!(log.contains("hello"), "{log}");
    assert_eq!(world.client.get(link).bearer_auth("x").send().await.unwrap().status(), 400);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(world.client.get(link).send().await.unwrap().status(), 403);
    let (_, artifacts) = world.get(&format!("/actions/runs/{id}/artifacts")).await;
    assert_eq!(artifacts["artifacts"][0]["name"], "plan");
    let (_, runs) =
        world.get("/actions/workflows/deploy.yml/runs?event=workflow_dispatch&branch=main").await;
    assert_eq!(runs["workflow_runs"][0]["conclusion"], "failure");
    let (status, _) = world.post(&format!("/actions/runs/{id}/rerun"), json!({})).await;
    assert_eq!((status, driven.now().attempt), (201, 2));
    let events = world.events().await;
    let expected = [
        "workflow_dispatch",
        "workflow_run.requested",
        "workflow_run.in_progress",
        "workflow_job.queued",
        "deployment.created",
        "workflow_job.waiting",
        "workflow_job.queued",
    ];
    assert_eq!(&events[..7], expected, "{events:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_reads_and_writes_pass_the_whole_round() {
    let world = World::start().await;
    let base = world.infra.head("main").unwrap();
    let (_, commit) = world.get(&format!("/git/commits/{base}")).await;
    let (status, blob) =
        world.post("/git/blobs", json!({"content": "aGk=", "encoding": "base64"})).await;
    assert_eq!(status, 201);
    let tree = json!({"base_tree": commit["tree"]["sha"], "tree": [{"path": "run.sh", "mode": "100755", "type": "blob", "sha": blob["sha"]}]});
    let (_, tree) = world.post("/git/trees", tree).await;
    let (_, made) = world
        .post("/git/commits", json!({"message": "Add", "tree": tree["sha"], "parents": [base]}))
        .await;
    assert_eq!(made["verification"]["verified"], true);
    let (status, _) =
        world.post("/git/refs", json!({"ref": "refs/heads/b", "sha": made["sha"]})).await;
    assert_eq!(status, 201);
    let (status, twice) =
        world.post("/git/refs", json!({"ref": "refs/heads/b", "sha": made["sha"]})).await;
    assert_eq!((status, twice["message"].as_str()), (422, Some("Reference already exists")));
    let (status, pull) =
        world.post("/pulls", json!({"title": "T", "head": "b", "base": "main"})).await;
    assert_eq!(status, 201, "{pull}");
    let (status, refused) =
        world.post("/pulls/1/requested_reviewers", json!({"reviewers": ["stranger"]})).await;
    assert_eq!(status, 422, "{refused}");
    world.infra.add_collaborator("alice", "write");
    world.infra.create_environment("production", true);
    assert_eq!(
        world.post("/pulls/1/requested_reviewers", json!({"reviewers": ["alice"]})).await.0,
        201
    );
    assert_eq!(world.post("/issues/1/labels", json!({"labels": ["infra"]})).await.0, 200);
    assert_eq!(world.post("/issues/1/comments", json!({"body": "hello"})).await.0, 201);
    assert_eq!(
        world
            .post(&format!("/statuses/{base}"), json!({"state": "success", "context": "plan"}))
            .await
            .0,
        201
    );
    let check = json!({"name": "plan", "head_sha": base, "status": "completed", "conclusion": "success", "output": {"title": "t", "summary": "s"}});
    assert_eq!(world.post("/check-runs", check).await.0, 201);
    let note = json!({"path": "README.md", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m"});
    let output =
        |notes: usize| json!({"title": "t", "summary": "s", "annotations": vec![&note; notes]});
    let button = json!({"label": "Again", "description": "Once more", "identifier": "again"});
    let check = json!({"name": "mine", "head_sha": base, "conclusion": "failure", "output": output(50), "actions": [button]});
    let (status, made) = world.post("/check-runs", check.clone()).await;
    assert_eq!(status, 201, "{made}");
    let (status, refused) = world
        .post("/check-runs", json!({"name": "mine", "head_sha": base, "output": output(51)}))
        .await;
    assert_eq!(status, 422, "{refused}");
    let path = format!("/check-runs/{}", made["id"]);
    let url = format!("/repos/acme/infrastructure{path}");
    let more = json!({"output": output(1)});
    let changed = world.send(Method::PATCH, &url, &world.token, &more).await;
    assert_eq!(changed.1["output"]["annotations_count"], 51, "{changed:?}");
    let (_, listed) = world.get(&format!("{path}/annotations?per_page=100")).await;
    assert_eq!(listed.as_array().unwrap().len(), 51);
    world.infra.press_check("alice", made["id"].as_u64().unwrap(), "again");
    let (_, deployment) = world.post("/deployments", json!({"ref": "main", "environment": "production", "auto_merge": false, "required_contexts": []})).await;
    let path = format!("/deployments/{}/statuses", deployment["id"]);
    assert_eq!(world.post(&path, json!({"state": "success"})).await.0, 201);
    for path in [
        "",
        "/branches",
        "/branches/main",
        "/commits",
        "/commits/main",
        "/commits/main/status",
        "/commits/main/check-runs",
        "/compare/main...b",
        "/git/ref/heads/b",
        "/git/trees/b?recursive=1",
        "/contents/README.md",
        "/contents/.github",
        "/pulls?head=acme:b",
        "/pulls/1/files",
        "/pulls/1/commits",
        "/pulls/1/reviews",
        "/pulls/1/requested_reviewers",
        "/labels",
        "/actions/workflows",
        "/actions/workflows/deploy.yml",
        "/actions/runs",
        "/environments",
        "/deployments",
        "/actions/secrets/public-key",
        "/environments/production/secrets/public-key",
        "/git/matching-refs/heads/",
        "/collaborators/alice/permission",
        "/rules/branches/main",
        "/issues/1/comments",
    ] {
        let (status, body) = world.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
    }
    for path in [
        "/app",
        "/app/installations",
        "/app/hook/config",
        "/app/hook/deliveries",
        "/repos/acme/infrastructure/installation",
    ] {
        assert_eq!(world.as_app(Method::GET, path).await.0, 200, "{path}");
    }
    let put = json!({"message": "Write", "content": "aGk=", "branch": "b"});
    let (status, _) = world
        .send(Method::PUT, "/repos/acme/infrastructure/contents/new.txt", &world.token, &put)
        .await;
    assert_eq!(status, 201);
    assert_eq!(world.send(Method::GET, "/rate_limit", &world.token, &Value::Null).await.0, 200);
    assert_eq!(
        world.send(Method::GET, "/installation/repositories", &world.token, &Value::Null).await.0,
        200
    );
    world.github.webhooks_delivered().await;
    let (_, log) = world.as_app(Method::GET, "/app/hook/deliveries?per_page=1").await;
    let path = format!("/app/hook/deliveries/{}", log[0]["id"]);
    assert_eq!(world.as_app(Method::GET, &path).await.0, 200);
    assert_eq!(world.as_app(Method::POST, &format!("{path}/attempts")).await.0, 202);
    let pull = world.infra.pull_request(1);
    pull.enqueue("alice");
    pull.merge_from_queue();
    world.github.suspend("acme", true);
    world.github.suspend("acme", false);
    world.infra.push("alice", "c", &[("README.md", None)], "Remove");
    world.infra.delete_branch("alice", "c");
    world.events().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_refused() {
    let mut world = World::start().await;
    let (status, _) = world.send(Method::GET, "/app", "ghs_unknown", &Value::Null).await;
    assert_eq!(status, 401);
    world.github.grant("acme", "actions", Some("read"));
    world.mint().await;
    let (status, refused) =
        world.post("/actions/workflows/deploy.yml/dispatches", json!({"ref": "main"})).await;
    assert_eq!(
        (status, refused["message"].as_str()),
        (403, Some("Resource not accessible by integration"))
    );
    world.clock.advance(Duration::from_secs(3601));
    assert_eq!(world.get("").await.0, 401);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_lost_after_the_work_is_done() {
    let world = World::start().await;
    world.github.reset_requests();
    world.github.fail_next("createRef", Fault::LoseAnswer);
    let body = json!({"query": "mutation M($i: CreateRefInput!) { createRef(input: $i) { ref { name } } }", "variables": {"i": {
        "repositoryId": world.infra.node_id(), "name": "refs/heads/x", "oid": world.infra.head("main")}}});
    let answer = world.try_send(Method::POST, "/graphql", &world.token, &body).await;
    // The checker, as a proxy, turns a broken connection into a 502.
    assert!(answer.map_or(true, |(status, _)| status == 502));
    assert_eq!(world.infra.head("x"), world.infra.head("main"));
    let counted: Vec<String> = world
        .github
        .requests()
        .iter()
        .map(towpath::sandbox::github::RecordedRequest::operation)
        .collect();
    assert_eq!(counted, ["graphql createRef"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_in_the_order_a_test_wants() {
    let world = World::start().await;
    world.github.hold_webhooks();
    world.infra.push("alice", "feature", &[("a.txt", Some("a"))], "Add a");
    let held = world.github.held_webhooks();
    let ids: Vec<u64> = held.iter().rev().map(|it| it.id).collect();
    world.github.release_webhooks(&ids);
    world.github.release_webhooks(&ids[..1]);
    let events = world.events().await;
    assert_eq!(events, ["push", "push", "create", "push"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_secret_can_be_opened_by_the_repository() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use dryoc::dryocbox::{DryocBox, PublicKey};
    let world = World::start().await;
    let (_, key) = world.get("/actions/secrets/public-key").await;
    let bytes = STANDARD.decode(key["key"].as_str().unwrap()).unwrap();
    let recipient = PublicKey::try_from(bytes.as_slice()).unwrap();
    let sealed = DryocBox::seal_to_vecbox(b"hunter2", &recipient).unwrap();
    let body =
        json!({"encrypted_value": STANDARD.encode(sealed.to_vec()), "key_id": key["key_id"]});
    let path = "/repos/acme/infrastructure/actions/secrets/TOKEN";
    let (status, told) = world.send(Method::PUT, path, &world.token, &body).await;
    assert_eq!(status, 201, "{told}");
    assert_eq!(world.infra.secret("TOKEN").as_deref(), Some("hunter2"));
    world.end().await;
}

struct ReadsReadme;

impl WorkflowRunner for ReadsReadme {
    fn run(&self, job: WorkflowJobRequest, report: RunReporter) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let readme = std::fs::read_to_string(job.workspace.join("README.md")).unwrap();
            report.report(Report::JobStarted { name: "deploy".to_owned() });
            report.report(Report::Log { job: "deploy".to_owned(), line: readme });
            let conclusion = "success".to_owned();
            report.report(Report::RunCompleted { conclusion });
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_finds_the_files_of_the_commit_and_its_report_is_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = SandboxConfig::new(directory.path().to_owned(), Clock::system());
    config.runner = Some(Arc::new(ReadsReadme));
    let github = Sandbox::start(config).await.unwrap();
    let push = "on: push\njobs:\n  deploy:\n    runs-on: ubuntu-latest\n";
    let infra = github.create_repository(
        "acme/infrastructure",
        &[("README.md", "hello"), (".github/workflows/push.yml", push)],
    );
    infra.push("alice", "main", &[("a.tf", Some("a"))], "Add a");
    infra.last_workflow_run().ended().await;
    assert_eq!(infra.last_workflow_run().now().conclusion.as_deref(), Some("success"));
    github.shutdown().await;
}
