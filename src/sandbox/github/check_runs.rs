//! Check runs: written by Apps, with annotations and buttons, and pressed by people.

use serde_json::{Value, json};

use super::admin::SandboxRepository;
use super::refusal::{Answered, Refusal};
use super::state::{AccountKind, CheckRun, Id, World};

/// Annotations in one request. <https://docs.github.com/rest/checks/runs>
const MOST_ANNOTATIONS: usize = 50;
/// Buttons of a check run.
const MOST_ACTIONS: usize = 3;
/// Characters of a summary or a text.
const MOST_TEXT: usize = 65_535;

const CONCLUSIONS: [&str; 7] =
    ["action_required", "cancelled", "failure", "neutral", "skipped", "success", "timed_out"];

/// What a check run says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxCheck {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// How it ended, if it did.
    pub conclusion: Option<String>,
    /// The line above its summary.
    pub title: String,
    /// Markdown.
    pub summary: String,
    /// `path:line: message` of each annotation.
    pub annotations: Vec<String>,
    /// The labels of its buttons.
    pub buttons: Vec<String>,
}

/// Check runs, as people see and press them.
impl SandboxRepository {
    /// The check runs on a commit, oldest first.
    pub fn checks(&self, sha: &str) -> Vec<SandboxCheck> {
        self.with(|world, index| {
            let checks = world.repositories[index].check_runs.iter();
            Ok(checks.filter(|it| it.sha == sha).map(CheckRun::shown).collect())
        })
    }

    /// Whether GitHub shows the App's checks on a commit as still to come: somebody has asked for
    /// them again, and the App has written none since.
    pub fn awaits_checks(&self, sha: &str) -> bool {
        self.with(|world, index| {
            let found = &world.repositories[index];
            let mut checks = found.check_runs.iter().filter(|it| it.sha == sha);
            Ok(checks.any(|it| found.awaited_suites.contains(&it.suite)))
        })
    }

    /// Presses *Re-run* of a check run.
    pub fn rerun_check(&self, person: &str, id: u64) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            let found = &mut world.repositories[index];
            let suite = found.check_runs.iter().find(|it| it.id == id).map(|it| it.suite);
            found.awaited_suites.extend(suite);
            world.emit_check_run(index, id, person, &json!({"action": "rerequested"}))
        });
    }

    /// Presses *Re-run all checks* of a commit.
    pub fn rerun_checks(&self, person: &str, sha: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            let found = &mut world.repositories[index];
            let check = found.check_runs.iter().find(|it| it.sha == sha).cloned();
            let check = check.ok_or_else(Refusal::not_found)?;
            found.awaited_suites.insert(check.suite);
            let suite = world.check_suite_full_body(index, &check)?;
            let fields = json!({"action": "rerequested", "check_suite": suite});
            world.emit("check_suite", index, person, fields);
            Ok(())
        });
    }

    /// Presses a button of a check run.
    pub fn press_check(&self, person: &str, id: u64, identifier: &str) {
        self.with(|world, index| {
            let person = world.account(person, AccountKind::User);
            world.press_check_run(index, id, identifier, person)
        });
    }
}

impl CheckRun {
    fn shown(&self) -> SandboxCheck {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let annotation = |it: &Value| {
            format!("{}:{}: {}", text(&it["path"]), it["start_line"], text(&it["message"]))
        };
        SandboxCheck {
            id: self.id,
            name: self.name.clone(),
            conclusion: self.conclusion.clone(),
            title: text(&self.output["title"]),
            summary: text(&self.output["summary"]),
            annotations: self.annotations.iter().map(annotation).collect(),
            buttons: self.actions.iter().map(|it| text(&it["label"])).collect(),
        }
    }
}

impl World {
    /// Creates a check run, or changes one.
    pub(crate) fn set_check_run(
        &mut self,
        repository: usize,
        id: Option<Id>,
        body: &Value,
    ) -> Answered<Id> {
        validate(body)?;
        let now = self.now();
        let index = match id {
            Some(id) => self.repositories[repository]
                .check_runs
                .iter()
                .position(|it| it.id == id)
                .ok_or_else(Refusal::not_found)?,
            None => self.new_check_run(repository, body)?,
        };
        let found = &mut self.repositories[repository];
        let check = &mut found.check_runs[index];
        found.awaited_suites.remove(&check.suite);
        let was_completed = check.status == "completed" && id.is_some();
        for (key, field) in [
            ("name", &mut check.name),
            ("status", &mut check.status),
            ("external_id", &mut check.external_id),
        ] {
            if let Some(text) = body[key].as_str() {
                text.clone_into(field);
            }
        }
        if let Some(url) = body["details_url"].as_str() {
            check.details_url = Some(url.to_owned());
        }
        if body["output"].is_object() {
            check.output = body["output"].clone();
            // What is there stays: annotations are only ever added.
            let added = body["output"]["annotations"].as_array();
            check.annotations.extend(added.into_iter().flatten().cloned().map(complete));
        }
        if let Some(actions) = body["actions"].as_array() {
            check.actions.clone_from(actions);
        }
        if let Some(conclusion) = body["conclusion"].as_str() {
            check.conclusion = Some(conclusion.to_owned());
            "completed".clone_into(&mut check.status);
            check.completed_at = Some(now);
        }
        let (check_id, is_completed) = (check.id, check.status == "completed");
        let sender = self.app.bot;
        if id.is_none() {
            self.emit_check_run(repository, check_id, sender, &json!({"action": "created"}))?;
        }
        if is_completed && !was_completed {
            self.emit_check_run(repository, check_id, sender, &json!({"action": "completed"}))?;
        }
        Ok(check_id)
    }

