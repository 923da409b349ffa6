//! What changes something: dispatches, proposals, secrets.

use super::*;

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
