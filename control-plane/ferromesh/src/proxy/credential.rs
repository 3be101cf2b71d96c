//! What a proxy shows the control plane over TLS: a certificate from files that somebody else writes, or one that the
//! control plane issues for a join token and renews.
//!
//! | variable | |
//! |---|---|
//! | `FERROMESH_CA` | PEM file of the authorities that the control plane's certificate is believed from |
//! | `FERROMESH_TLS_CERTIFICATE`, `FERROMESH_TLS_KEY` | PEM files with the proxy's chain and key, such as SPIRE's helper writes them |
//! | `FERROMESH_JOIN_TOKEN`, or `FERROMESH_JOIN_TOKEN_FILE` | a join token, for a certificate that the control plane issues |
//!
//! All files are looked at every two seconds, and read again when they change. What does not fit together leaves what was
//! there before in use.

mod files;
mod join;
mod kept;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use rustls::{
    crypto::ring,
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    ClientConfig, RootCertStore,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{environment::Environment, settings::XdsEndpoint};

const CA: &str = "FERROMESH_CA";
const CERTIFICATE: &str = "FERROMESH_TLS_CERTIFICATE";
const KEY: &str = "FERROMESH_TLS_KEY";
const TOKEN: &str = "FERROMESH_JOIN_TOKEN";
const TOKEN_FILE: &str = "FERROMESH_JOIN_TOKEN_FILE";

/// Files are looked at this often.
const LOOK: Duration = Duration::from_secs(2);

/// How the proxy's connection to the control plane is encrypted, and what it shows there. With one, every TCP endpoint is
/// spoken to over TLS; Unix sockets are not.
#[derive(Clone)]
pub struct Credential {
    ca: PathBuf,
    source: Source,
}

#[derive(Clone)]
enum Source {
    /// TLS without a certificate of the proxy's own.
    Nothing,
    Files {
        certificate: PathBuf,
        key: PathBuf,
    },
    Join(Token),
}

/// Where the join token is. It is read when it is needed: one in a file may come later.
#[derive(Clone)]
enum Token {
    Text(String),
    File(PathBuf),
}

/// Without the token.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = match &self.source {
            Source::Nothing => "nothing",
            Source::Files { .. } => "files",
            Source::Join(_) => "join token",
        };
        f.debug_struct("Credential")
            .field("ca", &self.ca)
            .field("source", &source)
            .finish()
    }
}

impl Credential {
    /// Reads the environment through `look_up`. `None`: nothing asks for TLS.
    ///
    /// # Errors
    /// One message for each variable that is missing or contradicts another.
    pub fn read(look_up: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Vec<String>> {
        let mut env = Environment::new(look_up);
        let ca = env.text(CA).map(PathBuf::from);
        let (certificate, key) = (env.text(CERTIFICATE), env.text(KEY));
        let (token, token_file) = (env.text(TOKEN), env.text(TOKEN_FILE));
        let source = match (certificate, key, token, token_file) {
            (None, None, None, None) => Source::Nothing,
            (Some(certificate), Some(key), None, None) => Source::Files {
                certificate: certificate.into(),
                key: key.into(),
            },
            (None, None, Some(token), None) => Source::Join(Token::Text(token)),
            (None, None, None, Some(file)) => Source::Join(Token::File(file.into())),
            (None, None, Some(_), Some(_)) => {
                env.problem(format!("{TOKEN} and {TOKEN_FILE} are both set: expected one of them"));
                Source::Nothing
            }
            (Some(_), Some(_), _, _) => {
                env.problem(format!(
                    "{CERTIFICATE} and a join token are both set: the certificate is either from files or issued for the token"
                ));
                Source::Nothing
            }
            _ => {
                env.problem(format!("{CERTIFICATE} and {KEY} go together: one of them is not set"));
                Source::Nothing
            }
        };
        if ca.is_none() && !matches!(source, Source::Nothing) {
            env.problem(format!(
                "{CA} is not set: it names the PEM file of the authorities that the control plane is believed from, such as \
                 its certificates/root.pem"
            ));
        }
        env.finish()?;
        Ok(ca.map(|ca| Self { ca, source }))
    }

    /// Begins to follow files, or to join and to renew, until `shutdown`; gives what connections are to be made with.
    ///
    /// It does not wait for the control plane. Until the first certificate is there, the configuration has none, and a
    /// control plane that asks for one refuses the connection: connect again when the receiver changes. A connection that
    /// is open keeps its certificate; it should be made anew when the receiver changes, since the control plane cuts a
    /// stream whose certificate is over.
    ///
    /// Below `state_folder` the issued certificate is kept with its key, mode 0600: a restart needs no token then.
    /// `endpoints` are asked in their order for certificates, and so in turn when one of them does not answer.
    ///
    /// # Errors
    /// The authorities or the files cannot be read or used at the start, or there is no endpoint to join at.
    pub async fn follow(
        self,
        state_folder: &Path,
        endpoints: &[XdsEndpoint],
        shutdown: CancellationToken,
    ) -> anyhow::Result<watch::Receiver<Arc<ClientConfig>>> {
        match self.source {
            Source::Nothing => files::follow(self.ca, None, shutdown).await,
            Source::Files { certificate, key } => files::follow(self.ca, Some((certificate, key)), shutdown).await,
            Source::Join(token) => join::follow(self.ca, token, state_folder, endpoints, shutdown).await,
        }
    }
}

/// What a configuration is made of, as it was read: PEM.
#[derive(Clone, PartialEq, Eq)]
struct Material {
    ca: Vec<u8>,
    /// Chain and key.
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Material {
    /// The configuration for xDS: HTTP/2.
    fn config(&self) -> anyhow::Result<ClientConfig> {
        let mut roots = RootCertStore::empty();
        for root in certificates(CA, &self.ca)? {
            roots.add(root).context(CA)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(CERTIFICATE, chain)?;
                // The error's text is not shown: it could quote the file.
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|_| anyhow::anyhow!("{KEY}: holds no private key in PEM"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| anyhow::anyhow!("{CERTIFICATE} and {KEY} do not fit: {error}"))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

fn certificates(of: &str, pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| anyhow::anyhow!("{of}: {error}"))?;
    anyhow::ensure!(!read.is_empty(), "{of}: holds no certificate in PEM");
    Ok(read)
}

async fn read_file(of: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let read = tokio::fs::read(path).await;
    read.with_context(|| format!("{of}: cannot read {}", path.display()))
}

#[cfg(test)]
mod tests;
