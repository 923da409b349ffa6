//! The list of runs.

use serde::Serialize;

use super::{Badge, Moment, Named, Tone, encoded, entity_href, run_href};
use crate::domain::parts::PartFacts;
use crate::domain::run::Work;
use crate::domain::{ActionRun, EntityRef, PullRequestNumber, RepositoryName, Run, Status, User};

/// What the list was asked for, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(in super::super) struct Asked {
    pub(in super::super) state: String,
    pub(in super::super) action: String,
    pub(in super::super) repository: String,
    pub(in super::super) person: String,
    pub(in super::super) q: String,
    pub(in super::super) before: String,
}

impl Asked {
    /// Whether only some runs are wanted.
    pub(in super::super) fn is_filtered(&self) -> bool {
        [&self.state, &self.action, &self.repository, &self.person, &self.q]
            .iter()
            .any(|text| !text.is_empty())
    }

    /// The address of this list from another run on.
    fn from(&self, before: &str) -> String {
        let fields = [
            ("state", self.state.as_str()),
            ("action", &self.action),
            ("repository", &self.repository),
            ("person", &self.person),
            ("q", &self.q),
            ("before", before),
        ];
        let given = fields.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<_> =
            given.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        if query.is_empty() { "/".to_owned() } else { format!("/?{}", query.join("&")) }
    }
}

/// The states that can be chosen, by their word in the address.
pub(in super::super) const STATES: [(&str, &str, Status); 5] = [
    ("in-progress", "In progress", Status::InProgress),
    ("waiting-for-approval", "Waiting for approval", Status::WaitingForApproval),
    ("success", "Succeeded", Status::Success),
    ("failure", "Failed", Status::Failure),
    ("declined", "Declined", Status::Declined),
];

/// The list.
#[derive(Debug, Serialize)]
pub(in super::super) struct RunsView {
    asked: Asked,
    is_filtered: bool,
    states: Vec<(&'static str, &'static str)>,
    /// What has been typed and cannot be looked for.
    misfit: Option<String>,
    attention: Vec<RunRow>,
    runs: Vec<RunRow>,
    /// Known names to choose from.
    actions: Vec<String>,
    repositories: Vec<String>,
    newest: Option<String>,
    older: Option<String>,
}

/// A run in a list.
#[derive(Debug, Serialize)]
pub(in super::super) struct RunRow {
    id: String,
    href: String,
    title: String,
    badge: Badge,
    label: Option<String>,
    entity: Option<Named>,
    places: Vec<Place>,
    who: Named,
    at: Moment,
}

/// Where a run writes.
#[derive(Debug, Serialize)]
struct Place {
    repository: Named,
    pull_request: Option<Named>,
}

/// A run that somebody should look at.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Urgent {
    pub(in super::super) run: Run,
    pub(in super::super) is_parked: bool,
}

/// What the list is made from.
pub(in super::super) struct Found {
    pub(in super::super) asked: Asked,
    pub(in super::super) misfit: Option<String>,
    pub(in super::super) attention: Vec<Urgent>,
    /// The newest first.
    pub(in super::super) runs: Vec<Run>,
    pub(in super::super) has_more: bool,
    /// What the runs ran on, as far as it has a page.
    pub(in super::super) known: Vec<EntityRef>,
}

/// The list as it is shown. What needs attention is not shown twice.
pub(in super::super) fn view(found: Found) -> RunsView {
    let Found { asked, misfit, attention, runs, has_more, known } = found;
    let older = runs.last().filter(|_| has_more).map(|last| asked.from(last.id.as_str()));
    let every = || attention.iter().map(|urgent| &urgent.run).chain(&runs);
    let actions = names(every().map(|run| run.request.action.to_string()));
    let repositories = names(every().flat_map(places).map(|place| place.repository.name));
    let is_urgent = |run: &Run| attention.iter().any(|urgent| urgent.run.id == run.id);
    RunsView {
        is_filtered: asked.is_filtered(),
        states: STATES.map(|(word, name, _)| (word, name)).to_vec(),
        misfit,
        runs: runs
            .iter()
            .filter(|run| !is_urgent(run))
            .map(|run| row(run, false, &known))
            .collect(),
        attention: attention
            .iter()
            .map(|urgent| row(&urgent.run, urgent.is_parked, &known))
            .collect(),
        actions,
        repositories,
        newest: (!asked.before.is_empty()).then(|| asked.from("")),
        older,
        asked,
    }
}

fn names(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A run as a list shows it.
pub(in super::super) fn row(run: &Run, is_parked: bool, known: &[EntityRef]) -> RunRow {
    let badge = if is_parked { Badge::new(Tone::Bad, "Parked") } else { Badge::of(run) };
    RunRow {
        id: run.id.to_string(),
        href: run_href(&run.id),
        title: run.request.title(),
        label: (!run.label.eq_ignore_ascii_case(badge.word)).then(|| run.label.clone()),
        badge,
        entity: ran_on(&run.request, known),
        places: places(run),
        who: person(&run.request.user),
        at: run.created_at.into(),
    }
}

/// What the action ran on; with its page, where it is one of the known.
pub(super) fn ran_on(request: &ActionRun, known: &[EntityRef]) -> Option<Named> {
    let identifier = request.entity_identifier()?;
    let entity = request.entity_ref().filter(|entity| known.contains(entity));
    Some(match entity {
        Some(EntityRef { blueprint, identifier }) => {
            Named::new(identifier.as_str(), entity_href(&blueprint, &identifier))
        }
        None => Named::plain(identifier.as_str()),
    })
}

/// Who asked; with their runs, where it is known who it was.
pub(super) fn person(user: &User) -> Named {
    let known = user.email.as_deref().or(user.name.as_deref()).or(user.id.as_deref());
    match known {
        Some(known) => runs_of(user.shown(), known),
        None => Named::plain(user.shown()),
    }
}

/// A person, with the runs that they asked for.
pub(in super::super) fn runs_of(shown: &str, known: &str) -> Named {
    Named::new(shown, format!("/?person={}", encoded(known)))
}

/// Where it writes: several, where it has parts.
fn places(run: &Run) -> Vec<Place> {
    let place = |repository: &RepositoryName, pull_request: Option<(PullRequestNumber, &str)>| {
        let name = repository.to_string();
        let href = format!("/?repository={}", encoded(&name));
        let pull_request =
            pull_request.map(|(number, page)| Named::outside(format!("#{number}"), page));
        Place { repository: Named::new(name, href), pull_request }
    };
    let own = run.repository().map(|repository| {
        place(repository, run.pull_request().map(|facts| (facts.number, &*facts.html_url)))
    });
    let parts = parts(run).iter().map(|part| {
        let facts = part.state.pull_request.as_ref();
        place(&part.repository, facts.map(|facts| (facts.number, &*facts.html_url)))
    });
    own.into_iter().chain(parts).collect()
}

fn parts(run: &Run) -> &[PartFacts] {
    match &run.work {
        Some(Work::Parts(work)) => &work.parts,
        _ => &[],
    }
}
