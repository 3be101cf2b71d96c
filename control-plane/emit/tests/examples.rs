//! Meshes that users of App Mesh wrote, read from the folder in `FERROMESH_EXAMPLES`.

#[path = "../../model/tests/example_files/mod.rs"]
mod example_files;
mod support;

use std::path::Path;

use example_files::meshes::{Example, INGRESS_GATEWAY, MATCH_AND_REWRITE, MULTIPLE_LISTENERS};
use ferromesh_emit::Modules;
use ferromesh_ir::listener::Network;
use ferromesh_ir::route::Action;
use ferromesh_ir::simulate::{self, Request};
use ferromesh_ir::tls::Accepts;
use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use ferromesh_model::resource::Key;
use support::fixture::{self, Resource};
use support::{bootstrap, envoy, pki};

fn mesh(folder: &Path, example: Example) -> Mesh {
    let resources: Vec<Resource> = example
        .specs(folder)
        .map(|(place, spec)| {
            let key = Key::parse(&format!("mesh/m/{place}")).expect("a place in a mesh");
            Resource {
                kind: key.kind.wire_name().into(),
                name: key.name,
                parent: key.parent,
                target: None,
                spec,
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
    let Some(examples) = example_files::folder() else {
        return;
    };
    let mesh = mesh(&examples, INGRESS_GATEWAY);
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
    let Some(examples) = example_files::folder() else {
        return;
    };
    let mesh = mesh(&examples, MATCH_AND_REWRITE);
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
    let Some(examples) = example_files::folder() else {
        return;
    };
    let mesh = mesh(&examples, MULTIPLE_LISTENERS);
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
