//! Repositories: whether one is there, and making one.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::Call;
use super::{Error, GitHub, below};
use crate::domain::repository::Visibility;
use crate::domain::run::NewRepository;
use crate::domain::{BranchName, RepositoryName};

/// A repository, as far as it matters to who makes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RepositorySeen {
    /// What it says of itself.
    pub description: Option<String>,
    /// Its default branch.
    pub default_branch: BranchName,
    /// Its page.
    pub html_url: String,
}

impl GitHub {
    /// A repository, if it is there and the App may see it.
    pub async fn repository(&self, name: &RepositoryName) -> Result<Option<RepositorySeen>, Error> {
        match self.get(name, format!("looking at {name}"), "").await {
            Ok(seen) => Ok(Some(seen)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a repository of an organisation, with a first commit of GitHub's, or from another one.
    /// A name that is taken is [`Error::Invalid`].
    pub async fn create_repository(
        &self,
        name: &RepositoryName,
        new: &NewRepository,
        description: &str,
    ) -> Result<RepositorySeen, Error> {
        let doing = format!("making {name}");
        let private = new.visibility != Visibility::Public;
        let mut body = json!({
            "name": name.name(), "description": description, "private": private,
        });
        let path = if let Some(from) = &new.from {
            body["owner"] = json!(name.owner());
            below(from, "/generate")
        } else {
            // Without a first commit there is no branch that anything can be committed to.
            body["auto_init"] = json!(true);
            if new.visibility == Visibility::Internal {
                body["visibility"] = json!(new.visibility.as_str());
            }
            format!("/orgs/{}/repos", name.owner())
        };
        let call = Call::write(Method::POST, doing, path, body);
        self.call(name, &call).await?.json(call.doing())
    }

    /// Sets what a repository says of itself. May be repeated.
    pub async fn describe_repository(
        &self,
        name: &RepositoryName,
        description: &str,
    ) -> Result<(), Error> {
        let doing = format!("describing {name}");
        let body = json!({ "description": description });
        self.write::<Value>(name, Method::PATCH, doing, "", body).await.map(drop)
    }
}
