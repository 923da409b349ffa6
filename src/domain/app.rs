//! The GitHub App that this program is, as GitHub hands it out when it is registered.

use secrecy::SecretString;

/// A registration, with everything that proves to be it. GitHub tells the secrets once.
#[derive(Debug, Clone)]
pub struct RegisteredApp {
    /// GitHub's number for it.
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Its public page, without a slash at the end.
    pub html_url: String,
    /// The client id: with the client secret, people sign in.
    pub client_id: String,
    /// The client secret.
    pub client_secret: SecretString,
    /// What its webhooks are signed with; `None` where it has none.
    pub webhook_secret: Option<SecretString>,
    /// Its private key: PEM.
    pub private_key: SecretString,
}

impl RegisteredApp {
    /// Where people install it on their accounts.
    pub fn installation_page(&self) -> String {
        format!("{}/installations/new", self.html_url)
    }
}
