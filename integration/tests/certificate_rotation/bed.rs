//! A gateway in front that calls a gateway behind it over TLS, and authorities that issue what is shown.

use std::time::{Duration, Instant};

use ferromesh_integration::{
    load::Load,
    rig::{eventually, ports, wait_for_status, Proxy, Rig, PATIENCE},
    two_colours::node,
    upstream::Upstream,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::{json, Value};

/// An authority of the test's own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
#[derive(Clone)]
pub struct Pair {
    pub chain: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    pub fn issue(&self) -> Pair {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).expect("names");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    pub fn root(&self) -> String {
        self.0.pem()
    }
}

/// The two gateways.
pub struct Bed {
    front: Proxy,
    back: Proxy,
    front_port: u16,
    back_port: u16,
    _app: Upstream,
}

impl Bed {
    /// `tls`: of the listener behind; `policy`: of the calls to it, or null.
    pub async fn start(rig: &Rig, tls: Value, policy: Value) -> Self {
        Self::start_with(rig, tls, policy, &[]).await
    }

    /// The same, with more variables for the proxies.
    pub async fn start_with(rig: &Rig, tls: Value, policy: Value, variables: &[(&str, &str)]) -> Self {
        let app = Upstream::start("app").await.expect("an upstream");
        let (front_port, back_port) = (ports::free().expect("a port"), ports::free().expect("a port"));
        let put = async |path: &str, body: Value| {
            rig.put(path, &body).await.expect("a resource");
        };
        put("meshes", json!({"meshName": "m"})).await;
        let mut edge = node(back_port);
        edge["listeners"][0]["tls"] = tls.clone();
        for (name, spec) in [("app", node(app.port())), ("edge", edge)] {
            put("meshes/m/virtualNodes", json!({"virtualNodeName": name, "spec": spec})).await;
            let provider = json!({"virtualNode": {"virtualNodeName": name}});
            let service = json!({"virtualServiceName": format!("{name}.local"), "spec": {"provider": provider}});
            put("meshes/m/virtualServices", service).await;
        }
        let listener = |port: u16| json!({"portMapping": {"port": port, "protocol": "http"}});
        let mut back = listener(back_port);
        back["tls"] = tls;
        let mut front = json!({"listeners": [listener(front_port)]});
        if !policy.is_null() {
            front["backendDefaults"] = json!({"clientPolicy": {"tls": policy}});
        }
        for (name, spec, service) in [
            ("back", json!({"listeners": [back]}), "app.local"),
            ("front", front, "edge.local"),
        ] {
            put(
                "meshes/m/virtualGateways",
                json!({"virtualGatewayName": name, "spec": spec}),
            )
            .await;
            let action = json!({"target": {"virtualService": {"virtualServiceName": service}}});
            let route = json!({"gatewayRouteName": "all",
                "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": action}}});
            put(&format!("meshes/m/virtualGateway/{name}/gatewayRoutes"), route).await;
        }
        let bed = Self {
            back: proxy(rig, "back", variables).await,
            front: proxy(rig, "front", variables).await,
            front_port,
            back_port,
            _app: app,
        };
        wait_for_status(&bed.url(), 200).await.expect("an answer over TLS");
        bed
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.front_port)
    }

    /// Serial numbers of the certificates that the gateway behind shows.
    pub async fn shown(&self) -> Vec<String> {
        let certificates = self.back.admin().get("/certs").await.expect("certificates");
        let certificates: Value = serde_json::from_str(&certificates).expect("JSON");
        let all = certificates["certificates"].as_array().expect("a list");
        let chains = all.iter().filter_map(|one| one["cert_chain"].as_array()).flatten();
        chains
            .filter_map(|one| Some(one["serial_number"].as_str()?.to_owned()))
            .collect()
    }

    /// Replaces what is shown under load, `times` times, and waits each time until it is.
    pub async fn rotate(&self, what: &str, root: &str, times: usize, mut replace: impl AsyncFnMut(usize)) {
        let load = Load::to(self.url()).per_second(150).start().await.expect("load");
        let fresh = tokio::spawn(handshakes(self.back_port, root.to_owned()));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let closed = self.closed().await;
        for time in 0..times {
            let before = self.shown().await;
            let started = Instant::now();
            replace(time).await;
            let replaced = started.elapsed();
            eventually("another certificate is shown", PATIENCE, async || {
                let now = self.shown().await;
                (!now.is_empty() && now != before).then_some(())
            })
            .await
            .expect("another certificate");
            println!(
                "{what}: shown {:?} after {replaced:?} for the change",
                started.elapsed() - replaced
            );
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        let after = self.closed().await;
        let report = load.stop().await;
        report.assert_no_failures(what);
        assert!(report.len() > 100, "only {} requests", report.len());
        assert_eq!(after, closed, "{what}: closed connections between the gateways");
        fresh.abort();
        match fresh.await {
            Err(error) if error.is_cancelled() => {}
            ended => panic!("{what}: a new connection failed: {ended:?}"),
        }
    }

    /// How many connections from the gateway in front to the one behind were closed so far.
    async fn closed(&self) -> u64 {
        let filter = "^cluster\\.cds_egress_m_edge_http_[0-9]+\\.upstream_cx_destroy$";
        self.front.admin().sum(filter).await.expect("statistics")
    }
}

/// One request after the other, each over a TLS connection of its own, until one fails.
async fn handshakes(port: u16, root: String) -> String {
    let roots = reqwest::Certificate::from_pem_bundle(root.as_bytes()).expect("roots");
    let mut client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .http1_only();
    for root in roots {
        client = client.add_root_certificate(root);
    }
    let client = client.build().expect("a client");
    let mut count = 0;
    loop {
        match client.get(format!("https://127.0.0.1:{port}/")).send().await {
            Ok(answer) if answer.status() == 200 => count += 1,
            other => return format!("after {count}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn proxy(rig: &Rig, name: &str, variables: &[(&str, &str)]) -> Proxy {
    let proxy = rig.start_proxy_with(&format!("mesh/m/virtualGateway/{name}"), variables);
    let proxy = proxy.expect("a proxy");
    proxy.wait_until_live().await.expect("a proxy that is live");
    proxy
}
