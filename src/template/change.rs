//! What a commit must change, so that a folder becomes what was rendered, and nobody's work is lost.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{FILE_NAME, FileRecord, Manifest, blob_id};
use super::merge::merge;
use super::render::{RenderedFile, below};
use crate::domain::standing::{FileAddition, FileChanges, FileMode, StandingFile};

/// A change, and what is to be said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What the commit changes. Empty: everything stands already as it should.
    pub changes: FileChanges,
    /// Sentences for the pull request: what was kept, what goes although a person changed it.
    pub notes: Vec<String>,
    /// Files in which a person's edits were merged with the new text.
    pub kept_edits: Vec<String>,
    /// `.towpath.yml` as it will be; `None` where the folder goes.
    pub manifest: Option<Manifest>,
}

/// Why a folder cannot be changed: one sentence or more, each with the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join(" "))]
pub struct Refusal(pub Vec<String>);

fn refuse<T>(sentence: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(vec![sentence.into()]))
}

/// Makes a folder. `manifest` has all but its files. What stands at the path refuses it, unless it
/// is this very run's own work.
pub fn create(
    target: &str,
    rendered: &[RenderedFile],
    manifest: Manifest,
    standing: &[StandingFile],
) -> Result<Change, Refusal> {
    only_files(target, standing)?;
    let below: Vec<&StandingFile> =
        standing.iter().filter(|file| is_at(target, &file.path)).collect();
    if let Some(first) = below.first() {
        let own = manifest_of(target, standing).and_then(Result::ok);
        let own_run = own.as_ref().is_some_and(|own| own.run == manifest.run);
        if !own_run {
            let whose = own.map_or_else(
                || format!("`{}` is there already", first.path),
                |own| {
                    format!(
                        "it was made by the run {} from the template `{}`",
                        own.run, own.template
                    )
                },
            );
            return refuse(format!(
                "`{target}` exists: {whose}. Change it with a day-2 action, delete it first, or choose another name."
            ));
        }
    }
    let files = rendered.iter().map(|file| (relative(target, &file.path), record(file))).collect();
    let manifest = Manifest { files, ..manifest };
    let mut changes = FileChanges::default();
    for file in rendered {
        add(&mut changes, &below, file.path.clone(), file.contents.clone(), file.executable);
    }
    add_manifest(&mut changes, &below, target, &manifest);
    Ok(Change { changes, notes: Vec::new(), kept_edits: Vec::new(), manifest: Some(manifest) })
}

/// Blobs whose text is needed to merge what people edited: rendered then, and not what stands now.
pub fn texts_needed(target: &str, manifest: &Manifest, standing: &[StandingFile]) -> Vec<String> {
    let edited = manifest.files.iter().filter(|(path, record)| {
        let path = format!("{target}/{path}");
        let now = standing.iter().find(|file| file.path == path);
        record.rendered.is_none() && now.is_some_and(|file| file.blob != record.blob)
    });
    edited.map(|(_, record)| record.blob.clone()).collect()
}

/// Changes a folder. `before` is what stands in its `.towpath.yml`, `manifest` what will, all but
/// its files. `rendered_then` gives the text of a blob that [`texts_needed`] named.
pub fn update(
    target: &str,
    rendered: &[RenderedFile],
    before: &Manifest,
    manifest: Manifest,
    standing: &[StandingFile],
    rendered_then: impl Fn(&str) -> Option<String>,
) -> Result<Change, Refusal> {
    only_files(target, standing)?;
    let standing: Vec<&StandingFile> =
        standing.iter().filter(|file| is_at(target, &file.path)).collect();
    let mut update = Update {
        target,
        before,
        standing: &standing,
        changes: FileChanges::default(),
        notes: Vec::new(),
        kept_edits: Vec::new(),
        refusals: Vec::new(),
        records: BTreeMap::new(),
    };
    for file in rendered {
        update.file(file, &rendered_then);
    }
    let names: BTreeSet<String> =
        rendered.iter().map(|file| relative(target, &file.path)).collect();
    for (name, record) in before.files.iter().filter(|(name, _)| !names.contains(*name)) {
        update.no_longer_rendered(name, record);
    }
    let Update { mut changes, notes, kept_edits, refusals, records, .. } = update;
    if !refusals.is_empty() {
        return Err(Refusal(refusals));
    }
    let manifest = Manifest { files: records, ..manifest };
    // A new run or digest alone is no change that anybody should review.
    let same =
        Manifest { run: before.run.clone(), digest: before.digest.clone(), ..manifest.clone() };
    if !changes.is_empty() || same != *before {
        add_manifest(&mut changes, &standing, target, &manifest);
    }
    Ok(Change { changes, notes, kept_edits, manifest: Some(manifest) })
}

struct Update<'a> {
    target: &'a str,
    before: &'a Manifest,
    standing: &'a [&'a StandingFile],
    changes: FileChanges,
    notes: Vec<String>,
    kept_edits: Vec<String>,
    refusals: Vec<String>,
    records: BTreeMap<String, FileRecord>,
}

