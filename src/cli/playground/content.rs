//! What is in the sandboxes at the beginning: two repositories, their workflows, and in the portal
//! a blueprint and an action for everything that the templates define.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use crate::domain::Operation;
use crate::sandbox::github::{SandboxGitHub, SandboxRepository};
use crate::sandbox::portal::SandboxPort;
use crate::template::{ActionSpec, Template, Templates};

const README: &str = "# infrastructure\n\nWhat runs, as code. Folders with a `.towpath.yml` are \
                      made and changed by actions of the portal.\n";
const PLAN: &str = include_str!("terraform-plan.yml");
const APPLY: &str = include_str!("terraform-apply.yml");
const ROLLBACK: &str = include_str!("rollback.yml");

/// `acme/infrastructure` and `acme/shop`.
pub(super) fn repositories(github: &SandboxGitHub) -> (SandboxRepository, SandboxRepository) {
    let infrastructure = github.create_repository(
        "acme/infrastructure",
        &[
            ("README.md", README),
            (".github/workflows/terraform-plan.yml", PLAN),
            (".github/workflows/terraform-apply.yml", APPLY),
        ],
    );
    infrastructure.add_collaborator("olga", "write");
    let shop = github.create_repository(
        "acme/shop",
        &[("README.md", "# shop\n"), (".github/workflows/rollback.yml", ROLLBACK)],
    );
    shop.add_collaborator("olga", "write");
    shop.create_environment("production", true);
    (infrastructure, shop)
}

/// Blueprints and actions for the templates, and a service for them to act on.
pub(super) fn portal(portal: &SandboxPort, templates: &Templates, service: SocketAddr) {
    portal.add_blueprint(json!({
        "identifier": "service", "title": "Service", "schema": {"properties": {}}, "relations": {},
    }));
    for template in templates.iter() {
        if let Some(entity) = &template.entity {
            portal.add_blueprint(blueprint(entity));
        }
        for action in &template.actions {
            portal.add_action(action_of(template, action, service));
        }
    }
    portal.add_entity("service", json!({"identifier": "shop", "title": "Shop"}));
}

fn blueprint(entity: &Value) -> Value {
    let identifier = entity["blueprint"].as_str().unwrap_or("thing");
    let names = entity["properties"].as_object().into_iter().flatten().map(|(name, _)| name);
    // A value that is one expression keeps its type: any may come.
    let properties: Map<String, Value> = names.map(|name| (name.clone(), json!({}))).collect();
    let relations = entity["relations"].as_object().into_iter().flatten().map(|(name, _)| {
        (name.clone(), json!({"target": "service", "many": false, "required": false}))
    });
    json!({
        "identifier": identifier, "title": identifier,
        "schema": {"properties": properties},
        "relations": relations.collect::<Map<String, Value>>(),
    })
}

fn action_of(template: &Template, action: &ActionSpec, service: SocketAddr) -> Value {
    let on = match (&template.entity, action.operation) {
        (Some(entity), Operation::Day2 | Operation::Delete) => entity["blueprint"].clone(),
        _ => json!("service"),
    };
    let operation = match action.operation {
        Operation::Create => "CREATE",
        Operation::Day2 => "DAY-2",
        Operation::Delete => "DELETE",
    };
    json!({
        "identifier": action.id,
        "title": action.title,
        "trigger": {
            "type": "self-service", "operation": operation, "blueprintIdentifier": on,
            "userInputs": {"properties": {}},
        },
        "invocationMethod": {
            "type": "WEBHOOK",
            "url": format!("http://{service}/hooks/port"),
            "body": {
                "action": "{{ .action.identifier }}",
                "run": {"id": "{{ .run.id }}"},
                "inputs": "{{ .inputs }}",
                "entity": "{{ .entity }}",
                "trigger": "{{ .trigger }}",
                "encrypted": "{{ .action.encryptedProperties }}",
            },
        },
    })
}
