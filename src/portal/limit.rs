//! How much Port takes at once: each limit in one place.

/// The largest request body that Port takes, in bytes (API reference: 413 above 1 MiB).
const BODY: usize = 1024 * 1024;

/// The longest log message that is sent, in bytes. Port names no limit of its own; this stays below
/// [`BODY`] even where JSON writes every byte as six, and is still a text that a page can show.
const LOG_MESSAGE: usize = 64 * 1024;

/// The longest label that is sent, in characters. Port names no limit for `statusLabel`; its API
/// description gives titles 100.
const LABEL: usize = 100;

/// The longest summary that is sent, in bytes. Port names no limit; chosen as for log messages.
const SUMMARY: usize = 64 * 1024;

/// Whether Port takes a request body of this many bytes.
pub fn body_fits(bytes: usize) -> bool {
    bytes <= BODY
}

/// The label, cut where it is longer than the portal shows.
pub fn label(text: &str) -> String {
    if text.chars().count() <= LABEL {
        return text.to_owned();
    }
    text.chars().take(LABEL - 1).chain(['…']).collect()
}

/// The summary, cut where it is too long.
pub fn summary(text: &str) -> String {
    if text.len() <= SUMMARY {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(SUMMARY - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// Log lines as the fewest messages: joined with line breaks, split where a message would become
/// too long. Lines without text are left out, because Port refuses them.
pub fn log_messages<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in lines.into_iter().filter(|line| !line.trim().is_empty()) {
        for piece in pieces(line) {
            match messages.last_mut() {
                Some(last) if last.len() + 1 + piece.len() <= LOG_MESSAGE => {
                    last.push('\n');
                    last.push_str(piece);
                }
                _ => messages.push(piece.to_owned()),
            }
        }
    }
    messages
}

/// A line in parts that each fit into a message.
fn pieces(mut line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while line.len() > LOG_MESSAGE {
        let (piece, rest) = line.split_at(line.floor_char_boundary(LOG_MESSAGE));
        pieces.push(piece);
        line = rest;
    }
    pieces.push(line);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_share_a_message_until_it_is_full() {
        assert_eq!(log_messages(["a", "", "b\nc"]), ["a\nb\nc"]);
        assert_eq!(log_messages(["  ", ""]), Vec::<String>::new());

        let half = "x".repeat(LOG_MESSAGE / 2);
        let messages = log_messages([half.as_str(), half.as_str(), "end"]);
        assert_eq!(messages, [half.clone(), format!("{half}\nend")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_split_between_characters_and_nothing_is_lost() {
        let line = "é".repeat(LOG_MESSAGE);
        let messages = log_messages([line.as_str()]);
        assert!(messages.iter().all(|message| message.len() <= LOG_MESSAGE));
        assert_eq!(messages.concat(), line);
    }

    #[test]
    fn a_long_label_and_summary_are_cut_and_say_so() {
        assert_eq!(label("Planned +2 ~0 -0"), "Planned +2 ~0 -0");
        assert_eq!(label(&"é".repeat(500)).chars().count(), LABEL);
        let cut = summary(&"é".repeat(SUMMARY));
        assert!(cut.len() <= SUMMARY && cut.ends_with('…'));
    }
}
