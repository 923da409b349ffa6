//! What starts a workflow: `on`, and what GitHub checks before a run exists.

use serde_json::{Map, Value};

use super::glob;
use super::workflow::Workflow;

/// The largest number of inputs that a workflow may define (docs.github.com, workflow syntax).
const MOST_INPUTS: usize = 25;
/// The longest `inputs` object of a dispatch, as compact JSON, in characters.
const LONGEST_INPUTS: usize = 65_535;

/// The events that start a workflow, and the workflow's own name.
#[derive(Debug, Clone, PartialEq)]
pub struct Triggers {
    /// The workflow's `name`.
    pub name: Option<String>,
    /// Set when a push starts it.
    pub push: Option<Filter>,
    /// Set when a pull request starts it. `branches` are those that are merged into.
    pub pull_request: Option<Filter>,
    /// Set when it can be started by hand or by the API.
    pub workflow_dispatch: Option<Dispatch>,
}

/// What an event must be about. An empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The activity types of a pull request.
    pub types: Vec<String>,
    /// Patterns of branch names.
    pub branches: Vec<String>,
    /// Patterns of branch names that do not count.
    pub branches_ignore: Vec<String>,
    /// Patterns of tag names.
    pub tags: Vec<String>,
    /// Patterns of changed files.
    pub paths: Vec<String>,
    /// Patterns of changed files that do not count.
    pub paths_ignore: Vec<String>,
}

/// The inputs of `workflow_dispatch`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dispatch {
    /// In the order of the file.
    pub inputs: Vec<Input>,
}

/// One input of `workflow_dispatch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// `string`, `number`, `boolean`, `choice` or `environment`.
    pub kind: String,
    /// Whether a dispatch without it is refused.
    pub required: bool,
    /// What stands in for it.
    pub default: Option<Value>,
    /// What a `choice` may be.
    pub options: Vec<String>,
}

/// Reads what starts a workflow.
///
/// # Errors
/// The workflow file is not valid; the text is one that GitHub could show to its author.
pub fn triggers(workflow: &str) -> Result<Triggers, String> {
    let workflow = Workflow::parse(workflow)?;
    let events = events(&workflow.on)?;
    let filter = |event: &str| events.get(event).map(Filter::read);
    let dispatch = events.get("workflow_dispatch").map(Dispatch::read).transpose()?;
    Ok(Triggers {
        name: workflow.name,
        push: filter("push"),
        pull_request: filter("pull_request"),
        workflow_dispatch: dispatch,
    })
}

impl Triggers {
    /// Whether a push to `git_ref` that changed these files starts the workflow.
    pub fn on_push(&self, git_ref: &str, changed: &[String]) -> bool {
        let Some(filter) = &self.push else {
            return false;
        };
        if let Some(tag) = git_ref.strip_prefix("refs/tags/") {
            let only_branches = !filter.branches.is_empty() || !filter.branches_ignore.is_empty();
            return match filter.tags.is_empty() {
                true => !only_branches,
                false => glob::any_matches(&filter.tags, tag),
            };
        }
        let branch = git_ref.strip_prefix("refs/heads/").unwrap_or(git_ref);
        let only_tags = !filter.tags.is_empty()
            && filter.branches.is_empty()
            && filter.branches_ignore.is_empty();
        !only_tags && filter.takes_branch(branch) && filter.takes_paths(changed)
    }

    /// Whether an event of a pull request into `base` that changes these files starts it.
    /// `action` is the payload's, such as `opened`.
    pub fn on_pull_request(&self, action: &str, base: &str, changed: &[String]) -> bool {
        let Some(filter) = &self.pull_request else {
            return false;
        };
        let typed = match filter.types.is_empty() {
            true => matches!(action, "opened" | "synchronize" | "reopened"),
            false => filter.types.iter().any(|kind| kind == action),
        };
        typed && filter.takes_branch(base) && filter.takes_paths(changed)
    }
}

