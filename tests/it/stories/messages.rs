//! The message in each of its forms: what the portal's administrator wrote into an action decides
//! where things stand in it, and nothing else.

use serde_json::{Value, json};

use crate::world::World;

/// The forms, with `{{ … }}` for the portal to fill in.
fn forms() -> [(&'static str, Value); 4] {
    let v1 = json!({
        "action": "{{ .action.identifier }}", "resourceType": "run", "status": "TRIGGERED",
        "trigger": "{{ .trigger }}",
        "context": {"entity": "shop", "blueprint": "service", "runId": "{{ .run.id }}"},
        "payload": {
            "entity": "{{ .entity }}", "properties": "{{ .inputs }}", "censoredProperties": [],
            "action": {
                "identifier": "{{ .action.identifier }}", "trigger": "CREATE",
                "invocationMethod": {"type": "WEBHOOK", "url": "https://towpath.example"},
            },
        },
    });
    let exported = json!({
        "action": "{{ .action.identifier }}", "run": {"id": "{{ .run.id }}"},
        "inputs": "{{ .inputs }}", "entity": "{{ .entity }}", "trigger": "{{ .trigger }}",
        "encrypted": "{{ .action.encryptedProperties }}",
    });
    let flat = json!({
        "runId": "{{ .run.id }}", "action": {"identifier": "{{ .action.identifier }}"},
        "properties": "{{ .inputs }}", "entity": "{{ .entity }}", "trigger": "{{ .trigger }}",
    });
    let nested = json!({
        "port_context": {"run_id": "{{ .run.id }}"},
        "payload": {
            "action": {"identifier": "{{ .action.identifier }}"}, "properties": "{{ .inputs }}",
            "entity": "{{ .entity }}",
        },
        "trigger": "{{ .trigger }}",
    });
    [("v1", v1), ("exported", exported), ("flat", flat), ("nested", nested)]
}

#[tokio::test]
async fn each_form_brings_the_same_pull_request() {
    for (form, body) in forms() {
        let world = World::start().await;
        world.portal.add_action(json!({
            "identifier": "add_database",
            "trigger": {
                "type": "self-service", "operation": "CREATE", "blueprintIdentifier": "service",
            },
            "invocationMethod": {
                "type": "WEBHOOK", "url": format!("http://{}/hooks/port", world.address()),
                "body": body,
            },
        }));
        let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
        world.rest().await;
        world.until_portal(&run, "IN_PROGRESS", "Waiting for review").await;
        let pull = world.infrastructure.only_pull_request().now();
        assert_eq!(pull.title, "Add Database: orders", "{form}");
        assert!(pull.body.contains("for `jane`"), "{form}: {}", pull.body);
        let files = world.infrastructure.files_at(&pull.head_sha);
        assert!(files.iter().any(|path| path == "databases/orders/main.tf"), "{form}: {files:?}");
        world.end().await;
    }
}
