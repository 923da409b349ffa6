//! Pull requests, reviews, reviewers, labels and comments.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, Call, Route, created, ok, route};
use crate::sandbox::github::auth::Access::Needs;
use crate::sandbox::github::pulls::{MergeMethod, NewPull};
use crate::sandbox::github::refusal::{Answered, Refusal};
use crate::sandbox::github::state::{Comment, Id, Pull, PullState, World};

pub(super) fn routes() -> Vec<Route> {
    let (read, write) = (Needs(&["pull_requests:read"]), Needs(&["pull_requests:write"]));
    let labels = Needs(&["issues:write", "pull_requests:write"]);
    vec![
        route(Method::GET, "/repos/{owner}/{repo}/pulls", read, list),
        route(Method::POST, "/repos/{owner}/{repo}/pulls", write, create),
        route(Method::GET, "/repos/{owner}/{repo}/pulls/{pull_number}", read, get),
        route(Method::PATCH, "/repos/{owner}/{repo}/pulls/{pull_number}", write, update),
        route(Method::GET, "/repos/{owner}/{repo}/pulls/{pull_number}/files", read, files),
        route(Method::GET, "/repos/{owner}/{repo}/pulls/{pull_number}/commits", read, commits),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/pulls/{pull_number}/merge",
            Needs(&["contents:read"]),
            is_merged,
        ),
        route(
            Method::PUT,
            "/repos/{owner}/{repo}/pulls/{pull_number}/merge",
            Needs(&["contents:write"]),
            merge,
        ),
        route(Method::GET, "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", read, reviews),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
            write,
            request_reviewers,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
            read,
            requested_reviewers,
        ),
        route(Method::GET, "/repos/{owner}/{repo}/issues/{issue_number}/labels", labels, labels_of),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/issues/{issue_number}/labels",
            labels,
            add_labels,
        ),
        route(
            Method::GET,
            "/repos/{owner}/{repo}/issues/{issue_number}/comments",
            labels,
            comments,
        ),
        route(
            Method::POST,
            "/repos/{owner}/{repo}/issues/{issue_number}/comments",
            labels,
            comment,
        ),
    ]
}

fn list(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let state = call.query("state").unwrap_or("open");
    let owner = world.login(found.owner);
    let fits = |it: &&Pull| {
        let is_open = it.state == PullState::Open;
        (state == "all" || is_open == (state == "open"))
            && call.query("head").is_none_or(|head| head == format!("{owner}:{}", it.head_ref))
            && call.query("base").is_none_or(|base| base == it.base_ref)
    };
    let mut pulls: Vec<&Pull> = found.pulls.iter().filter(fits).collect();
    if call.query("direction") != Some("asc") {
        pulls.reverse();
    }
    call.list(pulls.into_iter().map(|it| world.pull_body(found, it)).collect())
}

/// The open and closed pull requests whose head or merge is this commit.
pub(super) fn of_commit(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let sha = super::repositories::resolved(&world.git(repository)?, call.parameter("ref"))?;
    let found = &world.repositories[repository];
    let fits = |it: &&Pull| {
        it.head_sha == sha
            || (it.state == PullState::Merged && it.merge_commit.as_ref() == Some(&sha))
    };
    call.list(found.pulls.iter().filter(fits).map(|it| world.pull_body(found, it)).collect())
}

fn create(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let new = NewPull {
        title: call.required("title")?.to_owned(),
        body: call.text("body").map(str::to_owned),
        head: call.required("head")?.to_owned(),
        base: call.required("base")?.to_owned(),
        draft: call.body["draft"] == true,
    };
    let number = world.open_pull(repository, new, call.actor(world))?;
    let found = &world.repositories[repository];
    created(world.pull_full_body(found, found.pull(number)?)?)
}

fn get(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let number = call.number("pull_number")?;
    let found = &world.repositories[repository];
    let body = world.pull_full_body(found, found.pull(number)?)?;
    // Asking starts the computation; the next answer knows.
    world.compute_mergeable(repository, number)?;
    ok(body)
}

fn update(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let number = call.number("pull_number")?;
    let actor = call.actor(world);
    world.repositories[repository].pull(number)?;
    world.edit_pull(repository, number, (call.text("title"), call.text("body")), actor)?;
    match call.text("state") {
        Some("closed") => world.close_pull(repository, number, actor)?,
        Some("open") => world.reopen_pull(repository, number, actor)?,
        _ => {}
    }
    let found = &world.repositories[repository];
    ok(world.pull_full_body(found, found.pull(number)?)?)
}

fn files(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let found = &world.repositories[repository];
    let pull = found.pull(call.number("pull_number")?)?;
    let base = git.merge_base(&pull.base_sha, &pull.head_sha)?;
    let files = git.differences(&base, &pull.head_sha)?;
    call.list(files.iter().map(|it| world.file_body(found, &pull.head_sha, it)).collect())
}

fn commits(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let git = world.git(repository)?;
    let found = &world.repositories[repository];
    let pull = found.pull(call.number("pull_number")?)?;
    let all = git.commits_between(&pull.base_sha, &pull.head_sha)?;
    call.list(all.iter().map(|sha| world.commit_body(found, &git, sha)).collect::<Answered<_>>()?)
}

