//! Identifiers, each a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An identifier that breaks the rule of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not usable: {rule}")]
pub struct InvalidId {
    /// What kind of identifier was expected.
    pub what: &'static str,
    /// What stood there, shortened.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the rule of this kind of identifier.
            pub fn new(value: impl Into<String>) -> Result<Self, InvalidId> {
                let value = value.into();
                let check: fn(&str) -> bool = $check;
                if check(&value) {
                    Ok(Self(value))
                } else {
                    let value = value.chars().take(80).collect();
                    Err(InvalidId { what: $what, value, rule: $rule })
                }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(value: &str) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(value: String) -> Result<Self, InvalidId> {
                Self::new(value)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}

fn is_plain(value: &str, most: usize, extra: &str) -> bool {
    (1..=most).contains(&value.len())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

fn is_port_identifier(value: &str, most: usize, extra: &str) -> bool {
    !matches!(value, "" | "." | "..")
        && value.chars().count() <= most
        && value.chars().all(|c| c.is_alphanumeric() || extra.contains(c))
}

text_id!(
    /// A run, by the identifier that the portal gave it (`r_…`, `wfnr_…`). It is this program's own
    /// identifier of the run too, and a part of the branch name. A part of a run has the run's, a
    /// point and a number: that no portal's has.
    RunId, "run id", "1 to 128 letters, digits, `_` or `-`", |v| match v.split_once('.') {
        None => is_plain(v, 128, "_-"),
        Some((whole, number)) => is_plain(whole, 128, "_-") && is_part_number(number),
    }
);

impl RunId {
    /// The id of a part of this run, by its place from 0.
    #[must_use]
    pub fn part(&self, place: usize) -> Self {
        Self(format!("{self}.{}", place + 1))
    }

    /// Whether it is the id of a part.
    pub fn is_part(&self) -> bool {
        self.0.contains('.')
    }
}

fn is_part_number(number: &str) -> bool {
    number.len() <= 2 && number.parse::<u8>().is_ok_and(|n| n.to_string() == number && n > 0)
}

text_id!(
    /// A portal action's identifier: `^(?!\.{1,2}$)[\p{L}0-9@_.+:=-]+$` (Port's API description).
    ActionId, "action", "letters, digits and `@_.+:=-`, at most 200 characters",
    |v| is_port_identifier(v, 200, "@_.+:=-")
);

text_id!(
    /// A catalog blueprint's identifier, at most 100 characters (Port's API description).
    BlueprintId, "blueprint", "letters, digits and `@_.+:\\/-`, at most 100 characters",
    |v| is_port_identifier(v, 100, "@_.+:\\/-")
);

text_id!(
    /// A catalog entity's identifier, at most 1,000 characters (Port's API description).
    EntityId, "entity identifier", "letters, digits and `@_.+:\\/=-`, no spaces, at most 1000 characters",
    |v| is_port_identifier(v, 1000, "@_.+:\\/=-")
);

text_id!(
    /// A template folder's name.
    TemplateName, "template name", "1 to 100 lower case letters, digits, `_` or `-`",
    |v| is_plain(v, 100, "_-") && !v.chars().any(|c| c.is_ascii_uppercase())
);

text_id!(
    /// What one of a template's several targets is called.
    TargetName, "target name", "1 to 30 lower case letters, digits or `-`, the first a letter",
    |v| is_plain(v, 30, "-") && v.starts_with(|c: char| c.is_ascii_lowercase())
        && !v.chars().any(|c| c.is_ascii_uppercase())
);

text_id!(
    /// `X-GitHub-Delivery`, or what names a portal message.
    DeliveryId, "delivery id", "1 to 200 letters, digits, or `_-:.`", |v| is_plain(v, 200, "_-:.")
);

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A GitHub workflow run. A re-run keeps it and raises the attempt.
    WorkflowRunId
);
number_id!(
    /// A pull request's number in its repository.
    PullRequestNumber
);
