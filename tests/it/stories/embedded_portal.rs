//! A team without a commercial portal: the form, the preview, the start, and the catalog are here.

use reqwest::header::{COOKIE, SET_COOKIE};
use towpath::plan::step::Lane;
use towpath::sandbox::github::MergeMethod;
use towpath::store::RunFilter;

use crate::world::{Kind, World, newest_run};

fn hidden(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// How many reports were written down for the one run.
async fn reports(world: &World) -> usize {
    let runs = world.store().runs(&RunFilter { limit: 2, ..RunFilter::default() }).await.unwrap();
    let [run] = &runs[..] else { panic!("{} runs", runs.len()) };
    let steps = world.store().steps_of(&run.id).await.unwrap();
    steps.iter().filter(|step| step.step.lane() == Lane::Report).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_previewed_started_and_applied_without_a_portal() {
    let world = World::of(Kind { embedded_portal: true, ..Kind::default() }).await;
    let client =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let address = format!("http://{}/actions/add_database", world.address());
    let answer = client.get(&address).send().await.unwrap();
    let cookie =
        answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = answer.text().await.unwrap();
    let send = |what: &'static str| {
        let fields = [
            ("form_token", hidden(&page, "form_token")),
            ("request", hidden(&page, "request")),
            ("in.name", "orders".to_owned()),
            ("in.size", "20".to_owned()),
            ("in.note", String::new()),
            ("do", what.to_owned()),
        ];
        let pairs = fields.map(|(name, value)| format!("{name}={value}"));
        client
            .post(&address)
            .header(COOKIE, &cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs.join("&"))
            .send()
    };

    let preview = send("preview").await.unwrap().text().await.unwrap();
    assert!(preview.contains("A pull request into main would change"), "{preview}");
    assert!(preview.contains("databases/orders/main.tf"), "{preview}");
    assert!(world.infrastructure.pull_numbers().is_empty(), "a preview does nothing");

    let started = send("start").await.unwrap();
    assert_eq!(started.status(), 303);
    let run = started.headers()["location"].to_str().unwrap().to_owned();
    world.rest().await;
    let proposed = client.get(format!("http://{}{run}", world.address())).send().await.unwrap();
    assert!(proposed.text().await.unwrap().contains("Waiting for review"));
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;

    assert_eq!(reports(&world).await, 0, "nobody hears of it");
    let entity = format!("http://{}/catalog/database/orders", world.address());
    let entity = client.get(entity).send().await.unwrap().text().await.unwrap();
    assert!(entity.contains(&format!("href=\"{run}\"")), "{entity}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_started_here_is_told_to_no_portal_but_its_entity_is() {
    let world = World::start().await;
    let body = serde_json::json!({"inputs": {"name": "orders"}}).to_string();
    let address = format!("http://{}/api/v1/actions/add_database/runs", world.address());
    let started = reqwest::Client::new().post(address).header("content-type", "application/json");
    assert_eq!(started.body(body).send().await.unwrap().status(), 202);
    world.rest().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some());
    let told = world.asked_of_portal();
    assert!(told.iter().all(|call| !call.contains("/actions/runs")), "{told:?}");
    assert_eq!(reports(&world).await, 0, "nobody hears of it");
    world.end().await;
}
