//! Proposing a change: look, decide, and make what is not there yet of branch, commit and pull
//! request.

use std::collections::HashMap;

use crate::domain::Run;
use crate::domain::observation::{PullRequestSeen, PullRequestState};
use crate::domain::run::Work;
use crate::domain::standing::{Proposal, Proposed, Standing};
use crate::github::{ProposalState, TargetQuestion};
use crate::plan::step::Decorate;
use crate::plan::{self, Asked, Beside, Decision, Ground, Proposing, Ready, Refusal, Target};
use crate::store::Place;
use crate::template::{ActionOf, manifest};

use super::{Done, Effects, Result, StepError};

/// Bytes of a change that are kept to be looked at.
const MOST_KEPT: usize = 256 * 1024;

/// Where a change goes, and what stands there.
pub(super) enum Found {
    /// No folder belongs to the entity.
    Nowhere,
    /// Another run comes first there.
    Behind { path: String, ahead: Box<Run> },
    /// It is the run's turn at this folder.
    At { path: String, standing: Box<Standing> },
}

impl Effects {
    /// `may_have_begun`: an earlier attempt may have made some of it already.
    pub(super) async fn propose(&self, run: Run, may_have_begun: bool) -> Result<Done> {
        // Its turn has come when it had given up waiting for it, or before it was told to begin.
        if !plan::may_propose(&run) {
            return Ok(Decision::unchanged(run).into());
        }
        let templates = self.templates.now();
        let now = self.clock.now();
        let Some(action) = templates.action(&run.request.action) else {
            let gone = format!("The template of the action {} is gone.", run.request.action);
            return Ok(plan::refuse(run, &Refusal::because(gone), now).into());
        };
        let asked = match plan::ask(&run, action) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(plan::refuse(run, &refusal, now).into()),
        };
        let known = self.looks.take(&run.id, now).filter(|_| !may_have_begun);
        let found = match known {
            Some((path, standing)) => Found::At { path, standing: Box::new(standing) },
            None => self.find_folder(&run, &asked, action).await?,
        };
        let (path, standing) = match found {
            Found::Nowhere => return Ok(plan::not_there(run, &asked, now).into()),
            Found::Behind { path, ahead } => {
                return Ok(self.wait_behind(run, &path, &ahead).into());
            }
            Found::At { path, standing } => (path, *standing),
        };
        let proposing = self.decide(&run, action, &standing, &path).await?;
        match proposing {
            Ok(Proposing::Ready(ready)) => self.make(*ready, &asked, &standing).await,
            // The answer of an earlier attempt was lost, and its pull request is merged already.
            _ if standing.own_pull_request.is_some() => {
                let page = self.pages.of(&run.request);
                let (standing, path) = (&standing, path.as_str());
                let ground = Ground { standing, path, texts: None, run_page: &page, beside: &[] };
                let run = plan::made_already(&run, action, ground);
                Ok(self.adopt(run, &asked, standing, Vec::new()).into())
            }
            Ok(_) => Ok(plan::nothing_to_change(run, &path, now).into()),
            Err(refusal) => Ok(plan::refuse(run, &refusal, now).into()),
        }
    }

    /// Takes the run's place in line for its folder, and looks there if it is its turn.
    pub(super) async fn find_folder(
        &self,
        run: &Run,
        asked: &Asked,
        action: &ActionOf,
    ) -> Result<Found> {
        let expected = self.expected_path(run, asked).await?;
        if let Some(path) = &expected
            && let Some(ahead) = self.ahead_at(run, asked, path).await?
        {
            return Ok(Found::Behind { path: path.clone(), ahead: Box::new(ahead) });
        }
        let found = self.find_target(asked, action, expected.as_deref()).await?;
        let Some((path, mut standing)) = found else { return Ok(Found::Nowhere) };
        if expected.as_ref() != Some(&path) {
            if let Some(ahead) = self.ahead_at(run, asked, &path).await? {
                return Ok(Found::Behind { path, ahead: Box::new(ahead) });
            }
            // Another's turn may have ended between the look and ours.
            standing = self.look_at_folder(asked, &path).await?;
        }
        Ok(Found::At { path, standing: Box::new(standing) })
    }

    pub(super) async fn decide(
        &self,
        run: &Run,
        action: &ActionOf,
        standing: &Standing,
        path: &str,
    ) -> Result<std::result::Result<Proposing, Refusal>> {
        let beside = self.beside(run).await?;
        self.decide_beside(run, action, standing, path, &beside).await
    }

    /// `beside`: the other parts of the same action.
    pub(super) async fn decide_beside(
        &self,
        run: &Run,
        action: &ActionOf,
        standing: &Standing,
        path: &str,
        beside: &[Beside],
    ) -> Result<std::result::Result<Proposing, Refusal>> {
        let page = self.pages.of(&run.request);
        let ground = Ground { standing, path, texts: None, run_page: &page, beside };
        match plan::propose(run, action, ground) {
            Ok(Proposing::Texts(blobs)) => {
                let texts = self.github.read_blobs(&standing.repository, &blobs).await?;
                let texts: HashMap<String, String> = texts.into_iter().collect();
                Ok(plan::propose(run, action, Ground { texts: Some(&texts), ..ground }))
            }
            decided => Ok(decided),
        }
    }

    /// Makes what is not there yet. An own pull request, in whatever state, is never made again.
    async fn make(&self, ready: Ready, asked: &Asked, standing: &Standing) -> Result<Done> {
        let Ready { run, proposal, mut notes } = ready;
        if standing.own_pull_request.is_some() {
            return Ok(self.adopt(run, asked, standing, notes).into());
        }
        self.keep_patches(&run, &proposal, standing).await?;
        let made = self.send(&proposal, standing).await?;
        let own_sha = made.commit.clone().or_else(|| standing.own_branch.clone());
        let (Some(seen), Some(own_sha)) = (&made.pull_request, own_sha) else {
            return Err(unmade(&proposal, &made));
        };
        let decorate = decoration(asked, standing, &made.labels, seen, &mut notes);
        let decision = plan::proposed(run, seen, &own_sha, decorate, &notes, self.clock.now());
        Ok(decision.into())
    }

    /// Keeps the change as it is proposed, for people to look at. What is too long is read on GitHub.
    pub(super) async fn keep_patches(
        &self,
        run: &Run,
        proposal: &Proposal,
        standing: &Standing,
    ) -> Result<()> {
        let before = |path: &str| text_at(standing, path);
        let mut room = MOST_KEPT;
        let mut kept = Vec::new();
        for patch in plan::patches(&proposal.changes, before) {
            let Some(left) = room.checked_sub(patch.text.len()) else { continue };
            room = left;
            kept.push(patch.text);
        }
        Ok(self.store.keep_patches(&run.id, &kept).await?)
    }

    async fn send(&self, proposal: &Proposal, standing: &Standing) -> Result<Proposed> {
        let moved = standing.own_branch.as_ref().filter(|sha| **sha != proposal.base_sha);
        // A branch that was made for an attempt that got no further is left behind by the base.
        let is_left_behind = match moved {
            Some(own) => self.github.compare(&proposal.repository, own, &proposal.base_sha).await?,
            None => false,
        };
        let state = ProposalState {
            branch_exists: standing.own_branch.is_some(),
            commit_exists: moved.is_some() && !is_left_behind,
        };
        if proposal.changes.needs_modes() || is_left_behind {
            return Ok(self.github.propose_by_git_data(proposal, state).await?);
        }
        Ok(self.github.propose(proposal, state).await?)
    }

    /// Follows the run's own pull request, which is there already. It may not have its labels and
    /// reviewers yet.
    fn adopt(
        &self,
        run: Run,
        asked: &Asked,
        standing: &Standing,
        mut notes: Vec<String>,
    ) -> plan::Decision {
        let Some(seen) = &standing.own_pull_request else {
            return plan::note(run, Vec::new(), self.clock.now());
        };
        let is_open = matches!(seen.state, PullRequestState::Open | PullRequestState::Queued);
        let decorate =
            if is_open { decoration(asked, standing, &[], seen, &mut notes) } else { None };
        plan::proposed(run, seen, &seen.head_sha, decorate, &notes, self.clock.now())
    }

    /// Where the folder is, as far as that is known without a look at GitHub.
    pub(super) async fn expected_path(&self, run: &Run, asked: &Asked) -> Result<Option<String>> {
        let entity = match &asked.target {
            Target::Path(path) => return Ok(Some(path.clone())),
            Target::Entity(entity) => entity,
        };
        if let Some(Work::PullRequest(work)) = &run.work
            && let Some(path) = &work.path
        {
            return Ok(Some(path.clone()));
        }
        let remembered = self.place_of_entity(entity, asked.part.as_ref()).await?;
        let remembered = remembered.filter(|place| place.repository == asked.repository);
        Ok(remembered.map(|place| place.path))
    }

    /// Who has the turn at a folder, if it is not this run.
    async fn ahead_at(&self, run: &Run, asked: &Asked, path: &str) -> Result<Option<Run>> {
        let place = Place { repository: asked.repository.clone(), path: path.to_owned() };
        Ok(self.store.queue_for(&run.id, &place).await?)
    }

    fn wait_behind(&self, run: Run, path: &str, ahead: &Run) -> plan::Decision {
        let page = self.pages.of(&ahead.request);
        plan::wait_behind(run, path, ahead, &page, self.clock.now())
    }

    /// The target folder and what stands there. `None`: no folder belongs to the entity.
    pub(super) async fn find_target(
        &self,
        asked: &Asked,
        action: &ActionOf,
        expected: Option<&str>,
    ) -> Result<Option<(String, Standing)>> {
        if let Target::Path(path) = &asked.target {
            return Ok(Some((path.clone(), self.look_at_folder(asked, path).await?)));
        }
        if let Some(path) = expected {
            let standing = self.look_at_folder(asked, path).await?;
            if is_there(&standing, path, asked, action) || standing.own_pull_request.is_some() {
                return Ok(Some((path.to_owned(), standing)));
            }
        }
        let Some(path) = self.search(asked, action).await? else { return Ok(None) };
        let standing = self.look_at_folder(asked, &path).await?;
        Ok(Some((path, standing)))
    }

    /// Searches the whole repository for the entity's `.towpath.yml`: nothing is remembered of it,
    /// or what is remembered is not true any more.
    async fn search(&self, asked: &Asked, action: &ActionOf) -> Result<Option<String>> {
        // A look at a path where nothing is answers the commit to search at.
        let base_sha = self.look_at_folder(asked, manifest::FILE_NAME).await?.base_sha;
        let paths = self.github.find_manifests(&asked.repository, &base_sha).await?;
        let texts = self.github.read_texts(&asked.repository, &base_sha, &paths).await?;
        let ours = texts
            .iter()
            .find(|(path, text)| plan::is_folder_of(path, text, asked, &action.template));
        Ok(ours.and_then(|(path, _)| Some(path.rsplit_once('/')?.0.to_owned())))
    }

    pub(super) async fn look_at_folder(&self, asked: &Asked, path: &str) -> Result<Standing> {
        Ok(self.github.look_at_target(question(asked, path)).await?)
    }
}

