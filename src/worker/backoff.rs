//! How long a step waits before it is tried again.

use chrono::{DateTime, TimeDelta, Utc};

/// The first wait.
const FIRST: TimeDelta = TimeDelta::seconds(2);
/// The longest wait that nobody asked for.
const LONGEST: TimeDelta = TimeDelta::minutes(5);
/// How long the work of a run is tried before the run ends.
pub(super) const PATIENCE: TimeDelta = TimeDelta::hours(24);

/// When an attempt (counted from 1) is followed by the next. `asked` is what the other side has
/// said, to the second; `chance` in 0..1 spreads those that failed together.
pub(super) fn until(
    now: DateTime<Utc>,
    attempt: u32,
    asked: Option<DateTime<Utc>>,
    chance: f64,
) -> DateTime<Utc> {
    let doubled = FIRST * 2_i32.saturating_pow(attempt.saturating_sub(1).min(12));
    let wait = doubled.min(LONGEST);
    #[expect(clippy::cast_possible_truncation, reason = "at most a quarter of five minutes")]
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of five minutes are exact")]
    let spread = TimeDelta::milliseconds((wait.num_milliseconds() as f64 * 0.25 * chance) as i64);
    match asked {
        // Not before, and a little apart from the others that were told the same moment.
        Some(asked) if asked > now => {
            asked + TimeDelta::milliseconds(spread.num_milliseconds() / 4)
        }
        _ => now + wait + spread,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_grow_to_a_limit_and_keep_what_was_asked(attempt in 0..u32::MAX, asked in 0..7200i64, chance in 0.0..1.0) {
            let now = DateTime::UNIX_EPOCH;
            let alone = until(now, attempt, None, chance) - now;
            prop_assert!(alone >= FIRST && alone <= LONGEST * 5 / 4);
            let moment = now + TimeDelta::seconds(asked);
            prop_assert!(until(now, attempt, Some(moment), chance) >= moment);
        }
    }
}
