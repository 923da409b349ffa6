//! Rendering an open pull request again: look, render on the base as it is now, and move the branch,
//! unless somebody else has moved it.

use crate::domain::observation::{Observation, PullRequestState};
use crate::domain::run::Work;
use crate::domain::{CommitSha, Run};
use crate::github::BranchMove;
use crate::plan::step::{MoveBranch, RenderAgain};
use crate::plan::{self, Decision, Proposing};

use super::{Done, Effects, Result};

impl Effects {
    pub(super) async fn render_again(&self, run: Run, ask: &RenderAgain) -> Result<Done> {
        let now = self.clock.now();
        let templates = self.templates.now();
        let Some((own_sha, path)) = rendered(&run) else {
            return Ok(Decision::unchanged(run).into());
        };
        let Some(action) = templates.action(&run.request.action) else {
            let gone = format!("The template of the action {} is gone.", run.request.action);
            return Ok(plan::not_rendered_again(run, &[gone], now).into());
        };
        let asked = match plan::ask(&run, action) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(plan::not_rendered_again(run, &refusal.0, now).into()),
        };
        let standing = self.look_at_folder(&asked, &path).await?;
        let Some(seen) = standing.own_pull_request.clone() else {
            return Ok(Decision::unchanged(run).into());
        };
        if seen.state != PullRequestState::Open {
            return Ok(plan::outcome(run, &Observation::PullRequest(seen), now).into());
        }
        let Some(reason) = plan::reason_to_render_again(&run, &standing, ask) else {
            return Ok(Decision::unchanged(run).into());
        };
        if seen.head_sha != own_sha {
            return Ok(plan::leave_to_people(run, &seen, &reason, now).into());
        }
        let ready = match self.decide(&run, action, &standing, &path).await? {
            Ok(Proposing::Ready(ready)) => *ready,
            Ok(_) => {
                let nothing = format!("`{path}` stands on {} as it was asked for.", standing.base);
                return Ok(plan::not_rendered_again(run, &[nothing], now).into());
            }
            Err(refusal) => return Ok(plan::not_rendered_again(run, &refusal.0, now).into()),
        };
        self.keep_patches(&run, &ready.proposal, &standing).await?;
        let commit = self.github.commit(&ready.proposal).await?;
        Ok(plan::move_to(ready, &seen, commit, reason, now).into())
    }

    /// Looks where the branch is, moves it if it is where it was, and gives the pull request its new
    /// text.
    pub(super) async fn move_branch(&self, run: Run, step: &MoveBranch) -> Result<Done> {
        let now = self.clock.now();
        let look = self.github.pull_request(&step.repository, step.number).await?;
        let seen = look.pull_request;
        if seen.state != PullRequestState::Open {
            return Ok(plan::outcome(run, &Observation::PullRequest(seen), now).into());
        }
        if seen.head_sha != step.from && seen.head_sha != step.to {
            return Ok(plan::leave_to_people(run, &seen, &step.reason, now).into());
        }
        if seen.head_sha == step.from {
            let branch = BranchMove {
                repository: &step.repository,
                repository_node_id: &step.repository_node_id,
                branch: &step.branch,
                from: &step.from,
                to: &step.to,
            };
            self.github.move_branch(branch).await?;
        }
        let (title, body) = (&step.title, &step.body);
        self.github.set_pull_request_text(&step.repository, step.number, title, body).await?;
        Ok(plan::moved(run, step, now).into())
    }
}

/// The commit that this program made of a run's change, and its folder, once there is a pull
/// request.
fn rendered(run: &Run) -> Option<(CommitSha, String)> {
    let Some(Work::PullRequest(work)) = &run.work else { return None };
    Some((work.pull_request.as_ref()?.own_sha.clone(), work.path.clone()?))
}
