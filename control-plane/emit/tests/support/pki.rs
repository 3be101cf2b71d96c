//! Authorities, certificates, and TLS clients and servers that use them.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use envoy_types::pb::envoy::config::core::v3::{data_source, DataSource};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{secret, Secret};
use ferromesh_emit::{Certificate, Secrets};
use ferromesh_ir::Proxy;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

/// An authority, with files `ca.pem`, `chain.pem` and `key.pem`: its certificate, and one for `localhost`, `127.0.0.1` and
/// `client.local`.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// The authority whose root proxies are given, and whose files stand for whatever files a mesh names.
pub fn ours() -> &'static Authority {
    static OURS: OnceLock<Authority> = OnceLock::new();
    OURS.get_or_init(|| Authority::new("ours"))
}

/// An authority that nobody trusts.
pub fn theirs() -> &'static Authority {
    static THEIRS: OnceLock<Authority> = OnceLock::new();
    THEIRS.get_or_init(|| Authority::new("theirs"))
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Self { issuer, folder };
        let certificate = authority.issue(&["localhost", "127.0.0.1", "client.local"]);
        for (file, text) in [
            ("ca.pem", authority.root()),
            ("chain.pem", certificate.chain),
            ("key.pem", certificate.key),
        ] {
            std::fs::write(authority.file(file), text).expect("a file");
        }
        authority
    }

    /// A certificate for some names.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).expect("names");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certificate {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// The authority's certificate.
    pub fn root(&self) -> String {
        self.issuer.pem()
    }

    /// One of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        Arc::new(roots)
    }

    /// A client that trusts this authority, with a certificate of `identity`.
    pub fn client(&self, identity: Option<Certificate>, alpn: &[&str]) -> ClientConfig {
        let client = ClientConfig::builder().with_root_certificates(self.roots());
        let mut config = match identity {
            None => client.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = ders(&identity);
                client.with_client_auth_cert(chain, key).expect("an identity")
            }
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    /// A server with a certificate for some names; it asks for client certificates of this authority, and takes none too.
    pub fn server(&self, names: &[&str]) -> ServerConfig {
        let (chain, key) = ders(&self.issue(names));
        let clients = WebPkiClientVerifier::builder(self.roots())
            .allow_unauthenticated()
            .build()
            .expect("a verifier");
        let server = ServerConfig::builder().with_client_cert_verifier(clients);
        let mut config = server.with_single_cert(chain, key).expect("an identity");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }
}

fn ders(certificate: &Certificate) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).map(|one| one.expect("a certificate"));
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).expect("a key");
    (chain.collect(), key)
}

/// Connects and agrees on TLS.
///
/// # Errors
/// What kept client and server from it.
pub fn connect(
    port: u16,
    name: &str,
    config: ClientConfig,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port))?);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    stream.flush()?;
    Ok(stream)
}

/// Secrets for a proxy, issued by our authority.
pub fn secrets(proxy: &Proxy) -> Secrets {
    let certificates = proxy.issued_certificates().into_iter().map(|(arn, names)| {
        // What no certificate can carry is left out, as the real authority does.
        let names: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| name.is_ascii())
            .collect();
        (arn.to_owned(), ours().issue(&names))
    });
    Secrets {
        certificates: certificates.collect(),
        root: Some(ours().root()),
        authorities: proxy
            .imported_authorities()
            .into_iter()
            .map(|arn| (arn.to_owned(), theirs().root()))
            .collect(),
    }
}

/// Puts our files in where a secret names some.
pub fn resolve_files(secret: &mut Secret) {
    match &mut secret.r#type {
        Some(secret::Type::TlsCertificate(certificate)) => {
            certificate.certificate_chain.iter_mut().for_each(resolve_file);
            certificate.private_key.iter_mut().for_each(resolve_file);
            certificate.watched_directory = None;
        }
        Some(secret::Type::ValidationContext(context)) => {
            context.trusted_ca.iter_mut().for_each(resolve_file);
            context.watched_directory = None;
        }
        _ => {}
    }
}

/// `…key.pem` and `…ca.pem` by what they say, every other by a chain.
fn resolve_file(source: &mut DataSource) {
    let Some(data_source::Specifier::Filename(path)) = &mut source.specifier else {
        return;
    };
    if Path::new(path.as_str()).exists() {
        return;
    }
    let file = ["key.pem", "ca.pem"].into_iter().find(|end| path.ends_with(end));
    *path = ours().file(file.unwrap_or("chain.pem")).display().to_string();
}

/// What a TLS client says first when it asks for a server name.
pub fn client_hello(server_name: &str) -> Vec<u8> {
    let name = ServerName::try_from(server_name.to_owned()).expect("a server name");
    let config = Arc::new(ours().client(None, &[]));
    let mut connection = ClientConnection::new(config, name).expect("a client");
    let mut hello = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut hello).expect("a buffer takes it");
    }
    hello
}
