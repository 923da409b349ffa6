//! A repository on GitHub in place of a checkout, read as the App that the environment names.

use std::collections::HashMap;

use anyhow::Context as _;

use super::places::AsApp;
use crate::domain::standing::Standing;
use crate::domain::{BranchName, RepositoryName};
use crate::github::{self, TargetQuestion};
use crate::plan::{self, Asked, Target};
use crate::template::{ActionOf, manifest};

/// `owner/name[@branch]`.
pub(super) struct Remote {
    app: AsApp,
    repository: RepositoryName,
    branch: Option<BranchName>,
}

impl Remote {
    /// Prepares to read it.
    pub(super) fn new(named: &str) -> anyhow::Result<Self> {
        let (name, branch) = match named.split_once('@') {
            Some((name, branch)) => (name, Some(branch)),
            None => (named, None),
        };
        let repository = name.parse().with_context(|| format!("--repository {named}"))?;
        let branch = branch.map(BranchName::new).transpose();
        let branch = branch.with_context(|| format!("--repository {named}"))?;
        let app = AsApp::new(&format!("--repository {named}"), "or use --checkout")?;
        Ok(Self { app, repository, branch })
    }

    /// The target folder and what stands there, as the service finds them. `None`: no folder belongs
    /// to the entity.
    pub(super) fn find(
        &self,
        asked: &Asked,
        action: &ActionOf,
    ) -> anyhow::Result<Option<(String, Standing)>> {
        self.app.runtime.block_on(self.found(asked, action)).map_err(told)
    }

    /// The texts of blobs. What is not there any more is left out.
    pub(super) fn texts(&self, blobs: &[String]) -> anyhow::Result<HashMap<String, String>> {
        let read = self.app.runtime.block_on(self.app.github.read_blobs(&self.repository, blobs));
        Ok(read.map_err(told)?.into_iter().collect())
    }

    async fn found(
        &self,
        asked: &Asked,
        action: &ActionOf,
    ) -> Result<Option<(String, Standing)>, github::Error> {
        if let Target::Path(path) = &asked.target {
            return Ok(Some((path.clone(), self.look(asked, path).await?)));
        }
        let base_sha = self.look(asked, manifest::FILE_NAME).await?.base_sha;
        let paths = self.app.github.find_manifests(&self.repository, &base_sha).await?;
        let texts = self.app.github.read_texts(&self.repository, &base_sha, &paths).await?;
        let mut folders = texts.iter().filter_map(|(path, text)| {
            let is_ours = plan::is_folder_of(path, text, asked, &action.template);
            path.rsplit_once('/').filter(|_| is_ours)
        });
        let Some((path, _)) = folders.next() else { return Ok(None) };
        Ok(Some((path.to_owned(), self.look(asked, path).await?)))
    }

    async fn look(&self, asked: &Asked, path: &str) -> Result<Standing, github::Error> {
        let question = TargetQuestion {
            repository: &self.repository,
            base: self.branch.as_ref().or(asked.base.as_ref()),
            path,
            branch: &asked.branch,
            labels: &[],
            reviewers: &[],
        };
        self.app.github.look_at_target(question).await
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is a step of `map_err`")]
fn told(error: github::Error) -> anyhow::Error {
    anyhow::Error::msg(error.sentence())
}
