//! What would come of a request: looked up and decided by the same code that does it, and nothing
//! done.

use crate::domain::standing::Standing;
use crate::domain::{ActionRun, BranchName, CommitSha, RepositoryName, Run};
use crate::plan::{self, Beside, Foreseen, PartPreview, Preview, Proposing, Ready};
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
            (Foreseen::Change(run), Some(action)) => self.preview_change(&run, action, &[]).await,
            (Foreseen::Parts(parts), Some(action)) => self.preview_parts(&parts, action).await,
            (Foreseen::Change(_) | Foreseen::Parts(_), None) => {
                let gone = "The template of this action is gone.";
                Ok(Preview::Refused(plan::Refusal::because(gone)))
            }
            (Foreseen::Refused(refusal), _) => Ok(Preview::Refused(refusal)),
            (Foreseen::Workflow(work), _) => Ok(Preview::Workflow(work)),
            (Foreseen::Secret(secret), _) => Ok(Preview::Secret(secret)),
        }
    }

    /// Nothing is begun where one of them would be refused.
    async fn preview_parts(&self, parts: &[Run], action: &ActionOf) -> Result<Preview> {
        let mut previews = Vec::with_capacity(parts.len());
        for part in parts {
            let Some(repository) = part.repository().cloned() else { continue };
            let is_made = plan::new_repository(part).is_some();
            let beside = plan::beside(part, parts);
            let preview = self.preview_change(part, action, &beside).await?;
            previews.push(PartPreview { repository, is_made, preview });
        }
        Ok(Preview::Parts(previews))
    }

    async fn preview_change(
        &self,
        run: &Run,
        action: &ActionOf,
        beside: &[Beside],
    ) -> Result<Preview> {
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
            return Ok(plan::foresee_nowhere(run, &asked));
        };
        Ok(match self.decide_beside(run, action, &standing, &path, beside).await? {
            Ok(Proposing::Ready(ready)) => change(*ready, &standing),
            Ok(Proposing::Nothing | Proposing::Texts(_)) => Preview::Nothing { path },
            Err(refusal) => Preview::Refused(refusal),
        })
    }

    pub(super) async fn preview_repository(
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
