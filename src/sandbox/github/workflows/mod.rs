//! Workflow files and the runs that they give: what starts one, and every step of its life.

mod file;
mod filter;
mod progress;

use serde_json::{Map, Value, json};

use super::git::{Git, ZERO};
use super::refusal::{Answered, Refusal};
use super::state::{Id, Run, Workflow, World};
use file::WorkflowFile;
use filter::{branch_matches, paths_match};

const FOLDER: &str = ".github/workflows";

/// What starts a run.
pub(crate) struct Trigger<'a> {
    pub(crate) event: &'a str,
    pub(crate) branch: &'a str,
    pub(crate) sha: &'a str,
    pub(crate) actor: Id,
    pub(crate) title: String,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) payload: Value,
    pub(crate) pulls: Vec<u64>,
}

impl World {
    /// Every workflow file of the default branch is a workflow from then on.
    pub(crate) fn register_workflows(&mut self, repository: usize) -> Answered<()> {
        let found = &self.repositories[repository];
        let git = self.git(repository)?;
        let Some(sha) = git.branch(&found.default_branch) else {
            return Ok(());
        };
        for (path, file) in workflow_files(&git, &sha)? {
            self.register_workflow(repository, &path, &file);
        }
        Ok(())
    }

    fn register_workflow(&mut self, repository: usize, path: &str, file: &WorkflowFile) -> Id {
        let known = self.repositories[repository].workflows.iter_mut().find(|it| it.path == path);
        if let Some(workflow) = known {
            file.name(path).clone_into(&mut workflow.name);
            return workflow.id;
        }
        let id = self.fresh_id();
        let created_at = self.now();
        let name = file.name(path).to_owned();
        let workflow = Workflow { id, name, path: path.to_owned(), disabled: false, created_at };
        self.repositories[repository].workflows.push(workflow);
        id
    }

    /// A workflow by its id or file name, if its file stands on the default branch.
    pub(crate) fn find_workflow(&self, repository: usize, key: &str) -> Answered<Workflow> {
        let found = &self.repositories[repository];
        let matches = |it: &&Workflow| {
            it.id.to_string() == key || it.path == key || it.path == format!("{FOLDER}/{key}")
        };
        let workflow = found.workflows.iter().find(matches).ok_or_else(Refusal::not_found)?;
        let git = self.git(repository)?;
        let default = git.branch(&found.default_branch).ok_or_else(Refusal::not_found)?;
        git.file(&default, &workflow.path).ok_or_else(Refusal::not_found)?;
        Ok(workflow.clone())
    }

    /// `workflow_dispatch`, with the refusals of GitHub in GitHub's words.
    pub(crate) fn dispatch(
        &mut self,
        repository: usize,
        key: &str,
        reference: &str,
        given: &Map<String, Value>,
        actor: Id,
    ) -> Answered<Id> {
        let workflow = self.find_workflow(repository, key)?;
        let git = self.git(repository)?;
        let short = reference.strip_prefix("refs/heads/").unwrap_or(reference);
        let sha = git
            .branch(short)
            .or_else(|| git.reference(&format!("refs/tags/{short}")))
            .ok_or_else(|| Refusal::unprocessable(format!("No ref found for: {reference}")))?;
        if workflow.disabled {
            return Err(Refusal::unprocessable(
                "Cannot trigger a 'workflow_dispatch' on a disabled workflow",
            ));
        }
        let no_trigger =
            || Refusal::unprocessable("Workflow does not have 'workflow_dispatch' trigger");
        let text = git.file(&sha, &workflow.path).ok_or_else(no_trigger)?;
        let file = WorkflowFile::parse(&text)
            .ok_or_else(|| Refusal::unprocessable("Invalid Argument - failed to parse workflow"))?;
        file.trigger("workflow_dispatch").ok_or_else(no_trigger)?;
        let inputs = file.accept_inputs(given)?;
        let payload = json!({"inputs": inputs, "ref": format!("refs/heads/{short}"), "workflow": workflow.path});
        self.emit("workflow_dispatch", repository, actor, payload.clone());
        let trigger = Trigger {
            event: "workflow_dispatch",
            branch: short,
            sha: &sha,
            actor,
            title: workflow.name.clone(),
            inputs,
            payload,
            pulls: Vec::new(),
        };
        self.start_run(repository, &workflow.path, &file, trigger)
    }

