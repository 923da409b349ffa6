//! Writing entities to the catalog, and taking them out.

use crate::domain::action_run::RunKind;
use crate::domain::parts::PartFacts;
use crate::domain::run::Work;
use crate::domain::{EntityRef, Run, RunId, TargetName};
use crate::plan::step::{Delete, Upsert};
use crate::plan::{self, Answer};
use crate::portal;
use crate::store::{ClaimedStep, EntityChange, Place};

use super::{Done, Effects, Result};

impl Effects {
    pub(super) async fn upsert(&self, claimed: &ClaimedStep, step: &Upsert) -> Result<Done> {
        let run = claimed.run.clone();
        if let Some(port) = &self.portal {
            let mut told = port.upsert_entity(&step.entity, named(&run, step.with_run)).await;
            if matches!(told, Err(portal::Error::Exhausted)) {
                // Somebody has ended the run in the portal meanwhile. The entity is true all the same.
                told = port.upsert_entity(&step.entity, None).await;
            }
            told?;
        }
        self.tell_listener(claimed, claimed.id, &claimed.step).await?;
        let change = EntityChange::Put {
            entity: Box::new(step.entity.clone()),
            place: place_of(&run),
            part_places: part_places(&run),
        };
        Ok(self.told(run, change))
    }

    pub(super) async fn delete(&self, claimed: &ClaimedStep, step: &Delete) -> Result<Done> {
        let run = claimed.run.clone();
        if let Some(port) = &self.portal {
            let mut told = port.delete_entity(&step.entity, named(&run, step.with_run)).await;
            if matches!(told, Err(portal::Error::Exhausted)) {
                told = port.delete_entity(&step.entity, None).await;
            }
            told?;
        }
        self.tell_listener(claimed, claimed.id, &claimed.step).await?;
        Ok(self.told(run, EntityChange::Remove(step.entity.clone())))
    }

    fn told(&self, run: Run, change: EntityChange) -> Done {
        let decision = plan::answered(run, &Answer::Catalog(Ok(())), self.clock.now());
        Done::Decided { decision: Box::new(decision), entity: Some(change) }
    }

    /// Where the files of an entity are, as far as this service has put them there.
    pub(super) async fn place_of_entity(
        &self,
        entity: &EntityRef,
        target: Option<&TargetName>,
    ) -> Result<Option<Place>> {
        if let Some(target) = target {
            return Ok(self.store.part_place(entity, target).await?);
        }
        let known = self.store.entity(entity).await?;
        Ok(known.and_then(|record| record.place))
    }
}

/// The run by which the portal knows who changes its catalog, if it knows the run.
fn named(run: &Run, with_run: bool) -> Option<&RunId> {
    (with_run && run.request.kind != RunKind::Own).then_some(&run.id)
}

fn place_of(run: &Run) -> Option<Place> {
    match run.work.as_ref()? {
        Work::PullRequest(work) => {
            Some(Place { repository: work.repository.clone(), path: work.path.clone()? })
        }
        Work::Parts(_) => part_places(run).into_iter().map(|(_, place)| place).next(),
        Work::Workflow(_) | Work::Delivery(_) => None,
    }
}

/// The same of each part, by its target.
fn part_places(run: &Run) -> Vec<(TargetName, Place)> {
    let Some(Work::Parts(work)) = &run.work else { return Vec::new() };
    let place = |part: &PartFacts| {
        let path = part.state.path.clone()?;
        Some((part.target.clone(), Place { repository: part.repository.clone(), path }))
    };
    work.parts.iter().filter(|part| !part.makes_repository).filter_map(place).collect()
}
