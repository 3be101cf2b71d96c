//! TLS: which versions, which certificates, and what those hear who speak something else.

use std::{io::Write, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use ferromesh_integration::rig::{eventually, ports, Modules, Rig, PATIENCE};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    pki_types::{pem::PemObject, CertificateDer, ServerName},
    ClientConfig, RootCertStore,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{client::TlsStream, TlsConnector};

/// A ClientHello of TLS 1.1: version 3.2, one cipher suite of its time, no extensions and so no later version.
const TLS_1_1: &[u8] = &[
    22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0, 2, 0, 47, 1, 0,
];
/// Fatal alerts (RFC 8446 6.2): `handshake_failure`, as there is nothing of TLS 1.2 in it, or `protocol_version`.
const REFUSALS: [[u8; 2]; 2] = [[2, 40], [2, 70]];

/// An authority with a certificate for 127.0.0.1, in files.
fn write_certificate(folder: &Path, name: &str) -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), name.to_owned()]).expect("a certificate");
    // Both files at once, as far as readers see: the key first would not fit the old certificate.
    for (file, text) in [
        ("key.pem", made.signing_key.serialize_pem()),
        ("certificate.pem", made.cert.pem()),
    ] {
        let mut new = tempfile::NamedTempFile::new_in(folder).expect("a file");
        new.write_all(text.as_bytes()).expect("written");
        new.persist(folder.join(file)).expect("in place");
    }
    made.cert.pem()
}

fn trusting(pem: &str, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
    roots.add(root).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

async fn connect(address: &str, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    TlsConnector::from(config).connect(name, stream).await
}

/// One exchange of HTTP/1.1 on a connection that stays open.
async fn alive(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    stream.write_all(request).await.expect("sent");
    let mut buffer = [0; 2048];
    let read = stream.read(&mut buffer).await.expect("an answer");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

async fn rig_with(arguments: &[&str]) -> (Rig, String) {
    let address = format!("127.0.0.1:{}", ports::free().expect("a port"));
    let mut all = vec!["--listen".to_owned(), format!("https://{address}")];
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let rig = Rig::start_as(Modules::Built, all, None).await.expect("a control plane");
    (rig, address)
}

#[tokio::test]
async fn certificates_change_under_open_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = write_certificate(folder.path(), "first.local");
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let (rig, address) = rig_with(&["--tls-certificate", &certificate, "--tls-key", &key]).await;

    let mut open = connect(&address, trusting(&first, &[]))
        .await
        .expect("the first certificate");
    assert!(alive(&mut open).await.starts_with("HTTP/1.1 200"));

    let second = write_certificate(folder.path(), "second.local");
    let only_second = trusting(&second, &[]);
    let waited = eventually("the second certificate", PATIENCE, async || {
        connect(&address, Arc::clone(&only_second)).await.ok()
    });
    let mut new = waited.await.expect("the second certificate is served");
    assert!(alive(&mut new).await.starts_with("HTTP/1.1 200"));
    assert!(
        alive(&mut open).await.starts_with("HTTP/1.1 200"),
        "the old connection goes on"
    );

    // What cannot be used is not served.
    std::fs::write(folder.path().join("certificate.pem"), "nonsense").expect("written");
    let waited = eventually("a warning", PATIENCE, async || {
        rig.log().contains("the certificates before stay in use").then_some(())
    });
    waited.await.expect("it is said");
    assert!(connect(&address, only_second).await.is_ok());
    rig.shut_down().expect("a clean end");
}

#[tokio::test]
async fn old_tls_and_plain_http_are_refused_in_their_own_words() {
    let (rig, address) = rig_with(&[]).await;
    let mut old = TcpStream::connect(&address).await.expect("a connection");
    old.write_all(TLS_1_1).await.expect("sent");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, old.read_to_end(&mut answer)).await;
    read.expect("it is closed").expect("an alert");
    let is_refusal = REFUSALS.iter().any(|refusal| answer.get(5..7) == Some(&refusal[..]));
    assert!(answer.first() == Some(&21) && is_refusal, "{answer:?}");

    let mut plain = TcpStream::connect(&address).await.expect("a connection");
    plain
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = String::new();
    let read = tokio::time::timeout(PATIENCE, plain.read_to_string(&mut answer)).await;
    read.expect("it is closed").expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("https"),
        "{answer}"
    );
    rig.shut_down().expect("a clean end");
}

#[tokio::test]
async fn one_port_speaks_http_1_http_2_and_grpc_with_a_certificate_of_the_built_in_authority() {
    let (rig, address) = rig_with(&["--tls-name", "mesh.example"]).await;
    let root = std::fs::read_to_string(rig.file("data/certificates/root.pem")).expect("the authority");
    let mut first = connect(&address, trusting(&root, &[b"http/1.1"])).await.expect("TLS");
    assert_eq!(first.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(alive(&mut first).await.starts_with("HTTP/1.1 200"));

    let tls = connect(&address, trusting(&root, &[b"h2"])).await.expect("TLS");
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    two_protocols(tls, "https").await;
    // Without TLS, HTTP/2 is known beforehand.
    let plain = TcpStream::connect(rig.address()).await.expect("a connection");
    two_protocols(plain, "http").await;
    rig.shut_down().expect("a clean end");
}

/// The API and xDS over one HTTP/2 connection.
async fn two_protocols(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    scheme: &str,
) {
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    let running = tokio::spawn(connection);
    let request = |method: &str, path: &str, content_type: &str| {
        http::Request::builder()
            .method(method)
            .uri(format!("{scheme}://127.0.0.1{path}"))
            .header("content-type", content_type)
            .header("te", "trailers")
            .body(Full::new(Bytes::new()))
            .expect("a request")
    };
    let answer = sender
        .send_request(request("GET", "/v20190125/meshes", "application/json"))
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(&body[..], br#"{"meshes":[]}"#);

    let path = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
    let asked = sender.send_request(request("POST", path, "application/grpc"));
    let answer = tokio::time::timeout(Duration::from_secs(30), asked)
        .await
        .expect("in time")
        .expect("an answer");
    let content_type = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    assert_eq!(
        (answer.status().as_u16(), content_type),
        (200, Some("application/grpc"))
    );
    drop(sender);
    running.abort();
}
