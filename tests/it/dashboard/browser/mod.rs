//! The dashboard in a real browser: every page by the rules of accessibility in light, dark and
//! narrow, without scripts, by keyboard alone, and live.

mod driver;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use futures_util::future::BoxFuture;
use serde_json::json;
use towpath::domain::github_view::{Budget, JobView, StepView};
use towpath::domain::observation::{Conclusion, RunPhase};
use towpath::domain::standing::{FileChanges, Proposal};
use towpath::domain::{
    ActionRun, BranchName, CommitSha, Door, Event, Finding, RepositoryName, Stage, WorkflowRunId,
};
use towpath::http::dashboard::setup::{self, Asked, SetupState};
use towpath::http::dashboard::{Awaited, Backstage};
use towpath::plan::{PartPreview, Patch, PatchKind, Preview, Refusal};

use self::driver::Browser;
use super::World;
use super::seed::{self, SHA, at, workflow_work};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Proposes the same change whatever is asked.
pub(super) struct OneChange;

impl Backstage for OneChange {
    fn preview(&self, request: ActionRun) -> Awaited<Preview> {
        let proposal = Proposal {
            repository: "acme/infrastructure".parse().unwrap(),
            repository_node_id: String::new(),
            base: BranchName::new("main").unwrap(),
            base_sha: CommitSha::new(SHA).unwrap(),
            branch: BranchName::new("towpath/add_thing/r_preview").unwrap(),
            headline: String::new(),
            message: String::new(),
            changes: FileChanges::default(),
            title: "Add a thing: orders".to_owned(),
            body: "Asked for by Jane.".to_owned(),
            draft: false,
            new_labels: Vec::new(),
        };
        let patch = Patch {
            path: "things/orders/main.tf".to_owned(),
            kind: PatchKind::Changed,
            text: "--- a/things/orders/main.tf\n+++ b/things/orders/main.tf\n@@ -1,2 +1,2 @@\n \
                   resource \"thing\" \"this\" {\n-  size = 3\n+  size = 4\n"
                .to_owned(),
        };
        let change = Preview::Change {
            proposal: Box::new(proposal),
            patches: vec![patch],
            notes: vec!["An edit made by hand is kept.".to_owned()],
        };
        let in_two = request.action.as_str() == "change_thing";
        let preview = if in_two { in_two_repositories(change) } else { change };
        Box::pin(std::future::ready(Ok(preview)))
    }

    fn jobs(&self, _: &RepositoryName, _: WorkflowRunId) -> Awaited<Vec<JobView>> {
        let step = StepView {
            name: "terraform apply".to_owned(),
            phase: RunPhase::Completed,
            conclusion: Some(Conclusion::Failure),
        };
        let job = JobView {
            name: "apply".to_owned(),
            url: Some("https://github.com/acme/infrastructure/actions/runs/1/job/2".to_owned()),
            phase: RunPhase::Completed,
            conclusion: Some(Conclusion::Failure),
            started_at: Some(chrono::DateTime::UNIX_EPOCH),
            completed_at: Some(chrono::DateTime::UNIX_EPOCH),
            steps: vec![step],
            log_tail: vec!["Error: the state is locked".to_owned()],
        };
        Box::pin(std::future::ready(Ok(vec![job])))
    }

    fn examine(&self) -> BoxFuture<'static, Vec<Finding>> {
        let ill = Finding::bad("Clock", "It is an hour late.", "Set it.");
        Box::pin(std::future::ready(vec![Finding::good("App", "GitHub knows it."), ill]))
    }

    fn budgets(&self) -> Vec<Budget> {
        vec![super::budget()]
    }

    fn doors(&self) -> Vec<Door> {
        let door = |name, is_open, says: &str| Door { name, is_open, says: says.to_owned() };
        vec![
            door("GitHub's webhooks", false, "Closed: GITHUB_WEBHOOK_SECRET is not set."),
            door("The portal's webhooks", true, "At /hooks/port, signed."),
        ]
    }
}

/// The change, and beside it one that is refused.
fn in_two_repositories(change: Preview) -> Preview {
    let part = |repository: &str, preview| PartPreview {
        repository: repository.parse().unwrap(),
        is_made: false,
        preview,
    };
    let why = "things/orders belongs to something else.".to_owned();
    Preview::Parts(vec![
        part("acme/infrastructure", change),
        part("acme/gitops", Preview::Refused(Refusal(vec![why]))),
    ])
}

/// The page on which the App is registered, and what leads there.
fn setup() -> SetupState {
    let asked = Asked { github_url: "https://github.com".to_owned(), ..Asked::default() };
    let failing: setup::Register = Arc::new(|_| {
        Box::pin(std::future::ready(Err("GitHub does not know the code. Start again.".to_owned())))
    });
    SetupState::new(asked, failing)
}

