//! The reviews of an open pull request.

use crate::domain::observation::{ReviewSeen, Verdict};
use crate::domain::run::{Event, PullRequestFacts, PullRequestWork, Stage};
use crate::plan::draft::Draft;

/// A review was seen.
pub(crate) fn review_seen(draft: &mut Draft, work: &mut PullRequestWork, seen: &ReviewSeen) {
    if let Some(facts) = work.pull_request.as_mut().filter(|facts| facts.number == seen.number) {
        take_review(draft, facts, seen);
    }
}

fn take_review(draft: &mut Draft, facts: &mut PullRequestFacts, seen: &ReviewSeen) {
    let known = facts.reviews.iter_mut().find(|(login, _)| *login == seen.reviewer);
    // A comment takes no verdict back.
    if seen.verdict == Verdict::Commented {
        return;
    }
    match known {
        Some((_, verdict)) if *verdict == seen.verdict => return,
        Some((_, verdict)) => *verdict = seen.verdict,
        None => facts.reviews.push((seen.reviewer.clone(), seen.verdict)),
    }
    let (label, line) = match seen.verdict {
        Verdict::Approved => ("Approved", format!("{} approved the change.", seen.reviewer)),
        Verdict::ChangesRequested => {
            ("Changes requested", format!("{} asks for changes: {}", seen.reviewer, seen.html_url))
        }
        _ => ("Waiting for review", format!("The review of {} was dismissed.", seen.reviewer)),
    };
    draft.say(Event::progress(line));
    if draft.run.stage == Stage::Proposed {
        draft.stage(Stage::Proposed, label);
    }
}
