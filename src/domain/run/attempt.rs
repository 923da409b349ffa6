//! How far something is that GitHub runs, and how what is seen of it is taken in.

use serde::{Deserialize, Serialize};

use crate::domain::observation::{Conclusion, RunPhase};

/// How far the latest attempt of something is that GitHub runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1, and one more for each re-run.
    pub attempt: u32,
    /// How far it is.
    pub phase: RunPhase,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
}

impl Attempt {
    /// The first attempt, of which nothing but its being was seen.
    pub fn first() -> Self {
        Self { attempt: 1, phase: RunPhase::Queued, conclusion: None }
    }

    /// What one observation says. `completed` is only an end with a conclusion that is one:
    /// `completed` with none, or with `action_required`, is seen in the wild.
    pub fn seen(attempt: u32, phase: RunPhase, conclusion: Option<Conclusion>) -> Self {
        match (phase, conclusion) {
            (RunPhase::Completed, Some(Conclusion::ActionRequired)) => {
                Self { attempt, phase: RunPhase::Waiting, conclusion: None }
            }
            (RunPhase::Completed, Some(_)) => Self { attempt, phase, conclusion },
            (RunPhase::Completed, None) => {
                Self { attempt, phase: RunPhase::InProgress, conclusion: None }
            }
            _ => Self { attempt, phase, conclusion: None },
        }
    }

    /// Takes in what was seen, and says whether anything moved. An older attempt, an earlier phase
    /// and a second end of the same attempt move nothing. Only waiting may come after running: for
    /// the approval of a later job's environment.
    pub fn merge(&mut self, seen: Self) -> bool {
        let moves = seen.attempt > self.attempt
            || seen.attempt == self.attempt
                && self.phase != RunPhase::Completed
                && (seen.phase > self.phase
                    || (self.phase, seen.phase) == (RunPhase::InProgress, RunPhase::Waiting));
        if moves {
            *self = seen;
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attempts() -> impl Strategy<Value = Attempt> {
        let phases = prop::sample::select(vec![
            (RunPhase::Queued, None),
            (RunPhase::Waiting, None),
            (RunPhase::InProgress, None),
            (RunPhase::Completed, None),
            (RunPhase::Completed, Some(Conclusion::ActionRequired)),
            (RunPhase::Completed, Some(Conclusion::Success)),
            (RunPhase::Completed, Some(Conclusion::Failure)),
        ]);
        (1..4u32, phases).prop_map(|(attempt, (phase, end))| Attempt::seen(attempt, phase, end))
    }

    proptest! {
        #[test]
        fn nothing_that_is_seen_moves_an_attempt_backwards(seen in prop::collection::vec(attempts(), 0..20)) {
            let mut known = Attempt::first();
            for next in seen {
                let before = known;
                let moved = known.merge(next);
                prop_assert_eq!(moved, known != before);
                prop_assert!(known.attempt >= before.attempt);
                if before.phase == RunPhase::Completed && known.attempt == before.attempt {
                    prop_assert_eq!(known, before);
                }
                prop_assert_eq!(known.conclusion.is_some(), known.phase == RunPhase::Completed);
            }
        }

        #[test]
        fn the_end_of_the_last_attempt_wins_in_any_order(mut seen in prop::collection::vec(attempts(), 1..10), end in attempts()) {
            let end = Attempt { attempt: 9, phase: RunPhase::Completed, conclusion: Some(end.conclusion.unwrap_or(Conclusion::Success)) };
            let at = seen.len() / 2;
            seen.insert(at, end);
            let mut known = Attempt::first();
            for next in seen {
                known.merge(next);
            }
            prop_assert_eq!(known, end);
        }
    }

    #[test]
    fn an_action_that_is_required_is_no_end() {
        let seen = Attempt::seen(1, RunPhase::Completed, Some(Conclusion::ActionRequired));
        assert_eq!((seen.phase, seen.conclusion), (RunPhase::Waiting, None));
    }
}
