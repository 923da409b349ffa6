//! The calls of this room against a small GitHub: what goes over the wire, and what is made of
//! what comes back.

use base64::Engine as _;
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::time::Duration;

use super::fake::{Fake, Reply, claims_of, infra};
use super::*;
use crate::domain::CommitSha;
use crate::domain::check::{Annotation, AnnotationLevel, Check};
use crate::domain::observation::{Conclusion, SignalKind, Verdict};
use crate::domain::standing::{FileAddition, FileChanges, FileMode, Proposal, ReviewerId};
use crate::domain::{PullRequestNumber, WorkflowRunId};

const DISPATCH: &str = "POST /repos/acme/infra/actions/workflows/deploy.yml/dispatches";

fn send(status: u16, body: Value) -> Reply {
    (status, body).into()
}

fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

fn proposal() -> Proposal {
    let file =
        FileAddition { path: "a/main.tf".to_owned(), contents: b"x".to_vec(), executable: false };
    Proposal {
        repository: infra(),
        repository_node_id: "R_1".to_owned(),
        base: BranchName::new("main").unwrap(),
        base_sha: sha('a'),
        branch: BranchName::new("towpath/add/r_1").unwrap(),
        headline: "Add".to_owned(),
        message: String::new(),
        changes: FileChanges { additions: vec![file], deletions: vec!["a/old.tf".to_owned()] },
        title: "Add".to_owned(),
        body: "Body".to_owned(),
        draft: false,
        new_labels: vec!["towpath".to_owned()],
    }
}

fn pull() -> Value {
    json!({
        "id": "PR_1", "number": 7, "url": "https://x/7", "state": "OPEN", "isDraft": false,
        "isInMergeQueue": false, "isCrossRepository": false, "headRefName": "towpath/add/r_1",
        "headRefOid": sha('b'), "baseRefName": "main", "mergeCommit": null, "mergedBy": null,
    })
}

async fn dispatch(app: &GitHub) -> Result<Dispatched, Error> {
    let mut inputs = Map::new();
    inputs.insert("size".to_owned(), json!("small"));
    app.dispatch_workflow(&infra(), "deploy.yml", "main", &inputs).await
}

#[tokio::test]
async fn a_request_says_who_asks_which_version_and_once() {
    let fake = Fake::start().await;
    fake.on(DISPATCH, [send(200, json!({"workflow_run_id": 9, "run_url": "u", "html_url": "h"}))]);
    let done = dispatch(&fake.app()).await.unwrap();
    assert_eq!(done.workflow_run, Some((WorkflowRunId(9), "h".to_owned())));

    let lookup = &fake.seen("GET /orgs/acme/installation")[0];
    let jwt = lookup.header("authorization")[0].strip_prefix("Bearer ").unwrap().to_owned();
    assert_eq!(claims_of(&jwt)["iss"], "4711");
    let mint = &fake.seen("POST /app/installations/1/access_tokens")[0];
    assert_eq!(mint.header("authorization"), [format!("Bearer {jwt}")]);
    let sent = &fake.seen(DISPATCH)[0];
    assert_eq!(sent.header("authorization"), ["Bearer ghs_1"]);
    let version = concat!("towpath/", env!("CARGO_PKG_VERSION"));
    for seen in [lookup, mint, sent] {
        assert_eq!(seen.header("x-github-api-version"), ["2022-11-28"]);
        assert_eq!(seen.header("user-agent"), [version]);
        assert_eq!(seen.header("accept"), ["application/vnd.github+json"]);
    }
    let expected = json!({"ref": "main", "inputs": {"size": "small"}, "return_run_details": true});
    assert_eq!(sent.body, expected);
}

