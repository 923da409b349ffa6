//! Which of the candidates says that a merged change was applied.

use crate::domain::observation::{Conclusion, RunPhase};
use crate::domain::repository::CommitSha;
use crate::domain::run::ApplyFacts;

/// What the candidates say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing final yet.
    Pending,
    /// Whether this commit contains the change has to be looked up first.
    Compare(CommitSha),
    /// Applied, as this one says.
    Applied(ApplyFacts),
    /// The newest that counts went wrong, and none newer is under way.
    Failed(ApplyFacts, Conclusion),
}

/// Weighs the candidates. A success on any commit that contains the change counts, also one that
/// came after a failure. A failure, or an apply that was cancelled for a newer one, counts only if
/// none newer on a commit that contains the change is under way.
pub(crate) fn verdict(candidates: &[ApplyFacts]) -> Verdict {
    let counts = |candidate: &&ApplyFacts| candidate.contains == Some(true);
    let is_good =
        |candidate: &&ApplyFacts| candidate.latest.conclusion == Some(Conclusion::Success);
    if let Some(applied) = candidates.iter().filter(counts).find(is_good) {
        return Verdict::Applied(applied.clone());
    }
    if let Some(unknown) = candidates.iter().find(|candidate| candidate.contains.is_none()) {
        return Verdict::Compare(unknown.sha.clone());
    }
    let Some(newest) = candidates.iter().filter(counts).max_by_key(|candidate| candidate.id) else {
        return Verdict::Pending;
    };
    match newest.latest.conclusion {
        Some(conclusion) if newest.latest.phase == RunPhase::Completed => {
            Verdict::Failed(newest.clone(), conclusion)
        }
        _ => Verdict::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::run::Attempt;

    fn candidate(id: u64, contains: Option<bool>, end: Option<Conclusion>) -> ApplyFacts {
        let phase = if end.is_some() { RunPhase::Completed } else { RunPhase::InProgress };
        ApplyFacts {
            id,
            sha: CommitSha::new(format!("{id:040x}")).unwrap(),
            url: None,
            latest: Attempt { attempt: 1, phase, conclusion: end },
            contains,
        }
    }

    #[test]
    fn nothing_seen_is_pending() {
        assert_eq!(verdict(&[]), Verdict::Pending);
    }

    #[test]
    fn a_success_on_a_later_commit_counts_when_that_contains_the_change() {
        let cancelled = candidate(1, Some(true), Some(Conclusion::Cancelled));
        let later = candidate(2, None, Some(Conclusion::Success));
        let sha = later.sha.clone();
        assert_eq!(verdict(&[cancelled.clone(), later.clone()]), Verdict::Compare(sha));
        let contained = ApplyFacts { contains: Some(true), ..later.clone() };
        assert_eq!(verdict(&[cancelled.clone(), contained.clone()]), Verdict::Applied(contained));
        let beside = ApplyFacts { contains: Some(false), ..later };
        let failed = Verdict::Failed(cancelled.clone(), Conclusion::Cancelled);
        assert_eq!(verdict(&[cancelled, beside]), failed);
    }

    #[test]
    fn a_failure_is_no_end_while_a_newer_apply_is_under_way() {
        let failed = candidate(1, Some(true), Some(Conclusion::Failure));
        let newer = candidate(2, Some(true), None);
        assert_eq!(verdict(&[failed.clone(), newer]), Verdict::Pending);
        assert_eq!(
            verdict(std::slice::from_ref(&failed)),
            Verdict::Failed(failed, Conclusion::Failure)
        );
    }

    #[test]
    fn a_success_counts_whatever_failed_before_or_after_it() {
        let good = candidate(2, Some(true), Some(Conclusion::Success));
        let all = [
            candidate(1, Some(true), Some(Conclusion::Failure)),
            good.clone(),
            candidate(3, Some(true), Some(Conclusion::Failure)),
        ];
        assert_eq!(verdict(&all), Verdict::Applied(good));
    }
}
