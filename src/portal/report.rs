//! What is to be said about a run, as the fewest calls. Pure.

use super::limit;
use super::run::PatchRun;
use crate::domain::action_run::RunKind;
use crate::domain::report::Response;
use crate::domain::{Progress, Status};

/// A message for a run's log, with what the portal takes along with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// One or more lines.
    pub message: String,
    /// The label beside the status.
    pub label: Option<String>,
    /// The end of the run, taken once.
    pub end: Option<Status>,
}

/// One call to the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Adds to the log.
    Log(LogEntry),
    /// Shows an answer with the run.
    Respond(Response),
    /// Changes the run.
    Patch(PatchRun),
}

/// Several reports that wait together, and the run's end if it is among them, as the fewest calls:
/// of labels, links, summary and external id the last counts, log lines share a message. The log
/// comes first, because the end closes it.
pub fn calls(kind: RunKind, waiting: &[Progress], end: Option<Status>) -> Vec<Call> {
    let lines = waiting.iter().flat_map(|progress| &progress.log).map(String::as_str);
    let messages = limit::log_messages(lines);
    let mut patch = PatchRun {
        status: end,
        label: last(waiting, |progress| progress.label.as_deref()).map(limit::label),
        links: last(waiting, |progress| progress.links.as_ref()).cloned(),
        summary: last(waiting, |progress| progress.summary.as_deref()).map(limit::summary),
        external_run_id: last(waiting, |progress| progress.external_run_id.clone()),
        response: last(waiting, |progress| progress.response.clone()),
    };
    // Of an action run it is a call of its own; of a node it is a part of its output.
    let response = patch.response.take_if(|_| kind == RunKind::Action).map(Call::Respond);
    let mut entries: Vec<LogEntry> = messages.into_iter().map(plain).collect();
    if let Some(closing) = entries.last_mut()
        && goes_with_log(kind, &patch)
    {
        closing.label = patch.label.take();
        closing.end = patch.status.take();
    }
    let rest = (patch != PatchRun::default()).then_some(Call::Patch(patch));
    response.into_iter().chain(entries.into_iter().map(Call::Log)).chain(rest).collect()
}

/// Whether nothing would be left to be said by a PATCH. A node's log takes no label and no end.
fn goes_with_log(kind: RunKind, patch: &PatchRun) -> bool {
    kind == RunKind::Action
        && patch.links.is_none()
        && patch.summary.is_none()
        && patch.external_run_id.is_none()
}

fn plain(message: String) -> LogEntry {
    LogEntry { message, label: None, end: None }
}

fn last<'a, T>(waiting: &'a [Progress], field: impl Fn(&'a Progress) -> Option<T>) -> Option<T> {
    waiting.iter().rev().find_map(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(label: &str, log: &[&str]) -> Progress {
        let log = log.iter().map(|&line| line.to_owned()).collect();
        Progress { log, label: Some(label.to_owned()), ..Progress::default() }
    }

    fn log(message: &str, label: Option<&str>, end: Option<Status>) -> Call {
        let (message, label) = (message.to_owned(), label.map(str::to_owned));
        Call::Log(LogEntry { message, label, end })
    }

    #[test]
    fn log_lines_and_labels_alone_are_one_call() {
        let waiting = [said("Received", &["one"]), said("Queued", &["two", "three"])];
        let sent = calls(RunKind::Action, &waiting, None);
        assert_eq!(sent, [log("one\ntwo\nthree", Some("Queued"), None)]);
    }

    #[test]
    fn a_link_needs_a_patch_which_then_takes_the_label_too() {
        let mut linked = said("Running", &["started"]);
        linked.links = Some(vec!["https://a".into()]);
        let later = Progress { links: Some(vec!["https://b".into()]), ..Progress::default() };
        let sent = calls(RunKind::Action, &[linked, later], None);
        let patch = PatchRun {
            label: Some("Running".into()),
            links: Some(vec!["https://b".into()]),
            ..PatchRun::default()
        };
        assert_eq!(sent, [log("started", None, None), Call::Patch(patch)]);
    }

    #[test]
    fn the_end_comes_after_every_line() {
        let ended = Some(Status::Success);
        let sent = calls(RunKind::Action, &[said("Applied", &["done"])], ended);
        assert_eq!(sent, [log("done", Some("Applied"), ended)]);

        let mut told = said("Applied", &["done"]);
        told.summary = Some("All good".into());
        let sent = calls(RunKind::Action, &[told], ended);
        assert_eq!(sent[0], log("done", None, None));
        let Call::Patch(patch) = &sent[1] else { panic!("{sent:?}") };
        assert_eq!((patch.status, sent.len()), (ended, 2));
    }

    #[test]
    fn a_log_that_needs_two_messages_ends_with_the_second() {
        let line = "x".repeat(40 * 1024);
        let sent =
            calls(RunKind::Action, &[said("Apply failed", &[&line, &line])], Some(Status::Failure));
        assert_eq!(
            sent,
            [log(&line, None, None), log(&line, Some("Apply failed"), Some(Status::Failure))]
        );
    }

    #[test]
    fn a_node_s_label_and_end_are_a_patch() {
        let sent = calls(RunKind::WorkflowNode, &[said("Done", &["line"])], Some(Status::Success));
        let patch = PatchRun {
            status: Some(Status::Success),
            label: Some("Done".into()),
            ..PatchRun::default()
        };
        assert_eq!(sent, [log("line", None, None), Call::Patch(patch)]);
    }

    #[test]
    fn nothing_to_say_is_no_call() {
        assert_eq!(calls(RunKind::Action, &[], None), []);
        assert_eq!(calls(RunKind::Action, &[Progress::default()], None), []);
    }
}
