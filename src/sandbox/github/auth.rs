//! Who is asking, and what they may do: the App with its JWT, or an installation with its token.

use std::collections::{BTreeMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::body::time;
use super::refusal::{Answered, Refusal};
use super::state::{Id, Time, Token, World};

/// The App's private key. It opens nothing but sandboxes, and everybody has it.
pub const SANDBOX_APP_KEY: &str = include_str!("sandbox_app_key.pem");
const SANDBOX_APP_PUBLIC_KEY: &str = include_str!("sandbox_app_key.pub.pem");

/// GitHub's limit for the life of a JWT, plus what clocks may differ.
const LONGEST_JWT_SECONDS: i64 = 600;
const DRIFT_SECONDS: i64 = 60;
const TOKEN_LIFE: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// Who sent a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Nobody,
    App,
    /// Somebody with a token of their own.
    User {
        id: Id,
    },
    Installation {
        id: Id,
        permissions: BTreeMap<String, String>,
        repositories: Option<HashSet<Id>>,
    },
}

/// What an endpoint asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    Anybody,
    App,
    /// The token of a person.
    User,
    /// Any installation token.
    Token,
    /// An installation token with one of these permissions, as `name:level`.
    Needs(&'static [&'static str]),
}

impl World {
    pub(crate) fn authenticate(&self, authorization: Option<&str>) -> Answered<Caller> {
        let Some(header) = authorization else {
            return Ok(Caller::Nobody);
        };
        let (scheme, credential) = header.split_once(' ').ok_or_else(Refusal::bad_credentials)?;
        if !scheme.eq_ignore_ascii_case("bearer") && !scheme.eq_ignore_ascii_case("token") {
            return Err(Refusal::bad_credentials());
        }
        if credential.starts_with("ghu_") {
            let id = self.sign_ins.tokens.get(credential).copied();
            return id.map(|id| Caller::User { id }).ok_or_else(Refusal::bad_credentials);
        }
        if !credential.starts_with("ghs_") {
            return self.verify_jwt(credential).map(|()| Caller::App);
        }
        let token = self.tokens.get(credential).ok_or_else(Refusal::bad_credentials)?;
        let installation = self.installations.iter().find(|it| it.id == token.installation);
        let installation = installation.ok_or_else(Refusal::bad_credentials)?;
        if token.expires_at <= self.now() {
            return Err(Refusal::bad_credentials());
        }
        if installation.suspended_at.is_some() {
            return Err(Refusal::forbidden("This installation has been suspended"));
        }
        Ok(Caller::Installation {
            id: token.installation,
            permissions: token.permissions.clone(),
            repositories: token.repositories.clone(),
        })
    }

    fn verify_jwt(&self, jwt: &str) -> Answered<()> {
        let undecodable = || Refusal::unauthorized("A JSON web token could not be decoded");
        let key = DecodingKey::from_rsa_pem(SANDBOX_APP_PUBLIC_KEY.as_bytes())
            .expect("the public key is a file of this folder, and a test reads it");
        // The times are held against the sandbox's clock, not the system's.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Value>(jwt, &key, &validation)
            .map_err(|_| undecodable())?
            .claims;
        let now = self.now().timestamp();
        let issued = claims["iat"].as_i64().filter(|iat| *iat <= now + DRIFT_SECONDS);
        issued.ok_or_else(|| Refusal::unauthorized("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"))?;
        let expires = claims["exp"].as_i64().filter(|exp| *exp > now);
        let expires = expires.ok_or_else(|| Refusal::unauthorized("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"))?;
        if expires > now + LONGEST_JWT_SECONDS + DRIFT_SECONDS / 2 {
            return Err(Refusal::unauthorized(
                "'Expiration time' claim ('exp') is too far in the future",
            ));
        }
        let named = [json!(self.app.id), json!(self.app.id.to_string()), json!(self.app.client_id)];
        let is_this_app = named.contains(&claims["iss"]);
        if is_this_app { Ok(()) } else { Err(Refusal::unresolved("Integration not found")) }
    }

    /// Holds a caller against what an endpoint asks for.
    pub(crate) fn authorize(caller: &Caller, access: Access) -> Answered<()> {
        match (access, caller) {
            (Access::Anybody, _)
            | (Access::App, Caller::App)
            | (Access::User, Caller::User { .. })
            | (Access::Token, Caller::Installation { .. }) => Ok(()),
            (Access::App, _) => Err(Refusal::unauthorized("A JSON web token could not be decoded")),
            (_, Caller::Nobody) => Err(Refusal::unauthorized("Requires authentication")),
            (_, Caller::User { .. }) | (Access::User, _) => Err(Refusal::not_accessible()),
            (_, Caller::App) => Err(Refusal::unauthorized("Bad credentials")),
            (Access::Needs(any), Caller::Installation { .. }) => {
                let allowed = any.iter().any(|permission| caller.may(permission));
                if allowed { Ok(()) } else { Err(Refusal::not_accessible()) }
            }
        }
    }

