//! TLS settings: from the operator's files, or made up for a first try. TLS 1.2 and 1.3, HTTP/1.1.

use bindery_core::Error;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::Arc;

/// What a TLS listener needs; the library's own type, so that its users need not depend on it.
pub use rustls::ServerConfig;

/// Reads a certificate chain (the server's own first) and its private key, both in PEM.
///
/// # Errors
/// [`Error::Refused`] with a sentence: a file that cannot be read, holds no such thing, or a key
/// that is not the certificate's.
pub fn from_files(certificates: &Path, key: &Path) -> Result<ServerConfig, Error> {
    let refuse = |what: &str, path: &Path, why: &dyn std::fmt::Display| {
        Error::Refused(format!("the TLS {what} file {}: {why}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse("certificate", certificates, &error))?;
    if chain.is_empty() {
        return Err(refuse("certificate", certificates, &"there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| refuse("key", key, &error))?;
    config(chain, private).map_err(|error| refuse("key", key, &error))
}

/// Makes a certificate that nobody vouches for, valid for `names` (host names and IP addresses), with
/// a key that is kept in memory only.
///
/// # Errors
/// [`Error::Refused`] if a name cannot stand in a certificate.
pub fn self_signed(names: Vec<String>) -> Result<ServerConfig, Error> {
    let refuse = |why: &dyn std::fmt::Display| {
        Error::Refused(format!("cannot make a self-signed certificate: {why}"))
    };
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| refuse(&error))?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    config(vec![made.cert.der().clone()], key.into()).map_err(|error| refuse(&error))
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    // Named, so that which provider serves does not depend on what else is linked in.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn files_that_do_not_fit_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let made = |_| rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let [ours, other] = [0, 1].map(made);
        let certificate = write(folder.path(), "cert.pem", &ours.cert.pem());
        let key = write(folder.path(), "key.pem", &ours.signing_key.serialize_pem());
        let foreign = write(folder.path(), "other.pem", &other.signing_key.serialize_pem());
        let missing = folder.path().join("missing.pem");

        assert!(from_files(&certificate, &key).is_ok());
        for (certificate, key, blamed) in [
            (&missing, &key, "certificate file"),
            (&key, &key, "certificate file"),
            (&certificate, &missing, "key file"),
            (&certificate, &certificate, "key file"),
            (&certificate, &foreign, "key file"),
        ] {
            let refusal = from_files(certificate, key).unwrap_err().to_string();
            assert!(refusal.contains(blamed), "{refusal}");
        }
    }
}
