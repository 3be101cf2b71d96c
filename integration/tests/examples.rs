//! Example meshes of App Mesh, created file by file with the unmodified `aws` CLI, behave as their README says.
//!
//! Their files fix the ports: the gateway and every node listen on 9080. A gateway's Envoy listens on
//! 0.0.0.0:9080, each node's application on an address of its own, 127.0.0.2:9080 and so on, which the kernel
//! prefers over the wildcard.

use std::{collections::BTreeMap, net::SocketAddr};

use ferromesh_integration::{
    rig::{eventually, example::Example, Proxy, Rig, PATIENCE},
    stats,
    upstream::Upstream,
};
use serde_json::{json, Value};
use tokio::sync::Mutex;

/// Port 9080 is one: one example at a time.
static PORT: Mutex<()> = Mutex::const_new(());
const GATEWAY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9080);

/// How often each status and colour was answered; no colour: the answer came from Envoy itself.
type Answers = BTreeMap<(u16, Option<String>), usize>;

/// A running example mesh `m` with a gateway `colorgateway-vg`.
struct Mesh {
    gateway: Proxy,
    upstreams: Vec<Upstream>,
    rig: Rig,
    example: Example,
    scheme: &'static str,
}

impl Mesh {
    /// The parts that both examples have: mesh, nodes, routers with a route and a service each, gateway.
    async fn create(example: Example, colours: &[&str], gateway: &[(&str, &str)]) -> Self {
        let rig = Rig::start().await.expect("a control plane");
        let gateway_proxy = rig
            .start_proxy("mesh/m/virtualGateway/colorgateway-vg")
            .expect("a proxy");
        let mut mesh = Self {
            gateway: gateway_proxy,
            upstreams: Vec::new(),
            rig,
            example,
            scheme: "http",
        };
        mesh.file("create-mesh", "mesh.json", &[], json!({})).await;
        for (number, colour) in (2..).zip(colours) {
            let host = format!("127.0.0.{number}");
            let address = format!("{host}:9080").parse().expect("an address");
            let upstream = Upstream::start_at(colour, address).await;
            mesh.upstreams.push(upstream.expect("an upstream"));
            let node = format!("colorteller-{colour}-vn");
            mesh.file(
                "create-virtual-node",
                &format!("{node}.json"),
                &[("DNS_HOSTNAME", &host)],
                json!({"virtualNodeName": node}),
            )
            .await;
        }
        for number in [1, 2] {
            let router = format!("colorteller-vr-{number}");
            let route = format!("colorteller-route-{number}");
            let service = format!("colorteller-vs-{number}");
            let name = json!({"virtualRouterName": router});
            mesh.file("create-virtual-router", &format!("{router}.json"), &[], name)
                .await;
            let name = json!({"virtualRouterName": router, "routeName": route});
            mesh.file("create-route", &format!("{route}.json"), &[], name).await;
            let name = json!({"virtualServiceName": format!("{service}.local")});
            mesh.file("create-virtual-service", &format!("{service}.json"), &[], name)
                .await;
        }
        let name = json!({"virtualGatewayName": "colorgateway-vg"});
        mesh.file("create-virtual-gateway", "colorgateway-vg.json", gateway, name)
            .await;
        for number in [1, 2] {
            let route = format!("colorgateway-route-{number}");
            let service = format!("colorteller-vs-{number}.local");
            mesh.file(
                "create-gateway-route",
                &format!("{route}.json"),
                &[("VIRTUALSERVICE_NAME", &service)],
                json!({"virtualGatewayName": "colorgateway-vg", "gatewayRouteName": route}),
            )
            .await;
        }
        mesh.gateway.wait_until_live().await.expect("a live Envoy");
        mesh
    }

    /// Creates a resource from a file of the example, unchanged but for its variables.
    async fn file(&self, operation: &str, file: &str, variables: &[(&str, &str)], names: Value) {
        let mut input = self.example.input(file, variables, names).expect("an example file");
        input["meshName"] = json!("m");
        let created = self.rig.aws(operation, &input).await.expect(file);
        // What the CLI prints is what was sent, wrapped by its kind.
        let data = created.as_object().and_then(|o| o.values().next());
        let spec = data.map(|data| &data["spec"]).expect("a spec");
        let sent = input.get("spec").expect("a spec");
        assert!(includes(spec, sent), "{file}: {spec} was stored for {sent}");
    }

    /// A client that knows the gateway by its own name and, over TLS, trusts the built-in CA and nothing else.
    fn client(&self) -> reqwest::Client {
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .resolve("colorgateway-vg", GATEWAY);
        if self.scheme == "https" {
            let root = std::fs::read(self.rig.file("data/certificates/root.pem")).expect("the built-in CA's root");
            builder = builder.add_root_certificate(reqwest::Certificate::from_pem(&root).expect("a certificate"));
        }
        builder.build().expect("a client")
    }

