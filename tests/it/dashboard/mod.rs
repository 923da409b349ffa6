//! The dashboard through its front door: who is let in, what is on the pages, what is not.

mod actions;
mod browser;
mod seed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use towpath::clock::Clock;
use towpath::domain::github_view::{Budget, JobView};
use towpath::domain::{
    ActionRun, BlueprintId, Event, Finding, RepositoryName, Stage, WorkflowRunId,
};
use towpath::http::dashboard::{Awaited, Backstage, CookieKey, DashboardState, not_found, router};
use towpath::intake::Intake;
use towpath::plan::{Preview, Step};
use towpath::seal::SealingKey;
use towpath::store::Store;
use towpath::template::{SourceFile, Templates};

use self::browser::OneChange;
use self::seed::{Seed, at, change_work, done, failed, workflow_work};

const HOSTILE: &str = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>";

const SECRET: &str = "a secret that lasts, long enough for a key";

/// A template with an input of every kind.
const TEMPLATE: &str = include_str!("template.yml");

/// Nothing is behind this dashboard.
pub(crate) struct NoBackstage;

impl Backstage for NoBackstage {
    fn preview(&self, _request: ActionRun) -> Awaited<Preview> {
        Box::pin(std::future::ready(Err("GitHub does not answer.".to_owned())))
    }

    fn examine(&self) -> BoxFuture<'static, Vec<Finding>> {
        let remedy = "Install it: https://github.com/apps/towpath/installations/new";
        let ill = Finding::bad("Installation", "The App is not installed on <acme>.", remedy);
        let seen = Finding::good("acme/infrastructure", "It is seen.");
        Box::pin(std::future::ready(vec![Finding::good("App", "GitHub knows it."), seen, ill]))
    }

    fn jobs(&self, _: &RepositoryName, _: WorkflowRunId) -> Awaited<Vec<JobView>> {
        Box::pin(std::future::ready(Err("GitHub does not answer.".to_owned())))
    }

    fn budgets(&self) -> Vec<Budget> {
        vec![budget()]
    }
}

/// What is left of an hour.
fn budget() -> Budget {
    Budget {
        owner: "acme".to_owned(),
        resource: "core".to_owned(),
        left: 4_200,
        of: 5_000,
        resets_at: chrono::DateTime::UNIX_EPOCH,
    }
}

fn templates() -> Templates {
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        contents: text.as_bytes().to_vec(),
        executable: false,
    };
    let files = [file("thing/template.yml", TEMPLATE), file("thing/files/a.txt", "a")];
    Templates::load(&files).unwrap_or_else(|found| panic!("{found:?}"))
}

fn intake(store: &Store) -> Intake {
    let secret_names = |action: &towpath::domain::ActionId| {
        let templates = templates();
        let names = templates.action(action).map(|of| of.template.secret_inputs());
        names.into_iter().flatten().map(str::to_owned).collect()
    };
    Intake {
        store: store.clone(),
        clock: Clock::system(),
        github_secrets: Vec::new(),
        portal_key: None,
        sealing_key: SealingKey::of(&SECRET.into()).unwrap(),
        secret_names: Arc::new(secret_names),
        access_changed: Arc::new(|| ()),
        seen: Arc::new(|_| ()),
    }
}

struct World {
    seed: Seed,
    dashboard: Router,
    stop: CancellationToken,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(Arc::new(NoBackstage)).await
    }

    async fn with(backstage: Arc<dyn Backstage>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("towpath.db").display());
        let clock = Clock::system();
        let store = Store::open(&url, clock.clone()).await.unwrap();
        let stop = CancellationToken::new();
        let dashboard = router(DashboardState {
            store: store.clone(),
            clock: clock.clone(),
            github_url: "https://github.com".to_owned(),
            blueprints: Arc::new(|| {
                ["service", "database"].map(|name| BlueprintId::new(name).unwrap()).to_vec()
            }),
            templates: Arc::new(templates),
            intake: intake(&store),
            backstage,
            cookie_key: CookieKey::derived_from(&SECRET.into()),
            sign_in: None,
            stop: stop.clone(),
        })
        .fallback(not_found);
        Self { seed: Seed { store, clock }, dashboard, stop, _folder: folder }
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.dashboard.clone().oneshot(request).await.unwrap()
    }

    async fn page(&self, address: &str) -> (StatusCode, String) {
        let answer = self.ask(from_here(address)).await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn shown(&self, address: &str) -> String {
        let (status, page) = self.page(address).await;
        assert_eq!(status, StatusCode::OK, "{address}: {page}");
        page
    }
}

