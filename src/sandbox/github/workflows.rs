//! Workflow files and the runs that they give: what starts one, and every step of its life.

use serde_json::{Map, Value, json};

use super::git::{Git, ZERO};
use super::refusal::{Answered, Refusal};
use super::state::{Artifact, Deployment, Id, Job, Run, Step, Workflow, World};

const FOLDER: &str = ".github/workflows";
/// <https://docs.github.com/actions/using-workflows/workflow-syntax-for-github-actions>
const MOST_INPUTS: usize = 25;
const MOST_INPUT_CHARACTERS: usize = 65_535;

/// A workflow file, as far as starting it needs to know.
pub(crate) struct WorkflowFile {
    document: Value,
}

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

impl WorkflowFile {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let document: Value = serde_saphyr::from_str(text).ok()?;
        document.is_object().then_some(Self { document })
    }

    pub(crate) fn name<'a>(&'a self, path: &'a str) -> &'a str {
        self.document["name"].as_str().unwrap_or(path)
    }

    /// The settings of a trigger, if the file has it. YAML 1.1 reads the key `on` as true.
    pub(crate) fn trigger(&self, event: &str) -> Option<Value> {
        let on = self.document.get("on").or_else(|| self.document.get("true"))?;
        match on {
            Value::String(name) => (name == event).then_some(Value::Null),
            Value::Array(names) => names.contains(&json!(event)).then_some(Value::Null),
            _ => on.get(event).cloned(),
        }
    }

    fn run_name(&self, trigger: &Trigger<'_>, login: &str) -> Option<String> {
        let text = self.document["run-name"].as_str()?;
        let mut title = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}")?;
            title.push_str(before);
            title.push_str(&evaluate(expression.trim(), trigger, login));
            rest = after;
        }
        title.push_str(rest);
        Some(title)
    }

    fn declared_inputs(&self) -> Map<String, Value> {
        let trigger = self.trigger("workflow_dispatch").unwrap_or_default();
        trigger["inputs"].as_object().cloned().unwrap_or_default()
    }

    /// Checks the inputs of a dispatch as GitHub does, and fills in the defaults.
    pub(crate) fn accept_inputs(&self, given: &Map<String, Value>) -> Answered<Map<String, Value>> {
        let declared = self.declared_inputs();
        if declared.len() > MOST_INPUTS {
            return Err(Refusal::unprocessable(format!(
                "Invalid Argument - failed to parse workflow: you may only define up to {MOST_INPUTS} inputs for a `workflow_dispatch` event"
            )));
        }
        if Value::Object(given.clone()).to_string().chars().count() > MOST_INPUT_CHARACTERS {
            return Err(Refusal::unprocessable("inputs are too large."));
        }
        let unexpected: Vec<&String> =
            given.keys().filter(|key| !declared.contains_key(*key)).collect();
        if !unexpected.is_empty() {
            let names = json!(unexpected);
            return Err(Refusal::unprocessable(format!("Unexpected inputs provided: {names}")));
        }
        let mut inputs = Map::new();
        for (name, settings) in &declared {
            if let Some(value) = accept_input(name, settings, given.get(name))? {
                inputs.insert(name.clone(), value);
            }
        }
        Ok(inputs)
    }
}

