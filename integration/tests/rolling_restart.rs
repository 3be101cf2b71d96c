//! Two control planes over etcd are restarted one after the other, first as an upgrade does it and then with kill -9, while
//! proxies are served, requests flow and both APIs are used: no request fails, and no proxy is sent anything twice or anything old.

use std::{
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

use ferromesh_integration::{
    full,
    load::Load,
    rig::{eventually, ports, wait_for_status, Envoy, Etcd, Modules, Rig, PATIENCE},
    two_colours,
    upstream::Upstream,
};
use ferromesh_xds_load::{
    fleet::{Fleet, Order},
    proxy::Variant,
    stamp::Stamp,
    way::Way,
};
use reqwest::Method;
use serde_json::{json, Value};

/// The gateway, which everybody in this test is but for one agent.
const NODE: &str = "mesh/colours/virtualGateway/gateway";
/// The gateway of the agent.
const BEHIND_AGENT: &str = "mesh/colours/virtualGateway/behind-agent";
/// Another route beside the one that requests take: it changes all the time.
const CHANGING: &str = "/v20190125/meshes/colours/virtualRouter/color/routes/changing";
/// How long a control plane may take to end when it is asked to.
const END: Duration = Duration::from_secs(20);

/// A stock Envoy without the agent, whose cluster of control planes has two endpoints. It gets its listener from them, so there
/// is one Envoy only; its own bootstrap is the least that works.
fn bootstrap(control_planes: [&str; 2]) -> String {
    let endpoint = |address: &str| {
        let (host, port) = address.rsplit_once(':').expect("host:port");
        let port: u16 = port.parse().expect("a port");
        json!({"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}})
    };
    let http2 = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }});
    let from_ads = json!({"resource_api_version": "V3", "ads": {}});
    json!({
        "node": {"id": NODE, "cluster": "colours"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "ferromesh_xds"}}],
            },
            "cds_config": from_ads,
            "lds_config": from_ads,
        },
        "static_resources": {"clusters": [{
            "name": "ferromesh_xds",
            "type": "STATIC",
            "connect_timeout": "1s",
            "typed_extension_protocol_options": http2,
            "load_assignment": {
                "cluster_name": "ferromesh_xds",
                "endpoints": [{"lb_endpoints": [endpoint(control_planes[0]), endpoint(control_planes[1])]}],
            },
        }]},
    })
    .to_string()
}

/// Makes the mesh of two colours through one control plane, without a proxy.
async fn fill(rig: &Rig, colours: [u16; 2], gateways: [(&str, u16); 2]) {
    let own = "meshes/colours";
    let listener = |port: u16| json!([{"portMapping": {"port": port, "protocol": "http"}}]);
    let target = json!({"virtualService": {"virtualServiceName": two_colours::SERVICE}});
    let provider = json!({"virtualRouter": {"virtualRouterName": "color"}});
    let mut puts: Vec<(String, Value)> = vec![
        ("meshes".to_owned(), json!({"meshName": "colours"})),
        (
            format!("{own}/virtualNodes"),
            json!({"virtualNodeName": "blue", "spec": two_colours::node(colours[0])}),
        ),
        (
            format!("{own}/virtualNodes"),
            json!({"virtualNodeName": "green", "spec": two_colours::node(colours[1])}),
        ),
        (
            format!("{own}/virtualRouters"),
            json!({"virtualRouterName": "color", "spec": {"listeners": listener(9000)}}),
        ),
        (
            format!("{own}/virtualRouter/color/routes"),
            json!({"routeName": "color", "spec": two_colours::route([50, 50])}),
        ),
        (
            format!("{own}/virtualRouter/color/routes"),
            json!({"routeName": "changing", "spec": changing(Stamp::now())}),
        ),
        (
            format!("{own}/virtualServices"),
            json!({"virtualServiceName": two_colours::SERVICE, "spec": {"provider": provider}}),
        ),
    ];
    for (name, port) in gateways {
        puts.push((
            format!("{own}/virtualGateways"),
            json!({"virtualGatewayName": name, "spec": {"listeners": listener(port)}}),
        ));
        puts.push((
            format!("{own}/virtualGateway/{name}/gatewayRoutes"),
            json!({"gatewayRouteName": "all", "spec": {"httpRoute": {"match": {"prefix": "/"}, "action": {"target": target}}}}),
        ));
    }
    for (path, body) in puts {
        rig.put(&path, &body).await.expect("a part of the mesh");
    }
}

/// A route that no request takes, with a moment in its prefix: another one each time.
fn changing(stamp: Stamp) -> Value {
    let targets = json!([{"virtualNode": "blue", "weight": 1}]);
    json!({"httpRoute": {"match": {"prefix": format!("/{stamp}")}, "action": {"weightedTargets": targets}}})
}

/// Somebody who changes the route through both control planes in turn, and goes to the other when one is not there.
struct Writer {
    is_over: Arc<AtomicBool>,
    accepted: Arc<AtomicUsize>,
    writes: tokio::task::JoinHandle<()>,
}

