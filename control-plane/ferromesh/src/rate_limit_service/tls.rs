//! TLS of the service itself, from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// Reads certificate chain, key and, where callers must show a certificate, who may have signed it.
pub(super) fn acceptor(certificate: &Path, key: &Path, client_ca: Option<&Path>) -> Result<TlsAcceptor, String> {
    let chain = certificates("--tls-cert", certificate)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| named("--tls-key", key, &error))?;
    let builder = match client_ca {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| named("--tls-client-ca", path, error);
            let mut roots = RootCertStore::empty();
            for root in certificates("--tls-client-ca", path)? {
                roots.add(root).map_err(|error| wrong(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            ServerConfig::builder().with_client_cert_verifier(verifier.map_err(|error| wrong(&error))?)
        }
    };
    let mut config = builder
        .with_single_cert(chain, secret)
        .map_err(|error| named("--tls-cert", certificate, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(flag: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| named(flag, path, &error))?;
    if read.is_empty() {
        return Err(named(flag, path, &"has no certificate"));
    }
    Ok(read)
}

fn named(flag: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{flag} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Request, Response};
    use http_body_util::{BodyExt, Full};
    use hyper::body::Incoming;
    use rustls::pki_types::ServerName;
    use rustls::ClientConfig;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::address::{Address, Listener};
    use crate::server::{self, Body, Limits};

    async fn hello(_: Request<Incoming>) -> Response<Body> {
        let body = Full::from("hello").map_err(|never| match never {});
        Response::new(body.boxed_unsync())
    }

    /// What the service says to a client, or why it does not.
    async fn asked(address: &Address, client: ClientConfig) -> std::io::Result<String> {
        let Address::Tcp(address) = address else {
            panic!("{address}")
        };
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("limits.local").unwrap();
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn callers_must_show_a_certificate_where_that_is_asked_for_and_silent_ones_are_cut() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["limits.local".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let tls = acceptor(&certificate, &key, Some(&certificate)).unwrap();
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address().unwrap();
        let limits = Limits {
            first_request: Duration::from_secs(2),
            ..Limits::default()
        };
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(server::run_with(listener, Some(tls), hello, limits, shutdown.clone()));

        let trusting = || {
            let mut roots = RootCertStore::empty();
            roots.add(made.cert.der().clone()).unwrap();
            ClientConfig::builder().with_root_certificates(roots)
        };
        let own = PrivateKeyDer::from_pem_file(&key).unwrap();
        let known = trusting()
            .with_client_auth_cert(vec![made.cert.der().clone()], own)
            .unwrap();
        let answer = asked(&address, known).await.unwrap();
        assert!(answer.ends_with("hello"), "{answer}");
        let unknown = asked(&address, trusting().with_no_client_auth()).await;
        assert!(unknown.is_err(), "{unknown:?}");

        let Address::Tcp(socket) = &address else {
            panic!("{address}")
        };
        let mut silent = TcpStream::connect(socket).await.unwrap();
        let mut buffer = [0; 16];
        let closed = tokio::time::timeout(Duration::from_secs(20), silent.read(&mut buffer));
        // A reset is a close too.
        assert!(matches!(closed.await.expect("it was left open"), Ok(0) | Err(_)));
        shutdown.cancel();
        running.await.unwrap();
    }
}
