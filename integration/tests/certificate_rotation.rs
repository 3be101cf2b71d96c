//! Certificates are replaced under steady load: nothing fails, no connection is closed, and the new one is shown soon.
//!
//! A gateway in front calls a gateway behind it over TLS, which ends there and goes on to an application in plain text.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use ferromesh_integration::{
    load::Load,
    rig::{eventually, paths, ports, wait_for_status, Modules, Proxy, Rig, PATIENCE},
    two_colours::node,
    upstream::Upstream,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use reqwest::Method;
use serde_json::{json, Value};

const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/c";

/// The API's path of what there is for the ARN.
const OF_ARN: &str = "/v1/certificates/arn:aws:acm:us-east-1:123456789012:certificate%2Fc";

/// An authority of the test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

struct Pair {
    chain: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn issue(&self) -> Pair {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).expect("names");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn root(&self) -> String {
        self.0.pem()
    }
}

struct Bed {
    front: Proxy,
    back: Proxy,
    front_port: u16,
    back_port: u16,
    _app: Upstream,
}

impl Bed {
    /// `tls`: of the listener behind; `policy`: of the calls to it, or null.
    async fn start(rig: &Rig, tls: Value, policy: Value) -> Self {
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
            back: rig.proxy("mesh/m/virtualGateway/back").await.expect("a proxy"),
            front: rig.proxy("mesh/m/virtualGateway/front").await.expect("a proxy"),
            front_port,
            back_port,
            _app: app,
        };
        wait_for_status(&bed.url(), 200).await.expect("an answer over TLS");
        bed
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.front_port)
    }

    /// Serial numbers of the certificates that the gateway behind shows.
    async fn shown(&self) -> Vec<String> {
        let certificates = self.back.admin().get("/certs").await.expect("certificates");
        let certificates: Value = serde_json::from_str(&certificates).expect("JSON");
        let all = certificates["certificates"].as_array().expect("a list");
        let chains = all.iter().filter_map(|one| one["cert_chain"].as_array()).flatten();
        chains
            .filter_map(|one| Some(one["serial_number"].as_str()?.to_owned()))
            .collect()
    }

    /// Replaces what is shown under load, `times` times, and waits each time until it is.
    async fn rotate(&self, what: &str, root: &str, times: usize, mut replace: impl AsyncFnMut(usize)) {
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

fn by_arn() -> Value {
    json!({"mode": "STRICT", "certificate": {"acm": {"certificateArn": ARN}}})
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

/// `ferromesh certificate import`.
fn import(rig: &Rig, pair: &Pair, trust: &str) {
    let folder = rig.file("import");
    std::fs::create_dir_all(&folder).expect("a folder");
    let output = Command::new(paths::ferromesh().expect("the program"))
        .args(["certificate", "import", "--arn", ARN])
        .args(["--server", &format!("http://{}", rig.address())])
        .arg("--chain")
        .arg(write(&folder, "chain.pem", &pair.chain))
        .arg("--key")
        .arg(write(&folder, "key.pem", &pair.key))
        .arg("--trust")
        .arg(write(&folder, "trust.pem", trust))
        .output()
        .expect("the command");
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_certificate_is_replaced_and_its_key_is_nowhere_to_be_read() {
    let mut rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let both = one.root() + &two.root();
    let first = one.issue();
    import(&rig, &first, &both);
    let bed = Bed::start(&rig, by_arn(), Value::Null).await;
    bed.rotate("imported", &both, 4, async |time| {
        // The last ones are another authority's, which callers trust already.
        let authority = if time < 2 { &one } else { &two };
        import(&rig, &authority.issue(), &both);
    })
    .await;

    let shown = rig
        .accepted(Method::GET, OF_ARN, &Value::Null)
        .await
        .expect("it is there");
    assert_eq!(
        (&shown["source"], &shown["keyType"]),
        (&json!("imported"), &json!("EC-256"))
    );
    assert!(!shown.to_string().contains("PRIVATE"), "{shown}");
    let other = json!({"certificateChain": one.issue().chain, "privateKey": first.key});
    let refused = rig
        .call(Method::PUT, OF_ARN, other.to_string())
        .await
        .expect("an answer");
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("is not the key of the first certificate"),
        "{refused:?}"
    );

    // What was imported is still there after a restart; without its key file nothing starts.
    rig.kill_control_plane();
    let secret = first.key.lines().nth(1).expect("a line of the key").to_owned();
    let stored = std::fs::read(rig.file("data/ferromesh.redb")).expect("the store");
    assert!(!stored.windows(secret.len()).any(|window| window == secret.as_bytes()));
    assert!(!rig.log().contains(&secret));
    rig.start_control_plane().await.expect("a restart");
    let again = rig
        .accepted(Method::GET, OF_ARN, &Value::Null)
        .await
        .expect("it is there");
    assert_eq!(again["sha256"], shown["sha256"]);
    assert_eq!(ferromesh_integration::rig::status(&bed.url()).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_built_in_authority_is_renewed() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let bed = Bed::start(&rig, by_arn(), Value::Null).await;
    let root = std::fs::read_to_string(rig.file("data/certificates/root.pem")).expect("the root");
    bed.rotate("renewed", &root, 3, async |_| {
        let renew = format!("{OF_ARN}/renew");
        let renewed = rig.accepted(Method::POST, &renew, &Value::Null).await.expect("renewed");
        assert_eq!(renewed["source"], "issued");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_in_files_are_replaced_as_kubernetes_does_it() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let authority = Authority::new("files");
    let folder = rig.file("mounted");
    std::fs::create_dir_all(&folder).expect("a folder");
    let publish = |version: usize| {
        let pair = authority.issue();
        let data = folder.join(format!("..{version}"));
        std::fs::create_dir_all(&data).expect("a folder");
        write(&data, "chain.pem", &pair.chain);
        write(&data, "key.pem", &pair.key);
        write(&data, "ca.pem", &authority.root());
        symlink(&data, folder.join("..new")).expect("a link");
        std::fs::rename(folder.join("..new"), folder.join("..data")).expect("a new version");
    };
    publish(0);
    let file = |name: &str| {
        symlink(Path::new("..data").join(name), folder.join(name)).expect("a link");
        folder.join(name).display().to_string()
    };
    let (chain, key, ca) = (file("chain.pem"), file("key.pem"), file("ca.pem"));
    let tls = json!({"mode": "STRICT", "certificate": {"file": {"certificateChain": chain, "privateKey": key}}});
    let policy = json!({"validation": {"trust": {"file": {"certificateChain": ca}}}});
    let bed = Bed::start(&rig, tls, policy).await;
    bed.rotate("files", &authority.root(), 3, async |time| publish(time + 1))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_show_identities_of_the_built_in_authority_and_check_each_other() {
    let rig = Rig::start_with(Modules::Absent).await.expect("a rig");
    let identity = |name: &str| format!("spiffe://ferromesh.local/mesh/m/virtualGateway/{name}");
    let own = json!({"sds": {"secretName": "ferromesh:identity"}});
    let checking = |name: &str| {
        json!({"trust": {"sds": {"secretName": "ferromesh:authority"}},
            "subjectAlternativeNames": {"match": {"exact": [identity(name)]}}})
    };
    let tls = json!({"mode": "STRICT", "certificate": own, "validation": checking("front")});
    let policy = json!({"certificate": own, "validation": checking("back")});
    let bed = Bed::start(&rig, tls, policy).await;

    // Renewed at both ends, in this order.
    for name in ["back", "front"] {
        let before = bed.shown().await;
        let renew = format!("/v1/certificates/ferromesh:identity/mesh/m/virtualGateway/{name}/renew");
        let renewed = rig.accepted(Method::POST, &renew, &Value::Null).await;
        let renewed = renewed.expect("an identity that was issued");
        let names = renewed["subjectAlternativeNames"].as_array().expect("names");
        assert!(names.contains(&json!(identity(name))), "{renewed}");
        if name == "back" {
            eventually("another identity is shown", PATIENCE, async || {
                (bed.shown().await != before).then_some(())
            })
            .await
            .expect("another identity");
        }
        wait_for_status(&bed.url(), 200).await.expect("an answer");
    }

    // Either end refuses another identity.
    let gateway = "meshes/m/virtualGateways/front";
    let mut spec = rig.get(gateway).await.expect("the gateway")["spec"].clone();
    spec["backendDefaults"]["clientPolicy"]["tls"]["validation"] = checking("other");
    rig.put(gateway, &json!({"spec": spec})).await.expect("an update");
    wait_for_status(&bed.url(), 503).await.expect("a refusal");
    spec["backendDefaults"]["clientPolicy"]["tls"]["validation"] = checking("back");
    rig.put(gateway, &json!({"spec": spec})).await.expect("an update");
    wait_for_status(&bed.url(), 200).await.expect("an answer");
    let gateway = "meshes/m/virtualGateways/back";
    let mut spec = rig.get(gateway).await.expect("the gateway")["spec"].clone();
    spec["listeners"][0]["tls"]["validation"] = checking("other");
    rig.put(gateway, &json!({"spec": spec})).await.expect("an update");
    wait_for_status(&bed.url(), 503).await.expect("a refusal");
}
