//! Trouble on demand: answers that get lost, servers that fail, limits that are reached.

use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// GitHub does the work, then the connection breaks before the answer.
    LoseAnswer,
    /// GitHub does the work, then answers with this status.
    AnswerAfter(u16),
    /// GitHub does nothing and answers with this status.
    AnswerBefore(u16),
    /// GitHub does nothing: a secondary rate limit, with this `retry-after`. REST answers 403,
    /// GraphQL 200 with an error.
    SecondaryLimit(Duration),
    /// The same with status 429.
    TooManyRequests(Duration),
    /// The work is done late.
    Delay(Duration),
    /// The work is done at once, and answered when the test says so
    /// ([`super::SandboxGitHub::release_answers`]).
    HoldAnswer,
}

/// Faults that wait for their call.
#[derive(Default)]
pub(crate) struct Faults {
    waiting: Vec<Waiting>,
    fields: Vec<String>,
}

struct Waiting {
    operation: String,
    left: u32,
    skip: u32,
    fault: Fault,
}

impl Faults {
    pub(crate) fn add(&mut self, operation: &str, skip: u32, times: u32, fault: Fault) {
        self.waiting.push(Waiting { operation: operation.to_owned(), left: times, skip, fault });
    }

    pub(crate) fn add_field(&mut self, field: &str) {
        self.fields.push(field.to_owned());
    }

    /// Whether this mutation alone is to go wrong now.
    pub(crate) fn take_field(&mut self, field: &str) -> bool {
        let found = self.fields.iter().position(|it| it == field);
        found.map(|index| self.fields.remove(index)).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.fields.clear();
    }

    /// The fault for this call, if one waits for it.
    pub(crate) fn take(&mut self, operation: &str, root_fields: &[String]) -> Option<Fault> {
        let matches = |it: &Waiting| {
            it.operation == "*" || it.operation == operation || root_fields.contains(&it.operation)
        };
        let index = self.waiting.iter().position(matches)?;
        let waiting = &mut self.waiting[index];
        if waiting.skip > 0 {
            waiting.skip -= 1;
            return None;
        }
        waiting.left -= 1;
        let fault = waiting.fault.clone();
        if waiting.left == 0 {
            self.waiting.remove(index);
        }
        Some(fault)
    }
}
