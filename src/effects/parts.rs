//! The parts of a run: all of their targets are looked at and rendered for, before any part begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::standing::Standing;
use crate::domain::{Operation, Run, RunId};
use crate::plan::{self, Asked, Beside, Checked, Preview, Refusal};
use crate::template::ActionOf;

use super::propose::Found;
use super::{Done, Effects, Result};

/// How long a look counts: the part begins within a moment of it.
const KEPT: TimeDelta = TimeDelta::minutes(1);

/// What stood at the targets of parts that are about to begin, so that they need not look again. Who
/// does not find it here looks.
#[derive(Clone, Default)]
pub struct Looks(Arc<Mutex<HashMap<RunId, Look>>>);

struct Look {
    at: DateTime<Utc>,
    path: String,
    standing: Standing,
}

impl Looks {
    fn keep(&self, looks: Vec<(RunId, Look)>, now: DateTime<Utc>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, look| now - look.at < KEPT);
        kept.extend(looks);
    }

    /// Takes a look out: it counts once.
    pub(super) fn take(&self, run: &RunId, now: DateTime<Utc>) -> Option<(String, Standing)> {
        let look = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(run)?;
        (now - look.at < KEPT).then_some((look.path, look.standing))
    }
}

impl Effects {
    pub(super) async fn check_parts(&self, run: Run) -> Result<Done> {
        let templates = self.templates.now();
        let now = self.clock.now();
        let Some(action) = templates.action(&run.request.action) else {
            let gone = format!("The template of the action {} is gone.", run.request.action);
            return Ok(plan::refuse(run, &Refusal::because(gone), now).into());
        };
        let (mut found, mut looks) = (Vec::new(), Vec::new());
        for part in self.store.parts_of(&run.id).await? {
            let (checked, look) = self.check_part(&part, action).await?;
            found.push(checked);
            looks.extend(look.map(|look| (part.id, look)));
        }
        self.looks.keep(looks, now);
        Ok(plan::checked(run, found, now).into())
    }

    /// What can be done at a target, and what stands there, if it is this part's turn at it.
    async fn check_part(&self, part: &Run, action: &ActionOf) -> Result<(Checked, Option<Look>)> {
        let asked = match plan::ask(part, action) {
            Ok(asked) => asked,
            Err(refusal) => return Ok((Checked::Refused(refusal), None)),
        };
        if plan::new_repository(part).is_some() {
            let preview = self.preview_repository(part, action, asked.repository).await?;
            let checked = match preview {
                Preview::Refused(refusal) => Checked::Refused(refusal),
                _ => Checked::Fine { path: String::new() },
            };
            return Ok((checked, None));
        }
        let (path, standing, is_its_turn) = match self.find_folder(part, &asked, action).await? {
            Found::Nowhere => return Ok((gone(action, &asked), None)),
            Found::At { path, standing } => (path, *standing, true),
            Found::Behind { path, .. } => {
                match self.find_target(&asked, action, Some(&path)).await? {
                    Some((path, standing)) => (path, standing, false),
                    None => return Ok((gone(action, &asked), None)),
                }
            }
        };
        Ok(match self.decide(part, action, &standing, &path).await? {
            Ok(_) => {
                let look = Look { at: self.clock.now(), path: path.clone(), standing };
                (Checked::Fine { path }, is_its_turn.then_some(look))
            }
            Err(refusal) => (Checked::Refused(refusal), None),
        })
    }

    /// The other parts of the same action.
    pub(super) async fn beside(&self, run: &Run) -> Result<Vec<Beside>> {
        let Some(part) = run.part_of() else { return Ok(Vec::new()) };
        let parts = self.store.parts_of(&part.whole).await?;
        Ok(plan::beside(run, &parts))
    }
}

/// Nothing belongs to the entity there: of what is deleted, that is as it should be.
fn gone(action: &ActionOf, asked: &Asked) -> Checked {
    let nowhere = plan::nowhere(asked);
    match action.action.operation {
        Operation::Delete => Checked::Gone(nowhere),
        Operation::Create | Operation::Day2 => Checked::Refused(nowhere),
    }
}
