//! Labels and reviewers of a pull request, in one mutation document.

use serde_json::{Map, Value, json};

use super::connection::Call;
use super::connection::call::Effect;
use super::{Error, GitHub};
use crate::domain::RepositoryName;
use crate::domain::standing::ReviewerId;

impl GitHub {
    /// Labels a pull request and asks for reviews. One reviewer who cannot be asked keeps no other
    /// from being asked: the answer has a line for each refusal.
    ///
    /// Right after a pull request was made GitHub may not know it yet: that is
    /// [`Error::Unavailable`], and the whole may be repeated.
    pub async fn decorate(
        &self,
        repository: &RepositoryName,
        pull_request_node_id: &str,
        labels: &[(String, String)],
        reviewers: &[(String, ReviewerId)],
    ) -> Result<Vec<String>, Error> {
        if labels.is_empty() && reviewers.is_empty() {
            return Ok(Vec::new());
        }
        let doing = format!("labelling a pull request in {repository} and asking for reviews");
        let (query, variables) = document(pull_request_node_id, labels, reviewers);
        let call = Call::graphql(&doing, Effect::Write, &query, &variables);
        let graph = self.graphql(repository, &call).await?;
        if let Some(error) = graph.errors.iter().find(|error| error.is_unresolved_node()) {
            return Err(Error::Unavailable { doing, reason: error.message.clone() });
        }
        let refusals = graph.errors.iter();
        Ok(refusals.map(|error| refusal(error.field(), &error.message, reviewers)).collect())
    }
}

fn document(
    pull_request: &str,
    labels: &[(String, String)],
    reviewers: &[(String, ReviewerId)],
) -> (String, Value) {
    let mut parameters = Vec::new();
    let mut fields = Vec::new();
    let mut variables = Map::new();
    if !labels.is_empty() {
        let ids: Vec<_> = labels.iter().map(|(_, id)| id).collect();
        parameters.push("$labels: AddLabelsToLabelableInput!".to_owned());
        fields.push("labels: addLabelsToLabelable(input: $labels) { clientMutationId }".to_owned());
        let input = json!({ "labelableId": pull_request, "labelIds": ids });
        variables.insert("labels".to_owned(), input);
    }
    for (n, (_, reviewer)) in reviewers.iter().enumerate() {
        let (kind, id) = match reviewer {
            ReviewerId::User(id) => ("userIds", id),
            ReviewerId::Team(id) => ("teamIds", id),
        };
        parameters.push(format!("$reviewer{n}: RequestReviewsInput!"));
        fields.push(format!(
            "reviewer{n}: requestReviews(input: $reviewer{n}) {{ clientMutationId }}"
        ));
        // `union`: beside whom the CODEOWNERS named, not in their place.
        let input = json!({ "pullRequestId": pull_request, kind: [id], "union": true });
        variables.insert(format!("reviewer{n}"), input);
    }
    let (parameters, fields) = (parameters.join(", "), fields.join(" "));
    (format!("mutation Decorate({parameters}) {{ {fields} }}"), Value::Object(variables))
}

fn refusal(field: Option<&str>, message: &str, reviewers: &[(String, ReviewerId)]) -> String {
    let number = field.and_then(|field| field.strip_prefix("reviewer"));
    let reviewer = number.and_then(|n| reviewers.get(n.parse::<usize>().ok()?));
    match reviewer {
        Some((name, _)) => format!("{name} could not be asked for a review: {message}"),
        None => format!("the labels could not be set: {message}"),
    }
}
