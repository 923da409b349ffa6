//! The three-way merge of a file: as it was rendered, as a person left it, as it is rendered now.

/// Brings both changes together. The error names the lines of the person's file that both changed.
pub(super) fn merge(base: &str, theirs: &str, new: &str) -> Result<String, String> {
    let mut options = diffy::MergeOptions::new();
    options.set_conflict_style(diffy::ConflictStyle::Merge);
    options.merge(base, theirs, new).map_err(|conflicted| lines(&conflicted, theirs))
}

/// `line 4` or `lines 4-6 and 9`, in the person's file, from a text with conflict marks.
fn lines(conflicted: &str, theirs: &str) -> String {
    let mut line = 0;
    let mut side = Side::Both;
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let own: Vec<&str> = theirs.lines().collect();
    for text in conflicted.lines() {
        match side {
            // A file may hold such marks itself: there they stand in the person's text too.
            Side::Both if text.starts_with("<<<<<<<") && own.get(line) != Some(&text) => {
                side = Side::Theirs;
                ranges.push((line + 1, line));
            }
            Side::Theirs if text.starts_with("=======") && own.get(line) != Some(&text) => {
                side = Side::New;
            }
            Side::New if text.starts_with(">>>>>>>") => side = Side::Both,
            Side::New => {}
            Side::Both | Side::Theirs => {
                line += 1;
                if let (Side::Theirs, Some(range)) = (side, ranges.last_mut()) {
                    range.1 = line;
                }
            }
        }
    }
    let shown: Vec<String> = ranges
        .iter()
        .map(|(from, to)| if to > from { format!("{from}-{to}") } else { from.to_string() })
        .collect();
    let word = if shown.len() == 1 && !shown[0].contains('-') { "line" } else { "lines" };
    format!("{word} {}", shown.join(" and "))
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Both,
    Theirs,
    New,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_elsewhere_are_kept_with_their_comments() {
        let base = "a = 1\n\nb = 2\n\nc = 3\n";
        let theirs = "# ours\na = 1\n\nb = 2\n\nc = 3\n";
        let new = "a = 1\n\nb = 2\n\nc = 4\n";
        assert_eq!(merge(base, theirs, new).unwrap(), "# ours\na = 1\n\nb = 2\n\nc = 4\n");
    }

    #[test]
    fn an_edit_of_the_same_line_is_named() {
        let base = "a = 1\nb = 2\nc = 3\n";
        assert_eq!(
            merge(base, "a = 1\nb = 5\nc = 3\n", "a = 1\nb = 7\nc = 3\n").unwrap_err(),
            "line 2"
        );
    }
}
