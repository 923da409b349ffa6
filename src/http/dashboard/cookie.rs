//! Signed cookies: what this program has given to a browser, and nobody has changed. They can be
//! read by whoever has them.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// With what cookies and forms are signed.
#[derive(Clone)]
pub struct CookieKey(Hmac<Sha256>);

impl CookieKey {
    /// A key made of another secret that lasts, and that all replicas have.
    pub fn derived_from(secret: &SecretString) -> Self {
        let mut key = Hmac::new_from_slice(secret.expose_secret().as_bytes())
            .expect("HMAC takes a key of any length");
        key.update(b"towpath: cookies and forms of the dashboard\n");
        Self(key)
    }

    /// A value that only this program can have written, for this purpose.
    pub(super) fn sign(&self, purpose: &str, value: &impl Serialize) -> String {
        let text = serde_json::to_vec(value).unwrap_or_default();
        let text = BASE64.encode(text);
        let proof = BASE64.encode(self.mac(purpose, &text).finalize().into_bytes());
        format!("{text}.{proof}")
    }

    /// The value, if this program has written it for this purpose.
    pub(super) fn open<T: DeserializeOwned>(&self, purpose: &str, signed: &str) -> Option<T> {
        let (text, proof) = signed.split_once('.')?;
        self.mac(purpose, text).verify_slice(&BASE64.decode(proof).ok()?).ok()?;
        serde_json::from_slice(&BASE64.decode(text).ok()?).ok()
    }

    /// What a form carries to prove that it was sent from a page that this browser was given.
    pub(super) fn form_token(&self, session: &str) -> String {
        BASE64.encode(self.mac("form", session).finalize().into_bytes())
    }

    /// Whether a form carries that.
    pub(super) fn is_form_token(&self, session: &str, token: &str) -> bool {
        let token = BASE64.decode(token);
        token.is_ok_and(|token| self.mac("form", session).verify_slice(&token).is_ok())
    }

    fn mac(&self, purpose: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [purpose, "\0", text] {
            mac.update(part.as_bytes());
        }
        mac
    }
}

/// A name that nobody guesses.
pub(super) fn random() -> String {
    let mut bytes = [0; 32];
    dryoc::rng::copy_randombytes(&mut bytes);
    BASE64.encode(bytes)
}

/// The value of a cookie that was sent.
pub(super) fn sent<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(';'));
    let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// A cookie to be kept for so long; for no time, to be forgotten. Scripts do not see it, other
/// sites' forms do not send it, and where the service has TLS it goes by TLS alone.
pub(super) fn set(name: &str, value: &str, life: TimeDelta, is_secure: bool) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let life = life.num_seconds();
    let cookie = format!("{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Lax{secure}");
    // Only names of this program, base64 and a point are in it.
    HeaderValue::try_from(cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_or_signed_for_something_else_is_not_opened() {
        let key = CookieKey::derived_from(&"a key that lasts".into());
        let signed = key.sign("session", &"jane");
        assert_eq!(key.open::<String>("session", &signed).as_deref(), Some("jane"));
        let forged = key.sign("session", &"root");
        let (forged, _) = forged.split_once('.').unwrap();
        let (_, proof) = signed.split_once('.').unwrap();
        for wrong in
            [format!("{forged}.{proof}"), format!("{signed}A"), String::new(), "..".to_owned()]
        {
            assert_eq!(key.open::<String>("session", &wrong), None, "{wrong}");
        }
        assert_eq!(key.open::<String>("sign-in", &signed), None);
        let other = CookieKey::derived_from(&"another key".into());
        assert_eq!(other.open::<String>("session", &signed), None);
        let token = key.form_token("jane");
        assert!(key.is_form_token("jane", &token));
        assert!(!key.is_form_token("root", &token) && !key.is_form_token("jane", ""));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; towpath=x.y".parse().unwrap());
        headers.append(header::COOKIE, "b=2".parse().unwrap());
        assert_eq!(sent(&headers, "towpath"), Some("x.y"));
        assert_eq!(sent(&headers, "b"), Some("2"));
        assert_eq!(sent(&headers, "path"), None);
        let cookie = set("towpath", "x.y", TimeDelta::hours(1), true);
        assert_eq!(
            cookie.to_str().unwrap(),
            "towpath=x.y; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure"
        );
    }
}
