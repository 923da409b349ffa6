//! Waiting in line: of several requests for one folder, the first is merged or closed before
//! the next is rendered.

use chrono::{DateTime, Utc};

use crate::domain::run::{Event, PullRequestWork, Run, Stage};

use super::decision::Decision;
use super::draft::Draft;
use super::step::Step;

/// The run waits: `ahead` asked first for the folder at `path`. `page` is where people see that run.
/// Nothing is asked of GitHub before its turn has come.
pub fn wait_behind(run: Run, path: &str, ahead: &Run, page: &str, now: DateTime<Utc>) -> Decision {
    let wait = |draft: &mut Draft, work: &mut PullRequestWork| {
        draft.stage(Stage::Behind, "Waiting");
        work.path = Some(path.to_owned());
        let (behind, line) = match ahead.pull_request() {
            Some(first) => (
                first.html_url.as_str(),
                format!(
                    "Pull request #{} changes `{path}` too: {}. This run goes on when that one \
                     is merged or closed.",
                    first.number, first.html_url
                ),
            ),
            None => (
                page,
                format!(
                    "The run {} asked first for `{path}`: {page}. This run goes on when that one \
                     is out of the way.",
                    ahead.request.id
                ),
            ),
        };
        if work.behind.as_deref() != Some(behind) {
            work.behind = Some(behind.to_owned());
            draft.say(Event::progress(line));
        }
    };
    Draft::of(run).on_pull_request(wait).finish(now)
}

/// Has a run that waits for its turn ask for it again, unless it has ended.
pub fn ask_again(mut decision: Decision) -> Decision {
    if !decision.run.status.is_end() {
        decision.steps.push(Step::Propose);
    }
    decision
}