    /// The repository of this name, if the caller can see it.
    pub(crate) fn visible(&self, caller: &Caller, full_name: &str) -> Answered<usize> {
        let found = self.find_repository(full_name).ok_or_else(Refusal::not_found)?;
        if self.can_see(caller, found) { Ok(found) } else { Err(Refusal::not_found()) }
    }

    pub(crate) fn can_see(&self, caller: &Caller, repository: usize) -> bool {
        let Caller::Installation { id, repositories, .. } = caller else {
            return false;
        };
        let installed = self.installation_of(repository).is_some_and(|it| it.id == *id);
        let repository = self.repositories[repository].id;
        installed && repositories.as_ref().is_none_or(|all| all.contains(&repository))
    }

    /// Mints an installation token, narrowed as asked.
    pub(crate) fn mint(&mut self, installation: Id, wanted: &Value) -> Answered<Value> {
        let found = self.installations.iter().find(|it| it.id == installation);
        let found = found.ok_or_else(Refusal::not_found)?;
        if found.suspended_at.is_some() {
            return Err(Refusal::forbidden("This installation has been suspended"));
        }
        let permissions = narrowed(&found.permissions, &wanted["permissions"])?;
        let repositories = self.narrowed_repositories(installation, wanted)?;
        let expires_at = self.now() + TOKEN_LIFE;
        let secret = token_text(self.app.id, installation, expires_at);
        let token = Token {
            installation,
            expires_at,
            permissions: permissions.clone(),
            repositories: repositories.clone(),
        };
        let mut body = json!({
            "token": secret,
            "expires_at": time(expires_at),
            "permissions": permissions,
            "repository_selection": if repositories.is_some() || self.is_selected(installation) { "selected" } else { "all" },
        });
        if let Some(ids) = &repositories {
            let named = self.repositories.iter().filter(|it| ids.contains(&it.id));
            body["repositories"] = named.map(|it| self.repository_body(it)).collect();
        }
        self.tokens.insert(secret, token);
        Ok(body)
    }

    fn is_selected(&self, installation: Id) -> bool {
        self.installations.iter().any(|it| it.id == installation && it.selected.is_some())
    }

    fn narrowed_repositories(
        &self,
        installation: Id,
        wanted: &Value,
    ) -> Answered<Option<HashSet<Id>>> {
        let (names, ids) = (wanted["repositories"].as_array(), wanted["repository_ids"].as_array());
        if names.is_none() && ids.is_none() {
            return Ok(None);
        }
        let mut found = HashSet::new();
        for wanted in names.into_iter().chain(ids).flatten() {
            let fits = |index: &usize| {
                let repository = &self.repositories[*index];
                self.installation_of(*index).is_some_and(|it| it.id == installation)
                    && (*wanted == json!(repository.id)
                        || wanted
                            .as_str()
                            .is_some_and(|name| name.eq_ignore_ascii_case(&repository.name)))
            };
            let index = (0..self.repositories.len()).find(fits).ok_or_else(|| {
                Refusal::unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation.")
            })?;
            found.insert(self.repositories[index].id);
        }
        Ok(Some(found))
    }
}

impl Caller {
    /// Whether a permission written as `name:level` was given.
    pub(crate) fn may(&self, permission: &str) -> bool {
        let Self::Installation { permissions, .. } = self else {
            return false;
        };
        let Some((name, level)) = permission.split_once(':') else {
            return false;
        };
        permissions.get(name).is_some_and(|given| rank(given) >= rank(level))
    }

    /// Refuses unless the permission was given.
    pub(crate) fn needs(&self, permission: &str) -> Answered<()> {
        if self.may(permission) { Ok(()) } else { Err(Refusal::not_accessible()) }
    }
}

fn rank(level: &str) -> u8 {
    match level {
        "admin" => 3,
        "write" => 2,
        "read" => 1,
        _ => 0,
    }
}

fn narrowed(
    granted: &BTreeMap<String, String>,
    wanted: &Value,
) -> Answered<BTreeMap<String, String>> {
    let Some(wanted) = wanted.as_object() else {
        return Ok(granted.clone());
    };
    let mut permissions = BTreeMap::from([("metadata".to_owned(), "read".to_owned())]);
    for (name, level) in wanted {
        let level = level.as_str().unwrap_or_default();
        if granted.get(name).is_none_or(|given| rank(given) < rank(level)) {
            return Err(Refusal::unprocessable(
                "The permissions requested are not granted to this installation.",
            ));
        }
        permissions.insert(name.clone(), level.to_owned());
    }
    Ok(permissions)
}

/// The shape of GitHub's tokens since 2026: `ghs_`, the app id, and something with two dots, about
/// 520 characters long. <https://github.blog/changelog/2026-05-15-github-app-installation-tokens-per-request-override-header/>
fn token_text(app: Id, installation: Id, expires_at: Time) -> String {
    let part = |text: String| URL_SAFE_NO_PAD.encode(text).replace('-', "x");
    let header = part(r#"{"alg":"none","typ":"sandbox"}"#.to_owned());
    let claims =
        part(json!({"installation": installation, "exp": expires_at.timestamp()}).to_string());
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(400).collect();
    format!("ghs_{app}_{header}.{claims}.{random}")
}
