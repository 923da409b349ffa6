//! Every key that a `template.yml` may have. The loader takes these and no others; the schema for
//! editors and the reference for authors are held to the same lists.

/// Of `template.yml` itself.
pub const TEMPLATE: [&str; 12] = [
    "title",
    "description",
    "inputs",
    "actions",
    "target",
    "targets",
    "files",
    "pull_request",
    "plan",
    "apply",
    "deadlines",
    "entity",
];
/// Of one action.
pub const ACTION: [&str; 8] =
    ["title", "operation", "on", "inputs", "approval", "workflow", "secret", "conclusions"];
/// Of an action's `workflow`.
pub const WORKFLOW: [&str; 4] = ["repository", "file", "ref", "inputs"];
/// Of an action's `secret`.
pub const SECRET: [&str; 4] = ["repository", "environment", "name", "value"];
/// Of `target`.
pub const TARGET: [&str; 3] = ["repository", "base", "path"];
/// Of one of `targets`.
pub const TARGETS: [&str; 8] =
    ["name", "repository", "base", "path", "files", "pull_request", "plan", "apply"];
/// Of `repository` of `target`, where it makes one.
pub const NEW_REPOSITORY: [&str; 4] = ["create", "description", "visibility", "from"];
/// Of `pull_request`.
pub const PULL_REQUEST: [&str; 5] = ["title", "body", "reviewers", "labels", "draft"];
/// Of `plan`.
pub const PLAN: [&str; 1] = ["workflow"];
/// Of `apply`, which has exactly one of them.
pub const APPLY: [&str; 4] = ["workflow", "status", "check", "deployment"];
/// Of `deadlines`, each a time or a map.
pub const DEADLINES: [&str; 6] = ["queued", "running", "approval", "turn", "review", "apply"];
/// Of one deadline that is a map.
pub const DEADLINE: [&str; 2] = ["after", "end"];
/// Of `entity`.
pub const ENTITY: [&str; 7] =
    ["blueprint", "identifier", "title", "team", "icon", "properties", "relations"];
/// GitHub's words for how a workflow ended, which `conclusions` maps to each other.
pub const CONCLUSIONS: [&str; 9] = [
    "success",
    "neutral",
    "skipped",
    "failure",
    "cancelled",
    "timed_out",
    "action_required",
    "stale",
    "startup_failure",
];
/// What an action does to the thing it is about.
pub const OPERATIONS: [&str; 3] = ["create", "day-2", "delete"];
