//! Reviews of a pull request: given, taken back, and asked for.

use std::collections::BTreeMap;

use serde_json::json;

use super::{as_webhooks_have_it, team_as_webhooks_have_it};
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Id, Pull, Review, World};

impl World {
    pub(crate) fn review(
        &mut self,
        repository: usize,
        number: u64,
        (state, body): (&'static str, &str),
        author: Id,
    ) -> Answered<Id> {
        let id = self.fresh_id();
        let submitted_at = self.now();
        let pull = self.repositories[repository].pull_mut(number)?;
        if pull.author == author && state != "COMMENTED" {
            return Err(Refusal::unprocessable("Can not approve your own pull request"));
        }
        let commit = pull.head_sha.clone();
        let review = Review { id, author, state, body: body.to_owned(), commit, submitted_at };
        pull.reviewers.retain(|reviewer| *reviewer != author);
        pull.reviews.push(review);
        self.emit_review(repository, number, id, "submitted", author)?;
        self.merge_when_ready(repository, number)?;
        Ok(id)
    }

    pub(crate) fn dismiss_review(
        &mut self,
        repository: usize,
        number: u64,
        review: Id,
        actor: Id,
    ) -> Answered<()> {
        let pull = self.repositories[repository].pull_mut(number)?;
        let found = pull.reviews.iter_mut().find(|it| it.id == review);
        found.ok_or_else(Refusal::not_found)?.state = "DISMISSED";
        self.emit_review(repository, number, review, "dismissed", actor)
    }

    fn emit_review(
        &mut self,
        repository: usize,
        number: u64,
        review: Id,
        action: &str,
        sender: Id,
    ) -> Answered<()> {
        let found = &self.repositories[repository];
        let pull = found.pull(number)?;
        let review =
            pull.reviews.iter().find(|it| it.id == review).ok_or_else(Refusal::not_found)?;
        let mut body = self.review_body(found, pull, review);
        // Lower case in webhooks, upper case in REST.
        body["state"] = json!(review.state.to_lowercase());
        let mut pull = self.pull_body(found, pull);
        as_webhooks_have_it(&mut pull);
        let fields = json!({"action": action, "review": body, "pull_request": pull});
        self.emit("pull_request_review", repository, sender, fields);
        Ok(())
    }

    /// What the newest review of each person adds up to.
    pub(crate) fn review_decision(pull: &Pull) -> Option<&'static str> {
        let mut newest = BTreeMap::new();
        for review in pull.reviews.iter().filter(|it| it.state != "COMMENTED") {
            newest.insert(review.author, review.state);
        }
        if newest.values().any(|state| *state == "CHANGES_REQUESTED") {
            return Some("CHANGES_REQUESTED");
        }
        newest.values().any(|state| *state == "APPROVED").then_some("APPROVED")
    }

    /// Asks for reviews. One person or team that may not review makes the whole request fail.
    pub(crate) fn request_reviews(
        &mut self,
        repository: usize,
        number: u64,
        (people, teams): (&[Id], &[Id]),
        actor: Id,
    ) -> Answered<()> {
        let found = &self.repositories[repository];
        let pull = found.pull(number)?;
        if people.contains(&pull.author) {
            return Err(Refusal::unprocessable(
                "Review cannot be requested from pull request author.",
            ));
        }
        let is_stranger = |id: &Id| !found.collaborators.contains_key(id);
        let is_outside =
            |id: &Id| self.team(*id).is_none_or(|it| !it.repositories.contains(&found.id));
        if people.iter().any(is_stranger) || teams.iter().any(is_outside) {
            return Err(Refusal::unprocessable(format!(
                "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the {} repository.",
                found.full_name
            )));
        }
        for id in people {
            let pull = self.repositories[repository].pull_mut(number)?;
            pull.reviewers.retain(|it| it != id);
            pull.reviewers.push(*id);
            let fields =
                json!({"action": "review_requested", "requested_reviewer": self.account_body(*id)});
            self.emit_pull(repository, number, actor, fields)?;
        }
        for id in teams {
            let pull = self.repositories[repository].pull_mut(number)?;
            pull.team_reviewers.retain(|it| it != id);
            pull.team_reviewers.push(*id);
            let Some(team) = self.team(*id) else { continue };
            let mut team = self.team_body(team);
            team_as_webhooks_have_it(&mut team);
            let fields = json!({"action": "review_requested", "requested_team": team});
            self.emit_pull(repository, number, actor, fields)?;
        }
        Ok(())
    }
}
