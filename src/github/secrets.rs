//! Secrets of repositories and environments: sealed here, opened only by GitHub.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use dryoc::dryocbox::{DryocBox, PublicKey};
use http::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::connection::{Call, encoded};
use super::{Error, GitHub, below};
use crate::domain::RepositoryName;

#[derive(Deserialize)]
struct GitHubKey {
    key_id: String,
    key: String,
}

impl GitHub {
    /// Stores an environment's secret, or the repository's Actions secret. May be repeated.
    pub async fn store_secret(
        &self,
        repository: &RepositoryName,
        environment: Option<&str>,
        name: &str,
        value: &SecretString,
    ) -> Result<(), Error> {
        let doing = format!("storing the secret {name} in {repository}");
        let secrets = match environment {
            Some(environment) => format!("/environments/{}/secrets", encoded(environment)),
            None => "/actions/secrets".to_owned(),
        };
        let path = format!("{secrets}/public-key");
        let key: GitHubKey = self.get(repository, &*doing, &path).await?;
        let sealed = seal(&key.key, value).ok_or_else(|| Error::Unexpected {
            doing: doing.clone(),
            reason: "a public key that does not seal".to_owned(),
        })?;
        let body = json!({ "encrypted_value": sealed, "key_id": key.key_id });
        let path = below(repository, &format!("{secrets}/{}", encoded(name)));
        self.call(repository, &Call::write(Method::PUT, doing, path, body)).await.map(drop)
    }
}

/// A libsodium sealed box for GitHub's key, both in base64. (`dryoc` also has a `DryocSealedBox`,
/// which is a newer format that GitHub cannot open.)
fn seal(key: &str, value: &SecretString) -> Option<String> {
    let key: [u8; 32] = BASE64_STANDARD.decode(key).ok()?.try_into().ok()?;
    let sealed = DryocBox::seal_to_vecbox(value.expose_secret().as_bytes(), &PublicKey::from(key));
    Some(BASE64_STANDARD.encode(sealed.ok()?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dryoc::dryocbox::{StackKeyPair as KeyPair, VecBox};
    use dryoc::types::Bytes as _;

    #[test]
    fn a_sealed_secret_is_opened_by_the_key_it_is_for_only() {
        let pair = KeyPair::generate();
        let key = BASE64_STANDARD.encode(pair.public_key.as_slice());
        let sealed = seal(&key, &SecretString::from("hunter2")).unwrap();
        let sealed = VecBox::from_sealed_bytes(&BASE64_STANDARD.decode(sealed).unwrap()).unwrap();
        assert_eq!(sealed.open_to_vec(&pair).unwrap(), b"hunter2");
        assert!(sealed.open_to_vec(&KeyPair::generate()).is_err());
        assert_eq!(seal("short", &SecretString::from("x")), None);
    }
}
