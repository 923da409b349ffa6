//! `actions/upload-artifact` and `actions/download-artifact`: files into a zip archive and back.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::glob;

/// The largest sum of files in one artifact, in bytes: the archive is built in memory.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Packs what `path` names, one pattern a line, relative to `root`. `None`: nothing was found.
/// As on GitHub the archive's names start below the folder that all files have in common.
pub(super) fn pack(root: &Path, patterns: &str) -> Result<Option<Vec<u8>>> {
    let files = find(root, patterns)?;
    if files.is_empty() {
        return Ok(None);
    }
    let base = common_folder(&files, root, patterns);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut size = 0;
    for file in files {
        size += fs::metadata(&file)?.len();
        if size > LARGEST {
            bail!("the artifact is larger than {LARGEST} bytes");
        }
        let name = file.strip_prefix(&base).unwrap_or(&file);
        archive.start_file(name.to_string_lossy(), SimpleFileOptions::default())?;
        archive
            .write_all(&fs::read(&file).with_context(|| format!("reading {}", name.display()))?)?;
    }
    Ok(Some(archive.finish()?.into_inner()))
}

/// Unpacks an archive into a folder. Names that would leave it are refused.
pub(super) fn unpack(archive: &[u8], folder: &Path) -> Result<()> {
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at)?;
        let name = entry.enclosed_name().context("a name in the archive leaves the folder")?;
        let target = folder.join(name);
        fs::create_dir_all(target.parent().unwrap_or(folder))?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        fs::write(target, content)?;
    }
    Ok(())
}

fn find(root: &Path, patterns: &str) -> Result<Vec<PathBuf>> {
    let (excluded, included): (Vec<&str>, Vec<&str>) = patterns
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with('!'));
    let mut files = Vec::new();
    for pattern in included {
        let pattern = absolute(root, pattern);
        collect(&fixed_folder(&pattern), &pattern, &mut files)?;
    }
    let excluded: Vec<String> = excluded.iter().map(|line| absolute(root, &line[1..])).collect();
    files.retain(|file| !excluded.iter().any(|pattern| is_named(pattern, file)));
    files.sort();
    files.dedup();
    Ok(files)
}

fn absolute(root: &Path, pattern: &str) -> String {
    let joined = root.join(pattern.trim_end_matches('/'));
    let parts = joined.components().filter(|part| !matches!(part, Component::CurDir));
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

/// The part of a pattern that is plain text: where the search starts.
fn fixed_folder(pattern: &str) -> PathBuf {
    let parts = Path::new(pattern).components();
    parts.take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '['])).collect()
}

/// A pattern names a file, or a folder and with it all that is inside.
fn is_named(pattern: &str, file: &Path) -> bool {
    let file = file.to_string_lossy();
    glob::matches(pattern, &file) || glob::matches(&format!("{pattern}/**"), &file)
}

fn collect(path: &Path, pattern: &str, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(());
    };
    if metadata.is_file() && (path == Path::new(pattern) || is_named(pattern, path)) {
        files.push(path.to_owned());
    }
    if !metadata.is_dir() || path.ends_with(".git") {
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // A link to a folder could lead in a circle.
        if !(entry.file_type()?.is_symlink() && entry.path().is_dir()) {
            collect(&entry.path(), pattern, files)?;
        }
    }
    Ok(())
}

fn common_folder(files: &[PathBuf], root: &Path, patterns: &str) -> PathBuf {
    let mut lines = patterns.lines().map(str::trim).filter(|line| !line.is_empty());
    if let (Some(only), None) = (lines.next(), lines.next()) {
        let start = fixed_folder(&absolute(root, only));
        return if start.is_file() { start.parent().unwrap_or(root).to_owned() } else { start };
    }
    let mut common = files[0].parent().unwrap_or(root).to_owned();
    while !files.iter().all(|file| file.starts_with(&common)) {
        common.pop();
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(archive: &[u8]) -> Vec<String> {
        let archive = ZipArchive::new(Cursor::new(archive)).unwrap();
        let mut names: Vec<String> = archive.file_names().map(String::from).collect();
        names.sort();
        names
    }

    #[test]
    fn an_archive_holds_what_its_patterns_name_and_comes_back_whole() {
        let root = tempfile::tempdir().unwrap();
        for name in ["plan.json", "out/a/x.txt", "out/b/y.txt", "out/b/z.log"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let packed = |patterns: &str| pack(root.path(), patterns).unwrap();
        assert_eq!(names(&packed("plan.json").unwrap()), ["plan.json"]);
        assert_eq!(names(&packed("out/").unwrap()), ["a/x.txt", "b/y.txt", "b/z.log"]);
        assert_eq!(names(&packed("out/**/*.txt").unwrap()), ["a/x.txt", "b/y.txt"]);
        assert_eq!(
            names(&packed("out\n!**/*.log\nplan.json").unwrap()),
            ["out/a/x.txt", "out/b/y.txt", "plan.json"]
        );
        assert_eq!(packed("missing.json"), None);

        let target = tempfile::tempdir().unwrap();
        unpack(&packed("out").unwrap(), target.path()).unwrap();
        assert_eq!(fs::read_to_string(target.path().join("b/y.txt")).unwrap(), "out/b/y.txt");
    }
}
