//! What was opened is taken out of everything that others say afterwards: an answer, an error, a log.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// Shorter texts are found everywhere, and say nothing.
const SHORTEST: usize = 3;
/// What stands in their place.
const BLANK: &str = "***";

/// Texts that nobody may see.
#[derive(Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// What was opened.
    pub fn new(secrets: &[SecretString]) -> Self {
        let mut texts = Vec::new();
        for secret in secrets {
            let text = secret.expose_secret();
            // An answer repeats it as it is, within JSON, or as a part of an address.
            let json = Value::from(text).to_string();
            let address: String = url_encoded(text);
            for form in [text, json.trim_matches('"'), &address] {
                if form.len() >= SHORTEST && !texts.iter().any(|known| known == form) {
                    texts.push(form.to_owned());
                }
            }
        }
        // The longest first: one may be a part of another.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self(texts)
    }

    /// A text without them.
    pub fn clean(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), BLANK))
    }

    /// A value without them, in names, too.
    pub fn clean_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.clean(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.clean_value(item)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(name, member)| (self.clean(&name), self.clean_value(member)))
                .collect(),
            other => {
                let text = other.to_string();
                if self.0.contains(&text) { BLANK.into() } else { other }
            }
        }
    }
}

/// As a part of an address's query.
fn url_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_found_however_it_is_repeated() {
        let secrets = ["hunter2", "a\"b c", "4711", "x"].map(SecretString::from);
        let secrets = Secrets::new(&secrets);
        assert_eq!(secrets.clean("hunter2, hunter2x"), "***, ***x");
        assert_eq!(secrets.clean(r#"{"p":"a\"b c"} ?q=a%22b+c"#), r#"{"p":"***"} ?q=***"#);
        assert_eq!(
            secrets.clean_value(json!({"hunter2": [4711, "say hunter2", 4712, "x"]})),
            json!({"***": ["***", "say ***", 4712, "x"]})
        );
    }
}
