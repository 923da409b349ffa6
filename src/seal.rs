//! Secret inputs are kept only as ciphertext. What the portal sends encrypted stays so; what it
//! sends in clear is sealed at the door, in the portal's own layout, so that both are opened alike.

mod blank;
mod client_side;

use std::sync::Arc;

use aes_gcm::aead::consts::U16;
use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{AesGcm, Nonce, aes::Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::{ActionRun, Invocation, Run};

pub use blank::Secrets;

/// Port takes the first 32 bytes of the client secret as they are for the key.
const KEY_LENGTH: usize = 32;
/// Port's nonce has 16 bytes where 12 are usual.
const NONCE_LENGTH: usize = 16;

/// What secret inputs are sealed with: Port's `aes256-gcm`. Base64 of nonce, ciphertext, tag. What
/// the browser has encrypted (`client-side`) is opened, too, where its private key is there.
#[derive(Clone)]
pub struct SealingKey {
    cipher: AesGcm<Aes256, U16>,
    client_side: Option<Arc<client_side::PrivateKey>>,
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
    /// It is no RSA key.
    #[error(
        "it is no RSA key of at least 2048 bits in PKCS#8 (`openssl pkcs8 -topk8 -nocrypt` makes one of another form)"
    )]
    NoPrivateKey,
}

impl SealingKey {
    /// The key that a client secret makes.
    pub fn of(client_secret: &SecretString) -> Result<Self, SealError> {
        let bytes = client_secret.expose_secret().as_bytes();
        let key = bytes.get(..KEY_LENGTH).ok_or(SealError::ShortKey)?;
        let cipher = AesGcm::new_from_slice(key).map_err(|_| SealError::ShortKey)?;
        Ok(Self { cipher, client_side: None })
    }

    /// A key for where there is no client secret: made of another secret that lasts.
    pub fn derived_from(secret: &SecretString) -> Self {
        let digest = Sha256::new_with_prefix(b"towpath: sealing of secret inputs\n")
            .chain_update(secret.expose_secret().as_bytes());
        let cipher = AesGcm::new(&<[u8; KEY_LENGTH]>::from(digest.finalize()).into());
        Self { cipher, client_side: None }
    }

    /// Opens with this private key, too: PKCS#8 in PEM.
    pub fn with_client_side(mut self, pem: &SecretString) -> Result<Self, SealError> {
        self.client_side = Some(Arc::new(client_side::PrivateKey::parse(pem)?));
        Ok(self)
    }

    /// Seals a text under a new nonce.
    pub fn seal(&self, text: &str) -> Result<String, SealError> {
        let mut nonce = [0; NONCE_LENGTH];
        dryoc::rng::copy_randombytes(&mut nonce);
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), text.as_bytes());
        let sealed = sealed.map_err(|_| SealError::NotSealed)?;
        Ok(BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed, here, by the portal or by the browser.
    pub fn open(&self, sealed: &str) -> Result<SecretString, SealError> {
        let bytes = BASE64.decode(sealed).map_err(|_| SealError::NotSealed)?;
        let by_browser = || self.client_side.as_ref()?.open(&bytes);
        let text = self.open_symmetric(&bytes).or_else(by_browser).ok_or(SealError::NotSealed)?;
        String::from_utf8(text).map(SecretString::from).map_err(|_| SealError::NotSealed)
    }

    fn open_symmetric(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LENGTH>()?;
        self.cipher.decrypt(&Nonce::from(*nonce), rest).ok()
    }

    /// The secret inputs of a run in clear, by name. The name of the first that cannot be opened.
    pub fn opened(&self, run: &Run) -> Result<Vec<(String, SecretString)>, String> {
        let mut opened = Vec::new();
        for name in &run.request.encrypted {
            let Some(Value::String(sealed)) = run.request.inputs.get(name) else { continue };
            opened.push((name.clone(), self.open(sealed).map_err(|_| name.clone())?));
        }
        Ok(opened)
    }

    /// Sees to it that every secret input of a run is ciphertext: those that the message calls
    /// encrypted, and those that the template calls secret. What does not open is taken for clear,
    /// whatever the message says of it, unless it may be meant for a private key that is not here.
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
            let is_said = run.encrypted.contains(&name);
            if self.open(&text).is_err() && !(is_said && may_be_client_side(&text)) {
                let sealed = Value::from(self.seal(&text)?);
                replace_everywhere(run, &clear, &sealed);
                run.inputs.insert(name.clone(), sealed);
            }
            if !is_said {
                run.encrypted.push(name);
            }
        }
        Ok(())
    }
}

fn may_be_client_side(text: &str) -> bool {
    BASE64.decode(text).is_ok_and(|bytes| client_side::may_be(&bytes))
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
    match &mut run.invocation {
        Invocation::Workflow(workflow) => {
            workflow.inputs.values_mut().for_each(|value| replace(value, clear, sealed));
        }
        Invocation::Delivery(delivery) => replace(&mut delivery.message, clear, sealed),
        Invocation::Template | Invocation::Unsupported(_) => {}
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
