//! A pull request: how it stands, and its text.

use http::Method;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::connection::Call;
use super::connection::call::{Effect, encoded_path};
use super::shapes::{Login, PULL_FIELDS, Pull, unusable};
use super::{Error, GitHub, below};
use crate::domain::ids::InvalidId;
use crate::domain::observation::{PullRequestSeen, ReviewSeen, Verdict};
use crate::domain::{BranchName, PullRequestNumber, RepositoryName};

/// A pull request and the latest verdict of each of its reviewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestLook {
    /// How it stands.
    pub pull_request: PullRequestSeen,
    /// The latest approval, request for changes or dismissal of each reviewer.
    pub reviews: Vec<ReviewSeen>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(flatten)]
    pull: Pull,
    latest_opinionated_reviews: Option<Reviews>,
}

/// What is asked of the reviews of a pull request.
const REVIEWS: &str = "latestOpinionatedReviews(first: 100) { nodes { fullDatabaseId state url \
     author { login } } }";

impl Found {
    fn look(self, repository: &RepositoryName) -> Result<PullRequestLook, InvalidId> {
        let pull_request = self.pull.seen(repository)?;
        let reviews = self.latest_opinionated_reviews.map(|reviews| reviews.nodes);
        let seen = |review: Review| review.seen(repository, pull_request.number);
        let reviews = reviews.unwrap_or_default().into_iter().filter_map(seen).collect();
        Ok(PullRequestLook { pull_request, reviews })
    }
}

#[derive(Deserialize)]
struct Reviews {
    nodes: Vec<Review>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(deserialize_with = "big_number")]
    full_database_id: u64,
    state: String,
    url: String,
    author: Option<Login>,
}

/// GraphQL's `BigInt` comes as text.
fn big_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    Ok(number.unwrap_or_default())
}

impl GitHub {
    /// How a pull request stands. One query.
    pub async fn pull_request(
        &self,
        repository: &RepositoryName,
        number: PullRequestNumber,
    ) -> Result<PullRequestLook, Error> {
        let doing = format!("looking at {repository}#{number}");
        let query = format!(
            "query PullRequest($owner: String!, $name: String!, $number: Int!) {{ \
             repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{ ...Pull \
             {REVIEWS} }} }} }} {PULL_FIELDS}"
        );
        let variables = json!({
            "owner": repository.owner(), "name": repository.name(), "number": number,
        });
        let call = Call::graphql(&doing, Effect::Read, &query, &variables);
        let graph = self.graphql(repository, &call).await?;
        let found = &graph.data["repository"]["pullRequest"];
        if found.is_null() {
            let error =
                graph.errors_at("repository").next().map(|error| error.as_failure_of(&doing));
            return Err(error.unwrap_or(Error::NotFound { doing }));
        }
        let found = Found::deserialize(found).map_err(|error| Error::Unexpected {
            doing: doing.clone(),
            reason: error.to_string(),
        })?;
        found.look(repository).map_err(unusable(&doing))
    }

    /// How several pull requests of an account stand, each by its repository and node id; `None` for
    /// one that is not there any more. One query.
    pub async fn pull_requests(
        &self,
        owner: &str,
        asked: &[(&RepositoryName, &str)],
    ) -> Result<Vec<Option<PullRequestLook>>, Error> {
        let Some((repository, _)) = asked.first() else { return Ok(Vec::new()) };
        let doing = format!("looking at {} pull requests of {owner}", asked.len());
        let query = format!(
            "query PullRequests($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on PullRequest {{ ...Pull \
             {REVIEWS} }} }} }} {PULL_FIELDS}"
        );
        let ids: Vec<&str> = asked.iter().map(|(_, id)| *id).collect();
        let call = Call::graphql(&doing, Effect::Read, &query, &json!({ "ids": ids }));
        let graph = self.graphql(repository, &call).await?;
        let nodes = graph.data["nodes"].as_array().filter(|nodes| nodes.len() == asked.len());
        let Some(nodes) = nodes else {
            let error = graph.errors_at("nodes").next().map(|error| error.as_failure_of(&doing));
            let reason = "not as many nodes as were asked for".to_owned();
            return Err(error.unwrap_or(Error::Unexpected { doing, reason }));
        };
        let look = |(node, (repository, _)): (&Value, &(&RepositoryName, &str))| {
            Found::deserialize(node).ok()?.look(repository).ok()
        };
        Ok(nodes.iter().zip(asked).map(look).collect())
    }

