//! Without a commercial portal: the service is the portal.

use serde_json::{Value, json};
use towpath::domain::RunId;
use towpath::sandbox::github::MergeMethod;

use crate::world::{Kind, World, newest_run};

async fn post(world: &World, action: &str, body: &Value) -> (u16, Value) {
    let url = format!("http://{}/api/v1/actions/{action}/runs", world.address());
    let request = reqwest::Client::new().post(url).json(body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn get(world: &World, path: &str) -> Value {
    let url = format!("http://{}/api/v1/{path}", world.address());
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_run_is_asked_for_followed_and_its_entity_read_by_the_api() {
    let world = World::of(Kind { embedded_portal: true, ..Kind::default() }).await;
    let body = json!({"inputs": {"name": "orders"}, "entity": {"identifier": "shop"}});
    let (status, answer) = post(&world, "add_database", &body).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["run"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    world.rest().await;
    let run = get(&world, &format!("runs/{id}")).await;
    assert_eq!(
        (&run["status"], &run["label"]),
        (&json!("IN_PROGRESS"), &json!("Waiting for review"))
    );
    assert_eq!(run["repository"], json!("acme/infrastructure"));
    assert!(run["links"].to_string().contains("/pull/1\""), "{run}");
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_label(&RunId::new(id.as_str()).unwrap(), "Applied").await;
    let run = get(&world, &format!("runs/{id}")).await;
    assert_eq!(run["status"], json!("SUCCESS"));
    assert!(run["events"].as_array().unwrap().len() > 3, "{run}");
    let entities = get(&world, "entities/database").await.to_string();
    assert!(entities.contains("orders") && entities.contains("PostgreSQL"), "{entities}");
    assert_eq!(world.portal.requests(), [], "nobody else is told");
    world.end().await;
}

#[tokio::test]
async fn a_refused_run_says_why_in_its_events() {
    let world = World::of(Kind { embedded_portal: true, ..Kind::default() }).await;
    let (status, answer) =
        post(&world, "add_database", &json!({"inputs": {"name": "UPPER"}})).await;
    assert_eq!(status, 202, "{answer}");
    world.rest().await;
    let run = get(&world, &format!("runs/{}", answer["run"].as_str().unwrap())).await;
    assert_eq!((&run["status"], &run["label"]), (&json!("FAILURE"), &json!("Refused")));
    assert!(run["events"].to_string().contains("name"), "{run}");
    assert_eq!(world.github.requests(), []);
    world.end().await;
}