/// Serves routes at an address of this machine.
async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    #[expect(clippy::disallowed_methods, reason = "ends with the test")]
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// A browser, and the address of a dashboard with a life behind it; `None` without a browser.
async fn visit(world: &World) -> Option<(Browser, String)> {
    let browser = Browser::start().await?;
    let address = serve(world.dashboard.clone()).await;
    Some((browser, address))
}

async fn lived_in() -> World {
    let world = World::with(Arc::new(OneChange)).await;
    let service = json!({"blueprint": "service", "identifier": "checkout", "title": "Checkout"});
    world.seed.entity("r_service", service, None).await;
    let database = json!({
        "blueprint": "database", "identifier": "orders", "title": "Orders",
        "properties": {"engine": "DocumentDB", "size": 3, "tags": {"team": "shop"}},
        "relations": {"service": "checkout"},
    });
    world.seed.entity("r_database", database, Some("services/checkout/orders")).await;
    world.seed.applied("r_applied", json!({}), 41).await;
    world.seed.proposed("r_waits", json!({}), 42).await;
    let diff = "--- /dev/null\n+++ b/things/orders/main.tf\n@@ -0,0 +1 @@\n+size = 4\n".to_owned();
    let applied = towpath::domain::RunId::new("r_applied").unwrap();
    world.seed.store.keep_patches(&applied, &[diff]).await.unwrap();
    let failing = world.seed.receive("r_failed", json!({})).await;
    let fail = |run: &mut towpath::domain::Run| seed::failed(run, Stage::Failed, "Apply failed");
    world.seed.step(&failing, 1, fail, vec![Event::failure("exit code 1")], vec![]).await;
    let merged = world.seed.merged("r_apply_failed", json!({}), 44).await;
    let fail = |run: &mut towpath::domain::Run| {
        seed::failed(run, Stage::Failed, "Apply failed");
        seed::edit_work(run, |work| work["applies"] = json!([seed::apply("failure", 1)]));
    };
    let told = "The job apply failed at terraform apply: the state is locked.";
    world.seed.step(&merged, 95, fail, vec![Event::failure(told)], vec![]).await;
    world.seed.in_parts("r_parts").await;
    let parked = world.seed.receive("r_parked", json!({"encrypted": ["name"]})).await;
    world.seed.park(&parked, "the template is gone").await;
    let told = towpath::plan::step::Progress {
        log: vec!["The rollback has begun.".to_owned()],
        label: Some("Running".to_owned()),
        ..towpath::plan::step::Progress::default()
    };
    let told = towpath::plan::Step::Progress(told);
    let refused = world.seed.receive("r_refused", json!({"action": "rollback"})).await;
    let work = workflow_work("in_progress", None);
    let runs = |run: &mut towpath::domain::Run| {
        run.work = Some(serde_json::from_value(work).unwrap());
        at(run, Stage::Running, "Running: deploy");
    };
    world.seed.step(&refused, 1, runs, vec![], vec![told.clone()]).await;
    world.seed.tell(&refused, Some("the portal answers 422: no such run")).await;
    let message = "kafka:org_1.runs/0/4711";
    world.seed.store.park_message(message, "The signature is wrong.").await.unwrap();
    world
}

/// Every page, by the name of its picture.
const PAGES: [(&str, &str); 20] = [
    ("runs", "/"),
    ("filtered", "/?q=nothing&repository=x"),
    ("run", "/runs/r_applied"),
    ("jobs", "/runs/r_applied/jobs"),
    ("waiting", "/runs/r_waits"),
    ("failed", "/runs/r_failed"),
    ("apply-failed", "/runs/r_apply_failed"),
    ("parts", "/runs/r_parts"),
    ("parked", "/runs/r_parked"),
    ("refused", "/runs/r_refused"),
    ("actions", "/actions"),
    ("create", "/actions/add_thing"),
    ("change", "/actions/change_thing?entity=orders"),
    ("catalog", "/catalog"),
    ("blueprint", "/catalog/database"),
    ("entity", "/catalog/database/orders"),
    ("health", "/health"),
    ("doctor", "/doctor"),
    ("missing", "/runs/r_none"),
    ("signed-out", "/signed-out"),
];

