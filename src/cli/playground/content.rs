//! What is in the sandboxes at the beginning: two repositories, their workflows, and in the portal
//! a blueprint and an action for everything that the templates define.

use std::net::SocketAddr;

use serde_json::json;

use crate::cli::portal::define::{Defined, define};
use crate::portal::definition::Definition;
use crate::sandbox::github::{SandboxGitHub, SandboxRepository};
use crate::sandbox::portal::SandboxPort;
use crate::template::Templates;

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

/// What `towpath portal sync` would bring, and a service to act on.
pub(super) fn portal(
    portal: &SandboxPort,
    templates: &Templates,
    service: SocketAddr,
) -> anyhow::Result<()> {
    portal.add_blueprint(json!({
        "identifier": "service", "title": "Service", "schema": {"properties": {}}, "relations": {},
    }));
    for Defined { what, body, .. } in define(templates, &format!("http://{service}/hooks/port"))? {
        match what {
            Definition::Blueprint => portal.add_blueprint(body),
            Definition::Action => portal.add_action(body),
        }
    }
    portal.add_entity("service", json!({"identifier": "shop", "title": "Shop"}));
    Ok(())
}
