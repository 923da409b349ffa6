//! Secret inputs are kept only as ciphertext. What the portal sends encrypted stays so; what it
//! sends in clear is sealed at the door, in the portal's own layout, so that both are opened alike.

use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{AesGcm, Nonce, aes::Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::{ActionRun, Invocation};

/// Port takes the first 32 bytes of the client secret as they are for the key.
const KEY_LENGTH: usize = 32;
/// Port's nonce has 16 bytes where 12 are usual.
const NONCE_LENGTH: usize = 16;

/// What secret inputs are sealed with: Port's `aes256-gcm`. Base64 of nonce, ciphertext, tag.
#[derive(Clone)]
pub struct SealingKey {
    cipher: AesGcm<Aes256, U16>,
}

/// Why something cannot be sealed or opened. Never says what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The client secret is too short to be a key.
    #[error("the portal's client secret has fewer than 32 characters")]
    ShortKey,
    /// It was not sealed with this key, or was changed.
    #[error("the value was not encrypted with this portal's client secret")]
    NotSealed,
}

impl SealingKey {
    /// The key that a client secret makes.
    pub fn of(client_secret: &SecretString) -> Result<Self, SealError> {
        let bytes = client_secret.expose_secret().as_bytes();
        let key = bytes.get(..KEY_LENGTH).ok_or(SealError::ShortKey)?;
        let cipher = AesGcm::new_from_slice(key).map_err(|_| SealError::ShortKey)?;
        Ok(Self { cipher })
    }

    /// A key for where there is no client secret: made of another secret that lasts.
    pub fn derived_from(secret: &SecretString) -> Self {
        let digest = Sha256::new_with_prefix(b"towpath: sealing of secret inputs\n")
            .chain_update(secret.expose_secret().as_bytes());
        Self { cipher: AesGcm::new(&<[u8; KEY_LENGTH]>::from(digest.finalize()).into()) }
    }

    /// Seals a text under a new nonce.
    pub fn seal(&self, text: &str) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LENGTH];
        dryoc::rng::copy_randombytes(&mut nonce);
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), text.as_bytes());
        let sealed = sealed.map_err(|_| SealError::NotSealed)?;
        Ok(BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed, here or by the portal.
    pub fn open(&self, sealed: &str) -> Result<SecretString, SealError> {
        let bytes = BASE64.decode(sealed).map_err(|_| SealError::NotSealed)?;
        let (nonce, rest) = bytes.split_first_chunk().ok_or(SealError::NotSealed)?;
        let nonce: &[u8; NONCE_LENGTH] = nonce;
        let text = self.cipher.decrypt(&Nonce::from(*nonce), rest);
        let text = text.map_err(|_| SealError::NotSealed)?;
        String::from_utf8(text).map(SecretString::from).map_err(|_| SealError::NotSealed)
    }

    /// Sees to it that every secret input of a run is ciphertext: those that the message calls
    /// encrypted, and those that the template calls secret. What does not open is taken for clear,
    /// whatever the message says of it.
    pub fn seal_inputs(&self, run: &mut ActionRun, secret: &[String]) -> Result<(), SealError> {
        let mut names = run.encrypted.clone();
        names.extend(secret.iter().cloned());
        names.sort();
        names.dedup();
        for name in names {
            let Some(clear) = run.inputs.get(&name).filter(|value| !value.is_null()).cloned()
            else {
                continue;
            };
            let text = match &clear {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if self.open(&text).is_err() {
                let sealed = Value::from(self.seal(&text)?);
                replace_everywhere(run, &clear, &sealed);
                run.inputs.insert(name.clone(), sealed);
            }
            if !run.encrypted.contains(&name) {
                run.encrypted.push(name);
            }
        }
        Ok(())
    }
}

/// A message repeats its inputs (`port_payload`, `workflowInputs`): a secret is sealed there too.
fn replace_everywhere(run: &mut ActionRun, clear: &Value, sealed: &Value) {
    // A number or an empty text says nothing, and would be found where it means something else.
    let says_something = match clear {
        Value::String(text) => !text.is_empty(),
        other => other.is_object() || other.is_array(),
    };
    if !says_something {
        return;
    }
    if let Invocation::Workflow(workflow) = &mut run.invocation {
        for value in workflow.inputs.values_mut() {
            replace(value, clear, sealed);
        }
    }
}

fn replace(value: &mut Value, clear: &Value, sealed: &Value) {
    if value == clear {
        *value = sealed.clone();
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, clear, sealed)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| replace(member, clear, sealed));
        }
        _ => {}
    }
}
