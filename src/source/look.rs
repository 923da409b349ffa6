//! One look at a repository's templates: read, judge, put in force, say so on the commit.

use std::collections::HashSet;
use std::sync::Mutex;

use super::address::Address;
use super::judgement::Judgement;
use super::keeper::{Error, Inner, guard};
use super::snapshot::{Snapshot, Unreadable};
use crate::domain::{BranchName, CommitSha};
use crate::github;
use crate::store;
use crate::template::Templates;

/// One repository's folder, and what is known of it.
pub(super) struct Source {
    pub(super) address: Address,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is in force.
    standing: Option<(CommitSha, Templates)>,
    /// The newest commit that was not put in force.
    refused: Option<CommitSha>,
    /// Commits that have their check run.
    said: HashSet<CommitSha>,
}

/// What keeps a look from its end; it is taken up again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{}", .0.sentence())]
    GitHub(#[from] github::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Source {
    pub(super) fn new(address: Address) -> Self {
        Self { address, state: Mutex::default() }
    }

    /// What is in force.
    pub(super) fn standing(&self) -> Option<Templates> {
        guard(&self.state).standing.as_ref().map(|(_, templates)| templates.clone())
    }

    fn stand(&self, commit: CommitSha, templates: Templates) {
        guard(&self.state).standing = Some((commit, templates));
    }

    fn refuse(&self, commit: CommitSha) {
        guard(&self.state).refused = Some(commit);
    }

    /// Whether it was decided what becomes of a commit.
    fn is_decided(&self, commit: &CommitSha) -> bool {
        let state = guard(&self.state);
        let standing = state.standing.as_ref().map(|(commit, _)| commit);
        standing == Some(commit) || state.refused.as_ref() == Some(commit)
    }

    fn is_said(&self, commit: &CommitSha) -> bool {
        guard(&self.state).said.contains(commit)
    }

    fn note_said(&self, commit: &CommitSha) {
        guard(&self.state).said.insert(commit.clone());
    }
}

impl Inner {
    /// Begins with what was last good.
    pub(super) async fn recall(&self, source: &Source) -> Result<(), store::Error> {
        let kept = Snapshot::kept(&self.store, &source.address).await?;
        let Some(kept) = kept else { return Ok(()) };
        // What an older version took may be a mistake for this one.
        if let Ok(templates) = Templates::load(&kept.files) {
            source.note_said(&kept.commit);
            source.stand(kept.commit, templates);
        }
        Ok(())
    }

    /// Looks at a source for the first time. Where it is no good, what was last good stays.
    pub(super) async fn begin(&self, source: &Source) -> Result<(), Error> {
        let reason = match self.look(source).await {
            Ok(None) => return Ok(()),
            Ok(Some(complaint)) => complaint,
            Err(trouble) => trouble.to_string(),
        };
        if source.standing().is_none() {
            return Err(Error::Source { address: source.address.clone(), reason });
        }
        tracing::warn!(templates = %source.address, reason, "starting with the templates that were last good");
        Ok(())
    }

    /// Looks at every source and its open pull requests.
    pub(super) async fn look_at_all(&self) -> Result<(), Trouble> {
        for source in &self.sources {
            self.look(source).await?;
            let repository = &source.address.repository;
            let base = match &source.address.reference {
                None => self.github.default_branch(repository).await?,
                Some(reference) => match BranchName::new(reference.as_str()) {
                    Ok(branch) => branch,
                    Err(_) => continue,
                },
            };
            for pull in self.github.open_pull_requests(repository, &base).await? {
                self.look_at_proposal(source, &pull.head_sha).await?;
            }
        }
        Ok(())
    }

    /// Looks at what a source holds now. Answers what is wrong with it, if it is not put in force.
    pub(super) async fn look(&self, source: &Source) -> Result<Option<String>, Trouble> {
        let Address { repository, reference, .. } = &source.address;
        let commit = self.github.commit_of(repository, reference.as_deref()).await?;
        if source.is_decided(&commit) && source.is_said(&commit) {
            return Ok(None);
        }
        self.decide(source, commit, None).await
    }