pub(super) fn question<'a>(asked: &'a Asked, path: &'a str) -> TargetQuestion<'a> {
    TargetQuestion {
        repository: &asked.repository,
        base: asked.base.as_ref(),
        path,
        branch: &asked.branch,
        labels: &asked.labels,
        reviewers: &asked.reviewers,
    }
}

/// What stands at a path, where it is text.
pub(super) fn text_at(standing: &Standing, path: &str) -> Option<String> {
    standing.files.iter().find(|file| file.path == path).and_then(|file| file.text.clone())
}

fn is_there(standing: &Standing, path: &str, asked: &Asked, action: &ActionOf) -> bool {
    let name = format!("{path}/{}", manifest::FILE_NAME);
    let file = standing.files.iter().find(|file| file.path == name);
    let text = file.and_then(|file| file.text.as_deref());
    text.is_some_and(|text| plan::is_folder_of(&name, text, asked, &action.template))
}

fn decoration(
    asked: &Asked,
    standing: &Standing,
    new_labels: &[(String, String)],
    pull_request: &PullRequestSeen,
    notes: &mut Vec<String>,
) -> Option<Decorate> {
    for reviewer in &asked.reviewers {
        if !standing.reviewers.iter().any(|(name, _)| name == reviewer) {
            notes.push(format!(
                "{reviewer} could not be asked for a review: GitHub does not know them, or does \
                 not show them to the App. Correct `reviewers` in the template."
            ));
        }
    }
    let labels: Vec<_> = standing.labels.iter().chain(new_labels).cloned().collect();
    for label in &asked.labels {
        if !labels.iter().any(|(name, _)| name.eq_ignore_ascii_case(label)) {
            notes.push(format!("The label {label} could not be made."));
        }
    }
    let decorate = Decorate {
        repository: standing.repository.clone(),
        pull_request_node_id: pull_request.node_id.clone()?,
        labels,
        reviewers: standing.reviewers.clone(),
    };
    (!decorate.labels.is_empty() || !decorate.reviewers.is_empty()).then_some(decorate)
}

/// A part was made and a part refused: the next attempt finds what is there, unless the refusal
/// would only be repeated.
fn unmade(proposal: &Proposal, made: &Proposed) -> StepError {
    let refused = made.refused.join(" ");
    let told = format!("GitHub does not take the change to {}: {refused}", proposal.repository);
    if made.commit.is_some() || refused.is_empty() {
        return StepError::Retry { reason: told, until: None };
    }
    StepError::Fail(told)
}
