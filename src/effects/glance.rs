//! A glance at many silent runs at once: which of them are worth a look of their own. Pull requests
//! that wait for people are asked about together, and cost next to nothing while nothing happens.

use std::collections::BTreeMap;

use crate::domain::observation::{Observation, PullRequestState};
use crate::domain::run::{ApplySignal, PullRequestWork, Work};
use crate::domain::{Run, RunId};
use crate::github::{self, PullRequestLook};
use crate::plan;

use super::Effects;
use super::read::plan_ended;

/// How many pull requests one query asks about.
const AT_ONCE: usize = 50;

impl Effects {
    /// Those of the silent runs that something has happened to, or that cannot be told from afar.
    pub async fn worth_a_look(&self, silent: Vec<Run>) -> Vec<RunId> {
        let mut worth = Vec::new();
        let mut from_afar: BTreeMap<String, Vec<(Run, String)>> = BTreeMap::new();
        for run in silent {
            match self.node_from_afar(&run) {
                Some((owner, node)) => from_afar.entry(owner).or_default().push((run, node)),
                None => worth.push(run.id),
            }
        }
        for (owner, runs) in from_afar {
            for some in runs.chunks(AT_ONCE) {
                worth.extend(self.moved_of(&owner, some).await);
            }
        }
        worth
    }

    /// The account and the node of an open pull request, where that is all that a look would ask for.
    fn node_from_afar(&self, run: &Run) -> Option<(String, String)> {
        let Some(Work::PullRequest(work)) = &run.work else { return None };
        let facts = work.pull_request.as_ref()?;
        let is_open = matches!(facts.state, PullRequestState::Open | PullRequestState::Queued);
        let may_be_late = plan::is_due(run, &self.deadlines_of(run), self.clock.now());
        if !is_open || may_be_late || has_marks(work) {
            return None;
        }
        Some((work.repository.owner().to_ascii_lowercase(), facts.node_id.clone()?))
    }

    /// Of these open pull requests of one account, the runs of those that are not as they are known.
    async fn moved_of(&self, owner: &str, runs: &[(Run, String)]) -> Vec<RunId> {
        let asked: Vec<_> = runs
            .iter()
            .filter_map(|(run, node)| Some((run.repository()?, node.as_str())))
            .collect();
        match self.github.pull_requests(owner, &asked).await {
            Ok(found) => {
                let found = runs.iter().zip(found);
                let moved = found.filter(|((run, _), look)| {
                    look.as_ref().is_none_or(|look| self.moves(run, look))
                });
                moved.map(|((run, _), _)| run.id.clone()).collect()
            }
            // They are asked about again when GitHub takes that.
            Err(github::Error::RateLimited { .. }) => Vec::new(),
            Err(error) => {
                tracing::info!(owner, %error, "pull requests could not be looked at together");
                runs.iter().map(|(run, _)| run.id.clone()).collect()
            }
        }
    }

    fn moves(&self, run: &Run, look: &PullRequestLook) -> bool {
        let mut seen = vec![Observation::PullRequest(look.pull_request.clone())];
        seen.extend(look.reviews.iter().cloned().map(Observation::Review));
        let decision = plan::outcomes(run.clone(), &seen, self.clock.now());
        decision != plan::Decision::unchanged(run.clone())
    }
}

/// Whether something else may tell of the change while its pull request is open: a plan that has not
/// ended, or marks on the head for an applier that applies before the merge.
fn has_marks(work: &PullRequestWork) -> bool {
    let by_marks = matches!(
        work.apply,
        ApplySignal::Status(_) | ApplySignal::Check(_) | ApplySignal::Deployment(_)
    );
    by_marks || work.plan.is_some() && !plan_ended(work)
}