    fn new_check_run(&mut self, repository: usize, body: &Value) -> Answered<usize> {
        let sha = body["head_sha"].as_str().unwrap_or_default();
        self.git(repository)?
            .commit(sha)
            .map_err(|_| Refusal::unprocessable(format!("No commit found for SHA: {sha}")))?;
        // All of an App's on one commit are one suite.
        let known = self.repositories[repository].check_runs.iter().find(|it| it.sha == sha);
        let known = known.map(|it| it.suite);
        let suite = known.unwrap_or_else(|| self.fresh_id());
        let check = CheckRun {
            id: self.fresh_id(),
            suite,
            sha: sha.to_owned(),
            name: String::new(),
            status: "queued".to_owned(),
            conclusion: None,
            details_url: Some("https://example.com".to_owned()),
            external_id: String::new(),
            output: json!({"title": null, "summary": null, "text": null}),
            annotations: Vec::new(),
            actions: Vec::new(),
            started_at: self.now(),
            completed_at: None,
        };
        let checks = &mut self.repositories[repository].check_runs;
        checks.push(check);
        Ok(checks.len() - 1)
    }

    /// A person presses one of the check run's own buttons.
    fn press_check_run(
        &mut self,
        repository: usize,
        id: Id,
        identifier: &str,
        person: Id,
    ) -> Answered<()> {
        let check = self.repositories[repository].check_runs.iter().find(|it| it.id == id);
        let actions = &check.ok_or_else(Refusal::not_found)?.actions;
        if actions.iter().all(|action| action["identifier"] != identifier) {
            return Err(Refusal::not_found());
        }
        let pressed = json!({
            "action": "requested_action",
            "requested_action": {"identifier": identifier},
        });
        self.emit_check_run(repository, id, person, &pressed)
    }

    fn emit_check_run(
        &mut self,
        repository: usize,
        id: Id,
        sender: Id,
        fields: &Value,
    ) -> Answered<()> {
        let found = &self.repositories[repository];
        let check =
            found.check_runs.iter().find(|it| it.id == id).ok_or_else(Refusal::not_found)?;
        let mut fields = fields.clone();
        fields["check_run"] = self.check_run_body(found, check);
        fields["check_run"]["check_suite"] = self.check_suite_body(repository, check)?;
        self.emit("check_run", repository, sender, fields);
        Ok(())
    }
}

/// What GitHub's own description of the request refuses.
fn validate(body: &Value) -> Answered<()> {
    let refuse = |what: &str| Err(Refusal::unprocessable(format!("Invalid request.\n\n{what}")));
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let output = &body["output"];
    if output.is_object() && !(output["title"].is_string() && output["summary"].is_string()) {
        return refuse("\"title\", \"summary\" weren't supplied.");
    }
    if length(&output["summary"]) > MOST_TEXT || length(&output["text"]) > MOST_TEXT {
        return refuse("Only 65535 characters are allowed.");
    }
    let annotations = output["annotations"].as_array();
    if annotations.is_some_and(|all| all.len() > MOST_ANNOTATIONS) {
        return refuse("No more than 50 items are allowed; 51 were supplied.");
    }
    for annotation in annotations.into_iter().flatten() {
        let is_complete = annotation["path"].as_str().is_some_and(|path| !path.is_empty())
            && annotation["start_line"].as_u64().is_some_and(|line| line > 0)
            && annotation["end_line"].is_u64()
            && length(&annotation["message"]) > 0;
        let level = annotation["annotation_level"].as_str().unwrap_or_default();
        if !is_complete || !["notice", "warning", "failure"].contains(&level) {
            return refuse("An annotation has a path, lines, a level and a message.");
        }
    }
    let actions = body["actions"].as_array();
    if actions.is_some_and(|all| all.len() > MOST_ACTIONS) {
        return refuse("No more than 3 items are allowed.");
    }
    for action in actions.into_iter().flatten() {
        let fits = |key: &str, most: usize| (1..=most).contains(&length(&action[key]));
        if !fits("label", 20) || !fits("description", 40) || !fits("identifier", 20) {
            return refuse(
                "A label has at most 20 characters, a description 40, an identifier 20.",
            );
        }
    }
    let conclusion = &body["conclusion"];
    if !conclusion.is_null() && !CONCLUSIONS.iter().any(|known| conclusion == known) {
        return refuse("The conclusion is not a member of the list.");
    }
    Ok(())
}

/// An annotation as it is listed.
fn complete(mut annotation: Value) -> Value {
    for key in ["start_column", "end_column", "title", "raw_details"] {
        if annotation.get(key).is_none() {
            annotation[key] = Value::Null;
        }
    }
    annotation["blob_href"] = json!("");
    annotation
}
