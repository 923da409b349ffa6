//! Who somebody is, by the App's own user authorisation, and to which groups they belong.
//!
//! The person's token answers one question, who they are, and is forgotten. Whether they belong to a
//! group is asked with the installation's own token, so that it can be asked again at any time.

use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::connection::{Call, encoded};
use super::{Error, GitHub};
use crate::domain::{Group, Person};

/// The App as people sign in with it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its client id.
    pub id: String,
    /// Its client secret.
    pub secret: SecretString,
}

/// What a browser came back with, and what it had been sent with.
#[derive(Debug, Clone)]
pub struct Grant {
    /// GitHub's code. It is good once, for ten minutes.
    pub code: String,
    /// PKCE's verifier, whose digest GitHub was shown.
    pub verifier: String,
    /// Where GitHub was asked to send the browser.
    pub redirect: String,
}

/// Where a browser is sent to sign in. `web` is GitHub's address for people.
pub fn sign_in_address(
    web: &str,
    client: &Client,
    redirect: &str,
    state: &str,
    challenge: &str,
) -> String {
    let query = [
        ("client_id", client.id.as_str()),
        ("redirect_uri", redirect),
        ("state", state),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = query.map(|(name, value)| format!("{name}={}", encoded(value)));
    format!("{web}/login/oauth/authorize?{}", query.join("&"))
}

impl GitHub {
    /// Who has signed in.
    pub async fn signed_in(&self, client: &Client, grant: &Grant) -> Result<Person, Error> {
        #[derive(Deserialize)]
        struct Answered {
            access_token: Option<SecretString>,
            #[serde(default)]
            error: String,
            #[serde(default)]
            error_description: String,
        }
        let doing = "signing somebody in";
        let body = json!({
            "client_id": client.id,
            "client_secret": client.secret.expose_secret(),
            "code": grant.code,
            "redirect_uri": grant.redirect,
            "code_verifier": grant.verifier,
        });
        let call = Call::web(Method::POST, doing, "/login/oauth/access_token", body);
        // A refusal comes with 200.
        let answered: Answered =
            self.inner.installations.call_with(&call, None).await?.json(doing)?;
        let Some(token) = answered.access_token else {
            let reason = format!("{}: {}", answered.error, answered.error_description);
            return Err(Error::Unexpected { doing: doing.to_owned(), reason });
        };
        let call = Call::get("asking who has signed in", "/user");
        self.inner.installations.call_with(&call, Some(&token)).await?.json(call.doing())
    }

    /// Whether an account belongs to a group. Nobody belongs to one where the App is not installed.
    pub async fn belongs(&self, login: &str, group: &Group) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Membership {
            state: String,
        }
        let who = encoded(login);
        match group {
            Group::Login(known) => Ok(known.eq_ignore_ascii_case(login)),
            Group::Organization(name) => {
                let doing = format!("asking whether {login} belongs to {name}");
                let call = Call::get(doing, format!("/orgs/{}/members/{who}", encoded(name)));
                let answer = self.inner.installations.call(name, &call).await;
                found(answer.map(|_| true))
            }
            Group::Team { organization, slug } => {
                let doing = format!("asking whether {login} belongs to {group}");
                let team = format!("/orgs/{}/teams/{}", encoded(organization), encoded(slug));
                let call = Call::get(doing, format!("{team}/memberships/{who}"));
                let answer = self.inner.installations.call(organization, &call).await;
                let membership = answer.and_then(|answer| answer.json::<Membership>(call.doing()));
                // Somebody who was invited is `pending`.
                found(membership.map(|membership| membership.state == "active"))
            }
        }
    }
}

fn found(answer: Result<bool, Error>) -> Result<bool, Error> {
    match answer {
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error @ (Error::NotInstalled { .. } | Error::Suspended { .. })) => {
            tracing::warn!(%error, "nobody belongs to a group that cannot be looked at");
            Ok(false)
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_with_a_challenge_and_no_secret() {
        let client = Client { id: "Iv23abc".to_owned(), secret: "hush".into() };
        let back = "https://towpath.example/sign-in/back";
        let address = sign_in_address("https://github.com", &client, back, "st&te", "ch");
        assert_eq!(
            address,
            "https://github.com/login/oauth/authorize?client_id=Iv23abc&redirect_uri=https%3A%2F%2F\
             towpath.example%2Fsign-in%2Fback&state=st%26te&code_challenge=ch&code_challenge_method=S256"
        );
    }
}
