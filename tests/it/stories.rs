//! Stories through the front door.

use serde_json::json;
use towpath::domain::{Stage, Status};
use towpath::sandbox::github::MergeMethod;

use crate::world::{World, newest_run};

#[tokio::test]
async fn a_database_is_made_by_a_reviewed_pull_request() {
    let world = World::start().await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.until_label(&run, "Waiting for review").await;
    let pull = world.infrastructure.only_pull_request();
    assert_eq!(pull.now().title, "Add Database: orders");
    pull.approve("octocat");
    pull.merge("octocat", MergeMethod::Squash);
    world.until_label(&run, "Applying").await;
    let apply = newest_run(&world.infrastructure, "apply.yml");
    apply.complete("success");
    world.until(&run, |run| run.stage == Stage::Done).await;
    let shown = world.until_portal(&run, "SUCCESS", "Applied").await;
    assert!(shown.links.iter().any(|link| link.ends_with("/pull/1")), "{:?}", shown.links);
    let entity = world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["properties"]["size"], json!(10));
    world.end().await;
}
