//! Stock Envoy with certificates: the right one, a wrong one, one that is revoked while it is in use, and one of an authority
//! that is believed no more.

use std::time::Duration;

use ferromesh_integration::{
    rig::{eventually, ports, wait_for_status, Envoy, PATIENCE},
    two_colours::node,
    upstream::Upstream,
};
use serde_json::{json, Value};

use crate::world::{Authority, Pair, World};

/// Within which whoever may no longer have a configuration is cut.
const LIMIT: Duration = Duration::from_secs(60);

/// A bootstrap as somebody would write it who runs no agent.
fn bootstrap(world: &World, id: &str, pair: &Pair) -> String {
    let root = world.root();
    let inline = |text: &str| json!({ "inline_string": text });
    // Whoever is refused is live all the same, with nothing to serve.
    let from_ads = json!({ "ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "2s" });
    let http2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let (host, port) = world.address.rsplit_once(':').expect("host:port");
    let port: u16 = port.parse().expect("a port");
    let address = json!({ "socket_address": { "address": host, "port_value": port } });
    let bootstrap = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "node": { "id": id, "cluster": id },
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{ "envoy_grpc": { "cluster_name": "control-plane" } }],
            },
            "cds_config": from_ads,
            "lds_config": from_ads,
        },
        "static_resources": { "clusters": [{
            "name": "control-plane",
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": "control-plane",
                "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
            },
            "typed_extension_protocol_options": { http2: {
                "@type": format!("type.googleapis.com/{http2}"),
                "explicit_http_config": { "http2_protocol_options": {} },
            } },
            "transport_socket": {
                "name": "tls",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": "localhost",
                    "common_tls_context": {
                        "tls_certificates": [{
                            "certificate_chain": inline(&pair.chain),
                            "private_key": inline(&pair.key),
                        }],
                        "validation_context": { "trusted_ca": inline(&root) },
                    },
                },
            },
        }] },
    });
    bootstrap.to_string()
}

/// A gateway that leads to an application.
pub async fn mesh(world: &World, gateway: &str, upstream: &Upstream) -> u16 {
    let port = ports::free().expect("a port");
    let rig = &world.rig;
    let put = async |path: &str, body: Value| {
        rig.put(path, &body).await.expect(path);
    };
    put("meshes", json!({"meshName": "m"})).await;
    put(
        "meshes/m/virtualNodes",
        json!({"virtualNodeName": "app", "spec": node(upstream.port())}),
    )
    .await;
    let provider = json!({"virtualNode": {"virtualNodeName": "app"}});
    put(
        "meshes/m/virtualServices",
        json!({"virtualServiceName": "app.local", "spec": {"provider": provider}}),
    )
    .await;
    let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
    put(
        "meshes/m/virtualGateways",
        json!({"virtualGatewayName": gateway, "spec": {"listeners": [listener]}}),
    )
    .await;
    let target = json!({"virtualService": {"virtualServiceName": "app.local"}});
    put(
        &format!("meshes/m/virtualGateway/{gateway}/gatewayRoutes"),
        json!({
            "gatewayRouteName": "all",
            "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}},
        }),
    )
    .await;
    port
}

async fn is_connected(envoy: &Envoy) -> Option<bool> {
    let stats = envoy.admin().stats("control_plane.connected_state").await.ok()?;
    stats.get("control_plane.connected_state").map(|state| *state == 1)
}

async fn refusals(world: &World, name: &str, reason: &str) -> Option<u64> {
    world.metric(&format!("{name}{{reason=\"{reason}\"}}")).await
}

/// Waits until the control plane has let go of an Envoy, whose traffic goes on.
async fn until_cut(world: &World, envoy: &Envoy, reason: &str, url: &str) {
    let waited = eventually("the cut", LIMIT, async || {
        let cut = refusals(world, "ferromesh_proxies_cut_total", reason).await;
        cut.filter(|cut| *cut > 0)
    });
    waited.await.expect("the stream is cut in time");
    let waited = eventually("no way back", PATIENCE, async || {
        let is_on = is_connected(envoy).await?;
        let refused = refusals(world, "ferromesh_proxies_refused_total", reason).await?;
        (!is_on && refused > 0).then_some(())
    });
    waited.await.expect("it is refused when it comes again");
    wait_for_status(url, 200).await.expect("the traffic goes on");
}

#[tokio::test]
async fn an_envoy_is_who_its_certificate_says_until_that_is_revoked() {
    let world = World::start().await;
    let upstream = Upstream::start("app").await.expect("an application");
    let port = mesh(&world, "g", &upstream).await;
    let url = format!("http://127.0.0.1:{port}/");
    let pair = world.join("mesh/m/virtualGateway/g").await;

    let wrong = Envoy::start(&bootstrap(&world, "mesh/m/virtualNode/app", &pair))
        .await
        .expect("Envoy");
    let waited = eventually("a refusal", PATIENCE, async || {
        refusals(&world, "ferromesh_proxies_refused_total", "another_proxy").await
    });
    assert!(waited.await.expect("it is refused") > 0);
    let updates = wrong.admin().sum("[cl]ds.update_success").await.expect("counts");
    assert_eq!(updates, 0, "it was given nothing");
    drop(wrong);

    let envoy = Envoy::start(&bootstrap(&world, "mesh/m/virtualGateway/g", &pair))
        .await
        .expect("Envoy");
    wait_for_status(&url, 200).await.expect("it serves");
    assert_eq!(is_connected(&envoy).await, Some(true));
    world.revoke(json!({"proxy": "mesh/m/virtualGateway/g"})).await;
    until_cut(&world, &envoy, "revoked", &url).await;
    world.rig.shut_down().expect("a clean end");
}

#[tokio::test]
async fn an_envoy_of_another_authority_is_served_until_the_authority_is_believed_no_more() {
    let world = World::start().await;
    let upstream = Upstream::start("app").await.expect("an application");
    let gateway_port = mesh(&world, "g", &upstream).await;
    let url = format!("http://127.0.0.1:{gateway_port}/");
    // The other authority names virtual nodes only; the gateway comes by the built-in one.
    let gateway = world.join("mesh/m/virtualGateway/g").await;
    let front = Envoy::start(&bootstrap(&world, "mesh/m/virtualGateway/g", &gateway))
        .await
        .expect("Envoy");
    let spire = world.spire.issue(&["spiffe://example.org/ns/m/sa/app"]);
    let envoy = Envoy::start(&bootstrap(&world, "mesh/m/virtualNode/app", &spire))
        .await
        .expect("Envoy");
    wait_for_status(&url, 200).await.expect("it serves");
    let waited = eventually("a configuration", PATIENCE, async || {
        let updates = envoy.admin().stats("cluster_manager.cds.update_success").await.ok()?;
        updates.values().any(|count| *count > 0).then_some(())
    });
    waited.await.expect("the node has its configuration");

    std::fs::write(&world.client_ca, Authority::new("another").root()).expect("written");
    until_cut(&world, &envoy, "unvouched", &url).await;
    assert_eq!(is_connected(&front).await, Some(true), "the other is not meant");
    world.rig.shut_down().expect("a clean end");
}
