//! Example meshes of App Mesh, created file by file with the unmodified `aws` CLI, behave as their README says.
//!
//! Their files fix the ports: the gateway and every node listen on 9080. A gateway's Envoy listens on
//! 0.0.0.0:9080, each node's application on an address of its own, 127.0.0.2:9080 and so on, which the kernel
//! prefers over the wildcard.

use ferromesh_integration::{
    load::{Load, Report},
    rig::{example::Example, wait_for_status, Proxy, Rig},
    upstream::Upstream,
};
use serde_json::{json, Value};
use tokio::sync::Mutex;

/// Port 9080 is one: one example at a time.
static PORT: Mutex<()> = Mutex::const_new(());
const GATEWAY: &str = "http://127.0.0.1:9080";

/// A running example mesh `m` with a gateway `colorgateway-vg`.
struct Mesh {
    gateway: Proxy,
    upstreams: Vec<Upstream>,
    rig: Rig,
    example: Example,
}

impl Mesh {
    /// The parts that both examples have: mesh, nodes, routers with a route and a service each, gateway.
    async fn create(example: Example, colours: &[&str], gateway: Value) -> Self {
        let rig = Rig::start().await.expect("a control plane");
        let gateway_proxy = rig
            .start_proxy("mesh/m/virtualGateway/colorgateway-vg")
            .expect("a proxy");
        let mut mesh = Self {
            gateway: gateway_proxy,
            upstreams: Vec::new(),
            rig,
            example,
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
        let input = json!({"meshName": "m", "virtualGatewayName": "colorgateway-vg", "spec": gateway});
        mesh.rig.aws("create-virtual-gateway", &input).await.expect("a gateway");
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

    async fn ask(&self, path: &str, requests: usize) -> Report {
        Load::to(format!("{GATEWAY}{path}"))
            .noting("x-colour")
            .send(requests)
            .await
            .expect("load")
    }

    async fn assert_status(&self, path: &str, status: u16) {
        let statuses = self.ask(path, 5).await.statuses();
        assert_eq!(statuses, [(status, 5)].into(), "{path}");
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
    // The gateway's listener terminates TLS with a certificate of ACM. Certificates come with TLS support;
    // until then the file is used without that one member.
    let mut gateway = example
        .input(
            "colorgateway-vg.json",
            &[("CERTIFICATE_ARN", "arn:aws:acm:us-east-1:123456789012:certificate/c")],
            json!({}),
        )
        .expect("the gateway's file")["spec"]
        .take();
    gateway["listeners"][0]
        .as_object_mut()
        .expect("a listener")
        .remove("tls");
    let mesh = Mesh::create(example, &["white", "blue", "black", "red"], gateway).await;
    for path in ["/color1/tell", "/color2/tell"] {
        wait_for_status(&format!("{GATEWAY}{path}"), 200).await.expect(path);
    }
    for (path, [one, other]) in [("/color1/tell", ["white", "blue"]), ("/color2/tell", ["black", "red"])] {
        let report = mesh.ask(path, 2_000).await;
        report.assert_no_failures(path);
        assert_eq!(report.notes().len(), 2, "{:?}", report.notes());
        report.assert_share(one, 0.5);
        report.assert_share(other, 0.5);
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
    let gateway = example
        .input("colorgateway-vg.json", &[], json!({}))
        .expect("the gateway's file")["spec"]
        .take();
    let mesh = Mesh::create(example, &["red", "yellow"], gateway).await;
    for (number, colour) in [(1, "red"), (2, "yellow")] {
        let path = format!("/{colour}/tell");
        wait_for_status(&format!("{GATEWAY}{path}"), 200).await.expect(&path);
        mesh.upstream(colour).forget();
        let report = mesh.ask(&path, 50).await;
        report.assert_no_failures(&path);
        assert_eq!(report.notes(), [(colour.to_owned(), 50)].into());
        let service = format!("colorteller-vs-{number}.local");
        for seen in mesh.upstream(colour).seen() {
            assert_eq!((seen.host.as_str(), seen.path.as_str()), (service.as_str(), "/tell"));
        }
    }
    mesh.assert_status("/blue/tell", 404).await;
    mesh.assert_status("/red", 404).await;
    mesh.assert_status("/tell", 404).await;
}
