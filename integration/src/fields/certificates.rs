//! Certificates for the servers, clients and proxies of the cases, in files as App Mesh has them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
    ClientConfig, RootCertStore, ServerConfig,
};

/// Who signs what: `<authority>.pem` is the authority's own certificate; each name has `<name>.pem` and `<name>.key`, and
/// the name with `.local` is what the certificate is good for.
const SIGNED: &[(&str, &[&str])] = &[
    ("ca", &["front", "blue", "green", "client"]),
    // Nobody trusts it but who is told to.
    ("stranger-ca", &["stranger"]),
];

/// A folder of certificates.
#[derive(Clone, Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes all certificates in a folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make(folder: &Path) -> Result<Self> {
        for (authority, names) in SIGNED {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, *authority);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
            std::fs::write(folder.join(format!("{authority}.pem")), issuer.pem())?;
            for name in *names {
                let key = KeyPair::generate()?;
                let params = CertificateParams::new(vec![format!("{name}.local")])?;
                let certificate = params.signed_by(&key, &issuer)?;
                std::fs::write(folder.join(format!("{name}.pem")), certificate.pem())?;
                std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// A client that trusts an authority, by the name of its file, and shows the certificate of `identity`.
    pub fn client(&self, trusts: &str, identity: Option<&str>, alpn: &str) -> Result<Arc<ClientConfig>> {
        let config = ClientConfig::builder().with_root_certificates(self.roots(trusts)?);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(name) => {
                let (chain, key) = self.pair(name)?;
                config.with_client_auth_cert(chain, key)?
            }
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Ok(Arc::new(config))
    }

    /// A server with the certificate of `name`, which asks for clients' certificates and takes none too.
    pub fn server(&self, name: &str) -> Result<Arc<ServerConfig>> {
        let clients = WebPkiClientVerifier::builder(Arc::new(self.roots("ca")?))
            .allow_unauthenticated()
            .build()?;
        let (chain, key) = self.pair(name)?;
        let mut config = ServerConfig::builder()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// A file: `pem` of a certificate or authority, or `key`.
    pub fn pem(&self, name: &str, kind: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.file(name, kind))
    }

    fn roots(&self, authority: &str) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file(authority, "pem"))?)?;
        Ok(roots)
    }

    fn pair(&self, name: &str) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = CertificateDer::from_pem_file(self.file(name, "pem")).context(name.to_owned())?;
        Ok((vec![chain], PrivateKeyDer::from_pem_file(self.file(name, "key"))?))
    }

    fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{name}.{kind}"))
    }
}