    pub(crate) fn start_workflows_of_push(
        &mut self,
        repository: usize,
        branch: &str,
        before: &str,
        after: &str,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        let from = if before == ZERO || git.kind(before).is_none() {
            parent_of(&git, after)?
        } else {
            before.to_owned()
        };
        let paths: Vec<String> =
            git.differences(&from, after)?.into_iter().map(|it| it.path).collect();
        let title = first_line(&git, after)?;
        for (path, file) in workflow_files(&git, after)? {
            let Some(settings) = file.trigger("push") else {
                continue;
            };
            if !branch_matches(&settings, branch) || !paths_match(&settings, &paths) {
                continue;
            }
            let payload =
                json!({"ref": format!("refs/heads/{branch}"), "before": before, "after": after});
            let trigger = Trigger {
                event: "push",
                branch,
                sha: after,
                actor,
                title: title.clone(),
                inputs: Map::new(),
                payload,
                pulls: Vec::new(),
            };
            self.start_run(repository, &path, &file, trigger)?;
        }
        Ok(())
    }

    pub(crate) fn start_workflows_of_pull(
        &mut self,
        repository: usize,
        number: u64,
        action: &str,
        actor: Id,
    ) -> Answered<()> {
        let git = self.git(repository)?;
        let pull = self.repositories[repository].pull(number)?.clone();
        let base = git.merge_base(&pull.base_sha, &pull.head_sha)?;
        let paths: Vec<String> =
            git.differences(&base, &pull.head_sha)?.into_iter().map(|it| it.path).collect();
        for (path, file) in workflow_files(&git, &pull.head_sha)? {
            let Some(settings) = file.trigger("pull_request") else {
                continue;
            };
            let types = settings["types"].as_array().cloned();
            let types = types
                .unwrap_or_else(|| vec![json!("opened"), json!("synchronize"), json!("reopened")]);
            if !types.contains(&json!(action))
                || !branch_matches(&settings, &pull.base_ref)
                || !paths_match(&settings, &paths)
            {
                continue;
            }
            let found = &self.repositories[repository];
            let payload = json!({"action": action, "number": number, "pull_request": self.pull_full_body(found, &pull)?});
            let trigger = Trigger {
                event: "pull_request",
                branch: &pull.head_ref,
                sha: &pull.head_sha,
                actor,
                title: pull.title.clone(),
                inputs: Map::new(),
                payload,
                pulls: vec![number],
            };
            self.start_run(repository, &path, &file, trigger)?;
        }
        Ok(())
    }

    fn start_run(
        &mut self,
        repository: usize,
        path: &str,
        file: &WorkflowFile,
        trigger: Trigger<'_>,
    ) -> Answered<Id> {
        let workflow = self.register_workflow(repository, path, file);
        let login = self.login(trigger.actor).to_owned();
        let display_title =
            file.run_name(&trigger, &login).unwrap_or_else(|| trigger.title.clone());
        let (id, suite, now) = (self.fresh_id(), self.fresh_id(), self.now());
        let found = &mut self.repositories[repository];
        let number = found.runs.iter().filter(|run| run.workflow == workflow).count() as u64 + 1;
        let reference = match trigger.pulls.first() {
            Some(pull) => format!("refs/pull/{pull}/merge"),
            None => format!("refs/heads/{}", trigger.branch),
        };
        found.runs.push(Run {
            id,
            suite,
            number,
            attempt: 1,
            workflow,
            name: file.name(path).to_owned(),
            path: path.to_owned(),
            display_title,
            event: trigger.event.to_owned(),
            payload: trigger.payload,
            inputs: trigger.inputs,
            branch: trigger.branch.to_owned(),
            reference,
            sha: trigger.sha.to_owned(),
            status: "queued",
            conclusion: None,
            actor: trigger.actor,
            pulls: trigger.pulls,
            created_at: now,
            started_at: now,
            updated_at: now,
            jobs: Vec::new(),
            artifacts: Vec::new(),
        });
        let repository_id = found.id;
        self.unstarted.push((repository_id, id));
        self.emit_run(repository, id, "requested")?;
        Ok(id)
    }
}

fn workflow_files(git: &Git, sha: &str) -> Answered<Vec<(String, WorkflowFile)>> {
    let Some((_, tree)) = git.resolve_object(&format!("{sha}:{FOLDER}")) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in git.entries(&tree)? {
        let is_workflow = matches!(entry.path.rsplit_once('.'), Some((_, "yml" | "yaml")));
        if !is_workflow || entry.kind != "blob" {
            continue;
        }
        let Some(file) = WorkflowFile::parse(&git.blob(&entry.oid)?) else {
            continue;
        };
        files.push((format!("{FOLDER}/{}", entry.path), file));
    }
    Ok(files)
}

fn parent_of(git: &Git, sha: &str) -> Answered<String> {
    Ok(git.commit(sha)?.parent_id(0).map_or(ZERO.to_owned(), |id| id.to_string()))
}

fn first_line(git: &Git, sha: &str) -> Answered<String> {
    Ok(git.commit(sha)?.summary().unwrap_or_default().to_owned())
}
