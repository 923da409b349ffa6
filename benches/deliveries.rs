//! What a delivery costs, over HTTP, each figure beside its baseline in the same process and run:
//!
//! - one that concerns no run, as most of an organisation's, beside a handler that verifies the
//!   signature and no more; with a thousand runs in the database, and with a million;
//! - one that concerns a run, and is on the disk when it is answered, beside a handler that verifies
//!   the signature and writes the body to a table, many in one transaction.
//!
//! `cargo bench --bench deliveries`; `-- --runs 1000000` for another number of runs.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on stops where it stands")]
#![expect(clippy::print_stdout, reason = "the figures")]
#![expect(clippy::disallowed_methods, reason = "what is spawned ends with the bench")]

mod support {
    pub(crate) mod load;
    pub(crate) mod service;
}

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use towpath::clock::Clock;
use towpath::domain::action_run::RunKind;
use towpath::domain::observation::Link;
use towpath::domain::{
    ActionId, ActionRun, Invocation, RepositoryName, RunId, User, WorkflowRunId,
};
use towpath::plan::Decision;
use towpath::plan::step::Lane;
use towpath::store::Store;
use towpath::template::Templates;

use support::load::{CONNECTIONS, Measured, send};
use support::service::{self, SECRET};

/// Deliveries of a round.
const ROUND: usize = 4_000;
/// How often each is measured, in turn with the other. What is told is the middle one.
const ROUNDS: usize = 11;
/// Runs that are followed: what is delivered concerns one of them, or none.
const FOLLOWED: usize = 1_000;
/// How large a body is, in bytes: as GitHub's own `workflow_run` events.
const BODY: usize = 21_000;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("bench.db");
    let store = Store::open(&format!("sqlite://{}", database.display()), Clock::system()).await;
    let store = store.unwrap();
    follow(&store).await;
    let runs = runs_wanted();
    multiply(&database, runs).await;

    let verifier = serve(Router::new().route("/hooks/github", post(verify_only))).await;
    let receiver = serve(bare_receiver(folder.path()).await).await;
    store.close().await;
    let service = service::receive(&database, "http://127.0.0.1:9", Templates::default()).await;
    // Until then each delivery is looked up.
    let began = Instant::now();
    service.store.clone().learn_links(CancellationToken::new()).await;
    println!("the links are in mind after {:.2} s", began.elapsed().as_secs_f64());
    let service = service.address;
    println!(
        "{ROUNDS} rounds of {ROUND} deliveries of {BODY} bytes over {CONNECTIONS} connections, \
         {runs} runs\n"
    );

    // The first of all is not counted.
    measure(verifier, Kind::OfNobody, ROUND, None).await;
    compare("concerns no run", "verify only", [verifier, service], Kind::OfNobody).await;
    let whole = compare("concerns a run", "verify and write", [receiver, service], Kind::OfARun);
    let half = whole.await / 2.0;
    let paced = measure(service, Kind::OfARun, ROUNDS * ROUND, Some(half)).await;
    println!("  at half of that   {paced}");
}

/// `--runs N`: what `cargo bench` itself adds to the line is passed over.
fn runs_wanted() -> usize {
    let mut words = std::env::args().skip_while(|word| word != "--runs").skip(1);
    words.next().map_or(FOLLOWED, |number| number.parse().unwrap())
}

/// Measures both in turn, because the machine is faster or slower by a third from one second to the
/// next. Answers how many a second the service took.
async fn compare(what: &str, baseline: &str, [bare, whole]: [SocketAddr; 2], kind: Kind) -> f64 {
    let mut rounds = Vec::new();
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let round =
            [measure(bare, kind, ROUND, None).await, measure(whole, kind, ROUND, None).await];
        ratios.push(round[1].a_second() / round[0].a_second());
        rounds.push(round);
    }
    ratios.sort_by(f64::total_cmp);
    let [bare, whole] = [0, 1].map(|place| {
        let mut of_one = rounds.iter().map(|round| &round[place]).collect::<Vec<_>>();
        of_one.sort_by(|a, b| a.a_second().total_cmp(&b.a_second()));
        of_one[ROUNDS / 2]
    });
    println!("{what}");
    println!("  {baseline:<17} {bare}");
    println!("  whole service     {whole}");
    let (least, middle, most) = (ratios[0], ratios[ROUNDS / 2], ratios[ROUNDS - 1]);
    println!("  ratio             {middle:.2}, from {least:.2} to {most:.2}");
    whole.a_second()
}

#[derive(Clone, Copy)]
enum Kind {
    OfNobody,
    OfARun,
}

