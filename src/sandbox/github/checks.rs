//! Statuses, deployments, environments and secrets.

use dryoc::dryocbox::{DryocBox, StackKeyPair, VecBox};
use serde_json::{Map, Value, json};

use super::refusal::{Answered, Refusal};
use super::state::{Deployment, DeploymentStatus, Environment, Id, SealedSecret, Status, World};

/// The key pair that clients seal secrets for. Like the App's key it protects nothing.
const SECRETS_SEED: [u8; 32] = *b"the sandbox protects nothing....";
/// The name that GitHub gives to its public key.
pub(crate) const SECRETS_KEY_ID: &str = "568250167242549743";

pub(crate) fn secrets_key() -> StackKeyPair {
    StackKeyPair::from_seed(&SECRETS_SEED)
}

impl World {
    pub(crate) fn set_status(
        &mut self,
        repository: usize,
        sha: &str,
        body: &Value,
        creator: Id,
    ) -> Answered<Id> {
        let git = self.git(repository)?;
        let sha = git
            .commit(sha)
            .map_err(|_| Refusal::unprocessable(format!("No commit found for SHA: {sha}")))?
            .id()
            .to_string();
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let status = Status {
            id: self.fresh_id(),
            sha: sha.clone(),
            state: text("state").unwrap_or_default(),
            context: text("context").unwrap_or_else(|| "default".to_owned()),
            description: text("description"),
            target_url: text("target_url"),
            creator,
            created_at: self.now(),
        };
        if !["error", "failure", "pending", "success"].contains(&status.state.as_str()) {
            return Err(Refusal::invalid("Status", "State is not included in the list"));
        }
        let id = status.id;
        self.repositories[repository].statuses.push(status.clone());
        let found = &self.repositories[repository];
        let branches: Vec<Value> = git
            .references("refs/heads/")
            .into_iter()
            .filter(|(_, tip)| *tip == sha)
            .map(|(name, tip)| {
                let url = format!("{}/commits/{tip}", self.repository_url(found));
                json!({"name": name.trim_start_matches("refs/heads/"), "commit": {"sha": tip, "url": url}, "protected": false})
            })
            .collect();
        let mut fields = self.status_body(found, &status);
        if let Some(fields) = fields.as_object_mut() {
            fields.remove("url");
            fields.remove("node_id");
        }
        fields["sha"] = json!(sha);
        fields["name"] = json!(found.full_name);
        fields["commit"] = self.commit_body(found, &git, &sha)?;
        fields["branches"] = json!(branches);
        self.emit("status", repository, creator, fields);
        Ok(id)
    }

    pub(crate) fn create_deployment(
        &mut self,
        repository: usize,
        body: &Value,
        creator: Id,
    ) -> Answered<Id> {
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let reference = text("ref").unwrap_or_default();
        let sha = self.git(repository)?.resolve(&reference);
        let sha =
            sha.ok_or_else(|| Refusal::unprocessable(format!("No ref found for: {reference}")))?;
        let deployment = Deployment {
            id: self.fresh_id(),
            sha,
            reference,
            environment: text("environment").unwrap_or_else(|| "production".to_owned()),
            task: text("task").unwrap_or_else(|| "deploy".to_owned()),
            description: text("description"),
            payload: if body["payload"].is_null() { json!({}) } else { body["payload"].clone() },
            creator,
            created_at: self.now(),
            statuses: Vec::new(),
        };
        let id = deployment.id;
        self.ensure_environment(repository, &deployment.environment);
        self.repositories[repository].deployments.push(deployment.clone());
        let found = &self.repositories[repository];
        let fields = json!({"action": "created", "deployment": self.deployment_body(found, &deployment), "workflow": null, "workflow_run": null});
        self.emit("deployment", repository, creator, fields);
        Ok(id)
    }