    /// Judges what a source holds now, and puts it in force or does not.
    async fn decide(
        &self,
        source: &Source,
        commit: CommitSha,
        asking: Option<&str>,
    ) -> Result<Option<String>, Trouble> {
        let (judgement, snapshot) = self.judge(source, &commit).await?;
        let mut complaint = None;
        if let (Some(templates), Some(snapshot)) = (judgement.accepted(), snapshot) {
            snapshot.keep(&self.store, &source.address).await?;
            self.put_in_force(source, commit.clone(), templates.clone());
        } else {
            let wrong = judgement.complaint();
            tracing::warn!(templates = %source.address, %commit, "not put in force:\n{wrong}");
            source.refuse(commit.clone());
            complaint = Some(wrong);
        }
        self.say(source, &commit, &judgement, asking).await?;
        Ok(complaint)
    }

    /// Looks once more at a commit, because somebody asks for it on GitHub: what stood in its way,
    /// such as the templates of another place, may be gone.
    pub(super) async fn look_again(
        &self,
        source: &Source,
        commit: &CommitSha,
        asking: &str,
    ) -> Result<(), Trouble> {
        let Address { repository, reference, .. } = &source.address;
        match self.github.commit_of(repository, Some(commit.as_str())).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {
                tracing::warn!(templates = %source.address, %commit, "asked to judge a commit that is not there");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        if self.github.commit_of(repository, reference.as_deref()).await? == *commit {
            return self.decide(source, commit.clone(), Some(asking)).await.map(drop);
        }
        let (judgement, _) = self.judge(source, commit).await?;
        self.say(source, commit, &judgement, Some(asking)).await
    }

    /// Looks at what a pull request would bring.
    pub(super) async fn look_at_proposal(
        &self,
        source: &Source,
        head: &CommitSha,
    ) -> Result<(), Trouble> {
        if source.is_said(head) {
            return Ok(());
        }
        let (judgement, _) = self.judge(source, head).await?;
        self.say(source, head, &judgement, None).await
    }

    /// Takes over what other processes have put in force.
    pub(super) async fn adopt_all(&self) -> Result<(), store::Error> {
        for source in &self.sources {
            let commit = Snapshot::kept_commit(&self.store, &source.address).await?;
            let Some(commit) = commit.filter(|commit| !source.is_decided(commit)) else { continue };
            let kept = Snapshot::kept(&self.store, &source.address).await?;
            let templates = kept.and_then(|kept| Templates::load(&kept.files).ok());
            match templates.filter(|it| self.joined(Some((source, it))).is_ok()) {
                Some(templates) => {
                    source.note_said(&commit);
                    self.put_in_force(source, commit, templates);
                }
                None => source.refuse(commit),
            }
        }
        Ok(())
    }

    async fn judge(
        &self,
        source: &Source,
        commit: &CommitSha,
    ) -> Result<(Judgement, Option<Snapshot>), Trouble> {
        let refusing = |why| Ok((Judgement::refusing(commit.clone(), why), None));
        match Snapshot::read(&self.github, &source.address, commit.clone()).await {
            Ok(snapshot) => {
                let beside = |own: &Templates| self.joined(Some((source, own)));
                Ok((Judgement::of(&snapshot, beside), Some(snapshot)))
            }
            Err(Unreadable::Files(why)) => refusing(why),
            Err(Unreadable::GitHub(error)) if error.is_not_found() => {
                refusing(format!("There is no folder `{}`.", source.address.path))
            }
            Err(Unreadable::GitHub(error)) => Err(error.into()),
        }
    }

    fn put_in_force(&self, source: &Source, commit: CommitSha, templates: Templates) {
        tracing::info!(templates = %source.address, %commit, "put in force");
        source.stand(commit, templates);
        // It was joined before, by the judgement.
        if let Ok(joined) = self.joined(None) {
            self.in_force.replace(joined);
        }
    }

    /// Says on the commit what is thought of it. What the App may not say stays unsaid.
    async fn say(
        &self,
        source: &Source,
        commit: &CommitSha,
        judgement: &Judgement,
        asking: Option<&str>,
    ) -> Result<(), Trouble> {
        let check = judgement.check(&source.address, asking);
        match self.github.set_check(&source.address.repository, &check).await {
            Ok(_) => {}
            Err(error @ github::Error::Forbidden { .. }) => {
                tracing::error!(templates = %source.address, %commit, "what was found is not shown on the commit. {}", error.sentence());
            }
            Err(error) => return Err(error.into()),
        }
        source.note_said(commit);
        Ok(())
    }
}
