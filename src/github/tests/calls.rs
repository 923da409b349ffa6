//! Who asks, as whom, how often, and what an answer means.

use super::*;

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
async fn so_many_calls_are_under_way_and_the_others_wait() {
    let fake = Fake::start().await;
    fake.on(DISPATCH, [send(204, Value::Null)]);
    fake.on("GET /repos/acme/infra", [Reply::Never]);
    let app = fake.app();
    let repository = infra();
    let calls = (0..50).map(|_| app.default_branch(&repository));
    let all_are_sent = async {
        while fake.seen("GET /repos/acme/infra").len() < 32 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Whoever would not wait has sent before another gets its answers.
        dispatch(&fake.app()).await.unwrap();
    };
    tokio::select! {
        _ = join_all(calls) => panic!("nothing is answered"),
        () = all_are_sent => {}
    }
    assert_eq!(fake.seen("GET /repos/acme/infra").len(), 32);
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

    let other = fake.app();
    other.keep_to(&app.limits().borrow());
    let limited = dispatch(&other).await;
    assert!(
        matches!(limited, Err(Error::RateLimited { .. })),
        "the one who was told is the same App"
    );
    assert_eq!(fake.seen(DISPATCH).len(), 1);

    fake.clock.advance(Duration::from_secs(601));
    let _refused_again = dispatch(&app).await;
    assert_eq!(fake.seen(DISPATCH).len(), 2);
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