impl Update<'_> {
    fn file(&mut self, file: &RenderedFile, rendered_then: &impl Fn(&str) -> Option<String>) {
        let name = relative(self.target, &file.path);
        let now = self.standing.iter().find(|standing| standing.path == file.path);
        let then = self.before.files.get(&name);
        self.records.insert(name.clone(), record(file));
        let new_blob = blob_id(&file.contents);
        match (then, now) {
            (_, None) => {
                if then.is_some() {
                    self.notes.push(format!("`{}` had been removed by hand and is written again.", file.path));
                }
                self.write(file, file.contents.clone());
            }
            (None, Some(now)) if now.blob != new_blob => self.refusals.push(format!(
                "`{}` was added by hand, and the template now writes a file of that name; rename it, then run the action again.",
                file.path
            )),
            (Some(then), Some(now)) if now.blob != then.blob && now.blob != new_blob => {
                self.merge(file, &name, then, now, rendered_then);
            }
            _ => self.write(file, file.contents.clone()),
        }
    }

    /// A person has edited the file: their edit and the new text are brought together.
    fn merge(
        &mut self,
        file: &RenderedFile,
        name: &str,
        then: &FileRecord,
        now: &StandingFile,
        rendered_then: &impl Fn(&str) -> Option<String>,
    ) {
        let base = then.rendered.clone().or_else(|| rendered_then(&then.blob));
        let new = std::str::from_utf8(&file.contents).ok();
        let (Some(base), Some(now_text), Some(new)) = (base, now.text.as_deref(), new) else {
            self.refusals.push(format!(
                "`{}` was edited by hand and cannot be merged as text; change it by hand, or undo the edit and run the action again.",
                file.path
            ));
            return;
        };
        match merge(&base, now_text, new) {
            Ok(merged) => {
                if merged != new {
                    let rendered = Some(new.to_owned());
                    let blob = blob_id(&file.contents);
                    self.records.insert(name.to_owned(), FileRecord { blob, rendered });
                    self.kept_edits.push(file.path.clone());
                    self.notes.push(format!("Edits made by hand in `{}` were kept.", file.path));
                }
                self.write(file, merged.into_bytes());
            }
            Err(lines) => self.refusals.push(format!(
                "`{}`, {lines}: edited by hand where this change would write; make the change there by hand, or undo the edit and run the action again.",
                file.path
            )),
        }
    }

    fn no_longer_rendered(&mut self, name: &str, record: &FileRecord) {
        let path = format!("{}/{name}", self.target);
        let Some(now) = self.standing.iter().find(|standing| standing.path == path) else {
            return;
        };
        if now.blob == record.blob {
            self.changes.deletions.push(path);
        } else {
            self.notes.push(format!(
                "`{path}` is no longer part of the template; it was edited by hand and stays."
            ));
        }
    }

    fn write(&mut self, file: &RenderedFile, contents: Vec<u8>) {
        add(&mut self.changes, self.standing, file.path.clone(), contents, file.executable);
    }
}

/// Removes what was rendered, and `.towpath.yml`. What people put beside it stays.
pub fn delete(
    target: &str,
    before: &Manifest,
    standing: &[StandingFile],
) -> Result<Change, Refusal> {
    only_files(target, standing)?;
    let mut changes = FileChanges::default();
    let mut notes = Vec::new();
    for file in standing.iter().filter(|file| is_at(target, &file.path)) {
        let name = relative(target, &file.path);
        let record = before.files.get(&name);
        if name != FILE_NAME && record.is_none() {
            notes.push(format!("`{}` was added by hand and stays.", file.path));
            continue;
        }
        if record.is_some_and(|record| record.blob != file.blob) {
            notes.push(format!("`{}` was edited by hand; it goes with the rest.", file.path));
        }
        changes.deletions.push(file.path.clone());
    }
    Ok(Change { changes, notes, kept_edits: Vec::new(), manifest: None })
}

/// The `.towpath.yml` of a folder, if one stands there.
pub fn manifest_of(
    target: &str,
    standing: &[StandingFile],
) -> Option<Result<Manifest, super::Diagnostic>> {
    let path = below(target, FILE_NAME);
    let file = standing.iter().find(|file| file.path == path)?;
    Some(Manifest::parse(&path, file.text.as_deref().unwrap_or_default()))
}

fn only_files(target: &str, standing: &[StandingFile]) -> Result<(), Refusal> {
    let leads = |path: &str| is_at(target, path) || target.starts_with(&format!("{path}/"));
    let odd = standing.iter().find(|file| {
        let is_link = matches!(file.mode, FileMode::Symlink | FileMode::Submodule);
        leads(&file.path) && (is_link || !is_at_below(target, &file.path))
    });
    match odd {
        None => Ok(()),
        Some(file) => {
            let what = match file.mode {
                FileMode::Symlink => "a symbolic link",
                FileMode::Submodule => "a submodule",
                _ => "a file where a folder is needed",
            };
            refuse(format!(
                "`{}` is {what}; nothing is written through it. Remove it first.",
                file.path
            ))
        }
    }
}

/// At the folder's own path, or below it.
fn is_at(target: &str, path: &str) -> bool {
    path == target || is_at_below(target, path)
}

fn is_at_below(target: &str, path: &str) -> bool {
    target.is_empty() || path.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'))
}

fn relative(target: &str, path: &str) -> String {
    path.strip_prefix(target).unwrap_or(path).trim_start_matches('/').to_owned()
}

fn record(file: &RenderedFile) -> FileRecord {
    FileRecord { blob: blob_id(&file.contents), rendered: None }
}

/// Adds a file, unless it stands there already just so.
fn add(
    changes: &mut FileChanges,
    standing: &[&StandingFile],
    path: String,
    contents: Vec<u8>,
    executable: bool,
) {
    let stands = standing.iter().find(|file| file.path == path).is_some_and(|file| {
        file.blob == blob_id(&contents) && (file.mode == FileMode::Executable) == executable
    });
    if !stands {
        changes.additions.push(FileAddition { path, contents, executable });
    }
}

fn add_manifest(
    changes: &mut FileChanges,
    standing: &[&StandingFile],
    target: &str,
    manifest: &Manifest,
) {
    let contents = manifest.to_text().into_bytes();
    add(changes, standing, below(target, FILE_NAME), contents, false);
}

#[cfg(test)]
mod tests;
