//! The findings of the doctor, as rows.

use serde::Serialize;

use super::text::{Part, parts};
use super::{Badge, Tone};
use crate::domain::{Finding, Verdict};

/// What is shown.
#[derive(Debug, Serialize)]
pub(in crate::http::dashboard) struct View {
    findings: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    badge: Badge,
    about: String,
    says: Vec<Part>,
    remedy: Option<Vec<Part>>,
}

/// The worst first, else in their order.
pub(in crate::http::dashboard) fn view(mut found: Vec<Finding>) -> View {
    found.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
    View { findings: found.into_iter().map(row).collect() }
}

fn row(finding: Finding) -> Row {
    let badge = match finding.verdict {
        Verdict::Good => Badge::new(Tone::Good, "Good"),
        Verdict::Warning => Badge::new(Tone::Waits, "Warning"),
        Verdict::Bad => Badge::new(Tone::Bad, "Bad"),
    };
    Row {
        badge,
        about: finding.about,
        says: parts(&finding.says),
        remedy: finding.remedy.as_deref().map(parts),
    }
}
