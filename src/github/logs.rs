//! A job's log: what a person needs of it.

use crate::domain::report::PlanSummary;

/// How many lines of a failed job are told.
const LINES: usize = 40;

/// The longest line that is told, in characters.
const LINE_LENGTH: usize = 500;

/// The last lines that belong to the failure: of the step that failed, without its script, and up
/// to the runner's `Process completed with exit code`, because the steps that clean up come after it.
pub(super) fn tail(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().map(without_timestamp).collect();
    let end = lines
        .iter()
        .position(|line| line.starts_with("##[error]Process completed with exit code"))
        .or_else(|| lines.iter().rposition(|line| line.starts_with("##[error]")))
        .map_or(lines.len(), |error| error + 1);
    let kept: Vec<String> =
        lines[start_of_step(&lines[..end])..end].iter().filter_map(|line| told(line)).collect();
    kept[kept.len().saturating_sub(LINES)..].to_vec()
}

/// Where the output of the last step begins: behind the fold in which the runner shows its script.
fn start_of_step(lines: &[&str]) -> usize {
    let run = lines.iter().rposition(|line| line.starts_with("##[group]Run "));
    let fold = run.and_then(|run| {
        let end = lines[run..].iter().position(|line| line.starts_with("##[endgroup]"))?;
        Some(run + end + 1)
    });
    fold.unwrap_or(0)
}

/// The counts of the last plan in a log of Terraform or OpenTofu.
pub(super) fn plan(log: &str) -> Option<PlanSummary> {
    log.lines().rev().find_map(|line| plan_in(plain(without_timestamp(line)).trim()))
}

fn plan_in(line: &str) -> Option<PlanSummary> {
    if line.starts_with("No changes.") {
        return Some(PlanSummary::default());
    }
    let mut summary = PlanSummary::default();
    for part in line.strip_prefix("Plan: ")?.trim_end_matches('.').split(", ") {
        let (count, what) = part.split_once(" to ")?;
        let count = count.trim().parse().ok()?;
        match what {
            "add" => summary.add = count,
            "change" => summary.change = count,
            "destroy" => summary.destroy = count,
            // `1 to import`, `1 to forget`: nothing is made or lost.
            _ => {}
        }
    }
    Some(summary)
}

/// The runner's `2026-01-31T12:00:00.0000000Z ` in front of each line.
fn without_timestamp(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}');
    match line.split_once(' ') {
        Some((time, rest)) if is_timestamp(time) => rest,
        None if is_timestamp(line) => "",
        _ => line,
    }
}

fn is_timestamp(word: &str) -> bool {
    word.len() >= 20
        && word.ends_with('Z')
        && word.as_bytes()[4] == b'-'
        && word.as_bytes()[10] == b'T'
        && word.bytes().all(|b| b.is_ascii_digit() || b"-:.TZ".contains(&b))
}

/// A line as it is told; `None` for the runner's folds and for empty ones.
fn told(line: &str) -> Option<String> {
    let line = plain(line);
    if ["##[group]", "##[endgroup]", "##[debug]"].iter().any(|fold| line.starts_with(fold)) {
        return None;
    }
    let words = ["##[error]", "##[warning]", "##[notice]", "##[command]", "[command]"]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))
        .unwrap_or(&line)
        .trim_end();
    (!words.is_empty()).then(|| words.chars().take(LINE_LENGTH).collect())
}

/// Without colours and other control sequences of terminals.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            if characters.next_if_eq(&'[').is_some() {
                // A control sequence ends with its first byte from `@` to `~`.
                for c in characters.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            } else {
                characters.next();
            }
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_ends_where_the_step_failed_and_reads_as_it_was_meant() {
        let log = "\u{feff}2026-01-31T12:00:00.0000000Z ##[group]Run terraform apply\n\
            2026-01-31T12:00:00.0000000Z terraform apply\n\
            2026-01-31T12:00:00.0000000Z ##[endgroup]\n\
            2026-01-31T12:00:01.0000000Z \u{1b}[31m│\u{1b}[0m Error: quota\u{1b}[K is used up\n\
            2026-01-31T12:00:01.0000000Z \n\
            2026-01-31T12:00:01.0000000Z ##[error]Process completed with exit code 1.\n\
            2026-01-31T12:00:02.0000000Z Post job cleanup.\n";
        assert_eq!(tail(log), ["│ Error: quota is used up", "Process completed with exit code 1."]);
    }

    #[test]
    fn only_the_last_lines_are_told() {
        use std::fmt::Write as _;
        let mut log = String::new();
        for n in 0..100 {
            writeln!(log, "line {n}").unwrap();
        }
        let tail = tail(&log);
        assert_eq!((tail.len(), tail[0].as_str()), (LINES, "line 60"));
    }

    #[test]
    fn the_last_plan_of_a_log_counts() {
        let plan_of = |log| plan(log).map(|plan| (plan.add, plan.change, plan.destroy));
        let log = "Plan: 9 to add, 9 to change, 9 to destroy.\n\
            2026-01-31T12:00:00.0000000Z \u{1b}[1mPlan:\u{1b}[0m 1 to import, 2 to add, 0 to change, 3 to destroy.\n\
            done";
        assert_eq!(plan_of(log), Some((2, 0, 3)));
        assert_eq!(plan_of("No changes. Your infrastructure matches."), Some((0, 0, 0)));
        assert_eq!(plan_of("Plan: the great escape"), None);
        assert_eq!(plan_of(""), None);
    }
}