fn accept_input(name: &str, settings: &Value, given: Option<&Value>) -> Answered<Option<Value>> {
    let value = given.or(settings.get("default")).filter(|value| !value.is_null());
    let Some(value) = value else {
        if settings["required"] == true {
            return Err(Refusal::unprocessable(format!("Required input '{name}' not provided")));
        }
        return Ok(None);
    };
    let text = plain(value);
    let options = settings["options"].as_array();
    let is_choice = settings["type"] == "choice";
    if is_choice && !options.is_some_and(|all| all.iter().any(|option| plain(option) == text)) {
        return Err(Refusal::unprocessable(format!(
            "Provided value '{text}' for input '{name}' not in the list of allowed values"
        )));
    }
    Ok(Some(json!(text)))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn evaluate(expression: &str, trigger: &Trigger<'_>, login: &str) -> String {
    let input = expression
        .strip_prefix("inputs.")
        .or_else(|| expression.strip_prefix("github.event.inputs."));
    if let Some(name) = input {
        return trigger.inputs.get(name).map(plain).unwrap_or_default();
    }
    match expression {
        "github.actor" => login.to_owned(),
        "github.ref_name" => trigger.branch.to_owned(),
        "github.sha" => trigger.sha.to_owned(),
        "github.event_name" => trigger.event.to_owned(),
        _ => String::new(),
    }
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

    fn emit_run(&mut self, repository: usize, run: Id, action: &str) -> Answered<()> {
        let found = &self.repositories[repository];
        let run = found.run(run)?;
        let workflow = found.workflows.iter().find(|it| it.id == run.workflow);
        let mut fields = json!({
            "action": action,
            "workflow": workflow.map(|it| self.workflow_body(found, it)),
            "workflow_run": self.run_body(found, run)?,
        });
        let actor = run.actor;
        // The one action whose description knows no title.
        if let (true, Some(run)) = (action == "in_progress", fields["workflow_run"].as_object_mut())
        {
            run.remove("display_title");
        }
        self.emit("workflow_run", repository, actor, fields);
        Ok(())
    }

    fn emit_job(&mut self, repository: usize, run: Id, job: Id, action: &str) -> Answered<()> {
        let found = &self.repositories[repository];
        let run = found.run(run)?;
        let job = run.jobs.iter().find(|it| it.id == job).ok_or_else(Refusal::not_found)?;
        let mut fields = json!({"action": action, "workflow_job": self.job_body(found, run, job)});
        let is_its = |it: &&Deployment| {
            it.sha == run.sha && job.environment.as_deref() == Some(it.environment.as_str())
        };
        if let Some(deployment) = found.deployments.iter().rev().find(is_its) {
            fields["deployment"] = self.deployment_body(found, deployment);
        }
        let actor = run.actor;
        self.emit("workflow_job", repository, actor, fields);
        Ok(())
    }

    /// The run has begun to work.
    pub(crate) fn run_in_progress(&mut self, repository: usize, run: Id) -> Answered<()> {
        let now = self.now();
        let found = self.repositories[repository].run_mut(run)?;
        if found.is_completed() || found.status == "in_progress" {
            return Ok(());
        }
        found.status = "in_progress";
        found.updated_at = now;
        self.emit_run(repository, run, "in_progress")
    }

    pub(crate) fn run_completed(
        &mut self,
        repository: usize,
        run: Id,
        conclusion: &str,
    ) -> Answered<()> {
        let now = self.now();
        let found = self.repositories[repository].run_mut(run)?;
        if found.is_completed() {
            return Ok(());
        }
        found.status = "completed";
        found.conclusion = Some(conclusion.to_owned());
        found.updated_at = now;
        self.emit_run(repository, run, "completed")
    }

    pub(crate) fn job_queued(&mut self, repository: usize, run: Id, name: &str) -> Answered<()> {
        let (id, now) = (self.fresh_id(), self.now());
        let found = self.repositories[repository].run_mut(run)?;
        let attempt = found.attempt;
        found.jobs.push(Job {
            id,
            attempt,
            name: name.to_owned(),
            status: "queued",
            conclusion: None,
            environment: None,
            steps: Vec::new(),
            log: String::new(),
            created_at: now,
            started_at: now,
            completed_at: None,
        });
        self.emit_job(repository, run, id, "queued")
    }

    fn job_mut(&mut self, repository: usize, run: Id, name: &str) -> Answered<&mut Job> {
        let run = self.repositories[repository].run_mut(run)?;
        let attempt = run.attempt;
        let mut jobs = run.jobs.iter_mut();
        jobs.find(|job| job.attempt == attempt && job.name == name).ok_or_else(Refusal::not_found)
    }

    /// Makes the job if nobody has queued it: a hand-driven run need not say every word.
    fn ensure_job(&mut self, repository: usize, run: Id, name: &str) -> Answered<&mut Job> {
        if self.job_mut(repository, run, name).is_err() {
            self.job_queued(repository, run, name)?;
        }
        self.job_mut(repository, run, name)
    }

    pub(crate) fn job_waiting(
        &mut self,
        repository: usize,
        run: Id,
        name: &str,
        environment: &str,
    ) -> Answered<()> {
        // A job of an environment is a deployment to it, also while it waits.
        let (sha, actor) = {
            let found = self.repositories[repository].run(run)?;
            (found.sha.clone(), found.actor)
        };
        let wanted = json!({"ref": sha, "environment": environment});
        self.create_deployment(repository, &wanted, actor)?;
        let job = self.ensure_job(repository, run, name)?;
        job.status = "waiting";
        job.environment = Some(environment.to_owned());
        let id = job.id;
        self.repositories[repository].run_mut(run)?.status = "waiting";
        self.emit_job(repository, run, id, "waiting")
    }

    /// Somebody decides about an environment that jobs wait for.
    pub(crate) fn decide_environment(
        &mut self,
        repository: usize,
        run: Id,
        environment: &str,
        approved: bool,
    ) -> Answered<()> {
        let found = self.repositories[repository].run_mut(run)?;
        let waiting = |job: &&mut Job| {
            job.environment.as_deref() == Some(environment) && job.status == "waiting"
        };
        let names: Vec<String> =
            found.jobs.iter_mut().filter(waiting).map(|job| job.name.clone()).collect();
        if names.is_empty() {
            return Err(Refusal::unprocessable(
                "There are no pending deployments for this environment",
            ));
        }
        for name in &names {
            if !approved {
                self.job_completed(repository, run, name, "failure")?;
                continue;
            }
            let job = self.job_mut(repository, run, name)?;
            job.status = "queued";
            job.environment = None;
            let id = job.id;
            self.emit_job(repository, run, id, "queued")?;
        }
        if !approved {
            return self.run_completed(repository, run, "failure");
        }
        self.repositories[repository].run_mut(run)?.status = "queued";
        Ok(())
    }

    pub(crate) fn job_started(&mut self, repository: usize, run: Id, name: &str) -> Answered<()> {
        self.run_in_progress(repository, run)?;
        let now = self.now();
        let job = self.ensure_job(repository, run, name)?;
        job.status = "in_progress";
        job.environment = None;
        job.started_at = now;
        let id = job.id;
        self.emit_job(repository, run, id, "in_progress")
    }

    pub(crate) fn step_started(
        &mut self,
        repository: usize,
        run: Id,
        job: &str,
        name: &str,
        number: u64,
    ) -> Answered<()> {
        let now = self.now();
        let job = self.ensure_job(repository, run, job)?;
        job.steps.push(Step {
            name: name.to_owned(),
            number,
            conclusion: None,
            started_at: now,
            completed_at: None,
        });
        Ok(())
    }

    pub(crate) fn step_completed(
        &mut self,
        repository: usize,
        run: Id,
        job: &str,
        number: u64,
        conclusion: &str,
    ) -> Answered<()> {
        let now = self.now();
        let job = self.job_mut(repository, run, job)?;
        let step = job
            .steps
            .iter_mut()
            .find(|step| step.number == number)
            .ok_or_else(Refusal::not_found)?;
        step.conclusion = Some(conclusion.to_owned());
        step.completed_at = Some(now);
        Ok(())
    }

    pub(crate) fn log_line(
        &mut self,
        repository: usize,
        run: Id,
        job: &str,
        line: &str,
    ) -> Answered<()> {
        let at = self.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let job = self.ensure_job(repository, run, job)?;
        job.log.extend([at.as_str(), " ", line, "\n"]);
        Ok(())
    }

    pub(crate) fn add_artifact(
        &mut self,
        repository: usize,
        run: Id,
        name: &str,
        zip: Vec<u8>,
    ) -> Answered<()> {
        let artifact =
            Artifact { id: self.fresh_id(), name: name.to_owned(), zip, created_at: self.now() };
        self.repositories[repository].run_mut(run)?.artifacts.push(artifact);
        Ok(())
    }

    pub(crate) fn job_completed(
        &mut self,
        repository: usize,
        run: Id,
        name: &str,
        conclusion: &str,
    ) -> Answered<()> {
        let now = self.now();
        let job = self.ensure_job(repository, run, name)?;
        job.status = "completed";
        job.conclusion = Some(conclusion.to_owned());
        job.completed_at = Some(now);
        let id = job.id;
        self.emit_job(repository, run, id, "completed")
    }

    /// Another attempt: the same id, one attempt more.
    pub(crate) fn rerun(&mut self, repository: usize, run: Id, actor: Id) -> Answered<()> {
        let now = self.now();
        let found = &mut self.repositories[repository];
        let id = found.id;
        let found = found.run_mut(run)?;
        if !found.is_completed() {
            return Err(Refusal::forbidden("This workflow is already running"));
        }
        found.attempt += 1;
        found.status = "queued";
        found.conclusion = None;
        found.actor = actor;
        found.started_at = now;
        found.updated_at = now;
        self.unstarted.push((id, run));
        self.emit_run(repository, run, "requested")
    }

    pub(crate) fn cancel_run(&mut self, repository: usize, run: Id) -> Answered<()> {
        let found = self.repositories[repository].run(run)?;
        if found.is_completed() {
            return Err(Refusal::conflict("Cannot cancel a workflow run that is completed."));
        }
        let open: Vec<String> = found
            .latest_jobs()
            .filter(|job| job.status != "completed")
            .map(|job| job.name.clone())
            .collect();
        for name in open {
            self.job_completed(repository, run, &name, "cancelled")?;
        }
        self.run_completed(repository, run, "cancelled")
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

fn patterns(settings: &Value, key: &str) -> Option<Vec<String>> {
    match settings.get(key)? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(all) => Some(all.iter().map(plain).collect()),
        _ => None,
    }
}

fn branch_matches(settings: &Value, branch: &str) -> bool {
    let ignored = patterns(settings, "branches-ignore")
        .is_some_and(|all| all.iter().any(|it| glob(it, branch)));
    let wanted =
        patterns(settings, "branches").is_none_or(|all| all.iter().any(|it| glob(it, branch)));
    // `on: push: tags:` alone means no branch at all.
    let only_tags = settings.get("tags").is_some() && settings.get("branches").is_none();
    wanted && !ignored && !only_tags
}

fn paths_match(settings: &Value, paths: &[String]) -> bool {
    if let Some(ignored) = patterns(settings, "paths-ignore") {
        return paths.iter().any(|path| !ignored.iter().any(|it| glob(it, path)));
    }
    let Some(wanted) = patterns(settings, "paths") else {
        return true;
    };
    // A pattern with `!` takes away from what the ones before it gave.
    paths.iter().any(|path| {
        wanted.iter().fold(false, |matched, pattern| match pattern.strip_prefix('!') {
            Some(excluded) => matched && !glob(excluded, path),
            None => matched || glob(pattern, path),
        })
    })
}

/// GitHub's filter patterns: `*` stops at a slash, `**` does not.
fn glob(pattern: &str, text: &str) -> bool {
    if let Some(rest) = pattern.strip_prefix("**/") {
        let below = text.match_indices('/').any(|(at, _)| glob(rest, &text[at + 1..]));
        return glob(rest, text) || below;
    }
    if let Some(rest) = pattern.strip_prefix("**") {
        return (0..=text.len()).any(|at| text.is_char_boundary(at) && glob(rest, &text[at..]));
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        let end = text.find('/').unwrap_or(text.len());
        return (0..=end).any(|at| text.is_char_boundary(at) && glob(rest, &text[at..]));
    }
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some(one), Some(other)) if one == other => {
            glob(&pattern[one.len_utf8()..], &text[other.len_utf8()..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stops_at_a_slash_and_two_stars_do_not() {
        assert!(glob("infra/**", "infra/a/main.tf"));
        assert!(!glob("infra/*", "infra/a/main.tf"));
        assert!(glob("**/*.tf", "main.tf"));
        assert!(glob("**/*.tf", "a/b/main.tf"));
        assert!(!glob("main", "main2"));
        assert!(glob("release/*", "release/1"));
    }

    #[test]
    fn inputs_are_checked_in_githubs_words() {
        let file = WorkflowFile::parse(
            b"on:\n  workflow_dispatch:\n    inputs:\n      size: {type: choice, options: [small, large]}\n      name: {required: true}\n",
        )
        .unwrap();
        let refused =
            |given: Value| file.accept_inputs(given.as_object().unwrap()).unwrap_err().message;
        assert_eq!(refused(json!({"x": "1", "name": "a"})), r#"Unexpected inputs provided: ["x"]"#);
        assert_eq!(refused(json!({"size": "small"})), "Required input 'name' not provided");
        assert_eq!(
            refused(json!({"size": "tiny", "name": "a"})),
            "Provided value 'tiny' for input 'size' not in the list of allowed values"
        );
    }
}