fn is_merged(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let pull = found.pull(call.number("pull_number")?)?;
    if pull.state == PullState::Merged { Ok(Answer::empty(204)) } else { Err(Refusal::not_found()) }
}

fn merge(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let number = call.number("pull_number")?;
    let head = world.repositories[repository].pull(number)?.head_sha.clone();
    if call.text("sha").is_some_and(|sha| sha != head) {
        return Err(Refusal::conflict("Head branch was modified. Review and try the merge again."));
    }
    let method = MergeMethod::parse(call.text("merge_method").unwrap_or("merge"));
    let method = method.ok_or_else(|| Refusal::unprocessable("Invalid merge method"))?;
    let message = call.text("commit_title").map(|title| {
        let body = call.text("commit_message").map(|body| format!("\n\n{body}"));
        format!("{title}{}", body.unwrap_or_default())
    });
    let sha =
        world.merge_pull(repository, number, method, message.as_deref(), call.actor(world))?;
    ok(json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"}))
}

fn reviews(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let pull = found.pull(call.number("pull_number")?)?;
    call.list(pull.reviews.iter().map(|it| world.review_body(found, pull, it)).collect())
}

fn request_reviewers(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let number = call.number("pull_number")?;
    let names = |key: &str| -> Vec<String> {
        let names = call.body[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    };
    let owner = world.repositories[repository].owner;
    let unresolved = || Refusal::unprocessable("Could not resolve to a node with the global id");
    let stranger = || {
        Refusal::unprocessable(format!(
            "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the {} repository.",
            world.repositories[repository].full_name
        ))
    };
    let mut people: Vec<Id> = Vec::new();
    for login in names("reviewers") {
        people.push(world.find_account(&login).ok_or_else(stranger)?.id);
    }
    let mut teams: Vec<Id> = Vec::new();
    for slug in names("team_reviewers") {
        call.caller.needs("members:read").map_err(|_| unresolved())?;
        teams.push(world.find_team(owner, &slug).ok_or_else(unresolved)?.id);
    }
    world.request_reviews(repository, number, (&people, &teams), call.actor(world))?;
    let found = &world.repositories[repository];
    created(world.pull_body(found, found.pull(number)?))
}

fn requested_reviewers(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let found = &world.repositories[call.repository(world)?];
    let body = world.pull_body(found, found.pull(call.number("pull_number")?)?);
    ok(json!({"users": body["requested_reviewers"], "teams": body["requested_teams"]}))
}

fn label_bodies(world: &World, repository: usize, number: u64) -> Answered<Vec<Value>> {
    let found = &world.repositories[repository];
    let pull = found.pull(number)?;
    let labels = found.labels.iter().filter(|it| pull.labels.contains(&it.id));
    Ok(labels.map(|it| world.label_body(found, it)).collect())
}

fn labels_of(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    call.list(label_bodies(world, repository, call.number("issue_number")?)?)
}

/// Labels that the repository does not have are made, as GitHub does.
fn add_labels(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let number = call.number("issue_number")?;
    world.repositories[repository].pull(number)?;
    let names = if call.body.is_array() { &call.body } else { &call.body["labels"] };
    let mut ids = Vec::new();
    for name in names.as_array().into_iter().flatten() {
        let Some(name) = name.as_str().or_else(|| name["name"].as_str()) else {
            continue;
        };
        let known = world.repositories[repository].label(name).map(|label| label.id);
        ids.push(match known {
            Some(id) => id,
            None => world.create_label(repository, name, "ededed", None)?.id,
        });
    }
    world.add_labels(repository, number, &ids, call.actor(world))?;
    ok(Value::Array(label_bodies(world, repository, number)?))
}

fn comments(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let number = call.number("issue_number")?;
    let found = &world.repositories[call.repository(world)?];
    found.pull(number)?;
    let comments = found.comments.iter().filter(|it| it.number == number);
    call.list(comments.map(|it| world.comment_body(found, it)).collect())
}

fn comment(world: &mut World, call: &Call<'_>) -> Answered<Answer> {
    let repository = call.repository(world)?;
    let number = call.number("issue_number")?;
    let actor = call.actor(world);
    let comment = world.add_comment(repository, number, call.required("body")?, actor)?;
    created(world.comment_body(&world.repositories[repository], &comment))
}

/// What GitHub allows in a comment.
const LONGEST_COMMENT: usize = 65_536;

impl World {
    pub(crate) fn add_comment(
        &mut self,
        repository: usize,
        number: u64,
        body: &str,
        author: Id,
    ) -> Answered<Comment> {
        self.repositories[repository].pull(number)?;
        if body.chars().count() > LONGEST_COMMENT {
            return Err(Refusal::invalid(
                "IssueComment",
                "body is too long (maximum is 65536 characters)",
            ));
        }
        let comment = Comment {
            id: self.fresh_id(),
            number,
            author,
            body: body.to_owned(),
            created_at: self.now(),
        };
        self.repositories[repository].comments.push(comment.clone());
        Ok(comment)
    }
}
