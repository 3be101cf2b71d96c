//! Meshes that users of App Mesh wrote, read from the folder in `FERROMESH_EXAMPLES`.
//!
//! The files are the inputs of `aws appmesh create-… --cli-input-json`: a spec each, with `$VARIABLE`s for jq. Kinds and
//! names are in the scripts beside them, which are repeated here.

mod support;

use std::path::{Path, PathBuf};

use ferromesh_emit::Modules;
use ferromesh_ir::listener::Network;
use ferromesh_ir::route::Action;
use ferromesh_ir::simulate::{self, Request};
use ferromesh_ir::tls::Accepts;
use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use serde_json::Value;
use support::fixture::{self, Resource};
use support::{bootstrap, envoy, pki};

/// Kind, name, parent, file, variables.
type Line = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const ONE: &str = "colorteller-1.local";
const TWO: &str = "colorteller-2.local";

const INGRESS_GATEWAY: &[Line] = &[
    ("mesh", "m", None, "mesh.json", &[]),
    (
        "virtualNode",
        "colorteller-white-vn",
        None,
        "colorteller-white-vn.json",
        &[("DNS_HOSTNAME", "white.local")],
    ),
    (
        "virtualNode",
        "colorteller-blue-vn",
        None,
        "colorteller-blue-vn.json",
        &[("DNS_HOSTNAME", "blue.local")],
    ),
    (
        "virtualNode",
        "colorteller-black-vn",
        None,
        "colorteller-black-vn.json",
        &[("DNS_HOSTNAME", "black.local")],
    ),
    (
        "virtualNode",
        "colorteller-red-vn",
        None,
        "colorteller-red-vn.json",
        &[("DNS_HOSTNAME", "red.local")],
    ),
    ("virtualRouter", "colorteller-vr-1", None, "colorteller-vr-1.json", &[]),
    ("virtualRouter", "colorteller-vr-2", None, "colorteller-vr-2.json", &[]),
    (
        "route",
        "colorteller-route-1",
        Some("colorteller-vr-1"),
        "colorteller-route-1.json",
        &[],
    ),
    (
        "route",
        "colorteller-route-2",
        Some("colorteller-vr-2"),
        "colorteller-route-2.json",
        &[],
    ),
    ("virtualService", ONE, None, "colorteller-vs-1.json", &[]),
    ("virtualService", TWO, None, "colorteller-vs-2.json", &[]),
    (
        "virtualGateway",
        "colorgateway-vg",
        None,
        "colorgateway-vg.json",
        &[("CERTIFICATE_ARN", "arn:aws:acm:us-east-1:123456789012:certificate/c")],
    ),
    (
        "gatewayRoute",
        "colorgateway-route-1",
        Some("colorgateway-vg"),
        "colorgateway-route-1.json",
        &[("VIRTUALSERVICE_NAME", ONE)],
    ),
    (
        "gatewayRoute",
        "colorgateway-route-2",
        Some("colorgateway-vg"),
        "colorgateway-route-2.json",
        &[("VIRTUALSERVICE_NAME", TWO)],
    ),
];

const MATCH_AND_REWRITE: &[Line] = &[
    ("mesh", "m", None, "mesh.json", &[]),
    (
        "virtualNode",
        "colorteller-red-vn",
        None,
        "colorteller-red-vn.json",
        &[("DNS_HOSTNAME", "red.local")],
    ),
    (
        "virtualNode",
        "colorteller-yellow-vn",
        None,
        "colorteller-yellow-vn.json",
        &[("DNS_HOSTNAME", "yellow.local")],
    ),
    ("virtualRouter", "colorteller-vr-1", None, "colorteller-vr-1.json", &[]),
    ("virtualRouter", "colorteller-vr-2", None, "colorteller-vr-2.json", &[]),
    (
        "route",
        "colorteller-route-1",
        Some("colorteller-vr-1"),
        "colorteller-route-1.json",
        &[],
    ),
    (
        "route",
        "colorteller-route-2",
        Some("colorteller-vr-2"),
        "colorteller-route-2.json",
        &[],
    ),
    ("virtualService", ONE, None, "colorteller-vs-1.json", &[]),
    ("virtualService", TWO, None, "colorteller-vs-2.json", &[]),
    ("virtualGateway", "colorgateway-vg", None, "colorgateway-vg.json", &[]),
    (
        "gatewayRoute",
        "colorgateway-route-1",
        Some("colorgateway-vg"),
        "colorgateway-route-1.json",
        &[("VIRTUALSERVICE_NAME", ONE)],
    ),
    (
        "gatewayRoute",
        "colorgateway-route-2",
        Some("colorgateway-vg"),
        "colorgateway-route-2.json",
        &[("VIRTUALSERVICE_NAME", TWO)],
    ),
];

