//! Template folders, read from disk or from the binary.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use include_dir::{Dir, include_dir};

use crate::template::{Diagnostic, SourceFile, Templates};

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Largest file of a template folder. Templates are text.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The templates that come with the program.
pub fn shipped() -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut folders = vec![&SHIPPED];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        files.extend(folder.files().map(|file| SourceFile {
            path: file.path().to_string_lossy().replace('\\', "/"),
            contents: file.contents().to_vec(),
            executable: false,
        }));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Those of them that the sandbox can play. The others work in clouds and clusters, which a workflow
/// of the sandbox would really call.
pub fn playable() -> Vec<SourceFile> {
    const PLAYABLE: [&str; 2] = ["demo-database/", "rollback-service/"];
    let is_playable = |file: &SourceFile| PLAYABLE.iter().any(|it| file.path.starts_with(it));
    shipped().into_iter().filter(is_playable).collect()
}

/// Every file below a folder. A link is refused: it may lead anywhere.
pub fn read(folder: &Path) -> anyhow::Result<Vec<SourceFile>> {
    if folder.to_string_lossy().starts_with("github:") {
        bail!(
            "{} is a repository, and a folder is needed here; name the folder of a checkout",
            folder.display()
        );
    }
    let mut files = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let path = folder.join(&below);
        let entries = fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("reading {}", path.display()))?;
            let name = below.join(entry.file_name());
            let data = entry.metadata()?;
            let shown = folder.join(&name);
            if data.is_symlink() {
                bail!("{} is a link; templates are plain files", shown.display());
            } else if data.is_dir() {
                waiting.push(name);
            } else if data.len() > LARGEST {
                bail!("{} is larger than {LARGEST} bytes", shown.display());
            } else {
                files.push(SourceFile {
                    path: name.to_string_lossy().replace('\\', "/"),
                    contents: fs::read(&shown)
                        .with_context(|| format!("reading {}", shown.display()))?,
                    executable: is_executable(&data),
                });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

#[cfg(unix)]
pub(super) fn is_executable(data: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    data.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
pub(super) fn is_executable(_: &fs::Metadata) -> bool {
    false
}

/// Templates that may be put in force, or everything that is wrong with them.
pub fn load(files: &[SourceFile]) -> anyhow::Result<Templates> {
    Templates::load(files).map_err(|found| anyhow::anyhow!("{}", list(&found)))
}

fn list(found: &[Diagnostic]) -> String {
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    format!("the templates have {} mistakes:\n{}", found.len(), shown.join("\n"))
}
