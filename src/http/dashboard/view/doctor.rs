//! The findings of the doctor, as rows.

use serde::Serialize;

use super::text::{Part, parts};
use super::{Badge, GitHub, Named, Tone};
use crate::domain::{Finding, RepositoryName, Verdict};

/// What is shown.
#[derive(Debug, Serialize)]
pub(in crate::http::dashboard) struct View {
    findings: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    badge: Badge,
    about: Named,
    says: Vec<Part>,
    remedy: Option<Vec<Part>>,
}

/// The worst first, else in their order.
pub(in crate::http::dashboard) fn view(mut found: Vec<Finding>, github: GitHub<'_>) -> View {
    found.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    View { findings: found.into_iter().map(|finding| row(finding, github)).collect() }
}

fn row(finding: Finding, github: GitHub<'_>) -> Row {
    let badge = match finding.verdict {
        Verdict::Good => Badge::new(Tone::Good, "Good"),
        Verdict::Warning => Badge::new(Tone::Waits, "Warning"),
        Verdict::Bad => Badge::new(Tone::Bad, "Bad"),
    };
    Row {
        badge,
        about: match finding.about.parse::<RepositoryName>() {
            Ok(repository) => github.repository(&repository),
            Err(_) => Named::plain(finding.about),
        },
        says: parts(&finding.says),
        remedy: finding.remedy.as_deref().map(parts),
    }
}