async fn measure(to: SocketAddr, kind: Kind, count: usize, pace: Option<f64>) -> Measured {
    // Everything is made beforehand: what is measured is the receiver.
    let bodies: Vec<_> = match kind {
        Kind::OfNobody => vec![signed(0)],
        Kind::OfARun => (1..=FOLLOWED).map(signed).collect(),
    };
    // A delivery that was handled is not handled again.
    let batch = Clock::system().now().timestamp_micros();
    send(to, count, pace, move |n| {
        let (body, signature) = &bodies[n % bodies.len()];
        let mut request = format!(
            "POST /hooks/github HTTP/1.1\r\nhost: {to}\r\nx-github-event: workflow_run\r\n\
             x-github-delivery: {batch}-{n}\r\nx-hub-signature-256: {signature}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    })
    .await
}

/// The event of a workflow run with this id, and its signature.
fn signed(id: usize) -> (Bytes, String) {
    let mut event = json!({
        "action": "in_progress",
        "workflow_run": {
            "id": id, "run_attempt": 1, "status": "in_progress", "conclusion": null,
            "path": ".github/workflows/deploy.yml", "name": "Deploy", "display_title": "Deploy",
            "event": "workflow_dispatch", "head_branch": "main", "head_sha": "0".repeat(40),
            "html_url": format!("https://github.com/acme/shop/actions/runs/{id}"),
            "actor": {"login": "octocat"}, "created_at": "2026-11-20T12:00:00Z",
        },
        "repository": {"full_name": "acme/shop"},
    });
    let missing = BODY.saturating_sub(event.to_string().len() + 13);
    event["padding"] = json!("x".repeat(missing));
    let body = Bytes::from(event.to_string());
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    (body, signature)
}

fn is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let given = headers.get("x-hub-signature-256").and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("sha256="));
    let given = given.and_then(|text| hex::decode(text).ok()).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

async fn verify_only(headers: HeaderMap, body: Bytes) -> StatusCode {
    if is_signed(&headers, &body) { StatusCode::ACCEPTED } else { StatusCode::UNAUTHORIZED }
}

type Written = (String, Bytes, oneshot::Sender<()>);

/// The least that a durable receiver does: it verifies, and one task writes what has come in the
/// meantime in one transaction, with the settings that the service uses.
async fn bare_receiver(folder: &Path) -> Router {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("bare.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let table = "CREATE TABLE deliveries (id TEXT PRIMARY KEY, body BLOB NOT NULL)";
    sqlx::query(table).execute(&pool).await.unwrap();
    let (writer, waiting) = mpsc::channel(1_000);
    tokio::spawn(write(pool, waiting));
    Router::new().route("/hooks/github", post(verify_and_write)).with_state(writer)
}

async fn verify_and_write(
    State(writer): State<mpsc::Sender<Written>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if !is_signed(&headers, &body) {
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers["x-github-delivery"].to_str().unwrap().to_owned();
    let (done, written) = oneshot::channel();
    writer.send((id, body, done)).await.unwrap();
    written.await.unwrap();
    StatusCode::ACCEPTED
}

async fn write(pool: SqlitePool, mut waiting: mpsc::Receiver<Written>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, 64).await > 0 {
        let mut tx: Transaction<'_, Sqlite> = pool.begin().await.unwrap();
        for (id, body, _) in &batch {
            let insert = sqlx::query("INSERT INTO deliveries VALUES ($1, $2)");
            insert.bind(id).bind(&body[..]).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        for (_, _, done) in batch.drain(..) {
            let _gone = done.send(());
        }
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Runs that follow a workflow run each.
async fn follow(store: &Store) {
    let repository = RepositoryName::new("acme", "shop").unwrap();
    for n in 1..=FOLLOWED {
        store.accept_run(&request(n)).await.unwrap();
    }
    let lease = std::time::Duration::from_mins(5);
    loop {
        let claimed = store.claim(&[Lane::Work], 100, lease).await.unwrap();
        if claimed.is_empty() {
            return;
        }
        for step in claimed {
            let id = step.run.id.as_str().trim_start_matches("r_").parse().unwrap();
            let mut decision = Decision::unchanged(step.run.clone());
            decision.links = vec![Link::workflow_run(&repository, WorkflowRunId(id))];
            store.settle(&step, &decision, None).await.unwrap();
        }
    }
}

fn request(n: usize) -> ActionRun {
    ActionRun {
        id: RunId::new(format!("r_{n}")).unwrap(),
        kind: RunKind::Action,
        action: ActionId::new("deploy").unwrap(),
        action_title: None,
        operation: None,
        inputs: serde_json::Map::new(),
        entity: None,
        user: User::default(),
        organization: None,
        encrypted: Vec::new(),
        invocation: Invocation::Template,
    }
}

/// Brings the number of runs to `wanted`, each with a link, as copies of what there is.
async fn multiply(database: &Path, wanted: usize) {
    let began = Instant::now();
    let options = SqliteConnectOptions::new().filename(database);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let columns: Vec<String> =
        sqlx::query_scalar("SELECT name FROM pragma_table_info('runs') WHERE name <> 'id'")
            .fetch_all(&pool)
            .await
            .unwrap();
    let columns = columns.join(", ");
    let numbers = format!(
        "WITH RECURSIVE more(n) AS (SELECT {} UNION ALL SELECT n + 1 FROM more WHERE n < {wanted})",
        FOLLOWED + 1
    );
    if wanted > FOLLOWED {
        for insert in [
            format!(
                "{numbers} INSERT INTO runs (id, {columns})
                     SELECT 'r_' || n, {columns} FROM more, runs WHERE runs.id = 'r_1'"
            ),
            format!(
                "{numbers} INSERT INTO links (link, run_id)
                     SELECT 'workflow_run:acme/other:' || n, 'r_' || n FROM more"
            ),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(insert)).execute(&pool).await.unwrap();
        }
        println!("{wanted} runs made in {:.0} s", began.elapsed().as_secs_f64());
    }
    pool.close().await;
}
