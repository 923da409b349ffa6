//! The mutations. Each is on its own: one that fails leaves what the ones before it did.

mod commit;
mod payloads;

use async_graphql::{Context, ID, Object};

use super::git_object::Ref;
use super::inputs::{
    AddCommentInput, AddLabelsToLabelableInput, ClosePullRequestInput, CreateCommitOnBranchInput,
    CreateLabelInput, CreatePullRequestInput, CreateRefInput, DeleteRefInput,
    EnablePullRequestAutoMergeInput, PullRequestMergeMethod, PullRequestUpdateState,
    RequestReviewsInput, UpdatePullRequestInput, UpdateRefInput, UpdateRefsInput,
};
use super::objects::{number_of, pull_of, reference_of, repository_of};
use super::pull_request::PullRequest;
use super::repository::Label;
use super::{Maybe, maybe, world};
use crate::sandbox::github::auth::Caller;
use crate::sandbox::github::git::ZERO;
use crate::sandbox::github::pulls::{MergeMethod, NewPull};
use crate::sandbox::github::references::Force;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::World;
use commit::commit_on_branch;
use payloads::{
    AddCommentPayload, AddLabelsToLabelablePayload, ClosePullRequestPayload,
    CreateCommitOnBranchPayload, CreateLabelPayload, CreatePullRequestPayload, CreateRefPayload,
    DeleteRefPayload, EnablePullRequestAutoMergePayload, Labelable, RequestReviewsPayload,
    UpdatePullRequestPayload, UpdateRefPayload, UpdateRefsPayload,
};

pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn create_ref(
        &self,
        ctx: &Context<'_>,
        input: CreateRefInput,
    ) -> Maybe<CreateRefPayload> {
        maybe(world(ctx, |world, caller| {
            let index = writable(world, caller, &input.repository_id)?;
            let taken = format!("A ref named \"{}\" already exists in the repository.", input.name);
            if world.git(index)?.reference(&input.name).is_some() {
                return Err(Refusal::unprocessable(taken));
            }
            needs_workflows(world, caller, index, &input.oid.0)?;
            world.create_reference(index, &input.name, &input.oid.0, world.app.bot)?;
            let reference =
                Some(Ref { repository: world.repositories[index].id, name: input.name });
            Ok(Some(CreateRefPayload { client_mutation_id: input.client_mutation_id, reference }))
        }))
    }

    async fn update_ref(
        &self,
        ctx: &Context<'_>,
        input: UpdateRefInput,
    ) -> Maybe<UpdateRefPayload> {
        maybe(world(ctx, |world, caller| {
            caller.needs("contents:write")?;
            let (index, name) = reference_of(world, caller, &input.ref_id)?;
            needs_workflows(world, caller, index, &input.oid.0)?;
            let actor = world.app.bot;
            world.move_reference(index, &name, &input.oid.0, force(input.force), actor)?;
            let reference = Some(Ref { repository: world.repositories[index].id, name });
            Ok(Some(UpdateRefPayload { client_mutation_id: input.client_mutation_id, reference }))
        }))
    }

    async fn update_refs(
        &self,
        ctx: &Context<'_>,
        input: UpdateRefsInput,
    ) -> Maybe<UpdateRefsPayload> {
        maybe(world(ctx, |world, caller| {
            let index = writable(world, caller, &input.repository_id)?;
            let git = world.git(index)?;
            // All or nothing: everything is looked at before anything is moved.
            for update in &input.ref_updates {
                let standing = git.reference(&update.name.0).unwrap_or_else(|| ZERO.to_owned());
                if update.before_oid.as_ref().is_some_and(|before| before.0 != standing) {
                    return Err(Refusal::stale(
                        &update.before_oid.as_ref().map(|it| it.0.clone()).unwrap_or_default(),
                    ));
                }
                let is_forward = standing == ZERO
                    || update.after_oid.0 == ZERO
                    || git.contains(&update.after_oid.0, &standing);
                if !is_forward && update.force != Some(true) {
                    return Err(Refusal::unprocessable("Update is not a fast forward"));
                }
                if update.after_oid.0 != ZERO {
                    needs_workflows(world, caller, index, &update.after_oid.0)?;
                }
            }
            let actor = world.app.bot;
            for update in &input.ref_updates {
                let (name, after) = (&update.name.0, &update.after_oid.0);
                match (git.reference(name), after.as_str()) {
                    (_, ZERO) => world.delete_reference(index, name, actor)?,
                    (None, sha) => world.create_reference(index, name, sha, actor)?,
                    (Some(_), sha) => {
                        world.move_reference(index, name, sha, force(update.force), actor)?;
                    }
                }
            }
            Ok(Some(UpdateRefsPayload { client_mutation_id: input.client_mutation_id }))
        }))
    }

    async fn delete_ref(
        &self,
        ctx: &Context<'_>,
        input: DeleteRefInput,
    ) -> Maybe<DeleteRefPayload> {
        maybe(world(ctx, |world, caller| {
            caller.needs("contents:write")?;
            let (index, name) = reference_of(world, caller, &input.ref_id)?;
            world.delete_reference(index, &name, world.app.bot)?;
            Ok(Some(DeleteRefPayload { client_mutation_id: input.client_mutation_id }))
        }))
    }

    async fn create_commit_on_branch(
        &self,
        ctx: &Context<'_>,
        input: CreateCommitOnBranchInput,
    ) -> Maybe<CreateCommitOnBranchPayload> {
        maybe(world(ctx, |world, caller| commit_on_branch(world, caller, input).map(Some)))
    }

    async fn create_pull_request(
        &self,
        ctx: &Context<'_>,
        input: CreatePullRequestInput,
    ) -> Maybe<CreatePullRequestPayload> {
        maybe(world(ctx, |world, caller| {
            caller.needs("pull_requests:write")?;
            let index = repository_of(world, caller, &input.repository_id)?;
            let new = NewPull {
                title: input.title,
                body: input.body,
                head: input.head_ref_name.trim_start_matches("refs/heads/").to_owned(),
                base: input.base_ref_name.trim_start_matches("refs/heads/").to_owned(),
                draft: input.draft.unwrap_or(false),
            };
            let number = world.open_pull(index, new, world.app.bot)?;
            let pull_request = Some(pull_at(world, index, number));
            Ok(Some(CreatePullRequestPayload {
                client_mutation_id: input.client_mutation_id,
                pull_request,
            }))
        }))
    }

    async fn update_pull_request(
        &self,
        ctx: &Context<'_>,
        input: UpdatePullRequestInput,
    ) -> Maybe<UpdatePullRequestPayload> {
        maybe(world(ctx, |world, caller| {
            let (index, number) = writable_pull(world, caller, &input.pull_request_id)?;
            let actor = world.app.bot;
            world.edit_pull(
                index,
                number,
                (input.title.as_deref(), input.body.as_deref()),
                actor,
            )?;
            match input.state {
                Some(PullRequestUpdateState::Closed) => world.close_pull(index, number, actor)?,
                Some(PullRequestUpdateState::Open) => world.reopen_pull(index, number, actor)?,
                None => {}
            }
            let pull_request = Some(pull_at(world, index, number));
            Ok(Some(UpdatePullRequestPayload {
                client_mutation_id: input.client_mutation_id,
                pull_request,
            }))
        }))
    }

    async fn close_pull_request(
        &self,
        ctx: &Context<'_>,
        input: ClosePullRequestInput,
    ) -> Maybe<ClosePullRequestPayload> {
        maybe(world(ctx, |world, caller| {
            let (index, number) = writable_pull(world, caller, &input.pull_request_id)?;
            world.close_pull(index, number, world.app.bot)?;
            let pull_request = Some(pull_at(world, index, number));
            Ok(Some(ClosePullRequestPayload {
                client_mutation_id: input.client_mutation_id,
                pull_request,
            }))
        }))
    }

    async fn create_label(
        &self,
        ctx: &Context<'_>,
        input: CreateLabelInput,
    ) -> Maybe<CreateLabelPayload> {
        maybe(world(ctx, |world, caller| {
            needs_labels(caller)?;
            let index = repository_of(world, caller, &input.repository_id)?;
            let label = world.create_label(
                index,
                &input.name,
                &input.color,
                input.description.as_deref(),
            )?;
            let label = Some(Label::of(&label));
            Ok(Some(CreateLabelPayload { client_mutation_id: input.client_mutation_id, label }))
        }))
    }

    async fn add_labels_to_labelable(
        &self,
        ctx: &Context<'_>,
        input: AddLabelsToLabelableInput,
    ) -> Maybe<AddLabelsToLabelablePayload> {
        maybe(world(ctx, |world, caller| {
            needs_labels(caller)?;
            let (index, number) = pull_of(world, caller, &input.labelable_id)?;
            let ids = input
                .label_ids
                .iter()
                .map(|id| number_of(id, "LA"))
                .collect::<Answered<Vec<_>>>()?;
            let known = |id: &u64| world.repositories[index].labels.iter().any(|it| it.id == *id);
            if let Some(position) = ids.iter().position(|id| !known(id)) {
                return Err(super::objects::unresolved(&input.label_ids[position]));
            }
            world.add_labels(index, number, &ids, world.app.bot)?;
            let pull = pull_at(world, index, number);
            let labelable = Some(Labelable::PullRequest(pull));
            Ok(Some(AddLabelsToLabelablePayload {
                client_mutation_id: input.client_mutation_id,
                labelable,
            }))
        }))
    }

    async fn request_reviews(
        &self,
        ctx: &Context<'_>,
        input: RequestReviewsInput,
    ) -> Maybe<RequestReviewsPayload> {
        maybe(world(ctx, |world, caller| {
            let (index, number) = writable_pull(world, caller, &input.pull_request_id)?;
            let numbers = |ids: &Option<Vec<ID>>, prefix: &str| {
                ids.iter().flatten().map(|id| number_of(id, prefix)).collect::<Answered<Vec<_>>>()
            };
            let (people, teams) = (numbers(&input.user_ids, "U")?, numbers(&input.team_ids, "T")?);
            if !teams.is_empty() {
                caller.needs("members:read")?;
            }
            let pull = world.repositories[index].pull_mut(number)?;
            let before = (pull.reviewers.clone(), pull.team_reviewers.clone());
            if input.union != Some(true) {
                pull.reviewers.clear();
                pull.team_reviewers.clear();
            }
            let asked = world.request_reviews(index, number, (&people, &teams), world.app.bot);
            if asked.is_err() {
                let pull = world.repositories[index].pull_mut(number)?;
                (pull.reviewers, pull.team_reviewers) = before;
            }
            asked?;
            let pull_request = Some(pull_at(world, index, number));
            Ok(Some(RequestReviewsPayload {
                client_mutation_id: input.client_mutation_id,
                pull_request,
            }))
        }))
    }

    async fn add_comment(
        &self,
        ctx: &Context<'_>,
        input: AddCommentInput,
    ) -> Maybe<AddCommentPayload> {
        maybe(world(ctx, |world, caller| {
            needs_labels(caller)?;
            let (index, number) = pull_of(world, caller, &input.subject_id)?;
            world.add_comment(index, number, &input.body, world.app.bot)?;
            let pull = pull_at(world, index, number);
            let subject = Some(super::objects::Node::PullRequest(pull));
            Ok(Some(AddCommentPayload { client_mutation_id: input.client_mutation_id, subject }))
        }))
    }

    async fn enable_pull_request_auto_merge(
        &self,
        ctx: &Context<'_>,
        input: EnablePullRequestAutoMergeInput,
    ) -> Maybe<EnablePullRequestAutoMergePayload> {
        maybe(world(ctx, |world, caller| {
            let (index, number) = writable_pull(world, caller, &input.pull_request_id)?;
            let method = match input.merge_method {
                Some(PullRequestMergeMethod::Squash) => MergeMethod::Squash,
                Some(PullRequestMergeMethod::Rebase) => MergeMethod::Rebase,
                _ => MergeMethod::Merge,
            };
            world.enable_auto_merge(index, number, method, world.app.bot)?;
            let pull_request = Some(pull_at(world, index, number));
            Ok(Some(EnablePullRequestAutoMergePayload {
                client_mutation_id: input.client_mutation_id,
                pull_request,
            }))
        }))
    }
}

fn force(given: Option<bool>) -> Force {
    if given == Some(true) { Force::Yes } else { Force::No }
}

fn writable(world: &World, caller: &Caller, id: &ID) -> Answered<usize> {
    let index = repository_of(world, caller, id)?;
    caller.needs("contents:write")?;
    Ok(index)
}

fn writable_pull(world: &World, caller: &Caller, id: &ID) -> Answered<(usize, u64)> {
    let found = pull_of(world, caller, id)?;
    caller.needs("pull_requests:write")?;
    Ok(found)
}

fn pull_at(world: &World, index: usize, number: u64) -> PullRequest {
    PullRequest { repository: world.repositories[index].id, number }
}

fn needs_labels(caller: &Caller) -> Answered<()> {
    caller.needs("issues:write").or_else(|_| caller.needs("pull_requests:write"))
}

/// Pointing at a commit that changes workflow files asks for `workflows: write`.
fn needs_workflows(world: &World, caller: &Caller, index: usize, sha: &str) -> Answered<()> {
    if world.touches_workflows(index, sha)? { caller.needs("workflows:write") } else { Ok(()) }
}
