//! Inputs that the browser encrypts before even the portal sees them: Port's `client-side`. The key
//! is the customer's; only who has the private one can read them.

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::SealError;

/// The nonce's bytes, which come first.
const NONCE: usize = 12;
/// The tag's bytes, which come last.
const TAG: usize = 16;
/// The bytes of the smallest RSA modulus that browsers and aws-lc take (2048 bits).
const SMALLEST_MODULUS: usize = 256;

/// The private key: opens nonce, wrapped AES-256 key (RSA-OAEP with SHA-256), ciphertext, tag.
pub(super) struct PrivateKey(OaepPrivateDecryptingKey);

impl PrivateKey {
    /// Of PKCS#8 in PEM.
    pub(super) fn parse(pem: &SecretString) -> Result<Self, SealError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose_secret().as_bytes());
        let der = der.map_err(|_| SealError::NoPrivateKey)?;
        let key = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|_| SealError::NoPrivateKey)?;
        OaepPrivateDecryptingKey::new(key).map(Self).map_err(|_| SealError::NoPrivateKey)
    }

    /// Opens what was encrypted for this key.
    pub(super) fn open(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>()?;
        let (wrapped, sealed) = rest.split_at_checked(self.0.key_size_bytes())?;
        let mut place = vec![0; self.0.min_output_size()];
        let key = self.0.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut place, None).ok()?;
        let key = Key::<Aes256Gcm>::try_from(&*key).ok()?;
        Aes256Gcm::new(&key).decrypt(&Nonce::from(*nonce), sealed).ok()
    }
}

/// Whether bytes are long enough to be encrypted so, for whatever key.
pub(super) fn may_be(bytes: &[u8]) -> bool {
    bytes.len() >= NONCE + SMALLEST_MODULUS + TAG
}