const MULTIPLE_LISTENERS: &[Line] = &[
    ("mesh", "m", None, "mesh.json", &[]),
    (
        "virtualNode",
        "foodteller-vn",
        None,
        "foodteller-vn.json",
        &[("DNS_HOSTNAME", "food.local")],
    ),
    (
        "virtualNode",
        "colorteller-vn",
        None,
        "colorteller-vn.json",
        &[("DNS_HOSTNAME", "color.local")],
    ),
    ("virtualRouter", "foodteller-vr", None, "foodteller-vr.json", &[]),
    ("route", "fruit-route", Some("foodteller-vr"), "fruit-route.json", &[]),
    (
        "route",
        "vegetable-route",
        Some("foodteller-vr"),
        "vegetable-route.json",
        &[],
    ),
    ("virtualService", ONE, None, "foodteller-vs.json", &[]),
    ("virtualService", TWO, None, "colorteller-vs.json", &[]),
    ("virtualGateway", "tellergateway-vg", None, "tellergateway-vg.json", &[]),
    (
        "gatewayRoute",
        "fruit",
        Some("tellergateway-vg"),
        "fruit-gateway-route.json",
        &[("VIRTUALSERVICE_NAME", ONE)],
    ),
    (
        "gatewayRoute",
        "vegetable",
        Some("tellergateway-vg"),
        "vegetable-gateway-route.json",
        &[("VIRTUALSERVICE_NAME", ONE)],
    ),
    (
        "gatewayRoute",
        "color",
        Some("tellergateway-vg"),
        "color-gateway-route.json",
        &[("VIRTUALSERVICE_NAME", TWO)],
    ),
];

/// The examples' folder; `None`, said aloud, where there is none.
fn examples() -> Option<PathBuf> {
    let folder = std::env::var_os("FERROMESH_EXAMPLES")
        .map(PathBuf::from)
        .filter(|folder| folder.is_dir());
    if folder.is_none() {
        // Past the harness, which keeps what passing tests print to itself.
        let why = b"skipped: FERROMESH_EXAMPLES names no folder with App Mesh's examples\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), why);
    }
    folder
}

fn mesh(folder: &Path, lines: &[Line]) -> Mesh {
    let resources: Vec<Resource> = lines
        .iter()
        .map(|(kind, name, parent, file, variables)| {
            let path = folder.join("mesh").join(file);
            let mut text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            for (variable, value) in *variables {
                text = text.replace(&format!("${variable}"), &format!("{value:?}"));
            }
            let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Resource {
                kind: (*kind).into(),
                name: (*name).into(),
                parent: parent.map(str::to_owned),
                target: None,
                spec: json["spec"].clone(),
            }
        })
        .collect();
    fixture::mesh(&resources)
}

fn gateway(mesh: &Mesh) -> Proxy {
    let name = mesh.virtual_gateways.keys().next().expect("a gateway");
    lower::proxy(mesh, ProxyKind::VirtualGateway, name, &Options::default()).expect("the gateway")
}

fn envoy_takes(mesh: &Mesh) {
    let nodes = mesh.virtual_nodes.keys().map(|name| (ProxyKind::VirtualNode, name));
    let gateways = mesh
        .virtual_gateways
        .keys()
        .map(|name| (ProxyKind::VirtualGateway, name));
    for (kind, name) in nodes.chain(gateways) {
        let proxy = lower::proxy(mesh, kind, name, &Options::default()).expect("a proxy");
        let messages =
            ferromesh_emit::messages(&proxy, &Modules::default(), &pki::secrets(&proxy), &Default::default());
        envoy::validate(&bootstrap::of(messages)).unwrap_or_else(|said| panic!("{name}: {said}"));
    }
}

