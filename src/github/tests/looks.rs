//! What is only looked at.

use super::*;

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
