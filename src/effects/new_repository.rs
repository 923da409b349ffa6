//! Making a repository, and its first commit: look, make what is not there yet, say what is true.

use crate::domain::Run;
use crate::domain::run::NewRepository;
use crate::github::{self, BranchMove, RepositorySeen};
use crate::plan::{self, Proposing, Refusal};
use crate::store::ClaimedStep;

use super::{Done, Effects, Result, StepError};

/// How often a repository that was just made may not be there yet when it is looked at.
const LOOKS: u32 = 10;

impl Effects {
    pub(super) async fn create_repository(&self, run: Run, claimed: &ClaimedStep) -> Result<Done> {
        let now = self.clock.now();
        let Some(work) = plan::new_repository(&run) else {
            return Ok(plan::Decision::unchanged(run).into());
        };
        let mark = plan::being_made_by(&run.id);
        let found = match (self.github.repository(&work.repository).await?, &work.new_repository) {
            (None, Some(new)) => {
                // So that a cancel knows whether it may have been sent.
                self.has_begun(claimed).await?;
                match self.make_repository(&run, new, &mark).await {
                    Ok(made) => made,
                    Err(error) => return Err(self.not_sent(claimed, error).await?),
                }
            }
            (found, _) => found,
        };
        let own = found.filter(|found| found.description.as_deref() == Some(&mark));
        let Some(RepositorySeen { default_branch, html_url, .. }) = own else {
            let taken = plan::name_taken(&work.repository);
            return Ok(plan::refuse(run, &taken, now).into());
        };
        Ok(plan::repository_made(run, &default_branch, &html_url, now).into())
    }

    /// `None`: the name is taken, and by what is not to be seen.
    async fn make_repository(
        &self,
        run: &Run,
        new: &NewRepository,
        mark: &str,
    ) -> Result<Option<RepositorySeen>> {
        let Some(work) = plan::new_repository(run) else { return Ok(None) };
        match self.github.create_repository(&work.repository, new, mark).await {
            Ok(made) => Ok(Some(made)),
            // It may be there since the look: made by an attempt whose answer was lost.
            Err(github::Error::Invalid { message, .. }) if message.contains("already exists") => {
                Ok(self.github.repository(&work.repository).await?)
            }
            Err(github::Error::Forbidden { .. }) => Err(StepError::Fail(format!(
                "GitHub does not let the App make repositories of {}. The App needs the permission \
                 `administration: write`, and an owner has to accept it.",
                work.repository.owner()
            ))),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn first_commit(&self, run: Run, claimed: &ClaimedStep) -> Result<Done> {
        let now = self.clock.now();
        let templates = self.templates.now();
        let Some(action) = templates.action(&run.request.action) else {
            let gone = format!("The template of the action {} is gone.", run.request.action);
            return Ok(plan::refuse(run, &Refusal::because(gone), now).into());
        };
        let asked = match plan::ask(&run, action) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(plan::refuse(run, &refusal, now).into()),
        };
        let looked = self.github.look_at_target(super::propose::question(&asked, "")).await;
        let standing = match looked {
            Ok(standing) => standing,
            Err(error) if is_not_there_yet(&error) && claimed.attempt < LOOKS => {
                return Err(StepError::Retry { reason: error.to_string(), until: None });
            }
            Err(error) => return Err(error.into()),
        };
        let commit = if plan::has_first_commit(&run, &standing) {
            standing.base_sha.clone()
        } else {
            let ready = match self.decide(&run, action, &standing, "").await? {
                Ok(Proposing::Ready(ready)) => *ready,
                Ok(_) => return Err(StepError::Fail("The template has no files.".to_owned())),
                Err(refusal) => return Ok(plan::refuse(run, &refusal, now).into()),
            };
            let commit = self.github.commit(&ready.proposal).await?;
            let branch = BranchMove {
                repository: &standing.repository,
                repository_node_id: &standing.repository_node_id,
                branch: &standing.base,
                from: &standing.base_sha,
                to: &commit,
            };
            self.github.move_branch(branch).await?;
            commit
        };
        let new = plan::new_repository(&run).and_then(|work| work.new_repository.as_ref());
        let description = new.map(|new| new.description.as_str()).unwrap_or_default();
        self.github.describe_repository(&asked.repository, description).await?;
        Ok(plan::first_committed(run, &commit, now).into())
    }
}

/// GitHub fills a repository that is made from another one after it has answered.
fn is_not_there_yet(error: &github::Error) -> bool {
    matches!(error, github::Error::NotFound { .. } | github::Error::Empty { .. })
}