#[tokio::test]
async fn ten_calls_at_once_need_one_token() {
    let fake = Fake::start().await;
    fake.on("GET /repos/acme/infra", [send(200, json!({"default_branch": "main"}))]);
    let app = fake.app();
    let repository = infra();
    let calls = (0..10).map(|_| app.default_branch(&repository));
    assert!(join_all(calls).await.into_iter().all(|branch| branch.is_ok()));
    assert_eq!(fake.seen("POST /app/installations/1/access_tokens").len(), 1);
    assert_eq!(fake.seen("GET /orgs/acme/installation").len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let fake = Fake::start().await;
    fake.on(DISPATCH, [send(204, Value::Null)]);
    let app = fake.app();
    for (minutes, tokens) in [(0, 1), (50, 1), (6, 2)] {
        fake.clock.advance(Duration::from_secs(minutes * 60));
        dispatch(&app).await.unwrap();
        let minted = fake.seen("POST /app/installations/1/access_tokens").len();
        assert_eq!(minted, tokens, "after {minutes} minutes more");
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_repeated_once() {
    let fake = Fake::start().await;
    let refused = send(401, json!({"message": "Bad credentials"}));
    fake.on(DISPATCH, [refused.clone(), send(204, Value::Null), refused]);
    let app = fake.app();
    dispatch(&app).await.unwrap();
    let used: Vec<_> =
        fake.seen(DISPATCH).iter().map(|seen| seen.header("authorization")[0].to_owned()).collect();
    assert_eq!(used, ["Bearer ghs_1", "Bearer ghs_2"]);

    assert!(matches!(dispatch(&app).await, Err(Error::Unavailable { .. })));
    assert_eq!(fake.seen(DISPATCH).len(), 4);
}

#[tokio::test]
async fn an_installation_that_was_made_anew_is_found() {
    let fake = Fake::start().await;
    fake.on(
        "GET /orgs/acme/installation",
        [send(200, json!({"id": 1})), send(200, json!({"id": 2}))],
    );
    let gone = send(404, json!({"message": "Not Found"}));
    let token =
        json!({"token": "ghs_a", "expires_at": fake.clock.now() + chrono::TimeDelta::hours(1)});
    fake.on("POST /app/installations/1/access_tokens", [send(201, token), gone]);
    fake.on(
        DISPATCH,
        [
            send(204, Value::Null),
            send(401, json!({"message": "Bad credentials"})),
            send(204, Value::Null),
        ],
    );
    let app = fake.app();
    dispatch(&app).await.unwrap();
    dispatch(&app).await.unwrap();
    assert_eq!(fake.seen("POST /app/installations/2/access_tokens").len(), 1);
}

#[tokio::test]
async fn a_lost_write_is_sent_once_and_unclear() {
    let fake = Fake::start().await;
    fake.on(DISPATCH, [send(502, json!({})), Reply::HangUp]);
    let app = fake.app();
    for sent in 1..=2 {
        let lost = dispatch(&app).await;
        assert!(matches!(lost, Err(Error::Unclear { .. })), "{lost:?}");
        assert_eq!(fake.seen(DISPATCH).len(), sent);
    }
}

#[tokio::test]
async fn a_write_that_found_no_connection_was_not_done() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let settings = Settings {
        api_url: format!("http://{address}"),
        app: "4711".to_owned(),
        private_key: SecretString::from(super::fake::KEY),
    };
    let gone = GitHub::new(&settings, Clock::system()).unwrap();
    let call = Call::write(Method::POST, "writing", "/x", json!({}));
    let lost = gone.inner.installations.call_as_app(&call).await;
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
}

#[tokio::test]
async fn an_older_server_is_asked_without_run_details_and_remembered() {
    let fake = Fake::start().await;
    let message = "Invalid request. \"return_run_details\" is not a permitted key.";
    fake.on(DISPATCH, [send(422, json!({"message": message})), send(204, Value::Null)]);
    let app = fake.app();
    for _ in 0..2 {
        assert_eq!(dispatch(&app).await.unwrap().workflow_run, None);
    }
    let asked = fake.seen(DISPATCH);
    let with = asked.iter().map(|seen| seen.body.get("return_run_details").is_some());
    assert_eq!(with.collect::<Vec<_>>(), [true, false, false]);
}

#[tokio::test]
async fn a_limit_that_graphql_says_in_a_200_is_a_limit() {
    let fake = Fake::start().await;
    let error = json!({"path": ["createPullRequest"],
        "message": "was submitted too quickly (createPullRequest)"});
    let data = json!({"createCommitOnBranch": {"commit": {"oid": sha('b')}}});
    fake.on("POST /graphql", [send(200, json!({"data": data, "errors": [error]}))]);
    let limited = fake.app().propose(&proposal(), ProposalState::default()).await;
    let Err(Error::RateLimited { until, .. }) = limited else { panic!("{limited:?}") };
    let wait = until - fake.clock.now();
    assert!((55..=60).contains(&wait.num_seconds()), "{wait}");
}

#[tokio::test]
async fn what_github_would_refuse_is_not_sent() {
    let fake = Fake::start().await;
    let limits = "retry-after: 600\r\nx-ratelimit-resource: core\r\nx-ratelimit-limit: 5000\r\n\
                  x-ratelimit-remaining: 4000\r\nx-ratelimit-reset: 4000000000\r\n";
    fake.on(DISPATCH, [Reply::Send(429, limits.to_owned(), b"{}".to_vec())]);
    let app = fake.app();
    for _ in 0..3 {
        let limited = dispatch(&app).await;
        let Err(Error::RateLimited { until, .. }) = limited else { panic!("{limited:?}") };
        assert!((595..=600).contains(&(until - fake.clock.now()).num_seconds()), "{until}");
    }
    let graphql = app.propose(&proposal(), ProposalState::default()).await;
    assert!(matches!(graphql, Err(Error::RateLimited { .. })), "both have the one limit");
    assert_eq!((fake.seen(DISPATCH).len(), fake.seen("POST /graphql").len()), (1, 0));
    fake.clock.advance(Duration::from_secs(601));
    let _refused_again = dispatch(&app).await;
    assert_eq!(fake.seen(DISPATCH).len(), 2);
}

#[tokio::test]
async fn a_proposal_is_one_request_and_a_part_of_it_counts() {
    let fake = Fake::start().await;
    let commit = json!({"commit": {"oid": sha('b')}});
    fake.on("POST /graphql", [
        send(200, json!({"data": {
            "createRef": {"ref": {"name": "x"}}, "createCommitOnBranch": commit,
            "createPullRequest": {"pullRequest": pull()},
            "label0": {"label": {"id": "L_1", "name": "towpath"}}}})),
        send(200, json!({
            "data": {"createRef": null, "createCommitOnBranch": commit, "createPullRequest": null},
            "errors": [{"type": "UNPROCESSABLE", "path": ["createPullRequest"], "message": "No."}]})),
        send(200, json!({
            "data": {"createRef": null, "createCommitOnBranch": null, "createPullRequest": null},
            "errors": [
                {"type": "UNPROCESSABLE", "path": ["createRef"], "message": "exists"},
                {"type": "STALE_DATA", "path": ["createCommitOnBranch"], "message": "moved"}]})),
        send(200, json!({"data": {"createPullRequest": {"pullRequest": pull()}}})),
    ]);
    let app = fake.app();
    let whole = app.propose(&proposal(), ProposalState::default()).await.unwrap();
    assert_eq!(whole.commit, Some(sha('b')));
    assert_eq!(whole.pull_request.unwrap().number.0, 7);
    assert_eq!(whole.labels, [("towpath".to_owned(), "L_1".to_owned())]);
    assert!(whole.refused.is_empty());

    let part = app.propose(&proposal(), ProposalState::default()).await.unwrap();
    assert_eq!((part.commit, part.pull_request), (Some(sha('b')), None));
    assert_eq!(part.refused, ["No."]);

    let moved = app.propose(&proposal(), ProposalState::default()).await;
    assert!(
        matches!(&moved, Err(Error::Conflict { message, .. }) if message == "moved"),
        "{moved:?}"
    );

    let rest = ProposalState { branch_exists: true, commit_exists: true };
    app.propose(&proposal(), rest).await.unwrap();
    let variables = fake.seen("POST /graphql")[3].body["variables"].clone();
    assert!(variables.get("commit").is_none() && variables.get("pull").is_some());
}

#[tokio::test]
async fn one_look_tells_what_stands_and_leaves_out_who_is_not_there() {
    let fake = Fake::start().await;
    let blob = |text: &str| json!({"oid": "ignored", "text": text, "isBinary": false, "isTruncated": false});
    let entry = |name: &str, mode: u32, object: Value| json!({"name": name, "mode": mode, "oid": sha('c'), "object": object});
    let tree = json!({"entries": [
        entry("run.sh", 0o100_755, blob("#!")),
        entry("sub", 0o040_000, json!({"oid": "t", "entries": [entry("main.tf", 0o100_644, blob("x"))]})),
        entry("deep", 0o040_000, json!({"oid": "t"})),
    ]});
    fake.on("POST /graphql", [
        send(200, json!({
            "data": {
                "repository": {
                    "id": "R_1", "nameWithOwner": "acme/infra-renamed",
                    "base": {"name": "main", "target": {"oid": sha('a')}},
                    "own": null, "tree": tree, "pullRequests": {"nodes": []},
                    "label0": {"id": "L_1", "name": "towpath"}, "label1": null,
                },
                "reviewer0": {"id": "U_1"}, "reviewer1": null, "reviewer2": {"team": {"id": "T_1"}},
            },
            "errors": [{"type": "NOT_FOUND", "path": ["reviewer1"], "message": "no such user"}],
        })),
        send(200, json!({"data": {"repository": {"object0":
            {"entries": [entry("leaf.tf", 0o100_644, blob("y"))]}}}})),
    ]);
    let app = fake.app();
    let standing = app
        .look_at_target(TargetQuestion {
            repository: &infra(),
            base: None,
            path: "clusters/a",
            branch: &BranchName::new("towpath/add/r_1").unwrap(),
            labels: &["towpath".to_owned(), "none".to_owned()],
            reviewers: &["octocat".to_owned(), "nobody".to_owned(), "@acme/devops".to_owned()],
        })
        .await
        .unwrap();
    assert_eq!(standing.repository.to_string(), "acme/infra-renamed");
    assert_eq!((standing.base.as_str(), &standing.base_sha), ("main", &sha('a')));
    let files: Vec<_> =
        standing.files.iter().map(|f| (f.path.as_str(), f.mode, f.text.as_deref())).collect();
    assert_eq!(
        files,
        [
            ("clusters/a/deep/leaf.tf", FileMode::Regular, Some("y")),
            ("clusters/a/run.sh", FileMode::Executable, Some("#!")),
            ("clusters/a/sub/main.tf", FileMode::Regular, Some("x")),
        ]
    );
    assert_eq!(standing.labels, [("towpath".to_owned(), "L_1".to_owned())]);
    assert_eq!(
        standing.reviewers,
        [
            ("octocat".to_owned(), ReviewerId::User("U_1".to_owned())),
            ("@acme/devops".to_owned(), ReviewerId::Team("T_1".to_owned())),
        ]
    );
    let asked = &fake.seen("POST /graphql")[0].body["variables"];
    assert_eq!(asked["tree"], "HEAD:clusters/a");
    assert_eq!(asked["own"], "refs/heads/towpath/add/r_1");
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_named() {
    let fake = Fake::start().await;
    fake.on(
        "POST /graphql",
        [send(
            200,
            json!({"data": {"repository": null}, "errors":
        [{"type": "NOT_FOUND", "path": ["repository"], "message": "no"}]}),
        )],
    );
    let app = fake.app();
    let error = app
        .look_at_target(TargetQuestion {
            repository: &infra(),
            base: None,
            path: "",
            branch: &BranchName::new("x").unwrap(),
            labels: &[],
            reviewers: &[],
        })
        .await
        .unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("acme/infra"), "{error}");
}

#[tokio::test]
async fn a_redirect_to_another_host_is_followed_without_the_token() {
    let (fake, storage) = (Fake::start().await, Fake::start().await);
    let job = json!({"id": 5, "name": "apply", "html_url": "j", "conclusion": "failure",
        "steps": [{"name": "Set up", "conclusion": "success"},
                  {"name": "Apply", "conclusion": "failure"}]});
    fake.on(
        "GET /repos/acme/infra/actions/runs/9/attempts/2/jobs",
        [send(200, json!({"jobs": [job]}))],
    );
    let location = format!("location: {}/signed?sig=1\r\n", storage.url);
    fake.on("GET /repos/acme/infra/actions/jobs/5/logs", [Reply::Send(302, location, Vec::new())]);
    let log = b"2026-01-31T12:00:00.0000000Z Error: quota\n".to_vec();
    storage.on("GET /signed", [Reply::Send(200, String::new(), log)]);
    let why = fake.app().explain_failure(&infra(), WorkflowRunId(9), 2).await.unwrap();
    assert_eq!((why.job.as_deref(), why.step.as_deref()), (Some("apply"), Some("Apply")));
    assert_eq!(why.log_tail, ["Error: quota"]);
    assert!(storage.seen("GET /signed")[0].header("authorization").is_empty());
}

#[tokio::test]
async fn a_write_follows_a_renamed_repository_with_its_body() {
    let fake = Fake::start().await;
    let moved = format!("location: {}/repositories/1/dispatches\r\n", fake.url);
    fake.on(DISPATCH, [Reply::Send(307, moved, b"{}".to_vec())]);
    fake.on("POST /repositories/1/dispatches", [send(204, Value::Null)]);
    dispatch(&fake.app()).await.unwrap();
    let sent = &fake.seen("POST /repositories/1/dispatches")[0];
    assert_eq!(sent.body["ref"], "main");
    assert_eq!(sent.header("authorization"), ["Bearer ghs_1"]);
}

#[tokio::test]
async fn who_has_not_installed_the_app_is_told_where() {
    let fake = Fake::start().await;
    let elsewhere = RepositoryName::new("globex", "infra").unwrap();
    let error = fake.app().default_branch(&elsewhere).await.unwrap_err();
    assert_eq!(
        error.sentence(),
        "Towpath is not installed on globex. Install it at https://x/apps/towpath/installations/new"
    );
    fake.on(
        "GET /orgs/hooli/installation",
        [send(200, json!({"id": 3, "suspended_at": "2026-01-01"}))],
    );
    let suspended = RepositoryName::new("hooli", "infra").unwrap();
    let error = fake.app().default_branch(&suspended).await.unwrap_err();
    assert_eq!(error, Error::Suspended { owner: "hooli".to_owned() });
}

#[tokio::test]
async fn one_reviewer_who_cannot_be_asked_keeps_no_other_from_being_asked() {
    let fake = Fake::start().await;
    let unknown = json!({"type": "NOT_FOUND", "path": ["labels"],
        "message": "Could not resolve to a node with the global id of 'PR_1'."});
    fake.on(
        "POST /graphql",
        [
            send(
                200,
                json!({"data": {"reviewer0": null, "reviewer1": {}}, "errors":
            [{"type": "UNPROCESSABLE", "path": ["reviewer0"], "message": "not a collaborator"}]}),
            ),
            send(200, json!({"data": {"labels": null}, "errors": [unknown]})),
        ],
    );
    let app = fake.app();
    let reviewers = [
        ("octocat".to_owned(), ReviewerId::User("U_1".to_owned())),
        ("@acme/devops".to_owned(), ReviewerId::Team("T_1".to_owned())),
    ];
    let labels = [("towpath".to_owned(), "L_1".to_owned())];
    let refused = app.decorate(&infra(), "PR_1", &labels, &reviewers).await.unwrap();
    assert_eq!(refused, ["octocat could not be asked for a review: not a collaborator"]);
    let variables = fake.seen("POST /graphql")[0].body["variables"].clone();
    assert_eq!(variables["reviewer1"]["teamIds"], json!(["T_1"]));
    let early = app.decorate(&infra(), "PR_1", &labels, &reviewers).await;
    assert!(matches!(early, Err(Error::Unavailable { .. })), "{early:?}");
}

#[tokio::test]
async fn executable_bits_go_by_git_data_and_the_pull_request_by_graphql() {
    let fake = Fake::start().await;
    let tree = |digit| json!({"sha": sha(digit)});
    fake.on(
        "GET /repos/acme/infra/git/commits/",
        [send(200, json!({"sha": "x", "tree": tree('1')}))],
    );
    fake.on("POST /repos/acme/infra/git/blobs", [send(201, tree('2'))]);
    fake.on("POST /repos/acme/infra/git/trees", [send(201, tree('3'))]);
    fake.on("POST /repos/acme/infra/git/commits", [send(201, tree('b'))]);
    fake.on("PATCH /repos/acme/infra/git/refs/heads/towpath/add/r_1", [send(200, json!({}))]);
    let made = json!({"data": {"createPullRequest": {"pullRequest": pull()}}});
    fake.on("POST /graphql", [send(200, made)]);
    let mut proposal = proposal();
    proposal.changes.additions = vec![
        FileAddition { path: "run.sh".to_owned(), contents: b"#!".to_vec(), executable: true },
        FileAddition { path: "x.bin".to_owned(), contents: vec![0xff], executable: false },
    ];
    let state = ProposalState { branch_exists: true, commit_exists: false };
    let proposed = fake.app().propose_by_git_data(&proposal, state).await.unwrap();
    assert_eq!(proposed.commit, Some(sha('b')));
    assert!(proposed.pull_request.is_some());
    let tree = &fake.seen("POST /repos/acme/infra/git/trees")[0].body;
    assert_eq!(
        tree["tree"],
        json!([
            {"path": "run.sh", "mode": "100755", "type": "blob", "content": "#!"},
            {"path": "x.bin", "mode": "100644", "type": "blob", "sha": sha('2')},
            {"path": "a/old.tf", "mode": "100644", "type": "blob", "sha": null},
        ])
    );
    let commit = &fake.seen("POST /repos/acme/infra/git/commits")[0].body;
    assert!(commit.get("author").is_none(), "a commit with an author is not signed by GitHub");
    let force = &fake.seen("PATCH /repos/acme/infra/git/refs")[0].body;
    assert_eq!(*force, json!({"sha": sha('b'), "force": true}));
}

#[tokio::test]
async fn a_tree_too_large_for_one_answer_is_read_folder_by_folder() {
    let fake = Fake::start().await;
    let entry =
        |path: &str, kind: &str| json!({"path": path, "type": kind, "sha": format!("tree-{path}")});
    let root = format!("GET /repos/acme/infra/git/trees/{}", sha('a'));
    fake.on(&format!("{root}?recursive=1"), [send(200, json!({"tree": [], "truncated": true}))]);
    fake.on(
        &root,
        [send(200, json!({"tree": [entry(".towpath.yml", "blob"), entry("one", "tree")]}))],
    );
    fake.on(
        "GET /repos/acme/infra/git/trees/tree-one?recursive=1",
        [send(
            200,
            json!({"tree":
        [entry("two", "tree"), entry("two/.towpath.yml", "blob"), entry("x.towpath.yml", "blob")]}),
        )],
    );
    let found = fake.app().find_manifests(&infra(), &sha('a')).await.unwrap();
    assert_eq!(found, [".towpath.yml", "one/two/.towpath.yml"]);
}

#[tokio::test]
async fn texts_are_read_by_one_query_and_large_ones_whole() {
    let fake = Fake::start().await;
    fake.on(
        "POST /graphql",
        [send(
            200,
            json!({"data": {"repository": {
                "object0": {"oid": "1", "text": "one", "isBinary": false, "isTruncated": false},
                "object1": null,
                "object2": {"oid": "2", "text": "beg", "isBinary": false, "isTruncated": true},
            }}}),
        )],
    );
    let content = base64::prelude::BASE64_STANDARD.encode("beginning and end");
    fake.on(
        "GET /repos/acme/infra/git/blobs/2",
        [send(200, json!({"content": content, "sha": "2"}))],
    );
    let paths = ["a", "none", "large"].map(str::to_owned);
    let texts = fake.app().read_texts(&infra(), &sha('a'), &paths).await.unwrap();
    let told: Vec<_> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(told, [("a", "one"), ("large", "beginning and end")]);

    let app = fake.app();
    let blobs = ["1".repeat(40), "2".repeat(40)];
    let read = app.read_blobs(&infra(), &blobs).await.unwrap();
    assert_eq!(read, [(blobs[0].clone(), "one".to_owned())]);
}

#[tokio::test]
async fn errors_and_debug_output_hold_no_secret() {
    let fake = Fake::start().await;
    fake.on(
        "GET /repos/acme/infra/actions/secrets/public-key",
        [send(200, json!({"key_id": "1", "key": "?"}))],
    );
    let app = fake.app();
    let secret = SecretString::from("hunter2");
    let error = app.store_secret(&infra(), None, "PASSWORD", &secret).await.unwrap_err();
    let told = format!("{error} {error:?} {} {app:?}", error.sentence());
    for hidden in ["hunter2", "ghs_1", "PRIVATE"] {
        assert!(!told.contains(hidden), "{told}");
    }
}

#[tokio::test]
async fn runs_of_the_app_are_asked_for_by_actor_branch_and_time() {
    let fake = Fake::start().await;
    let run = json!({
        "id": 9, "run_attempt": 2, "status": "completed", "conclusion": "success",
        "path": ".github/workflows/deploy.yml@main", "name": "Deploy", "display_title": "r_1",
        "event": "workflow_dispatch", "head_branch": "main", "head_sha": sha('a'),
        "html_url": "h", "actor": {"login": "towpath[bot]"}, "created_at": "2026-01-31T12:00:00Z",
    });
    let runs = "GET /repos/acme/infra/actions/workflows/deploy.yml/runs?";
    fake.on(runs, [send(200, json!({"total_count": 1, "workflow_runs": [run.clone()]}))]);
    fake.on(
        "GET /repos/acme/infra/actions/runs/9/pending_deployments",
        [send(200, json!([{"environment": {"id": 1, "name": "production"}}]))],
    );
    fake.on("GET /repos/acme/infra/actions/runs/9", [send(200, run)]);
    let app = fake.app();
    let since: DateTime<Utc> = "2026-01-31T11:59:30Z".parse().unwrap();
    let found =
        app.dispatched_runs_since(&infra(), "deploy.yml", Some("main"), since).await.unwrap();
    assert_eq!(found[0].title.as_deref(), Some("r_1"));
    let later = since + chrono::TimeDelta::minutes(1);
    assert!(
        app.dispatched_runs_since(&infra(), "deploy.yml", None, later).await.unwrap().is_empty()
    );
    assert_eq!((found[0].file.as_str(), found[0].attempt), ("deploy.yml", 2));
    assert_eq!(app.workflow_run(&infra(), WorkflowRunId(9)).await.unwrap(), found[0]);
    let on_commit = RunsOf::Commit(&sha('a'));
    app.workflow_runs_for(&infra(), "deploy.yml", on_commit).await.unwrap();
    let asked: Vec<_> = fake.seen(runs).into_iter().map(|seen| seen.line).collect();
    assert_eq!(
        asked,
        [
            format!(
                "{runs}event=workflow_dispatch&actor=towpath%5Bbot%5D&branch=main&per_page=100"
            ),
            format!("{runs}event=workflow_dispatch&actor=towpath%5Bbot%5D&per_page=100"),
            format!("{runs}head_sha={}&per_page=100", sha('a')),
        ]
    );
    let waits = app.pending_deployments(&infra(), WorkflowRunId(9)).await.unwrap();
    assert_eq!(waits, ["production"]);
}

#[tokio::test]
async fn a_pull_request_is_seen_with_its_verdicts() {
    let fake = Fake::start().await;
    let mut found = pull();
    found["latestOpinionatedReviews"] = json!({"nodes": [
        {"fullDatabaseId": "3000000001", "state": "APPROVED", "url": "r", "author": null}]});
    fake.on(
        "POST /graphql",
        [
            send(200, json!({"data": {"repository": {"pullRequest": found}}})),
            send(
                200,
                json!({"data": {"repository": {"pullRequest": null}}, "errors":
            [{"type": "NOT_FOUND", "path": ["repository", "pullRequest"], "message": "no"}]}),
            ),
        ],
    );
    fake.on("PATCH /repos/acme/infra/pulls/7", [send(200, json!({"number": 7}))]);
    let app = fake.app();
    let number = PullRequestNumber(7);
    let look = app.pull_request(&infra(), number).await.unwrap();
    assert_eq!(look.pull_request.head_sha, sha('b'));
    assert_eq!(
        (look.reviews[0].review, look.reviews[0].verdict),
        (3_000_000_001, Verdict::Approved)
    );
    assert!(app.pull_request(&infra(), number).await.unwrap_err().is_not_found());
    app.set_pull_request_text(&infra(), number, "T", "B").await.unwrap();
    let sent = &fake.seen("PATCH")[0].body;
    assert_eq!(*sent, json!({"title": "T", "body": "B"}));
}

#[tokio::test]
async fn marks_on_a_commit_are_seen_by_their_kind() {
    let fake = Fake::start().await;
    let commit = format!("GET /repos/acme/infra/commits/{}", sha('a'));
    fake.on(
        &format!("{commit}/status"),
        [send(
            200,
            json!({"statuses": [
        {"id": 1, "state": "pending", "context": "ci", "description": null, "target_url": ""}]}),
        )],
    );
    fake.on(
        &format!("{commit}/check-runs"),
        [send(
            200,
            json!({"check_runs": [
        {"id": 2, "name": "apply", "conclusion": "timed_out", "html_url": "c",
         "output": {"title": "Too late"}}]}),
        )],
    );
    fake.on(
        "GET /repos/acme/infra/deployments/5/statuses",
        [send(
            200,
            json!([
        {"id": 3, "state": "success", "description": "", "target_url": "d"}]),
        )],
    );
    fake.on(
        "GET /repos/acme/infra/deployments?",
        [send(
            200,
            json!([
        {"id": 5, "environment": "production"}]),
        )],
    );
    let app = fake.app();
    let told = async |kind| {
        let seen = app.signals_on(&infra(), &sha('a'), kind).await.unwrap().remove(0);
        (seen.id, seen.name, seen.conclusion)
    };
    assert_eq!(told(SignalKind::Status).await, (1, "ci".to_owned(), None));
    let late = Some(Conclusion::TimedOut);
    assert_eq!(told(SignalKind::Check).await, (2, "apply".to_owned(), late));
    let done = Some(Conclusion::Success);
    assert_eq!(told(SignalKind::Deployment).await, (3, "production".to_owned(), done));
}

#[tokio::test]
async fn a_later_commit_contains_an_earlier_one() {
    let fake = Fake::start().await;
    let answers = ["ahead", "behind", "diverged"].map(|word| send(200, json!({"status": word})));
    fake.on("GET /repos/acme/infra/compare/", answers);
    let app = fake.app();
    let mut contains = Vec::new();
    for _ in 0..3 {
        contains.push(app.compare(&infra(), &sha('a'), &sha('b')).await.unwrap());
    }
    assert_eq!(contains, [true, false, false]);
    assert!(app.compare(&infra(), &sha('a'), &sha('a')).await.unwrap());
}

#[tokio::test]
async fn a_plan_without_artifact_is_read_from_the_log() {
    let fake = Fake::start().await;
    let run = "GET /repos/acme/infra/actions/runs/9";
    fake.on(
        &format!("{run}/artifacts"),
        [send(
            200,
            json!({"artifacts": [
        {"id": 1, "name": "towpath-plan", "expired": true}]}),
        )],
    );
    let jobs = json!({"jobs": [{"id": 4, "name": "lint"}, {"id": 5, "name": "plan"}]});
    fake.on(&format!("{run}/attempts/1/jobs"), [send(200, jobs)]);
    let log = b"Plan: 2 to add, 0 to change, 1 to destroy.\n".to_vec();
    fake.on("GET /repos/acme/infra/actions/jobs/5/logs", [Reply::Send(200, String::new(), log)]);
    let app = fake.app();
    let plan = app.read_plan(&infra(), WorkflowRunId(9), 1).await.unwrap().unwrap();
    assert_eq!((plan.add, plan.change, plan.destroy), (2, 0, 1));
    assert!(app.read_outputs(&infra(), WorkflowRunId(9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_secret_leaves_this_program_sealed() {
    let fake = Fake::start().await;
    let secrets = "/repos/acme/infra/environments/prod%2Feu/secrets";
    let key = base64::prelude::BASE64_STANDARD.encode([9; 32]);
    fake.on(&format!("GET {secrets}/public-key"), [send(200, json!({"key_id": "5", "key": key}))]);
    fake.on(&format!("PUT {secrets}/PASSWORD"), [send(201, json!({}))]);
    let secret = SecretString::from("hunter2");
    fake.app().store_secret(&infra(), Some("prod/eu"), "PASSWORD", &secret).await.unwrap();
    let sent = &fake.seen("PUT")[0].body;
    assert_eq!(sent["key_id"], "5");
    assert!(!sent.to_string().contains("hunter2"));
    // The box is 48 bytes longer than what is in it.
    let sealed = base64::prelude::BASE64_STANDARD.decode(sent["encrypted_value"].as_str().unwrap());
    assert_eq!(sealed.unwrap().len(), 48 + 7);
}

#[tokio::test]
async fn failed_deliveries_are_read_page_by_page() {
    let fake = Fake::start().await;
    let attempt = |id: u64, code: u16| {
        json!({"id": id, "guid": format!("g{id}"), "event": "push",
        "delivered_at": "2026-01-31T12:00:00Z", "status_code": code})
    };
    let first = json!([attempt(1, 502)]).to_string().into_bytes();
    let next = "link: <https://elsewhere.example/app/hook/deliveries?status=failure&per_page=100&cursor=v1_2>; rel=\"next\"\r\n";
    fake.on(
        "GET /app/hook/deliveries?status=failure&per_page=100&cursor=v1_2",
        [send(200, json!([attempt(2, 200), attempt(3, 0)]))],
    );
    fake.on("GET /app/hook/deliveries?", [Reply::Send(200, next.to_owned(), first)]);
    fake.on("GET /app/hook/deliveries/3", [send(200, json!({"request": {"payload": {"a": 1}}}))]);
    let app = fake.app();
    let failed = app.failed_deliveries(DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(failed.iter().map(|one| one.id).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(app.delivery_payload(3).await.unwrap(), json!({"a": 1}));
}

#[tokio::test]
async fn what_could_not_be_read_does_not_pass_for_what_is_not_there() {
    let fake = Fake::start().await;
    let error = json!({"path": ["repository", "object0"], "message": "Something went wrong"});
    let data = json!({"repository": {"object0": null}});
    fake.on("POST /graphql", [send(200, json!({"data": data, "errors": [error]}))]);
    let paths = ["a".to_owned()];
    assert!(fake.app().read_texts(&infra(), &sha('a'), &paths).await.is_err());
}

#[tokio::test]
async fn a_branch_that_is_not_there_is_no_error() {
    let fake = Fake::start().await;
    let found = json!({"ref": "refs/heads/a/b", "object": {"type": "commit", "sha": sha('a')}});
    fake.on("GET /repos/acme/infra/git/ref/heads/a/b", [send(200, found)]);
    let app = fake.app();
    let commit = async |name| {
        let branch = BranchName::new(name).unwrap();
        app.branch_commit(&infra(), &branch).await.unwrap()
    };
    assert_eq!(commit("a/b").await, Some(sha('a')));
    assert_eq!(commit("other").await, None);
}

fn check(annotations: usize) -> Check {
    let annotation = |line| Annotation {
        path: "queue/template.yml".to_owned(),
        line,
        column: Some(3),
        level: AnnotationLevel::Failure,
        message: "unknown key".to_owned(),
    };
    Check {
        name: "Towpath templates".to_owned(),
        commit: sha('c'),
        external_id: "templates-1".to_owned(),
        details_url: None,
        conclusion: Some(Conclusion::Failure),
        title: "Wrong".to_owned(),
        summary: "é".repeat(70_000),
        annotations: (1..=annotations).map(annotation).collect(),
        buttons: Vec::new(),
    }
}

fn check_run(external_id: &str, slug: &str, annotations: usize) -> Value {
    json!({
        "id": 5, "html_url": "https://x/runs/5", "external_id": external_id,
        "app": {"slug": slug}, "output": {"annotations_count": annotations},
    })
}

#[tokio::test]
async fn a_check_run_gets_its_annotations_in_batches() {
    let fake = Fake::start().await;
    fake.on("GET /repos/acme/infra/commits/", [send(200, json!({"check_runs": []}))]);
    fake.on(
        "POST /repos/acme/infra/check-runs",
        [send(201, check_run("templates-1", "towpath", 50))],
    );
    fake.on(
        "PATCH /repos/acme/infra/check-runs/5",
        [send(200, check_run("templates-1", "towpath", 70))],
    );
    assert_eq!(fake.app().set_check(&infra(), &check(70)).await.unwrap(), "https://x/runs/5");

    let made = &fake.seen("POST /repos/acme/infra/check-runs")[0].body;
    assert_eq!(made["output"]["annotations"].as_array().unwrap().len(), 50);
    assert_eq!(made["output"]["summary"].as_str().unwrap().chars().count(), 65_535);
    assert_eq!((&made["conclusion"], &made["head_sha"]), (&json!("failure"), &json!(sha('c'))));
    let changed = &fake.seen("PATCH /repos/acme/infra/check-runs/5")[0].body;
    assert_eq!(changed["head_sha"], json!(null), "a check run stays on its commit");
    let added = changed["output"]["annotations"].as_array().unwrap();
    assert_eq!(
        (added.len(), &added[0]["start_line"], &added[0]["start_column"]),
        (20, &json!(51), &json!(3))
    );
}

#[tokio::test]
async fn a_check_run_whose_answer_was_lost_is_found_and_completed() {
    let fake = Fake::start().await;
    let foreign = check_run("templates-1", "somebody-else", 0);
    let found = json!({"check_runs": [foreign, check_run("templates-1", "towpath", 50)]});
    fake.on(
        "GET /repos/acme/infra/commits/",
        [send(200, json!({"check_runs": []})), send(200, found)],
    );
    fake.on("POST /repos/acme/infra/check-runs", [Reply::HangUp]);
    fake.on(
        "PATCH /repos/acme/infra/check-runs/5",
        [send(200, check_run("templates-1", "towpath", 60))],
    );
    let app = fake.app();
    assert!(matches!(app.set_check(&infra(), &check(60)).await, Err(Error::Unclear { .. })));
    app.set_check(&infra(), &check(60)).await.unwrap();
    assert_eq!(fake.seen("POST /repos/acme/infra/check-runs").len(), 1);
    let changed = fake.seen("PATCH /repos/acme/infra/check-runs/5");
    assert_eq!(changed[0].body["output"]["annotations"].as_array().unwrap().len(), 10);
}