    pub(crate) fn set_deployment_status(
        &mut self,
        repository: usize,
        deployment: Id,
        body: &Value,
        creator: Id,
    ) -> Answered<Id> {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let status = DeploymentStatus {
            id: self.fresh_id(),
            state: text("state"),
            description: text("description"),
            log_url: text("log_url"),
            creator,
            created_at: self.now(),
        };
        let known = ["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
        if !known.contains(&status.state.as_str()) {
            return Err(Refusal::invalid("DeploymentStatus", "State is not included in the list"));
        }
        let found =
            self.repositories[repository].deployments.iter_mut().find(|it| it.id == deployment);
        let found = found.ok_or_else(Refusal::not_found)?;
        found.statuses.push(status.clone());
        let deployment = found.clone();
        let found = &self.repositories[repository];
        let fields = json!({
            "action": "created",
            "deployment_status": self.deployment_status_body(found, &deployment, &status),
            "deployment": self.deployment_body(found, &deployment),
        });
        self.emit("deployment_status", repository, creator, fields);
        Ok(status.id)
    }

    pub(crate) fn ensure_environment(&mut self, repository: usize, name: &str) -> &mut Environment {
        let (id, created_at) = (self.fresh_id(), self.now());
        let all = &mut self.repositories[repository].environments;
        let index =
            all.iter().position(|it| it.name.eq_ignore_ascii_case(name)).unwrap_or(all.len());
        if index == all.len() {
            let secrets = std::collections::BTreeMap::new();
            all.push(Environment {
                id,
                name: name.to_owned(),
                needs_approval: false,
                secrets,
                created_at,
            });
        }
        &mut all[index]
    }

    /// Stores a secret that a client sealed. True if it is new.
    pub(crate) fn put_secret(
        &mut self,
        repository: usize,
        environment: Option<&str>,
        name: &str,
        body: &Value,
    ) -> Answered<bool> {
        use base64::Engine;
        if body["key_id"] != SECRETS_KEY_ID {
            return Err(Refusal::unprocessable(
                "Bad key_id: the secret was sealed for another public key.",
            ));
        }
        let sealed = base64::engine::general_purpose::STANDARD
            .decode(body["encrypted_value"].as_str().unwrap_or_default())
            .map_err(|_| Refusal::unprocessable("Bad request - check the encrypted_value"))?;
        open(&sealed)
            .ok_or_else(|| Refusal::unprocessable("Bad request - check the encrypted_value"))?;
        let is_valid = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && !name.to_uppercase().starts_with("GITHUB_")
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !is_valid {
            return Err(Refusal::unprocessable(
                "Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). Spaces are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_).",
            ));
        }
        let now = self.now();
        let found = &mut self.repositories[repository];
        let secrets = match environment {
            None => &mut found.secrets,
            Some(name) => {
                let mut all = found.environments.iter_mut();
                &mut all
                    .find(|it| it.name.eq_ignore_ascii_case(name))
                    .ok_or_else(Refusal::not_found)?
                    .secrets
            }
        };
        let name = name.to_uppercase();
        let created_at = secrets.get(&name).map_or(now, |secret| secret.created_at);
        let secret = SealedSecret { sealed, created_at, updated_at: now };
        Ok(secrets.insert(name, secret).is_none())
    }

    /// The value of a secret, opened.
    pub(crate) fn opened_secret(
        &self,
        repository: usize,
        environment: Option<&str>,
        name: &str,
    ) -> Option<String> {
        let found = &self.repositories[repository];
        let secrets = match environment {
            None => &found.secrets,
            Some(name) => &found.environment(name)?.secrets,
        };
        open(&secrets.get(&name.to_uppercase())?.sealed)
    }

    pub(crate) fn opened_secrets(&self, repository: usize) -> Map<String, Value> {
        let secrets = &self.repositories[repository].secrets;
        secrets
            .iter()
            .filter_map(|(name, it)| Some((name.clone(), json!(open(&it.sealed)?))))
            .collect()
    }
}

fn open(sealed: &[u8]) -> Option<String> {
    let sealed: VecBox = DryocBox::from_sealed_bytes(sealed).ok()?;
    let opened = sealed.open_to_vec(&secrets_key()).ok()?;
    String::from_utf8(opened).ok()
}
