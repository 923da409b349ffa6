//! The broker's certificate, of an authority that is made in the folder it is started in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Result;

const CERTIFICATE: &str = "broker.pem";
const KEY: &str = "broker.key";

/// What is there; made, where nothing is.
pub(crate) fn present_or_made() -> Result<Arc<ServerConfig>> {
    if !Path::new(CERTIFICATE).exists() {
        make()?;
    }
    let certificate = CertificateDer::from_pem_file(CERTIFICATE)?;
    let key = PrivateKeyDer::from_pem_file(KEY)?;
    // Named, because among so many dependencies there is another one.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config))
}

fn make() -> Result<()> {
    let (authority, authority_key) = authority("An authority of the tests")?;
    let (stranger, stranger_key) = self::authority("A stranger")?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let key = KeyPair::generate()?;
    let issuer = Issuer::from_params(&authority, &authority_key);
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    fs::write("ca.pem", authority.self_signed(&authority_key)?.pem())?;
    fs::write("stranger.pem", stranger.self_signed(&stranger_key)?.pem())?;
    fs::write(KEY, key.serialize_pem())?;
    // Last: once it is there, so is the rest.
    fs::write(CERTIFICATE, certificate.pem())?;
    Ok(())
}

fn authority(name: &str) -> Result<(CertificateParams, KeyPair)> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, name);
    Ok((authority, KeyPair::generate()?))
}