impl Filter {
    fn read(event: &Value) -> Self {
        let list = |key: &str| texts(event.get(key));
        Self {
            types: list("types"),
            branches: list("branches"),
            branches_ignore: list("branches-ignore"),
            tags: list("tags"),
            paths: list("paths"),
            paths_ignore: list("paths-ignore"),
        }
    }

    fn takes_branch(&self, branch: &str) -> bool {
        let included = self.branches.is_empty() || glob::any_matches(&self.branches, branch);
        included && !glob::any_matches(&self.branches_ignore, branch)
    }

    fn takes_paths(&self, changed: &[String]) -> bool {
        if !self.paths.is_empty() {
            return changed.iter().any(|path| glob::any_matches(&self.paths, path));
        }
        self.paths_ignore.is_empty()
            || changed.iter().any(|path| !glob::any_matches(&self.paths_ignore, path))
    }
}

impl Dispatch {
    fn read(event: &Value) -> Result<Self, String> {
        let Some(inputs) = event.get("inputs").and_then(Value::as_object) else {
            return Ok(Self::default());
        };
        if inputs.len() > MOST_INPUTS {
            return Err(format!("you may only define up to {MOST_INPUTS} inputs"));
        }
        let inputs = inputs.iter().map(|(name, input)| Input::read(name, input));
        Ok(Self { inputs: inputs.collect() })
    }

    /// What GitHub does with the inputs of a dispatch: refuses what does not fit the workflow,
    /// and fills in the defaults. All values are text afterwards.
    ///
    /// # Errors
    /// The `message` of GitHub's 422.
    pub fn accept(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let size = Value::Object(given.clone()).to_string().chars().count();
        if size > LONGEST_INPUTS {
            return Err("inputs are too large.".to_owned());
        }
        let known = |name: &&String| self.inputs.iter().any(|input| input.name == **name);
        let unexpected: Vec<&String> = given.keys().filter(|name| !known(name)).collect();
        if !unexpected.is_empty() {
            return Err(format!("Unexpected inputs provided: {}", serde_json::json!(unexpected)));
        }
        let mut accepted = Map::new();
        for input in &self.inputs {
            let value = input.accept(given.get(&input.name))?;
            accepted.insert(input.name.clone(), Value::String(value));
        }
        Ok(accepted)
    }

    /// The `inputs` context: booleans and numbers have their type there, unlike in
    /// `github.event.inputs`.
    pub(super) fn typed(&self, accepted: &Map<String, Value>) -> Map<String, Value> {
        let mut typed = accepted.clone();
        for input in &self.inputs {
            let given = accepted.get(&input.name).or(input.default.as_ref());
            let value = input.typed(given.map(text).unwrap_or_default());
            typed.insert(input.name.clone(), value);
        }
        typed
    }
}

impl Input {
    fn read(name: &str, input: &Value) -> Self {
        let is_required = input.get("required").map(text).is_some_and(|text| text == "true");
        Self {
            name: name.to_owned(),
            kind: input.get("type").map_or_else(|| "string".to_owned(), text),
            required: is_required,
            default: input.get("default").filter(|value| !value.is_null()).cloned(),
            options: texts(input.get("options")),
        }
    }

    fn accept(&self, given: Option<&Value>) -> Result<String, String> {
        let Some(given) = given.filter(|value| !value.is_null()) else {
            return match &self.default {
                Some(default) => Ok(text(default)),
                None if self.required => {
                    Err(format!("Required input '{}' not provided", self.name))
                }
                // Without a default a choice is its first option, a boolean false.
                None if self.kind == "choice" => {
                    Ok(self.options.first().cloned().unwrap_or_default())
                }
                None if self.kind == "boolean" => Ok("false".to_owned()),
                None => Ok(String::new()),
            };
        };
        let value = text(given);
        let is_allowed = match self.kind.as_str() {
            "choice" => self.options.contains(&value),
            "boolean" => matches!(value.as_str(), "true" | "false"),
            "number" => value.parse::<f64>().is_ok(),
            _ => true,
        };
        if !is_allowed {
            let name = &self.name;
            return Err(format!(
                "Provided value '{value}' for input '{name}' not in the list of allowed values"
            ));
        }
        Ok(value)
    }

