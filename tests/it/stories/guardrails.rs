//! What is not allowed is refused before GitHub is asked anything.

use serde_json::{Value, json};

use crate::world::World;

/// The log of a run that is refused.
async fn refused(action: &str, inputs: Value, entity: &str) -> String {
    let world = World::start().await;
    if entity == "orders" {
        world.portal.add_entity("database", json!({"identifier": "orders", "title": "orders"}));
    }
    let run = world.press(action, inputs, Some(entity)).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Refused").await;
    let log = world.portal_log(&run);
    assert_eq!(world.github.requests(), [], "nothing is asked of GitHub");
    world.end().await;
    log
}

#[tokio::test]
async fn every_fault_is_named_by_its_field() {
    let log =
        refused("add_database", json!({"name": "UPPER", "size": 1000, "colour": "red"}), "shop")
            .await;
    for field in ["name", "size", "colour"] {
        assert!(log.contains(field), "{field} is not named in:\n{log}");
    }
}

#[tokio::test]
async fn what_is_required_has_to_be_there() {
    let log = refused("add_database", json!({"size": 5}), "shop").await;
    assert!(log.contains("name"), "{log}");
}

#[tokio::test]
async fn a_number_is_no_text() {
    let log = refused("add_database", json!({"name": "orders", "size": "10"}), "shop").await;
    assert!(log.contains("size"), "{log}");
}

#[tokio::test]
async fn a_name_that_leaves_its_folder_is_refused() {
    let log = refused("add_database", json!({"name": "../../.github/workflows"}), "shop").await;
    assert!(log.contains("name"), "{log}");
}

#[tokio::test]
async fn a_change_takes_only_the_inputs_that_it_lists() {
    let log = refused("resize_database", json!({"size": 20, "name": "other"}), "orders").await;
    assert!(log.contains("name"), "{log}");
}

#[tokio::test]
async fn a_delete_takes_no_inputs() {
    let log = refused("delete_database", json!({"size": 20}), "orders").await;
    assert!(log.contains("size"), "{log}");
}

#[tokio::test]
async fn an_action_that_no_template_defines_is_named_with_those_that_are() {
    let log = refused("unknown_action", json!({}), "shop").await;
    for name in ["unknown_action", "add_database", "rollback_service"] {
        assert!(log.contains(name), "{name} is not named in:\n{log}");
    }
}
