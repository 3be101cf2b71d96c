//! Route tables.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::route::v3::{Route, RouteConfiguration, VirtualHost};
use ferromesh_ir::listener::Network;
use ferromesh_ir::route::{Action, Domain, Route as Spec, RouteTable, VirtualHost as HostSpec};
use ferromesh_ir::{Proxy, Reporter};
use ferromesh_policy::canary::PICK_HEADER;

use crate::{action, matcher, names, policy, trust, Reference, CLUSTER};

/// A route table.
pub fn route_table(proxy: &Proxy, table: &RouteTable, filter: bool) -> RouteConfiguration {
    let filter = filter.then(|| reporter(proxy, table)).flatten().map(names::filter);
    RouteConfiguration {
        name: names::route_table(table.id),
        virtual_hosts: table
            .hosts
            .iter()
            .map(|host| virtual_host(proxy, host, filter))
            .collect(),
        response_headers_to_remove: trust::RESPONSE_HEADERS.map(str::to_owned).to_vec(),
        // It has done its work when the cluster is chosen; no application needs to see it.
        request_headers_to_remove: vec![PICK_HEADER.to_owned()],
        ignore_port_in_host_matching: table.ignore_host_port,
        ..RouteConfiguration::default()
    }
}

/// As what the filter runs in front of a table.
fn reporter(proxy: &Proxy, table: &RouteTable) -> Option<Reporter> {
    let networks = proxy.listeners.iter().flat_map(|listener| {
        let chains = listener.chains.iter().map(|chain| &chain.network);
        chains.chain(&listener.otherwise)
    });
    networks
        .filter_map(|network| match network {
            Network::Http(http) if http.table == table.id => Some(http.reporter),
            _ => None,
        })
        .next()
}

fn virtual_host(proxy: &Proxy, host: &HostSpec, filter: Option<&str>) -> VirtualHost {
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
        routes: host.routes.iter().map(|spec| route(proxy, spec, filter)).collect(),
        ..VirtualHost::default()
    }
}

fn route(proxy: &Proxy, spec: &Spec, filter: Option<&str>) -> Route {
    let json = filter.and(spec.policy.as_ref()).map(policy::json);
    Route {
        name: names::route(&spec.label, json.as_deref()),
        r#match: Some(matcher::route_match(&spec.matcher)),
        typed_per_filter_config: match (filter, &json) {
            (Some(filter), None) => policy::filter_off(filter),
            _ => HashMap::new(),
        },
        metadata: json.map(policy::metadata),
        action: Some(action::action(proxy, &spec.action)),
        ..Route::default()
    }
}

/// The clusters that a table's routes name.
pub fn references(proxy: &Proxy, table: &RouteTable) -> Vec<Reference> {
    let routes = table.hosts.iter().flat_map(|host| &host.routes);
    routes
        .filter_map(|route| match &route.action {
            Action::Forward(forward) => Some(&forward.targets),
            Action::Respond(_) => None,
        })
        .flatten()
        .map(|target| Reference {
            type_url: CLUSTER,
            name: names::cluster(proxy, &target.cluster),
            from: names::route_table(table.id),
        })
        .collect()
}
