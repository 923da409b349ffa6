//! What a change does to each file, as people read it: a unified diff.

use crate::domain::standing::FileChanges;

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// From the repository's root, with `/`.
    pub path: String,
    /// Added, changed or removed.
    pub kind: PatchKind,
    /// A unified diff; one sentence, where the file is no text.
    pub text: String,
}

/// Whether a file is there before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchKind {
    /// Only after.
    Added,
    /// Before and after.
    Changed,
    /// Only before.
    Removed,
}

/// A patch for each file, by path. `before` answers the text that stands there now.
pub fn patches(changes: &FileChanges, before: impl Fn(&str) -> Option<String>) -> Vec<Patch> {
    let written = changes.additions.iter().map(|file| {
        let standing = before(&file.path);
        match std::str::from_utf8(&file.contents) {
            Ok(text) => patch(&file.path, standing.as_deref(), Some(text)),
            Err(_) => binary(&file.path, standing.is_some(), file.contents.len(), file.executable),
        }
    });
    let removed = changes.deletions.iter();
    let removed = removed.map(|path| patch(path, Some(&before(path).unwrap_or_default()), None));
    let mut patches: Vec<Patch> = written.chain(removed).collect();
    patches.sort_by(|one, other| one.path.cmp(&other.path));
    patches
}

fn patch(path: &str, before: Option<&str>, after: Option<&str>) -> Patch {
    let name = |side: &str, there: bool| {
        if there { format!("{side}/{path}") } else { "/dev/null".to_owned() }
    };
    let mut options = diffy::DiffOptions::new();
    options.set_original_filename(name("a", before.is_some()));
    options.set_modified_filename(name("b", after.is_some()));
    let text = options.create_patch(before.unwrap_or_default(), after.unwrap_or_default());
    Patch {
        path: path.to_owned(),
        kind: kind(before.is_some(), after.is_some()),
        text: text.to_string(),
    }
}

fn binary(path: &str, was_there: bool, bytes: usize, is_executable: bool) -> Patch {
    let mode = if is_executable { "executable " } else { "" };
    let text = format!("{mode}binary file {path}: {bytes} bytes");
    Patch { path: path.to_owned(), kind: kind(was_there, true), text }
}

fn kind(before: bool, after: bool) -> PatchKind {
    match (before, after) {
        (false, _) => PatchKind::Added,
        (true, true) => PatchKind::Changed,
        (true, false) => PatchKind::Removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::standing::FileAddition;

    #[test]
    fn each_file_has_its_patch() {
        let write = |path: &str, contents: &[u8]| FileAddition {
            path: path.to_owned(),
            contents: contents.to_vec(),
            executable: false,
        };
        let changes = FileChanges {
            additions: vec![
                write("new", b"a\n"),
                write("binary", &[0xff]),
                write("edited", b"c\n"),
            ],
            deletions: vec!["gone".to_owned()],
        };
        let before = |path: &str| ["edited", "gone"].contains(&path).then(|| "b\n".to_owned());
        let shown = patches(&changes, before);
        let kinds: Vec<_> = shown.iter().map(|patch| (patch.path.as_str(), patch.kind)).collect();
        let expected = [
            ("binary", PatchKind::Added),
            ("edited", PatchKind::Changed),
            ("gone", PatchKind::Removed),
            ("new", PatchKind::Added),
        ];
        assert_eq!(kinds, expected);
        assert_eq!(shown[0].text, "binary file binary: 1 bytes");
        assert_eq!(shown[1].text, "--- a/edited\n+++ b/edited\n@@ -1 +1 @@\n-b\n+c\n");
        assert!(shown[2].text.contains("+++ /dev/null"), "{}", shown[2].text);
    }
}