    async fn ask(&self, path: &str, requests: usize) -> Answers {
        let (client, url) = (
            self.client(),
            format!("{}://colorgateway-vg:{}{path}", self.scheme, GATEWAY.port()),
        );
        let mut answers = Answers::new();
        for _ in 0..requests {
            let answer = client.get(&url).send().await.expect("an answer");
            let colour = answer
                .headers()
                .get("x-colour")
                .map(|c| c.to_str().expect("a colour").to_owned());
            *answers.entry((answer.status().as_u16(), colour)).or_default() += 1;
        }
        answers
    }

    /// Waits until the gateway answers `path` from an upstream.
    async fn wait_for(&self, path: &str) {
        let (client, url) = (
            self.client(),
            format!("{}://colorgateway-vg:{}{path}", self.scheme, GATEWAY.port()),
        );
        eventually(path, PATIENCE, async || {
            let answer = client.get(&url).send().await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await
        .expect(path);
    }

    async fn assert_status(&self, path: &str, status: u16) {
        assert_eq!(self.ask(path, 5).await, [((status, None), 5)].into(), "{path}");
    }

    fn upstream(&self, name: &str) -> &Upstream {
        let found = self.upstreams.iter().find(|u| u.name() == name);
        found.expect("an upstream of the example")
    }
}

/// Whether `stored` is `sent` with nothing changed; App Mesh itself adds `healthCheck.port` and `backends`.
fn includes(stored: &Value, sent: &Value) -> bool {
    match (stored, sent) {
        (Value::Object(stored), Value::Object(sent)) => {
            let added = |name: &String| !sent.contains_key(name);
            sent.iter()
                .all(|(name, sent)| stored.get(name).is_some_and(|stored| includes(stored, sent)))
                && stored
                    .keys()
                    .filter(|name| added(name))
                    .all(|name| name == "port" || name == "backends")
        }
        (Value::Array(stored), Value::Array(sent)) => {
            stored.len() == sent.len() && stored.iter().zip(sent).all(|(a, b)| includes(a, b))
        }
        _ => stored == sent,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn howto_ingress_gateway_splits_each_path_between_its_two_colours() {
    let _port = PORT.lock().await;
    let Some(example) = Example::find("howto-ingress-gateway") else {
        return;
    };
    let arn = [("CERTIFICATE_ARN", "arn:aws:acm:us-east-1:123456789012:certificate/c")];
    let mut mesh = Mesh::create(example, &["white", "blue", "black", "red"], &arn).await;
    // The gateway's file terminates TLS, strictly, with that certificate.
    mesh.scheme = "https";
    for path in ["/color1/tell", "/color2/tell"] {
        mesh.wait_for(path).await;
    }
    let plain = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert!(
        plain.get(format!("http://{GATEWAY}/color1/tell")).send().await.is_err(),
        "a plaintext request is refused"
    );
    for (path, [one, other]) in [("/color1/tell", ["white", "blue"]), ("/color2/tell", ["black", "red"])] {
        let answers = mesh.ask(path, 2_000).await;
        let of = |colour: &str| answers.get(&(200, Some(colour.to_owned()))).copied().unwrap_or(0);
        assert_eq!(of(one) + of(other), 2_000, "{path}: {answers:?}");
        let off = stats::sigmas(of(one), 2_000, 0.5);
        assert!(
            off <= 4.0,
            "{path}: {answers:?} is {off:.1} standard deviations off 50 %"
        );
        assert!(mesh.upstream(one).seen().iter().all(|seen| seen.path == "/tell"));
    }
    mesh.assert_status("/color1", 404).await;
    mesh.assert_status("/color2", 404).await;
    mesh.assert_status("/color3/tell", 404).await;
    mesh.assert_status("/", 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn howto_match_and_rewrite_at_ingress_leads_each_prefix_to_its_colour_under_the_services_name() {
    let _port = PORT.lock().await;
    let Some(example) = Example::find("howto-match-and-rewrite-at-ingress") else {
        return;
    };
    let mesh = Mesh::create(example, &["red", "yellow"], &[]).await;
    for (number, colour) in [(1, "red"), (2, "yellow")] {
        let path = format!("/{colour}/tell");
        mesh.wait_for(&path).await;
        mesh.upstream(colour).forget();
        let answers = mesh.ask(&path, 50).await;
        assert_eq!(answers, [((200, Some(colour.to_owned())), 50)].into());
        let service = format!("colorteller-vs-{number}.local");
        for seen in mesh.upstream(colour).seen() {
            assert_eq!((seen.host.as_str(), seen.path.as_str()), (service.as_str(), "/tell"));
        }
    }
    mesh.assert_status("/blue/tell", 404).await;
    mesh.assert_status("/red", 404).await;
    mesh.assert_status("/tell", 404).await;
}