async fn ask_for_a_thing(browser: &Browser, address: &str, what: &str) {
    browser.open(&format!("{address}/actions/add_thing")).await;
    browser.fill("#field-name", "orders").await;
    browser.fill("#field-token", "hush-hush").await;
    browser.click(&format!("button[value={what}]")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_keeps_the_rules_of_accessibility_in_light_dark_and_narrow() {
    let world = lived_in().await;
    let Some((browser, address)) = visit(&world).await else { return };
    let setup = setup();
    let outside = serve(setup::router(setup.clone())).await;
    let setup = setup.address(&outside);
    let filled = format!("{setup}&organization=acme&public_url=https%3A%2F%2Ftowpath.acme.example");
    let refused = format!("{setup}&public_url=towpath");
    let mut wrong = Vec::new();
    for (look, width, scheme) in
        [("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 360, "light")]
    {
        browser.show_as(width, scheme).await;
        let mut look_at = async |name: &str| {
            let found = browser.violations().await;
            wrong.extend(found.into_iter().map(|found| format!("{name}, {look}: {found}")));
            let overflow =
                browser.run("return document.documentElement.scrollWidth > innerWidth").await;
            if overflow == true {
                wrong.push(format!("{name}, {look}: wider than the window"));
            }
            browser.picture(&format!("{name}-{look}")).await;
        };
        for (name, path) in PAGES {
            browser.open(&format!("{address}{path}")).await;
            look_at(name).await;
        }
        for (name, page) in [
            ("setup", &setup),
            ("setup-filled", &filled),
            ("setup-refused", &refused),
            ("setup-closed", &format!("{outside}/setup?token=x")),
        ] {
            browser.open(page).await;
            look_at(name).await;
        }
        browser.open(&format!("{address}/runs/r_waits")).await;
        browser.run("for (const it of document.querySelectorAll('details')) it.open = true").await;
        look_at("opened").await;
        ask_for_a_thing(&browser, &address, "preview").await;
        look_at("preview").await;
        browser.open(&format!("{address}/actions/change_thing?entity=orders")).await;
        browser.click("button[value=preview]").await;
        look_at("preview-parts").await;
        browser.open(&format!("{address}/actions/add_thing")).await;
        browser.run("document.querySelector('.form').noValidate = true").await;
        browser.fill("#field-name", "No such name").await;
        browser.click("button[value=start]").await;
        look_at("faults").await;
    }
    browser.end().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_previewed_and_started_without_javascript() {
    let world = lived_in().await;
    let Some((browser, address)) = visit(&world).await else { return };
    browser.tell("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    ask_for_a_thing(&browser, &address, "preview").await;
    browser.until_text("would change 1 file").await;
    assert!(browser.text().await.contains("size = 4"), "{}", browser.text().await);
    // The secret was kept, sealed: it is not typed again.
    browser.click("button[value=start]").await;
    browser.until_text("What happened").await;
    let text = browser.text().await;
    assert!(text.contains("Add Thing") && text.contains("Times are in UTC."), "{text}");
    assert!(!text.contains("hush-hush"), "{text}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_shows_what_happens_and_leaves_the_reader_alone() {
    let world = lived_in().await;
    let Some((browser, address)) = visit(&world).await else { return };
    let id = world.seed.receive("r_live", json!({})).await;
    browser.open(&format!("{address}/runs/r_live")).await;
    browser.until_text("Live").await;
    browser.run("document.querySelector('#steps-details').open = true; window.stays = true").await;
    let change = |run: &mut towpath::domain::Run| at(run, Stage::Running, "Running: deploy");
    world.seed.step(&id, 1, change, vec![Event::progress("The deploy has begun.")], vec![]).await;
    browser.until_text("The deploy has begun.").await;
    let kept = "return window.stays && document.querySelector('#steps-details').open";
    assert_eq!(browser.run(kept).await, true, "the page was not loaded anew");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_leads_everywhere() {
    let world = lived_in().await;
    let Some((browser, address)) = visit(&world).await else { return };
    browser.open(&address).await;
    let focused =
        "const it = document.activeElement; return it.id || it.name || it.textContent.trim()";
    let mut way = Vec::new();
    for _ in 0..9 {
        browser.press(TAB).await;
        way.push(browser.run(focused).await.as_str().unwrap_or_default().to_owned());
        let outlined = "return getComputedStyle(document.activeElement).outlineStyle !== 'none'";
        assert_eq!(browser.run(outlined).await, true, "it is seen where the focus is: {way:?}");
    }
    let expected = [
        "Skip to the content",
        "Towpath",
        "Runs",
        "Actions",
        "Catalog",
        "Health",
        "q",
        "state",
        "action",
    ];
    assert_eq!(way, expected);

    browser.fill("[name=q]", "r_waits").await;
    browser.press(ENTER).await;
    browser.until_text("Runs that fit").await;
    assert!(!browser.text().await.contains("Apply failed"));
    browser.open(&address).await;
    browser.press(TAB).await;
    browser.press(ENTER).await;
    assert_eq!(browser.run(focused).await, "content", "the menu can be skipped");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_shown_in_the_viewers_zone() {
    let world = lived_in().await;
    let Some((browser, address)) = visit(&world).await else { return };
    browser.tell("Emulation.setTimezoneOverride", json!({"timezoneId": "Asia/Tokyo"})).await;
    browser.open(&format!("{address}/runs/r_applied")).await;
    browser.until_text("Times are in your zone, Asia/Tokyo.").await;
    let shown = "const time = document.querySelector('time'); \
                 return [time.title, new Intl.DateTimeFormat(undefined, {dateStyle: 'full', \
                 timeStyle: 'long', timeZone: 'Asia/Tokyo'}).format(new Date(time.dateTime))]";
    let shown = browser.run(shown).await;
    assert_eq!(shown[0], shown[1]);
    browser.end().await;
}
