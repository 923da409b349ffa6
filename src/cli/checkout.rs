//! A checkout on this machine in place of the repository on GitHub: what stands at a path.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::domain::standing::{FileMode, Standing, StandingFile};
use crate::domain::{BranchName, CommitSha};
use crate::plan::{self, Asked, Target};
use crate::template::{ActionOf, manifest};

/// A folder with a repository in it; none: an empty repository.
pub(super) struct Checkout(pub(super) Option<PathBuf>);

/// Git leaves these out of a commit.
const NOT_COMMITTED: [&str; 2] = [".git", ".terraform"];

impl Checkout {
    /// The target folder and what stands there, as the service finds them on GitHub. `None`: no
    /// folder belongs to the entity.
    pub(super) fn find(
        &self,
        asked: &Asked,
        action: &ActionOf,
    ) -> anyhow::Result<Option<(String, Standing)>> {
        let all = self.files()?;
        let path = match &asked.target {
            Target::Path(path) => Some(path.clone()),
            Target::Entity(_) => all.iter().find_map(|file| {
                let (folder, name) = file.path.rsplit_once('/')?;
                let text = file.text.as_deref().filter(|_| name == manifest::FILE_NAME)?;
                let is_ours = plan::is_folder_of(&file.path, text, asked, &action.template);
                is_ours.then(|| folder.to_owned())
            }),
        };
        let Some(path) = path else { return Ok(None) };
        let standing = Standing {
            repository: asked.repository.clone(),
            repository_node_id: String::new(),
            base: asked.base.clone().map_or_else(|| self.branch(), Ok)?,
            base_sha: CommitSha::new("0".repeat(40))?,
            files: all,
            own_branch: None,
            own_pull_request: None,
            labels: Vec::new(),
            reviewers: Vec::new(),
        };
        Ok(Some((path, standing)))
    }

    /// The texts of blobs that git has here. What it does not have is left out.
    pub(super) fn texts(&self, blobs: &[String]) -> HashMap<String, String> {
        let Some(folder) = &self.0 else { return HashMap::new() };
        let read = |blob: &String| {
            let mut git = Command::new("git");
            let output = git.arg("-C").arg(folder).args(["cat-file", "blob", blob]).output();
            let output = output.ok().filter(|output| output.status.success())?;
            Some((blob.clone(), String::from_utf8(output.stdout).ok()?))
        };
        blobs.iter().filter_map(read).collect()
    }

    fn branch(&self) -> anyhow::Result<BranchName> {
        let head =
            self.0.as_ref().and_then(|folder| fs::read_to_string(folder.join(".git/HEAD")).ok());
        let name = head.as_deref().and_then(|head| head.trim().strip_prefix("ref: refs/heads/"));
        Ok(BranchName::new(name.unwrap_or("main"))?)
    }

    fn files(&self) -> anyhow::Result<Vec<StandingFile>> {
        let Some(root) = &self.0 else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(below) = waiting.pop() {
            let folder = root.join(&below);
            let entries =
                fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
            for entry in entries {
                let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
                let name = entry.file_name();
                if NOT_COMMITTED.iter().any(|skipped| name == *skipped) {
                    continue;
                }
                let path = below.join(&name);
                let mode = mode_of(&entry.path(), &entry.metadata()?);
                match mode {
                    None => waiting.push(path),
                    Some(mode) => files.push(standing(&entry.path(), &path, mode)?),
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }
}

/// `None`: a folder to look into.
fn mode_of(path: &Path, data: &fs::Metadata) -> Option<FileMode> {
    match () {
        () if data.is_symlink() => Some(FileMode::Symlink),
        () if data.is_dir() => path.join(".git").exists().then_some(FileMode::Submodule),
        () if super::folder::is_executable(data) => Some(FileMode::Executable),
        () => Some(FileMode::Regular),
    }
}

fn standing(path: &Path, name: &Path, mode: FileMode) -> anyhow::Result<StandingFile> {
    let contents = match mode {
        FileMode::Regular | FileMode::Executable => {
            fs::read(path).with_context(|| format!("reading {}", path.display()))?
        }
        FileMode::Symlink | FileMode::Submodule => Vec::new(),
    };
    Ok(StandingFile {
        path: name.to_string_lossy().replace('\\', "/"),
        blob: manifest::blob_id(&contents),
        mode,
        text: String::from_utf8(contents).ok(),
    })
}