impl Writer {
    fn start(addresses: [String; 2]) -> Self {
        let (is_over, accepted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&accepted));
        let writes = tokio::spawn(async move {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let body = json!({"spec": changing(Stamp::now())});
                let url = format!("http://{}{CHANGING}", addresses[number % 2]);
                match client.put(url).json(&body).send().await {
                    Ok(answer) => {
                        let status = answer.status();
                        let text = answer.text().await.unwrap_or_default();
                        assert!(status.is_success(), "write {number}: {status} {text}");
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    // It is being restarted: the next one goes to the other.
                    Err(_) => continue,
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        Self {
            is_over,
            accepted,
            writes,
        }
    }

    /// Waits for so many more changes.
    async fn more(&self, changes: usize) {
        let until = self.accepted.load(Ordering::Relaxed) + changes;
        eventually("changes are accepted", PATIENCE, async || {
            assert!(!self.writes.is_finished(), "a write was refused");
            (self.accepted.load(Ordering::Relaxed) >= until).then_some(())
        })
        .await
        .expect("changes are accepted");
    }

    async fn end(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.writes.await.expect("no write was refused");
        self.accepted.load(Ordering::Relaxed)
    }
}

fn fleet(ways: &[Way], variant: Variant) -> Fleet {
    Fleet::launch(&Order {
        ways: ways.to_vec(),
        attempts: u32::MAX,
        keeps_journal: true,
        ..Order::of(ways[0].clone(), NODE, 20, variant)
    })
}

/// SIGTERM: it ends by itself, in time, and with success.
async fn terminate(rig: &mut Rig) {
    let process = rig.control_plane().expect("a control plane");
    process.terminate();
    let status = process.ended(END).await.expect("it ends in time");
    assert!(status.success(), "{status}: {}", rig.log());
    rig.kill_control_plane();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_two_control_planes_fails_no_request_and_takes_no_proxy_back() {
    let etcd = Etcd::start().await.expect("etcd");
    let mut rigs = Vec::new();
    for _ in 0..2 {
        let arguments = etcd.arguments().expect("arguments");
        rigs.push(
            Rig::start_as(Modules::Built, arguments, None)
                .await
                .expect("a control plane"),
        );
    }
    let [blue, green] = [
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    ];
    let [port, behind_agent] = [(), ()].map(|()| ports::free().expect("a port"));
    let gateways = [("gateway", port), ("behind-agent", behind_agent)];
    fill(&rigs[0], [blue.port(), green.port()], gateways).await;
    let addresses = [rigs[0].address(), rigs[1].address()];
    let envoy = Envoy::start(&bootstrap([&addresses[0], &addresses[1]]))
        .await
        .expect("an Envoy");
    // An agent that is told of both, with an Envoy of its own.
    let endpoints = addresses.join(",");
    let state = rigs[0].file("agent-state").display().to_string();
    let told = [
        ("APPMESH_XDS_ENDPOINT", endpoints.as_str()),
        ("FERROMESH_STATE_DIR", &state),
    ];
    let agent = rigs[0].start_proxy_with(BEHIND_AGENT, &told).expect("an agent");
    let [url, url_behind_agent] = [port, behind_agent].map(|port| format!("http://127.0.0.1:{port}/"));
    wait_for_status(&url, 200).await.expect("the gateway answers");
    let answered = wait_for_status(&url_behind_agent, 200).await;
    answered.unwrap_or_else(|error| panic!("{error:#}\n{}", agent.log()));
    let ways = addresses.clone().map(Way::plain);
    let fleets = [fleet(&ways, Variant::Delta), fleet(&ways, Variant::Sotw)];
    for fleet in &fleets {
        fleet.complete(PATIENCE).await.expect("all have everything");
    }

    let load = Load::to(&url).per_second(200).start().await.expect("load");
    let load_on_agent = Load::to(&url_behind_agent).per_second(100).start().await.expect("load");
    let writer = Writer::start(addresses);
    writer.more(5).await;
    let began = Instant::now();
    for round in 0..full(1, 10) {
        for rig in &mut rigs {
            terminate(rig).await;
            writer.more(5).await;
            rig.start_control_plane().await.expect("it starts again");
            writer.more(5).await;
        }
        for rig in &mut rigs {
            rig.kill_control_plane();
            writer.more(5).await;
            rig.start_control_plane().await.expect("it starts again");
            writer.more(5).await;
        }
        println!("round {round}: {:?}", began.elapsed());
    }
    let accepted = writer.end().await;
    // Everybody has the last change: those who were sent nothing twice have not been forgotten either.
    let last = Stamp::now();
    let body = json!({"spec": changing(last)});
    rigs[1].accepted(Method::PUT, CHANGING, &body).await.expect("a change");
    for fleet in &fleets {
        eventually("all have the last change", PATIENCE, async || {
            (fleet.tally.deliveries(last) >= 20).then_some(())
        })
        .await
        .expect("all have the last change");
        let (count, first) = fleet.tally.flaps_seen();
        assert_eq!(count, 0, "something came twice or went back: {first:#?}");
        println!("{} reconnections of 20 proxies", fleet.tally.reconnect_count());
        assert!(
            fleet.tally.reconnect_count() >= 20,
            "they have lost their control planes"
        );
    }
    for (admin, log) in [(envoy.admin(), envoy.log()), (agent.admin(), agent.log())] {
        let has_it = eventually("Envoy has the last change", PATIENCE, async || {
            let routes = admin.get("/config_dump?resource=dynamic_route_configs").await.ok()?;
            routes.contains(&last.to_string()).then_some(())
        });
        has_it.await.unwrap_or_else(|error| panic!("{error:#}\n{log}"));
        let refused = admin.sum("update_rejected$").await.expect("statistics");
        assert_eq!(refused, 0, "{log}");
    }
    for (load, whose) in [(load, "an Envoy"), (load_on_agent, "an agent's Envoy")] {
        let report = load.stop().await;
        println!("{accepted} changes, {} requests through {whose}", report.len());
        report.assert_no_failures(&format!("a rolling restart, through {whose}"));
    }
    let moves = agent.log().matches("the control plane is reached").count();
    assert!(moves > 1, "it has lost its control plane: {}", agent.log());
    drop(agent);
    for rig in rigs {
        assert!(!rig.log().contains("panicked"), "{}", rig.log());
        rig.shut_down().expect("a clean end");
    }
}
