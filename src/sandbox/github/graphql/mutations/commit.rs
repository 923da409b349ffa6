//! `createCommitOnBranch`: a commit of whole files, on a branch that must stand where it is expected.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::payloads::CreateCommitOnBranchPayload;
use crate::sandbox::github::auth::Caller;
use crate::sandbox::github::git::Change;
use crate::sandbox::github::graphql::git_object::{Commit, Ref};
use crate::sandbox::github::graphql::inputs::{CreateCommitOnBranchInput, FileChanges};
use crate::sandbox::github::graphql::objects::reference_of;
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::World;

pub(super) fn commit_on_branch(
    world: &mut World,
    caller: &Caller,
    input: CreateCommitOnBranchInput,
) -> Answered<CreateCommitOnBranchPayload> {
    let (index, name) = branch_of(world, caller, &input)?;
    caller.needs("contents:write")?;
    let changes = changes_of(input.file_changes)?;
    if changes.iter().any(|it| it.path.starts_with(".github/workflows/")) {
        caller.needs("workflows:write")?;
    }
    let git = world.git(index)?;
    let expected = input.expected_head_oid.0;
    if git.reference(&name).as_ref() != Some(&expected) {
        return Err(Refusal::stale(&expected));
    }
    for gone in changes.iter().filter(|it| it.bytes.is_none()) {
        if git.file(&expected, &gone.path).is_none() {
            let message = format!(
                "A path was requested for deletion which does not exist as of commit oid `{expected}`"
            );
            return Err(Refusal::unprocessable(message));
        }
    }
    let mut message = input.message.headline;
    if let Some(body) = input.message.body.filter(|body| !body.is_empty()) {
        message = format!("{message}\n\n{body}");
    }
    let branch = name.trim_start_matches("refs/heads/");
    let oid = world.commit_on_branch(
        index,
        (branch, Some(&expected)),
        &changes,
        &message,
        world.app.bot,
    )?;
    let repository = world.repositories[index].id;
    Ok(CreateCommitOnBranchPayload {
        client_mutation_id: input.client_mutation_id,
        commit: Some(Commit { repository, oid }),
        reference: Some(Ref { repository, name }),
    })
}

fn branch_of(
    world: &World,
    caller: &Caller,
    input: &CreateCommitOnBranchInput,
) -> Answered<(usize, String)> {
    if let Some(id) = &input.branch.id {
        return reference_of(world, caller, id);
    }
    let (Some(repository), Some(branch)) =
        (&input.branch.repository_name_with_owner, &input.branch.branch_name)
    else {
        return Err(Refusal::unprocessable(
            "A CommittableBranch needs an id, or repositoryNameWithOwner and branchName",
        ));
    };
    let missing = |_| {
        Refusal::unresolved(format!(
            "Could not resolve to a Repository with the name '{repository}'."
        ))
    };
    let index = world.visible(caller, repository).map_err(missing)?;
    let name = format!("refs/heads/{}", branch.trim_start_matches("refs/heads/"));
    if world.git(index)?.reference(&name).is_none() {
        return Err(Refusal::unresolved(format!("Could not resolve to a branch named '{branch}'")));
    }
    Ok((index, name))
}

fn changes_of(given: Option<FileChanges>) -> Answered<Vec<Change>> {
    let given = given.unwrap_or(FileChanges { additions: None, deletions: None });
    let mut changes = Vec::new();
    for addition in given.additions.into_iter().flatten() {
        let bytes = STANDARD.decode(&addition.contents.0);
        let bytes = bytes
            .map_err(|_| Refusal::unprocessable("contents is not valid Base64 of RFC 4648"))?;
        changes.push(Change { path: addition.path, bytes: Some(bytes) });
    }
    let deletions = given.deletions.into_iter().flatten();
    changes.extend(deletions.map(|it| Change { path: it.path, bytes: None }));
    let mut seen = HashSet::new();
    if let Some(twice) = changes.iter().find(|it| !seen.insert(it.path.clone())) {
        return Err(Refusal::unprocessable(format!(
            "The path '{}' appears more than once in fileChanges",
            twice.path
        )));
    }
    Ok(changes)
}
