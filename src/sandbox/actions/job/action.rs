//! The actions of the marketplace that the sandbox plays itself, in a step with `uses`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::Leg;
use crate::sandbox::actions::checkout::Checkout;
use crate::sandbox::actions::expression::{self, Scope, text};
use crate::sandbox::actions::workflow::Step;
use crate::sandbox::actions::{Report, artifact};

impl Leg {
    /// Plays an action, or says that the sandbox does not know it.
    pub(super) async fn action(
        &mut self,
        action: &str,
        step: &Step,
        scope: &Scope,
    ) -> Result<Map<String, Value>> {
        let with = expression::deep(&Value::Object(step.with.clone()), scope)
            .map_err(anyhow::Error::msg)?;
        let given = |name: &str| with.get(name).map(text).filter(|value| !value.is_empty());
        let name = action.split_once('@').map_or(action, |(name, _)| name);
        self.log.say(&format!("##[group]Run {action}\n##[endgroup]"));
        match name {
            "actions/checkout" => self.checkout(&given).await,
            "hashicorp/setup-terraform" => {
                // Its wrapper is on the path of every job.
                self.log.say("Terraform is on the PATH already.");
                Ok(Map::new())
            }
            "actions/upload-artifact" => self.upload(&given).await,
            "actions/download-artifact" => self.download(&given).await,
            other => bail!(
                "The sandbox does not run the action {other}. It knows actions/checkout, \
                 actions/upload-artifact, actions/download-artifact and hashicorp/setup-terraform; \
                 use a script (`run`) instead, or try this workflow on GitHub."
            ),
        }
    }

    async fn checkout(
        &mut self,
        given: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<Map<String, Value>> {
        let request = self.run.request.clone();
        if let Some(other) =
            given("repository").filter(|name| !name.eq_ignore_ascii_case(&request.repository))
        {
            bail!("The sandbox checks out {} only, not {other}.", request.repository);
        }
        let depth = given("fetch-depth").unwrap_or_else(|| "1".to_owned());
        let depth =
            depth.parse().with_context(|| format!("fetch-depth '{depth}' is not a number"))?;
        let (target, wanted) = (self.work.join(given("path").unwrap_or_default()), given("ref"));
        let commit = tokio::task::spawn_blocking(move || {
            let checkout = Checkout {
                git_dir: &request.git_dir,
                target: &target,
                wanted: wanted.as_deref(),
                git_ref: &request.git_ref,
                sha: &request.sha,
                depth,
            };
            checkout.execute()
        });
        let commit = commit.await??;
        self.log.say(&format!("HEAD is now at {commit}"));
        Ok(Map::from_iter([("commit".to_owned(), Value::String(commit))]))
    }

    async fn upload(
        &mut self,
        given: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<Map<String, Value>> {
        let name = given("name").unwrap_or_else(|| "artifact".to_owned());
        let patterns = given("path").context("Input required and not supplied: path")?;
        let root = self.work.clone();
        let packed = tokio::task::spawn_blocking({
            let patterns = patterns.clone();
            move || artifact::pack(&root, &patterns)
        });
        let Some(zip) = packed.await?? else {
            let message = format!(
                "No files were found with the provided path: {patterns}. No artifacts will be uploaded."
            );
            match given("if-no-files-found").as_deref() {
                Some("error") => bail!(message),
                Some("ignore") => self.log.say(&message),
                _ => self.log.say(&format!("##[warning]{message}")),
            }
            return Ok(Map::new());
        };
        let may_overwrite = given("overwrite").is_some_and(|value| value == "true");
        if self.run.artifacts().contains_key(&name) && !may_overwrite {
            bail!("An artifact with the name {name} already exists on the workflow run.");
        }
        self.log.say(&format!("Artifact {name} is {} bytes.", zip.len()));
        self.run.artifacts().insert(name.clone(), zip.clone());
        self.run.report(Report::Artifact { name, zip });
        Ok(Map::new())
    }

    async fn download(
        &mut self,
        given: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<Map<String, Value>> {
        let target = self.work.join(given("path").unwrap_or_default());
        let found: Vec<(PathBuf, Vec<u8>)> = if let Some(name) = given("name") {
            let archive = self.run.artifacts().get(&name).cloned();
            let archive =
                archive.with_context(|| format!("Artifact not found for name: {name}"))?;
            vec![(target.clone(), archive)]
        } else {
            let artifacts = self.run.artifacts();
            let all = artifacts.iter();
            all.map(|(name, archive)| (target.join(name), archive.clone())).collect()
        };
        let count = found.len();
        let unpacked = tokio::task::spawn_blocking(move || {
            found.into_iter().try_for_each(|(folder, archive)| artifact::unpack(&archive, &folder))
        });
        unpacked.await??;
        self.log.say(&format!("Artifacts downloaded: {count}."));
        let path = target.to_string_lossy().into_owned();
        Ok(Map::from_iter([("download-path".to_owned(), Value::String(path))]))
    }
}
