//! The check on a run's pull request: written to the check run that is known, else to the one that an
//! attempt whose answer was lost has left, else to a new one.

use crate::domain::check::Check;
use crate::domain::{RepositoryName, Run};
use crate::github;
use crate::plan::{self, CheckRun};
use crate::store::ClaimedStep;

use super::{Done, Effects, Result};

impl Effects {
    pub(super) async fn check(
        &self,
        run: Run,
        check: &Check,
        claimed: &ClaimedStep,
    ) -> Result<Done> {
        let now = self.clock.now();
        let Some(repository) = run.repository().cloned() else {
            return Ok(plan::Decision::unchanged(run).into());
        };
        let known = match plan::check_run_of(&run, &check.commit) {
            CheckRun::None if self.has_begun(claimed).await? => CheckRun::MayBeThere,
            known => known,
        };
        match self.write_check(&repository, check, known).await {
            Ok(id) => Ok(plan::check_written(run, &check.commit, id, now).into()),
            Err(error @ github::Error::Forbidden { .. }) => {
                Ok(plan::check_refused(run, &error.sentence(), now).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn write_check(
        &self,
        repository: &RepositoryName,
        check: &Check,
        known: CheckRun,
    ) -> std::result::Result<u64, github::Error> {
        let known = match known {
            CheckRun::Is(id) => Some(id),
            CheckRun::MayBeThere => self.github.find_check(repository, check).await?,
            CheckRun::None => None,
        };
        self.github.put_check(repository, known, check).await
    }
}
