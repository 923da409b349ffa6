//! What stands is changed and deleted: git is the source of truth, whatever people did there.

use serde_json::json;
use towpath::domain::{EntityRef, RunId};
use towpath::sandbox::github::MergeMethod;

use crate::world::{Kind, World, newest_run};

const MAIN: &str = "databases/orders/main.tf";

/// A change to `orders`, and its pull request is open, if there is one.
async fn changed(world: &World, inputs: serde_json::Value) -> RunId {
    let run = world.press("resize_database", inputs, Some("orders")).await;
    world.rest().await;
    run
}

/// Merges the newest pull request and applies it.
async fn land(world: &World) {
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
}

/// What is remembered of entities is lost.
async fn forget_entities(world: &mut World) {
    world.stop().await;
    world.empty_the_database();
    world.start_service().await;
}

fn file(world: &World) -> String {
    let head = world.newest_pull().now().head_sha;
    world.infrastructure.file_at(&head, MAIN).expect("the file is there")
}

#[tokio::test]
async fn a_database_is_resized() {
    let world = World::start().await;
    world.with_database("orders").await;
    let run = changed(&world, json!({"size": 20})).await;
    let pull = world.newest_pull().now();
    assert_eq!(pull.title, "Resize Database: orders");
    assert!(pull.body.contains("`10`") && pull.body.contains("`20`"), "{}", pull.body);
    assert!(file(&world).contains("size = 20"), "{}", file(&world));
    land(&world).await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let entity = world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["properties"]["size"], json!(20));
    world.end().await;
}

#[tokio::test]
async fn what_stands_is_found_in_git_where_nothing_is_remembered() {
    let mut world = World::start().await;
    world.with_database("other").await;
    world.with_database("orders").await;
    forget_entities(&mut world).await;
    let none = world.store().entities(&"database".parse().unwrap()).await.unwrap();
    assert_eq!(none, []);
    let run = changed(&world, json!({"size": 20})).await;
    assert!(file(&world).contains("size = 20"));
    land(&world).await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let entity =
        EntityRef { blueprint: "database".parse().unwrap(), identifier: "orders".parse().unwrap() };
    let place = world.store().entity(&entity).await.unwrap().unwrap().place.unwrap();
    assert_eq!(place.path, "databases/orders");
    world.end().await;
}

#[tokio::test]
async fn a_folder_that_people_moved_is_found_where_it_is() {
    let world = World::start().await;
    world.with_database("orders").await;
    let manifest = world.infrastructure.file_at("main", "databases/orders/.towpath.yml").unwrap();
    let main = world.infrastructure.file_at("main", MAIN).unwrap();
    let moved = [
        ("databases/orders/.towpath.yml", None),
        (MAIN, None),
        ("teams/shop/orders/.towpath.yml", Some(manifest.as_str())),
        ("teams/shop/orders/main.tf", Some(main.as_str())),
    ];
    world.infrastructure.push("octocat", "main", &moved, "Move it");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    let run = changed(&world, json!({"size": 20})).await;
    let head = world.newest_pull().now().head_sha;
    let file = world.infrastructure.file_at(&head, "teams/shop/orders/main.tf").unwrap();
    assert!(file.contains("size = 20"), "{file}");
    land(&world).await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    world.end().await;
}

#[tokio::test]
async fn what_a_person_wrote_elsewhere_in_the_file_survives_every_change() {
    let mut world = World::start().await;
    world.with_database("orders").await;
    let before = world.infrastructure.file_at("main", MAIN).unwrap();
    let edited = before
        .replace("output \"endpoint\" {", "# By hand.\noutput \"endpoint\" {\n  sensitive = false");
    assert_ne!(edited, before);
    world.infrastructure.push("octocat", "main", &[(MAIN, Some(&edited))], "By hand");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    for (size, forget) in [(20, false), (30, true), (40, false)] {
        if forget {
            forget_entities(&mut world).await;
        }
        let run = changed(&world, json!({"size": size})).await;
        let now = file(&world);
        assert!(now.contains("# By hand.") && now.contains("sensitive = false"), "{now}");
        assert!(now.contains(&format!("size = {size}")), "{now}");
        land(&world).await;
        world.until_portal(&run, "SUCCESS", "Applied").await;
    }
    world.end().await;
}

#[tokio::test]
async fn an_edit_of_the_very_same_lines_is_refused_with_file_and_lines() {
    let world = World::start().await;
    world.with_database("orders").await;
    let before = world.infrastructure.file_at("main", MAIN).unwrap();
    let edited = before.replace("size = 10", "size = 12");
    world.infrastructure.push("octocat", "main", &[(MAIN, Some(&edited))], "By hand");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    let run = changed(&world, json!({"size": 20})).await;
    world.until_portal(&run, "FAILURE", "Refused").await;
    let log = world.portal_log(&run);
    assert!(log.contains(MAIN) && log.contains("line"), "{log}");
    assert_eq!(world.infrastructure.pull_numbers().len(), 1, "no pull request");
    assert_eq!(world.infrastructure.branches().len(), 2, "no branch");
    world.end().await;
}

