//! What is shown, made from what is known. Pure: no I/O, no clock, no HTML.
//!
//! Every address that leads out of the dashboard goes through [`outside`]: the texts come from
//! others, and a browser would run a `javascript:` address.

pub(super) mod actions;
pub(super) mod catalog;
pub(super) mod diff;
pub(super) mod doctor;
pub(super) mod graph;
pub(super) mod health;
pub(super) mod jobs;
pub(super) mod line;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod text;
pub(super) mod told;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::domain::{BlueprintId, CommitSha, EntityId, RepositoryName, Run, RunId, Stage, Status};

/// A point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Moment {
    /// For machines: the script shows it in the viewer's zone.
    iso: String,
    /// For people without the script.
    text: String,
}

impl From<DateTime<Utc>> for Moment {
    fn from(at: DateTime<Utc>) -> Self {
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            text: at.format("%-d %b %Y, %H:%M UTC").to_string(),
        }
    }
}

/// A name that leads somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Named {
    name: String,
    /// `None` where the name leads nowhere.
    href: Option<String>,
}

impl Named {
    fn new(name: impl Into<String>, href: impl Into<String>) -> Self {
        Self { name: name.into(), href: Some(href.into()) }
    }

    fn plain(name: impl Into<String>) -> Self {
        Self { name: name.into(), href: None }
    }

    /// A name with an address that came from outside.
    fn outside(name: impl Into<String>, address: &str) -> Self {
        Self { name: name.into(), href: outside(address) }
    }
}

/// How something is to be felt; each tone has a colour and a sign, so that colour is never alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tone {
    /// Went well.
    Good,
    /// Went wrong.
    Bad,
    /// Waits for a person.
    Waits,
    /// Is under way.
    Goes,
    /// Neither.
    #[default]
    Quiet,
}

/// How something stands, in a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Badge {
    tone: Tone,
    word: &'static str,
}

impl Badge {
    fn new(tone: Tone, word: &'static str) -> Self {
        Self { tone, word }
    }

    /// How a run stands.
    fn of(run: &Run) -> Self {
        if run.status == Status::WaitingForApproval {
            return Self::new(Tone::Waits, "Needs approval");
        }
        match run.stage {
            _ if run.was_cancelled() => Self::new(Tone::Quiet, Run::CANCELLED),
            Stage::Waiting => Self::new(Tone::Waits, "Needs approval"),
            Stage::Proposed => Self::new(Tone::Waits, "Needs review"),
            stage => Self::of_stage(stage),
        }
    }

    fn of_stage(stage: Stage) -> Self {
        match stage {
            Stage::Received => Self::new(Tone::Goes, "Received"),
            Stage::Refused => Self::new(Tone::Bad, "Refused"),
            Stage::Dispatched => Self::new(Tone::Goes, "Dispatched"),
            Stage::Running => Self::new(Tone::Goes, "Running"),
            Stage::Waiting => Self::new(Tone::Waits, "Waiting"),
            Stage::Behind => Self::new(Tone::Quiet, "In line"),
            Stage::Proposed => Self::new(Tone::Waits, "Proposed"),
            Stage::Declined => Self::new(Tone::Quiet, "Declined"),
            Stage::Merged => Self::new(Tone::Goes, "Applying"),
            Stage::Done => Self::new(Tone::Good, "Done"),
            Stage::Failed => Self::new(Tone::Bad, "Failed"),
        }
    }
}

/// An address that came from outside, if a browser may be led there.
pub(super) fn outside(address: &str) -> Option<String> {
    let scheme_is_known = address.starts_with("https://") || address.starts_with("http://");
    scheme_is_known.then(|| address.to_owned())
}

