//! The mesh, its proxies as they would be configured, and who calls whom.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::listener::{Direction, Network};
use ferromesh_ir::route::{Action, Label, Retry, RetryOn, Route, TableId};
use ferromesh_ir::{lower, Options, Proxy, ProxyKind};
use ferromesh_model::mesh::Mesh;
use ferromesh_model::resource::{Backend, VirtualNodeSpec, VirtualServiceBackend, VirtualServiceProvider};

/// What the rules look at.
pub(crate) struct Scene<'a> {
    pub(crate) mesh: &'a Mesh,
    pub(crate) options: &'a Options,
    /// Every node's and gateway's.
    pub(crate) proxies: BTreeMap<ProxyKind, BTreeMap<String, Proxy>>,
    /// Requests and connections that proxies send to nodes, each once.
    pub(crate) calls: Vec<Call>,
    /// Each virtual service's routes as a caller without policies of its own has them, by port.
    pub(crate) services: BTreeMap<String, Vec<(TableId, Vec<Route>)>>,
}

/// One way from a proxy to a virtual node's listener.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) from: Place,
    /// The resource that asks for it: a route, or a virtual service whose provider is a node.
    pub(crate) resource: String,
    pub(crate) label: Labelled,
    pub(crate) node: String,
    pub(crate) port: u16,
    /// Zero is no limit; `None` for connections.
    pub(crate) timeout: Option<Duration>,
    pub(crate) per_try: Option<Duration>,
    /// Attempts at most that reach the target's application.
    pub(crate) attempts: u32,
    /// Whether later hops are told not to try again.
    pub(crate) marks: bool,
}

/// What a call's route was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Labelled {
    pub(crate) service: Option<String>,
    pub(crate) route: Option<String>,
}

/// A node or a gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) kind: ProxyKind,
    pub(crate) name: String,
}

impl Place {
    /// Place in the mesh.
    pub(crate) fn resource(&self) -> String {
        match self.kind {
            ProxyKind::VirtualNode => format!("virtualNode/{}", self.name),
            ProxyKind::VirtualGateway => format!("virtualGateway/{}", self.name),
        }
    }
}

impl<'a> Scene<'a> {
    pub(crate) fn of(mesh: &'a Mesh, options: &'a Options) -> Self {
        let nodes = mesh.virtual_nodes.keys().map(|name| (ProxyKind::VirtualNode, name));
        let gateways = mesh
            .virtual_gateways
            .keys()
            .map(|name| (ProxyKind::VirtualGateway, name));
        let mut proxies: BTreeMap<ProxyKind, BTreeMap<String, Proxy>> = BTreeMap::new();
        for (kind, name) in nodes.chain(gateways) {
            // They are in the mesh, and that is all that can fail.
            if let Ok(proxy) = lower::proxy(mesh, kind, name, options) {
                proxies.entry(kind).or_default().insert(name.clone(), proxy);
            }
        }
        let all = proxies.values().flat_map(BTreeMap::values);
        let calls: BTreeSet<Call> = all.flat_map(|proxy| calls(mesh, proxy)).collect();
        Self {
            services: services(mesh, options),
            calls: calls.into_iter().collect(),
            proxies,
            mesh,
            options,
        }
    }

    /// Every proxy.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Proxy> {
        self.proxies.values().flat_map(BTreeMap::values)
    }

    /// The proxy of a node or a gateway.
    pub(crate) fn proxy(&self, kind: ProxyKind, name: &str) -> Option<&Proxy> {
        self.proxies.get(&kind)?.get(name)
    }
}

/// Place in the mesh of what a route was made from.
pub(crate) fn origin(mesh: &Mesh, label: &Label) -> Option<String> {
    let service = label.virtual_service.as_ref()?;
    match mesh.virtual_services.get(service)?.provider.as_ref()? {
        VirtualServiceProvider::VirtualNode(_) => Some(format!("virtualService/{service}")),
        VirtualServiceProvider::VirtualRouter(router) => Some(format!(
            "virtualRouter/{}/route/{}",
            router.virtual_router_name,
            label.route.as_ref()?
        )),
    }
}

