//! The App's identity: its id, its key, and the JWT that proves it for some minutes.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::github::{Error, SetupError};

/// How long a JWT is good. GitHub takes at most ten minutes, by its own clock.
const LIFE: TimeDelta = TimeDelta::minutes(9);

/// How far a JWT is dated back, for clocks that differ (GitHub's advice).
const BACKDATED: TimeDelta = TimeDelta::seconds(60);

/// A JWT with less than this left is not used again.
const MARGIN: TimeDelta = TimeDelta::minutes(1);

/// Who we are.
pub(in crate::github) struct Identity {
    issuer: String,
    /// `None`: there is no App, and nothing can be asked.
    key: Option<EncodingKey>,
    signed: Mutex<Option<(SecretString, DateTime<Utc>)>>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    /// The App's id or its client id. As text: a client id is no number.
    iss: &'a str,
}

impl Identity {
    /// Reads the key: PEM, PEM with `\n` spelled out as some secret stores do, or PEM in base64.
    pub(in crate::github) fn new(app: &str, key: &SecretString) -> Result<Self, SetupError> {
        let key = key.expose_secret().trim();
        let pem = if key.starts_with("-----") {
            key.replace("\\n", "\n").into_bytes()
        } else {
            let joined: String = key.split_whitespace().collect();
            BASE64_STANDARD.decode(joined).map_err(|_| SetupError::Key)?
        };
        let key = EncodingKey::from_rsa_pem(&pem).map_err(|_| SetupError::Key)?;
        Ok(Self { issuer: app.trim().to_owned(), key: Some(key), signed: Mutex::new(None) })
    }

    /// Nobody: every call is refused before it is sent.
    pub(in crate::github) fn nobody() -> Self {
        Self { issuer: String::new(), key: None, signed: Mutex::new(None) }
    }

    /// A JWT that is good for at least another minute.
    pub(super) fn token(&self, now: DateTime<Utc>) -> Result<SecretString, Error> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, until)) = &*signed
            && *until - now > MARGIN
        {
            return Ok(token.clone());
        }
        let key = self.key.as_ref().ok_or(Error::NoApp)?;
        let until = now + LIFE;
        let claims = Claims {
            iat: (now - BACKDATED).timestamp(),
            exp: until.timestamp(),
            iss: &self.issuer,
        };
        let token =
            jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key).map_err(|_| {
                Error::Unexpected {
                    doing: "signing the app's token".to_owned(),
                    reason: "the key does not sign".to_owned(),
                }
            })?;
        let token = SecretString::from(token);
        *signed = Some((token.clone(), until));
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::fake::{KEY, claims_of};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn the_token_says_who_and_for_how_long_and_is_kept() {
        let identity = Identity::new("Iv23liClient", &SecretString::from(KEY)).unwrap();
        let first = identity.token(at(0)).unwrap();
        let claims = claims_of(first.expose_secret());
        assert_eq!(claims["iss"], "Iv23liClient");
        assert_eq!(claims["iat"], 1_800_000_000 - 60);
        assert_eq!(claims["exp"], 1_800_000_000 + 540);
        let later = identity.token(at(470)).unwrap();
        assert_eq!(later.expose_secret(), first.expose_secret());
        let renewed = identity.token(at(490)).unwrap();
        assert_eq!(claims_of(renewed.expose_secret())["exp"], 1_800_000_490 + 540);
    }

    #[test]
    fn a_key_may_come_as_pem_as_one_line_or_in_base64() {
        let one_line = KEY.trim().replace('\n', "\\n");
        for key in [KEY.to_owned(), one_line, BASE64_STANDARD.encode(KEY)] {
            assert!(Identity::new("1", &SecretString::from(key)).is_ok());
        }
        for bad in ["", "not a key", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END"] {
            assert!(Identity::new("1", &SecretString::from(bad)).is_err(), "{bad:?}");
        }
    }
}
