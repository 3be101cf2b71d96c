//! The simulator agrees with stock Envoy: generated gateways and nodes, generated requests, and the same route, cluster,
//! host and path in both.
//!
//! Envoy gets what is emitted, with these changes: each listener has a loopback address of its own (and its egress listeners
//! all ports that their chains are for, so that a connection's port is the one it wanted); every cluster leads to a server
//! of ours, without TLS; routes say in a response header which they are. Guards are left out and time limits are off: what
//! is compared is where requests go.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::bootstrap::v3::{Admin, Bootstrap};
use envoy_types::pb::envoy::config::listener::v3::AdditionalAddress;
use ferromesh_emit::{Messages, Modules, Options};
use ferromesh_generate::{Draw, Flaws, World};
use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::listener::{Listener, Network};
use ferromesh_ir::route::Action;
use ferromesh_ir::simulate::{pass, Circumstances, Connection, Outcome, Passage, Request, Tls};
use ferromesh_ir::{lower, Options as Lowering, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use ferromesh_model::policy::PolicySpec;
use support::echo::{ours, say, socket};
use support::upstream::{exchange, free_port, Answer, Upstream};
use support::{bootstrap, envoy, merged, pki, requests, scale};

/// Meshes in one Envoy, and requests to it.
const MESHES: u64 = 30;
const REQUESTS: u64 = 500;
/// A port for which no mesh has a listener.
const NOBODYS_PORT: u16 = 7777;

/// Servers that tell one cluster of bytes from another.
const NAMES: [&str; 8] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];

/// One proxy with the addresses of its listeners.
struct Subject {
    proxy: Proxy,
    addresses: Vec<String>,
}

fn proxies(mut mesh: Mesh) -> Vec<Proxy> {
    for policy in &mut mesh.policies {
        policy.spec = PolicySpec {
            retry: policy.spec.retry.take(),
            ..PolicySpec::default()
        };
    }
    let nodes = mesh.virtual_nodes.keys().map(|name| (ProxyKind::VirtualNode, name));
    let gateways = mesh
        .virtual_gateways
        .keys()
        .map(|name| (ProxyKind::VirtualGateway, name));
    let lowered = nodes.chain(gateways).enumerate().map(|(index, (kind, name))| {
        let proxy = lower::proxy(&mesh, kind, name, &Lowering::default()).expect("it is in the mesh");
        Proxy {
            mesh: format!("{}-{index}", mesh.name),
            ..proxy
        }
    });
    lowered.map(without_limits).collect()
}

fn without_limits(mut proxy: Proxy) -> Proxy {
    for route in proxy
        .route_tables
        .iter_mut()
        .flat_map(|table| &mut table.hosts)
        .flat_map(|host| &mut Arc::make_mut(host).routes)
    {
        if let Action::Forward(forward) = &mut route.action {
            forward.timeout = Duration::ZERO;
            forward.idle_timeout = None;
            if let Some(retry) = &mut forward.retry {
                retry.per_try_timeout = None;
                retry.hedged = false;
            }
        }
    }
    let networks = proxy.listeners.iter_mut().flat_map(|listener| {
        listener
            .chains
            .iter_mut()
            .map(|chain| &mut chain.network)
            .chain(&mut listener.otherwise)
    });
    for network in networks {
        match network {
            Network::Tcp(tcp) => (tcp.idle_timeout, tcp.access_log) = (None, None),
            Network::Http(http) => http.access_log = None,
        }
    }
    proxy
}

fn adapt(proxy: &Proxy, messages: &mut Messages, addresses: &[String], servers: &[Upstream]) {
    for table in &mut messages.route_tables {
        table
            .response_headers_to_add
            .push(say("x-cluster", "%UPSTREAM_CLUSTER%".into()));
        for (host_index, host) in table.virtual_hosts.iter_mut().enumerate() {
            for (route_index, route) in host.routes.iter_mut().enumerate() {
                route
                    .response_headers_to_add
                    .push(say("x-met", format!("{host_index}/{route_index}")));
            }
        }
    }
    for (index, cluster) in messages.clusters.iter_mut().enumerate() {
        *cluster = ours(&cluster.name, servers[index % servers.len()].port);
    }
    for ((message, listener), address) in messages.listeners.iter_mut().zip(&proxy.listeners).zip(addresses) {
        let ports = ports(listener);
        message.address = Some(socket(address, ports[0]));
        let more = ports.iter().skip(1).map(|port| AdditionalAddress {
            address: Some(socket(address, *port)),
            ..AdditionalAddress::default()
        });
        message.additional_addresses = more.collect();
    }
}

