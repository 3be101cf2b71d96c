//! `ferromesh proxy` with stock Envoy over TLS, at two control planes over one etcd: it joins by a token at one, renews its
//! certificate, goes to the other when the one is killed, and is cut off there when it is revoked at the first.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ferromesh_integration::{
    load::Load,
    rig::{eventually, wait_for_status, Etcd, Proxy, Rig, PATIENCE},
    upstream::Upstream,
};
use rcgen::{date_time_ymd, CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use reqwest::Method;
use serde_json::{json, Value};

use crate::{
    envoys::mesh,
    streams::{ask, connect, TYPES},
    world::World,
};

const PROXY: &str = "mesh/m/virtualGateway/g";
const ARN: &str = "arn:aws:acm:us-east-1:123456789012:certificate/shared";
const ID: &str = "spiffe://ferromesh.local/mesh/m/virtualGateway/g";
/// Within which whoever may no longer have a configuration is cut.
const LIMIT: Duration = Duration::from_secs(60);

/// Where an agent keeps its certificate.
fn kept(state: &Path) -> PathBuf {
    state.join("credential.json")
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

/// Puts a certificate of the built-in authority in the place of the one that is kept: it has one of its four hours left, so it
/// is to be renewed.
fn make_old(world: &World, state: &Path) -> Value {
    let mut credential = read(&kept(state)).expect("a kept certificate");
    let key = KeyPair::from_pem(credential["key"].as_str().expect("PEM")).expect("a key");
    let file = |name: &str| std::fs::read_to_string(world.rig.file("data/certificates").join(name)).expect(name);
    let mut authority = CertificateParams::default();
    authority.distinguished_name = Default::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Ferromesh built-in CA");
    let issuer = Issuer::new(authority, KeyPair::from_pem(&file("root.key")).expect("a key"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let hour = Duration::from_secs(3600);
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(ID.try_into().expect("a URI"))];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(1970, 1, 1) + (now - 3 * hour);
    params.not_after = date_time_ymd(1970, 1, 1) + (now + hour);
    let old = params.signed_by(&key, &issuer).expect("a certificate");
    credential["chain"] = json!(old.pem());
    std::fs::write(kept(state), credential.to_string()).expect("written");
    credential
}

/// What the agent says of itself.
async fn told(proxy: &Proxy) -> Option<Value> {
    // It answers ten calls a second.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let url = format!("http://127.0.0.1:{}/status", proxy.agent_port());
    reqwest::get(url).await.ok()?.json().await.ok()
}

/// Waits until Envoy's stream is with a control plane; with which.
async fn connected(proxy: &Proxy) -> String {
    let waited = eventually("a control plane", PATIENCE, async || {
        let told = told(proxy).await?;
        let is_passed_on = told["configurationSource"] == "CONTROL_PLANE";
        let address = told["managementServerAddress"].as_str().filter(|_| is_passed_on)?;
        Some(address.to_owned())
    });
    waited
        .await
        .unwrap_or_else(|error| panic!("{error:#}\n{}", proxy.log()))
}

/// How agents of the gateway are started, one after the other.
struct Agents {
    endpoints: String,
    root: String,
    state: PathBuf,
    token: PathBuf,
}

impl Agents {
    fn start(&self, rig: &Rig) -> Proxy {
        let (state, token) = (self.state.display().to_string(), self.token.display().to_string());
        let variables = [
            ("APPMESH_XDS_ENDPOINT", self.endpoints.as_str()),
            ("FERROMESH_CA", &self.root),
            ("FERROMESH_JOIN_TOKEN_FILE", &token),
            ("FERROMESH_STATE_DIR", &state),
        ];
        rig.start_proxy_with(PROXY, &variables).expect("an agent")
    }
}

/// The SHA-256 of the certificate that a control plane serves for the ARN.
async fn fingerprint(world: &World) -> Option<String> {
    let answer = world.rig.call(Method::GET, "/v1/certificates", "").await.ok()?;
    let all = answer.body["certificates"].as_array()?;
    let ours = all.iter().find(|certificate| certificate["arn"] == ARN)?;
    ours["sha256"].as_str().map(str::to_owned)
}

/// A proxy whose listener shows a certificate of the built-in authority is given the same one by either control plane, and
/// another one by both when it is renewed at one.
async fn serve_the_same_certificate(a: &World, b: &World) {
    let tls = json!({"mode": "STRICT", "certificate": {"acm": {"certificateArn": ARN}}});
    let spec = json!({
        "listeners": [{"portMapping": {"port": 9443, "protocol": "http"}, "tls": tls}],
        "serviceDiscovery": {"dns": {"hostname": "tls.local"}},
    });
    let node = json!({"virtualNodeName": "tls", "spec": spec});
    a.rig.put("meshes/m/virtualNodes", &node).await.expect("a node");
    let pair = a.join("mesh/m/virtualNode/tls").await;
    let mut shown = Vec::new();
    for world in [a, b] {
        let given = eventually("its certificate", PATIENCE, async || {
            let mut sender = connect(world, Some(&pair)).await.ok()?;
            ask(&mut sender, "mesh/m/virtualNode/tls", TYPES[0], true).await.ok()?;
            fingerprint(world).await
        });
        shown.push(
            given
                .await
                .unwrap_or_else(|error| panic!("{error:#}\n{}", world.rig.log())),
        );
    }
    assert_eq!(shown[0], shown[1]);
    let renew = format!("/v1/certificates/{}/renew", ARN.replace('/', "%2F"));
    let renewed = a
        .rig
        .accepted(Method::POST, &renew, &json!({}))
        .await
        .expect("a renewal");
    assert_ne!(renewed["sha256"], json!(shown[0]));
    let followed = eventually("the renewed one", PATIENCE, async || {
        (fingerprint(b).await.map(Value::from).as_ref() == Some(&renewed["sha256"])).then_some(())
    });
    followed
        .await
        .unwrap_or_else(|error| panic!("{error:#}\n{}", b.rig.log()));
}

async fn answers(url: &str, proxy: &Proxy) {
    let answered = wait_for_status(url, 200).await;
    answered.unwrap_or_else(|error| panic!("{error:#}\n{}", proxy.log()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_joins_renews_fails_over_and_is_cut_off_by_whichever_control_plane_is_told() {
    let etcd = Etcd::start().await.expect("etcd");
    // Both at once: they find an empty store, and must come to have one authority.
    let arguments = || etcd.arguments().expect("arguments");
    let (a, b) = tokio::join!(World::start_with(arguments()), World::start_with(arguments()));
    assert_eq!(a.root(), b.root(), "one authority");
    let upstream = Upstream::start("app").await.expect("an application");
    let port = mesh(&a, "g", &upstream).await;
    serve_the_same_certificate(&a, &b).await;
    let url = format!("http://127.0.0.1:{port}/");
    let agents = Agents {
        endpoints: format!("https://{},https://{}", a.address, b.address),
        root: a.rig.file("data/certificates/root.pem").display().to_string(),
        state: a.rig.file("agent-state"),
        token: a.rig.file("join-token"),
    };

    // First contact, by a token that is good for one certificate; which control plane has made it is all the same.
    let token = b.token(PROXY, 1).await;
    std::fs::write(&agents.token, &token).expect("written");
    let mut proxy = agents.start(&a.rig);
    answers(&url, &proxy).await;
    let mode = std::fs::metadata(kept(&agents.state))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    proxy.terminate(PATIENCE).await.expect("it ends");
    drop(proxy);

    // What the next agent finds is to be renewed, which only the certificate itself can do: the token is used up.
    let old = make_old(&a, &agents.state);
    let proxy = agents.start(&a.rig);
    let renewed = eventually("the renewal", PATIENCE, async || {
        read(&kept(&agents.state)).filter(|kept| kept["chain"] != old["chain"])
    });
    let renewed = renewed
        .await
        .unwrap_or_else(|error| panic!("{error:#}\n{}", proxy.log()));
    assert_ne!(renewed["key"], old["key"], "with another key");
    answers(&url, &proxy).await;
    let load = Load::to(&url).per_second(100).start().await.expect("load");
    let taken = eventually("reports are taken", PATIENCE, async || {
        let series = "ferromesh_api_requests_total{operation=\"ReportProxy\",code=\"200\"}";
        let counts = [a.metric(series).await, b.metric(series).await];
        counts.into_iter().flatten().any(|count| count > 0).then_some(())
    });
    taken.await.unwrap_or_else(|error| panic!("{error:#}\n{}", proxy.log()));

    // The control plane that has it is killed: the other believes the certificate, and is believed.
    let before = connected(&proxy).await;
    let (mut killed, stays) = if before == a.address { (a, b) } else { (b, a) };
    assert_eq!(before, killed.address);
    killed.rig.kill_control_plane();
    let moved = eventually("the other control plane", PATIENCE, async || {
        (connected(&proxy).await == stays.address).then_some(())
    });
    moved.await.unwrap_or_else(|error| panic!("{error:#}\n{}", proxy.log()));

    // It is revoked at the one that it has left.
    killed.rig.start_control_plane().await.expect("a restart");
    killed.revoke(json!({ "proxy": PROXY })).await;
    let cut = eventually("the cut", LIMIT, async || {
        let series = "ferromesh_proxies_cut_total{reason=\"revoked\"}";
        stays.metric(series).await.filter(|count| *count > 0)
    });
    cut.await.expect("the stream is cut in time");
    let said = eventually("the reason, on either side", PATIENCE, async || {
        let is_said = |log: &str, words: [&str; 3]| words.iter().all(|word| log.contains(word));
        let agents = [
            "the control plane refuses this proxy its configuration",
            "revoked",
            &stays.address,
        ];
        let is_told = is_said(&proxy.log(), agents) && is_said(&stays.rig.log(), ["stream cut", "revoked", PROXY]);
        is_told.then_some(())
    });
    said.await.unwrap_or_else(|error| panic!("{error:#}\n{}", proxy.log()));
    let report = load.stop().await;
    report.assert_no_failures("the loss of a control plane and of an identity");
    let secret = token.rsplit('_').next().expect("a secret");
    for log in [proxy.log(), killed.rig.log(), stays.rig.log()] {
        assert!(!log.contains(secret) && !log.contains("PRIVATE KEY"), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
    drop(proxy);
    for world in [killed, stays] {
        world.rig.shut_down().expect("a clean end");
    }
}
