//! Unified diffs, line by line.

use serde::Serialize;

use super::Badge;
use super::Tone;

/// How many lines of all files together are shown; more are read on GitHub.
const MOST_LINES: usize = 1_500;

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in super::super) struct PatchView {
    path: String,
    badge: Badge,
    added: usize,
    removed: usize,
    lines: Vec<LineView>,
    /// How many lines are not shown.
    left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct LineView {
    kind: &'static str,
    /// `+`, `-`, or a space.
    sign: &'static str,
    text: String,
}

/// The files of a change, from one diff each.
pub(in super::super) fn patches<'a>(diffs: impl Iterator<Item = &'a str>) -> Vec<PatchView> {
    let mut room = MOST_LINES;
    diffs
        .map(|diff| {
            let patch = patch(diff, room);
            room -= patch.lines.len();
            patch
        })
        .collect()
}

fn patch(diff: &str, room: usize) -> PatchView {
    let mut lines = diff.lines().peekable();
    let before = lines.next_if(|line| line.starts_with("--- "));
    let after = lines.next_if(|line| line.starts_with("+++ "));
    let name = |line: Option<&str>| {
        line.and_then(|line| Some(line.get(6..)?.to_owned())).unwrap_or_default()
    };
    let is_new = before == Some("--- /dev/null");
    let is_gone = after == Some("+++ /dev/null");
    let all: Vec<LineView> = lines.map(line).collect();
    let count = |sign: &str| all.iter().filter(|line| line.sign == sign).count();
    let (added, removed) = (count("+"), count("-"));
    let left_out = all.len().saturating_sub(room);
    PatchView {
        path: if is_gone { name(before) } else { name(after) },
        badge: match (is_new, is_gone) {
            (true, _) => Badge::new(Tone::Good, "added"),
            (_, true) => Badge::new(Tone::Bad, "removed"),
            _ => Badge::new(Tone::Goes, "changed"),
        },
        added,
        removed,
        lines: all.into_iter().take(room).collect(),
        left_out,
    }
}

fn line(line: &str) -> LineView {
    let of =
        |kind, sign| LineView { kind, sign, text: line.get(1..).unwrap_or_default().to_owned() };
    match line.as_bytes().first() {
        Some(b'+') => of("add", "+"),
        Some(b'-') => of("remove", "-"),
        Some(b'@') => LineView { kind: "place", sign: "", text: line.to_owned() },
        Some(b' ') => of("same", " "),
        _ => LineView { kind: "note", sign: "", text: line.trim_start_matches("\\ ").to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_told_file_by_file_and_line_by_line() {
        let changed = "--- a/main.tf\n+++ b/main.tf\n@@ -1,2 +1,2 @@\n same\n-old\n+new é\n\\ No newline at end of file\n";
        let removed = "--- a/gone.tf\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n";
        let shown = patches([changed, removed].into_iter());
        let kinds: Vec<_> = shown[0].lines.iter().map(|line| line.kind).collect();
        assert_eq!(kinds, ["place", "same", "remove", "add", "note"]);
        assert_eq!((shown[0].path.as_str(), shown[0].added, shown[0].removed), ("main.tf", 1, 1));
        assert_eq!(shown[0].lines[3].text, "new é");
        assert_eq!((shown[1].path.as_str(), shown[1].badge.word), ("gone.tf", "removed"));
    }

    #[test]
    fn what_is_too_long_is_counted() {
        let diff = format!("--- /dev/null\n+++ b/x\n{}", "+line\n".repeat(MOST_LINES + 5));
        let shown = patches([diff.as_str(), diff.as_str()].into_iter());
        assert_eq!((shown[0].lines.len(), shown[0].left_out), (MOST_LINES, 5));
        assert_eq!((shown[1].lines.len(), shown[1].left_out), (0, MOST_LINES + 5));
    }
}
