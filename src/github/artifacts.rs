//! Artifacts of workflow runs: the outputs of an apply, the changes of a plan.

use std::io::Read as _;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::connection::{Call, Reading, encoded};
use super::{Error, GitHub, below};
use crate::domain::report::PlanSummary;
use crate::domain::{RepositoryName, WorkflowRunId};

/// The artifact of an apply, and the file in it: `terraform output -json`.
const OUTPUTS: (&str, &str) = ("towpath-outputs", "outputs.json");

/// The artifact of a plan, and the file in it: `terraform show -json`.
const PLAN: (&str, &str) = ("towpath-plan", "plan.json");

/// The largest archive that is downloaded, in bytes.
const MOST_PACKED: usize = 16 * 1024 * 1024;

/// The largest file that is unpacked, in bytes: an archive may claim to be small.
const MOST_UNPACKED: u64 = 64 * 1024 * 1024;

#[derive(Deserialize)]
struct Artifacts {
    artifacts: Vec<Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    id: u64,
    name: String,
    #[serde(default)]
    expired: bool,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    sensitive: bool,
    value: Value,
}

#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    resource_changes: Vec<ResourceChange>,
}

#[derive(Deserialize)]
struct ResourceChange {
    address: String,
    change: Change,
}

#[derive(Deserialize)]
struct Change {
    actions: Vec<String>,
}

impl GitHub {
    /// A file in the newest artifact of that name of a workflow run, if there is one.
    pub async fn artifact(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
        name: &str,
        file: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let doing = format!("reading the artifact {name} of workflow run {run} in {repository}");
        let path = format!("/actions/runs/{run}/artifacts?name={}&per_page=100", encoded(name));
        let found: Artifacts = self.get(repository, &*doing, &path).await?;
        let there = found.artifacts.iter().filter(|one| one.name == name && !one.expired);
        // A re-run leaves the artifacts of earlier attempts.
        let Some(newest) = there.max_by_key(|one| one.id) else {
            return Ok(None);
        };
        let path = below(repository, &format!("/actions/artifacts/{}/zip", newest.id));
        let call = Call::get(&*doing, path).reading(Reading::Whole(MOST_PACKED));
        let archive = match self.call(repository, &call).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            answer => answer?.body,
        };
        unpacked(&archive, file).map_err(|reason| Error::Unexpected { doing, reason })
    }

    /// The outputs that an apply left, by name, without the sensitive ones. Empty, where it left
    /// none.
    pub async fn read_outputs(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
    ) -> Result<Map<String, Value>, Error> {
        let (name, file) = OUTPUTS;
        match self.artifact(repository, run, name, file).await? {
            None => Ok(Map::new()),
            Some(bytes) => outputs(&bytes).ok_or_else(|| Error::Unexpected {
                doing: format!("reading {file} of workflow run {run} in {repository}"),
                reason: "not what `terraform output -json` prints".to_owned(),
            }),
        }
    }

    /// What a plan would change: by its artifact, else by its log. `None` where neither tells.
    pub async fn read_plan(
        &self,
        repository: &RepositoryName,
        run: WorkflowRunId,
        attempt: u32,
    ) -> Result<Option<PlanSummary>, Error> {
        let (name, file) = PLAN;
        let told = self.artifact(repository, run, name, file).await?;
        match told.and_then(|bytes| plan(&bytes)) {
            Some(plan) => Ok(Some(plan)),
            None => self.plan_in_logs(repository, run, attempt).await,
        }
    }
}

/// A file of an archive, wherever in it the file lies. More bytes than are allowed are refused, not
/// unpacked.
fn unpacked(archive: &[u8], file: &str) -> Result<Option<Vec<u8>>, String> {
    let reader = std::io::Cursor::new(archive);
    let mut archive = zip::ZipArchive::new(reader).map_err(|_| "no zip archive".to_owned())?;
    let named = |path: &&str| path.rsplit('/').next() == Some(file);
    let Some(path) = archive.file_names().find(named).map(ToOwned::to_owned) else {
        return Ok(None);
    };
    let entry = archive.by_name(&path).map_err(|_| format!("{file} cannot be unpacked"))?;
    let mut bytes = Vec::new();
    let read = entry.take(MOST_UNPACKED + 1).read_to_end(&mut bytes);
    read.map_err(|_| format!("{file} cannot be unpacked"))?;
    if bytes.len() as u64 > MOST_UNPACKED {
        return Err(format!("{file} is larger than {MOST_UNPACKED} bytes"));
    }
    Ok(Some(bytes))
}

fn outputs(bytes: &[u8]) -> Option<Map<String, Value>> {
    let outputs: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    let mut kept = Map::new();
    for (name, output) in outputs {
        let output: Output = serde_json::from_value(output).ok()?;
        if !output.sensitive {
            kept.insert(name, output.value);
        }
    }
    Some(kept)
}

fn plan(bytes: &[u8]) -> Option<PlanSummary> {
    let plan: Plan = serde_json::from_slice(bytes).ok()?;
    let mut summary = PlanSummary::default();
    for ResourceChange { address, change } in plan.resource_changes {
        let has = |action: &str| change.actions.iter().any(|one| one == action);
        let (create, update, delete) = (has("create"), has("update"), has("delete"));
        summary.add += u64::from(create);
        summary.change += u64::from(update);
        summary.destroy += u64::from(delete);
        let what = match (create, delete) {
            (true, true) => "replace",
            (true, false) => "create",
            (false, true) => "delete",
            (false, false) if update => "update",
            (false, false) => continue,
        };
        summary.resources.push((address, what.to_owned()));
    }
    Some(summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write as _;

    fn archive(path: &str, content: &[u8]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file(path, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_file_is_found_in_an_archive_and_a_bomb_is_refused() {
        let zip = archive("out/outputs.json", b"{}");
        assert_eq!(unpacked(&zip, "outputs.json"), Ok(Some(b"{}".to_vec())));
        assert_eq!(unpacked(&zip, "other.json"), Ok(None));
        assert!(unpacked(b"<html>", "outputs.json").is_err());
        let most = usize::try_from(MOST_UNPACKED).unwrap();
        let bomb = archive("outputs.json", &vec![b' '; most + 1]);
        assert!(bomb.len() < 1024 * 1024);
        assert!(unpacked(&bomb, "outputs.json").unwrap_err().contains("larger"));
    }

    #[test]
    fn sensitive_outputs_are_never_read() {
        let file = json!({
            "endpoint": {"sensitive": false, "type": "string", "value": "db.example"},
            "password": {"sensitive": true, "type": "string", "value": "hunter2"},
        });
        let kept = outputs(file.to_string().as_bytes()).unwrap();
        assert_eq!(Value::Object(kept), json!({"endpoint": "db.example"}));
        assert_eq!(outputs(b"[1]"), None);
    }

    #[test]
    fn a_plan_is_counted_as_terraform_counts_it() {
        let change = |address: &str, actions: &[&str]| json!({"address": address, "change": {"actions": actions}});
        let file = json!({"resource_changes": [
            change("a.new", &["create"]),
            change("a.same", &["no-op"]),
            change("a.read", &["read"]),
            change("a.mended", &["update"]),
            change("a.gone", &["delete"]),
            change("a.replaced", &["delete", "create"]),
        ]});
        let plan = plan(file.to_string().as_bytes()).unwrap();
        assert_eq!((plan.add, plan.change, plan.destroy), (2, 1, 2));
        let what: Vec<_> = plan.resources.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(what, ["create", "update", "delete", "replace"]);
    }
}