    fn typed(&self, value: String) -> Value {
        match self.kind.as_str() {
            "boolean" => Value::Bool(value == "true"),
            "number" => serde_json::from_str(&value).unwrap_or(Value::String(value)),
            _ => Value::String(value),
        }
    }
}

/// `on` in its long form: `push`, `[push, pull_request]` and a map of events become a map.
fn events(on: &Value) -> Result<Map<String, Value>, String> {
    match on {
        Value::String(event) => Ok(Map::from_iter([(event.clone(), Value::Null)])),
        Value::Array(_) => {
            Ok(texts(Some(on)).into_iter().map(|event| (event, Value::Null)).collect())
        }
        Value::Object(events) => Ok(events.clone()),
        _ => Err("No event triggers defined in `on`".to_owned()),
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(text).collect(),
        Some(one) => vec![text(one)],
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const JOBS: &str = "\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n";

    fn read(on: &str) -> Triggers {
        triggers(&format!("{on}{JOBS}")).unwrap()
    }

    fn given(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_form_of_on_is_read() {
        assert!(read("on: push").on_push("refs/heads/main", &[]));
        assert!(read("on: [push, workflow_dispatch]").workflow_dispatch.is_some());
        assert!(read("on:\n  workflow_dispatch:").workflow_dispatch.is_some());
        assert!(read("on: push").pull_request.is_none());
    }

    #[test]
    fn a_push_starts_a_workflow_when_branch_and_path_fit() {
        let triggers = read("on: {push: {branches: [main], paths: ['**/*.tf', '!docs/**']}}");
        let changed = |path: &str| vec![path.to_owned()];
        assert!(triggers.on_push("refs/heads/main", &changed("services/web/main.tf")));
        assert!(!triggers.on_push("refs/heads/main", &changed("README.md")));
        assert!(!triggers.on_push("refs/heads/main", &changed("docs/example.tf")));
        assert!(!triggers.on_push("refs/heads/other", &changed("main.tf")));
        assert!(!triggers.on_push("refs/tags/v1", &changed("main.tf")));
    }

    #[test]
    fn a_pull_request_starts_a_workflow_by_its_base_and_activity() {
        let triggers = read("on: {pull_request: {branches: [main]}}");
        assert!(triggers.on_pull_request("synchronize", "main", &[]));
        assert!(!triggers.on_pull_request("closed", "main", &[]));
        assert!(!triggers.on_pull_request("opened", "develop", &[]));
        let closed = read("on: {pull_request: {types: [closed]}}");
        assert!(closed.on_pull_request("closed", "main", &[]));
    }

    #[test]
    fn a_dispatch_is_refused_in_githubs_words() {
        let triggers = read(
            "on: {workflow_dispatch: {inputs: {version: {required: true}, \
             size: {type: choice, options: [s, m], default: m}, dry: {type: boolean}}}}",
        );
        let dispatch = triggers.workflow_dispatch.unwrap();
        let refused = |inputs: Value| dispatch.accept(&given(&inputs)).unwrap_err();
        assert_eq!(
            refused(json!({"version": "1", "x": "2"})),
            r#"Unexpected inputs provided: ["x"]"#
        );
        assert_eq!(refused(json!({})), "Required input 'version' not provided");
        assert_eq!(
            refused(json!({"version": "1", "size": "l"})),
            "Provided value 'l' for input 'size' not in the list of allowed values"
        );
        assert_eq!(refused(json!({"version": "x".repeat(65_535)})), "inputs are too large.");
        let accepted = dispatch.accept(&given(&json!({"version": 7}))).unwrap();
        assert_eq!(
            Value::Object(accepted.clone()),
            json!({"version": "7", "size": "m", "dry": "false"})
        );
        assert_eq!(dispatch.typed(&accepted)["dry"], json!(false));
    }

    #[test]
    fn a_broken_file_is_an_error_and_no_panic() {
        assert!(triggers("on: [push").is_err());
        assert!(triggers("name: x").is_err());
        assert!(triggers(&format!("on: 5{JOBS}")).is_err());
    }
}
