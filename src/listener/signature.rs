//! The signature of Standard Webhooks: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

/// What events are signed with.
#[derive(Clone)]
pub(super) struct Key(SecretSlice<u8>);

impl Key {
    /// `whsec_` and base64, as Standard Webhooks hands keys out, or any text as it is.
    pub(super) fn of(secret: &SecretString) -> Self {
        let text = secret.expose_secret();
        let encoded = text.strip_prefix("whsec_").and_then(|rest| BASE64.decode(rest).ok());
        Self(encoded.unwrap_or_else(|| text.as_bytes().to_vec()).into())
    }

    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret());
        let mut mac = mac.expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_signed_as_standard_webhooks_do_it() {
        // The example of the specification's own libraries.
        let key = Key::of(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into());
        let signature =
            key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_without_the_prefix_is_taken_as_it_is() {
        let (plain, other) = (Key::of(&"hush".into()), Key::of(&"hush!".into()));
        assert_ne!(plain.sign("a", 1, "{}"), other.sign("a", 1, "{}"));
        assert_ne!(plain.sign("a", 1, "{}"), plain.sign("a", 2, "{}"));
    }
}