#[tokio::test]
async fn a_change_without_effect_ends_well_without_a_pull_request() {
    let world = World::start().await;
    world.with_database("orders").await;
    let run = changed(&world, json!({"size": 10})).await;
    world.until_portal(&run, "SUCCESS", "Nothing to change").await;
    assert!(world.portal_log(&run).contains("nothing to change"), "{}", world.portal_log(&run));
    assert_eq!(world.infrastructure.pull_numbers().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn creating_what_exists_is_refused() {
    let world = World::start().await;
    world.with_database("orders").await;
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Refused").await;
    assert!(world.portal_log(&run).contains("databases/orders"), "{}", world.portal_log(&run));
    assert_eq!(world.infrastructure.pull_numbers().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn creating_over_files_of_somebody_else_is_refused() {
    let world = World::start().await;
    world.infrastructure.push("octocat", "main", &[(MAIN, Some("# mine\n"))], "Mine");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    let run = world.press("add_database", json!({"name": "orders"}), Some("shop")).await;
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Refused").await;
    assert!(world.portal_log(&run).contains("databases/orders"), "{}", world.portal_log(&run));
    world.end().await;
}

#[tokio::test]
async fn a_change_to_what_was_never_made_is_refused() {
    let world = World::start().await;
    world.portal.add_entity("database", json!({"identifier": "orders", "title": "orders"}));
    let run = changed(&world, json!({"size": 20})).await;
    world.until_portal(&run, "FAILURE", "Refused").await;
    assert!(world.portal_log(&run).contains("orders"), "{}", world.portal_log(&run));
    world.end().await;
}

#[tokio::test]
async fn a_delete_keeps_what_a_person_added_and_the_entity_goes_after_the_destroy() {
    let world = World::start().await;
    world.with_database("orders").await;
    let extra = "databases/orders/NOTES.md";
    world.infrastructure.push("octocat", "main", &[(extra, Some("Mind the gap.\n"))], "Notes");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    let run = world.press("delete_database", json!({}), Some("orders")).await;
    world.rest().await;
    let head = world.newest_pull().now().head_sha;
    let left = world.infrastructure.files_at(&head);
    let left: Vec<_> = left.iter().filter(|path| path.starts_with("databases/")).collect();
    assert_eq!(left, [extra]);
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    assert!(world.portal.entity("database", "orders").is_some(), "it still stands");
    newest_run(&world.infrastructure, "apply.yml").complete("success");
    world.rest().await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    assert_eq!(world.portal.entity("database", "orders"), None);
    world.end().await;
}

#[tokio::test]
async fn a_destroy_that_fails_leaves_the_entity() {
    let world = World::start().await;
    world.with_database("orders").await;
    let run = world.press("delete_database", json!({}), Some("orders")).await;
    world.rest().await;
    world.newest_pull().merge("octocat", MergeMethod::Squash);
    world.rest().await;
    let apply = newest_run(&world.infrastructure, "apply.yml");
    apply.complete("failure");
    world.rest().await;
    world.until_portal(&run, "FAILURE", "Apply failed").await;
    assert!(world.portal.entity("database", "orders").is_some());
    apply.rerun("octocat");
    apply.complete("success");
    world.rest().await;
    assert_eq!(world.portal.entity("database", "orders"), None);
    world.end().await;
}

#[tokio::test]
async fn what_the_create_ran_on_is_known_to_every_later_change() {
    let kind = Kind::default()
        .with(
            "path: \"databases/{{ inputs.name }}\"",
            "path: \"{{ entity.identifier }}/{{ inputs.name }}\"",
        )
        .with(
            "size: \"{{ inputs.size }}\"}",
            "size: \"{{ inputs.size }}\"}\n  relations: {service: \"{{ entity.identifier }}\"}",
        );
    let mut world = World::of(kind).await;
    world.with_database("orders").await;
    forget_entities(&mut world).await;
    let run = changed(&world, json!({"size": 20})).await;
    let head = world.newest_pull().now().head_sha;
    let file = world.infrastructure.file_at(&head, "shop/orders/main.tf").unwrap();
    assert!(file.contains("size = 20"), "{file}");
    land(&world).await;
    world.until_portal(&run, "SUCCESS", "Applied").await;
    let entity = world.portal.entity("database", "orders").unwrap();
    assert_eq!(entity["relations"]["service"], json!("shop"));
    world.end().await;
}
