//! The settings of the dashboard's sign-in: with what GitHub is asked who somebody is, and who may
//! do what.

use clap::Args;
use secrecy::SecretString;

use super::parse::{given, split};
use super::{Checked, wrong};
use crate::domain::{Group, Rules};

/// The settings as they were written.
#[derive(Args, Clone)]
pub struct RawSignIn {
    /// The App's client secret: with it, people sign in to the dashboard by GitHub. Without it, the
    /// dashboard answers on its own machine only.
    #[arg(long, env = "GITHUB_APP_CLIENT_SECRET", hide_env_values = true)]
    #[arg(allow_hyphen_values = true)]
    pub github_app_client_secret: Option<String>,

    /// The App's client id, where `GITHUB_APP_ID` is its number.
    #[arg(long, env = "GITHUB_APP_CLIENT_ID")]
    pub github_app_client_id: Option<String>,

    /// Who may look at the dashboard: a comma list of organisations (`acme`), teams (`acme/devops`)
    /// and people (`@octocat`).
    #[arg(long, env = "TOWPATH_VIEWERS")]
    pub viewers: Option<String>,

    /// Who may also start actions there. Likewise.
    #[arg(long, env = "TOWPATH_RUNNERS")]
    pub runners: Option<String>,

    /// Who may do everything there: also start what needs an approval. Likewise.
    #[arg(long, env = "TOWPATH_ADMINS")]
    pub admins: Option<String>,
}

/// How people sign in.
#[derive(Debug, Clone)]
pub struct SignInSettings {
    /// The App's client id.
    pub client_id: String,
    /// The App's client secret.
    pub client_secret: SecretString,
    /// Who may do what.
    pub rules: Rules,
}

impl RawSignIn {
    /// What the program can work with; `None` where there is no sign-in. `app` is the App's id or
    /// client id, `kept` the client secret of an App that `towpath setup` has registered.
    pub(super) fn check(
        &self,
        app: Option<&str>,
        kept: Option<SecretString>,
    ) -> Checked<Option<SignInSettings>> {
        let rules = Rules {
            view: groups("TOWPATH_VIEWERS", self.viewers.as_deref())?,
            run: groups("TOWPATH_RUNNERS", self.runners.as_deref())?,
            administer: groups("TOWPATH_ADMINS", self.admins.as_deref())?,
        };
        let secret = given(self.github_app_client_secret.clone()).map(SecretString::from);
        if rules == Rules::default() {
            return match secret {
                None => Ok(None),
                Some(_) => wrong(
                    "TOWPATH_VIEWERS is not set: with GITHUB_APP_CLIENT_SECRET people can sign in, \
                     and nobody may look. Name an organisation (acme), a team (acme/devops) or a \
                     person (@octocat).",
                ),
            };
        }
        let Some(client_secret) = secret.or(kept) else {
            return wrong(
                "GITHUB_APP_CLIENT_SECRET is not set: TOWPATH_VIEWERS, TOWPATH_RUNNERS and \
                 TOWPATH_ADMINS are for those who sign in. Make a client secret on the App's page \
                 on GitHub.",
            );
        };
        let is_number = |id: &&str| id.bytes().all(|byte| byte.is_ascii_digit());
        let own = app.filter(|id| !is_number(id)).map(str::to_owned);
        let Some(client_id) = given(self.github_app_client_id.clone()).or(own) else {
            return wrong(
                "GITHUB_APP_CLIENT_ID is not set: people sign in with the App's client id, which \
                 stands on its page on GitHub.",
            );
        };
        Ok(Some(SignInSettings { client_id, client_secret, rules }))
    }
}

fn groups(name: &str, list: Option<&str>) -> Checked<Vec<Group>> {
    let groups = split(list).map(str::parse::<Group>);
    groups.collect::<Result<_, _>>().or_else(|error| wrong(format!("{name}: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: [Option<&str>; 5], app: &str) -> Result<Option<SignInSettings>, String> {
        let [secret, id, viewers, runners, admins] = fields.map(|it| it.map(str::to_owned));
        let raw = RawSignIn {
            github_app_client_secret: secret,
            github_app_client_id: id,
            viewers,
            runners,
            admins,
        };
        raw.check(Some(app), None).map_err(|error| error.to_string())
    }

    #[test]
    fn nobody_is_let_in_by_accident() {
        assert!(check([None; 5], "Iv23abc").unwrap().is_none());
        let (secret, acme) = (Some("hush-hush"), Some("acme, @octocat"));
        let settings = check([secret, None, acme, None, None], "Iv23abc").unwrap().unwrap();
        assert_eq!((settings.client_id.as_str(), settings.rules.view.len()), ("Iv23abc", 2));
        assert!(settings.rules.run.is_empty() && settings.rules.administer.is_empty());
        for (fields, app, name) in [
            ([secret, None, None, None, None], "Iv23abc", "TOWPATH_VIEWERS"),
            ([None, None, None, None, acme], "Iv23abc", "GITHUB_APP_CLIENT_SECRET"),
            ([secret, None, acme, None, None], "4711", "GITHUB_APP_CLIENT_ID"),
            ([secret, None, acme, Some("a b"), None], "Iv23abc", "TOWPATH_RUNNERS"),
        ] {
            let complaint = check(fields, app).unwrap_err();
            assert!(complaint.starts_with(name) && !complaint.contains("hush"), "{complaint}");
        }
    }
}