/// The ports that a listener is bound to in this test.
fn ports(listener: &Listener) -> Vec<u16> {
    let mut ports: Vec<u16> = match listener.redirected {
        false => vec![listener.port],
        true => listener
            .chains
            .iter()
            .map(|chain| chain.port)
            .chain([NOBODYS_PORT])
            .collect(),
    };
    ports.retain(|port| may_bind(*port));
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Not everybody may use the ports below 1024; chains for them are then there, but not met.
fn may_bind(port: u16) -> bool {
    static LOW: LazyLock<bool> = LazyLock::new(|| {
        let allowed = TcpListener::bind("127.0.0.2:443").is_ok();
        if !allowed {
            println!("ports below 1024 may not be used here: without them and their chains");
        }
        allowed
    });
    port >= 1024 || *LOW
}

/// What came of a request.
#[derive(Debug)]
enum Came {
    Http(Answer),
    Bytes(String),
    Nothing,
}

fn ask(address: &str, connection: &Connection, request: &Request) -> Came {
    let address: SocketAddr = format!("{address}:{}", connection.port).parse().expect("an address");
    let mut stream = TcpStream::connect(address).expect("Envoy listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    if let Some(tls) = &connection.tls {
        let hello = pki::client_hello(tls.server_name.as_deref().unwrap_or("a.local"));
        let mut said = Vec::new();
        // What is no HTTP is answered with a line, and ends.
        let answered = stream.write_all(&hello).and_then(|()| stream.read_to_end(&mut said));
        drop(answered);
        let said = String::from_utf8_lossy(&said).into_owned();
        return if said.starts_with("upstream: ") {
            Came::Bytes(said)
        } else {
            Came::Nothing
        };
    }
    let mut headers: Vec<(&str, &str)> = vec![("host", request.host.as_str())];
    headers.extend(
        request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    match exchange(stream, &request.method, &request.path, &headers) {
        Ok(answer) => Came::Http(answer),
        Err(_) => Came::Nothing,
    }
}

/// Where the two differ; `None` where they agree.
fn differs(subject: &Subject, passage: &Passage, request: &Request, came: &Came, servers: usize) -> Option<String> {
    let chosen =
        |candidates: &[ferromesh_ir::simulate::Candidate]| candidates.iter().position(|candidate| candidate.chosen);
    let met = chosen(&passage.hosts)
        .zip(chosen(&passage.routes))
        .map(|(host, route)| format!("{host}/{route}"));
    let names: Vec<String> = subject
        .proxy
        .clusters
        .iter()
        .map(|cluster| name(&subject.proxy, &cluster.id))
        .collect();
    let is_http = !passage.hosts.is_empty() || !passage.routes.is_empty();
    match (&passage.outcome, came) {
        (Outcome::Close { .. }, Came::Nothing) => None,
        // Envoy tells a TLS client on a port for plain text so in plain text.
        (Outcome::Close { .. }, Came::Http(answer)) if answer.status == 400 => None,
        (Outcome::Respond { status, .. }, Came::Http(answer)) => {
            // To gRPC everything is 200, with the status in a trailer.
            let same = answer.headers.contains_key("grpc-status") || u32::from(answer.status) == *status;
            let route = answer.headers.get("x-met").cloned();
            (!same
                || (answer.status != 400 && route != met)
                || answer.headers.contains_key("x-cluster") && answer.headers["x-cluster"] != "-")
                .then(|| format!("expected {status} by {met:?}"))
        }
        (Outcome::Forward(forwarding), Came::Http(answer)) if is_http => {
            let cluster = answer.headers.get("x-cluster").cloned().unwrap_or_default();
            let live = forwarding.targets.iter().filter(|share| share.percent > 0.0);
            let right = live.clone().any(|share| share.cluster == cluster);
            let route = answer.headers.get("x-met").cloned();
            let wanted = format!(
                "{} {} HTTP/1.1",
                request.method,
                forwarding.path.clone().unwrap_or_default()
            );
            let seen = request.method == "HEAD"
                || (answer.said("request") == Some(&wanted)
                    && answer.said("host").map(str::to_owned) == forwarding.host);
            (!right || route != met || !seen).then(|| format!("expected {forwarding:?} by {met:?}"))
        }
        (Outcome::Forward(forwarding), Came::Http(Answer { body, .. }) | Came::Bytes(body)) => {
            let expected = forwarding
                .targets
                .iter()
                .filter(|share| share.percent > 0.0)
                .any(|share| {
                    let index = names.iter().position(|name| *name == share.cluster);
                    index.is_some_and(|index| body.starts_with(&format!("upstream: {}\n", NAMES[index % servers])))
                });
            // Over HEAD the server has no body to say its name in.
            (!expected && request.method != "HEAD").then(|| format!("expected {forwarding:?}"))
        }
        (outcome, _) => Some(format!("expected {outcome:?}")),
    }
}

fn name(proxy: &Proxy, id: &ClusterId) -> String {
    ferromesh_emit::names::cluster(proxy, id)
}

/// What is sent to a listener: a port that it has, sometimes TLS, and a request for the port's routes.
fn question(draw: &mut Draw, proxy: &Proxy, listener: &Listener) -> (Connection, Request) {
    let ports = ports(listener);
    let port = match *draw.of(&ports) {
        // Where nobody listens there is little to see.
        NOBODYS_PORT if draw.chance(80) => *draw.of(&ports),
        port => port,
    };
    let table = listener
        .chains
        .iter()
        .filter(|chain| chain.port == port)
        .find_map(|chain| match &chain.network {
            Network::Http(http) => proxy.route_tables.iter().find(|table| table.id == http.table),
            Network::Tcp(_) => None,
        });
    let ends_tls = listener
        .chains
        .iter()
        .any(|chain| chain.port == port && chain.accepts.server().is_some());
    // Whether handshakes succeed is tested elsewhere.
    let tls = (!ends_tls && draw.chance(if port == 443 { 50 } else { 3 })).then(|| Tls {
        server_name: Some(draw.text(&[
            "s3.amazonaws.com",
            "amazonaws.com",
            "a.b.amazonaws.com",
            "example.com",
            "S3.AmazonAWS.com",
        ])),
    });
    (Connection { port, tls }, requests::request(draw, table))
}

#[test]
fn the_simulator_agrees_with_envoy_on_generated_requests() {
    let servers: Vec<Upstream> = NAMES.into_iter().map(Upstream::start).collect();
    let mut differences = Vec::new();
    let (mut asked, mut forwarded, mut answered, mut closed) = (0, 0, 0, 0);
    for round in 0..scale::of(2, 20) {
        let (subjects, bootstrap) = round_of(round, &servers);
        let admin = free_port();
        let bootstrap = Bootstrap {
            admin: Some(Admin {
                address: Some(socket("127.0.0.1", admin)),
                ..Admin::default()
            }),
            ..bootstrap
        };
        let _envoy = envoy::Running::start(&bootstrap, admin);
        for subject in &subjects {
            for (listener, address) in subject.proxy.listeners.iter().zip(&subject.addresses) {
                until_open(address, ports(listener)[0]);
            }
        }
        let mut draw = Draw::new(round ^ 0x5eed);
        for _ in 0..REQUESTS {
            let subject = draw.of(&subjects);
            let place = draw.between(0, subject.proxy.listeners.len() - 1);
            let listener = &subject.proxy.listeners[place];
            let (connection, request) = question(&mut draw, &subject.proxy, listener);
            let circumstances = Circumstances::default();
            let passage = pass(
                &subject.proxy,
                Some(listener),
                &connection,
                &request,
                &circumstances,
                &name,
            );
            let came = ask(&subject.addresses[place], &connection, &request);
            asked += 1;
            match passage.outcome {
                Outcome::Forward(_) => forwarded += 1,
                Outcome::Respond { .. } => answered += 1,
                Outcome::Close { .. } => closed += 1,
            }
            if let Some(difference) = differs(subject, &passage, &request, &came, servers.len()) {
                differences.push(format!(
                    "{} {} at {connection:?}\n{request:?}\n{difference}\ngot {came:?}\nroutes {:?}",
                    subject.proxy.mesh, passage.proxy, passage.routes
                ));
            }
            assert!(differences.len() < 12, "of {asked}:\n{}", differences.join("\n\n"));
        }
    }
    println!(
        "{asked} requests: {forwarded} forwarded, {answered} answered, {closed} closed; {} differ",
        differences.len()
    );
    assert!(
        differences.is_empty(),
        "{} of {asked} differ:\n{}",
        differences.len(),
        differences.join("\n\n")
    );
    assert!(
        forwarded * 4 > asked && answered * 20 > asked && closed > 0,
        "too much of one kind: {forwarded} {answered} {closed}"
    );
}

/// Whether it has listeners, each with a port that can be used here.
fn is_reachable(proxy: &Proxy) -> bool {
    !proxy.listeners.is_empty() && proxy.listeners.iter().all(|listener| !ports(listener).is_empty())
}

/// The proxies of one round with their configuration.
fn round_of(round: u64, servers: &[Upstream]) -> (Vec<Subject>, Bootstrap) {
    let first = 100_000 + round * MESHES;
    let worlds = (first..first + MESHES).map(|seed| World::from_seed(seed, Flaws::None));
    let all = worlds.flat_map(|world| proxies(world.admit().mesh));
    let mut subjects = Vec::new();
    let mut bootstraps = Vec::new();
    for (index, proxy) in all.filter(is_reachable).enumerate() {
        let addresses: Vec<String> = (0..proxy.listeners.len())
            .map(|place| merged::loopback(index, place))
            .collect();
        let mut messages =
            ferromesh_emit::messages(&proxy, &Modules::default(), &pki::secrets(&proxy), &Options::default());
        adapt(&proxy, &mut messages, &addresses, servers);
        bootstraps.push(bootstrap::of(messages));
        subjects.push(Subject { proxy, addresses });
    }
    (subjects, merged::joined(bootstraps))
}

fn until_open(address: &str, port: u16) {
    let started = Instant::now();
    while TcpStream::connect(format!("{address}:{port}")).is_err() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "Envoy does not open {address}:{port}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