fn from_here(address: &str) -> Request<Body> {
    from_peer("127.0.0.1:50000", address)
}

fn from_peer(peer: &str, address: &str) -> Request<Body> {
    let peer: SocketAddr = peer.parse().unwrap();
    let request = Request::get(address).header(header::HOST, "localhost:8080");
    request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn nobody_from_another_machine_sees_anything() {
    let world = World::new().await;
    world.seed.receive("r_1", json!({})).await;
    for address in ["/", "/runs/r_1", "/catalog", "/health", "/live"] {
        let answer = world.ask(from_peer("10.0.0.7:50000", address)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{address}");
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let page = String::from_utf8(body.to_vec()).unwrap();
        assert!(page.contains("Only for people at this machine") && !page.contains("r_1"));
    }
}

#[tokio::test]
async fn every_answer_forbids_what_is_inline_or_foreign() {
    let world = World::new().await;
    for address in ["/", "/nothing", "/assets/dashboard.css"] {
        let answer = world.ask(from_here(address)).await;
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let page = String::from_utf8(body.to_vec()).unwrap();
        assert!(
            !page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick=")
        );
    }
}

#[tokio::test]
async fn an_asset_that_the_browser_has_is_not_sent_again() {
    let world = World::new().await;
    for name in ["dashboard.css", "dashboard.js", "icon.svg"] {
        let address = format!("/assets/{name}");
        let first = world.ask(from_here(&address)).await;
        assert_eq!(first.status(), StatusCode::OK, "{name}");
        let mut again = from_here(&address);
        let tag = first.headers()[header::ETAG].clone();
        again.headers_mut().insert(header::IF_NONE_MATCH, tag);
        assert_eq!(world.ask(again).await.status(), StatusCode::NOT_MODIFIED, "{name}");
    }
    assert_eq!(world.page("/assets/other.css").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_others_wrote_stays_text_on_every_page() {
    let world = World::new().await;
    let request = json!({
        "action_title": HOSTILE, "user": {"id": null, "email": HOSTILE, "name": HOSTILE},
        "inputs": {"name": HOSTILE, HOSTILE: {"deep": HOSTILE}},
    });
    let id = world.seed.receive("r_hostile", request).await;
    let change = |run: &mut towpath::domain::Run| {
        run.work = Some(serde_json::from_value(change_work(&run.id, 7)).unwrap());
        run.links = vec!["javascript:alert(1)".to_owned(), format!("https://x/{HOSTILE}")];
        at(run, Stage::Proposed, HOSTILE);
        seed::edit_work(run, |work| {
            work["pull_request"]["html_url"] = json!("javascript:alert(2)");
            work["pull_request"]["reviews"] = json!([[HOSTILE, "approved"]]);
            work["path"] = json!(HOSTILE);
            work["apply"] = json!({"check": HOSTILE});
        });
    };
    world.seed.step(&id, 1, change, vec![Event::failure(HOSTILE)], vec![Step::Look]).await;
    world.seed.park(&id, HOSTILE).await;
    let entity = json!({
        "blueprint": "database", "identifier": "a/b", "title": HOSTILE, "team": HOSTILE,
        "properties": {"link": "javascript:alert(3)", HOSTILE: HOSTILE},
        "relations": {HOSTILE: HOSTILE},
    });
    world.seed.entity("r_entity", entity, Some(HOSTILE)).await;

    let search = format!("/?q={}", "%22%3E%3Cscript%3E");
    let pages = [
        "/",
        "/runs/r_hostile",
        "/catalog",
        "/catalog/database",
        "/catalog/database/a%2Fb",
        "/health",
    ];
    for address in pages.into_iter().chain([search.as_str(), "/runs/%3Cscript%3E"]) {
        let (_, page) = world.page(address).await;
        assert!(page.contains("&lt;script&gt;"), "{address} shows it: {page}");
        for live in ["<script>", "<img src=x", "href=\"javascript:", "onerror=alert(1)>"] {
            assert!(!page.contains(live), "{address} has {live}");
        }
    }
}

#[tokio::test]
async fn an_encrypted_input_is_never_shown() {
    let world = World::new().await;
    let request = json!({
        "inputs": {"name": "orders", "password": "nrTaW4Ciphertext=="}, "encrypted": ["password"],
    });
    world.seed.receive("r_1", request).await;
    let page = world.shown("/runs/r_1").await;
    assert!(page.contains("password") && page.contains("<span class=\"secret\">secret</span>"));
    assert!(!page.contains("Ciphertext"), "{page}");
}

#[tokio::test]
async fn what_needs_somebody_comes_first_and_once() {
    let world = World::new().await;
    let waits = world.seed.proposed("r_waits", json!({}), 7).await;
    let failing = world.seed.receive("r_failed", json!({})).await;
    let fail = |run: &mut towpath::domain::Run| failed(run, Stage::Failed, "Apply failed");
    world.seed.step(&failing, 1, fail, vec![], vec![]).await;
    for id in ["r_declined", "r_refused"] {
        let stage = if id == "r_refused" { Stage::Refused } else { Stage::Declined };
        let ended = world.seed.receive(id, json!({})).await;
        world.seed.step(&ended, 1, |run| failed(run, stage, id), vec![], vec![]).await;
    }
    let parked = world.seed.receive("r_parked", json!({})).await;
    world.seed.park(&parked, "the template is gone").await;
    let fine = world.seed.receive("r_fine", json!({})).await;
    world.seed.step(&fine, 1, done, vec![], vec![]).await;

    let page = world.shown("/").await;
    let position = |id: &str| {
        let href = format!("href=\"/runs/{id}\"");
        assert_eq!(page.matches(&href).count(), 1, "{id}");
        page.find(&href).unwrap()
    };
    let order = ["r_parked", waits.as_str(), "r_failed", "r_fine"].map(position);
    assert!(order.is_sorted(), "{order:?}");
    assert!(world.shown("/health").await.contains("the template is gone"));
}

#[tokio::test]
async fn runs_are_filtered_and_paged() {
    let world = World::new().await;
    for number in 0..30 {
        world.seed.receive(&format!("r_{number:02}"), json!({"action": "add_bucket"})).await;
        world.seed.clock.advance(Duration::from_secs(1));
    }
    world.seed.receive("r_other", json!({"action": "add_topic"})).await;

    let page = world.shown("/?action=add_bucket").await;
    assert_eq!(page.matches("class=\"run\"").count(), 25);
    assert!(page.contains("href=\"/?action=add_bucket&amp;before=r_05\""), "{page}");
    let older = world.shown("/?action=add_bucket&before=r_05").await;
    assert_eq!(older.matches("class=\"run\"").count(), 5);
    assert!(older.contains(">Newest</a>") && !older.contains(">Older</a>"));

    assert!(world.shown("/?q=R_OTHER").await.contains("href=\"/runs/r_other\""));
    world
        .seed
        .receive(
            "r_olga",
            json!({"user": {"id": null, "email": "olga@acme.example", "name": null}}),
        )
        .await;
    let of_olga = world.shown("/?person=OLGA@acme").await;
    assert_eq!(of_olga.matches("class=\"run\"").count(), 1, "{of_olga}");
    assert!(of_olga.contains("href=\"/?person=olga%40acme.example\""), "{of_olga}");
    world.seed.proposed("r_proposed", json!({}), 7).await;
    let failing = world.seed.receive("r_failed", json!({})).await;
    let fail = |run: &mut towpath::domain::Run| failed(run, Stage::Failed, "Failed");
    world.seed.step(&failing, 1, fail, vec![], vec![]).await;
    for (filter, only) in [
        ("repository=acme/Infrastructure", "r_proposed"),
        ("state=failure", "r_failed"),
        ("q=waiting&repository=acme/infrastructure", ""),
    ] {
        let page = world.shown(&format!("/?{filter}")).await;
        let count = usize::from(!only.is_empty());
        assert_eq!(page.matches("class=\"run\"").count(), count, "{filter}: {page}");
        assert!(page.contains(&format!("href=\"/runs/{only}")) || count == 0, "{filter}: {page}");
    }
    assert!(world.shown("/?repository=acme").await.contains("write owner/name"));
    assert!(world.shown("/?state=success").await.contains("No run fits."));
}

#[tokio::test]
async fn a_run_tells_its_stages_its_work_and_its_end() {
    let world = World::new().await;
    let service = json!({"blueprint": "service", "identifier": "checkout"});
    world.seed.entity("r_service", service, None).await;
    world.seed.applied("r_1", json!({}), 41).await;
    let page = world.shown("/runs/r_1").await;
    let passed = page.matches("<li class=\"yes\"").count();
    assert_eq!(passed, 6, "received, proposed, planned, reviewed, merged, applied");
    for expected in [
        "https://github.com/acme/infrastructure/pull/41",
        "https://github.com/acme/infrastructure/commit/4be81d0",
        "2 to add",
        "1 to change",
        "jonas-k",
        "attempt 2",
        "Mara Lindqvist",
        "href=\"/catalog/service/checkout\"",
        "after 3 min 3",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }

    let id = world.seed.receive("r_2", json!({"action": "rollback_service"})).await;
    let run = |run: &mut towpath::domain::Run| {
        run.work = Some(serde_json::from_value(workflow_work("in_progress", None)).unwrap());
        at(run, Stage::Running, "Running: deploy");
    };
    world.seed.step(&id, 1, run, vec![], vec![]).await;
    let page = world.shown("/runs/r_2").await;
    assert!(
        page.contains("actions/runs/17206640") && page.contains("<li class=\"next\""),
        "{page}"
    );
}

/// What stands on a page outside of links, of drawings, and of what was said in sentences.
fn plain(mut page: &str) -> String {
    const LEFT_OUT: [(&str, &str); 6] = [
        ("<a ", "</a>"),
        ("<svg ", "</svg>"),
        ("<head>", "</head>"),
        ("<form ", "</form>"),
        ("<ol class=\"events\">", "</ol>"),
        ("<p class=\"line-told\">", "</p>"),
    ];
    let mut plain = String::new();
    loop {
        let first = LEFT_OUT.iter().filter_map(|(from, to)| Some((page.find(from)?, to))).min();
        let Some((at, to)) = first else { return plain + page };
        plain.push_str(&page[..at]);
        page = page[at..].split_once(to).unwrap().1;
    }
}

#[tokio::test]
async fn wherever_a_name_stands_it_leads_to_what_it_names() {
    let world = World::new().await;
    let service = json!({"blueprint": "service", "identifier": "checkout"});
    world.seed.entity("r_service", service, None).await;
    let database = json!({
        "blueprint": "database", "identifier": "orders", "relations": {"service": "checkout"},
    });
    world.seed.entity("r_database", database, Some("services/checkout/orders")).await;
    world.seed.applied("r_applied", json!({"action": "add_thing"}), 41).await;
    let workflow = world.seed.receive("r_workflow", json!({"action": "rollback_service"})).await;
    let runs = |run: &mut towpath::domain::Run| {
        run.work = Some(serde_json::from_value(workflow_work("in_progress", None)).unwrap());
        at(run, Stage::Running, "Running: deploy");
    };
    world.seed.step(&workflow, 1, runs, vec![], vec![]).await;
    let parked = world.seed.receive("r_parked", json!({})).await;
    world.seed.park(&parked, "the template is gone").await;

    let names = [
        "acme/infrastructure",
        "acme/checkout",
        "checkout<",
        "Mara Lindqvist",
        "#41",
        "r_database",
        "r_parked",
        "terraform-apply.yml",
        "rollback.yml",
        "add_thing<",
    ];
    for address in [
        "/",
        "/runs/r_applied",
        "/runs/r_workflow",
        "/actions",
        "/catalog",
        "/catalog/database",
        "/catalog/database/orders",
        "/health",
        "/doctor",
    ] {
        let left = plain(&world.shown(address).await);
        for name in names {
            assert!(!left.contains(name), "{address}: {name} leads nowhere in {left}");
        }
    }
    let leads = async |address: &str, name: &str, to: &str| {
        let page = world.shown(address).await;
        assert!(page.contains(&format!("<a href=\"{to}\">{name}</a>")), "{name}: {page}");
    };
    leads("/", "checkout", "/catalog/service/checkout").await;
    leads("/catalog/database/orders", "checkout", "/catalog/service/checkout").await;
    leads("/runs/r_applied", "add_thing", "/actions/add_thing").await;
    let pull = "https://github.com/acme/infrastructure/pull/41";
    leads("/runs/r_applied", "acme/infrastructure#41", pull).await;
    leads("/runs/r_workflow", "rollback_service", "/?action=rollback_service").await;
    leads("/health", "acme", "https://github.com/acme").await;
    leads("/doctor", "acme/infrastructure", "https://github.com/acme/infrastructure").await;
}

#[tokio::test]
async fn what_the_catalog_does_not_know_is_named_without_a_page() {
    let world = World::new().await;
    let gone = json!({"entity": {"identifier": "gone", "blueprint": "service"}});
    world.seed.receive("r_gone", gone).await;
    world.seed.receive("r_vague", json!({"entity": {"identifier": "vague"}})).await;
    for address in ["/", "/runs/r_gone", "/runs/r_vague"] {
        let page = world.shown(address).await;
        assert!(!page.contains("/catalog/service"), "{address}: {page}");
        assert!(page.contains("on gone") || page.contains("on vague"), "{address}: {page}");
    }
}

#[tokio::test]
async fn an_entity_leads_to_its_neighbours_its_files_and_its_run() {
    let world = World::new().await;
    let service = json!({"blueprint": "service", "identifier": "checkout"});
    world.seed.entity("r_service", service, None).await;
    let database = json!({
        "blueprint": "database", "identifier": "orders", "title": "Orders",
        "properties": {"engine": "DocumentDB"}, "relations": {"service": "checkout"},
    });
    world.seed.entity("r_database", database, Some("services/checkout/orders")).await;

    let page = world.shown("/catalog/database/orders").await;
    for expected in [
        "href=\"/catalog/service/checkout\"",
        "DocumentDB",
        "href=\"/runs/r_database\"",
        "https://github.com/acme/infrastructure/tree/HEAD/services/checkout/orders",
        "<svg width=",
    ] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert!(world.shown("/catalog").await.contains("Orders → checkout: service"));
    assert!(world.shown("/catalog/service/checkout").await.contains("service of"));
}

#[tokio::test]
async fn what_is_not_there_is_said_kindly() {
    let world = World::new().await;
    for address in ["/runs/r_none", "/runs/a%20b", "/catalog/x/y", "/catalog/x", "/no/such", "/%FF"]
    {
        let (status, page) = world.page(address).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{address}");
        assert!(page.contains("To the runs"), "{address}: {page}");
    }
    for address in ["/runs/%FF", "/catalog/%FF", "/catalog/%FF/%FF"] {
        assert_eq!(world.page(address).await.0, StatusCode::NOT_FOUND, "{address}");
    }
    world.seed.store.close().await;
    let (status, page) = world.page("/").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.contains("The database does not answer"), "{page}");
}

#[tokio::test]
async fn an_open_page_hears_of_its_run_and_is_let_go_at_the_end() {
    let world = World::new().await;
    let answer = world.ask(from_here("/live?run=r_2")).await;
    let mut heard = answer.into_body().into_data_stream();
    world.seed.receive("r_1", json!({})).await;
    world.seed.receive("r_2", json!({})).await;
    let first = heard.next().await.unwrap().unwrap();
    assert_eq!(first, "event: changed\ndata: r_2\n\n", "browsers drop an event without data");
    world.stop.cancel();
    assert!(
        heard.next().await.is_none(),
        "one change was of another run, and the stream has ended"
    );
}

#[tokio::test]
async fn the_first_page_is_small_and_quick() {
    let world = World::new().await;
    for number in 0..60 {
        world.seed.receive(&format!("r_QOz6WoOB1Q2lm{number}"), json!({})).await;
    }
    world.shown("/").await;
    let start = Instant::now();
    let page = world.shown("/").await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(page.len() < 50_000, "{} bytes", page.len());
}

#[tokio::test]
async fn jobs_are_shown_with_their_steps_and_the_ends_of_their_logs() {
    let world = World::with(Arc::new(OneChange)).await;
    world.seed.applied("r_1", json!({}), 41).await;
    assert!(world.shown("/runs/r_1").await.contains("href=\"/runs/r_1/jobs\""));
    let page = world.shown("/runs/r_1/jobs").await;
    for part in [
        "actions/runs/17205002\">run 17205002</a>",
        "actions/runs/17204911\">run 17204911</a>",
        "actions/runs/1/job/2\">apply</a>",
        "</span> terraform apply</li>",
        "Error: the state is locked</pre>",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }

    let world = World::new().await;
    world.seed.applied("r_1", json!({}), 41).await;
    assert!(world.shown("/runs/r_1/jobs").await.contains("GitHub does not answer."));
}

#[tokio::test]
async fn the_health_page_tells_of_the_ways_in_of_budgets_and_of_what_was_left_aside() {
    let world = World::with(Arc::new(OneChange)).await;
    let left_aside = "kafka:org_1.runs/0/4711";
    world.seed.store.park_message(left_aside, "The signature is wrong.").await.unwrap();
    let page = world.shown("/health").await;
    for part in [
        "Queue age",
        "Closed: GITHUB_WEBHOOK_SECRET is not set.",
        "At /hooks/port, signed.",
        left_aside,
        "The signature is wrong.",
        ">4200</td>",
        "of 5000, full again",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
}

#[tokio::test]
async fn the_doctor_shows_the_worst_first_with_its_remedy() {
    let world = World::new().await;
    let page = world.shown("/doctor").await;
    let (bad, good) = (page.find("not installed on &lt;acme&gt;"), page.find("GitHub knows it."));
    assert!(bad.is_some() && bad < good, "{page}");
    assert!(page.contains("installations/new"));
}