/// Where a request to a gateway's port ends: targets with weights and the path that they see, or the status.
fn ends(proxy: &Proxy, port: u16, path: &str) -> String {
    let table = proxy
        .route_tables
        .iter()
        .find(|table| table.id.port == port)
        .expect("a port of the gateway");
    let request = Request::get("gateway.example.com", path);
    let route = simulate::virtual_host(table, &request.host).and_then(|host| simulate::route(&host.routes, &request));
    match route {
        Some((_, route)) => match &route.action {
            Action::Forward(forward) => {
                let targets: Vec<String> = forward
                    .targets
                    .iter()
                    .map(|target| {
                        let name = ferromesh_emit::names::cluster(proxy, &target.cluster);
                        format!("{name}={}", target.weight)
                    })
                    .collect();
                let path = simulate::rewritten_path(path, &route.matcher.path, forward.path.as_ref());
                format!(
                    "{} {path} {}",
                    targets.join(","),
                    forward.host.as_deref().unwrap_or("-")
                )
            }
            Action::Respond(status) => status.to_string(),
        },
        None => "404".into(),
    }
}

#[test]
fn howto_ingress_gateway_splits_by_color_and_path() {
    let Some(examples) = examples() else { return };
    let mesh = mesh(&examples.join("howto-ingress-gateway"), INGRESS_GATEWAY);
    let proxy = gateway(&mesh);
    assert_eq!(
        ends(&proxy, 9080, "/color1/tell"),
        "cds_egress_m_colorteller-white-vn_http_9080=1,cds_egress_m_colorteller-blue-vn_http_9080=1 /tell colorteller-1.local"
    );
    assert_eq!(
        ends(&proxy, 9080, "/color2/tell"),
        "cds_egress_m_colorteller-black-vn_http_9080=1,cds_egress_m_colorteller-red-vn_http_9080=1 /tell colorteller-2.local"
    );
    assert_eq!(ends(&proxy, 9080, "/color1"), "404");
    assert_eq!(ends(&proxy, 9080, "/color3/tell"), "404");
    let accepts = &proxy.listeners[0].chains[0].accepts;
    assert!(matches!(accepts, Accepts::Tls(_)), "{accepts:?}");
    assert_eq!(proxy.lints.len(), 1, "{:?}", proxy.lints);
    assert!(proxy.lints[0].message.contains("is not imported"), "{:?}", proxy.lints);
    envoy_takes(&mesh);
}

#[test]
fn howto_match_and_rewrite_at_ingress_rewrites_path_and_host() {
    let Some(examples) = examples() else { return };
    let mesh = mesh(&examples.join("howto-match-and-rewrite-at-ingress"), MATCH_AND_REWRITE);
    let proxy = gateway(&mesh);
    assert_eq!(proxy.lints, []);
    assert_eq!(
        ends(&proxy, 9080, "/red/tell"),
        "cds_egress_m_colorteller-red-vn_http_9080=1 /tell colorteller-1.local"
    );
    assert_eq!(
        ends(&proxy, 9080, "/yellow/tell?a=b"),
        "cds_egress_m_colorteller-yellow-vn_http_9080=1 /tell?a=b colorteller-2.local"
    );
    assert_eq!(ends(&proxy, 9080, "/blue/tell"), "404");
    envoy_takes(&mesh);
}

#[test]
fn howto_multiple_listeners_tells_ports_apart() {
    let Some(examples) = examples() else { return };
    let mesh = mesh(&examples.join("howto-multiple-listeners"), MULTIPLE_LISTENERS);
    let proxy = gateway(&mesh);
    assert_eq!(proxy.lints, []);
    assert_eq!(
        ends(&proxy, 1111, "/fruit/a"),
        "cds_egress_m_foodteller-vn_http_5555=1 /a colorteller-1.local"
    );
    assert_eq!(
        ends(&proxy, 1111, "/vegetable/a"),
        "cds_egress_m_foodteller-vn_http_6666=1 /a colorteller-1.local"
    );
    assert_eq!(
        ends(&proxy, 2222, "/a"),
        "cds_egress_m_colorteller-vn_http_7777=1 /a colorteller-2.local"
    );
    assert_eq!(ends(&proxy, 1111, "/a"), "404");
    let ports: Vec<u16> = proxy
        .listeners
        .iter()
        .flat_map(|listener| &listener.chains)
        .filter(|chain| matches!(chain.network, Network::Http(_)))
        .map(|chain| chain.port)
        .collect();
    assert_eq!(ports, [1111, 2222]);
    envoy_takes(&mesh);
}
