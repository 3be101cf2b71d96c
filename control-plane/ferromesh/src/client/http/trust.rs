//! Which servers a client believes over https.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use rustls::{
    crypto::ring,
    pki_types::{pem::PemObject, CertificateDer},
    ClientConfig, RootCertStore,
};

/// Where systems keep the authorities that they believe: Debian and others, Fedora and others.
const OF_SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The TLS of a client that believes the authorities in a file, or those of the system.
pub(super) fn config(ca: Option<&Path>) -> anyhow::Result<ClientConfig> {
    let system = OF_SYSTEM.iter().map(Path::new).find(|path| path.exists());
    let path = ca.or(system).context(
        "--ca is missing, and this system has no authorities of its own: it names the PEM file of those to believe",
    )?;
    let mut roots = RootCertStore::empty();
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let read = read.map_err(|error| anyhow::anyhow!("--ca {}: {error}", path.display()))?;
    roots.add_parsable_certificates(read);
    anyhow::ensure!(
        !roots.is_empty(),
        "--ca {}: holds no certificate in PEM",
        path.display()
    );
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
