//! Key sets that gateways fetch themselves: in the clear, over TLS with a verified certificate, and what happens to
//! requests while there is none.

use std::{
    path::Path,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc,
    },
    time::Duration,
};

use ferromesh_integration::{
    rig::{eventually, wait_for_status, PATIENCE},
    two_colours::TwoColours,
};
use reqwest::Method;
use rustls::{
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    ServerConfig,
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// A modulus whose private key was thrown away after it had signed [`TOKEN`].
const MODULUS: &str = "_0kuLHr2dd_qV5NYvAFQJMXQcgxrAwhV3RYqE9aMbjWNuRzEQc4iE_9hg_RYzfMf8hlPAqlOLtoPNt5dEYASVYAQUrIp0Nfmqcy9N6oUiL5uNr52fGedDXOZpJA3B7Zn46WDdP9j81sTw1q9ZznH5G_dkanIKpXArE08Y2VZoRCLpDM3MQNSEpRi2ZPG75rUtl0jnPIq0cIu4d4xgVIYD2lD-tQz-6wS76nSDJZgxnWR69c6f8ixtRnP_GHIHb2eSlJr1ZPUyMi3JALqcVkfe02eNHYseW0r5VziqUJ21oLK704h9eNESLnahGgEB4pkeq_WQSwnFj2idFSzBECa-w";
/// `{"iss":"https://acme.example","aud":"shop","sub":"ada"}`, RS256.
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2FjbWUuZXhhbXBsZSIsImF1ZCI6InNob3AiLCJzdWIiOiJhZGEifQ.JmOYKIX7TlJZgCbu_i-PI8rJ-45lfYq2asRcOXcLZCQs-oszc2F7bLlxUbogo0CP85h04--9g5X6RJ2SGtch2EIH1aGieWZPP6DapKRWv4JeFPOAeTNG7oNB7YJHCg0Q9OTqDiJ7mmg-j5rWqnAAA--u6GR0VZH6i5Wx9hlabF53DZ0_yFUySU7X0766z7Sd0a3g_a4E6yH9mvfJQjBkwnKYb44OWkHruJJeL6E2yrLdAa8_pZAHqOn8HDILpwriwHaTl6r_nlbEVzfK120zSIOWlSubORE9rZ0qafrxosP-R9cwWny0AexvxN9xIrBnFvRZBTdqKYdaeQXNIwQJug";

/// A server that gives the key set away, over TLS where it has a certificate.
struct KeyServer {
    port: u16,
    asked: Arc<AtomicU32>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl KeyServer {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let asked = Arc::new(AtomicU32::new(0));
        let counter = asked.clone();
        let serving = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (tls, counter) = (tls.clone(), counter.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &counter).await,
                        // A client that does not trust the certificate has gone.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, &counter).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, asked, serving }
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, counter: &AtomicU32) {
    let keys = json!({"keys": [{"kty": "RSA", "n": MODULUS, "e": "AQAB"}]}).to_string();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let status = if head.starts_with(b"GET /keys ") {
        counter.fetch_add(1, Ordering::SeqCst);
        "200 OK"
    } else {
        "404 Not Found"
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{keys}",
        keys.len()
    );
    // A client that has gone needs none.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A server's TLS for 127.0.0.1; the authority that has signed its certificate is written to a file.
fn tls(authority: &Path) -> TlsAcceptor {
    let mut params = rcgen::CertificateParams::default();
    // A name of its own: a certificate of the same name would be taken for one that signed itself.
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let issuer = rcgen::CertifiedIssuer::self_signed(params, key).expect("an authority");
    std::fs::write(authority, issuer.pem()).expect("its file");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("an address");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}

async fn ask_for_tokens(mesh: &TwoColours, remote: serde_json::Value) {
    let provider = json!({"name": "acme", "issuer": "https://acme.example", "jwks": {"remote": remote}});
    let policy = json!({"target": {"virtualGateway": "gateway"}, "spec": {"jwt": {"providers": [provider]}}});
    let path = "/v1/policies/colours/tokens";
    mesh.rig.accepted(Method::PUT, path, &policy).await.expect("the policy");
}

/// The status of a request with a token.
async fn with_token(mesh: &TwoColours, token: &str) -> Option<u16> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .ok()?;
    let request = client.get(mesh.url("/")).bearer_auth(token);
    Some(request.send().await.ok()?.status().as_u16())
}

async fn wait_for_token(mesh: &TwoColours) {
    eventually("the token is taken", PATIENCE, async || {
        (with_token(mesh, TOKEN).await == Some(200)).then_some(())
    })
    .await
    .expect("the token is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_fetches_a_key_set_before_requests_need_it_and_keeps_it() {
    let mesh = TwoColours::start([1, 1]).await.expect("the mesh");
    let server = KeyServer::start(None).await;
    let uri = format!("http://127.0.0.1:{}/keys", server.port);
    ask_for_tokens(&mesh, json!({"uri": uri, "cacheSeconds": 3600})).await;
    wait_for_status(&mesh.url("/"), 401)
        .await
        .expect("a token is asked for");
    let fetched = server.asked();
    assert!(fetched >= 1, "fetched before any token came");
    wait_for_token(&mesh).await;
    for _ in 0..20 {
        assert_eq!(with_token(&mesh, TOKEN).await, Some(200));
    }
    assert_eq!(server.asked(), fetched, "requests fetch nothing");
    let forged = TOKEN.replace("eyJpc3Mi", "eyJpc3Ni");
    assert_eq!(with_token(&mesh, &forged).await, Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_set_over_tls_is_taken_from_a_server_that_the_authorities_vouch_for_and_from_no_other() {
    let mesh = TwoColours::start([1, 1]).await.expect("the mesh");
    let (ours, theirs) = (mesh.rig.file("ours.pem"), mesh.rig.file("theirs.pem"));
    let server = KeyServer::start(Some(tls(&ours))).await;
    tls(&theirs);
    let uri = format!("https://127.0.0.1:{}/keys", server.port);
    ask_for_tokens(&mesh, json!({"uri": uri, "caFile": theirs})).await;
    wait_for_status(&mesh.url("/"), 401)
        .await
        .expect("a token is asked for");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(with_token(&mesh, TOKEN).await, Some(401), "without keys nobody passes");
    assert_eq!(server.asked(), 0, "the server was not trusted");

    ask_for_tokens(&mesh, json!({"uri": uri, "caFile": ours})).await;
    wait_for_token(&mesh).await;
    assert!(server.asked() >= 1);
}
