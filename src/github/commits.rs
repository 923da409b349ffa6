//! Commits: whether one contains another, and the marks that stand on one.

use serde::Deserialize;

use super::{Error, GitHub};
use crate::domain::observation::{Conclusion, SignalKind, SignalSeen};
use crate::domain::{CommitSha, RepositoryName};

/// Of how many deployments of a commit the status is asked. Each is a call.
const MOST_DEPLOYMENTS: usize = 20;

#[derive(Deserialize)]
struct Statuses {
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    id: u64,
    state: String,
    #[serde(default)]
    context: String,
    description: Option<String>,
    target_url: Option<String>,
}

#[derive(Deserialize)]
struct Checks {
    check_runs: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    id: u64,
    name: String,
    conclusion: Option<String>,
    html_url: Option<String>,
    output: Option<Output>,
}

#[derive(Deserialize)]
struct Output {
    title: Option<String>,
}

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    environment: String,
}

impl GitHub {
    /// Whether `head` is `base` or a later commit on top of it.
    pub async fn compare(
        &self,
        repository: &RepositoryName,
        base: &CommitSha,
        head: &CommitSha,
    ) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Comparison {
            status: String,
        }
        if base == head {
            return Ok(true);
        }
        let doing = format!("comparing {} with {} in {repository}", base.short(), head.short());
        // The status is asked for, not the commits.
        let path = format!("/compare/{base}...{head}?per_page=1");
        let comparison: Comparison = self.get(repository, doing, &path).await?;
        Ok(matches!(comparison.status.as_str(), "ahead" | "identical"))
    }

    /// The marks of one kind on a commit, the latest of each name.
    pub async fn signals_on(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
        kind: SignalKind,
    ) -> Result<Vec<SignalSeen>, Error> {
        let marks = match kind {
            SignalKind::Status => self.statuses(repository, sha).await,
            SignalKind::Check => self.checks(repository, sha).await,
            SignalKind::Deployment => self.deployments(repository, sha).await,
        }?;
        let signal = |mark: Mark| SignalSeen {
            repository: repository.clone(),
            sha: sha.clone(),
            kind,
            name: mark.name,
            conclusion: mark.conclusion,
            url: mark.url.filter(|url| !url.is_empty()),
            description: mark.description.filter(|text| !text.is_empty()),
            id: mark.id,
        };
        Ok(marks.into_iter().map(signal).collect())
    }

    async fn statuses(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
    ) -> Result<Vec<Mark>, Error> {
        let doing = format!("looking at the statuses of {} in {repository}", sha.short());
        let path = format!("/commits/{sha}/status?per_page=100");
        let found: Statuses = self.get_again(repository, doing, &path).await?;
        Ok(found.statuses.into_iter().map(|status| status.mark(None)).collect())
    }

    async fn checks(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
    ) -> Result<Vec<Mark>, Error> {
        let doing = format!("looking at the checks of {} in {repository}", sha.short());
        let path = format!("/commits/{sha}/check-runs?filter=latest&per_page=100");
        let found: Checks = self.get_again(repository, doing, &path).await?;
        Ok(found.check_runs.into_iter().map(Check::mark).collect())
    }

    /// The latest status of each deployment. Its id is the status', as in the event about it.
    async fn deployments(
        &self,
        repository: &RepositoryName,
        sha: &CommitSha,
    ) -> Result<Vec<Mark>, Error> {
        let doing = format!("looking at the deployments of {} in {repository}", sha.short());
        let path = format!("/deployments?sha={sha}&per_page=100");
        let deployments: Vec<Deployment> = self.get_again(repository, &*doing, &path).await?;
        let mut marks = Vec::new();
        for deployment in deployments.into_iter().take(MOST_DEPLOYMENTS) {
            let path = format!("/deployments/{}/statuses?per_page=1", deployment.id);
            let latest: Vec<Status> = self.get_again(repository, &*doing, &path).await?;
            let latest = latest.into_iter().next();
            marks.extend(latest.map(|status| status.mark(Some(deployment.environment))));
        }
        Ok(marks)
    }
}

/// What the three kinds have in common.
struct Mark {
    id: u64,
    name: String,
    conclusion: Option<Conclusion>,
    url: Option<String>,
    description: Option<String>,
}

impl Status {
    fn mark(self, environment: Option<String>) -> Mark {
        Mark {
            id: self.id,
            name: environment.unwrap_or(self.context),
            conclusion: conclusion_of(&self.state),
            url: self.target_url,
            description: self.description,
        }
    }
}

impl Check {
    fn mark(self) -> Mark {
        Mark {
            id: self.id,
            name: self.name,
            conclusion: self.conclusion.as_deref().map(Conclusion::parse),
            url: self.html_url,
            description: self.output.and_then(|output| output.title),
        }
    }
}

/// The state of a commit status or of a deployment. `inactive` is a deployment that a later one
/// replaced: it had succeeded.
fn conclusion_of(state: &str) -> Option<Conclusion> {
    match state {
        "success" | "inactive" => Some(Conclusion::Success),
        "failure" | "error" => Some(Conclusion::Failure),
        _ => None,
    }
}