/// An address as people read it.
fn without_scheme(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

/// A segment of a path, or a value of a query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}

/// The page of a run.
pub(super) fn run_href(run: &RunId) -> String {
    format!("/runs/{run}")
}

/// The page of an entity.
pub(super) fn entity_href(blueprint: &BlueprintId, identifier: &EntityId) -> String {
    format!("{}/{}", blueprint_href(blueprint), encoded(identifier.as_str()))
}

/// The page of a blueprint.
pub(super) fn blueprint_href(blueprint: &BlueprintId) -> String {
    format!("/catalog/{}", encoded(blueprint.as_str()))
}

/// GitHub's pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct GitHub<'a>(pub(super) &'a str);

impl GitHub<'_> {
    fn repository(self, repository: &RepositoryName) -> Named {
        Named::outside(repository.to_string(), &format!("{}/{repository}", self.0))
    }

    fn commit(self, repository: &RepositoryName, sha: &CommitSha) -> Named {
        Named::outside(sha.short(), &format!("{}/{repository}/commit/{sha}", self.0))
    }

    /// A file or folder on a branch, tag or commit; on the default branch, where none is given.
    fn tree(self, repository: &RepositoryName, at: Option<&str>, path: &str) -> Named {
        let path_segments = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
        let at = at.unwrap_or("HEAD").split('/').map(encoded).collect::<Vec<_>>().join("/");
        let address = format!("{}/{repository}/tree/{at}/{path_segments}", self.0);
        Named::outside(path, &address)
    }

    /// The file of a workflow; one that is named by its id has none to be shown.
    fn workflow(self, repository: &RepositoryName, at: Option<&str>, file: &str) -> Named {
        let is_id = file.bytes().all(|byte| byte.is_ascii_digit());
        let page = self.tree(repository, at, &format!(".github/workflows/{file}"));
        Named { name: file.to_owned(), href: page.href.filter(|_| !is_id) }
    }

    /// The page of a check run.
    fn check_run(self, repository: &RepositoryName, id: u64) -> Named {
        Named::outside(format!("check {id}"), &format!("{}/{repository}/runs/{id}", self.0))
    }

    fn team(self, name: &str, organization: &str, slug: &str) -> Named {
        let (organization, slug) = (encoded(organization), encoded(slug));
        Named::outside(name, &format!("{}/orgs/{organization}/teams/{slug}", self.0))
    }

    fn person(self, login: &str) -> Named {
        Named::outside(login, &format!("{}/{}", self.0, encoded(login)))
    }
}

/// A length of time in the two largest units that tell something (`3 min 12 s`).
pub(super) fn duration(length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, 0) => format!("{minutes} min"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, 0, _) => format!("{hours} h"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, 0, _, _) => format!("{days} d"),
        (days, hours, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_lead_out() {
        assert_eq!(outside("https://github.com/a/b"), Some("https://github.com/a/b".to_owned()));
        for hostile in ["javascript:alert(1)", " https://a", "data:text/html,x", "//evil.example"] {
            assert_eq!(outside(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn an_identifier_with_slashes_stays_one_segment() {
        let blueprint = BlueprintId::new("cloud/bucket").unwrap();
        let identifier = EntityId::new("a/b=ü@x").unwrap();
        let href = entity_href(&blueprint, &identifier);
        assert_eq!(href, "/catalog/cloud%2Fbucket/a%2Fb%3D%C3%BC%40x");
    }

    #[test]
    fn a_duration_is_told_in_two_units() {
        let told = [0, 59, 60, 192, 3_600, 7_380, 86_400, 180_000]
            .map(|seconds| duration(TimeDelta::seconds(seconds)));
        let expected = ["0 s", "59 s", "1 min", "3 min 12 s", "1 h", "2 h 3 min", "1 d", "2 d 2 h"];
        assert_eq!(told, expected);
        assert_eq!(duration(TimeDelta::seconds(-5)), "0 s");
    }

    #[test]
    fn a_moment_is_told_in_utc() {
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let moment = Moment::from(at);
        assert_eq!(moment.iso, "2026-09-21T14:13:20Z");
        assert_eq!(moment.text, "21 Sep 2026, 14:13 UTC");
    }
}
