//! A control plane that asks proxies who they are, and authorities that say it.

use std::{path::PathBuf, sync::Arc};

use ferromesh_integration::rig::{ports, Modules, Rig};
use rcgen::{
    date_time_ymd, BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use reqwest::Method;
use rustls::{
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer},
    ClientConfig, RootCertStore,
};
use serde_json::{json, Value};

/// How the test's own authority names proxies, as SPIRE would.
pub const TEMPLATE: &str = "spiffe://example.org/ns/{mesh}/sa/{name}";

/// A certificate with its key, PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    pub chain: String,
    pub key: String,
}

/// An authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    pub fn root(&self) -> String {
        self.0.pem()
    }

    /// A certificate for servers and clients, as SPIRE issues them.
    pub fn issue(&self, uris: &[&str]) -> Pair {
        self.issue_as(uris, CertificateParams::default())
    }

    /// One whose life was over long ago.
    pub fn issue_expired(&self, uris: &[&str]) -> Pair {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 2);
        self.issue_as(uris, params)
    }

    fn issue_as(&self, uris: &[&str], mut params: CertificateParams) -> Pair {
        params.distinguished_name.push(DnType::CommonName, "workload");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("a URI")));
        params.subject_alt_names = uris.collect();
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A control plane with a listener over TLS, on which nobody is believed without a certificate.
pub struct World {
    pub rig: Rig,
    /// `host:port` of the listener over TLS.
    pub address: String,
    pub spire: Authority,
    pub client_ca: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    pub async fn start() -> Self {
        Self::start_with(Vec::new()).await
    }

    /// With more arguments of the control plane.
    pub async fn start_with(more: Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let spire = Authority::new("spire");
        let client_ca = folder.path().join("client-ca.pem");
        std::fs::write(&client_ca, spire.root()).expect("written");
        let address = format!("127.0.0.1:{}", ports::free().expect("a port"));
        let arguments = [
            "--listen",
            &format!("https://{address}"),
            "--client-ca",
            &client_ca.display().to_string(),
            "--proxy-identity",
            "required",
            "--spiffe-id-template",
            TEMPLATE,
        ];
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        let arguments = arguments.chain(more).collect();
        let rig = Rig::start_as(Modules::Built, arguments, None)
            .await
            .expect("a control plane");
        Self {
            rig,
            address,
            spire,
            client_ca,
            _folder: folder,
        }
    }

    pub fn root(&self) -> String {
        std::fs::read_to_string(self.rig.file("data/certificates/root.pem")).expect("the authority")
    }

    /// A join token for a proxy.
    pub async fn token(&self, proxy: &str, uses: u32) -> String {
        let body = json!({"proxy": proxy, "uses": uses});
        let made = self
            .rig
            .accepted(Method::POST, "/v1/join-tokens", &body)
            .await
            .expect("a token");
        made["token"].as_str().expect("a token").to_owned()
    }

    /// A certificate of the built-in authority, by a join token.
    pub async fn join(&self, proxy: &str) -> Pair {
        let token = self.token(proxy, 1).await;
        let key = KeyPair::generate().expect("a key");
        let body = json!({"csr": request(&key), "token": token});
        let issued = self.post_over_tls(None, &body).await;
        assert_eq!(issued.0, 200, "{issued:?}");
        Pair {
            chain: text(&issued.1, "certificateChain"),
            key: key.serialize_pem(),
        }
    }

    /// Asks for a certificate over TLS.
    pub async fn post_over_tls(&self, shown: Option<&Pair>, body: &Value) -> (u16, Value) {
        let answered = self.post_to("/v1/identity/certificates", shown, body).await;
        answered.expect("an answer")
    }

    /// Posts to a path over TLS; what went wrong, if there is no answer.
    pub async fn post_to(&self, path: &str, shown: Option<&Pair>, body: &Value) -> Result<(u16, Value), String> {
        let mut config = (*self.config(shown)).clone();
        config.alpn_protocols.clear();
        let client = reqwest::Client::builder()
            .no_proxy()
            .use_preconfigured_tls(config)
            .build()
            .expect("a client");
        let url = format!("https://{}{path}", self.address);
        let answer = client.post(url).json(body).send().await;
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.map_err(|error| format!("{error:?}"))?))
    }

    /// The value of a metric's series, as it stands in the text; `None` while nothing was counted.
    pub async fn metric(&self, series: &str) -> Option<u64> {
        let url = format!("http://{}/metrics", self.rig.address());
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        let of_it = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(of_it)
    }

    pub async fn revoke(&self, body: Value) {
        let revoked = self.rig.accepted(Method::POST, "/v1/identity/revocations", &body).await;
        revoked.expect("a revocation");
    }

    /// HTTP/2 to the listener over TLS.
    pub fn config(&self, shown: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.root().as_bytes()).expect("PEM");
        roots.add(root).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::pem_slice_iter(pair.chain.as_bytes());
                let chain = chain.collect::<Result<Vec<_>, _>>().expect("a chain");
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

/// A signing request that says nothing but its key.
pub fn request(key: &KeyPair) -> String {
    let request = CertificateParams::default().serialize_request(key).expect("a request");
    request.pem().expect("PEM")
}

pub fn text(value: &Value, member: &str) -> String {
    value[member].as_str().expect("a text").to_owned()
}
