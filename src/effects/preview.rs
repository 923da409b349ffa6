//! What would come of a request: looked up and decided by the same code that does it, and nothing
//! done.

use crate::domain::standing::Standing;
use crate::domain::{ActionRun, BranchName, CommitSha, RepositoryName, Run};
use crate::plan::{self, Foreseen, Preview, Proposing, Ready};
use crate::template::ActionOf;

use super::propose::text_at;
use super::{Effects, Result};

impl Effects {
    /// Looks at the target and decides. The request is as a door lets it in: its secrets are sealed.
    pub async fn preview(&self, request: ActionRun) -> Result<Preview> {
        let templates = self.templates.now();
        let page = self.pages.of(&request);
        let action = templates.action(&request.action);
        match (plan::foresee(request, &templates, &page, self.clock.now()), action) {
            (Foreseen::Change(run), Some(action)) => self.preview_change(&run, action).await,
            (Foreseen::Change(run), None) => {
                let gone = format!("The template of the action {} is gone.", run.request.action);
                Ok(Preview::Refused(plan::Refusal::because(gone)))
            }
            (Foreseen::Refused(refusal), _) => Ok(Preview::Refused(refusal)),
            (Foreseen::Workflow(work), _) => Ok(Preview::Workflow(work)),
            (Foreseen::Secret(secret), _) => Ok(Preview::Secret(secret)),
        }
    }

    async fn preview_change(&self, run: &Run, action: &ActionOf) -> Result<Preview> {
        let asked = match plan::ask(run, action) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Preview::Refused(refusal)),
        };
        if plan::new_repository(run).is_some() {
            return self.preview_repository(run, action, asked.repository).await;
        }
        let expected = self.expected_path(run, &asked).await?;
        let found = self.find_target(&asked, action, expected.as_deref()).await?;
        let Some((path, standing)) = found else {
            return Ok(Preview::Refused(plan::nowhere(&asked)));
        };
        Ok(match self.decide(run, action, &standing, &path).await? {
            Ok(Proposing::Ready(ready)) => change(*ready, &standing),
            Ok(Proposing::Nothing | Proposing::Texts(_)) => Preview::Nothing { path },
            Err(refusal) => Preview::Refused(refusal),
        })
    }

    async fn preview_repository(
        &self,
        run: &Run,
        action: &ActionOf,
        name: RepositoryName,
    ) -> Result<Preview> {
        if self.github.repository(&name).await?.is_some() {
            return Ok(Preview::Refused(plan::name_taken(&name)));
        }
        let standing = nothing_in(name);
        Ok(match self.decide(run, action, &standing, "").await? {
            Ok(Proposing::Ready(ready)) => change(*ready, &standing),
            Ok(Proposing::Nothing | Proposing::Texts(_)) => {
                Preview::Nothing { path: String::new() }
            }
            Err(refusal) => Preview::Refused(refusal),
        })
    }
}

/// A repository that is not there yet, in which nothing stands.
fn nothing_in(repository: RepositoryName) -> Standing {
    Standing {
        repository,
        repository_node_id: String::new(),
        base: BranchName::new("main").expect("a word is the name of a branch"),
        base_sha: CommitSha::new("0".repeat(40)).expect("forty digits are a commit's name"),
        files: Vec::new(),
        own_branch: None,
        own_pull_request: None,
        labels: Vec::new(),
        reviewers: Vec::new(),
    }
}

fn change(ready: Ready, standing: &Standing) -> Preview {
    let before = |path: &str| text_at(standing, path);
    let patches = plan::patches(&ready.proposal.changes, before);
    Preview::Change { proposal: Box::new(ready.proposal), patches, notes: ready.notes }
}
