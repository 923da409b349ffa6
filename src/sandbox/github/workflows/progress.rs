//! The life of a run, once it is started: its jobs, their steps and logs, its end, another attempt.

use serde_json::json;

use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Artifact, Deployment, Id, Job, Step, World};

impl World {
    pub(super) fn emit_run(&mut self, repository: usize, run: Id, action: &str) -> Answered<()> {
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
