//! Route tables.

use std::collections::HashSet;

use envoy_types::pb::envoy::config::route::v3::{Route, RouteConfiguration, VirtualHost};
use ferromesh_ir::cluster::ClusterId;
use ferromesh_ir::listener::{Http, Network};
use ferromesh_ir::route::{Action, Domain, Route as Spec, RouteTable, VirtualHost as HostSpec};
use ferromesh_ir::{Proxy, Reporter};
use ferromesh_policy::canary::PICK_HEADER;

use crate::guard::Table;
use crate::{action, matcher, names, pack, policy, retry_mark, trust, upstream};

/// A route table.
pub fn route_table(proxy: &Proxy, table: &RouteTable, filter: bool) -> RouteConfiguration {
    let scene = Scene::new(proxy, table, filter);
    RouteConfiguration {
        virtual_hosts: table.hosts.iter().map(|host| virtual_host(&scene, host)).collect(),
        ..without_hosts(proxy, table)
    }
}

/// A route table without its virtual hosts.
pub fn without_hosts(proxy: &Proxy, table: &RouteTable) -> RouteConfiguration {
    let http = manager(proxy, table);
    let at_the_edge = http.is_some_and(|http| http.reporter == Reporter::Gateway);
    let edge = trust::EDGE_RESPONSE_HEADERS.into_iter().filter(|_| at_the_edge);
    let removed = trust::RESPONSE_HEADERS.into_iter().chain(edge);
    RouteConfiguration {
        name: names::route_table(table.id),
        response_headers_to_remove: removed.map(str::to_owned).collect(),
        // It has done its work when the cluster is chosen; no application needs to see it.
        request_headers_to_remove: vec![PICK_HEADER.to_owned()],
        ignore_port_in_host_matching: table.ignore_host_port,
        ..RouteConfiguration::default()
    }
}

/// What the routes of a table have in common.
pub struct Scene<'p> {
    pub proxy: &'p Proxy,
    /// Our filter's name, where there is one.
    pub filter: Option<&'static str>,
    pub guards: Table<'p>,
    /// The clusters in front of which the filter counts.
    counting: HashSet<&'p ClusterId>,
}

impl<'p> Scene<'p> {
    pub fn new(proxy: &'p Proxy, table: &'p RouteTable, filter: bool) -> Self {
        let http = manager(proxy, table);
        Self {
            proxy,
            filter: http.filter(|_| filter).map(|http| names::filter(http.reporter)),
            guards: Table::of(table),
            counting: upstream::counting(proxy),
        }
    }

    /// Whether attempts are numbered on a host.
    pub fn counts_attempts(&self, host: &HostSpec) -> bool {
        self.filter.is_some() && upstream::counts_attempts(&self.counting, host)
    }
}

/// The connection manager in front of a table.
fn manager<'p>(proxy: &'p Proxy, table: &RouteTable) -> Option<&'p Http> {
    let networks = proxy.listeners.iter().flat_map(|listener| {
        let chains = listener.chains.iter().map(|chain| &chain.network);
        chains.chain(&listener.otherwise)
    });
    networks
        .filter_map(|network| match network {
            Network::Http(http) if http.table == table.id => Some(http),
            _ => None,
        })
        .next()
}

pub fn virtual_host(scene: &Scene<'_>, host: &HostSpec) -> VirtualHost {
    VirtualHost {
        name: host.name.clone(),
        domains: host
            .domains
            .iter()
            .map(|domain| match domain {
                Domain::Exact(host) => host.clone(),
                Domain::Suffix(suffix) => format!("*{suffix}"),
                Domain::Any => "*".into(),
            })
            .collect(),
        routes: host.routes.iter().map(|spec| route(scene, spec)).collect(),
        include_request_attempt_count: scene.counts_attempts(host),
        ..VirtualHost::default()
    }
}

fn route(scene: &Scene<'_>, spec: &Spec) -> Route {
    let json = scene.filter.and(spec.policy.as_ref()).map(policy::json);
    let mut said = scene.guards.on_route(&spec.guards, &spec.label);
    if let (Some(filter), None) = (scene.filter, &json) {
        said.push((filter.to_owned(), policy::off()));
    }
    // Without the filter nobody would protect what is to be protected.
    let is_exposed = scene.filter.is_none() && spec.is_protected();
    let chosen = if is_exposed {
        &Action::Respond(503)
    } else {
        &spec.action
    };
    Route {
        name: names::route(&spec.label, json.as_deref()),
        r#match: Some(matcher::route_match(&spec.matcher)),
        typed_per_filter_config: pack::map(said),
        request_headers_to_add: match chosen {
            Action::Forward(forward) if forward.retry.as_ref().is_some_and(|retry| retry.marks) => retry_mark::marked(),
            _ => Vec::new(),
        },
        metadata: json.map(policy::metadata),
        action: Some(action::action(scene.proxy, chosen)),
        ..Route::default()
    }
}

/// The clusters that a host's routes name.
pub fn clusters(host: &HostSpec) -> impl Iterator<Item = &ClusterId> {
    let forwards = host.routes.iter().filter_map(|route| match &route.action {
        Action::Forward(forward) => Some(forward),
        Action::Respond(_) => None,
    });
    forwards.flat_map(|forward| {
        let targets = forward.targets.iter().map(|target| &target.cluster);
        targets.chain(forward.mirror.iter().map(|copy| &copy.cluster))
    })
}
