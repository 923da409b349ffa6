//! The words that people read: labels, and texts in which what a person typed stays inert.

use serde_json::Value;

use crate::domain::Run;
use crate::domain::observation::Conclusion;

use super::step::PlanSummary;

/// Longest title of a pull request that GitHub takes, in characters.
pub(crate) const TITLE_LIMIT: usize = 256;

/// The label of a dispatched workflow that has ended.
pub(crate) fn ended(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Success => "Succeeded",
        Conclusion::Neutral => "Neutral",
        Conclusion::Skipped => "Skipped",
        Conclusion::Failure => "Failed",
        Conclusion::Cancelled => Run::CANCELLED,
        Conclusion::TimedOut => "Timed out",
        Conclusion::ActionRequired => "Action required",
        Conclusion::Stale => "Stale",
        Conclusion::StartupFailure => "Could not start",
    }
}

/// Whether a conclusion is good, unless the template says otherwise.
pub(crate) fn is_good(conclusion: Conclusion) -> bool {
    matches!(conclusion, Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped)
}

/// `+2 ~0 -1`.
pub(crate) fn counts(plan: &PlanSummary) -> String {
    format!("+{} ~{} -{}", plan.add, plan.change, plan.destroy)
}

/// A copy of the values in which no text can do anything where GitHub reads it as a title or a
/// commit message: mention somebody, close an issue, skip the checks, or begin another line.
/// It looks the same: an invisible U+200B stands behind the sign that would start it.
pub(crate) fn inert(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(inert_text(text)),
        Value::Array(items) => items.iter().map(inert).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), inert(value))).collect())
        }
        other => other.clone(),
    }
}

/// [`inert`] for one text.
pub(crate) fn inert_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '@' | '#' | '[' => out.extend([c, '\u{200b}']),
            // `skip-checks: true` and trailers need a line of their own.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            // `GH-12` names an issue, too.
            '-' if out.to_ascii_lowercase().ends_with("gh") => out.extend([c, '\u{200b}']),
            c => out.push(c),
        }
    }
    out
}

/// A text on one line, not longer than `most` characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Several names, as a sentence has them.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// A text as a Markdown code span, in which nothing else is Markdown; fit for a table's cell.
pub(crate) fn code(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\u{2028}' | '\u{2029}' => '↵',
            '|' => '¦',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A JSON value as people write it: texts without quotes.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_title_mentions_nobody_and_skips_no_checks() {
        let typed = json!({"name": "@acme/all fixes #12, GH-7 [skip ci]\nskip-checks: true"});
        let shown = inert(&typed)["name"].as_str().unwrap().to_owned();
        for live in ["@a", "#1", "GH-7", "[skip", "\n"] {
            assert!(!shown.contains(live), "{live} in {shown:?}");
        }
        assert_eq!(
            shown.replace('\u{200b}', ""),
            "@acme/all fixes #12, GH-7 [skip ci] skip-checks: true"
        );
    }

    #[test]
    fn a_code_span_cannot_be_left() {
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`x`"), "`` `x` ``");
        assert_eq!(code("a\n| b | <img>"), "`a↵¦ b ¦ <img>`");
        assert_eq!(code(""), "(empty)");
    }

    #[test]
    fn a_long_line_is_cut_at_its_limit() {
        assert_eq!(one_line("a  b\nc", 10), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }
}
