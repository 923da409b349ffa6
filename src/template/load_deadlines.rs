//! Reads how long the runs of a template may stay at a stage.

use chrono::TimeDelta;
use serde_json::Value;

use super::keys;
use super::load::Reader;
use super::located::{Content, Located};
use crate::domain::deadline::{Deadline, Deadlines, Wait};

impl Reader<'_> {
    pub(super) fn deadlines(&mut self, spec: &Located) -> Deadlines {
        self.known_keys(spec, "deadlines", &keys::DEADLINES);
        let named = Wait::ALL.into_iter().filter_map(|wait| {
            let of = spec.get(wait.as_str())?;
            self.deadline(wait, of).map(|deadline| (wait, deadline))
        });
        Deadlines::new(named.collect::<Vec<_>>())
    }

    /// A time alone, or a map of both.
    fn deadline(&mut self, wait: Wait, spec: &Located) -> Option<Deadline> {
        let usual = wait.usual();
        if !matches!(spec.content, Content::Map(_)) {
            return self.time(spec).map(|after| Deadline { after, ..usual });
        }
        self.known_keys(spec, wait.as_str(), &keys::DEADLINE);
        let after = match spec.get("after") {
            Some(after) => self.time(after)?,
            None => usual.after,
        };
        let ends = match spec.get("end") {
            None => usual.ends,
            Some(at) => {
                let Value::Bool(ends) = at.to_json() else {
                    self.say(at.place, "`end` must be true or false");
                    return None;
                };
                ends
            }
        };
        Some(Deadline { after, ends })
    }

    fn time(&mut self, spec: &Located) -> Option<TimeDelta> {
        let value = spec.to_json();
        let time = value.as_str().and_then(parse);
        if time.is_none() {
            let message = "a deadline is a number and a unit, from 1m to 365d: `90m`, `6h`, `30d`";
            self.say(spec.place, message);
        }
        time
    }
}

/// `90m`, `6h`, `30d`; a minute at least, a year at most.
fn parse(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok().filter(|number| (1..=365 * 24 * 60).contains(number))?;
    let time = match unit {
        "m" => TimeDelta::minutes(number),
        "h" => TimeDelta::hours(number),
        "d" => TimeDelta::days(number),
        _ => return None,
    };
    (time <= TimeDelta::days(365)).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        assert_eq!(parse("90m"), Some(TimeDelta::minutes(90)));
        assert_eq!(parse("6h"), Some(TimeDelta::hours(6)));
        assert_eq!(parse("365d"), Some(TimeDelta::days(365)));
        for wrong in
            ["", "d", "0d", "366d", "-1d", "1w", "30", "1.5h", "٣d", "9223372036854775807d"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
