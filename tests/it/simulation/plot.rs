//! What a person is going to do, drawn before anything happens: so that it is known how it must end.

use fastrand::Rng;

/// What somebody asks for, and what comes of it on GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// A database is made.
    Create { name: String, size: u64, end: Change },
    /// It gets another size.
    Resize { name: String, size: u64, end: Change },
    /// It is deleted.
    Delete { name: String, end: Change },
    /// A workflow is run, and ends so.
    Dispatch { conclusion: &'static str },
    /// Something that the guardrails refuse.
    Refused,
}

/// What becomes of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Applied,
    ApplyFailed,
    Declined,
}

impl Act {
    /// The status and the label with which its run ends in the portal.
    pub(super) fn end(&self) -> (&'static str, &'static str) {
        match self {
            Self::Create { end, .. } | Self::Resize { end, .. } | Self::Delete { end, .. } => {
                match end {
                    Change::Applied => ("SUCCESS", "Applied"),
                    Change::ApplyFailed => ("FAILURE", "Apply failed"),
                    Change::Declined => ("FAILURE", "Declined"),
                }
            }
            Self::Dispatch { conclusion: "success" } => ("SUCCESS", "Succeeded"),
            Self::Dispatch { conclusion: "cancelled" } => ("FAILURE", "Cancelled"),
            Self::Dispatch { .. } => ("FAILURE", "Failed"),
            Self::Refused => ("FAILURE", "Refused"),
        }
    }

    /// Whether it makes a pull request.
    pub(super) fn proposes(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Resize { .. } | Self::Delete { .. })
    }
}

/// The acts of a person.
pub(super) fn plot(person: usize, acts: usize, chance: &mut Rng) -> Vec<Act> {
    let mut standing = Standing::default();
    (0..acts).map(|number| next(person, number, &mut standing, chance)).collect()
}

/// What stands of a person's infrastructure.
#[derive(Default)]
struct Standing {
    database: Option<String>,
    /// An apply has failed: the next one that succeeds applies that change, too, and whether this is
    /// still heard of depends on chance. Nothing more is changed.
    is_broken: bool,
}

fn next(person: usize, number: usize, standing: &mut Standing, chance: &mut Rng) -> Act {
    match chance.u32(..100) {
        share if share < 35 || standing.is_broken => {
            let conclusion =
                *chance.choice(&["success", "success", "failure", "cancelled"]).expect("four");
            return Act::Dispatch { conclusion };
        }
        35..40 => return Act::Refused,
        _ => {}
    }
    let end = match chance.u32(..100) {
        0..80 => Change::Applied,
        80..86 => Change::ApplyFailed,
        _ => Change::Declined,
    };
    // A size that was not there before: a change without effect makes no pull request.
    let size = u64::try_from(number).expect("few") + 11;
    let Some(name) = standing.database.clone() else {
        standing.is_broken = end == Change::ApplyFailed;
        let name = format!("db-{person}-{number}");
        if end == Change::Applied {
            standing.database = Some(name.clone());
        }
        return Act::Create { name, size, end };
    };
    if chance.u32(..100) < 60 {
        standing.is_broken = end == Change::ApplyFailed;
        return Act::Resize { name, size, end };
    }
    // Where the files are gone and the apply failed, the entity stays and cannot be changed.
    let end = if end == Change::ApplyFailed { Change::Applied } else { end };
    if end == Change::Applied {
        standing.database = None;
    }
    Act::Delete { name, end }
}
