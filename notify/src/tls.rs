//! Whom we trust when we connect to a receiver, and who we say we are.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::Wrong;

/// A TLS client that trusts the certificates in the PEM file `ca` and no others, or the system's
/// store where there is no `ca`.
///
/// The system's store (on Debian: ca-certificates, and what the operator added to it), not a list
/// that is compiled in: it is where a site's own authority is installed and where a distrusted
/// one is removed, without a new release of Egret.
///
/// With `identity` it shows a certificate where it is asked for one. The error names the key that is wrong, and
/// what is.
pub(crate) fn client_config(
    ca: Option<&Path>,
    identity: Option<Identity<'_>>,
) -> Result<Arc<ClientConfig>, Wrong> {
    let mut roots = RootCertStore::empty();
    let certificates = trusted(ca)?;
    match ca {
        Some(path) => {
            for certificate in certificates {
                let added = roots.add(certificate);
                added.map_err(|error| Wrong::new("ca", unusable(path, &error)))?;
            }
        }
        None => {
            let (_, unusable) = roots.add_parsable_certificates(certificates);
            if unusable > 0 {
                tracing::debug!(unusable, "certificates of the system's store were left out");
            }
            if roots.is_empty() {
                return Err(Wrong::new("ca", no_system_certificates(" that can be read")));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Wrong::new("ca", format!("no usable TLS version: {error}")))?
        .with_root_certificates(roots);
    let Some(identity) = identity else { return Ok(Arc::new(builder.with_no_client_auth())) };
    let (chain, key) = identity.read()?;
    let config = builder.with_client_auth_cert(chain, key).map_err(|error| {
        Wrong::new("client_key", format!("does not belong to client_cert: {error}"))
    })?;
    Ok(Arc::new(config))
}

/// Files with a client's certificate, and those between it and its authority, and with its key, in PEM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) cert: &'a Path,
    pub(crate) key: &'a Path,
}

impl<'a> Identity<'a> {
    /// From what `client_cert` and `client_key` say. `None`: neither is there.
    pub(crate) fn of(cert: Option<&'a Path>, key: Option<&'a Path>) -> Result<Option<Self>, Wrong> {
        let missing = |key: &'static str, beside: &str| {
            Wrong::new(key, format!("is missing: {beside} is of no use without it"))
        };
        match (cert, key) {
            (Some(cert), Some(key)) => Ok(Some(Self { cert, key })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(missing("client_cert", "client_key")),
            (Some(_), None) => Err(missing("client_key", "client_cert")),
        }
    }

    fn read(self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Wrong> {
        let wrong = |key: &'static str, what: &str, path: &Path, error: &dyn std::fmt::Display| {
            Wrong::new(
                key,
                format!("cannot use {} as a PEM file of {what}: {error}", path.display()),
            )
        };
        let wrong_cert =
            |error: &dyn std::fmt::Display| wrong("client_cert", "certificates", self.cert, error);
        let chain = CertificateDer::pem_file_iter(self.cert).map_err(|error| wrong_cert(&error))?;
        let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|error| wrong_cert(&error))?;
        if chain.is_empty() {
            return Err(wrong_cert(&"it holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_file(self.key)
            .map_err(|error| wrong("client_key", "a private key", self.key, &error))?;
        Ok((chain, key))
    }
}

/// The certificates to trust, at least one.
pub(crate) fn trusted(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let found = match ca {
        Some(path) => file_certificates(path),
        None => system_certificates(),
    };
    found.map_err(|problem| Wrong::new("ca", problem))
}

fn file_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| unusable(path, &error))?;
    if found.is_empty() {
        return Err(unusable(path, &"it holds no certificate"));
    }
    Ok(found)
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot use {} as a PEM file of CA certificates: {error}", path.display())
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(no_system_certificates(&why));
    }
    Ok(found.certs)
}

fn no_system_certificates(why: &str) -> String {
    format!("the system has no CA certificates{why}: install ca-certificates, or name a PEM file")
}
