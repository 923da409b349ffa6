//! Pull requests, reviews and comments.

use serde_json::{Value, json};

use super::{maybe_time, node_id, time, with};
use crate::sandbox::github::git::Git;
use crate::sandbox::github::refusal::Answered;
use crate::sandbox::github::state::{
    Comment, Mergeable, Pull, PullState, Repository, Review, World,
};

impl World {
    /// As lists and reviews show it.
    pub(crate) fn pull_body(&self, repository: &Repository, pull: &Pull) -> Value {
        let number = pull.number;
        let url = format!("{}/pulls/{number}", self.repository_url(repository));
        let issue = format!("{}/issues/{number}", self.repository_url(repository));
        let page = format!("{}/pull/{number}", self.repository_page(repository));
        let statuses = format!("{}/statuses/{}", self.repository_url(repository), pull.head_sha);
        let review_comment =
            format!("{}/pulls/comments{{/number}}", self.repository_url(repository));
        let labels: Vec<Value> = repository
            .labels
            .iter()
            .filter(|label| pull.labels.contains(&label.id))
            .map(|label| self.label_body(repository, label))
            .collect();
        let reviewers: Vec<Value> =
            pull.reviewers.iter().map(|id| self.account_body(*id)).collect();
        let teams: Vec<Value> = pull
            .team_reviewers
            .iter()
            .filter_map(|id| self.team(*id))
            .map(|team| self.team_body(team))
            .collect();
        let href = |url: &str| json!({"href": url});
        let links = json!({
            "self": href(&url),
            "html": href(&page),
            "issue": href(&issue),
            "comments": href(&format!("{issue}/comments")),
            "review_comments": href(&format!("{url}/comments")),
            "review_comment": href(&review_comment),
            "commits": href(&format!("{url}/commits")),
            "statuses": href(&statuses),
        });
        let auto_merge = pull.auto_merge.map(|(who, method)| {
            json!({"enabled_by": self.account_body(who), "merge_method": method,
                   "commit_title": null, "commit_message": null})
        });
        json!({
            "url": url,
            "id": pull.id,
            "node_id": node_id("PR", pull.id),
            "html_url": page,
            "diff_url": format!("{page}.diff"),
            "patch_url": format!("{page}.patch"),
            "issue_url": issue,
            "number": number,
            "state": if pull.state == PullState::Open { "open" } else { "closed" },
            "locked": false,
            "title": pull.title,
            "user": self.account_body(pull.author),
            "body": pull.body,
            "created_at": time(pull.created_at),
            "updated_at": time(pull.updated_at),
            "closed_at": maybe_time(pull.closed_at),
            "merged_at": maybe_time(pull.merged_at),
            "merge_commit_sha": pull.merge_commit,
            "assignee": null,
            "assignees": [],
            "requested_reviewers": reviewers,
            "requested_teams": teams,
            "labels": labels,
            "milestone": null,
            "draft": pull.draft,
            "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"),
            "review_comment_url": review_comment,
            "comments_url": format!("{issue}/comments"),
            "statuses_url": statuses,
            "head": self.side(repository, &pull.head_ref, &pull.head_sha),
            "base": self.side(repository, &pull.base_ref, &pull.base_sha),
            "_links": links,
            "author_association": "CONTRIBUTOR",
            "auto_merge": auto_merge,
            "active_lock_reason": null,
        })
    }

    fn side(&self, repository: &Repository, reference: &str, sha: &str) -> Value {
        json!({
            "label": format!("{}:{reference}", self.login(repository.owner)),
            "ref": reference,
            "sha": sha,
            "user": self.account_body(repository.owner),
            "repo": self.repository_body(repository),
        })
    }

    /// As `GET /pulls/{number}` and pull request events show it.
    pub(crate) fn pull_full_body(&self, repository: &Repository, pull: &Pull) -> Answered<Value> {
        let git = Git::open(&repository.path)?;
        let files =
            git.differences(&git.merge_base(&pull.base_sha, &pull.head_sha)?, &pull.head_sha)?;
        let commits = git.commits_between(&pull.base_sha, &pull.head_sha)?.len();
        let open = pull.state == PullState::Open;
        let (mergeable, mergeable_state) = match pull.mergeable {
            Mergeable::Unknown => (Value::Null, "unknown"),
            _ if !open => (Value::Null, "unknown"),
            Mergeable::Yes if pull.draft => (json!(true), "draft"),
            Mergeable::Yes => (json!(true), "clean"),
            Mergeable::No => (json!(false), "dirty"),
        };
        Ok(with(
            self.pull_body(repository, pull),
            json!({
                "merged": pull.state == PullState::Merged,
                "mergeable": mergeable,
                "rebaseable": mergeable,
                "mergeable_state": mergeable_state,
                "merged_by": self.maybe_account_body(pull.merged_by),
                "comments": repository.comments.iter().filter(|it| it.number == pull.number).count(),
                "review_comments": 0,
                "maintainer_can_modify": false,
                "commits": commits,
                "additions": files.iter().map(|file| file.additions).sum::<usize>(),
                "deletions": files.iter().map(|file| file.deletions).sum::<usize>(),
                "changed_files": files.len(),
            }),
        ))
    }

    /// The few words about a pull request that runs and checks carry.
    pub(crate) fn pull_reference_body(&self, repository: &Repository, pull: &Pull) -> Value {
        let url = self.repository_url(repository);
        let side = |reference: &str, sha: &str| {
            json!({"ref": reference, "sha": sha,
                   "repo": {"id": repository.id, "url": url, "name": repository.name}})
        };
        json!({
            "url": format!("{url}/pulls/{}", pull.number),
            "id": pull.id,
            "number": pull.number,
            "head": side(&pull.head_ref, &pull.head_sha),
            "base": side(&pull.base_ref, &pull.base_sha),
        })
    }

    pub(crate) fn review_body(
        &self,
        repository: &Repository,
        pull: &Pull,
        review: &Review,
    ) -> Value {
        let url = format!("{}/pulls/{}", self.repository_url(repository), pull.number);
        let page = format!(
            "{}/pull/{}#pullrequestreview-{}",
            self.repository_page(repository),
            pull.number,
            review.id
        );
        json!({
            "id": review.id,
            "node_id": node_id("PRR", review.id),
            "user": self.account_body(review.author),
            "body": review.body,
            "state": review.state,
            "html_url": page,
            "pull_request_url": url,
            "author_association": "MEMBER",
            "_links": {"html": {"href": page}, "pull_request": {"href": url}},
            "submitted_at": time(review.submitted_at),
            "commit_id": review.commit,
        })
    }

    pub(crate) fn comment_body(&self, repository: &Repository, comment: &Comment) -> Value {
        let url = self.repository_url(repository);
        json!({
            "id": comment.id,
            "node_id": node_id("IC", comment.id),
            "url": format!("{url}/issues/comments/{}", comment.id),
            "html_url": format!("{}/pull/{}#issuecomment-{}", self.repository_page(repository), comment.number, comment.id),
            "issue_url": format!("{url}/issues/{}", comment.number),
            "user": self.account_body(comment.author),
            "created_at": time(comment.created_at),
            "updated_at": time(comment.created_at),
            "author_association": "CONTRIBUTOR",
            "body": comment.body,
        })
    }
}