    /// Sets the title and the body of a pull request. May be repeated.
    pub async fn set_pull_request_text(
        &self,
        repository: &RepositoryName,
        number: PullRequestNumber,
        title: &str,
        body: &str,
    ) -> Result<(), Error> {
        let doing = format!("writing the text of {repository}#{number}");
        let body = json!({ "title": title, "body": body });
        let path = format!("/pulls/{number}");
        self.write::<Value>(repository, Method::PATCH, doing, &path, body).await.map(drop)
    }
}

/// Closing a pull request.
impl GitHub {
    /// Closes a pull request without a merge. May be repeated.
    pub async fn close_pull_request(
        &self,
        repository: &RepositoryName,
        number: PullRequestNumber,
    ) -> Result<(), Error> {
        let doing = format!("closing {repository}#{number}");
        let path = format!("/pulls/{number}");
        let body = json!({ "state": "closed" });
        self.write::<Value>(repository, Method::PATCH, doing, &path, body).await.map(drop)
    }

    /// Comments on a pull request. Not to be repeated blindly.
    pub async fn comment(
        &self,
        repository: &RepositoryName,
        number: PullRequestNumber,
        text: &str,
    ) -> Result<(), Error> {
        let doing = format!("commenting on {repository}#{number}");
        let path = format!("/issues/{number}/comments");
        let body = json!({ "body": text });
        self.write::<Value>(repository, Method::POST, doing, &path, body).await.map(drop)
    }

    /// Whether the App has commented so on a pull request, among the first hundred comments.
    pub async fn has_commented(
        &self,
        repository: &RepositoryName,
        number: PullRequestNumber,
        text: &str,
    ) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Comment {
            user: Option<Login>,
            body: Option<String>,
        }
        let doing = format!("looking at the comments on {repository}#{number}");
        let path = format!("/issues/{number}/comments?per_page=100");
        let comments: Vec<Comment> = self.get(repository, doing, &path).await?;
        let own = self.bot_login().await?;
        let is_own = |user: &Option<Login>| user.as_ref().is_some_and(|user| user.login == own);
        let is_it = |it: &Comment| is_own(&it.user) && it.body.as_deref() == Some(text);
        Ok(comments.iter().any(is_it))
    }

    /// Removes a branch. One that is gone already is fine.
    pub async fn delete_branch(
        &self,
        repository: &RepositoryName,
        branch: &BranchName,
    ) -> Result<(), Error> {
        let doing = format!("removing the branch {branch} in {repository}");
        let path = below(repository, &format!("/git/refs/heads/{}", encoded_path(branch.as_str())));
        let call = Call::delete(doing, path);
        match self.call(repository, &call).await {
            // GitHub's word for one that is not there: `Reference does not exist`.
            Err(Error::Invalid { .. } | Error::NotFound { .. }) => Ok(()),
            answer => answer.map(drop),
        }
    }
}

impl Review {
    fn seen(self, repository: &RepositoryName, number: PullRequestNumber) -> Option<ReviewSeen> {
        let verdict = match self.state.as_str() {
            "APPROVED" => Verdict::Approved,
            "CHANGES_REQUESTED" => Verdict::ChangesRequested,
            "DISMISSED" => Verdict::Dismissed,
            "COMMENTED" => Verdict::Commented,
            // Not submitted yet.
            _ => return None,
        };
        Some(ReviewSeen {
            repository: repository.clone(),
            number,
            review: self.full_database_id,
            verdict,
            // An account that was deleted is shown as this one by GitHub.
            reviewer: self.author.map_or_else(|| "ghost".to_owned(), |author| author.login),
            html_url: self.url,
        })
    }
}
