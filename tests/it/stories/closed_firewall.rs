//! Nothing can reach the service from outside: it asks the portal for runs, and GitHub for what
//! became of them.

use serde_json::json;
use towpath::domain::RunId;
use towpath::sandbox::github::MergeMethod;

use crate::world::{Kind, World, newest_run};

async fn status(world: &World, method: reqwest::Method, path: &str) -> u16 {
    let url = format!("http://{}{path}", world.address());
    let request = reqwest::Client::new().request(method, url).body("{}");
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_change_is_fetched_proposed_merged_and_applied_without_any_inbound_connection() {
    let world = World::of(Kind { polls_for: Some("_PORT_EXEC_AGENT"), ..Kind::default() }).await;
    assert_eq!(status(&world, reqwest::Method::GET, "/readyz").await, 200);
    assert_eq!(status(&world, reqwest::Method::POST, "/hooks/port").await, 404);
    assert_eq!(status(&world, reqwest::Method::POST, "/hooks/github").await, 401);

    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.until_label(&run, "Waiting for review").await;
    world.rest().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.look().await;
    world.until_portal(&run, "IN_PROGRESS", "Applying").await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.look().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    assert!(world.portal.entity("database", "orders").is_some());
    world.end().await;
}

#[tokio::test]
async fn a_workflow_of_an_integration_is_fetched_and_followed_by_looking() {
    let world = World::of(Kind { polls_for: Some("my-github"), ..Kind::default() }).await;
    world.portal.add_action(json!({
        "identifier": "roll_back",
        "trigger": {"type": "self-service", "operation": "CREATE"},
        "invocationMethod": {
            "type": "INTEGRATION_ACTION", "installationId": "my-github",
            "integrationActionType": "dispatch_workflow",
            "integrationActionExecutionProperties": {
                "org": "acme", "repo": "shop", "workflow": "rollback.yml",
            },
        },
    }));
    let run = world.press("roll_back", json!({}), None).await;
    world.until_portal(&run, "IN_PROGRESS", "Queued").await;
    newest_run(&world.shop, "rollback.yml").complete("success");
    world.look().await;
    world.until_portal(&run, "SUCCESS", "Succeeded").await;
    world.end().await;
}

#[tokio::test]
async fn a_node_of_a_workflow_in_the_portal_is_fetched_and_told_by_its_own_calls() {
    let world = World::of(Kind { polls_for: Some("my-github"), ..Kind::default() }).await;
    let node = world.portal.reach_node(json!({
        "type": "INTEGRATION_ACTION", "installationId": "my-github",
        "integrationInvocationType": "dispatch_workflow",
        "integrationActionExecutionProperties": {
            "org": "acme", "repo": "shop", "workflow": "rollback.yml",
        },
    }));
    let run = RunId::new(node.as_str()).unwrap();
    world.until_label(&run, "Queued").await;
    newest_run(&world.shop, "rollback.yml").complete("success");
    world.look().await;
    world.until_label(&run, "Succeeded").await;
    world.rest().await;
    let shown = world.portal.node_run(&node).unwrap();
    assert_eq!((shown.status.as_str(), shown.result.as_deref()), ("COMPLETED", Some("SUCCESS")));
    assert!(!shown.links.is_empty(), "the workflow run is linked");
    let told = world.asked_of_portal();
    assert!(told.contains(&"PATCH /v1/workflows/nodes/runs/{node}".to_owned()), "{told:#?}");
    assert!(!told.contains(&"PATCH /v1/actions/runs/{run}".to_owned()), "{told:#?}");
    world.end().await;
}
