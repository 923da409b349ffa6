//! What a script says to the runner: the files behind `GITHUB_OUTPUT` and `GITHUB_ENV`, and the
//! `::commands::` in its output.

/// Reads the entries of a file: `name=value` and, for many lines, `name<<END … END`.
pub(super) fn entries(file: &str) -> Result<Vec<(String, String)>, String> {
    let mut entries = Vec::new();
    let mut lines = file.lines();
    while let Some(line) = lines.next() {
        let heredoc = line.find("<<").filter(|at| !line[..*at].contains('='));
        if let Some(at) = heredoc {
            let (name, end) = (&line[..at], &line[at + 2..]);
            let mut value: Vec<&str> = Vec::new();
            loop {
                let line = lines.next();
                match line
                    .ok_or_else(|| format!("Invalid value. Matching delimiter not found '{end}'"))?
                {
                    line if line == end => break,
                    line => value.push(line),
                }
            }
            entries.push((name.to_owned(), value.join("\n")));
        } else if !line.is_empty() {
            let (name, value) =
                line.split_once('=').ok_or_else(|| format!("Invalid format '{line}'"))?;
            entries.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(entries)
}

/// What a line of output means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// To be logged like this.
    Text(String),
    /// `::add-mask::`: never to be logged.
    Mask(String),
}

/// Reads a line of output as GitHub's runner does.
pub(super) fn line(line: &str) -> Line {
    let Some((command, message)) =
        line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::"))
    else {
        return Line::Text(line.to_owned());
    };
    let name = command.split_once(' ').map_or(command, |(name, _)| name);
    let message = message.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    match name {
        "add-mask" => Line::Mask(message),
        "error" | "warning" | "notice" | "debug" | "group" => {
            Line::Text(format!("##[{name}]{message}"))
        }
        "endgroup" => Line::Text("##[endgroup]".to_owned()),
        _ => Line::Text(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_entries_are_read() {
        let file = "folder=services/web\nempty=\nplan<<EOF\na=1\n\nb<<x\nEOF\nlast=1=2\n";
        let read = entries(file).unwrap();
        let expected =
            [("folder", "services/web"), ("empty", ""), ("plan", "a=1\n\nb<<x"), ("last", "1=2")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(entries("nothing").unwrap_err().contains("'nothing'"));
        assert!(entries("a<<EOF\nb").unwrap_err().contains("'EOF'"));
    }

    #[test]
    fn commands_in_the_output_are_understood() {
        assert_eq!(
            line("::error file=a.tf,line=1::broken"),
            Line::Text("##[error]broken".to_owned())
        );
        assert_eq!(line("::add-mask::hunter2"), Line::Mask("hunter2".to_owned()));
        assert_eq!(line("a::b::c"), Line::Text("a::b::c".to_owned()));
        assert_eq!(line("::unknown::x"), Line::Text("::unknown::x".to_owned()));
    }
}