fn calls(mesh: &Mesh, proxy: &Proxy) -> Vec<Call> {
    let from = Place {
        kind: proxy.kind,
        name: proxy.name.clone(),
    };
    let mut calls = Vec::new();
    let leaves = |direction| proxy.kind == ProxyKind::VirtualGateway || direction == Direction::Egress;
    for table in proxy.route_tables.iter().filter(|table| leaves(table.id.direction)) {
        for route in table.hosts.iter().flat_map(|host| &host.routes) {
            let Action::Forward(forward) = &route.action else {
                continue;
            };
            let Some(resource) = origin(mesh, &route.label) else {
                continue;
            };
            let retry = forward.retry.as_ref();
            for target in forward.targets.iter().filter(|target| target.weight > 0) {
                let ClusterId::Node { node, port, .. } = &target.cluster else {
                    continue;
                };
                calls.push(Call {
                    from: from.clone(),
                    resource: resource.clone(),
                    label: Labelled {
                        service: route.label.virtual_service.clone(),
                        route: route.label.route.clone(),
                    },
                    node: node.clone(),
                    port: *port,
                    timeout: Some(forward.timeout),
                    per_try: retry.and_then(|retry| retry.per_try_timeout),
                    attempts: retry.map_or(1, |retry| attempts(retry)),
                    marks: retry.is_some_and(|retry| retry.marks),
                });
            }
        }
    }
    let chains = proxy.listeners.iter().flat_map(|listener| &listener.chains);
    for chain in chains {
        let Network::Tcp(tcp) = &chain.network else { continue };
        if tcp.direction != Direction::Egress {
            continue;
        }
        for (cluster, _) in &tcp.clusters {
            let ClusterId::Node { node, port, .. } = cluster else {
                continue;
            };
            calls.push(Call {
                from: from.clone(),
                resource: from.resource(),
                label: Labelled::default(),
                node: node.clone(),
                port: *port,
                timeout: None,
                per_try: None,
                attempts: 1,
                marks: false,
            });
        }
    }
    calls
}

/// Attempts that may all be processed. Where no connection was made and where a stream was refused nothing arrived, and
/// who called hears of an answer, not of such a failure.
fn attempts(retry: &Retry) -> u32 {
    let never_arrived = |on: &RetryOn| matches!(on, RetryOn::ConnectFailure | RetryOn::RefusedStream);
    if retry.status_codes.is_empty() && retry.headers.is_empty() && retry.on.iter().all(never_arrived) {
        return 1;
    }
    retry.max_retries.saturating_add(1)
}

/// Lowers a caller that is not there, with one service after the other as its only backend.
fn services(mesh: &Mesh, options: &Options) -> BTreeMap<String, Vec<(TableId, Vec<Route>)>> {
    // No name of the API is empty.
    const CALLER: &str = "";
    let mut with_caller = mesh.clone();
    let mut services = BTreeMap::new();
    for service in mesh.virtual_services.keys() {
        let caller = VirtualNodeSpec {
            backends: vec![Backend::VirtualService(VirtualServiceBackend {
                client_policy: None,
                virtual_service_name: service.clone(),
            })],
            ..VirtualNodeSpec::default()
        };
        with_caller.virtual_nodes.insert(CALLER.to_owned(), caller);
        let Ok(proxy) = lower::proxy(&with_caller, ProxyKind::VirtualNode, CALLER, options) else {
            continue;
        };
        let tables = proxy.route_tables.into_iter();
        let tables = tables.filter(|table| table.id.direction == Direction::Egress);
        let of_service = tables.map(|table| {
            let hosts = table.hosts.into_iter().filter(|host| host.name == *service);
            (table.id, hosts.flat_map(|host| host.routes.clone()).collect())
        });
        services.insert(service.clone(), of_service.collect());
    }
    services
}
