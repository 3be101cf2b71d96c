//! The control plane's own TLS: certificate and key from files that are read again when they change, or from the built-in
//! authority, which renews them; and who may vouch for clients.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use rustls::{
    crypto::{ring, CryptoProvider},
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    server::{danger::ClientCertVerifier, WebPkiClientVerifier},
    version::{TLS12, TLS13},
    RootCertStore, ServerConfig,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    address::Address,
    authority::{leaves::OWN, Authority},
    guard::{
        counts::Counts,
        handshake::Told,
        vouch::{Verifiers, Vouch},
    },
    server::tls::Tls,
};

/// Files are looked at this often: a certificate that was put in place is served by the time its client asks.
const LOOK: Duration = Duration::from_secs(2);

/// Where certificate and key come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// From PEM files.
    Files {
        /// The chain, the server's own certificate first.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
    /// From the built-in authority, for these names beside those of the addresses.
    Issued {
        /// Host names and addresses that clients use.
        names: Vec<String>,
    },
}

/// Everything that TLS needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificate and key.
    pub identity: Identity,
    /// PEM file of authorities that may vouch for clients, beside the built-in one.
    pub client_ca: Option<PathBuf>,
}

/// What a configuration is made of, as it was read.
#[derive(PartialEq, Eq)]
struct Material {
    chain: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What new connections are served with, and who vouches for the clients of all of them.
pub(super) struct Followed {
    pub tls: Tls,
    pub vouch: watch::Receiver<Arc<dyn Vouch>>,
}

/// What was made of what was read.
struct Made {
    config: ServerConfig,
    vouch: Arc<dyn Vouch>,
}

/// Reads everything once, and again whenever a file changes or the certificate is renewed, until `shutdown`.
///
/// # Errors
/// What is there at the start cannot be used.
pub(super) async fn start(
    settings: TlsSettings,
    addresses: &[Address],
    authority: Arc<Authority>,
    counts: Arc<Counts>,
    shutdown: CancellationToken,
) -> anyhow::Result<Followed> {
    let names = names(&settings.identity, addresses);
    let source = Arc::new(Source {
        settings,
        names,
        authority,
        counts,
    });
    let (mut material, made) = source.read(None).await?.context("nothing was read")?;
    let (sender, receiver) = watch::channel(Arc::new(made.config));
    let (vouchers, vouch) = watch::channel(made.vouch);
    tokio::spawn(async move {
        let mut told = String::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
            match source.read(Some(&material)).await {
                Ok(None) => told.clear(),
                Ok(Some((read, made))) => {
                    let has_other_authorities = read.client_ca != material.client_ca;
                    material = read;
                    told.clear();
                    sender.send_replace(Arc::new(made.config));
                    if has_other_authorities {
                        vouchers.send_replace(made.vouch);
                    }
                    tracing::info!("new certificates are served from now on");
                }
                Err(error) => {
                    // Once, however long it stays wrong.
                    let reason = format!("{error:#}");
                    if reason != told {
                        tracing::warn!(reason, "the certificates before stay in use");
                        told = reason;
                    }
                }
            }
        }
    });
    let tls = Tls::following(receiver);
    Ok(Followed { tls, vouch })
}

struct Source {
    settings: TlsSettings,
    names: BTreeSet<String>,
    authority: Arc<Authority>,
    counts: Arc<Counts>,
}

impl Source {
    /// What is there now, unless it is what was there before.
    async fn read(self: &Arc<Self>, before: Option<&Material>) -> anyhow::Result<Option<(Material, Made)>> {
        let source = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || source.material());
        let material = read.await.context("reading certificates was interrupted")??;
        if before == Some(&material) {
            return Ok(None);
        }
        let made = self.make(&material)?;
        Ok(Some((material, made)))
    }

    fn material(&self) -> anyhow::Result<Material> {
        let client_ca = self.settings.client_ca.as_deref();
        let client_ca = client_ca.map(|path| file("--client-ca", path)).transpose()?;
        let (chain, key) = match &self.settings.identity {
            Identity::Files { certificate, key } => (file("--tls-certificate", certificate)?, file("--tls-key", key)?),
            Identity::Issued { .. } => {
                let issued = self.authority.certificate(OWN, &self.names, SystemTime::now())?;
                (issued.chain.into_bytes(), issued.key.into_bytes())
            }
        };
        Ok(Material { chain, key, client_ca })
    }

    fn make(&self, material: &Material) -> anyhow::Result<Made> {
        let provider = Arc::new(ring::default_provider());
        let mut built_in = RootCertStore::empty();
        for root in certificates("the built-in authority", self.authority.root().as_bytes())? {
            built_in.add(root)?;
        }
        let mut roots = built_in.clone();
        let mut named = None;
        if let Some(pem) = &material.client_ca {
            let mut store = RootCertStore::empty();
            for root in certificates("--client-ca", pem)? {
                roots.add(root.clone()).context("--client-ca")?;
                store.add(root).context("--client-ca")?;
            }
            named = Some(verifier(store, &provider)?);
        }
        let vouch = Arc::new(Verifiers::new(verifier(built_in, &provider)?, named));
        let verifier = Arc::new(Told::new(verifier(roots, &provider)?, Arc::clone(&self.counts)));
        let chain = certificates("--tls-certificate", &material.chain)?;
        let key = PrivateKeyDer::from_pem_slice(&material.key);
        // The error's text is not shown: it could quote the file.
        let key = key.map_err(|_| anyhow::anyhow!("--tls-key: holds no private key in PEM"))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .context("--tls-certificate and --tls-key do not fit")?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Made { config, vouch })
    }
}

/// A certificate is not asked for, but one that is shown must be good.
fn verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    verifier.allow_unauthenticated().build().context("--client-ca")
}

fn file(flag: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{flag}: cannot read {}", path.display()))
}

fn certificates(of: &str, pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| anyhow::anyhow!("{of}: {error}"))?;
    anyhow::ensure!(!read.is_empty(), "{of}: holds no certificate in PEM");
    Ok(read)
}

/// What clients may call this server: what was named, its addresses, this machine's name.
fn names(identity: &Identity, addresses: &[Address]) -> BTreeSet<String> {
    let Identity::Issued { names } = identity else {
        return BTreeSet::new();
    };
    let mut all: BTreeSet<String> = names.iter().cloned().collect();
    all.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    all.extend(rustix::system::uname().nodename().to_str().ok().map(str::to_owned));
    for address in addresses {
        if let Address::Tcp(address) = address {
            if !address.ip().is_unspecified() {
                all.insert(address.ip().to_string());
            }
        }
    }
    all
}
